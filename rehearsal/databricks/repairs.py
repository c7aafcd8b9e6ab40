"""Repairs: tasks of a run that has ended, run once more as part of it (`/api/2.x/jobs/runs/repair`).

Rules: Jobs API docs and SDK docstrings of RepairRun. A repair uses the settings that the job and its tasks have *now*.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.databricks import launches, parameters
from rehearsal.databricks.engine import Engine
from rehearsal.databricks.errors import ApiError, invalid, malformed, not_simulated
from rehearsal.databricks.members import Member
from rehearsal.databricks.outcomes import GOOD
from rehearsal.databricks.runs import ENDED, Run
from rehearsal.databricks.workspace import Workspace


def repair(workspace: Workspace, engine: Engine, member: Member, run: Run, values: Mapping[str, Any]) -> int:
    """Start a repair; returns its id. The texts of refusals are unverified, but for that of duplicate keys."""
    if not run["job_id"]:
        # A repair uses "the current job and task settings"; what that is without a job, no source says.
        raise not_simulated("repairs of runs that belong to no job")
    job = workspace.jobs.get(member, run["job_id"], "CAN_MANAGE_RUN")
    if run["phase"] not in ENDED:
        raise ApiError(400, "INVALID_STATE", f"Run {run['run_id']} is in progress and can not be repaired.")
    settings = job["settings"]
    if settings.get("continuous") or run.get("trigger") == "CONTINUOUS":
        raise not_simulated("repairs of continuous jobs' runs")
    launches.refuse_other_parameters(values, "repair", "pipeline_params")
    _check_latest(run, values.get("latest_repair_id"))
    current = {task["task_key"]: task for task in settings.get("tasks", [])}
    keys = _wanted(run, values, current)
    handed = parameters.given(values)
    given = parameters.text_map(values.get("job_parameters"), "job_parameters")
    # What the run was given stays unless the repair says otherwise (unverified).
    kept = {p["name"]: p["value"] for p in run["parameters"]["job"] if p["value"] != p["default"]}
    kept = {name: value for name, value in kept.items() if name in {p["name"] for p in settings.get("parameters", [])}}
    merged = parameters.job_parameters(settings, kept | given)
    repair_id = workspace.runs.again(
        run,
        [task for key, task in current.items() if key in keys],
        settings,
        {**run["parameters"], **{name: value for name, value in handed.items() if value}, "job": merged},
    )
    engine.start(workspace, run)
    return repair_id


def _check_latest(run: Run, raw: object) -> None:
    """Needed from the second repair on: it shows that the caller knows of those before."""
    latest = (run.get("repair") or {}).get("id", 0)
    given = int(raw) if isinstance(raw, int | str) and str(raw).isdigit() else 0
    if given != latest:
        said = f"is {latest}, not {given}" if given else f"{latest} must be given"
        raise invalid(f"latest_repair_id of run {run['run_id']} {said}")


def _wanted(run: Run, values: Mapping[str, Any], current: Mapping[str, Any]) -> set[str]:
    asked, every_failed = values.get("rerun_tasks") or [], bool(values.get("rerun_all_failed_tasks"))
    if not isinstance(asked, list) or not all(isinstance(key, str) for key in asked):
        raise malformed("Could not parse request object: rerun_tasks must be a list of task keys")
    if bool(asked) == every_failed:
        raise invalid("Exactly one of rerun_tasks and rerun_all_failed_tasks must be given")
    if len(set(asked)) != len(asked):
        # Seen on a real workspace: apache/airflow, pull request 69998.
        raise invalid("rerun_tasks cannot contain duplicate task keys.")
    ran = {task["task_key"]: task for task in run["tasks"]}
    keys = set(asked) or {key for key, task in ran.items() if task["result"] not in GOOD}
    if not keys:
        raise invalid(f"Run {run['run_id']} has no failed tasks to repair.")
    if values.get("rerun_dependent_tasks"):
        keys = _with_dependents(keys, run)
    for key in sorted(keys):
        if key not in ran or key not in current:
            raise invalid(f"Task {key} is not a task of {'the job any more' if key in ran else 'the run'}.")
    return keys


def _with_dependents(keys: set[str], run: Run) -> set[str]:
    """The tasks, and all that depend on them, directly or through others."""
    found = set(keys)
    while True:
        more = {
            task["task_key"]
            for task in run["tasks"]
            if any(needed["task_key"] in found for needed in task["settings"].get("depends_on", []))
        }
        if more <= found:
            return found
        found |= more
