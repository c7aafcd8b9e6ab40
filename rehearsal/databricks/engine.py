"""Carrying runs out: tasks in the order of their dependencies, notebooks as processes, retries, timeouts, cancellation, queues.

A stand-in for clusters, so without their start-up: a task waits (PENDING) until one of a few places for processes is free.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.databricks import notebook_process, parameters, paths, preflight
from rehearsal.databricks.members import Member
from rehearsal.databricks.outcomes import WORKLOAD_FAILED, end_of_run, verdict
from rehearsal.databricks.runs import (
    ENDED,
    INTERNAL_ERROR,
    PENDING,
    QUEUED,
    RUNNING,
    TERMINATED,
    TERMINATING,
    WAITING_FOR_RETRY,
    Run,
    Task,
    tasks_by_key,
)
from rehearsal.databricks.workspace import Workspace

MOST_PROCESSES = 2
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What notebooks run with. `command` is what a specification is sent to."""

    command: list[str]
    environment: Callable[[], Mapping[str, str]]
    datasets: Path
    wheelhouse: Path | None


class Engine:
    """Carries out the runs of all workspaces."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._places = asyncio.Semaphore(MOST_PROCESSES)
        self._work: dict[tuple[str, int], asyncio.Task[None]] = {}
        self.closed = False
        # Told when a run is over.
        self.ended: Callable[[Workspace], None] = lambda _: None
        # Runs that somebody asked to cancel. Not in the run itself: the work may write its own view of the run once more.
        self._cancelling: set[tuple[str, int]] = set()

    def start(self, workspace: Workspace, run: Run) -> None:
        """Carry a kept run out from now on. Must be called on the event loop."""
        work = asyncio.get_running_loop().create_task(self._carry_out(workspace, run["run_id"]))
        key = (workspace.host, run["run_id"])
        self._work[key] = work
        work.add_done_callback(lambda done: self._done(workspace, run["run_id"], done))

    async def close(self) -> None:
        """Kill every process; the runs stay as they are, and are lost at the next start."""
        self.closed = True
        work = list(self._work.values())
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)

    def cancel(self, workspace: Workspace, run: Run) -> None:
        """Ask for the end of a run: it is TERMINATING at once and CANCELED soon; nothing happens to one that has ended."""
        if run["phase"] in ENDED:
            return
        key = (workspace.host, run["run_id"])
        work = self._work.get(key)
        if run["phase"] == QUEUED or work is None:
            self._finish_cancelled(workspace, run)
            return
        self._cancelling.add(key)
        run["phase"] = TERMINATING
        workspace.runs.keep(run)
        work.cancel()

    async def _carry_out(self, workspace: Workspace, run_id: int) -> None:
        run = workspace.runs.get(run_id)
        if run is None:
            return
        run["phase"] = RUNNING
        workspace.runs.keep(run)
        timeout = run["settings"].get("timeout_seconds") or None
        try:
            async with asyncio.timeout(timeout):
                await self._all_tasks(workspace, run)
        except TimeoutError:
            message = f"Run timed out after {timeout} seconds."  # text unverified
            for task in run["tasks"]:
                if task["phase"] not in ENDED:
                    workspace.runs.end(task, TERMINATED, "TIMEDOUT", "RUN_EXECUTION_ERROR", "CLIENT_ERROR", message)
            workspace.runs.end(run, TERMINATED, "TIMEDOUT", "RUN_EXECUTION_ERROR", "CLIENT_ERROR", message)
        else:
            end = end_of_run(run)
            workspace.runs.end(run, end.phase, end.result, end.code, end.kind, end.message)
        workspace.runs.keep(run)

    async def _all_tasks(self, workspace: Workspace, run: Run) -> None:
        ended = {task["task_key"]: asyncio.Event() for task in run["tasks"]}
        over = {task["task_key"] for task in run["tasks"] if task["phase"] in ENDED}  # what a repair leaves as it is

        async def one(key: str) -> None:
            if key not in over:
                for dependency in tasks_by_key(run["tasks"])[key]["settings"].get("depends_on", []):
                    await ended[dependency["task_key"]].wait()
                await self._task(workspace, run, key)
            ended[key].set()

        async with asyncio.TaskGroup() as group:
            for key in ended:
                group.create_task(one(key))

    async def _task(self, workspace: Workspace, run: Run, key: str) -> None:
        """Every attempt of one task whose dependencies have ended."""
        by_key = tasks_by_key(run["tasks"])
        task = by_key[key]
        dependencies = [by_key[d["task_key"]]["result"] for d in task["settings"].get("depends_on", [])]
        left_out = verdict(task["settings"]["run_if"], dependencies)
        if left_out:
            workspace.runs.end(task, left_out.phase, left_out.result, left_out.code, left_out.kind, left_out.message)
            workspace.runs.keep(run)
            return
        while True:
            await self._attempt(workspace, run, task)
            if not _again(task):
                return
            wait = task["settings"].get("min_retry_interval_millis", 0) / 1000
            task = workspace.runs.next_attempt(run, task)
            task["phase"] = WAITING_FOR_RETRY
            workspace.runs.keep(run)
            await asyncio.sleep(wait)

    async def _attempt(self, workspace: Workspace, run: Run, task: Task) -> None:
        task["phase"] = PENDING
        workspace.runs.keep(run)
        # The run of a continuous job would keep its place for ever, and others would never get one.
        async with nullcontext() if run.get("trigger") == "CONTINUOUS" else self._places:
            identity = workspace.members.by_key(run["run_as"])
            problem = preflight.problem(workspace, identity, task["settings"])
            if problem or identity is None:
                code, message = problem or ("UNAUTHORIZED_ERROR", f"{run['run_as']} is not in the workspace.")
                workspace.runs.end(task, INTERNAL_ERROR, "FAILED", code, "CLIENT_ERROR", message)
            else:
                await self._notebook(workspace, run, task, identity)
            workspace.runs.keep(run)

    async def _notebook(self, workspace: Workspace, run: Run, task: Task, identity: Member) -> None:
        scratch = workspace.folder / "runs" / str(task["run_id"])
        scratch.mkdir(parents=True, exist_ok=True)
        task |= {"phase": RUNNING, "run_start": workspace.runs.now()}
        workspace.runs.keep(run)
        specification = self._specification(workspace, run, task, identity, scratch)
        timeout = task["settings"]["timeout_seconds"] or None
        try:
            async with asyncio.timeout(timeout):
                environment = self._tools.environment()
                ended = await notebook_process.run(self._tools.command, specification, scratch, environment)
        except TimeoutError:
            message = f"Task timed out after {timeout} seconds."  # text unverified
            workspace.runs.end(task, TERMINATED, "TIMEDOUT", "RUN_EXECUTION_ERROR", "CLIENT_ERROR", message)
            return
        _take_over(workspace, task, ended)

    def _specification(
        self, workspace: Workspace, run: Run, task: Task, identity: Member, scratch: Path
    ) -> dict[str, Any]:
        path = paths.key_of(paths.collapse(task["settings"]["notebook_task"]["notebook_path"]))
        wheelhouse = self._tools.wheelhouse
        return {
            "run_id": task["run_id"],
            "job_id": run["job_id"],
            "task_key": task["task_key"],
            "workspace_host": workspace.host,
            "workspace_id": workspace.workspace_id,
            "notebook_path": paths.PREFIX + path,
            "parameters": parameters.for_task(run, task, workspace.workspace_id, workspace.host),
            "workspace": str(workspace.folder / "workspace"),
            "dbfs": str(workspace.folder / "dbfs"),
            "volumes": str(workspace.folder / "volumes"),
            "datasets": str(self._tools.datasets),
            "libraries": task["settings"].get("libraries", []),
            "wheelhouse": str(wheelhouse) if wheelhouse else None,
            "secrets": workspace.secrets.readable_by(identity),
            "task_values": {other["task_key"]: other["values"] for other in run["tasks"] if other["values"]},
            "job_parameters": {p["name"]: p["value"] for p in run["parameters"]["job"]},
            "scratch": str(scratch),
        }

    # -- ends ------------------------------------------------------------------------------------------------------

    def _done(self, workspace: Workspace, run_id: int, work: asyncio.Task[None]) -> None:
        """The work is over: by itself, by a caller's cancel, or because the rehearsal ends (then the run is left to be lost)."""
        key = (workspace.host, run_id)
        self._work.pop(key, None)
        asked = key in self._cancelling
        self._cancelling.discard(key)
        run = workspace.runs.get(run_id)
        if run is None or (work.cancelled() and not asked):
            return
        if asked and run["phase"] not in ENDED:
            self._finish_cancelled(workspace, run)
        elif not work.cancelled() and (error := work.exception()):
            log.error("run %s of %s broke off", run_id, workspace.host, exc_info=error)
            message = f"The rehearsal's own engine failed ({_reason(error)})."
            for thing in [*(task for task in run["tasks"] if task["phase"] not in ENDED), run]:
                workspace.runs.end(thing, INTERNAL_ERROR, "FAILED", "INTERNAL_ERROR", "INTERNAL_ERROR", message)
            workspace.runs.keep(run)
        self._start_queued(workspace, run["job_id"])
        self.ended(workspace)

    def _finish_cancelled(self, workspace: Workspace, run: Run) -> None:
        for task in run["tasks"]:
            if task["phase"] not in ENDED:
                workspace.runs.end(task, TERMINATED, "CANCELED", "USER_CANCELED", "SUCCESS", "Run cancelled.")
        workspace.runs.end(run, TERMINATED, "CANCELED", "USER_CANCELED", "SUCCESS", "Run cancelled.")
        workspace.runs.keep(run)

    def _start_queued(self, workspace: Workspace, job_id: int) -> None:
        """A place of the job is free: start the run that has waited longest."""
        if not job_id:
            return
        active = workspace.runs.active(job_id)
        waiting = [run for run in active if run["phase"] == QUEUED]
        if waiting and len(active) - len(waiting) < waiting[0]["settings"]["max_concurrent_runs"]:
            run = waiting[0] | {"phase": PENDING, "queue_reason": ""}
            workspace.runs.keep(run)
            self.start(workspace, run)


