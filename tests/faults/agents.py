"""Machines that run steps as processes of their own, which can be killed and put to sleep."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.unit.steps.conftest import REPOSITORY


class Agent:
    """A machine that runs steps, one at a time, as processes that can be put to sleep; with a clock of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.output = folder / "output.txt"
        self._clock = folder / "clock"
        self.set_clock(0.0)
        self._pid = 0
        variables = {"PYTHONPATH": os.pathsep.join([str(REPOSITORY / "scripts"), str(REPOSITORY)])}
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.worker", str(self._clock)],
            cwd=REPOSITORY,
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def set_clock(self, ahead: float) -> None:
        """Its clock is so many seconds ahead."""
        new = self._clock.with_suffix(".new")
        new.write_text(str(ahead))
        new.replace(self._clock)

    def start(self, request: Mapping[str, Any]) -> None:
        assert self._worker.stdin is not None
        self._worker.stdin.write(json.dumps({**request, "output": str(self.output)}) + "\n")
        self._worker.stdin.flush()
        self._pid = int(self._answer()["pid"])

    def end(self) -> tuple[int, str]:
        """Waits for the step: its exit code and what it said."""
        code = int(self._answer()["code"])
        return code, self.output.read_text(encoding="utf-8") if self.output.exists() else ""

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pid, number)

    def close(self) -> None:
        self._worker.communicate()  # the end of its input ends it

    def _answer(self) -> dict[str, Any]:
        assert self._worker.stdout is not None
        line = self._worker.stdout.readline()
        assert line, "the worker has ended"
        return dict(json.loads(line))
