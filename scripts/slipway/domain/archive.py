"""The archive: every released version, in the state storage. Files by their SHA-256, so unchanged ones cost nothing.

archive/files/<sha256>, archive/releases/<version>-<hash>.json (ArchivedRelease), archive/settings/<sha256>.json (jobs'
settings by key), archive/switches/<number>-<version>.json (journals of switches that ended).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from slipway.domain.codec import Damaged, canonical, decode, load, to_bytes
from slipway.domain.manifest import Manifest, sha256
from slipway.domain.release import Release, ReleaseFile
from slipway.domain.slot import ENVIRONMENT, Kind, SlotFile

ARCHIVE = "archive/"
FILES = "archive/files/"
RELEASES = "archive/releases/"
SWITCHES = "archive/switches/"


@dataclass(frozen=True, kw_only=True)
class Content:
    """One object that the release put into its slot."""

    path: str
    kind: Kind
    language: str | None
    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class ArchivedRelease:
    """All that is needed to publish a release again, with no build. `environment` is config/environment.json without
    the slot."""

    version: str
    commit: str
    build: str
    release: str
    files: Mapping[str, ReleaseFile]
    contents: tuple[Content, ...]
    environment: Mapping[str, str]
    format: Literal[1] = 1


def archive_release(release: Release, contents: list[SlotFile], environment: Mapping[str, str]) -> tuple[str, bytes]:
    """The name and the bytes of the archive's document. `contents` without config/environment.json."""
    document = ArchivedRelease(
        version=release.version,
        commit=release.commit,
        build=release.build,
        release=release.sha256,
        files=release.files,
        contents=tuple(
            Content(path=f.path, kind=f.kind, language=f.language, sha256=f.sha256, size=f.size) for f in contents
        ),
        environment=environment,
    )
    return name_release(document)


def name_release(document: ArchivedRelease) -> tuple[str, bytes]:
    """The name and the bytes of a release's document."""
    data = to_bytes(document)
    return f"{RELEASES}{document.version}-{sha256(data)[:12]}.json", data


def from_manifest(manifest: Manifest, environment: Mapping[str, str]) -> ArchivedRelease:
    """What a slot's manifest tells of a release that the archive lost; of which build it was, nobody knows."""
    files = {path: file for path, file in manifest.files.items() if path != ENVIRONMENT}
    return ArchivedRelease(
        version=manifest.version,
        commit=manifest.commit,
        build="",
        release="",
        files={path: ReleaseFile(sha256=file.sha256, size=file.size) for path, file in files.items()},
        contents=tuple(
            Content(path=path, kind=file.kind, language=file.language, sha256=file.sha256, size=file.size)
            for path, file in sorted(files.items())
        ),
        environment={key: value for key, value in environment.items() if key != "slot"},
    )


def read_archived(data: bytes) -> ArchivedRelease:
    """Raises codec.Damaged."""
    document: ArchivedRelease = decode(ArchivedRelease, load(data))
    return document


def slot_files(document: ArchivedRelease) -> list[SlotFile]:
    """What the release puts into a slot; the content is the archive's file of that hash."""
    return [
        SlotFile(path=c.path, kind=c.kind, language=c.language, sha256=c.sha256, size=c.size, source=FILES + c.sha256)
        for c in document.contents
    ]


def archive_settings(jobs: Mapping[str, Mapping[str, Any]]) -> tuple[str, bytes]:
    """The name and the bytes of a set of jobs' settings."""
    data = canonical({"format": 1, "jobs": jobs})
    return f"archive/settings/{sha256(data)}.json", data


def read_settings(data: bytes) -> dict[str, dict[str, Any]]:
    """Raises codec.Damaged."""
    document = load(data)
    if not isinstance(document, dict) or document.get("format") != 1 or not isinstance(document.get("jobs"), dict):
        raise Damaged("not a set of jobs' settings of format 1")
    jobs: dict[str, dict[str, Any]] = document["jobs"]
    for key, settings in jobs.items():
        _check(key, settings)
    return jobs


def _check(key: str, settings: Any) -> None:
    """What every use of a job's settings takes for granted."""
    if not isinstance(settings, dict):
        raise Damaged(f"{key}: must be the settings of a job, not {type(settings).__name__}")
    for field, kind in (("name", str), ("tags", dict), ("tasks", list)):
        if field in settings and not isinstance(settings[field], kind):
            raise Damaged(f"{key}.{field}: must be {kind.__name__}, not {type(settings[field]).__name__}")
    if not all(isinstance(task, dict) for task in settings.get("tasks", [])):
        raise Damaged(f"{key}.tasks: must be a list of tasks")
