"""Keeps secret values out of what a run prints, as Databricks does: an exact value becomes `[REDACTED]`.

Source: docs "Secret redaction": values read with dbutils.secrets; a transformed value is not recognised. Beyond the
service, the escaped spellings of a value with line breaks or quotes (`repr`, JSON) are replaced too, and the value
without blanks and line breaks around it.
"""

from __future__ import annotations

import io
import json
import threading
from typing import TextIO

from rehearsal.notebooks.errors import OutputTooLarge

REDACTED = "[REDACTED]"


class Redactor:
    """The secret values that a run has read so far."""

    def __init__(self) -> None:
        self._values: list[str] = []

    def add(self, value: str) -> None:
        """From now on this value is replaced. An empty one is ignored."""
        spellings = {value, value.strip(), repr(value)[1:-1], json.dumps(value)[1:-1], ascii(value)[1:-1]}
        known = {*self._values, *(each for each in spellings if each.strip())}
        self._values = sorted(known, key=len, reverse=True)  # a longer value goes first, when one is a part of another

    def __call__(self, text: str) -> str:
        for value in self._values:
            text = text.replace(value, REDACTED)
        return text

    def safe_length(self, text: str) -> int:
        """How much of a text, from its start, can't be the beginning of a secret that the next piece completes."""
        keep = 0
        for value in self._values:
            for length in range(min(len(value) - 1, len(text)), keep, -1):
                if text.endswith(value[:length]):
                    keep = length
                    break
        return len(text) - keep


class RedactedStream(io.TextIOBase):
    """A text stream, for use as standard output and error, that redacts and passes on whole lines at once.

    limit: how many characters it takes; after that each write raises OutputTooLarge, until `lift`. loses: drop them instead.
    """

    def __init__(self, target: TextIO, redactor: Redactor, limit: int | None = None, *, loses: bool = False) -> None:
        self._target = target
        self._redactor = redactor
        self._limit = limit
        self._loses = loses
        self._taken = 0
        self.full = False
        self._pending = ""
        self._lock = threading.RLock()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        with self._lock:
            self._taken += len(text)
            if self._limit is not None and self._taken > self._limit:
                self.full = True
                if self._loses:
                    return len(text)
                raise OutputTooLarge(self._taken, self._limit)
            self._pending += text
            if "\n" in text:
                self._pass_on()
        return len(text)

    def lift(self) -> None:
        """No limit from here on."""
        self._limit = None

    def _pass_on(self) -> None:
        redacted = self._redactor(self._pending)
        ready = redacted.rfind("\n", 0, self._redactor.safe_length(redacted)) + 1
        self._target.write(redacted[:ready])
        self._target.flush()
        self._pending = redacted[ready:]

    def finish(self) -> None:
        """Writes what is left, at the end of the run."""
        with self._lock:
            rest = self._redactor(self._pending)
            self._pending = ""
            self._target.write(rest + "\n" if rest and not rest.endswith("\n") else rest)
            self._target.flush()


class ByPlace(io.TextIOBase):
    """Standard output and error of the process: what Spark's workers print goes to the executor's stream.

    As on Databricks, where it does not show up in the notebook. Sail runs workers on threads that Python did not start.
    """

    def __init__(self, notebook: RedactedStream, executor: RedactedStream) -> None:
        self._notebook = notebook
        self._executor = executor

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        foreign = isinstance(threading.current_thread(), threading._DummyThread)
        return (self._executor if foreign else self._notebook).write(text)
