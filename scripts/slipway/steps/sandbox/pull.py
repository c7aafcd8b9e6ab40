"""Pull: brings what was changed in the workspace to the checkout, notebooks in source format."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from slipway.domain.sandbox import Pair, as_local, item_of, local_path
from slipway.errors import UsageError
from slipway.steps.sandbox.files import Refused, remove_file, write_file
from slipway.steps.sandbox.place import Place
from slipway.steps.sandbox.reading import EXPORTED, Here, read_here, read_there
from slipway.steps.sandbox.sync import Sync, close, decided, prepare, without_made, writable


def pull(place: Place) -> None:
    """Brings what was changed in the workspace to the checkout. Raises Conflict as `push` does."""
    if not place.exists:
        raise UsageError(
            f"There is no sandbox yet: {place.folder} does not exist.",
            changed="Nothing was changed.",
            next_step="python scripts/sandbox.py push makes it.",
        )

    def look() -> Sync:
        there = read_there(place.workspace, place.folder, without_made(place.record), ())
        return prepare(place, "there", read_here(place.root), there, place.record.library)

    if found := decided(look):
        sync, delete = found
        _download(sync, delete)
        close(sync, delete)


def _download(sync: Sync, delete: frozenset[str]) -> None:
    place = sync.place
    keys = writable(sync, delete)
    still = read_here(place.root)
    for key in sorted(delete):
        _guarded(sync, key, still, partial(remove_file, place.root, sync.here.paths[key]))
        if key not in sync.late:
            sync.objects.pop(key, None)
    for key in keys:
        if sync.plan.replaces.get(key) in sync.late:  # what it takes the place of is still there
            sync.late.append(key)
        else:
            _take(sync, key, still)


def _take(sync: Sync, key: str, still: Here) -> None:
    item = sync.there.items[key]
    data = sync.there.data.get(key)
    if data is None and item.size <= EXPORTED:  # forced, and as the record has it, so it was not read
        data = sync.place.workspace.export_file(f"{sync.place.folder}/{key}")
    if data is None:
        sync.place.log.warning(f"Left as it is: {sync.name(key)} is too large there to be read ({item.size} bytes).")
        sync.late.append(key)
        return
    item = item_of(item.kind, item.language, data)
    path = local_path(key, item, sync.here.paths.get(key) or sync.paths.get(key, ""))
    former = sync.here.paths.get(key)
    content = as_local(item.language or "PYTHON", data) if item.kind == "notebook" else data

    def write() -> None:
        write_file(sync.place.root, path, content)
        if former not in (None, path):  # another language, or a notebook that is a file now
            remove_file(sync.place.root, str(former))

    _guarded(sync, key, still, write)
    if key not in sync.late:
        here = item_of(item.kind, item.language, content)
        sync.objects[key] = Pair(here=here, there=item, path=path, modified_at=sync.there.times.get(key))


def _guarded(sync: Sync, key: str, still: Here, change: Callable[[], None]) -> None:
    """Changes a file here, if it is what was compared."""
    before, now = sync.here.items.get(key), still.items.get(key)
    if (before is None) != (now is None) or (before is not None and not before.same_as(now)):
        sync.late.append(key)
        return
    try:
        change()
    except Refused as refused:
        sync.place.log.warning(f"Left as it is: {sync.name(key)}: {refused}.")
        sync.late.append(key)
