"""What is kept of a run's events, and what the log shows of them."""

from __future__ import annotations

import io
from pathlib import Path

from rehearsal.console import Log, closing_table
from rehearsal.pipelines import events
from rehearsal.pipelines.events import Where
from rehearsal.recorder import Recorder
from tests.rehearsal.report.reports import report

STAGE, JOB = Where(stage="dev"), Where(stage="dev", job="release", hook="deploy")
STEP = Where(stage="dev", job="release", hook="deploy", step="Publish")
RUN = [
    events.StageStarted(where=STAGE, title="Release to dev"),
    events.JobStarted(where=JOB, title="deploy", environment="dev"),
    events.StepStarted(where=STEP, title="Publish", task="bash"),
    events.LogLine(where=STEP, text="a quiet line"),
    events.LogLine(where=STEP, text="it broke", kind="error"),
    events.StepFinished(where=STEP, title="Publish", task="bash", result="failed", seconds=2.0),
    events.JobFinished(where=JOB, title="deploy", result="failed", seconds=2.5, environment="dev"),
    events.StageFinished(where=STAGE, title="Release to dev", result="failed", seconds=3.0),
    events.StageFinished(where=Where(stage="prod"), title="Release to prod", result="skipped", seconds=0, reason="dev"),
]


def test_the_timeline_nests_steps_in_jobs_in_stages() -> None:
    recorder = Recorder(lambda: 1.5)
    for event in RUN:
        recorder.on_event(event)
    dev, prod = recorder.stages
    assert (dev.name, dev.start, dev.seconds, dev.outcome) == ("Release to dev", 1.5, 3.0, "failed")
    assert [(step.name, step.outcome) for step in dev.children[0].children] == [("Publish", "failed")]
    assert (prod.outcome, prod.children) == ("skipped", [])
    assert recorder.environments == {"dev": "dev"}


def test_a_file_and_a_pipe_get_every_line(tmp_path: Path) -> None:
    stream = io.StringIO()
    log = Log(tmp_path / "a" / "log.txt", stream, verbose=False)
    for event in RUN:
        log.on_event(event)
    log.close()
    for text in ("a quiet line", "it broke", "Release to prod  (dev)"):
        assert text in stream.getvalue()
        assert text in (tmp_path / "a" / "log.txt").read_text(encoding="utf-8")
    assert "\x1b" not in stream.getvalue()


def test_the_closing_table_counts_what_ran(tmp_path: Path) -> None:
    stream = io.StringIO()
    log = Log(tmp_path / "log.txt", stream, verbose=False)
    log.console.print(closing_table(report()))
    log.close()
    assert "blue → green" in stream.getvalue()
    assert "1/2" in stream.getvalue()
