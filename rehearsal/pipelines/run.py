"""Run a pipeline of a repository on this machine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from threading import Event as CancelEvent

from rehearsal.pipelines.events import Listener
from rehearsal.pipelines.expressions import Value
from rehearsal.pipelines.host import AgentHost
from rehearsal.pipelines.results import RunResult


def run_pipeline(
    *,
    repository: Path,
    pipeline_file: str,
    host: AgentHost,
    listener: Listener,
    work: Path,
    parameters: Mapping[str, Value] | None = None,
    only: Collection[str] | None = None,
    reason: str = "IndividualCI",
    cancel: CancelEvent | None = None,
) -> RunResult:
    """Expand the pipeline and run its stages in the order of their dependencies, one after the other.

    only: run these stages and those that deploy nothing; what they depend on besides counts as succeeded.
    reason: Build.Reason, for example PullRequest. cancel: set it to cancel the run as a person would.
    work: a folder for workspaces and artifacts; a folder per run is made in it.
    Raises PipelineErrors before anything runs when the YAML is wrong or asks for what a rehearsal does not have.
    """
    raise NotImplementedError
