"""How tasks' ends add up: whether a task runs after its dependencies, and the end of a run with several tasks. Pure.

Sources: SDK docstrings of RunIf, RunResultState and TerminationCodeCode; a failed task's legacy state is recorded in
databricks/cli acceptance tests (`bundle/resources/job_runs/failed_run`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rehearsal.databricks.runs import INTERNAL_ERROR, TERMINATED, Run, Task

WORKLOAD_FAILED = "Workload failed, see run output for details"
GOOD = ("SUCCESS", "EXCLUDED", "DISABLED")
FAILED = ("FAILED", "TIMEDOUT", "UPSTREAM_FAILED")
CANCELED = ("CANCELED", "UPSTREAM_CANCELED")


@dataclass(frozen=True)
class End:
    """phase, result, termination code and type, message."""

    phase: str
    result: str
    code: str
    kind: str
    message: str


def seen_by(task: Task, by_key: Mapping[str, Task]) -> list[str]:
    """The results of the tasks that a task depends on; a condition that came out the other way is as good as excluded."""
    results = []
    for dependency in task["settings"].get("depends_on", []):
        other = by_key[dependency["task_key"]]
        wanted = dependency.get("outcome")
        other_way = wanted is not None and other["result"] == "SUCCESS" and other.get("outcome") != wanted
        results.append("EXCLUDED" if other_way else other["result"])
    return results


def verdict(run_if: str, results: Sequence[str]) -> End | None:
    """The end of a task that does not run because of its dependencies' results, or None when it runs.

    That the life cycle of such a task is TERMINATED is unverified.
    """
    good = [result for result in results if result == "SUCCESS"]
    bad = [result for result in results if result not in GOOD]
    failed = [result for result in results if result in FAILED]
    excluded = [result for result in results if result in ("EXCLUDED", "DISABLED")]
    if results and len(excluded) == len(results):
        # "If all of its dependencies are excluded, it is excluded too, whatever its run_if" (docs, task dependencies).
        return End(TERMINATED, "EXCLUDED", "SKIPPED", "SUCCESS", "All tasks that it depends on were excluded.")
    if not results or run_if == "ALL_DONE":
        return None
    satisfied = {
        "ALL_SUCCESS": not bad and not excluded,
        "AT_LEAST_ONE_SUCCESS": bool(good),
        "NONE_FAILED": not bad and bool(good),
        "AT_LEAST_ONE_FAILED": bool(failed),
        "ALL_FAILED": len(failed) == len(results),
    }[run_if]
    if satisfied:
        return None
    if run_if in ("AT_LEAST_ONE_FAILED", "ALL_FAILED") or not bad:
        return End(TERMINATED, "EXCLUDED", "SKIPPED", "SUCCESS", "The condition of run_if was not met.")
    if failed:
        return End(TERMINATED, "UPSTREAM_FAILED", "SKIPPED", "CLIENT_ERROR", "An upstream task failed.")
    return End(TERMINATED, "UPSTREAM_CANCELED", "SKIPPED", "CLIENT_ERROR", "An upstream task was canceled.")


def end_of_run(run: Run) -> End:
    """A run's end from those of its tasks: the leaves decide, failures further up only colour a success."""
    tasks = run["tasks"]
    if run["single"]:
        only = tasks[0]
        return End(only["phase"], only["result"], only["code"], only["kind"], only["message"])
    needed = {dependency["task_key"] for task in tasks for dependency in task["settings"].get("depends_on", [])}
    leaves = [task for task in tasks if task["task_key"] not in needed]
    bad = [task for task in tasks if task["result"] not in GOOD]
    if not bad:
        return End(TERMINATED, "SUCCESS", "SUCCESS", "SUCCESS", "")
    if all(leaf["result"] in GOOD for leaf in leaves):
        return End(TERMINATED, "SUCCESS_WITH_FAILURES", "SUCCESS_WITH_FAILURES", "SUCCESS", "")
    first = next((task for task in bad if task["result"] in ("FAILED", "TIMEDOUT")), bad[0])
    if first["result"] == "TIMEDOUT":
        return End(TERMINATED, "TIMEDOUT", first["code"], first["kind"], first["message"])
    message = f"Task {first['task_key']} failed with message: {first['message'].removesuffix('.')}."
    return End(INTERNAL_ERROR, "FAILED", first["code"], first["kind"], message)
