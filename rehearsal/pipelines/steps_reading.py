"""One step of expanded YAML to the task that it stands for.

Source of the keys: MicrosoftDocs/azure-devops-yaml-schema, content/steps-*.md.
"""

from __future__ import annotations

from rehearsal.pipelines import tasks
from rehearsal.pipelines.fields import Fields
from rehearsal.pipelines.model import Step

_COMMON = (
    "displayName",
    "name",
    "condition",
    "continueOnError",
    "enabled",
    "env",
    "timeoutInMinutes",
    "retryCountOnTaskFailure",
)
_UNSUPPORTED_COMMON = ("target",)
_UNSUPPORTED_STEPS = ("pwsh", "powershell", "getPackage", "reviewApp")
_CHECKOUT_OPTIONS = ("clean", "fetchDepth", "fetchTags", "fetchFilter", "lfs", "persistCredentials", "submodules")
_UNSUPPORTED_CHECKOUT = ("path", "sparseCheckoutDirectories", "sparseCheckoutPatterns", "workspaceRepo")
_KINDS = ("task", "script", "bash", "checkout", "publish", "download")


def read_step(fields: Fields) -> Step | None:
    """The step, or None when it is so wrong that nothing can be made of it; all that is wrong is reported."""
    kinds = [kind for kind in _KINDS if fields.has(kind)]
    unsupported = [kind for kind in _UNSUPPORTED_STEPS if fields.has(kind)]
    if unsupported:
        fields.wrong(fields.position, f"This rehearsal has no step '{unsupported[0]}'")
        return None
    if not kinds:
        first = fields.node.keys()[0] if fields.node.pairs else ""
        fields.wrong(fields.position, f"Unexpected value '{first}': a step is one of {', '.join(_KINDS)}")
        return None
    kind = kinds[0]
    task, given = _READERS[kind](fields)
    if task == "":
        return None
    inputs = _check_inputs(fields, kind, task, given)
    name = fields.text("name")
    if name and not name.replace("_", "").isalnum():
        fields.wrong(fields.at("name"), f"The step name '{name}' is not valid: letters, digits and '_' only")
    return Step(
        task=task,
        inputs=inputs,
        position=fields.position,
        name=name,
        display_name=fields.text("displayName") or _title(kind, task, given),
        condition=fields.text("condition") or None,
        continue_on_error=fields.boolean("continueOnError", False),
        enabled=fields.boolean("enabled", True),
        timeout_minutes=fields.number("timeoutInMinutes", 0),
        retries=int(fields.number("retryCountOnTaskFailure", 0)),
        env=fields.named_texts("env"),
    )


def _check_inputs(fields: Fields, kind: str, task: str, given: dict[str, str]) -> dict[str, str]:
    if task not in tasks.TASKS:
        return given
    inputs, wrong = tasks.canonical_inputs(task, given)
    inner = fields.fields("inputs") if kind == "task" else fields
    if "$(" in inputs.get("azureSubscription", ""):
        # [learn] library/service-endpoints: names of resources must be known when the YAML is expanded.
        wrong.append(
            ("azureSubscription", "A service connection must be known before the run: no $(variable) can name it")
        )
    for name, message in wrong:
        fields.wrong(inner.at(name) if inner is not None and name else fields.position, message)
    return inputs


def _title(kind: str, task: str, given: dict[str, str]) -> str:
    match kind:
        case "script" | "bash":
            return "CmdLine" if kind == "script" else "Bash"
        case "checkout":
            return "Checkout"
        case "publish":
            return f"Publish {given.get('artifact', '')}".strip()
        case "download":
            return f"Download {given.get('artifact', '') or 'artifacts'}"
    return task.partition("@")[0]


def _task(fields: Fields) -> tuple[str, dict[str, str]]:
    fields.allow((*_COMMON, "task", "inputs"), _UNSUPPORTED_COMMON)
    name = fields.text("task")
    known = next((task for task in tasks.TASKS if task.lower() == name.lower()), None)
    if known is None:
        fields.wrong(fields.at("task"), f"This rehearsal has no task '{name}'")
        return "", {}
    return known, fields.named_texts("inputs")


def _script(fields: Fields) -> tuple[str, dict[str, str]]:
    fields.allow((*_COMMON, "script", "workingDirectory", "failOnStderr"), _UNSUPPORTED_COMMON)
    return tasks.SCRIPT, _given(fields, ("script", "workingDirectory", "failOnStderr"))


def _bash(fields: Fields) -> tuple[str, dict[str, str]]:
    fields.allow((*_COMMON, "bash", "workingDirectory", "failOnStderr"), _UNSUPPORTED_COMMON)
    inputs = {"targetType": "inline", "script": fields.text("bash")}
    return tasks.BASH, inputs | _given(fields, ("workingDirectory", "failOnStderr"))


def _checkout(fields: Fields) -> tuple[str, dict[str, str]]:
    fields.allow((*_COMMON, "checkout", *_CHECKOUT_OPTIONS), (*_UNSUPPORTED_COMMON, *_UNSUPPORTED_CHECKOUT))
    which = fields.text("checkout")
    if which not in ("self", "none"):
        fields.wrong(fields.at("checkout"), f"This rehearsal checks out 'self' or 'none', not '{which}'")
    return tasks.CHECKOUT, {"repository": which}


def _publish(fields: Fields) -> tuple[str, dict[str, str]]:
    fields.allow((*_COMMON, "publish", "artifact"), _UNSUPPORTED_COMMON)
    return tasks.PUBLISH, {"targetPath": fields.text("publish"), "artifact": fields.text("artifact")}


def _download(fields: Fields) -> tuple[str, dict[str, str]]:
    fields.allow((*_COMMON, "download", "artifact", "patterns"), _UNSUPPORTED_COMMON)
    which = fields.text("download")
    if which not in ("current", "none"):
        fields.wrong(fields.at("download"), f"This rehearsal downloads from 'current' or 'none', not '{which}'")
    patterns = fields.text("patterns") or "**"
    return tasks.DOWNLOAD_SHORTCUT, {"source": which, "artifact": fields.text("artifact"), "patterns": patterns}


def _given(fields: Fields, names: tuple[str, ...]) -> dict[str, str]:
    return {name: fields.text(name) for name in names if fields.has(name)}


_READERS = {
    "task": _task,
    "script": _script,
    "bash": _bash,
    "checkout": _checkout,
    "publish": _publish,
    "download": _download,
}
