"""What a task is given: its own parameters, a run's, the job's, and `{{ }}` references. Everything is text.

Rules: Jobs API docstrings (run-now), docs "What is a dynamic value reference?".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rehearsal.databricks.errors import invalid, malformed
from rehearsal.databricks.runs import Run, Task

MOST_NOTEBOOK_PARAMS = 10_000  # bytes of JSON, of any kind of parameters that a run is given
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


def text_list(raw: Any, name: str) -> list[str] | None:
    """A list of strings from a request, None when there is none. Raises ApiError 400 for anything else."""
    if raw is None:
        return None
    if not isinstance(raw, list) or not all(isinstance(value, str) for value in raw):
        raise malformed(f"Could not parse request object: {name} must be a list of strings")
    if len(json.dumps(raw)) > MOST_NOTEBOOK_PARAMS:
        raise invalid(f"The JSON representation of {name} is larger than {MOST_NOTEBOOK_PARAMS} bytes")
    if not all(value.isascii() for value in raw):
        raise invalid(f"{name} accepts ASCII characters only")  # documented (SDK docstring); text unverified
    return list(raw)


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a request gives the tasks of a run: parameters of notebooks, of scripts, and keyword parameters of wheels."""
    return {
        "notebook": text_map(values.get("notebook_params"), "notebook_params"),
        "python": text_list(values.get("python_params"), "python_params"),
        "named": text_map(values.get("python_named_params"), "python_named_params"),
    }


def job_parameters(settings: Mapping[str, Any], given: Mapping[str, str]) -> list[dict[str, str]]:
    """Every parameter of the job with default and value, as runs/get lists them; a value that no parameter takes is refused."""
    defined = {str(p["name"]): str(p.get("default", "")) for p in settings.get("parameters", [])}
    if unknown := sorted(given.keys() - defined.keys()):
        raise invalid(f"Job parameters {', '.join(unknown)} are not defined by the job")  # text unverified
    return [{"name": n, "default": default, "value": given.get(n, default)} for n, default in sorted(defined.items())]


def for_task(run: Run, task: Task, known: Mapping[str, str]) -> dict[str, str]:
    """The notebook's parameters: base, over them the run's notebook_params, over all the job's parameters of the same key."""
    base = task["settings"]["notebook_task"].get("base_parameters") or {}
    merged = base | run["parameters"]["notebook"] | _of_job(run)
    return {name: expand(value, known) for name, value in merged.items()}


def command_line(run: Run, task: Task, known: Mapping[str, str]) -> list[str]:
    """The arguments of a script or a wheel. A run's python_params take the place of the task's; the job's parameters are handed on
    to wheels with keyword parameters only (docs, "Configure task parameters")."""
    settings = task["settings"].get("spark_python_task") or task["settings"]["python_wheel_task"]
    named = settings.get("named_parameters")
    replaced = run["parameters"].get("python")
    if named is not None and replaced is None:
        merged = named | run["parameters"].get("named", {}) | _of_job(run)
        return [f"--{name}={expand(value, known)}" for name, value in merged.items()]
    return [expand(value, known) for value in (settings.get("parameters") or [] if replaced is None else replaced)]


def resolved(run: Run, task: Task, known: Mapping[str, str]) -> dict[str, Any]:
    """What the references in a task's settings stand for when it starts (SDK, ResolvedValues)."""
    settings = task["settings"]
    if "notebook_task" in settings:
        return {"notebook_task": {"base_parameters": for_task(run, task, known)}}
    if "spark_python_task" in settings:
        return {"spark_python_task": {"parameters": command_line(run, task, known)}}
    if wheel := settings.get("python_wheel_task"):
        given = command_line(run, task, known)
        named = wheel.get("named_parameters") is not None and run["parameters"].get("python") is None
        pairs = dict(argument.removeprefix("--").split("=", 1) for argument in given) if named else {}
        return {"python_wheel_task": {"named_parameters": pairs} if named else {"parameters": given}}
    if condition := settings.get("condition_task"):
        return {"condition_task": {side: expand(condition[side], known) for side in ("left", "right")}}
    if other := settings.get("run_job_task"):
        handed = other.get("job_parameters") or {}
        return {"run_job_task": {"job_parameters": {name: expand(value, known) for name, value in handed.items()}}}
    return {}


