"""From a repository to the pipeline that would run, or to everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping

from rehearsal.pipelines.conditions import check_condition
from rehearsal.pipelines.expansion import Expander
from rehearsal.pipelines.expressions import ExpressionError, Value, parse
from rehearsal.pipelines.files import Files
from rehearsal.pipelines.graph import check_order
from rehearsal.pipelines.model import Job, Pipeline, Stage, Step, Variable
from rehearsal.pipelines.reading import read_pipeline
from rehearsal.pipelines.yaml_nodes import PipelineError, PipelineErrors, Position


def compile_pipeline(
    files: Files, name: str, parameters: Mapping[str, Value], predefined: Mapping[str, str]
) -> Pipeline:
    """The expanded pipeline. Raises PipelineErrors with all that is wrong with it, in the order of files and lines."""
    expander = Expander(files, predefined)
    try:
        node = expander.pipeline(name, parameters)
    except PipelineError as error:
        raise PipelineErrors([*expander.errors, error]) from error
    errors = list(expander.errors)
    pipeline = read_pipeline(node, errors)
    if not errors:
        errors += check_order(pipeline)
        errors += _check_conditions(pipeline)
    if errors:
        unique = {(error.position, error.message): error for error in errors}
        raise PipelineErrors(sorted(unique.values(), key=lambda error: error.position))
    return pipeline


def _check_conditions(pipeline: Pipeline) -> list[PipelineError]:
    errors: list[PipelineError] = []

    def check(item: Stage | Job | Step, level: str, dependencies: tuple[str, ...] = ()) -> None:
        wrong = check_condition(item.condition, level, dependencies) if item.condition else None
        if wrong:
            errors.append(PipelineError(item.position, wrong))

    errors += _check_variables(pipeline.variables, Position(pipeline.file, 1, 1))
    for stage in pipeline.stages:
        check(stage, "stage", stage.depends_on)
        errors += _check_variables(stage.variables, stage.position)
        for job in stage.jobs:
            check(job, "job", job.depends_on)
            errors += _check_variables(job.variables, job.position)
            for step in job.all_steps():
                check(step, "step")
    return errors


def _check_variables(variables: tuple[Variable, ...], at: Position) -> list[PipelineError]:
    errors: list[PipelineError] = []
    for variable in variables:
        text = variable.value.strip()
        if text.startswith("$["):
            try:
                parse(text[2:-1] if text.endswith("]") else text)
            except ExpressionError as error:
                errors.append(PipelineError(at, f"The variable '{variable.name}': {error}"))
    return errors
