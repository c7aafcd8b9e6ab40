"""What a run tells while it goes on. A listener gets every event in order, from the thread that runs the pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

Result = Literal["succeeded", "succeededWithIssues", "failed", "canceled", "skipped"]
LineKind = Literal["plain", "command", "section", "group", "endgroup", "warning", "error", "debug"]


@dataclass(frozen=True, kw_only=True)
class Where:
    """The place in a run that an event belongs to; hook is "" in a job that is no deployment, step is "" outside steps."""

    stage: str = ""
    job: str = ""
    hook: str = ""
    step: str = ""


@dataclass(frozen=True, kw_only=True)
class Event:
    where: Where


@dataclass(frozen=True, kw_only=True)
class RunStarted(Event):
    build_number: str
    stages: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class StageStarted(Event):
    title: str


@dataclass(frozen=True, kw_only=True)
class StageFinished(Event):
    """`reason` says why a stage was skipped."""

    title: str
    result: Result
    seconds: float
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class JobStarted(Event):
    """One agent job: a job, or one hook of a deployment. `environment` is what a deployment goes to."""

    title: str
    environment: str = ""


@dataclass(frozen=True, kw_only=True)
class JobFinished(Event):
    title: str
    result: Result
    seconds: float
    environment: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class StepStarted(Event):
    title: str
    task: str


@dataclass(frozen=True, kw_only=True)
class StepFinished(Event):
    title: str
    task: str
    result: Result
    seconds: float
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class LogLine(Event):
    """One line of a log, secrets already masked, the `##[…]` that marked its kind taken off."""

    text: str
    kind: LineKind = "plain"


@dataclass(frozen=True, kw_only=True)
class Issue(Event):
    kind: Literal["warning", "error"]
    text: str


@dataclass(frozen=True, kw_only=True)
class TestCase:
    """`classname` and `name` as in JUnit XML; `message` says why it did not pass."""

    __test__ = False

    classname: str
    name: str
    outcome: Literal["passed", "failed", "error", "skipped"]
    seconds: float
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class TestResults(Event):
    __test__ = False

    title: str
    cases: tuple[TestCase, ...]


@dataclass(frozen=True, kw_only=True)
class Summary(Event):
    """A Markdown file that a step attached to the run's page."""

    name: str
    markdown: str


@dataclass(frozen=True, kw_only=True)
class Attachment(Event):
    """A file that a step attached. It goes with the job's workspace: copy it while the event is handled."""

    type: str
    name: str
    path: Path


@dataclass(frozen=True, kw_only=True)
class ArtifactPublished(Event):
    name: str
    folder: Path
    files: int
    bytes: int


class Listener(Protocol):
    def on_event(self, event: Event) -> None: ...
