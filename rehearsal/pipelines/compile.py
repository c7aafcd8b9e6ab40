"""From a repository to the pipeline that would run here, or to everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping

from rehearsal.pipelines.expressions import Value
from rehearsal.pipelines.files import Files
from rehearsal.pipelines.model import Pipeline
from rehearsal.pipelines.preview import in_order, preview
from rehearsal.pipelines.reading import read_pipeline
from rehearsal.pipelines.yaml_nodes import PipelineError, PipelineErrors


def compile_pipeline(
    files: Files, name: str, parameters: Mapping[str, Value], predefined: Mapping[str, str]
) -> Pipeline:
    """The expanded pipeline. Raises PipelineErrors with all that is wrong with it, in the order of files and lines.

    Refused is what the service would refuse, what an agent would refuse later, and what a rehearsal does not have.
    """
    found = preview(files, name, parameters, predefined)
    errors: list[PipelineError] = list(found.doubts)
    pipeline = read_pipeline(found.pipeline, errors)
    if errors:
        raise PipelineErrors(in_order(errors))
    return pipeline
