"""Runs as the API shows them: the older `state`, the newer `status`, and the fields of a run and its tasks.

Shapes: SDK `service/jobs.py` (Run, RunTask, RunState, RunStatus) and recorded runs.
"""

from __future__ import annotations

from typing import Any

from rehearsal.databricks import control_tasks, task_process
from rehearsal.databricks.runs import (
    BLOCKED,
    ENDED,
    PENDING,
    QUEUED,
    RUNNING,
    TERMINATED,
    TERMINATING,
    WAITING_FOR_RETRY,
    Run,
    Task,
    attempts,
)
from rehearsal.databricks.task_kinds import KINDS
from rehearsal.databricks.task_settings import LEGACY_TASK_FIELDS
from rehearsal.databricks.workspace import Workspace

STATUS = {
    BLOCKED: "BLOCKED",
    QUEUED: "QUEUED",
    PENDING: "PENDING",
    RUNNING: "RUNNING",
    TERMINATING: "TERMINATING",
    WAITING_FOR_RETRY: "WAITING",
}
MOST_LOGS = 5 * 1024 * 1024


def state(thing: Run | Task) -> dict[str, Any]:
    """RunState."""
    shown: dict[str, Any] = {"life_cycle_state": thing["phase"], "state_message": thing["message"]}
    if thing["result"]:
        shown["result_state"] = thing["result"]
    shown["user_cancelled_or_timedout"] = thing["result"] in ("CANCELED", "TIMEDOUT")
    if thing.get("queue_reason"):
        shown["queue_reason"] = thing["queue_reason"]
    return shown


def status(thing: Run | Task) -> dict[str, Any]:
    """RunStatus; whatever the older state says, an end is TERMINATED here."""
    if thing["phase"] not in ENDED:
        shown: dict[str, Any] = {"state": STATUS[thing["phase"]]}
        if thing.get("queue_reason"):
            shown["queue_details"] = {"code": "MAX_CONCURRENT_RUNS_REACHED", "message": thing["queue_reason"]}
        return shown
    details = {"code": thing["code"], "type": thing["kind"], "message": thing["message"]}
    return {"state": TERMINATED, "termination_details": details}


def page_url(workspace: Workspace, run: Run, run_id: int) -> str:
    job = run["job_id"] or run["run_id"]
    return f"https://{workspace.host}/?o={workspace.workspace_id}#job/{job}/run/{run_id}"


def run(workspace: Workspace, run: Run, version: str, *, tasks: bool) -> dict[str, Any]:
    """A whole run (jobs/runs/get), or an entry of a list when `tasks` is false."""
    settings = run["settings"]
    shown: dict[str, Any] = {
        "job_id": run["job_id"] or run["run_id"],
        "run_id": run["run_id"],
        "number_in_job": run["run_id"],
        "original_attempt_run_id": run["run_id"],
        "job_run_id": run["run_id"],
        "creator_user_name": run["creator"],
        "run_as_user_name": run["run_as"].partition(":")[2],
        "run_name": run["run_name"],
        "run_page_url": page_url(workspace, run, run["run_id"]),
        "run_type": run["run_type"],
        "trigger": run.get("trigger", "ONE_TIME"),
        "format": "SINGLE_TASK" if run["single"] and version == "2.0" else "MULTI_TASK",
        "state": state(run),
        "status": status(run),
        "start_time": run["start_time"],
        **durations(run),
    }
    if overriding := _overriding(run):
        shown["overriding_parameters"] = overriding
    if parameters := run["parameters"]["job"]:
        shown["job_parameters"] = parameters
    if version == "2.0" and run["single"]:
        only = run["tasks"][0]["settings"]
        shown["task"] = {kind: only[kind] for kind in KINDS if kind in only}
        shown["cluster_spec"] = {name: only[name] for name in ("new_cluster", "libraries") if name in only}
    elif tasks:
        # One entry for each attempt, of retries and repairs too (seen on a real workspace: apache/airflow, pull request 69998).
        shown["tasks"] = [task_of(workspace, run, task) for task in _in_order(run, 0)]
        if settings.get("job_clusters"):
            shown["job_clusters"] = settings["job_clusters"]
    return shown


def with_resolved_values(run: Run, shown: dict[str, Any]) -> dict[str, Any]:
    """The same with what the references in tasks stand for, of those that have started (SDK, RunTask.resolved_values)."""
    known = {task["run_id"]: task.get("resolved") for task in attempts(run)}
    for field in ("tasks", "iterations"):
        for entry in shown.get(field, []):
            if found := known.get(entry["run_id"]):
                entry["resolved_values"] = found
    return shown


def _overriding(run: Run) -> dict[str, Any]:
    given = run["parameters"]
    names = {"notebook": "notebook_params", "python": "python_params", "named": "python_named_params"}
    return {shown: given[name] for name, shown in names.items() if given.get(name)}


def _in_order(run: Run, of: int) -> list[Task]:
    """Every attempt of a run's tasks (of: 0), or of the iterations of one of its loops."""
    return sorted((task for task in attempts(run) if task.get("of", 0) == of), key=lambda task: int(task["attempt"]))


