"""Keep what a run's events say, as the timeline, tests, issues and summaries that the report shows."""

from __future__ import annotations

from collections.abc import Callable

from rehearsal.pipelines import events
from rehearsal.report import model


class Recorder:
    """Listens to a pipeline run. `elapsed` gives the seconds since the rehearsal began."""

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self._elapsed = elapsed
        self._open: dict[events.Where, model.Span] = {}
        self.stages: list[model.Span] = []
        self.suites: list[model.TestSuite] = []
        self.issues: list[model.Issue] = []
        self.summaries: list[model.Summary] = []
        self.environments: dict[str, str] = {}
        self.build_number = ""

    def on_event(self, event: events.Event) -> None:
        match event:
            case events.RunStarted():
                self.build_number = event.build_number
            case events.StageStarted() | events.JobStarted() | events.StepStarted():
                self._start(event.where, event.title)
                if isinstance(event, events.JobStarted) and event.environment:
                    self.environments[event.environment] = event.where.stage
            case events.StageFinished() | events.JobFinished() | events.StepFinished():
                self._finish(event.where, event.title, event.result, event.seconds)
            case events.TestResults():
                self._suite(event)
            case events.Issue():
                self.issues.append(model.Issue(kind=event.kind, text=event.text, where=place(event.where)))
            case events.Summary():
                self.summaries.append(model.Summary(name=event.name, stage=event.where.stage, markdown=event.markdown))
            case _:
                pass

    def stage(self, name: str) -> model.Span | None:
        """The stage's span, or None when the run has no such stage."""
        return self._open.get(events.Where(stage=name))

    def _start(self, where: events.Where, title: str) -> model.Span:
        span = model.Span(title or where.step or where.hook or where.job or where.stage, self._elapsed())
        self._open[where] = span
        self._siblings(where).append(span)
        return span

    def _finish(self, where: events.Where, title: str, result: str, seconds: float) -> None:
        # What is skipped finishes without having started.
        span = self._open.get(where) or self._start(where, title)
        span.outcome = result
        span.seconds = seconds

    def _siblings(self, where: events.Where) -> list[model.Span]:
        if where.step:
            parent = events.Where(stage=where.stage, job=where.job, hook=where.hook)
        elif where.job:
            parent = events.Where(stage=where.stage)
        else:
            return self.stages
        return self._open[parent].children if parent in self._open else self.stages

    def _suite(self, event: events.TestResults) -> None:
        cases = [
            model.TestCase(
                name=f"{case.classname}: {case.name}" if case.classname else case.name,
                outcome=case.outcome,
                seconds=case.seconds,
                message=case.message,
            )
            for case in event.cases
        ]
        self.suites.append(model.TestSuite(title=event.title, stage=event.where.stage, cases=cases))


def place(where: events.Where) -> str:
    """Where something happened, for a person: stage, hook or job, step."""
    return " / ".join(part for part in (where.stage, where.hook or where.job, where.step) if part)