def _take_over(workspace: Workspace, task: Task, ended: notebook_process.Ended) -> None:
    """What the process left becomes the task's end and output."""
    if ended.result is None:
        message = f"The notebook's process ended with exit code {ended.exit_code} and left no result."
        task["output"] = {"error": message, "error_trace": ended.last_words}
        workspace.runs.end(task, INTERNAL_ERROR, "FAILED", "DRIVER_ERROR", "INTERNAL_ERROR", message)
        return
    result = ended.result
    task["output"] = {name: result.get(name) for name in ("result", "truncated", "error", "error_trace")}
    task["values"] = result.get("task_values") or {}
    if result["state"] == "SUCCESS":
        workspace.runs.end(task, TERMINATED, "SUCCESS", "SUCCESS", "SUCCESS", "")
    else:
        workspace.runs.end(task, TERMINATED, "FAILED", "RUN_EXECUTION_ERROR", "CLIENT_ERROR", WORKLOAD_FAILED)


def _reason(error: BaseException) -> str:
    """The first error of a group of tasks; its kind alone when it says nothing."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _again(task: Task) -> bool:
    """Whether a failed attempt is followed by another: max_retries (-1: for ever), after a timeout only when asked for."""
    most = task["settings"].get("max_retries", 0)
    if task["result"] == "SUCCESS" or (most >= 0 and task["attempt"] - task.get("first_attempt", 0) >= most):
        return False
    return task["result"] != "TIMEDOUT" or bool(task["settings"].get("retry_on_timeout"))
