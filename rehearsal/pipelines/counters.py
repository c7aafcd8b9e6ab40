"""`counter(prefix, seed)`: a number per pipeline and prefix that grows from run to run.

[learn] pipelines/process/expressions, counter: it starts at the seed, and again wherever a new prefix is used.
"""

from __future__ import annotations

import json
from pathlib import Path


class Counters:
    """Kept in a file, so that the next run counts on."""

    def __init__(self, file: Path, pipeline: str) -> None:
        self._file = file
        self._pipeline = pipeline

    def next(self, prefix: str, seed: int) -> int:
        kept: dict[str, dict[str, int]] = json.loads(self._file.read_text()) if self._file.is_file() else {}
        mine = kept.setdefault(self._pipeline, {})
        mine[prefix] = mine[prefix] + 1 if prefix in mine else seed
        self._file.parent.mkdir(parents=True, exist_ok=True)
        written = self._file.with_suffix(".new")
        written.write_text(json.dumps(kept, indent=1))
        written.replace(self._file)
        return mine[prefix]
