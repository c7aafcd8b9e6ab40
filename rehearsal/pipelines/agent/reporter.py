"""Where everything that a run tells goes through: masked, sent to the listener, and kept for the run's result."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from rehearsal.pipelines.agent.masking import Masker
from rehearsal.pipelines.events import (
    ArtifactPublished,
    Attachment,
    Event,
    Issue,
    LineKind,
    Listener,
    LogLine,
    Summary,
    TestCase,
    TestResults,
    Where,
)


@dataclass
class Kept:
    """What a run brought to light, in order."""

    tests: list[TestResults] = field(default_factory=list)
    summaries: list[Summary] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    artifacts: list[ArtifactPublished] = field(default_factory=list)


class Reporter:
    """Speaks for one place in the run; `at` gives one for a place further in."""

    def __init__(self, listener: Listener, masker: Masker, kept: Kept, where: Where) -> None:
        self._listener = listener
        self._masker = masker
        self._kept = kept
        self.where = where

    def at(self, *, stage: str | None = None, job: str = "", hook: str = "", step: str = "") -> Reporter:
        inner = Where(stage=stage if stage is not None else self.where.stage, job=job, hook=hook, step=step)
        return Reporter(self._listener, self._masker, self._kept, inner)

    def in_step(self, step: str) -> Reporter:
        return Reporter(self._listener, self._masker, self._kept, replace(self.where, step=step))

    def emit(self, event: Event) -> None:
        self._listener.on_event(event)

    def mask(self, text: str) -> str:
        return self._masker.mask(text)

    def line(self, text: str, kind: LineKind = "plain") -> None:
        self.emit(LogLine(where=self.where, text=self.mask(text), kind=kind))

    def issue(self, kind: Literal["warning", "error"], text: str) -> None:
        """A warning or an error that the run's page shows too."""
        issue = Issue(where=self.where, kind=kind, text=self.mask(text))
        self._kept.issues.append(issue)
        self.emit(issue)
        self.line(text, kind)

    def tests(self, title: str, cases: tuple[TestCase, ...]) -> None:
        masked = tuple(replace(case, message=self.mask(case.message)) for case in cases)
        results = TestResults(where=self.where, title=title, cases=masked)
        self._kept.tests.append(results)
        self.emit(results)

    def summary(self, name: str, markdown: str) -> None:
        summary = Summary(where=self.where, name=name, markdown=self.mask(markdown))
        self._kept.summaries.append(summary)
        self.emit(summary)

    def attachment(self, kind: str, name: str, path: Path) -> None:
        self.emit(Attachment(where=self.where, type=kind, name=name, path=path))

    def artifact(self, name: str, folder: Path, files: int, size: int) -> None:
        published = ArtifactPublished(where=self.where, name=name, folder=folder, files=files, bytes=size)
        self._kept.artifacts.append(published)
        self.emit(published)
