"""From a repository to the final YAML that the service's preview would show, or to everything that the service would refuse."""

from __future__ import annotations

import sys
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass

from rehearsal.pipelines import schema
from rehearsal.pipelines.expansion import Expander
from rehearsal.pipelines.expressions import Value
from rehearsal.pipelines.files import Files
from rehearsal.pipelines.normal_form import normal_pipeline
from rehearsal.pipelines.outline import check_outline
from rehearsal.pipelines.yaml_nodes import Mapping, PipelineError, PipelineErrors

_FRAMES = 20_000


@dataclass(frozen=True)
class Preview:
    """pipeline: the final form. warnings: what the service takes although it documents it otherwise.

    doubts: what the service lets through, and what does not do at run time what it says.
    """

    pipeline: Mapping
    warnings: tuple[PipelineError, ...]
    doubts: tuple[PipelineError, ...]


def preview(files: Files, name: str, parameters: MappingOf[str, Value], predefined: MappingOf[str, str]) -> Preview:
    """The final form of a pipeline. Raises PipelineErrors with all that is wrong with it, in the order of files and lines."""
    # Deep templates are deep calls. The service's limits end an expansion long before this does.
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _FRAMES))
    try:
        return _preview(files, name, parameters, predefined)
    finally:
        sys.setrecursionlimit(before)


def _preview(files: Files, name: str, parameters: MappingOf[str, Value], predefined: MappingOf[str, str]) -> Preview:
    expander = Expander(files, predefined)
    try:
        node = expander.pipeline(name, parameters)
    except PipelineError as error:
        raise PipelineErrors(in_order([*expander.errors, *files.also_wrong, error])) from error
    found = schema.check_pipeline(node)
    errors = [*expander.errors, *files.also_wrong, *found.errors]
    if errors:
        raise PipelineErrors(in_order(errors))
    pipeline = normal_pipeline(node)
    order = check_outline(pipeline)
    if order.errors:
        raise PipelineErrors(in_order(order.errors))
    return Preview(pipeline, tuple(in_order(found.warnings)), tuple(in_order(order.warnings)))


def in_order(errors: list[PipelineError]) -> list[PipelineError]:
    """Each mistake once, by file and line."""
    unique = {(error.position, error.message): error for error in errors}
    return sorted(unique.values(), key=lambda error: error.position)
