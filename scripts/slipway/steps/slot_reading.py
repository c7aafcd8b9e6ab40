"""What lies in a slot, and whether it is still what was published there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from slipway.domain.archive import FILES
from slipway.domain.codec import Damaged
from slipway.domain.manifest import Manifest, ManifestFile, read_manifest, sha256
from slipway.domain.slot import MANIFEST, Slot, object_type
from slipway.errors import NotPossible
from slipway.steps.jobs import some

EXPORTED = 10 * 1024 * 1024
"""Bytes that workspace/export gives at most (https://docs.databricks.com/en/notebooks/notebook-limitations.html)."""

if TYPE_CHECKING:
    from slipway.services.databricks import ObjectInfo
    from slipway.steps.session import Session


def list_slot(session: Session, slot: Slot) -> dict[str, ObjectInfo]:
    """Everything in a slot, by its path relative to it. One request per folder."""
    root = session.slot_folder(slot)
    found: dict[str, ObjectInfo] = {}
    folders = [root]
    while folders:
        answers = session.workspace.concurrently([partial(session.workspace.list, folder) for folder in folders])
        below = []
        for folder, objects in zip(folders, answers, strict=True):
            for item in objects:
                relative = _relative(item.path, root)
                if relative is None:
                    continue  # a file lists itself: the slot is no folder
                found[relative] = item
                if item.object_type == "DIRECTORY":
                    below.append(f"{folder}/{item.path.rpartition('/')[2]}")
        folders = below
    return found


def types_of(listed: Mapping[str, ObjectInfo]) -> dict[str, str]:
    return {path: item.object_type for path, item in listed.items()}


def in_slot(session: Session, slot: Slot, relative: str) -> str:
    return f"{session.slot_folder(slot)}/{relative}"


def why_not_whole(session: Session, slot: Slot, manifest: str) -> str:
    """Why the slot can't be switched to as holding the manifest with this hash; empty where it can (`difference`).

    Where another agent may have written after the manifest, the next publishing uploads all of it.
    """
    why = difference(session, slot, manifest)
    record = session.state.slots.get(slot)
    if why and session.contested and record is not None and record.complete and not session.context.what_if:
        session.update_ours(lambda state: state.with_slot(slot, replace(record, complete=False, test=None)))
    return why


def difference(session: Session, slot: Slot, manifest: str) -> str:
    """Why the slot does not hold exactly what belongs to the manifest with this hash; empty where it does. Reads only.

    A request, and one for each folder: the manifest is written last, so what the service says was modified later is
    looked into, one more request each. Under a contested claim everything is: an agent that woke up late may have written.
    """
    record = session.state.slots.get(slot)
    if record is None or record.manifest != manifest:
        return f"{slot} holds {'nothing' if record is None else record.version}"
    if not record.complete:
        return f"{slot} is not complete"
    there = read_slot_manifest(session, slot)
    if there is None or there[1] != manifest:
        return f"the manifest in {slot} is not the one that was written; somebody wrote into the slot"
    changed = changed_objects(session, slot, there[0])
    if not changed:
        return ""
    return f"{slot} does not hold what was published; somebody wrote into the slot: {some(changed, most=5)}"


def read_slot_manifest(session: Session, slot: Slot) -> tuple[Manifest, str] | None:
    """The manifest in a slot and its hash; None where there is none, or none that can be read."""
    data = session.workspace.export_file(in_slot(session, slot, MANIFEST))
    if data is None:
        return None
    try:
        return read_manifest(data), sha256(data)
    except Damaged:
        return None


def changed_objects(session: Session, slot: Slot, manifest: Manifest) -> list[str]:
    """What is in the slot and not as the manifest says, or is missing, or does not belong there. What is too large to be
    exported counts as changed where it was modified."""
    listed = list_slot(session, slot)
    changed = {path for path, file in manifest.files.items() if not _fits(file, listed.get(path))}
    changed |= {
        path
        for path, item in listed.items()
        if path not in manifest.files and path != MANIFEST and item.object_type != "DIRECTORY"
    }
    later = modified_later(listed, manifest.files) - changed
    changed |= {path for path in later if manifest.files[path].size > EXPORTED}
    suspect = manifest.files.keys() - changed if session.contested else later - changed
    compared = sorted(path for path in suspect if manifest.files[path].size <= EXPORTED)
    calls = [partial(_is_same, session, slot, path, manifest.files[path]) for path in compared]
    for path, same in zip(compared, session.workspace.concurrently(calls), strict=True):
        if not same:
            changed.add(path)
    return sorted(changed)


def modified_later(listed: Mapping[str, ObjectInfo], paths: Iterable[str]) -> set[str]:
    """Those of the paths that the service says were modified after the manifest, or of which it does not say when.

    Both times are by the service's clock. Opening or running a notebook may count as a modification.
    """
    written = listed[MANIFEST].modified_at if MANIFEST in listed else None
    return {path for path in paths if path in listed and not _earlier(listed[path].modified_at, written)}


def _earlier(modified: int | None, written: int | None) -> bool:
    return modified is not None and written is not None and modified <= written


def _fits(file: ManifestFile, item: ObjectInfo | None) -> bool:
    return item is not None and item.object_type == object_type(file.kind)


def _is_same(session: Session, slot: Slot, path: str, file: ManifestFile) -> bool:
    there = session.workspace.export_file(in_slot(session, slot, path))
    if there is None or sha256(there) == file.sha256:
        return there is not None
    if file.kind != "notebook":
        return False
    try:
        return same_notebook(there, session.store.get_bytes(FILES + file.sha256))
    except NotPossible:
        return False


def same_notebook(there: bytes, source: bytes) -> bool:
    """The service keeps a notebook as cells, so its white space may differ."""
    return there.split() == source.split()


def _relative(path: str, root: str) -> str | None:
    """The path below `root`; the service may say /x for /Workspace/x."""
    for start in (root, root.removeprefix("/Workspace")):
        if path.startswith(start + "/"):
            return path[len(start) + 1 :]
    return None
