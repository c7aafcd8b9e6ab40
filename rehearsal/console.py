"""The log of a rehearsal: like an agent's, plain in a file, with colours and a running line in a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rehearsal.pipelines import events
from rehearsal.recorder import place
from rehearsal.report.model import Report

PLAIN_WIDTH = 140
MARKS = {"succeeded": "✓", "succeededWithIssues": "!", "failed": "✕", "skipped": "–", "canceled": "–"}
COLOURS = {"succeeded": "green", "succeededWithIssues": "yellow", "failed": "red", "skipped": "dim", "canceled": "dim"}
STYLES = {"error": "red", "warning": "yellow", "command": "cyan", "section": "green", "group": "bold", "debug": "dim"}
PREFIXES = {kind: f"##[{kind}]" for kind in ("command", "section", "group", "warning", "error", "debug")}


class Log:
    """Listens to a run and writes it down twice: whole into `file`, and into `stream` as much as a person follows.

    A terminal shows stages, jobs and steps with a running line for what goes on now, and the whole log of a step that
    failed; anything else (a pipe, a CI log) and `verbose` get every line.
    """

    def __init__(self, file: Path, stream: TextIO, *, verbose: bool) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.path = file
        self._file = file.open("w", encoding="utf-8")
        self.console = Console(file=stream, highlight=False, soft_wrap=True)
        if not self.console.is_terminal:
            self.console.width = PLAIN_WIDTH  # nothing says how wide a pipe is; 80 breaks the lines of the table
        self._every_line = verbose or not self.console.is_terminal
        self._kept: list[Text] = []
        self._status = self.console.status("") if self.console.is_terminal else None

    def say(self, text: str, style: str = "") -> None:
        """A line of the rehearsal itself, in both places."""
        self._file.write(text + "\n")
        self._file.flush()
        self.console.print(Text(text, style=style))

    def detail(self, text: str) -> None:
        """Lines for the file; in the terminal only where every line is wanted."""
        for line in text.splitlines():
            self._write(line)
            if self._every_line:
                self.console.print(Text(f"      {line}"))

    def close(self) -> None:
        self._now(None)
        self._file.close()

    def on_event(self, event: events.Event) -> None:
        match event:
            case events.StageStarted():
                self.say(f"\n━━ {event.title} ", "bold")
            case events.JobStarted():
                self.say(f"  {place(event.where)}", "cyan")
            case events.StepStarted():
                self._kept = []
                self._write(f"##[section]Starting: {event.title}")
                self._now(f"{place(event.where)}")
            case events.LogLine():
                self._line(event)
            case events.StepFinished():
                self._now(None)
                self._finished(event, indent=4)
            case events.JobFinished() | events.StageFinished():
                if event.result != "succeeded" or isinstance(event, events.StageFinished):
                    self._finished(event, indent=0 if isinstance(event, events.StageFinished) else 2)
            case events.ArtifactPublished():
                if not self._every_line:  # its step says it in the whole log
                    text = f"    artifact {event.name}: {event.files} files, {event.bytes / 1e6:.1f} MB"
                    self.console.print(Text(text, style="dim"))
            case _:
                pass

    def _finished(self, event: events.StepFinished | events.JobFinished | events.StageFinished, *, indent: int) -> None:
        if event.result == "failed" and isinstance(event, events.StepFinished) and not self._every_line:
            for line in self._kept:
                self.console.print(line)
        reason = f"  ({event.reason})" if event.reason else ""
        seconds = f"{event.seconds:6.1f} s" if event.result != "skipped" else "       –"
        self.say(f"{' ' * indent}{MARKS[event.result]} {seconds}  {event.title}{reason}", COLOURS[event.result])

    def _line(self, event: events.LogLine) -> None:
        if event.kind == "endgroup":
            return
        text = f"{PREFIXES.get(event.kind, '')}{event.text}"
        self._write(text)
        indented = event.text.replace("\n", "\n        ")
        shown = Text(f"      {indented}", style=STYLES.get(event.kind, ""))
        if self._every_line or event.kind in ("error", "warning"):
            self.console.print(shown)
        else:
            self._kept.append(shown)
            self._now(event.text.strip()[:100])

    def _write(self, text: str) -> None:
        self._file.write(text + "\n")
        self._file.flush()

    def _now(self, text: str | None) -> None:
        if self._status is None:
            return
        if text is None:
            self._status.stop()
        elif text:
            self._status.update(Text(text))
            self._status.start()


def closing_table(report: Report) -> Table:
    """The table at the end: environment, result, live slot, version, jobs, tests, seconds."""
    table = Table(title=f"Rehearsal {report.number}: {report.outcome}", title_justify="left")
    for column in ("environment", "result", "live slot", "version"):
        table.add_column(column)
    for column in ("jobs", "tests", "seconds"):
        table.add_column(column, justify="right")
    for row in report.environments:
        before, after = row.before.live, row.after.live
        slot = f"{before} → {after}" if before and after and before != after else after or "none"
        table.add_row(
            row.name,
            Text(row.outcome, style=COLOURS.get(row.outcome, "")),
            slot,
            row.after.versions.get(after or "", ""),
            str(len(row.after.jobs)),
            f"{row.tests.passed}/{row.tests.counted}" if row.tests else "–",
            f"{row.seconds:.1f}",
        )
    return table
