"""Tasks that run no code of their own: conditions, runs of other jobs, loops.

Rules: docs "If/else task", "Run Job task", "For each task", and the SDK docstrings of ConditionTask, RunJobTask and ForEachTask.
The texts of failures are unverified.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from rehearsal.databricks import parameters
from rehearsal.databricks.outcomes import GOOD
from rehearsal.databricks.runs import ENDED, RUNNING, TERMINATED, Run, Task, unfinished
from rehearsal.databricks.workspace import Workspace

MOST_DEPTH = 3  # docs: "more than three nested Run Job tasks" are not to be; here they are refused
MOST_INPUTS = 5000  # of this stand-in: the service's own number is unverified
COMPARISONS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "GREATER_THAN": lambda left, right: left > right,
    "GREATER_THAN_OR_EQUAL": lambda left, right: left >= right,
    "LESS_THAN": lambda left, right: left < right,
    "LESS_THAN_OR_EQUAL": lambda left, right: left <= right,
}


class CanNotRunError(Exception):
    """Why a task fails before it does anything."""


def succeed(workspace: Workspace, task: Task) -> None:
    workspace.runs.end(task, TERMINATED, "SUCCESS", "SUCCESS", "SUCCESS", "")


def fail(workspace: Workspace, task: Task, message: str, code: str = "RUN_EXECUTION_ERROR") -> None:
    task["output"] = {"error": message}
    workspace.runs.end(task, TERMINATED, "FAILED", code, "CLIENT_ERROR", message)


def decide(workspace: Workspace, run: Run, task: Task) -> None:
    """A condition: SUCCESS with an outcome, or FAILED when it can't be compared."""
    condition = task["settings"]["condition_task"]
    known = parameters.references(run, task, workspace.workspace_id, workspace.host)
    left, right = (parameters.expand(condition[side], known) for side in ("left", "right"))
    try:
        outcome = compare(condition["op"], left, right)
    except CanNotRunError as problem:
        fail(workspace, task, str(problem))
        return
    task |= {"outcome": "true" if outcome else "false", "compared": {"left": left, "right": right}}
    succeed(workspace, task)


def compare(op: str, left: str, right: str) -> bool:
    """Texts are compared by EQUAL_TO and NOT_EQUAL, numbers by the others ("12.0" >= "12" is true, "12.0" == "12" is not)."""
    for operand in (left, right):
        if parameters.REFERENCE.search(operand):
            raise CanNotRunError(f"The reference {operand} of the condition has no value.")
    if op in ("EQUAL_TO", "NOT_EQUAL"):
        return (left == right) == (op == "EQUAL_TO")
    try:
        return COMPARISONS[op](Decimal(left.strip()), Decimal(right.strip()))
    except InvalidOperation:
        raise CanNotRunError(f"The operands of {op} must be numbers: {left!r}, {right!r}.") from None


async def run_job(
    workspace: Workspace,
    task: Task,
    start: Callable[[], Run],
    over: Callable[[int], Awaitable[Run | None]],
    cancel: Callable[[Run], None],
) -> None:
    """A run of another job, waited for; it is cancelled with the task (that the service does so is unverified)."""
    child = start()
    task["child_run_id"] = child["run_id"]
    try:
        ended = await over(child["run_id"])
    except asyncio.CancelledError:
        cancel(workspace.runs.get(child["run_id"]) or child)
        raise
    if ended is not None and ended["result"] in (*GOOD, "SUCCESS_WITH_FAILURES"):
        succeed(workspace, task)
    else:
        result = ended["result"] if ended else "deleted"
        fail(workspace, task, f"The run {child['run_id']} of job {child['job_id']} ended as {result}.")


async def loop(
    workspace: Workspace, run: Run, task: Task, attempt_until_good: Callable[[Task], Awaitable[Task]]
) -> None:
    """A task run for each input, some at a time. All are tried; the loop fails when one of them did (unverified: that the others
    go on)."""
    settings = task["settings"]["for_each_task"]
    inputs = inputs_of(settings["inputs"], parameters.references(run, task, workspace.workspace_id, workspace.host))
    places = asyncio.Semaphore(settings["concurrency"])

    async def one(iteration: Task) -> Task:
        async with places:
            return await attempt_until_good(iteration)

    try:
        made = workspace.runs.iterations(run, task, inputs)
        async with asyncio.TaskGroup() as group:
            work = [group.create_task(one(iteration)) for iteration in made]
    except asyncio.CancelledError:
        for iteration in unfinished(run):
            if iteration.get("of") == task["run_id"]:
                workspace.runs.end(iteration, TERMINATED, "CANCELED", "USER_CANCELED", "SUCCESS", "Run cancelled.")
        raise
    ended = [done.result() for done in work]
    bad = [iteration for iteration in ended if iteration["result"] not in GOOD]
    if bad:
        fail(workspace, task, f"{len(bad)} of {len(ended)} iterations failed.")
    else:
        succeed(workspace, task)


def inputs_of(raw: str, known: Mapping[str, str]) -> list[Any]:
    """The elements to repeat a task for: a JSON array, or a reference to one. Raises CanNotRunError."""
    text = parameters.expand(raw, known)
    try:
        inputs = json.loads(text)
    except (ValueError, RecursionError):
        inputs = None
    if not isinstance(inputs, list):
        raise CanNotRunError("The inputs of the for_each_task are no JSON array.")
    if len(inputs) > MOST_INPUTS:
        raise CanNotRunError(f"The for_each_task has {len(inputs)} inputs; at most {MOST_INPUTS} are taken here.")
    return inputs


def statistics(run: Run, task: Task) -> dict[str, Any]:
    """ForEachStats of a loop's attempt; only the latest attempt of each iteration counts (SDK docstring)."""
    mine = [iteration for iteration in run.get("iterations", []) if iteration["of"] == task["run_id"]]
    ended = [iteration for iteration in mine if iteration["phase"] in ENDED]
    good = [iteration for iteration in ended if iteration["result"] in GOOD]
    messages = Counter(iteration["message"] for iteration in ended if iteration["result"] not in GOOD)
    shown: dict[str, Any] = {
        "task_run_stats": {
            "total_iterations": len(mine),
            "scheduled_iterations": len(mine),
            "active_iterations": sum(iteration["phase"] == RUNNING for iteration in mine),
            "completed_iterations": len(ended),
            "succeeded_iterations": len(good),
            "failed_iterations": len(ended) - len(good),
        }
    }
    if messages:
        shown["error_message_stats"] = [
            {"error_message": text, "count": count, "termination_category": "RUN_EXECUTION_ERROR"}
            for text, count in messages.most_common(3)
        ]
    return shown
