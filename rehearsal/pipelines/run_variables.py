"""The variables of a pipeline, its stages and jobs before a job has begun: groups put in, `$[ ]` of the pipeline worked out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from rehearsal.pipelines.conditions import runtime_value
from rehearsal.pipelines.counters import Counters
from rehearsal.pipelines.expressions import ExpressionError, Value
from rehearsal.pipelines.host import AgentHost, GroupVariable
from rehearsal.pipelines.model import Pipeline, Variable
from rehearsal.pipelines.yaml_nodes import PipelineError, Position


def started_at(host: AgentHost) -> Value:
    """The context `pipeline`."""
    return {"startTime": datetime.fromtimestamp(host.clock(), UTC)}


def groups_of(variables: Iterable[Variable], host: AgentHost) -> Iterator[tuple[str, GroupVariable]]:
    """What the groups among some variables hold."""
    for variable in variables:
        yield from _group(variable.group, host).items() if variable.group else ()


def _group(name: str, host: AgentHost) -> Mapping[str, GroupVariable]:
    return next((held for known, held in host.variable_groups.items() if known.lower() == name.lower()), {})


def missing_groups(variables: Iterable[Variable], host: AgentHost) -> Iterator[PipelineError]:
    """Groups that nobody gave: the service refuses a run with one before it begins."""
    known = {name.lower() for name in host.variable_groups}
    for variable in variables:
        if variable.group and variable.group.lower() not in known:
            text = (
                f"Variable group {variable.group} was not found or is not authorized for use. "
                f"Give it to the rehearsal: --variable-group {variable.group}=FILE"
            )
            yield PipelineError(variable.position, text)


def with_values(pipeline: Pipeline, predefined: Mapping[str, str], host: AgentHost, counters: Counters) -> Pipeline:
    """The pipeline with its own `$[ ]` variables worked out, once for the whole run. Raises PipelineError."""
    known: dict[str, str] = dict(predefined)
    found: list[Variable] = []
    for variable in pipeline.variables:
        if variable.value.strip().startswith("$["):
            names: dict[str, Value] = {"variables": known, "pipeline": started_at(host)}
            try:
                variable = replace(variable, value=runtime_value(variable.value, names, counters.next))
            except ExpressionError as error:
                at = Position(pipeline.file, 1, 1)
                raise PipelineError(at, f"The variable '{variable.name}': {error}") from error
        for name, held in groups_of([variable], host):
            known[name] = held.value
        if variable.name:
            known[variable.name] = variable.value
        found.append(variable)
    return replace(pipeline, variables=tuple(found))
