"""A release: what build makes once and every environment receives unchanged, and its release.json."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from slipway.domain.codec import Damaged, from_bytes, to_bytes
from slipway.domain.notebook import notebook_language
from slipway.errors import Finding, ReleaseError

RELEASE_JSON = "release.json"
VERSION = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}"

# https://learn.microsoft.com/azure/databricks/resources/limits: an imported notebook, a workspace file (bytes).
NOTEBOOK_LIMIT = 10 * 1024 * 1024
FILE_LIMIT = 500 * 1024 * 1024

# What belongs to a release, by folder of the repository.
_FOLDERS = {
    "notebooks": None,
    "config": (".yml", ".json"),
    "arm": (".json", ".zip"),  # an exported factory is a ZIP
    "datafactory": (".json",),
    "scripts": (".py",),
}
_SINGLE = ("requirements/release.txt",)


@dataclass(frozen=True, kw_only=True)
class ReleaseFile:
    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class ReleaseJson:
    """The file release.json."""

    version: str
    commit: str
    build: str
    files: Mapping[str, ReleaseFile]
    format: Literal[1] = 1


@dataclass(frozen=True, kw_only=True)
class Release:
    """A release on disk, read and checked. `notebooks`: their languages by path; `sha256`: of release.json."""

    folder: Path
    version: str
    commit: str
    build: str
    files: Mapping[str, ReleaseFile]
    notebooks: Mapping[str, str] = field(default_factory=dict)
    sha256: str = ""

    @property
    def wheels(self) -> list[str]:
        """File names in library/."""
        return sorted(PurePosixPath(path).name for path in self.files if path.startswith("library/"))

    @property
    def job_keys(self) -> list[str]:
        return sorted(path[len("config/jobs/") : -5] for path in self.files if is_job(path))


def is_job(path: str) -> bool:
    return path.startswith("config/jobs/") and path.endswith(".json") and path.count("/") == 2


def collect(root: Path, wheels: Iterable[Path]) -> tuple[dict[str, Path], list[Finding]]:
    """The files of a release (path in the release -> file), and what can't be part of one."""
    files: dict[str, Path] = {}
    findings: list[Finding] = []
    for name, endings in _FOLDERS.items():
        for path in _walk(root / name, root, findings):
            if endings is None or path.suffix in endings:
                files[path.relative_to(root).as_posix()] = path
    for name in _SINGLE:
        if (root / name).is_file():
            files[name] = root / name
    for wheel in sorted(wheels):
        files[f"library/{wheel.name}"] = wheel
    for name in files:
        findings += [Finding(name, "", problem) for problem in bad_name(name)]
    return dict(sorted(files.items())), findings


def _walk(folder: Path, root: Path, findings: list[Finding]) -> Iterator[Path]:
    """Every plain file below `folder`; hidden ones and caches are left out, symbolic links are refused."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in ("__pycache__", "node_modules"):
            continue
        if path.is_symlink():
            where = path.relative_to(root).as_posix()
            findings.append(Finding(where, "", "is a symbolic link; a release holds files only"))
        elif path.is_dir():
            yield from _walk(path, root, findings)
        elif path.is_file():
            yield path
        else:
            findings.append(Finding(path.relative_to(root).as_posix(), "", "is not a file"))


def bad_name(path: str) -> list[str]:
    """Why a path can't be in a release: it must mean the same on every system and in a workspace."""
    problems = []
    for part in path.split("/"):
        if part in ("", ".", "..") or part != part.strip() or part.endswith("."):
            problems.append(f"the name {part!r} is not allowed")
        elif re.search(r'[\\:*?"<>|#%]', part) or not part.isprintable():
            problems.append(f"the name {part!r} has characters that a workspace or a file system does not take")
        elif unicodedata.normalize("NFC", part) != part:
            problems.append(f"the name {part!r} is not in Unicode's composed form (NFC)")
        elif len(part.encode()) > 255:
            problems.append(f"the name {part[:40]!r}… is longer than 255 bytes")
    return problems


def hash_file(path: Path) -> ReleaseFile:
    """SHA-256 and size, read in blocks."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
            size += len(block)
    return ReleaseFile(sha256=digest.hexdigest(), size=size)


def write_release_json(folder: Path, *, version: str, commit: str, build: str, files: Iterable[str]) -> ReleaseJson:
    """Writes release.json over the files that are in `folder` already."""
    release = ReleaseJson(
        version=version, commit=commit, build=build, files={name: hash_file(folder / name) for name in sorted(files)}
    )
    (folder / RELEASE_JSON).write_bytes(to_bytes(release))
    return release


def load_release(folder: Path) -> Release:
    """The release in `folder`, every file checked against release.json. Raises ReleaseError with all that is wrong."""
    try:
        data = (folder / RELEASE_JSON).read_bytes()
    except OSError as error:
        raise ReleaseError(
            f"There is no release in {folder}: {RELEASE_JSON} is missing.",
            next_step="Build one (scripts/build_release.py), or name its folder with --release.",
        ) from error
    try:
        read: ReleaseJson = from_bytes(ReleaseJson, data)
    except Damaged as error:
        finding = Finding(RELEASE_JSON, "", str(error))
        raise ReleaseError(f"The release in {folder} is damaged.", [finding], next_step="Build it again.") from error
    findings = list(_verify(folder, read))
    if findings:
        raise ReleaseError(f"The release in {folder} is not what was built.", findings, next_step="Build it again.")
    notebooks = {}
    for path in read.files:
        if path.startswith("notebooks/"):
            language = read_language(folder / path)
            notebooks.update({path: language} if language else {})
    return Release(
        folder=folder,
        version=read.version,
        commit=read.commit,
        build=read.build,
        files=read.files,
        notebooks=notebooks,
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _verify(folder: Path, release: ReleaseJson) -> Iterator[Finding]:
    if not re.fullmatch(VERSION, release.version):
        yield Finding(RELEASE_JSON, "version", f"{release.version!r} is not a version")
    for name, entry in release.files.items():
        problems = bad_name(name)
        path = folder / name
        if problems:
            yield Finding(RELEASE_JSON, name, problems[0])
        elif path.is_symlink() or not path.is_file():
            yield Finding(name, "", "is missing")
        elif hash_file(path) != entry:
            yield Finding(name, "", "is not what was built (size or SHA-256 differ)")


def read_language(path: Path) -> str | None:
    """The language of a notebook file, None for another file."""
    with path.open("rb") as stream:
        return notebook_language(path.name, stream.read(64))
