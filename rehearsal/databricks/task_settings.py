"""A task's settings: which fields there are, what is refused, what the server adds.

Fields: databricks-sdk-py `service/jobs.py` (Task, SubmitTask, 2.2); what each kind of task has is in `task_kinds`.
"""

from __future__ import annotations

import re
from typing import Any

from rehearsal.databricks.checks import number, typed, unique
from rehearsal.databricks.cluster_settings import check_cluster
from rehearsal.databricks.errors import invalid, malformed, not_simulated
from rehearsal.databricks.task_kinds import CONTROL_KINDS, KINDS, OTHER_KINDS, checked, kind_of

TASK_FIELDS = (
    frozenset(
        [
            "task_key",
            "description",
            "depends_on",
            "run_if",
            "existing_cluster_id",
            "new_cluster",
            "job_cluster_key",
            "environment_key",
            "libraries",
            "max_retries",
            "min_retry_interval_millis",
            "retry_on_timeout",
            "timeout_seconds",
            "health",
            "email_notifications",
            "webhook_notifications",
            "notification_settings",
            "disable_auto_optimization",
            "disabled",
            "compute",
        ]
    )
    | KINDS
)
# A single-task job of API 2.0 has its task's fields at the top, beside those that a job has too.
LEGACY_TASK_FIELDS = (TASK_FIELDS | OTHER_KINDS) - {
    "task_key",
    "depends_on",
    "run_if",
    "description",
    "timeout_seconds",
    "health",
    "email_notifications",
    "webhook_notifications",
    "notification_settings",
}
LEGACY_KEY = "main"
RUN_IF = ("ALL_SUCCESS", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED", "ALL_DONE", "AT_LEAST_ONE_FAILED", "ALL_FAILED")
# Kinds of libraries; the field that names it where it is not the value itself.
LIBRARIES = {
    "whl": "",
    "jar": "",
    "egg": "",
    "requirements": "",
    "pypi": "package",
    "maven": "coordinates",
    "cran": "package",
}
KEY = re.compile(r"[\w-]{1,100}", re.ASCII)
MOST_TASKS = 1000


def tasks(raw: list[Any], settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The tasks with what the server adds; raises ApiError when one can't be."""
    if len(raw) > MOST_TASKS:
        raise invalid(f"A job can have at most {MOST_TASKS} tasks")
    unique(raw, "task_key", "tasks")
    keys = {task["task_key"] for task in raw}
    clusters = {cluster["job_cluster_key"] for cluster in settings.get("job_clusters", [])}
    found = [_task(task, keys, clusters) for task in raw]
    _check_cycles(found)
    _check_outcomes(found)
    return found


def _task(raw: dict[str, Any], keys: set[str], clusters: set[str]) -> dict[str, Any]:
    key = raw.get("task_key")
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise invalid(f"Invalid task key: {key}")
    if others := sorted(OTHER_KINDS & raw.keys()):
        raise not_simulated(f"{others[0]} (task {key})")
    task = {name: value for name, value in raw.items() if name in TASK_FIELDS and value is not None}
    task.setdefault("run_if", "ALL_SUCCESS")
    task.setdefault("timeout_seconds", 0)
    task.setdefault("email_notifications", {})
    if task["run_if"] not in RUN_IF:
        raise malformed(f"Could not parse request object: run_if {task['run_if']}")
    for field, lowest in (("timeout_seconds", 0), ("max_retries", -1), ("min_retry_interval_millis", 0)):
        number(task, field, lowest, 2**31 - 1)
    _check_libraries(task)
    kind = kind_of(task)
    task[kind] = checked(kind, task.get(kind), key)
    if kind == "for_each_task":
        task[kind]["task"] = _nested(task[kind]["task"], key, clusters)
    _check_compute(task, clusters)
    _check_dependencies(task, keys)
    return task


def _check_libraries(task: dict[str, Any]) -> None:
    """Kinds: SDK, `service/compute.py` (Library). Texts unverified."""
    typed(task, "libraries", list)
    for library in task.get("libraries", []):
        if not isinstance(library, dict):
            raise malformed("Could not parse request object: libraries must be a list of objects")
        kinds = [kind for kind in LIBRARIES if library.get(kind) is not None]
        if len(kinds) != 1:
            raise invalid(f"A library of task {task['task_key']} must be exactly one of {', '.join(LIBRARIES)}")
        value, field = library[kinds[0]], LIBRARIES[kinds[0]]
        named = (value.get(field) if isinstance(value, dict) else None) if field else value
        if not isinstance(named, str) or not named:
            raise invalid(f"Missing required field: libraries.{kinds[0]}{'.' + field if field else ''}")


def _nested(raw: Any, parent: str, clusters: set[str]) -> dict[str, Any]:
    """The task that a for_each_task repeats: one of any kind but its own (docs, "Use a For each task")."""
    if not isinstance(raw, dict):
        raise invalid(f"Missing required field: settings.task.for_each_task.task (task {parent})")
    if raw.get("for_each_task"):
        raise invalid(f"The for_each_task of task {parent} can not have another one in it.")  # text unverified
    if raw.get("condition_task"):
        raise not_simulated(f"condition_task in a for_each_task (task {parent})")
    return _task(raw, set(), clusters)


def _check_compute(task: dict[str, Any], clusters: set[str]) -> None:
    key = task["task_key"]
    if kind_of(task) in CONTROL_KINDS:
        return  # needs no compute
    given = [f for f in ("job_cluster_key", "new_cluster", "existing_cluster_id", "environment_key") if task.get(f)]
    if "existing_cluster_id" in given:
        raise not_simulated(f"all-purpose clusters (existing_cluster_id of task {key}); use a job cluster")
    if not given or "environment_key" in given:
        raise not_simulated(f"serverless compute (task {key}); use a job cluster")
    if len(given) > 1:
        raise invalid(f"Task {key} must have exactly one of {', '.join(given)}")
    if "new_cluster" in given:
        task["new_cluster"] = check_cluster(task["new_cluster"])
    elif task["job_cluster_key"] not in clusters:
        raise invalid(f"Job cluster '{task['job_cluster_key']}' is not defined in field 'job_clusters'.")


def _check_dependencies(task: dict[str, Any], keys: set[str]) -> None:
    """Texts unverified; that the service refuses both is documented."""
    dependencies = task.get("depends_on", [])
    if not isinstance(dependencies, list) or not all(isinstance(d, dict) and d.get("task_key") for d in dependencies):
        raise malformed("Could not parse request object: depends_on must be a list of task keys")
    for dependency in dependencies:
        if dependency["task_key"] not in keys:
            raise invalid(f"Task {task['task_key']} depends on the task {dependency['task_key']}, which does not exist")
    if dependencies:
        task["depends_on"] = sorted(dependencies, key=lambda dependency: str(dependency["task_key"]))
    else:
        task.pop("depends_on", None)


def _check_cycles(found: list[dict[str, Any]]) -> None:
    waiting = {task["task_key"]: {d["task_key"] for d in task.get("depends_on", [])} for task in found}
    while ready := [key for key, needs in waiting.items() if not needs]:
        for key in ready:
            del waiting[key]
        for needs in waiting.values():
            needs.difference_update(ready)
    if waiting:
        raise invalid(f"The tasks depend on each other in a circle: {', '.join(sorted(waiting))}")


def _check_outcomes(found: list[dict[str, Any]]) -> None:
    """`outcome` names a branch of a condition (SDK docstring of TaskDependency); texts unverified."""
    conditions = {task["task_key"] for task in found if kind_of(task) == "condition_task"}
    for task in found:
        for dependency in task.get("depends_on", []):
            outcome = dependency.get("outcome")
            if outcome is None:
                continue
            if outcome not in ("true", "false"):
                raise invalid(f"The outcome that task {task['task_key']} depends on must be true or false")
            if dependency["task_key"] not in conditions:
                raise invalid(f"Task {dependency['task_key']} has no outcome: it is no condition_task")
