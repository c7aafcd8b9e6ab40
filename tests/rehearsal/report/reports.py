"""A report to look at, and a run's events."""

from __future__ import annotations

from typing import Any

from rehearsal.report.model import EnvironmentResult, Job, Report, Slots, Span, Summary, TestCase, TestSuite

HOSTILE = '<script>alert("x")</script>'


def slots(live: str | None, **versions: str) -> Slots:
    jobs = [Job(name="bikeshare dev: score", job_id=7, slot=live or "", paused=True)] if live else []
    return Slots(live=live, versions=versions, jobs=jobs)


def report(**changes: Any) -> Report:
    suite = TestSuite(
        title="Integration test, dev",
        stage="dev",
        cases=[
            TestCase(name="good", outcome="passed", seconds=1.0),
            TestCase(name="bad", outcome="failed", seconds=0.5, message=HOSTILE),
            TestCase(name="absent", outcome="skipped", seconds=0.0),
        ],
    )
    whole: dict[str, Any] = {
        "number": 3,
        "started": 0.0,
        "seconds": 20.0,
        "outcome": "failed",
        "commit": "abc",
        "environments": [
            EnvironmentResult(
                name="dev",
                outcome="failed",
                seconds=9.0,
                tests=suite,
                before=slots("blue", blue="1"),
                after=slots("green", blue="1", green="2"),
            )
        ],
        "stages": [Span("Release to dev", 2.0, 9.0, "failed", [Span("deploy", 2.0, 9.0, "failed")])],
        "suites": [suite],
        "summaries": [Summary(name="what", stage="dev", markdown=f"| a | b |\n|---|---|\n| {HOSTILE} | 2 |\n")],
        "issues": [],
        "requests": {"management.azure.com": 4},
        "refusals": {},
        "notes": [],
    }
    return Report(**{**whole, **changes})
