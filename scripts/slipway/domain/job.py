"""Jobs: config/jobs/<key>.json (Jobs API 2.2 shape, paths relative to the release) rendered into a slot."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from slipway.domain import configuration, job_permissions
from slipway.domain.codec import Damaged, load
from slipway.domain.configuration import EXPRESSION
from slipway.domain.environment import Environment
from slipway.domain.slot import Slot, slot_path
from slipway.errors import Finding

Settings = Mapping[str, Any]
Complain = Callable[[str, str], None]  # (key path, text)

KEY = r"[a-z][a-z0-9_-]{0,63}"
MOST_TAGS = 25  # job tags become cluster tags; databricks-sdk-py service/jobs.py
TAG_APP, TAG_ENVIRONMENT, TAG_JOB = "slipway_app", "slipway_environment", "slipway_job"
TAG_VERSION, TAG_SLOT = "slipway_version", "slipway_slot"
TAG_ON_SWITCH = "slipway_on_switch"
ON_SWITCH = ("restart", "leave")

# What Databricks itself fills in when a run starts, and secrets in a cluster's configuration: passed on as they are
# (https://learn.microsoft.com/azure/databricks/jobs/dynamic-value-references).
_DYNAMIC = re.compile(
    r"(job|task|tasks|workspace|input)(\.|$|\[)|secrets/"
    r"|(job_id|run_id|start_date|start_time|task_retry_count|parent_run_id|task_key)$"
)
# Where a job says when it starts by itself; each may hold pause_status.
STARTERS = ("schedule", "trigger", "continuous")


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a job is rendered into: the environment's slot, and what lies in it. `notebooks` are paths without
    extension, such as notebooks/score; `wheels` are file names."""

    environment: Environment
    slot: Slot
    version: str
    wheels: tuple[str, ...]
    notebooks: frozenset[str]

    @property
    def path(self) -> str:
        return slot_path(self.environment.databricks.root, self.slot)


def parse_definition(text: str, file: str) -> tuple[dict[str, Any] | None, list[Finding]]:
    """A job's definition from its file, or what is wrong with its form."""
    try:
        data = load(text.encode())
    except Damaged as error:
        cause = error.__cause__
        line = cause.lineno if isinstance(cause, json.JSONDecodeError) else None
        return None, [Finding(file, "", str(error), line)]
    if not isinstance(data, dict):
        return None, [Finding(file, "", "must be a JSON object in the shape of jobs/create")]
    return data, []


def render_job(key: str, definition: Mapping[str, Any], target: Target, complain: Complain) -> dict[str, Any]:
    """The settings that the job gets in `target`; complains about everything that can't be rendered."""
    settings: dict[str, Any] = _expressions(definition, "", target.environment, complain)
    if not isinstance(settings.get("name"), str) or not settings["name"].strip():
        complain("name", "is missing")
    for field in ("git_source", "existing_cluster_id"):
        if field in settings:
            complain(field, _NOT_HERE[field])
    tasks = settings.get("tasks")
    if not isinstance(tasks, list) or not tasks:
        complain("tasks", "must be a list with at least one task")
    else:
        _check_task_keys(tasks, complain)
        settings["tasks"] = [_task(task, f"tasks[{i}]", target, complain) for i, task in enumerate(tasks)]
    if isinstance(settings.get("environments"), list):
        settings["environments"] = [
            _serverless(item, f"environments[{i}]", target, complain) for i, item in enumerate(settings["environments"])
        ]
    settings.setdefault("run_as", dict(target.environment.jobs.run_as))
    if not isinstance(settings["run_as"], Mapping):
        complain("run_as", "must be an object with user_name or service_principal_name")
    if job_permissions.FIELD in settings:
        entries, readers = settings[job_permissions.FIELD], target.environment.databricks.readers
        settings[job_permissions.FIELD] = job_permissions.rendered(entries, readers, complain)
    on_switch = _on_switch(settings.pop("slipway", None), settings, complain)
    settings["tags"] = {**_tags(key, settings.get("tags"), target, complain), **on_switch}
    if target.environment.jobs.schedules == "paused":
        settings = with_pause(settings, "PAUSED")
    return settings


