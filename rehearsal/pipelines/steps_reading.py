"""One step in its final form to the task that it stands for.

Source of the keys: MicrosoftDocs/azure-devops-yaml-schema, content/steps-*.md.
"""

from __future__ import annotations

from typing import TypedDict

from rehearsal.pipelines import normal_form, tasks
from rehearsal.pipelines.fields import Fields
from rehearsal.pipelines.model import Step
from rehearsal.pipelines.yaml_nodes import Scalar

_COMMON = (
    *("displayName", "name", "condition", "continueOnError", "enabled", "env", "timeoutInMinutes"),
    *("retryCountOnTaskFailure", "task", "inputs", "target"),
)


class _Target(TypedDict):
    restricted: bool
    settable_variables: tuple[str, ...] | None


_CHECKOUT_OPTIONS = ("clean", "fetchDepth", "fetchTags", "fetchFilter", "lfs", "persistCredentials", "submodules")


def read_step(fields: Fields) -> Step | None:
    """The step, or None when it is one that a rehearsal does not have; all that is wrong is reported."""
    shortcut = next((name for name in normal_form.UNKNOWN_SHORTCUTS if fields.has(name)), None)
    if shortcut is not None:
        fields.wrong(fields.position, f"This rehearsal has no step '{shortcut}'")
        return None
    fields.allow(_COMMON)
    written = fields.text("task")
    task, inputs = _READERS.get(written, _task)(fields)
    if task == "":
        return None
    return Step(
        task=task,
        inputs=_check_inputs(fields, task, inputs),
        position=fields.position,
        name=fields.text("name"),
        display_name=fields.text("displayName") or _title(task, inputs),
        condition=fields.text("condition") or None,
        continue_on_error=fields.boolean("continueOnError", False),
        enabled=fields.boolean("enabled", True),
        timeout_minutes=fields.number("timeoutInMinutes", 0),
        retries=int(fields.number("retryCountOnTaskFailure", 0)),
        env=fields.named_texts("env"),
        **_target(fields),
    )


def _target(fields: Fields) -> _Target:
    """[schema] content/target.md: a rehearsal has the machine alone, no containers."""
    target = fields.fields("target")
    if target is None:
        return {"restricted": False, "settable_variables": None}
    container = target.text("container")
    if container not in ("", "host"):
        target.wrong(target.at("container"), f"This rehearsal has no container '{container}' to run a step in")
    settable = target.texts("settableVariables")
    if settable == ("none",) and isinstance(target.node.get("settableVariables"), Scalar):
        settable = ()
    return {"restricted": target.text("commands").lower() == "restricted", "settable_variables": settable}


def _check_inputs(fields: Fields, task: str, given: dict[str, str]) -> dict[str, str]:
    if task not in tasks.TASKS:
        return given
    inputs, wrong = tasks.canonical_inputs(task, given)
    inner = fields.fields("inputs")
    if "$(" in inputs.get("azureSubscription", ""):
        # [learn] library/service-endpoints: names of resources must be known when the YAML is expanded.
        wrong.append(
            ("azureSubscription", "A service connection must be known before the run: no $(variable) can name it")
        )
    for name, message in wrong:
        fields.wrong(inner.at(name) if inner is not None and name else fields.position, message)
    return inputs


def _title(task: str, given: dict[str, str]) -> str:
    artifact = given.get("artifact") or given.get("artifactName") or ""
    match task:
        case tasks.CHECKOUT:
            return "Checkout"
        case tasks.PUBLISH:
            return f"Publish {artifact}".strip()
        case tasks.DOWNLOAD_SHORTCUT:
            return f"Download {artifact or 'artifacts'}"
    return task.partition("@")[0]


def _task(fields: Fields) -> tuple[str, dict[str, str]]:
    name = fields.text("task")
    known = next((task for task in tasks.TASKS if task.lower() == name.lower()), None)
    if known is None:
        fields.wrong(fields.at("task"), f"This rehearsal has no task '{name}'")
        return "", {}
    return known, fields.named_texts("inputs")


def _checkout(fields: Fields) -> tuple[str, dict[str, str]]:
    given = fields.named_texts("inputs")
    inner = fields.fields("inputs") or fields
    inner.allow(("repository", *_CHECKOUT_OPTIONS))
    which = given.get("repository", "")
    if which not in ("self", "none"):
        fields.wrong(inner.at("repository"), f"This rehearsal checks out 'self' or 'none', not '{which}'")
    return tasks.CHECKOUT, {"repository": which}


def _publish(fields: Fields) -> tuple[str, dict[str, str]]:
    return tasks.PUBLISH, fields.named_texts("inputs")


def _download(fields: Fields) -> tuple[str, dict[str, str]]:
    given = fields.named_texts("inputs")
    which = given.get("alias", "")
    if which not in ("current", "none"):
        fields.wrong(fields.at("inputs"), f"This rehearsal downloads from 'current' or 'none', not '{which}'")
    patterns = given.get("patterns") or "**"
    return tasks.DOWNLOAD_SHORTCUT, {"source": which, "artifact": given.get("artifact", ""), "patterns": patterns}


_READERS = {normal_form.CHECKOUT: _checkout, normal_form.PUBLISH: _publish, normal_form.DOWNLOAD: _download}
