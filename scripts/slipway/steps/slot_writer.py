"""Makes a slot hold exactly what it should: the manifest is taken away first and written last."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from slipway.domain.manifest import make_manifest, sha256
from slipway.domain.slot import MANIFEST, PublishPlan, Slot, SlotFile, plan_publish
from slipway.domain.transition import begin_publish, retired_in
from slipway.errors import AuthenticationError, Conflict, ServiceError
from slipway.steps.auditing import noted, row
from slipway.steps.factory_drain import pipeline_runs_reading
from slipway.steps.jobs import is_listed
from slipway.steps.runs import check_sight, wait_for_runs
from slipway.steps.slot_reading import EXPORTED, in_slot, list_slot, modified_later, same_notebook, types_of

if TYPE_CHECKING:
    from slipway.steps.session import Session

Source = Callable[[SlotFile], Path | bytes]


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a slot is to hold; `source` gives a file's content (a path for large ones); `jobs`: the
    keys of the release's jobs."""

    slot: Slot
    version: str
    commit: str
    files: list[SlotFile]
    source: Source
    jobs: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What is to be done, and the manifest in the end. `intact`: the slot holds it all already; `empty`: it
    holds nothing; `seen`: when each object was modified last, as the service said (milliseconds)."""

    plan: PublishPlan
    seen: Mapping[str, int | None]
    manifest: bytes
    hash: str
    intact: bool
    empty: bool


def prepare(session: Session, content: Content) -> Prepared:
    """Looks at the slot (reads only) and says what must be done."""
    environment = session.environment
    listed = list_slot(session, content.slot)
    objects = types_of(listed)
    record = session.state.slots.get(content.slot)
    there = session.workspace.export_file(in_slot(session, content.slot, MANIFEST)) if MANIFEST in listed else None
    # The record of what the slot holds is worth something only while the manifest that belongs to it is there.
    trusted = record is not None and record.complete and there is not None and sha256(there) == record.manifest
    if session.contested:
        trusted = False  # another agent may have written here late: everything is uploaded, and read back
    later = modified_later(listed, listed)
    known = {path: digest for path, digest in record.files.items() if path not in later} if record and trusted else None
    plan = plan_publish(content.files, known=known, listed=objects)
    data, digest = make_manifest(
        app=environment.app,
        environment=environment.name,
        slot=content.slot,
        version=content.version,
        commit=content.commit,
        files=content.files,
    )
    intact = there == data and not plan.upload and not plan.delete
    seen = {path: item.modified_at for path, item in listed.items()}
    return Prepared(plan=plan, seen=seen, manifest=data, hash=digest, intact=intact, empty=not listed)


def write_slot(session: Session, content: Content, prepared: Prepared, *, wait: float) -> None:
    """Does it, after no active run reads from the slot any more (`wait` seconds at most)."""
    if prepared.intact:
        session.log.info(f"{content.slot} holds exactly this already; nothing to upload.")
        return
    folder = session.slot_folder(content.slot)
    with session.log.section(f"Runs that read from {content.slot}"):
        if not prepared.empty:
            check_sight(session, folder)
        others = partial(pipeline_runs_reading, session, content.slot)
        if wait_for_runs(session, folder, limit=wait, others=others):
            prepared = prepare(session, content)  # people may have written here meanwhile
        session.log.info("None is active.")
    _delete_retired(session, content)
    told = row(session, "publish", "begun", release=content.version, commit=content.commit, to_slot=content.slot)
    session.update_ours(noted(session, lambda state: begin_publish(state, content.slot, content.jobs), told))
    with session.log.section(f"Writing {folder}"), _telling_what_may_be_late(session, content):
        session.guard()
        session.workspace.delete(in_slot(session, content.slot, MANIFEST))
        _clear(session, content.slot, prepared.plan)
        _upload(session, content, prepared.plan)
        _write_touched(session, content, prepared)
        _verify(session, content)
        if session.contested:
            _repair(session, content)
        _write_manifest(session, content.slot, prepared.manifest)


@contextmanager
def _telling_what_may_be_late(session: Session, content: Content) -> Iterator[None]:
    """For an agent that lost its claim while it wrote: what it had under way may have taken effect after that."""
    try:
        yield
    except Conflict as error:
        live = session.state.live == content.slot
        error.changed = (
            f"Requests that were under way may still have written files of {content.version} into {content.slot}"
            + (", WHICH IS LIVE NOW. " if live else ". ")
            + "Nothing more is changed."
        )
        error.next_step = (
            f"Look at {session.slot_folder(content.slot)}; where it is not as released, roll back, or release again."
            if live
            else "Whoever has the claim now reads its slot back before it switches. Look at scripts/status.py."
        )
        raise


def _delete_retired(session: Session, content: Content) -> None:
    for key, job in sorted(retired_in(session.state, content.slot, content.jobs).items()):
        session.guard()
        session.log.info(f"Deleting job {key} ({job.id}): it left the release, and its slot is overwritten now.")
        try:
            session.workspace.delete_job(job.id)
        except AuthenticationError:
            if is_listed(session, job.id):
                raise
            session.log.info(f"Job {key} ({job.id}) was gone already.")


def _clear(session: Session, slot: Slot, plan: PublishPlan) -> None:
    session.concurrently(
        [partial(session.workspace.delete, in_slot(session, slot, path), True) for path in plan.delete],
        "removed" if plan.delete else "",
    )
    needed = (
        [session.slot_folder(slot)] if not plan.folders else [in_slot(session, slot, path) for path in plan.folders]
    )
    for folder in needed:
        session.guard()
        session.workspace.mkdirs(folder)


def _upload(session: Session, content: Content, plan: PublishPlan) -> None:
    session.concurrently([partial(_put, session, content, file) for file in plan.upload], "uploaded")
    session.log.info(
        f"{len(plan.upload)} uploaded ({sum(f.size for f in plan.upload)} bytes), "
        f"{len(plan.keep)} unchanged, {len(plan.delete)} removed."
    )


def _put(session: Session, content: Content, file: SlotFile) -> None:
    path, source = in_slot(session, content.slot, file.path), content.source(file)
    if file.kind == "notebook":
        session.workspace.import_notebook(path, file.language or "PYTHON", _bytes(source))
    else:
        session.workspace.import_file(path, source)


def _bytes(source: Path | bytes) -> bytes:
    return source if isinstance(source, bytes) else source.read_bytes()


def _repair(session: Session, content: Content) -> None:
    """What an agent wrote late, after its claim was taken, is found by reading back, and written again."""
    late = _differing(session, content, content.files)
    if not late:
        return
    names = ", ".join(sorted(file.path for file in late)[:10])
    session.log.warning(f"An agent that lost its claim still wrote into {content.slot}; written again: {names}.")
    session.concurrently([partial(_put, session, content, file) for file in late], "uploaded")
    if _differing(session, content, late):
        raise ServiceError(
            f"{session.slot_folder(content.slot)} does not keep what is uploaded: {names}.",
            changed="The slot has no manifest, so nothing can be switched to it. What is live was not touched.",
            next_step="End the other agent (scripts/status.py says whose claim was taken), then run the step again.",
        )


def _differing(session: Session, content: Content, files: Sequence[SlotFile]) -> list[SlotFile]:
    """The files that read back otherwise. Files above the size that the service exports are taken as they were sent."""

    def same(file: SlotFile) -> bool:
        there = session.workspace.export_file(in_slot(session, content.slot, file.path))
        if there is None or file.kind != "notebook":
            return there is not None and sha256(there) == file.sha256
        return same_notebook(there, _bytes(content.source(file)))

    small = [file for file in files if file.size <= EXPORTED]
    fine = session.workspace.concurrently([partial(same, file) for file in small])
    return [file for file, good in zip(small, fine, strict=True) if not good]


def _write_touched(session: Session, content: Content, prepared: Prepared) -> None:
    """What was to be kept, and somebody wrote since it was looked at: the manifest comes later than that, so nothing else
    would tell."""
    listed = list_slot(session, content.slot)
    kept = [path for path in prepared.plan.keep if path in listed]
    touched = {path for path in kept if listed[path].modified_at != prepared.seen.get(path)}
    if not touched:
        return
    session.log.warning(
        f"Somebody wrote into {content.slot} meanwhile; written again: {', '.join(sorted(touched)[:10])}."
    )
    again = [file for file in content.files if file.path in touched]
    session.concurrently([partial(_put, session, content, file) for file in again], "uploaded")


def _verify(session: Session, content: Content) -> None:
    """What is there now is exactly what should be."""
    listed = types_of(list_slot(session, content.slot))
    left = plan_publish(content.files, known={file.path: file.sha256 for file in content.files}, listed=listed)
    wrong = [file.path for file in left.upload] + list(left.delete)
    if wrong:
        raise ServiceError(
            f"{session.slot_folder(content.slot)} does not hold what was uploaded: {', '.join(sorted(wrong)[:10])}.",
            changed="The slot has no manifest, so nothing can be switched to it. What is live was not touched.",
            next_step="Run the step again; if it stays so, somebody else is writing into this folder.",
        )


def _write_manifest(session: Session, slot: Slot, data: bytes) -> None:
    session.guard()
    path = in_slot(session, slot, MANIFEST)
    session.workspace.import_file(path, data)
    if session.workspace.export_file(path) != data:
        raise ServiceError(
            f"{path} is not what was written.",
            changed="Nothing is switched to this slot. What is live was not touched.",
            next_step="Run the step again.",
        )
