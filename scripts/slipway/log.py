"""Everything Slipway says to a person, in a terminal and in the log of Azure Pipelines or GitHub Actions.

Where an agent reads the log (log_dialects.py) sections become groups, warnings and errors become issues of the run, and
summaries are attached to it, all by commands on standard output. Elsewhere the log goes to standard error, and only results to
standard output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from slipway.errors import Finding
from slipway.log_dialects import defuse, dialect_of

_PROGRESS_SECONDS = 5.0


class Log:
    """What a step says. Made once per process; the streams, the clock (seconds) and the environment are arguments."""

    def __init__(
        self,
        *,
        out: TextIO,
        err: TextIO,
        variables: Mapping[str, str],
        clock: Callable[[], float],
        verbose: bool = False,
    ) -> None:
        self._agent = dialect_of(variables)
        self._out = out
        self._stream = out if self._agent else err
        self._colour = self._agent is None and _is_terminal(err) and "NO_COLOR" not in variables
        self._live = self._agent is None and _is_terminal(err)
        self._clock = clock
        self._results = Path(variables.get("SLIPWAY_RESULTS") or "test-results")
        self._secrets: list[str] = []
        self._depth = 0
        self._line_open = False
        self._progress_at: tuple[str, float] = ("", 0.0)
        self.verbose = verbose

    @property
    def results(self) -> Path:
        """The folder for files that a run attaches: test results, summaries."""
        return self._results

    @contextmanager
    def section(self, title: str) -> Iterator[None]:
        """A timed group; ends with ✓ or, when an exception leaves it, ✕."""
        started = self._clock()
        agent = self._agent if self._depth == 0 else None  # groups can't be nested
        if agent:
            self._write_command(agent.group(self._clean(title)))
        else:
            self._write(self._paint(self._clean(f"▸ {title}"), "1"))
        self._depth += 1
        mark = "✕"
        try:
            yield
            mark = "✓"
        finally:
            self._depth -= 1
            if agent:
                self._write_command(agent.end_group())
            seconds = self._clock() - started
            colour = "32" if mark == "✓" else "31"
            self._write(self._paint(self._clean(f"{mark} {title} ({seconds:.1f} s)"), colour))

    def info(self, text: str) -> None:
        self._write(self._clean(text))

    def detail(self, text: str) -> None:
        """Only with --verbose."""
        if self.verbose:
            self._write(self._paint(self._clean(text), "2"))

    def warning(self, text: str) -> None:
        self._issue("warning", text)

    def error(self, text: str, *, finding: Finding | None = None) -> None:
        """An error of the run; with a finding, linked to its file and line."""
        self._issue("error", text, finding)

    def result(self, text: str) -> None:
        """What the command was asked for (standard output): a table, JSON."""
        self._end_line()
        self._out.write(self._clean(text) + "\n")
        self._out.flush()

    def progress(self, done: int, total: int, what: str) -> None:
        """How far long work is: a live line in a terminal; elsewhere a line every 5 seconds, and none for short work."""
        if self._live:
            self._stream.write(f"\r\x1b[2K{self._indent()}{self._clean(what)} {done}/{total}")
            self._stream.flush()
            self._line_open = True
            if done >= total:
                self._end_line()
            return
        now = self._clock()
        last_what, last = self._progress_at
        if last_what != what:
            last = now
            self._progress_at = (what, now)
        if now - last < _PROGRESS_SECONDS:
            return
        self._progress_at = (what, now)
        for line in self._agent.progress(100 * done // total, self._clean(what)) if self._agent and total else ():
            self._write_command(line)
        self._write(self._clean(f"{what} {done}/{total}"))

    def summary(self, markdown: str, *, name: str = "summary") -> Path:
        """Writes `markdown` beside the test results and, where an agent runs the step, attaches it to the run's page."""
        self._results.mkdir(parents=True, exist_ok=True)
        path = self._results / f"{name}.md"
        path.write_text(self._hide(markdown), encoding="utf-8")
        for line in self._agent.summary(path, self._hide(markdown)) if self._agent else ():
            self._write_command(line)
        return path

    def mask(self, secret: str) -> None:
        """Never prints `secret` from now on; an agent is told too, so that other tasks of the job mask it as well."""
        if not secret.strip() or secret in self._secrets:
            return
        # A secret of several lines reaches a log line by line.
        parts = {secret, *(line for line in secret.splitlines() if len(line.strip()) >= 4)}
        self._secrets = sorted({*self._secrets, *parts}, key=len, reverse=True)
        if self._agent:
            for part in sorted(parts):
                # The one line that holds the value: the agent takes it out of the log.
                self._write_command(self._agent.mask(part))

    def _issue(self, kind: str, text: str, finding: Finding | None = None) -> None:
        text = self._hide(text)
        if self._agent:
            self._write_command(self._agent.issue(kind, self._agent.defuse(text), finding))
        else:
            self._write(self._paint(defuse(f"{kind}: {text}"), "33" if kind == "warning" else "31"))

    def _hide(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _clean(self, text: str) -> str:
        return self._agent.defuse(self._hide(text)) if self._agent else defuse(self._hide(text))

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def _indent(self) -> str:
        return "" if self._agent else "  " * self._depth

    def _write(self, text: str) -> None:
        self._end_line()
        self._stream.write("".join(f"{self._indent()}{line}\n" for line in text.split("\n")))
        self._stream.flush()

    def _write_command(self, line: str) -> None:
        self._end_line()
        self._stream.write(f"{line}\n")
        self._stream.flush()

    def _end_line(self) -> None:
        if self._line_open:
            self._stream.write("\n")
            self._line_open = False


def _is_terminal(stream: TextIO) -> bool:
    return bool(getattr(stream, "isatty", lambda: False)())
