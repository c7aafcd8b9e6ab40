"""What the report shows, as data. Times are seconds; `start` counts from the beginning of the rehearsal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["succeeded", "failed", "skipped", "canceled", "succeededWithIssues", "running"]


@dataclass
class Span:
    """A piece of the timeline: a stage, a job (or one hook of a deployment), a step."""

    name: str
    start: float
    seconds: float = 0.0
    outcome: str = "running"
    children: list[Span] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class TestCase:
    name: str
    outcome: str
    seconds: float
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class TestSuite:
    title: str
    stage: str
    cases: Sequence[TestCase]

    @property
    def passed(self) -> int:
        return sum(case.outcome == "passed" for case in self.cases)

    @property
    def counted(self) -> int:
        """Those that ran: a skipped case has neither passed nor failed."""
        return sum(case.outcome != "skipped" for case in self.cases)


@dataclass(frozen=True, kw_only=True)
class Job:
    """paused is None for a job that has no schedule."""

    name: str
    job_id: int
    slot: str
    paused: bool | None


@dataclass(frozen=True, kw_only=True)
class Slots:
    """One environment at one moment, as `scripts/status.py --json` says it; None: there was no release yet."""

    live: str | None
    versions: Mapping[str, str]
    jobs: Sequence[Job] = ()

    def job(self, job_id: int) -> Job | None:
        return next((job for job in self.jobs if job.job_id == job_id), None)


@dataclass(frozen=True, kw_only=True)
class Resource:
    type: str
    name: str
    location: str


@dataclass(frozen=True, kw_only=True)
class Trigger:
    name: str
    runs: bool


@dataclass(frozen=True, kw_only=True)
class Factory:
    """A data factory at the end: `objects` counts them by kind; `release_folder` is where its pipelines find notebooks."""

    name: str
    release_folder: str
    objects: Mapping[str, int]
    triggers: Sequence[Trigger]

    @property
    def slot(self) -> str:
        last = self.release_folder.rpartition("/")[2]
        return last if last in ("blue", "green") else ""


@dataclass(frozen=True, kw_only=True)
class EnvironmentResult:
    """One row of the closing table."""

    name: str
    outcome: str
    seconds: float
    tests: TestSuite | None
    before: Slots
    after: Slots
    resources: Sequence[Resource] = ()
    factory: Factory | None = None


@dataclass(frozen=True, kw_only=True)
class Issue:
    kind: str
    text: str
    where: str


@dataclass(frozen=True, kw_only=True)
class Summary:
    name: str
    stage: str
    markdown: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything about one rehearsal.

    requests: how many reached a stand-in, by hostname. refusals: what was asked for and is not in a rehearsal, and how often.
    """

    number: int
    started: float
    seconds: float
    outcome: str
    commit: str
    environments: Sequence[EnvironmentResult]
    stages: Sequence[Span]
    suites: Sequence[TestSuite]
    summaries: Sequence[Summary]
    issues: Sequence[Issue]
    requests: Mapping[str, int]
    refusals: Mapping[str, int]
    notes: Sequence[str]


def slots_from_status(status: Mapping[str, Any] | None) -> Slots:
    """Read the answer of `status.py --json`; an environment with no state yet has no live slot."""
    if not status:
        return Slots(live=None, versions={})
    versions = {name: slot.get("version") or "" for name, slot in (status.get("slots") or {}).items() if slot}
    jobs = [
        Job(
            name=job.get("name") or key,
            job_id=int(job["id"]),
            slot=job.get("slot") or "",
            paused=None if job.get("pause_status") is None else job["pause_status"] == "PAUSED",
        )
        for key, job in (status.get("jobs") or {}).items()
    ]
    return Slots(live=status.get("live"), versions=versions, jobs=jobs)
