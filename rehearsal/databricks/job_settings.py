"""A job's settings: which fields there are, what is refused, what the server adds.

Fields: databricks-sdk-py `service/jobs.py` (JobSettings, Task, 2.2). Defaults: databricks/cli `libs/testserver/jobs.go` and its
acceptance tests. A field that the service does not know is dropped without a word (protobuf JSON; unverified).
"""

from __future__ import annotations

import re
import zoneinfo
from typing import Any

from rehearsal.databricks.errors import invalid, malformed, not_simulated

Settings = dict[str, Any]

JOB_FIELDS = frozenset(
    [
        "name",
        "description",
        "tags",
        "tasks",
        "job_clusters",
        "environments",
        "parameters",
        "schedule",
        "continuous",
        "trigger",
        "email_notifications",
        "webhook_notifications",
        "notification_settings",
        "timeout_seconds",
        "max_concurrent_runs",
        "queue",
        "run_as",
        "edit_mode",
        "deployment",
        "git_source",
        "health",
        "budget_policy_id",
        "usage_policy_id",
        "performance_target",
        "format",
    ]
)
TASK_FIELDS = frozenset(
    [
        "task_key",
        "description",
        "depends_on",
        "run_if",
        "notebook_task",
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
# Task kinds that the real service has; only notebook_task runs here.
OTHER_KINDS = frozenset(
    [
        "spark_python_task",
        "python_wheel_task",
        "spark_jar_task",
        "spark_submit_task",
        "sql_task",
        "dbt_task",
        "pipeline_task",
        "run_job_task",
        "condition_task",
        "for_each_task",
        "dashboard_task",
        "clean_rooms_notebook_task",
        "power_bi_task",
        "gen_ai_compute_task",
        "alert_task",
    ]
)
# A single-task job of API 2.0 has its task's fields at the top.
LEGACY_TASK_FIELDS = (TASK_FIELDS | OTHER_KINDS) - JOB_FIELDS - {"task_key", "depends_on", "run_if"}
LEGACY_KEY = "main"
RUN_IF = ("ALL_SUCCESS", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED", "ALL_DONE", "AT_LEAST_ONE_FAILED", "ALL_FAILED")
KEY = re.compile(r"[\w-]{1,100}", re.ASCII)
MOST_TASKS = 1000
MOST_TAGS = 25  # job tags become cluster tags (SDK docstring)


def complete(raw: Settings, version: str) -> Settings:
    """The settings as the service keeps them: checked, unknown fields dropped, defaults added.

    A job in the shape of API 2.0 (one task, at the top) is kept with one task and `format: SINGLE_TASK`.
    Raises ApiError 400 for what the service refuses, 501 for what this stand-in does not run.
    """
    legacy = "tasks" not in raw and any(field in raw for field in LEGACY_TASK_FIELDS)
    settings = {name: value for name, value in raw.items() if name in JOB_FIELDS and value is not None}
    if legacy:
        task = {name: value for name, value in raw.items() if name in LEGACY_TASK_FIELDS}
        settings["tasks"] = [{"task_key": LEGACY_KEY} | task]
    settings.setdefault("name", "Untitled")
    settings.setdefault("email_notifications", {})
    settings.setdefault("webhook_notifications", {})
    settings.setdefault("timeout_seconds", 0)
    settings.setdefault("max_concurrent_runs", 1)
    settings["format"] = "SINGLE_TASK" if legacy else "MULTI_TASK"
    if version == "2.2":
        # "Jobs created by 2.2 have queue enabled by default" (docs, jobs-api-2-2-updates).
        settings.setdefault("queue", {"enabled": True})
    _check_job(settings)
    settings["tasks"] = tasks(settings.get("tasks", []), settings)
    if not settings["tasks"]:
        del settings["tasks"]
    return settings


def _check_job(settings: Settings) -> None:
    _typed(settings, "name", str)
    _typed(settings, "tags", dict)
    _number(settings, "timeout_seconds", 0, 2**31 - 1)
    _number(settings, "max_concurrent_runs", 0, 1000)
    for field in ("tasks", "job_clusters", "environments", "parameters"):
        _typed(settings, field, list)
        if not all(isinstance(entry, dict) for entry in settings.get(field, [])):
            raise malformed(f"Could not parse request object: {field} must be a list of objects")
    for field in ("schedule", "queue", "run_as", "continuous", "trigger", "git_source"):
        _typed(settings, field, dict)
    tags = settings.get("tags", {})
    if len(tags) > MOST_TAGS or not all(isinstance(value, str) for value in tags.values()):
        raise invalid(f"A job can have at most {MOST_TAGS} tags, and their values are strings")
    if "git_source" in settings:
        raise not_simulated("jobs with git_source")
    if "trigger" in settings:
        raise not_simulated("jobs with a trigger")
    _check_schedule(settings.get("schedule"))
    _check_continuous(settings)
    _unique(settings.get("parameters", []), "name", "parameters")
    _unique(settings.get("environments", []), "environment_key", "environments")
    _unique(settings.get("job_clusters", []), "job_cluster_key", "job_clusters")
    for cluster in settings.get("job_clusters", []):
        cluster["new_cluster"] = check_cluster(cluster.get("new_cluster"))
    if settings.get("job_clusters") and settings["format"] == "SINGLE_TASK":
        raise invalid("Shared job cluster feature is only supported in multi-task jobs.")


def _check_schedule(schedule: Any) -> None:
    if schedule is None:
        return
    for field in ("quartz_cron_expression", "timezone_id"):
        if not isinstance(schedule.get(field), str):
            raise invalid(f"Missing required field: settings.schedule.{field}")
    if len(schedule["quartz_cron_expression"].split()) not in (6, 7):
        raise invalid(f"Invalid quartz cron expression: {schedule['quartz_cron_expression']}")  # text unverified
    try:
        zoneinfo.ZoneInfo(schedule["timezone_id"])
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise invalid(f"Invalid timezone: {schedule['timezone_id']}") from None  # text unverified
    _check_pause(schedule)


def _check_pause(starter: dict[str, Any]) -> None:
    status = starter.setdefault("pause_status", "UNPAUSED")
    if status not in ("PAUSED", "UNPAUSED"):
        raise malformed(f"Could not parse request object: pause_status {status}")


def _check_continuous(settings: Settings) -> None:
    """Rules: docs, "Run jobs continuously" and the SDK's docstring of `continuous`; the texts, and that the service refuses what
    the docs say can't be used, are unverified."""
    continuous = settings.get("continuous")
    if continuous is None:
        return
    if "schedule" in settings:
        raise invalid("Only one of schedule and continuous can be used.")
    if settings["max_concurrent_runs"] != 1:
        raise invalid("max_concurrent_runs must be 1 for a continuous job.")
    _check_pause(continuous)
    mode = continuous.get("task_retry_mode", "NEVER")
    if mode not in ("NEVER", "ON_FAILURE"):
        raise malformed(f"Could not parse request object: task_retry_mode {mode}")
    if mode == "ON_FAILURE":
        raise not_simulated("continuous jobs with task_retry_mode ON_FAILURE")
    for task in settings.get("tasks", []):
        for field, what in (("depends_on", "Task dependencies"), ("max_retries", "Retry policies")):
            if task.get(field):
                raise invalid(f"{what} can not be used in a continuous job (task {task.get('task_key')}).")


def check_cluster(cluster: Any) -> dict[str, Any]:
    """A new_cluster with the server's additions. Checks its shape, not whether Azure has such a runtime or node type."""
    if not isinstance(cluster, dict):
        raise invalid("Missing required field: new_cluster")
    prefix = "Cluster validation error: Missing required field: settings.cluster_spec.new_cluster"
    version = cluster.get("spark_version")
    if not isinstance(version, str) or not version:
        raise invalid(f"{prefix}.spark_version")
    # Keys look like 16.4.x-scala2.12, 15.4.x-cpu-ml-scala2.12, or custom:… (clusters/spark-versions).
    if not re.fullmatch(r"\d+\.(\d+|x)(\.x)?(-[\w-]+)*-scala2\.1[23](\.\w+)?|custom:.+|\d+\.\d+\.x", version):
        raise invalid(f"Invalid spark version {version}.")
    if not any(
        cluster.get(field) for field in ("node_type_id", "instance_pool_id", "policy_id", "node_type_flexibility")
    ):
        raise invalid(f"{prefix}.node_type_id")
    node_type = cluster.get("node_type_id")
    if node_type and not re.fullmatch(r"Standard_\w+", str(node_type)):
        # The real sentence goes on with the node types of the region (same table).
        raise invalid(f"Node type {node_type} is not supported.")
    if not any(cluster.get(field) is not None for field in ("num_workers", "autoscale", "policy_id", "is_single_node")):
        raise invalid(f"{prefix}.size")
    # Measured on AWS with its own attributes (databricks/cli testserver); on Azure by analogy (unverified).
    additions: dict[str, Any] = {"azure_attributes": {"availability": "ON_DEMAND_AZURE"}, "enable_elastic_disk": True}
    additions["data_security_mode"] = "SINGLE_USER"
    shown = additions | {name: value for name, value in cluster.items() if value is not None}
    _number(shown, "num_workers", 0, 100_000)
    shown.pop("apply_policy_default_values", None)  # taken, never returned (databricks/cli testserver)
    return shown


def tasks(raw: list[Any], settings: Settings) -> list[dict[str, Any]]:
    """The tasks with what the server adds; raises ApiError when one can't be."""
    if len(raw) > MOST_TASKS:
        raise invalid(f"A job can have at most {MOST_TASKS} tasks")
    _unique(raw, "task_key", "tasks")
    keys = {task["task_key"] for task in raw}
    clusters = {cluster["job_cluster_key"] for cluster in settings.get("job_clusters", [])}
    found = [_task(task, keys, clusters) for task in raw]
    _check_cycles(found)
    return found


def _task(raw: dict[str, Any], keys: set[str], clusters: set[str]) -> dict[str, Any]:
    key = raw["task_key"]
    if not KEY.fullmatch(key):
        raise invalid(f"Invalid task key: {key}")
    if others := sorted(OTHER_KINDS & raw.keys()):
        raise not_simulated(f"{others[0]} (task {key}); only notebook_task runs here")
    task = {name: value for name, value in raw.items() if name in TASK_FIELDS and value is not None}
    task.setdefault("run_if", "ALL_SUCCESS")
    task.setdefault("timeout_seconds", 0)
    task.setdefault("email_notifications", {})
    if task["run_if"] not in RUN_IF:
        raise malformed(f"Could not parse request object: run_if {task['run_if']}")
    for field, lowest in (("timeout_seconds", 0), ("max_retries", -1), ("min_retry_interval_millis", 0)):
        _number(task, field, lowest, 2**31 - 1)
    _typed(task, "libraries", list)
    if not all(isinstance(library, dict) for library in task.get("libraries", [])):
        raise malformed("Could not parse request object: libraries must be a list of objects")
    task["notebook_task"] = _notebook(task.get("notebook_task"))
    _check_compute(task, clusters)
    _check_dependencies(task, keys)
    return task


def _notebook(raw: Any) -> dict[str, Any]:
    """Texts: "Troubleshoot Azure Data Factory", table of Databricks errors (3201, 3202)."""
    if not isinstance(raw, dict) or not raw.get("notebook_path"):
        raise invalid("Missing required field: settings.task.notebook_task.notebook_path")
    if raw.get("source") == "GIT":
        raise not_simulated("notebook tasks from Git")
    path = str(raw["notebook_path"])
    if not path.startswith("/"):
        absolute = "Only absolute paths are currently supported. Paths must begin with '/'."
        raise invalid(f"Invalid notebook_path: {path}. {absolute}")
    parameters = raw.get("base_parameters") or {}
    if not isinstance(parameters, dict):
        raise malformed("Could not parse request object: base_parameters must be a map of strings")
    for key, value in parameters.items():
        if not isinstance(value, str):
            expected = "Expected 'key' and 'value' to be set for JSON map field base_parameters"
            raise malformed(f"Could not parse request object: {expected}, got 'key: \"{key}\"' instead.")
    return {"source": "WORKSPACE"} | raw


def _check_compute(task: dict[str, Any], clusters: set[str]) -> None:
    key = task["task_key"]
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
        if dependency.get("outcome"):
            raise not_simulated("condition tasks (depends_on.outcome)")
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


def _unique(entries: list[Any], field: str, where: str) -> None:
    seen: set[str] = set()
    for entry in entries:
        key = entry.get(field)
        if not isinstance(key, str) or not key:
            raise invalid(f"Missing required field: {where}.{field}")
        if key in seen:
            raise invalid(f"Duplicate {field} in {where}: {key}")
        seen.add(key)


def _typed(settings: Settings, field: str, kind: type) -> None:
    if field in settings and not isinstance(settings[field], kind):
        raise malformed(f"Could not parse request object: {field} must be of type {kind.__name__}")


def _number(settings: Settings, field: str, lowest: int, highest: int) -> None:
    """Check a whole number; one that is written as text is taken and kept as a number (protobuf JSON)."""
    value = settings.get(field, 0)
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value):
        value = settings[field] = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise malformed(f"Could not parse request object: {field} must be a number")
    if not lowest <= value <= highest:
        raise invalid(f"{field} must be between {lowest} and {highest}, was {value}")
