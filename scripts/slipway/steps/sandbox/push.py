"""Push: brings what changed in the checkout to the workspace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from slipway.domain.sandbox import Item, Pair, is_made, item_of
from slipway.steps.sandbox.made import make
from slipway.steps.sandbox.place import Place
from slipway.steps.sandbox.reading import EXPORTED, There, read_here, read_there
from slipway.steps.sandbox.sync import Sync, close, content_of, decided, prepare, writable


def push(place: Place, scratch: Path) -> None:
    """Brings what changed here to the workspace. Raises Conflict for what both sides changed, after the rest is done."""

    def look() -> Sync:
        here = read_here(place.root)
        library = make(place, here, scratch)
        there = (
            read_there(place.workspace, place.folder, place.record, tuple(here.content)) if place.exists else There()
        )
        return prepare(place, "here", here, there, library)

    if found := decided(look):
        sync, delete = found
        _upload(sync, delete)
        close(sync, delete)


def _upload(sync: Sync, delete: frozenset[str]) -> None:
    place, workspace = sync.place, sync.place.workspace
    keys = writable(sync, delete)
    kinds = {key: sync.comparisons[key] for key in keys}
    # An import does not replace a notebook by a file, or the other way round.
    other_kind = [key for key, one in kinds.items() if one.here and one.there and one.here.kind != one.there.kind]
    workspace.concurrently(
        [partial(workspace.delete, f"{place.folder}/{key}") for key in [*sorted(delete), *other_kind]]
    )
    for key in delete:
        sync.objects.pop(key, None)
    there = {key.rpartition("/")[0] for key in sync.there.items}
    for folder in sorted({key.rpartition("/")[0] for key in keys} - there):
        workspace.mkdirs(f"{place.folder}/{folder}")
    sent = dict(zip(keys, workspace.concurrently([partial(_send, sync, key) for key in keys]), strict=True))
    _confirm(sync, sent)


def _send(sync: Sync, key: str) -> Item:
    """Uploads; gives the item that was sent, which may be newer than the one that was looked at."""
    source, item = content_of(sync, key), sync.here.items[key]
    path, workspace = f"{sync.place.folder}/{key}", sync.place.workspace
    if item.kind == "file":
        workspace.import_file(path, source)
        return item
    data = source if isinstance(source, bytes) else source.read_bytes()
    workspace.import_notebook(path, item.language or "PYTHON", data)
    return item_of("notebook", item.language, data)


def _confirm(sync: Sync, sent: Mapping[str, Item]) -> None:
    """Reads back what was sent, after the listing that says when it was modified: the time is then never newer than the
    content, so what somebody writes from now on is seen by the next sync."""
    place, workspace = sync.place, sync.place.workspace
    folders = sorted({key.rpartition("/")[0] for key in sent})
    listed = workspace.concurrently([partial(workspace.list, f"{place.folder}/{folder}") for folder in folders])
    times = {
        f"{folder}/{info.path.rpartition('/')[2]}": info.modified_at
        for folder, objects in zip(folders, listed, strict=True)
        for info in objects
    }
    read = [key for key, item in sent.items() if item.size <= EXPORTED]
    answers = workspace.concurrently([partial(workspace.export_file, f"{place.folder}/{key}") for key in read])
    data = dict(zip(read, answers, strict=True))
    for key, item in sent.items():
        there = item
        if key in data:
            found = data[key]
            there = item_of(item.kind, item.language, found) if found is not None else replace(item, digest="")
        if not _kept(sync, key, item, there, data.get(key)):
            sync.late.append(key)
            continue
        path = "" if is_made(key) else sync.paths[key]
        sync.objects[key] = Pair(here=item, there=there, path=path, modified_at=times.get(key))


def _kept(sync: Sync, key: str, item: Item, there: Item, data: bytes | None) -> bool:
    """Whether the service keeps what it was sent, but for white space that it writes its own way."""
    if item.same_as(there):
        return True
    if item.kind == "file" or data is None:
        return False
    source = content_of(sync, key)
    return data.split() == (source if isinstance(source, bytes) else source.read_bytes()).split()
