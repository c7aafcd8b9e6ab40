"""Runs as the API shows them: the older `state`, the newer `status`, and the fields of a run and its tasks.

Shapes: SDK `service/jobs.py` (Run, RunTask, RunState, RunStatus) and recorded runs.
"""

from __future__ import annotations

from typing import Any

from rehearsal.databricks.job_settings import LEGACY_TASK_FIELDS
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
)
from rehearsal.databricks.workspace import Workspace

STATUS = {
    BLOCKED: "BLOCKED",
    QUEUED: "QUEUED",
    PENDING: "PENDING",
    RUNNING: "RUNNING",
    TERMINATING: "TERMINATING",
    WAITING_FOR_RETRY: "WAITING",
}


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
    if parameters := run["parameters"]["notebook"]:
        shown["overriding_parameters"] = {"notebook_params": parameters}
    if parameters := run["parameters"]["job"]:
        shown["job_parameters"] = parameters
    if version == "2.0" and run["single"]:
        only = run["tasks"][0]["settings"]
        shown["task"] = {"notebook_task": only["notebook_task"]}
        shown["cluster_spec"] = {name: only[name] for name in ("new_cluster", "libraries") if name in only}
    elif tasks:
        # One entry for each attempt, of retries and repairs too (seen on a real workspace: apache/airflow, pull request 69998).
        attempts = sorted([*run["earlier"], *run["tasks"]], key=lambda task: task["attempt"])
        shown["tasks"] = [task_of(workspace, run, task) for task in attempts]
        if settings.get("job_clusters"):
            shown["job_clusters"] = settings["job_clusters"]
    return shown


def task_of(workspace: Workspace, run: Run, task: Task) -> dict[str, Any]:
    """RunTask: the task's settings with its state."""
    settings = {
        name: value for name, value in task["settings"].items() if name in LEGACY_TASK_FIELDS or name == "run_if"
    }
    settings |= {name: task["settings"][name] for name in ("depends_on", "description") if name in task["settings"]}
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
    attempts = [*run["earlier"], *run["tasks"]]
    shown = {
        "type": "REPAIR" if item["id"] else "ORIGINAL",
        "start_time": item["start_time"],
        "state": state(item),
        "status": status(item),
        "task_run_ids": sorted(task["run_id"] for task in attempts if task.get("repair", 0) == item["id"]),
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
    return shown | task_of(workspace, run, task)


def output(workspace: Workspace, run: Run, task: Task) -> dict[str, Any]:
    """jobs/runs/get-output of one task: the notebook's exit value only when it called exit, an error only when there is one."""
    shown: dict[str, Any] = {"metadata": run_of_task(workspace, run, task)}
    kept = task["output"] or {}
    if task["phase"] in ENDED:
        shown["notebook_output"] = {"truncated": bool(kept.get("truncated"))}
        if kept.get("result") is not None:
            shown["notebook_output"]["result"] = kept["result"]
    if task["result"] not in ("", "SUCCESS"):
        shown["error"] = kept.get("error") or task["message"]
        if kept.get("error_trace"):
            shown["error_trace"] = kept["error_trace"]
    return shown
