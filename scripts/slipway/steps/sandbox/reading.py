"""Both sides of a sandbox: what lies in the checkout, and what lies in the workspace's folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from slipway.domain.notebook import notebook_language
from slipway.domain.release import FILE_LIMIT, NOTEBOOK_LIMIT, hash_file
from slipway.domain.sandbox import Item, Record, is_made, item_of, reads_as_notebook
from slipway.domain.sandbox_names import bad_part, below, is_left_out
from slipway.domain.slot import Kind
from slipway.errors import NotPossible

if TYPE_CHECKING:
    from slipway.services.databricks import ObjectInfo, Workspace

NOTEBOOKS, LIBRARY, CONFIG = "notebooks", "library", "config"
EXPORTED = 10 * 1024 * 1024
"""Bytes that workspace/export gives at most (https://docs.databricks.com/en/notebooks/notebook-limitations.html)."""
_KINDS: Mapping[str, Kind] = {"NOTEBOOK": "notebook", "FILE": "file"}
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Left:
    """What is not brought over, on either side, and why. `path` as its own side calls it; `prefix`: and all below it."""

    path: str
    why: str
    prefix: bool = False

    def covers(self, key: str) -> bool:
        """Whether a key may mean it: a notebook has no extension in the workspace."""
        stem = self.path.rpartition(".")[0] or self.path
        return key in (self.path, stem) or (self.prefix and key.startswith(self.path + "/"))


@dataclass(frozen=True, kw_only=True)
class Here:
    """The checkout's side. `paths`: each key's file, relative to the checkout; `content`: of what is made."""

    items: dict[str, Item] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    content: dict[str, Callable[[], Path | bytes]] = field(default_factory=dict)
    left: list[Left] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class There:
    """The workspace's side. `data`: what had to be read, by key; `times`: what the listing said before (milliseconds)."""

    items: dict[str, Item] = field(default_factory=dict)
    data: dict[str, bytes] = field(default_factory=dict)
    times: dict[str, int | None] = field(default_factory=dict)
    left: list[Left] = field(default_factory=list)


def read_here(root: Path) -> Here:
    """notebooks/ of the checkout. Symbolic links are not followed: they may lead anywhere."""
    here = Here()
    top = root / NOTEBOOKS
    if top.is_symlink() or not top.is_dir():
        raise NotPossible(
            f"{top} is {'a symbolic link' if top.is_symlink() else 'no folder'}, so there is nothing to keep in step.",
            changed="Nothing was changed.",
            next_step="Run this in the checkout of a project: its notebooks lie in notebooks/.",
        )
    taken: dict[str, str] = {}
    for path, why in _walk(top):
        relative = path.relative_to(root).as_posix()
        if why:
            here.left.append(Left(path=relative, why=why, prefix=True))
            continue
        found = _local(path, relative)
        if isinstance(found, Left):
            here.left.append(found)
            continue
        key, item = found
        if key in taken:  # a.py and a.sql would be one notebook
            here.left.append(Left(path=relative, why=f"{taken[key]} would be the same notebook in a workspace"))
            continue
        taken[key] = relative
        here.items[key], here.paths[key] = item, relative
    return here


def _walk(folder: Path) -> Iterator[tuple[Path, str]]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        yield folder, f"can't be read: {error.strerror}"
        return
    for path in entries:
        if is_left_out(path.name):
            continue
        if path.is_symlink():
            yield path, "is a symbolic link"
        elif bad := bad_part(path.name):
            yield path, bad
        elif path.is_dir():
            yield from _walk(path)
        else:
            yield path, "" if path.is_file() else "is not a file"


def _local(path: Path, relative: str) -> tuple[str, Item] | Left:
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            language = notebook_language(path.name, stream.read(64))
        limit = NOTEBOOK_LIMIT if language else FILE_LIMIT
        if size > limit:
            why = f"has {size / _MEGABYTE:.1f} MB; a workspace takes {limit // _MEGABYTE} MB of such a file at most"
            return Left(path=relative, why=why)
        if path.suffix.lower() == ".ipynb":
            return Left(path=relative, why="is not in source format; export the notebook as source")
        if language:
            return relative.rpartition(".")[0], item_of("notebook", language, path.read_bytes())
        hashed = hash_file(path)
    except OSError as error:
        return Left(path=relative, why=f"can't be read: {error.strerror}")
    return relative, Item(kind="file", digest=hashed.sha256, size=hashed.size)


def add_made(here: Here, key: str, content: Callable[[], Path | bytes], digest: str, size: int) -> None:
    """Something that is no file of the checkout: `content` gives it when it is needed, `digest` is its SHA-256."""
    here.items[key] = Item(kind="file", digest=digest, size=size)
    here.content[key] = content


def read_there(workspace: Workspace, folder: str, record: Record, made: Sequence[str]) -> There:
    """What lies in the workspace's folder: a request for each folder, and one for each object that may have changed since
    the record was written. Of library/ and config/ only what is `made` here is looked at."""
    there = There()
    listed = _list(workspace, folder, there.left)
    wanted = {key: info for key, info in listed.items() if not is_made(key) or key in made or key in record.objects}
    unread = []
    for key, info in wanted.items():
        there.times[key] = info.modified_at
        before = record.objects.get(key)
        kind = _KINDS[info.object_type]
        if before is not None and _as_recorded(info, before.there, before.modified_at):
            there.items[key] = before.there
        elif (info.size or 0) > EXPORTED:
            there.items[key] = Item(kind=kind, digest=f"unread:{info.modified_at}", size=info.size or 0)
        else:
            unread.append(key)
    calls = [partial(workspace.export_file, f"{folder}/{key}") for key in unread]
    for key, data in zip(unread, workspace.concurrently(calls), strict=True):
        if data is None:
            continue  # it went away since the listing
        _note(there, key, wanted[key], data)
    return there


def _note(there: There, key: str, info: ObjectInfo, data: bytes) -> None:
    kind = _KINDS[info.object_type]
    if kind == "file" and reads_as_notebook(key, data):
        there.left.append(
            Left(path=key, why="is a file there that begins as a notebook; as a file here it would be one")
        )
        return
    there.data[key] = data
    there.items[key] = item_of(kind, info.language if kind == "notebook" else None, data)


def _as_recorded(info: ObjectInfo, item: Item, modified_at: int | None) -> bool:
    return (
        info.modified_at is not None
        and info.modified_at == modified_at
        and _KINDS[info.object_type] == item.kind
        and (item.kind == "file" or info.language == item.language)
    )


def _list(workspace: Workspace, folder: str, left: list[Left]) -> dict[str, ObjectInfo]:
    """Notebooks and files by key, one request for each folder. A name is taken only for what lies directly in the folder that
    was asked for, and only where it can be a name here: the workspace is not trusted with paths."""
    found: dict[str, ObjectInfo] = {}
    folders = [NOTEBOOKS, LIBRARY, CONFIG]
    while folders:
        answers = workspace.concurrently([partial(workspace.list, f"{folder}/{relative}") for relative in folders])
        deeper: list[str] = []
        for relative, objects in zip(folders, answers, strict=True):
            for info in objects:
                name = below(info.path, f"{folder}/{relative}")
                bad = "does not lie in the folder that was asked for" if name is None else bad_part(name)
                if name is None or bad:
                    left.append(Left(path=info.path, why=bad))
                elif is_left_out(name):
                    continue
                elif info.object_type == "DIRECTORY":
                    deeper += [f"{relative}/{name}"] if relative.startswith(NOTEBOOKS) else []
                elif info.object_type in _KINDS:
                    found[f"{relative}/{name}"] = replace(info, path=f"{folder}/{relative}/{name}")
                else:
                    left.append(
                        Left(path=f"{relative}/{name}", why=f"is of a kind that has no file here ({info.object_type})")
                    )
        folders = deeper
    return found


def digest_of_tree(folder: Path) -> str:
    """One digest over every file below a folder, its names and contents; hidden files, caches and links are left out."""
    whole = hashlib.sha256()
    for path, why in _walk(folder):
        if not why and not any(part.endswith(".egg-info") for part in path.parts):
            name = os.fsencode(path.relative_to(folder).as_posix())
            whole.update(hashlib.sha256(name).digest() + bytes.fromhex(hash_file(path).sha256))
    return whole.hexdigest()