_NOT_HERE = {
    "git_source": "the notebooks come from the release's slot, not from Git",
    "existing_cluster_id": "belongs to a task",
}


def resolved(definition: Mapping[str, Any], environment: Environment, complain: Complain) -> dict[str, Any]:
    """The definition with the environment's values in it, its paths still those of the release."""
    found: dict[str, Any] = _expressions(definition, "", environment, complain)
    return found


def _expressions(value: Any, path: str, environment: Environment, complain: Complain) -> Any:
    if isinstance(value, Mapping):
        below = f"{path}." if path else ""
        return {key: _expressions(item, f"{below}{key}", environment, complain) for key, item in value.items()}
    if isinstance(value, list):
        return [_expressions(item, f"{path}[{i}]", environment, complain) for i, item in enumerate(value)]
    if not isinstance(value, str) or "{{" not in value:
        return value

    def value_of(name: str) -> Any:
        if _DYNAMIC.match(name):
            return "{{" + name + "}}"
        if name in environment.jobs.values:
            return environment.jobs.values[name]
        known, found = configuration.look_up(environment.values, name)
        if not known:
            raise KeyError(
                f"{{{{ {name} }}}} is not defined: neither in jobs.values nor as a path of the configuration"
            )
        return found

    result = configuration.render(value, value_of, lambda text: complain(path, text))
    if isinstance(result, configuration.Unresolved):
        return value
    if isinstance(result, str) and "{{" in EXPRESSION.sub("", result):
        complain(path, "`{{` without its `}}`")
    return result


def _check_task_keys(tasks: list[Any], complain: Complain) -> None:
    seen: set[str] = set()
    for index, task in enumerate(tasks):
        key = task.get("task_key") if isinstance(task, Mapping) else None
        if not isinstance(key, str) or not key:
            complain(f"tasks[{index}].task_key", "is missing")
        elif key in seen:
            complain(f"tasks[{index}].task_key", f"{key!r} is used twice")
        else:
            seen.add(key)


def _task(task: Any, path: str, target: Target, complain: Complain) -> Any:
    if not isinstance(task, Mapping):
        complain(path, "must be an object")
        return task
    result = dict(task)
    if isinstance(task.get("notebook_task"), Mapping):
        result["notebook_task"] = _notebook_task(task["notebook_task"], f"{path}.notebook_task", target, complain)
    if isinstance(task.get("libraries"), list):
        result["libraries"] = _libraries(task["libraries"], f"{path}.libraries", target, complain)
        if "existing_cluster_id" in task and result["libraries"] != task["libraries"]:
            text = "an existing cluster keeps the wheel of the release before; use a job cluster"
            complain(f"{path}.existing_cluster_id", text)
    nested = task.get("for_each_task")
    if isinstance(nested, Mapping) and isinstance(nested.get("task"), Mapping):
        inner = _task(nested["task"], f"{path}.for_each_task.task", target, complain)
        result["for_each_task"] = {**nested, "task": inner}
    handled = ("notebook_task", "libraries", "for_each_task")
    for where, text in _strings({k: v for k, v in task.items() if k not in handled}, path):
        if text.startswith("./"):
            complain(where, f"{text} is a path into the release, which is possible for notebooks and ./library only")
    return result


def _notebook_task(task: Mapping[str, Any], path: str, target: Target, complain: Complain) -> dict[str, Any]:
    notebook = task.get("notebook_path")
    if not isinstance(notebook, str):
        complain(f"{path}.notebook_path", "is missing")
        return dict(task)
    if notebook.startswith("./"):
        return {**task, "notebook_path": notebook_path(notebook, target, f"{path}.notebook_path", complain)}
    if not notebook.startswith("/"):
        complain(f"{path}.notebook_path", f"{notebook} must begin with ./notebooks/ (in the release) or with /")
    return dict(task)


