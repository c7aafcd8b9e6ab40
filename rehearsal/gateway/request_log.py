"""What came to the gateway and what became of it: counters and the latest requests in memory, all of them in a file."""

from __future__ import annotations

import json
import os
import re
import traceback
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TextIO
from urllib.parse import parse_qsl

KEPT = 10_000
LONGEST_AGENT = 300
_WORD = re.compile(r"[a-z]{1,20}")
NAMES = 1000  # that a counter keeps: whoever asks for ever new names must not fill the memory


class RequestLog:
    """`requests.log` (one JSON object a line) and `errors.log` in `folder`, readable by their owner alone.

    Queries, headers and bodies are never written: a signature, a token or a value can stand there. Except two: which client
    asked (User-Agent), and the two words of a query that say which operation of the blob service it is.
    `requests` counts what arrived for a stand-in by hostname, `served` what it handled itself (a fault may come first),
    `failures` its exceptions; `unimplemented` counts its 501 answers and `refused` what no stand-in owns, by name.
    `recent` are the latest; each has a `number`, counted from the start of this gateway.
    """

    COUNTERS: ClassVar = ("requests", "served", "failures", "unimplemented", "refused")

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.file = folder / "requests.log"
        self.number = 0
        self._requests_file = _private(self.file)
        self._errors_file = _private(folder / "errors.log")
        self.recent: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.requests: Counter[str] = Counter()
        self.served: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.unimplemented: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def answered(self, scope: Mapping[str, Any], status: int, seconds: float, struck: Sequence[str] = ()) -> None:
        """status: 0 when the connection was cut before an answer began. struck: the kinds of the faults that it met."""
        method, host, path = scope["method"], scope["slipway.host"], scope["path"]
        if status == 501:
            _count(self.unimplemented, f"{method} {host}{path}")
        entry = {"method": method, "host": host, "path": path, "status": status, "ms": round(seconds * 1000, 1)}
        if operation := _operation(scope["query_string"]):
            entry["operation"] = operation
        if agent := next((value for name, value in scope["headers"] if name == b"user-agent"), b""):
            entry["agent"] = agent.decode("latin-1")[:LONGEST_AGENT]
        self._write({**entry, "struck": list(struck)} if struck else entry)

    def refuse(self, what: str) -> None:
        _count(self.refused, what)
        self._write({"refused": what[:1000]})

    def forget(self) -> None:
        """Counters and the latest requests, as at the start; the file and the numbers go on."""
        self.recent.clear()
        for name in self.COUNTERS:
            getattr(self, name).clear()

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
        self.number += 1
        entry = {"number": self.number, "time": round(self._clock(), 3), **entry}
        self.recent.append(entry)
        if not self._requests_file.closed:
            self._requests_file.write(json.dumps(entry) + "\n")
            self._requests_file.flush()


def _count(counter: Counter[str], name: str) -> None:
    name = name[:300]
    counter[name if name in counter or len(counter) < NAMES else "(others)"] += 1


def _operation(query: bytes) -> str:
    """`restype=container&comp=list`, for example; words of another form are left out."""
    given = dict(parse_qsl(query.decode("latin-1")))
    return "&".join(f"{key}={given[key]}" for key in ("restype", "comp") if _WORD.fullmatch(given.get(key, "")))


def _private(path: Path) -> TextIO:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(handle, "a", encoding="utf-8")
