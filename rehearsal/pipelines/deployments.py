"""Which environments a pipeline releases to, and the service connection that each is released with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rehearsal.pipelines import tasks
from rehearsal.pipelines.compile import compile_pipeline
from rehearsal.pipelines.expressions import Value
from rehearsal.pipelines.files import Files


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """environment: of the deployment job. service_connections: those that its steps use, in order."""

    stage: str
    environment: str
    service_connections: tuple[str, ...]


def deployments(
    repository: Path,
    pipeline_file: str = "azure-pipelines.yml",
    parameters: Mapping[str, Value] | None = None,
    *,
    reason: str = "IndividualCI",
) -> list[Deployment]:
    """Every deployment of a pipeline in the order of its file. Raises PipelineErrors when its YAML is wrong."""
    pipeline = compile_pipeline(Files(repository), pipeline_file, parameters or {}, {"Build.Reason": reason})
    return [
        Deployment(
            stage=stage.name,
            environment=job.environment,
            service_connections=tuple(
                dict.fromkeys(
                    step.inputs["azureSubscription"] for step in job.all_steps() if step.task == tasks.AZURE_CLI
                )
            ),
        )
        for stage in pipeline.stages
        for job in stage.jobs
        if job.is_deployment
    ]