def _of_job(run: Run) -> dict[str, str]:
    return {p["name"]: p["value"] for p in run["parameters"]["job"]}


def expand(text: str, known: Mapping[str, str]) -> str:
    """Replace references that are known; others stay as they are."""
    return REFERENCE.sub(lambda found: known.get(found[1], found[0]), text)


class References(Mapping[str, str]):
    """The values that `{{ }}` may name (docs, "What is a dynamic value reference?"); those of other tasks are looked for only when
    they are named."""

    def __init__(self, own: Mapping[str, str], tasks: Sequence[Task]) -> None:
        self._own = own
        self._tasks = tasks

    def __getitem__(self, name: str) -> str:
        if name in self._own:
            return self._own[name]
        word, _, rest = name.partition(".")
        for other in self._tasks if word == "tasks" else ():
            if rest.startswith(other["task_key"] + "."):
                return _of_task(other)[name]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        for other in self._tasks:
            yield from _of_task(other)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def references(run: Run, task: Task, workspace_id: str, host: str) -> References:
    """What the settings of a task may refer to."""
    own = {
        "job.id": str(run["job_id"]),
        "job.run_id": str(run["run_id"]),
        "job.name": run["run_name"],
        "job.repair_count": str(len(run.get("history", []))),
        "job.trigger.type": str(run.get("trigger", "ONE_TIME")).lower(),
        "job_id": str(run["job_id"]),
        "run_id": str(task["run_id"]),
        "parent_run_id": str(run["run_id"]),
        "task_key": task["task_key"],
        "task.name": task["task_key"],
        "task.run_id": str(task["run_id"]),
        "task.execution_count": str(task["attempt"] + 1),
        "workspace.id": workspace_id,
        "workspace.url": host,
        **{f"job.start_time.{name}": value for name, value in _moment(run["start_time"]).items()},
    }
    own["start_date"], own["start_time"] = own["job.start_time.iso_date"], own["job.start_time.timestamp_ms"]
    if notebook := task["settings"].get("notebook_task"):
        own["task.notebook_path"] = notebook["notebook_path"]
    for parameter in run["parameters"]["job"]:
        own[f"job.parameters.{parameter['name']}"] = parameter["value"]
    if "input" in task:
        own |= _of_input(task["input"])
    return References(own, run["tasks"])


def _of_task(other: Task) -> dict[str, str]:
    prefix = f"tasks.{other['task_key']}"
    known = {f"{prefix}.values.{key}": text_of(value) for key, value in other["values"].items()}
    known |= {f"{prefix}.run_id": str(other["run_id"]), f"{prefix}.execution_count": str(other["attempt"] + 1)}
    if other["result"]:
        known[f"{prefix}.result_state"] = other["result"].lower()
    return known


def _of_input(value: Any) -> dict[str, str]:
    """The element that a for_each_task has come to (docs, "Use a For each task")."""
    parts = value if isinstance(value, dict) else {}
    return {"input": text_of(value)} | {f"input.{name}": text_of(part) for name, part in parts.items()}


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _moment(milliseconds: int) -> dict[str, str]:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return {
        "timestamp_ms": str(milliseconds),
        "iso_date": moment.date().isoformat(),
        "iso_datetime": moment.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "iso_weekday": str(moment.isoweekday()),
        "is_weekday": str(moment.isoweekday() < 6).lower(),
        "year": str(moment.year),
        "month": str(moment.month),
        "day": str(moment.day),
        "hour": str(moment.hour),
        "minute": str(moment.minute),
        "second": str(moment.second),
    }
