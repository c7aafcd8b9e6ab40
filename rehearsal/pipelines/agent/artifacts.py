"""Pipeline artifacts of one run: published once under a name, downloaded as often as somebody asks."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

_NAME = re.compile(r'[^\\/"<>:|*?\x00-\x1f]+')


class ArtifactError(Exception):
    """An artifact that cannot be published or is not there."""


class Artifacts:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self._folder.iterdir()) if self._folder.is_dir() else []

    def publish(self, name: str, source: Path, *, add: bool = False) -> tuple[Path, int, int]:
        """Keep a file or a folder under a name. Returns where it lies, how many files and bytes. Raises ArtifactError.

        add: to what is there already, as a build's container takes it.
        """
        if not _NAME.fullmatch(name):
            raise ArtifactError(f"Artifact name is not valid: '{name}'")
        target = self._folder / name
        if target.exists() and not add:
            # Artifacts can not be changed: learn.microsoft.com/azure/devops/pipelines/artifacts/pipeline-artifacts
            raise ArtifactError(f"Artifact {name} already exists for build. Artifact names are unique in a run.")
        if not source.exists():
            raise ArtifactError(f"Path does not exist: {source}")
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, dirs_exist_ok=add)
        else:
            target.mkdir(exist_ok=add)
            shutil.copy2(source, target / source.name)
        files = [path for path in target.rglob("*") if path.is_file()]
        return target, len(files), sum(path.stat().st_size for path in files)

    def download(self, name: str, target: Path, patterns: str = "**", *, named: bool = True) -> int:
        """Copy an artifact's files that match into a folder. Returns how many. Raises ArtifactError when it is not there.

        named: one artifact was asked for. Where all are, patterns begin with an artifact's name: [learn] pipeline-artifacts.
        """
        source = self._folder / name
        if not name or not source.is_dir():
            known = ", ".join(self.names) or "none"
            raise ArtifactError(f"Artifact {name} was not found in this run (published so far: {known})")
        copied = 0
        target.mkdir(parents=True, exist_ok=True)
        for path in sorted(source.rglob("*")):
            relative = path.relative_to(source)
            shown = relative.as_posix() if named else f"{name}/{relative.as_posix()}"
            if path.is_file() and matches(shown, patterns or "**"):
                (target / relative).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target / relative)
                copied += 1
        return copied


def matches(path: str, patterns: str) -> bool:
    """Whether a path matches lines of patterns; `!` takes out what earlier lines took in (minimatch, [learn] file-matching)."""
    wanted = False
    for line in patterns.splitlines():
        pattern = line.strip()
        bare = pattern.lstrip("!")
        if bare and not pattern.startswith("#") and glob(bare).fullmatch(path):
            # [agent] ArtifactItemFilters: two exclamation marks are none.
            wanted = (len(pattern) - len(bare)) % 2 == 0
    return wanted


def glob(pattern: str) -> re.Pattern[str]:
    """`**` any folders, `*` anything but a slash, `?` one character but a slash."""
    out = ""
    at = 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            out += "(?:[^/]+/)*"
            at += 3
        elif pattern.startswith("**", at):
            out += ".*"
            at += 2
        else:
            out += {"*": "[^/]*", "?": "[^/]"}.get(pattern[at], re.escape(pattern[at]))
            at += 1
    return re.compile(out)
