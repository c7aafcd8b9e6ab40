"""The stages, jobs and steps of a pipeline in its final form, as far as names, order and conditions go, and their check."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass

from rehearsal.pipelines.conditions import check_condition, check_step_condition, unknown_dependencies
from rehearsal.pipelines.expressions import ExpressionError, parse
from rehearsal.pipelines.graph import check_names
from rehearsal.pipelines.schema_kinds import Findings
from rehearsal.pipelines.yaml_nodes import Mapping, Node, PipelineError, Position, Scalar, Sequence

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NO_MACROS = "A condition is read before any $(variable) is put in: write variables['name']"
_STEP_NAME = re.compile(r"[-_A-Za-z0-9]*")


@dataclass(frozen=True, kw_only=True)
class Part:
    """A stage or a job. parts: the jobs of a stage; steps: those of a job, in all its hooks."""

    name: str
    position: Position
    depends_on: tuple[str, ...]
    node: Mapping
    parts: tuple[Part, ...] = ()
    steps: tuple[tuple[Mapping, ...], ...] = ()


def outline(pipeline: Mapping) -> tuple[Part, ...]:
    """The stages of a pipeline in its final form."""
    stages: list[Part] = []
    for node in _mappings(pipeline.get("stages")):
        depends_on = _texts(node.get("dependsOn"))
        if depends_on is None:
            # Without dependsOn a stage waits for the one before it.
            depends_on = (stages[-1].name,) if stages and stages[-1].name else ()
        jobs = tuple(_job(job) for job in _mappings(node.get("jobs")))
        stages.append(
            Part(name=_text(node, "stage"), position=node.position, depends_on=depends_on, node=node, parts=jobs)
        )
    return tuple(stages)


def _job(node: Mapping) -> Part:
    lists = [tuple(_mappings(node.get("steps")))]
    lists += [tuple(_mappings(hook.get("steps"))) for hook in _hooks(node.get("strategy"))]
    return Part(
        name=_text(node, "deployment" if node.get("deployment") is not None else "job"),
        position=node.position,
        depends_on=_texts(node.get("dependsOn")) or (),
        node=node,
        steps=tuple(lists),
    )


def _hooks(node: Node | None) -> Iterator[Mapping]:
    if isinstance(node, Mapping):
        for key, value in node.pairs:
            if isinstance(value, Mapping):
                if key.text in ("runOnce", "rolling", "canary", "on"):
                    yield from _hooks(value)
                else:
                    yield value


def check_outline(pipeline: Mapping) -> Findings:
    """Names, dependencies and conditions. errors: what the service refuses; warnings: what it lets through."""
    found = Findings()
    stages = outline(pipeline)
    found.errors += check_names("stage", stages, pipeline.position)
    found.errors += _wrong_values(pipeline)
    for stage in stages:
        _check_name("stage", stage, found)
        _check_condition(stage, "stage", found)
        found.errors += check_names("job", stage.parts, stage.position, f"Stage {stage.name}")
        found.warnings += _wrong_values(stage.node)
        for job in stage.parts:
            _check_name("job", job, found)
            _check_condition(job, "job", found)
            # The service does not look at them before the job runs.
            found.warnings += _wrong_values(job.node)
            for steps in job.steps:
                _check_steps(steps, found)
    return found


def _check_name(what: str, part: Part, found: Findings) -> None:
    key = next((key for key in ("stage", "job", "deployment") if part.node.get(key) is not None), what)
    at = part.node.get(key)
    if part.name and not _NAME.fullmatch(part.name):
        text = f"The {what} name '{part.name}' is not valid: letters, digits and '_', no digit first"
        found.errors.append(PipelineError(at.position if at is not None else part.position, text))
    if key == "deployment" and part.name.lower() == "deploy":
        found.errors.append(PipelineError(part.position, "The name 'deploy' is reserved"))


def _check_condition(part: Part, level: str, found: Findings) -> None:
    condition = part.node.get("condition")
    if not isinstance(condition, Scalar) or not condition.text.strip():
        return
    wrong = check_condition(condition.text, level)
    if wrong and "$(" in condition.text:
        found.warnings.append(PipelineError(condition.position, f"{wrong}. {_NO_MACROS}"))
        return
    if wrong:
        found.errors.append(PipelineError(condition.position, wrong))
        return
    for name in unknown_dependencies(condition.text, level, part.depends_on):
        text = f"The condition asks for '{name}', which is not in 'dependsOn': it will be empty"
        found.warnings.append(PipelineError(condition.position, text))


def _wrong_values(node: Mapping) -> Iterator[PipelineError]:
    """Variables whose `$[ ]` cannot be read."""
    for variable in _mappings(node.get("variables")):
        value = variable.get("value")
        if isinstance(value, Scalar) and value.text.strip().startswith("$["):
            text = value.text.strip()
            try:
                parse(text[2:-1] if text.endswith("]") else text)
            except ExpressionError as error:
                yield PipelineError(value.position, f"The variable '{_text(variable, 'name')}': {error}")


def _check_steps(steps: SequenceOf[Mapping], found: Findings) -> None:
    names: set[str] = set()
    for step in steps:
        name = step.get("name")
        if isinstance(name, Scalar) and name.text:
            if not _STEP_NAME.fullmatch(name.text):
                text = f"The step name '{name.text}' is not valid: letters, digits, '_' and '-' only"
                found.errors.append(PipelineError(name.position, text))
            if name.text.lower() in names:
                found.errors.append(PipelineError(name.position, f"The step name '{name.text}' appears more than once"))
            names.add(name.text.lower())
        condition = step.get("condition")
        if isinstance(condition, Scalar) and condition.text.strip():
            wrong = check_step_condition(condition.text)
            if wrong.refused and "$(" in condition.text:
                found.warnings.append(PipelineError(condition.position, f"{wrong.refused}. {_NO_MACROS}"))
            elif wrong.refused:
                found.errors.append(PipelineError(condition.position, wrong.refused))
            elif wrong.later:
                found.warnings.append(PipelineError(condition.position, wrong.later))


def _mappings(node: Node | None) -> Iterator[Mapping]:
    if isinstance(node, Sequence):
        yield from (item for item in node.items if isinstance(item, Mapping))


def _texts(node: Node | None) -> tuple[str, ...] | None:
    if node is None:
        return None
    if isinstance(node, Sequence):
        return tuple(item.text for item in node.items if isinstance(item, Scalar))
    return (node.text,) if isinstance(node, Scalar) and node.text else ()


def _text(node: Mapping, key: str) -> str:
    value = node.get(key)
    return value.text if isinstance(value, Scalar) else ""
