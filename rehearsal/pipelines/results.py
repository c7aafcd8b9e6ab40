"""How a run ended."""

from __future__ import annotations

from dataclasses import dataclass

from rehearsal.pipelines.events import ArtifactPublished, Issue, Result, Summary, TestResults


@dataclass(frozen=True, kw_only=True)
class StepResult:
    title: str
    task: str
    result: Result
    seconds: float


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """One agent job: a job, or one hook of a deployment."""

    name: str
    hook: str
    title: str
    environment: str
    result: Result
    seconds: float
    steps: tuple[StepResult, ...]


@dataclass(frozen=True, kw_only=True)
class StageResult:
    name: str
    title: str
    result: Result
    seconds: float
    reason: str
    jobs: tuple[JobResult, ...]


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """result: succeeded, succeededWithIssues, failed or canceled. `seconds` is the length of the whole run."""

    result: Result
    build_number: str
    seconds: float
    stages: tuple[StageResult, ...]
    tests: tuple[TestResults, ...]
    summaries: tuple[Summary, ...]
    issues: tuple[Issue, ...]
    artifacts: tuple[ArtifactPublished, ...]
