"""A copy of the project that a test may change, and rehearsals of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Outcome:
    """How a rehearsal ended, and its whole log."""

    code: int
    text: str

    def row(self, environment: str) -> list[str]:
        """The cells of an environment's row in the closing table."""
        line = next(line for line in self.text.splitlines() if re.match(rf"│ {environment} ", line))
        return [cell.strip() for cell in line.strip("│").split("│")]


@dataclass(frozen=True)
class Project:
    """A project of one's own: `folder` is the repository, `kept` what its rehearsals keep."""

    folder: Path
    kept: Path

    def rehearse(self, *arguments: str) -> Outcome:
        with self.start(*arguments) as process:
            text = process.communicate(timeout=600)[0]
        return Outcome(process.returncode, text)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "rehearsal", "--repository", str(self.folder), "--folder", str(self.kept)]
        return subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str) -> Outcome:
        """Run a command in front of the stand-ins, without a release."""
        return self.rehearse("--run", command)

    def status(self, environment: str) -> dict[str, Any]:
        text = self.run(f"scripts/status.py --environment {environment} --json").text
        found: dict[str, Any] = json.loads(text[text.index("{") : text.rindex("}") + 1])
        return found

    def change(self, file: str, old: str, new: str) -> Callable[[], None]:
        """Edit a file; what is returned takes the edit back."""
        path = self.folder / file
        before = path.read_text(encoding="utf-8")
        assert old in before, f"{file} has no {old!r}"
        path.write_text(before.replace(old, new), encoding="utf-8")

        def mend() -> None:
            path.write_text(before, encoding="utf-8")

        return mend


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("project")
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    for name in tracked:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return Project(folder, tmp_path_factory.mktemp("kept"))
