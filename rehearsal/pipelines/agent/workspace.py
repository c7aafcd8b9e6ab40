"""The folders of one agent job, and what checkout puts into them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_NEVER_COPIED = (
    ".git",
    ".venv",
    ".venv-release",
    ".rehearsal",
    "node_modules",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
)


@dataclass(frozen=True)
class Workspace:
    """Pipeline.Workspace and its folders; [learn] pipelines/build/variables names them."""

    root: Path

    @property
    def sources(self) -> Path:
        return self.root / "s"

    @property
    def staging(self) -> Path:
        return self.root / "a"

    @property
    def binaries(self) -> Path:
        return self.root / "b"

    @property
    def test_results(self) -> Path:
        return self.root / "TestResults"

    @property
    def temp(self) -> Path:
        return self.root.parent / f"{self.root.name}_temp"

    @property
    def shims(self) -> Path:
        return self.root.parent / f"{self.root.name}_bin"

    def make(self) -> None:
        """Empty folders. Whatever an earlier run left there goes first."""
        self.remove()
        for folder in (self.sources, self.staging, self.binaries, self.test_results, self.temp, self.shims):
            folder.mkdir(parents=True)

    def remove(self) -> None:
        for folder in (self.root, self.temp, self.shims):
            shutil.rmtree(folder, ignore_errors=True)


def check_out(repository: Path, target: Path, environment: Mapping[str, str], keep_out: Path) -> int:
    """Copy the working tree as it is, uncommitted edits too, without what git ignores. Returns how many files.

    keep_out: a folder that is never copied (the rehearsal's own work). Without git the whole folder is copied.
    """
    files = _git_files(repository, environment)
    if files is None:
        files = [
            path.relative_to(repository)
            for path in sorted(repository.rglob("*"))
            if not any(part in _NEVER_COPIED for part in path.relative_to(repository).parts)
            and (path.is_file() or path.is_symlink())
        ]
    copied = 0
    for name in files:
        source = repository / name
        if not (source.is_file() or source.is_symlink()) or source.is_relative_to(keep_out):
            continue
        destination = target / name
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, destination, follow_symlinks=False)
        copied += 1
    return copied


def _git_files(repository: Path, environment: Mapping[str, str]) -> list[Path] | None:
    """Tracked and new files that are not ignored; None where there is no git or no repository."""
    try:
        listed = subprocess.run(
            ["git", "-C", str(repository), "ls-files", "-co", "--exclude-standard", "-z"],
            capture_output=True,
            check=True,
            env=dict(environment),
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    names = listed.stdout.decode("utf-8", errors="surrogateescape").split("\0")
    return [Path(name) for name in dict.fromkeys(names) if name]


def head_commit(repository: Path, environment: Mapping[str, str]) -> tuple[str, str]:
    """(commit, its subject); a commit of zeros and "" where there is no git or no commit."""
    try:
        shown = subprocess.run(
            ["git", "-C", str(repository), "log", "-1", "--format=%H%n%s"],
            capture_output=True,
            check=True,
            text=True,
            env=dict(environment),
        )
    except (OSError, subprocess.CalledProcessError):
        return "0" * 40, ""
    commit, _, subject = shown.stdout.strip().partition("\n")
    return commit, subject
