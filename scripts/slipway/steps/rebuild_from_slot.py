"""The live release of an environment whose state is lost, where no archived switch tells of it: what its slot and its jobs
still tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from slipway.domain.archive import FILES, archive_settings, from_manifest, name_release
from slipway.domain.codec import Damaged, load
from slipway.domain.manifest import Manifest, sha256
from slipway.domain.rebuild import Found, witnessed
from slipway.domain.slot import ENVIRONMENT, Slot
from slipway.steps.slot_reading import EXPORTED, in_slot

if TYPE_CHECKING:
    from slipway.domain.state import State
    from slipway.steps.session import Session


@dataclass(frozen=True)
class Rescue:
    """What goes into the archive again before the state is written: documents by name, and the slot's files."""

    slot: Slot
    documents: Mapping[str, bytes]
    manifest: Manifest


def from_slot(session: Session, state: State, found: Found, slot: Slot, manifest: Manifest) -> tuple[State, Rescue]:
    """The state with what the slot's manifest says as the live release, and its jobs as they are now."""
    known = found.releases.get(found.manifests[slot])
    if known is not None:
        archive, release = known
        documents = {}
        session.log.warning(f"{manifest.version} is in {slot}, and no switch to it that ended is archived.")
    else:
        release = from_manifest(manifest, _values(session.workspace.export_file(in_slot(session, slot, ENVIRONMENT))))
        archive, document = name_release(release)
        documents = {archive: document}
        session.log.warning(
            f"The archive knows nothing of {manifest.version} in {slot}: it is taken from the slot, and its jobs are taken as "
            "they are now, changes by hand included. Releases that the archive does not know can't be gone back to."
        )
    settings, kept = archive_settings({key: job.settings for key, job in found.jobs.items() if job.slot == slot})
    after = witnessed(state, found, slot, release, archive=archive, settings=settings, now=session.now())
    return after, Rescue(slot, {**documents, settings: kept}, manifest)


def rescue(session: Session, found: Rescue) -> None:
    """Puts it into the archive. A file that the service gives back otherwise than it was released (notebooks are kept as
    cells) or not at all (10 MB is the most) stays out; said, since the release can't be published again without it."""
    for name, data in found.documents.items():
        session.store.put_bytes(name, data)
    there = set(session.store.list(FILES))
    paths = [
        path
        for path, file in sorted(found.manifest.files.items())
        if path != ENVIRONMENT and file.size <= EXPORTED and FILES + file.sha256 not in there
    ]
    saved = session.workspace.concurrently([partial(_save, session, found, path) for path in paths])
    kept = there | {FILES + found.manifest.files[path].sha256 for path, good in zip(paths, saved, strict=True) if good}
    lost = [
        p for p, file in sorted(found.manifest.files.items()) if p != ENVIRONMENT and FILES + file.sha256 not in kept
    ]
    if lost:
        session.log.warning(
            f"{len(lost)} files of {found.manifest.version} could not be archived ({', '.join(lost[:5])}): it can be gone back "
            f"to while {found.slot} holds it, and not be published again."
        )


def _save(session: Session, found: Rescue, path: str) -> bool:
    data = session.workspace.export_file(in_slot(session, found.slot, path))
    if data is None or sha256(data) != found.manifest.files[path].sha256:
        return False
    session.store.put_bytes(FILES + sha256(data), data)
    return True


def _values(data: bytes | None) -> dict[str, str]:
    """What notebooks read about their environment; nothing where the file can't be read."""
    try:
        values: Any = load(data) if data is not None else {}
    except Damaged:
        return {}
    return {key: value for key, value in values.items() if isinstance(value, str)} if isinstance(values, dict) else {}
