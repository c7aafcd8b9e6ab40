"""What each kind of task is made of: its fields, and what is refused.

Fields and rules: databricks-sdk-py `service/jobs.py` (NotebookTask, SparkPythonTask, PythonWheelTask, ConditionTask, RunJobTask,
ForEachTask); texts of refusals are unverified where nothing else is said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rehearsal.databricks.errors import invalid, malformed, not_simulated

# What runs as a process, and what is only control.
PROCESS_KINDS = frozenset(["notebook_task", "spark_python_task", "python_wheel_task"])
CONTROL_KINDS = frozenset(["condition_task", "run_job_task", "for_each_task"])
KINDS = PROCESS_KINDS | CONTROL_KINDS
# Kinds that the real service has and that do not run here.
OTHER_KINDS = frozenset(
    [
        "spark_jar_task",
        "spark_submit_task",
        "sql_task",
        "dbt_task",
        "dbt_cloud_task",
        "dbt_platform_task",
        "pipeline_task",
        "dashboard_task",
        "clean_rooms_notebook_task",
        "power_bi_task",
        "gen_ai_compute_task",
        "alert_task",
        "ai_function_task",
        "ai_runtime_task",
        "python_operator_task",
        "simulation_task",
    ]
)
OPERATORS = ("EQUAL_TO", "NOT_EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL")
MOST_BASE_PARAMETERS = 1_000_000  # SDK docstring of NotebookTask
MOST_CONCURRENT = 100  # docs, "Use a For each task"


def kind_of(task: Mapping[str, Any]) -> str:
    """Which kind a task is; a notebook task when it says nothing. Raises ApiError 400 when it is several."""
    found = sorted(KINDS & task.keys())
    if len(found) > 1:
        raise invalid(f"Task {task.get('task_key')} must have exactly one of {', '.join(found)}")
    return found[0] if found else "notebook_task"


def checked(kind: str, raw: Any, key: str) -> dict[str, Any]:
    """The settings of a kind with what the server adds."""
    if not isinstance(raw, dict):
        if kind == "notebook_task":
            raise invalid("Missing required field: settings.task.notebook_task.notebook_path")
        raise malformed(f"Could not parse request object: {kind} of task {key} must be an object")
    checks = {
        "notebook_task": _notebook,
        "spark_python_task": _python_file,
        "python_wheel_task": _wheel,
        "condition_task": _condition,
        "run_job_task": _run_job,
        "for_each_task": _for_each,
    }
    return checks[kind](dict(raw))


def _notebook(raw: dict[str, Any]) -> dict[str, Any]:
    """Texts: "Troubleshoot Azure Data Factory", table of Databricks errors (3201, 3202)."""
    if not raw.get("notebook_path"):
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
    for name, value in parameters.items():
        if not isinstance(value, str):
            expected = "Expected 'key' and 'value' to be set for JSON map field base_parameters"
            raise malformed(f"Could not parse request object: {expected}, got 'key: \"{name}\"' instead.")
    if len(json.dumps(parameters)) > MOST_BASE_PARAMETERS:
        raise invalid("The JSON representation of base_parameters is larger than 1 MB")
    return {"source": "WORKSPACE"} | raw


def _python_file(raw: dict[str, Any]) -> dict[str, Any]:
    path = raw.get("python_file")
    if not isinstance(path, str) or not path:
        raise invalid("Missing required field: settings.task.spark_python_task.python_file")
    if raw.get("source") == "GIT":
        raise not_simulated("Python script tasks from Git")
    if not path.startswith(("/", "dbfs:/")):
        if "://" in path:
            raise not_simulated(f"Python files in {path.partition('://')[0]} storage; use workspace files or volumes")
        raise invalid(f"Invalid python_file: {path}. Python files must have an absolute path or a URI.")
    _texts(raw, "parameters")
    return raw


def _wheel(raw: dict[str, Any]) -> dict[str, Any]:
    for field in ("package_name", "entry_point"):
        if not isinstance(raw.get(field), str) or not raw[field]:
            raise invalid(f"Missing required field: settings.task.python_wheel_task.{field}")
    _texts(raw, "parameters")
    _text_map(raw, "named_parameters")
    if raw.get("parameters") and raw.get("named_parameters"):
        raise invalid("Only one of parameters and named_parameters can be set for python_wheel_task.")
    return raw


def _condition(raw: dict[str, Any]) -> dict[str, Any]:
    if raw.get("op") not in OPERATORS:
        raise malformed(f"Could not parse request object: op {raw.get('op')}")
    for side in ("left", "right"):
        if not isinstance(raw.get(side), str):
            raise invalid(f"Missing required field: settings.task.condition_task.{side}")
    return raw


def _run_job(raw: dict[str, Any]) -> dict[str, Any]:
    if isinstance(raw.get("job_id"), bool) or not str(raw.get("job_id")).isdigit():
        raise invalid("Missing required field: settings.task.run_job_task.job_id")
    raw["job_id"] = int(raw["job_id"])
    for field in ("job_parameters", "notebook_params", "python_named_params"):
        _text_map(raw, field)
    _texts(raw, "python_params")
    return raw


def _for_each(raw: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(raw.get("inputs"), str):
        raise invalid("Missing required field: settings.task.for_each_task.inputs")
    most = raw.setdefault("concurrency", 1)
    if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= MOST_CONCURRENT:
        raise invalid(f"concurrency of a for_each_task must be between 1 and {MOST_CONCURRENT}")
    raw.setdefault("task", None)
    return raw


def _texts(raw: dict[str, Any], field: str) -> None:
    values = raw.get(field) or []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise malformed(f"Could not parse request object: {field} must be a list of strings")


def _text_map(raw: dict[str, Any], field: str) -> None:
    values = raw.get(field) or {}
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise malformed(f"Could not parse request object: {field} must be a map of strings")
