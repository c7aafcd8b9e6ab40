"""A job's settings: which fields there are, what is refused, what the server adds.

Fields: databricks-sdk-py `service/jobs.py` (JobSettings, Task, 2.2). Defaults: databricks/cli `libs/testserver/jobs.go` and its
acceptance tests. A field that the service does not know is dropped without a word (protobuf JSON; unverified).
"""

from __future__ import annotations

import zoneinfo
from typing import Any

from rehearsal.databricks import quartz
from rehearsal.databricks.checks import number, typed, unique
from rehearsal.databricks.cluster_settings import check_cluster
from rehearsal.databricks.errors import invalid, malformed, not_simulated
from rehearsal.databricks.task_settings import LEGACY_KEY, LEGACY_TASK_FIELDS, tasks

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
PERIODS = {
    "HOURS": 3600.0,
    "DAYS": 86_400.0,
    "WEEKS": 604_800.0,
}  # in seconds (SDK, PeriodicTriggerConfigurationTimeUnit)
LONGEST = {"name": 4096, "description": 27_700}  # bytes (SDK docstrings)
MOST_TAGS = 25  # job tags become cluster tags (SDK docstring)

KEPT = "kept"  # in the place of a version: settings that are completed once more after a change


def complete(raw: Settings, version: str) -> Settings:
    """The settings as the service keeps them: checked, unknown fields dropped, defaults added.

    A job in the shape of API 2.0 (one task, at the top) is kept with one task and `format: SINGLE_TASK`; settings that were kept so
    stay so.
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
    single = legacy or (version == KEPT and settings.get("format") == "SINGLE_TASK")
    settings["format"] = "SINGLE_TASK" if single else "MULTI_TASK"
    if version == "2.2":
        # "Jobs created by 2.2 have queue enabled by default" (docs, jobs-api-2-2-updates).
        settings.setdefault("queue", {"enabled": True})
    _check_job(settings)
    settings["tasks"] = tasks(settings.get("tasks", []), settings)
    if not settings["tasks"]:
        del settings["tasks"]
    return settings


def _check_job(settings: Settings) -> None:
    typed(settings, "name", str)
    for field, most in LONGEST.items():
        typed(settings, field, str)
        if len(settings.get(field, "").encode("utf-8", "surrogatepass")) > most:
            raise invalid(f"{field} is longer than {most} bytes")
    typed(settings, "tags", dict)
    number(settings, "timeout_seconds", 0, 2**31 - 1)
    number(settings, "max_concurrent_runs", 0, 1000)
    for field in ("tasks", "job_clusters", "environments", "parameters"):
        typed(settings, field, list)
        if not all(isinstance(entry, dict) for entry in settings.get(field, [])):
            raise malformed(f"Could not parse request object: {field} must be a list of objects")
    for field in ("schedule", "queue", "run_as", "continuous", "trigger", "git_source"):
        typed(settings, field, dict)
    tags = settings.get("tags", {})
    if len(tags) > MOST_TAGS or not all(isinstance(value, str) for value in tags.values()):
        raise invalid(f"A job can have at most {MOST_TAGS} tags, and their values are strings")
    if "git_source" in settings:
        raise not_simulated("jobs with git_source")
    _check_trigger(settings)
    _check_schedule(settings.get("schedule"))
    _check_continuous(settings)
    unique(settings.get("parameters", []), "name", "parameters")
    if not all(isinstance(parameter.get("default", ""), str) for parameter in settings.get("parameters", [])):
        raise malformed("Could not parse request object: defaults of parameters must be strings")
    unique(settings.get("environments", []), "environment_key", "environments")
    unique(settings.get("job_clusters", []), "job_cluster_key", "job_clusters")
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
    if schedule.get("sql_condition"):
        raise not_simulated("schedules with sql_condition")
    try:
        quartz.parse(schedule["quartz_cron_expression"])
    except quartz.NotQuartzError as problem:
        text = f"Invalid quartz cron expression: {schedule['quartz_cron_expression']} ({problem})."
        raise invalid(text) from None  # text unverified
    try:
        zoneinfo.ZoneInfo(schedule["timezone_id"])
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise invalid(f"Invalid timezone: {schedule['timezone_id']}") from None  # text unverified
    _check_pause(schedule)


def _check_trigger(settings: Settings) -> None:
    """Kinds: SDK, TriggerSettings; only those that the clock fires are here. Texts unverified."""
    trigger = settings.get("trigger")
    if trigger is None:
        return
    if "schedule" in settings or "continuous" in settings:
        raise invalid("Only one of schedule, continuous and trigger can be used.")
    if others := sorted(trigger.keys() - {"periodic", "pause_status"}):
        raise not_simulated(f"jobs with a trigger of kind {others[0]}")
    periodic = trigger.get("periodic")
    if not isinstance(periodic, dict):
        raise invalid("Missing required field: settings.trigger.periodic")
    number(periodic, "interval", 1, 10_000)
    if "interval" not in periodic or periodic.get("unit") not in PERIODS:
        raise malformed(f"Could not parse request object: periodic needs an interval and a unit ({', '.join(PERIODS)})")
    _check_pause(trigger)


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
    for task in settings.get("tasks", []):
        for field, what in (("depends_on", "Task dependencies"), ("max_retries", "Retry policies")):
            if task.get(field):
                raise invalid(f"{what} can not be used in a continuous job (task {task.get('task_key')}).")