def notebook_path(reference: str, target: Target, where: str, complain: Complain) -> str:
    """The workspace path of `./notebooks/x` in the slot; complains when the release has no such notebook."""
    relative = reference.removeprefix("./")
    if relative not in target.notebooks:
        hint = ""
        without = relative.rpartition(".")[0]
        if without in target.notebooks:
            hint = f"; a notebook's path has no extension: ./{without}"
        complain(where, f"the release has no notebook {reference}{hint}")
    return f"{target.path}/{relative}"


def slot_libraries(target: Target) -> list[dict[str, str]]:
    """One library entry for each wheel in the slot."""
    return [{"whl": f"{target.path}/library/{name}"} for name in target.wheels]


def _libraries(libraries: list[Any], path: str, target: Target, complain: Complain) -> list[Any]:
    result: list[Any] = []
    for index, library in enumerate(libraries):
        wheel = library.get("whl") if isinstance(library, Mapping) else None
        if isinstance(wheel, str) and wheel.startswith("./"):
            result += [{"whl": found} for found in _wheels(wheel, f"{path}[{index}].whl", target, complain)]
        else:
            result.append(library)
    return result


def _wheels(reference: str, where: str, target: Target, complain: Complain) -> list[str]:
    """`./library` is every wheel of the release, `./library/x.whl` that one."""
    names = list(target.wheels)
    if reference.rstrip("/") != "./library":
        names = [name for name in names if reference == f"./library/{name}"]
    if not names:
        complain(where, f"the release has no wheel {reference}")
    return [f"{target.path}/library/{name}" for name in names]


def _serverless(item: Any, path: str, target: Target, complain: Complain) -> Any:
    """A serverless environment's dependencies may name the release's wheels."""
    spec = item.get("spec") if isinstance(item, Mapping) else None
    if not isinstance(spec, Mapping) or not isinstance(spec.get("dependencies"), list):
        return item
    dependencies: list[Any] = []
    for index, entry in enumerate(spec["dependencies"]):
        if isinstance(entry, str) and entry.startswith("./"):
            dependencies += _wheels(entry, f"{path}.spec.dependencies[{index}]", target, complain)
        else:
            dependencies.append(entry)
    return {**item, "spec": {**spec, "dependencies": dependencies}}


def _on_switch(own: Any, settings: Settings, complain: Complain) -> dict[str, str]:
    """What becomes of a continuous job's run at a switch, which the definition must say; kept as a tag, so that going
    back knows it too."""
    if not settings.get("continuous"):
        if own is not None:
            complain("slipway", "is for continuous jobs only")
        return {}
    wish = own.get("on_switch") if isinstance(own, Mapping) else None
    if wish not in ON_SWITCH:
        text = 'a continuous job must say what becomes of its run at a switch: "slipway": {"on_switch": "restart"}, or "leave"'
        complain("slipway.on_switch", text)
        return {}
    return {TAG_ON_SWITCH: str(wish)}


def restarts(settings: Settings) -> bool:
    """Whether the job's run is to be ended at a switch, so that the service starts it anew from the new slot."""
    return (settings.get("tags") or {}).get(TAG_ON_SWITCH) == "restart" and pause_of(settings) == "UNPAUSED"


def _tags(key: str, tags: Any, target: Target, complain: Complain) -> dict[str, Any]:
    given = dict(tags) if isinstance(tags, Mapping) else {}
    for name in given:
        if name.startswith("slipway_"):
            complain(f"tags.{name}", "tags that begin with slipway_ are Slipway's own")
    environment = target.environment
    result = {
        **given,
        TAG_APP: environment.app,
        TAG_ENVIRONMENT: environment.name,
        TAG_JOB: key,
        TAG_SLOT: target.slot,
        TAG_VERSION: target.version,
    }
    if len(result) > MOST_TAGS:
        complain("tags", f"a job has at most {MOST_TAGS} tags, of which Slipway sets {len(result) - len(given)}")
    return result


