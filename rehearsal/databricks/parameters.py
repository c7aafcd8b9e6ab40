"""What a notebook is given: base parameters, a run's own, job parameters, and `{{ }}` references. Everything is text.

Rules: Jobs API docstrings (run-now), docs "What is a dynamic value reference?".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from rehearsal.databricks.errors import invalid, malformed
from rehearsal.databricks.runs import Run, Task

MOST_NOTEBOOK_PARAMS = 10_000  # bytes of JSON
REFERENCE = re.compile(r"\{\{\s*([\w.\-]+)\s*\}\}")


def text_map(raw: Any, name: str) -> dict[str, str]:
    """A map of strings from a request. Raises ApiError 400 for anything else."""
    if raw is None:
        return {}
    if not isinstance(raw, dict) or not all(isinstance(value, str) for value in raw.values()):
        raise malformed(f"Could not parse request object: {name} must be a map of strings")
    if len(json.dumps(raw)) > MOST_NOTEBOOK_PARAMS:
        raise invalid(f"The JSON representation of {name} is larger than {MOST_NOTEBOOK_PARAMS} bytes")
    return dict(raw)


def job_parameters(settings: Mapping[str, Any], given: Mapping[str, str]) -> list[dict[str, str]]:
    """Every parameter of the job with default and value, as runs/get lists them; a value that no parameter takes is refused."""
    defined = {str(p["name"]): str(p.get("default", "")) for p in settings.get("parameters", [])}
    if unknown := sorted(given.keys() - defined.keys()):
        raise invalid(f"Job parameters {', '.join(unknown)} are not defined by the job")  # text unverified
    return [{"name": n, "default": default, "value": given.get(n, default)} for n, default in sorted(defined.items())]


def for_task(run: Run, task: Task, workspace_id: str, host: str) -> dict[str, str]:
    """The notebook's parameters: base, over them the run's notebook_params, over all the job's parameters of the same key."""
    job = {p["name"]: p["value"] for p in run["parameters"]["job"]}
    base = task["settings"]["notebook_task"].get("base_parameters") or {}
    merged = base | run["parameters"]["notebook"] | job
    known = references(run, task, workspace_id, host)
    return {name: expand(value, known) for name, value in merged.items()}


def expand(text: str, known: Mapping[str, str]) -> str:
    """Replace references that are known; others stay as they are."""
    return REFERENCE.sub(lambda found: known.get(found[1], found[0]), text)


def references(run: Run, task: Task, workspace_id: str, host: str) -> dict[str, str]:
    """The values that `{{ }}` may name."""
    known = {
        "job.id": str(run["job_id"]),
        "job.run_id": str(run["run_id"]),
        "job.name": run["run_name"],
        "job.start_time.timestamp_ms": str(run["start_time"]),
        "job_id": str(run["job_id"]),
        "run_id": str(task["run_id"]),
        "parent_run_id": str(run["run_id"]),
        "task_key": task["task_key"],
        "task.name": task["task_key"],
        "task.run_id": str(task["run_id"]),
        "task.execution_count": str(task["attempt"] + 1),
        "workspace.id": workspace_id,
        "workspace.url": host,
    }
    for parameter in run["parameters"]["job"]:
        known[f"job.parameters.{parameter['name']}"] = parameter["value"]
    for other in run["tasks"]:
        for key, value in other["values"].items():
            known[f"tasks.{other['task_key']}.values.{key}"] = value if isinstance(value, str) else json.dumps(value)
        if other["result"]:
            known[f"tasks.{other['task_key']}.result_state"] = other["result"].lower()
    return known
