"""Slots: the two folders under an environment's root, what a release puts into one, and what publishing must do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from slipway.domain.codec import Damaged, canonical, load
from slipway.domain.release import Release

Slot = Literal["blue", "green"]
SLOTS: tuple[Slot, Slot] = ("blue", "green")
Kind = Literal["notebook", "file"]

MANIFEST = "manifest.json"
ENVIRONMENT = "config/environment.json"


def other(slot: Slot) -> Slot:
    return "green" if slot == "blue" else "blue"


def slot_path(root: str, slot: Slot) -> str:
    return f"{root}/{slot}"


@dataclass(frozen=True, kw_only=True)
class SlotFile:
    """One object of a slot. `path` is relative to the slot, a notebook's without extension; `source` is the release's
    file, or "" where `data` holds the content."""

    path: str
    kind: Kind
    language: str | None
    sha256: str
    size: int
    source: str = ""
    data: bytes | None = field(default=None, repr=False)


def environment_json(values: Mapping[str, str], *, slot: Slot) -> bytes:
    """config/environment.json of a slot; `values` are app, environment, version and the notebooks' own."""
    return canonical({**values, "slot": slot})


def owner_of(data: bytes) -> tuple[str, str] | None:
    """App and environment that a slot's config/environment.json names; None where it names none."""
    try:
        said = load(data)
    except Damaged:
        return None
    if not isinstance(said, dict) or not all(isinstance(said.get(key), str) for key in ("app", "environment")):
        return None
    return said["app"], said["environment"]


def release_files(release: Release) -> list[SlotFile]:
    """What a release puts into any slot (without config/environment.json, which differs by slot)."""
    files = []
    for path, entry in sorted(release.files.items()):
        folder = path.partition("/")[0]
        if folder not in ("notebooks", "library"):
            continue
        language = release.notebooks.get(path)
        files.append(
            SlotFile(
                path=path.rpartition(".")[0] if language else path,
                kind="notebook" if language else "file",
                language=language,
                sha256=entry.sha256,
                size=entry.size,
                source=path,
            )
        )
    return files


@dataclass(frozen=True, kw_only=True)
class PublishPlan:
    """What makes a slot hold exactly `upload` + `keep`. Paths are relative to the slot; `folders` parents first,
    `delete` holds files and then folders with all they hold."""

    folders: tuple[str, ...]
    upload: tuple[SlotFile, ...]
    keep: tuple[str, ...]
    delete: tuple[str, ...]


def plan_publish(
    wanted: list[SlotFile], *, known: Mapping[str, str] | None, listed: Mapping[str, Any] | None
) -> PublishPlan:
    """What must be uploaded, kept and deleted.

    `known` is what the slot is known to hold (path -> sha256), or None when its record can't be trusted. `listed` is
    what is there: path -> "NOTEBOOK" | "FILE" | "DIRECTORY" | …; None when the slot's folder does not exist.
    """
    there = listed or {}
    known = known or {}
    paths = {file.path: file for file in wanted}
    folders = _folders(paths)
    delete: list[str] = []
    for path, kind in sorted(there.items()):
        if path == MANIFEST or any(path.startswith(above + "/") for above in delete):
            continue
        fits = (kind == "DIRECTORY" and path in folders) or (path in paths and object_type(paths[path].kind) == kind)
        if not fits:
            delete.append(path)
    keep = [p for p, file in paths.items() if known.get(p) == file.sha256 and there.get(p) == object_type(file.kind)]
    upload = [file for path, file in sorted(paths.items()) if path not in set(keep)]
    missing = [folder for folder in sorted(folders) if there.get(folder) != "DIRECTORY"]
    return PublishPlan(folders=tuple(missing), upload=tuple(upload), keep=tuple(sorted(keep)), delete=tuple(delete))


def object_type(kind: Kind) -> str:
    """What the workspace calls it."""
    return "NOTEBOOK" if kind == "notebook" else "FILE"


def _folders(paths: Mapping[str, SlotFile]) -> set[str]:
    """Every folder that the paths need, relative to the slot."""
    folders = set()
    for path in paths:
        parent = path.rpartition("/")[0]
        while parent:
            folders.add(parent)
            parent = parent.rpartition("/")[0]
    return folders