def task_of(workspace: Workspace, run: Run, task: Task) -> dict[str, Any]:
    """RunTask: the task's settings with its state."""
    settings = {
        name: value for name, value in task["settings"].items() if name in LEGACY_TASK_FIELDS or name == "run_if"
    }
    settings |= {name: task["settings"][name] for name in ("depends_on", "description") if name in task["settings"]}
    if "condition_task" in settings and task.get("outcome"):
        settings["condition_task"] = settings["condition_task"] | task["compared"] | {"outcome": task["outcome"]}
    if "for_each_task" in settings:
        settings["for_each_task"] = settings["for_each_task"] | {"stats": control_tasks.statistics(run, task)}
    return settings | {
        "run_id": task["run_id"],
        "task_key": task["task_key"],
        "attempt_number": task["attempt"],
        "run_page_url": page_url(workspace, run, task["run_id"]),
        "state": state(task),
        "status": status(task),
        "start_time": task["start_time"],
        **task_durations(task),
    }


def repair_history(run: Run) -> list[dict[str, Any]]:
    """The original run and its repairs, oldest first (SDK, RepairHistoryItem); `id` only of repairs."""
    now = run.get("repair") or {"id": 0, "start_time": run["start_time"]}
    return [_repair(run, item) for item in [*run.get("history", []), run | now]]


def _repair(run: Run, item: dict[str, Any]) -> dict[str, Any]:
    shown = {
        "type": "REPAIR" if item["id"] else "ORIGINAL",
        "start_time": item["start_time"],
        "state": state(item),
        "status": status(item),
        "task_run_ids": sorted(
            task["run_id"] for task in attempts(run) if task.get("repair", 0) == item["id"] and "of" not in task
        ),
    }
    if item["end_time"]:
        shown["end_time"] = item["end_time"]
    return {"id": item["id"], **shown} if item["id"] else shown


def durations(run: Run) -> dict[str, int]:
    """Milliseconds. A run with several tasks has only run_duration; one task has the parts as well (SDK docstrings)."""
    if run["single"]:
        return task_durations(run["tasks"][0])
    ended = (
        {"end_time": run["end_time"], "run_duration": run["end_time"] - run["start_time"]} if run["end_time"] else {}
    )
    return {"setup_duration": 0, "execution_duration": 0, "cleanup_duration": 0} | ended


def task_durations(task: Task) -> dict[str, int]:
    began = task["run_start"]
    shown = {"setup_duration": max(0, began - task["start_time"]) if began else 0, "execution_duration": 0}
    shown["cleanup_duration"] = 0
    if task["end_time"]:
        shown["end_time"] = task["end_time"]
        shown["execution_duration"] = task["end_time"] - began if began else 0
    return shown


def run_of_task(workspace: Workspace, run: Run, task: Task) -> dict[str, Any]:
    """One task as a run of its own: what its run id means to jobs/runs/get, and the metadata of its output."""
    shown: dict[str, Any] = {
        "job_id": run["job_id"] or run["run_id"],
        "job_run_id": run["run_id"],
        "number_in_job": run["run_id"],
        "creator_user_name": run["creator"],
        "run_as_user_name": run["run_as"].partition(":")[2],
        "run_name": run["run_name"],
        "run_type": run["run_type"],
        "trigger": run.get("trigger", "ONE_TIME"),
    }
    shown |= task_of(workspace, run, task)
    if "for_each_task" in task["settings"]:
        # "The parent for-each task is located in tasks array" (SDK docstring of Run.iterations).
        shown["tasks"] = [task_of(workspace, run, task)]
        shown["iterations"] = [task_of(workspace, run, one) for one in _in_order(run, task["run_id"])]
    return shown


def output(workspace: Workspace, run: Run, task: Task) -> dict[str, Any]:
    """jobs/runs/get-output of one task: the notebook's exit value only when it called exit, an error only when there is one."""
    shown: dict[str, Any] = {"metadata": run_of_task(workspace, run, task)}
    kept, settings = task["output"] or {}, task["settings"]
    if task["phase"] in ENDED and "notebook_task" in settings:
        shown["notebook_output"] = {"truncated": bool(kept.get("truncated"))}
        if kept.get("result") is not None:
            shown["notebook_output"]["result"] = kept["result"]
    elif "spark_python_task" in settings or "python_wheel_task" in settings:
        shown |= _logs(workspace, task)
    if "child_run_id" in task:
        shown["run_job_output"] = {"run_id": task["child_run_id"]}
    if task["result"] not in ("", "SUCCESS"):
        shown["error"] = kept.get("error") or task["message"]
        if kept.get("error_trace"):
            shown["error_trace"] = kept["error_trace"]
    return shown


def _logs(workspace: Workspace, task: Task) -> dict[str, Any]:
    """What a script or a wheel printed: the last 5 MB (SDK docstring of RunOutput.logs); nothing of notebooks."""
    path = task_process.folder_of(workspace, task["run_id"]) / "log.txt"
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - MOST_LOGS))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return {}
    return {"logs": text, "logs_truncated": size > MOST_LOGS}