def is_ours(settings: Settings, app: str, environment: str) -> str | None:
    """The key of the job that these settings are tagged as, when it is of this app and environment."""
    tags = settings.get("tags") or {}
    if tags.get(TAG_APP) != app or tags.get(TAG_ENVIRONMENT) != environment:
        return None
    key = tags.get(TAG_JOB)
    return key if isinstance(key, str) else None


def pause_of(settings: Settings) -> str | None:
    """PAUSED or UNPAUSED; None for a job that never starts by itself. The service's default is UNPAUSED."""
    for name in STARTERS:
        starter = settings.get(name)
        if isinstance(starter, Mapping):
            return str(starter.get("pause_status") or "UNPAUSED")
    return None


def with_pause(settings: Settings, status: str) -> dict[str, Any]:
    """The settings with that pause status, where they have a schedule, a trigger, or are continuous."""
    result = dict(settings)
    for name in STARTERS:
        if isinstance(result.get(name), Mapping):
            result[name] = {**result[name], "pause_status": status}
    return result


def own_tags(settings: Settings) -> dict[str, Any]:
    """Slipway's own tags of a job: no two states that a switch leads a job through have the same."""
    return {key: value for key, value in (settings.get("tags") or {}).items() if str(key).startswith("slipway_")}


def of_no_release(settings: Settings) -> dict[str, Any]:
    """The settings of a job that its release does not start, yet or any more: paused, and without the tag that says which
    release it is of. So it is not taken for one that people paused."""
    result = with_pause(settings, "PAUSED")
    if result.get("tags"):
        result["tags"] = {key: value for key, value in result["tags"].items() if key != TAG_VERSION}
    return result


def is_of_no_release(settings: Settings) -> bool:
    """Whether that is what a switch made of the job last; an adopted one, which none has set yet, has no slot."""
    tags = own_tags(settings)
    return TAG_SLOT in tags and TAG_VERSION not in tags


def move(settings: Any, *, root: str, to: Slot) -> Any:
    """The settings with every path into a slot of `root` leading into slot `to`, however it is written (see reads_from),
    and the slot's tag."""
    inside = re.compile(rf"({_path(root)})/(?:blue|green)(?![\w.-])")

    def moved(value: Any) -> Any:
        if isinstance(value, Mapping):
            result = {key: moved(item) for key, item in value.items()}
            return {**result, TAG_SLOT: to} if TAG_SLOT in result else result
        if isinstance(value, list):
            return [moved(item) for item in value]
        return inside.sub(rf"\1/{to}", value) if isinstance(value, str) else value

    return moved(settings)


def reads_from(settings: Any, folder: str) -> bool:
    """Whether any text in these settings (or in a run's tasks, however deep) names a path in `folder`: with or without
    /Workspace, as a URL (file:/Workspace/…), or as a part of a parameter (--config=/Workspace/…)."""
    inside = re.compile(rf"{_path(folder)}(?![\w.-])")
    return any(inside.search(text) for _, text in _strings(settings, ""))


def _path(folder: str) -> str:
    bare = re.escape(folder.removeprefix("/Workspace"))
    return rf"(?<![\w./-])/{{0,2}}(?:/Workspace)?{bare}"


def jobs_started_by(settings: Any) -> set[int]:
    """Ids of the jobs that tasks of these settings (or of a run) start: run_job_task, also inside for_each_task."""
    if isinstance(settings, list):
        return set().union(*(jobs_started_by(item) for item in settings))
    if not isinstance(settings, Mapping):
        return set()
    found = set().union(*(jobs_started_by(item) for item in settings.values()))
    task = settings.get("run_job_task")
    job_id = str(task.get("job_id")) if isinstance(task, Mapping) else ""
    return found | {int(job_id)} if job_id.isdigit() else found


def _strings(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _strings(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings(item, f"{path}[{index}]")
