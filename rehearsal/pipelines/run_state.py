"""What a run knows while its stages run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from rehearsal.pipelines.agent.artifacts import Artifacts
from rehearsal.pipelines.agent.masking import Masker
from rehearsal.pipelines.agent.reporter import Reporter
from rehearsal.pipelines.conditions import Finished
from rehearsal.pipelines.events import Result
from rehearsal.pipelines.host import AgentHost
from rehearsal.pipelines.model import Pipeline


@dataclass(kw_only=True)
class RunState:
    """variables: the predefined ones of the run. stages, jobs: what is over; jobs by stage and job, all in lower case.

    counts_as: a stage's result in the eyes of those that depend on it.
    """

    host: AgentHost
    repository: Path
    folder: Path
    keep_out: Path
    pipeline: Pipeline
    variables: dict[str, str]
    masker: Masker
    artifacts: Artifacts
    cancel: Event
    reporter: Reporter
    stages: dict[str, Finished] = field(default_factory=dict)
    jobs: dict[str, dict[str, Finished]] = field(default_factory=dict)
    counts_as: dict[str, Result] = field(default_factory=dict)

    def rename_build(self, number: str) -> None:
        self.variables["Build.BuildNumber"] = number
