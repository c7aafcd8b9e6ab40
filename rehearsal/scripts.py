"""Run Slipway's own scripts in front of the stand-ins, as a person would by hand."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

# What a child process inherits from this machine; everything else that it sees is set here. An AZURE_… or a proxy of the
# caller's would lead a rehearsal out of this machine.
INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "TERM", "TMPDIR", "USER")
STATUS_LIMIT_SECONDS = 60


def child_environment(exports: Mapping[str, str], more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The whole environment of a child process."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**kept, **exports, "PYTHONDONTWRITEBYTECODE": "1", **(more or {})}


class Scripts:
    """Runs scripts/<name>.py of `repository` with the release environment's Python and the given variables."""

    def __init__(self, repository: Path, python: Path, environment: Mapping[str, str]) -> None:
        self._repository = repository
        self._python = python
        self._environment = dict(environment)

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one script; its streams are captured."""
        return subprocess.run(
            [str(self._python), str(self._repository / "scripts" / f"{name}.py"), *arguments],
            cwd=self._repository,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def run_command(self, command: str) -> int:
        """Run a command line of the caller's in front of the stand-ins; `scripts/x.py …` runs with the right Python."""
        words = shlex.split(command)
        if words and words[0].endswith(".py"):
            words.insert(0, str(self._python))
        environment = {
            **self._environment,
            "PATH": f"{self._python.parent}{os.pathsep}{self._environment.get('PATH', '')}",
        }
        return subprocess.run(words, cwd=self._repository, env=environment, check=False).returncode

    def statuses(self, environments: Sequence[str]) -> dict[str, Mapping[str, Any] | None]:
        """What `status.py --json` says of each environment; None where it has nothing to say."""
        with ThreadPoolExecutor(max_workers=2) as pool:
            return dict(zip(environments, pool.map(self._status, environments), strict=True))

    def _status(self, environment: str) -> Mapping[str, Any] | None:
        done = self.run("status", "--environment", environment, "--json")
        if done.returncode:
            return None
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            return None
        return answer if isinstance(answer, dict) else None
