"""What came to the gateway and what became of it: counters and the latest requests in memory, all of them in a file."""

from __future__ import annotations

import json
import os
import traceback
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

KEPT = 500


class RequestLog:
    """`requests.log` (one JSON object a line) and `errors.log` in `folder`, readable by their owner alone.

    Queries, headers and bodies are never written: a signature, a token or a value can stand there.
    `requests` counts what arrived for a stand-in by hostname, `served` what it handled itself (a fault may come first),
    `failures` its exceptions; `unimplemented` counts its 501 answers and `refused` what no stand-in owns, by name.
    """

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._requests_file = _private(folder / "requests.log")
        self._errors_file = _private(folder / "errors.log")
        self.recent: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.requests: Counter[str] = Counter()
        self.served: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.unimplemented: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def answered(self, method: str, host: str, path: str, status: int, seconds: float) -> None:
        """status: 0 when the connection was cut before an answer began."""
        if status == 501:
            self.unimplemented[f"{method} {host}{path}"] += 1
        self._write({"method": method, "host": host, "path": path, "status": status, "ms": round(seconds * 1000, 1)})

    def refuse(self, what: str) -> None:
        self.refused[what] += 1
        self._write({"refused": what})

    def fail(self, method: str, host: str, path: str, error: Exception) -> None:
        """An exception that a stand-in let out."""
        self.failures[host] += 1
        if not self._errors_file.closed:
            self._errors_file.write(f"{method} {host}{path}\n{''.join(traceback.format_exception(error))}\n")
            self._errors_file.flush()

    def close(self) -> None:
        self._requests_file.close()
        self._errors_file.close()

    def _write(self, entry: dict[str, Any]) -> None:
        entry = {"time": round(self._clock(), 3), **entry}
        self.recent.append(entry)
        if not self._requests_file.closed:
            self._requests_file.write(json.dumps(entry) + "\n")
            self._requests_file.flush()


def _private(path: Path) -> TextIO:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(handle, "a", encoding="utf-8")
