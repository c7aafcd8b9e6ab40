"""Makes an environment's lost or damaged state anew, from the archive, the slots' manifests and the jobs' tags.

Says what it would write; --yes writes it. A state that can be read, or of a newer format, is never overwritten.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from slipway.command import Context, run_step
from slipway.domain.archive import RELEASES, SWITCHES, ArchivedRelease, read_archived, read_settings, slot_files
from slipway.domain.codec import Damaged, from_bytes, instant_to_text
from slipway.domain.job import is_ours, reads_from
from slipway.domain.manifest import Manifest, make_manifest, sha256
from slipway.domain.rebuild import Found, Job, live_slot, open_rest, rebuilt, replay
from slipway.domain.slot import SLOTS, Slot
from slipway.domain.state import STATE_BLOB, State, read_state, write_state
from slipway.domain.switch import Journal
from slipway.errors import NotPossible, StateDamaged
from slipway.steps.auditing import flush, noted, row
from slipway.steps.jobs import read_jobs
from slipway.steps.publish_slot import environment_file
from slipway.steps.rebuild_from_slot import Rescue, from_slot, rescue
from slipway.steps.session import Session, open_session
from slipway.steps.slot_reading import read_slot_manifest


def main() -> int:
    return run_step(run, description=__doc__ or "", options=_options)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="write it; without this it is only said")
    parser.add_argument("--live", choices=SLOTS, help="which slot is live, where jobs lead to both")


def run(context: Context) -> None:
    rebuild(open_session(context, "rebuild"))


def rebuild(session: Session) -> None:
    """Raises NotPossible where there is nothing to rebuild, or where it can't be told what is live."""
    arguments = session.context.arguments
    etag = _damaged(session)
    found, files, manifests = _look(session)
    app, name = session.environment.app, session.environment.name
    played = replay(State(app=app, environment=name), found, files)
    live, why = live_slot(played, found)
    if live is None and why and arguments.live is None:
        raise NotPossible(
            f"It can't be told what is live in {name}: {why}.",
            changed="Nothing was changed.",
            next_step="Look at the jobs, and say with --live blue or --live green which slot is to be live.",
        )
    live = arguments.live or live
    lost: Rescue | None = None
    settings: dict[str, Mapping[str, Any]] = {}
    entry = next((e for e in reversed(played.history) if e.slot == live), None)
    if live in manifests and (entry is None or entry.manifest != found.manifests[live]):
        played, lost = from_slot(session, played, found, live, manifests[live])
        settings.update((key, job.settings) for key, job in found.jobs.items())
    elif entry is not None:
        settings.update(session.document(entry.settings, read_settings))
    state = rebuilt(played, found, live, settings)
    state = open_rest(state, found, settings, session.environment.databricks.root, session.service_time())
    _say(session, state, found)
    if session.context.what_if or not arguments.yes:
        session.log.info("Nothing was written. If this is right, run again with --yes.")
        return
    if lost is not None:
        rescue(session, lost)
    _write(session, state, etag)


def _damaged(session: Session) -> str | None:
    """The ETag of the damaged state, or of one that knows nothing; None where there is none. Raises NotPossible for any
    other that can be read."""
    there = session.store.read(STATE_BLOB)
    if there is None:
        return None
    try:
        state = read_state(there[0], app=session.environment.app, environment=session.environment.name)
        if state.knows_nothing:
            return there[1]
    except StateDamaged as error:
        session.log.info(error.what)
        return there[1]
    raise NotPossible(
        f"The state of {session.environment.name} can be read; there is nothing to rebuild.",
        changed="Nothing was changed.",
        next_step="Look at scripts/status.py.",
    )


def _look(session: Session) -> tuple[Found, dict[str, Mapping[str, str]], dict[Slot, Manifest]]:
    """What is left of the environment; what each archived release puts into a slot, by manifest hash; the manifests in
    the slots."""
    releases: dict[str, tuple[str, ArchivedRelease]] = {}
    files: dict[str, Mapping[str, str]] = {}
    names = session.store.list(RELEASES)
    read = [partial(session.document, name, read_archived) for name in names]
    for name, document in zip(names, session.workspace.concurrently(read), strict=True):
        for slot in SLOTS:
            held = [*slot_files(document), environment_file(document.environment, slot)]
            _, digest = make_manifest(
                app=session.environment.app,
                environment=session.environment.name,
                slot=slot,
                version=document.version,
                commit=document.commit,
                files=held,
            )
            releases[digest] = (name, document)
            files[digest] = {file.path: file.sha256 for file in held}
    manifests = {slot: there for slot in SLOTS if (there := read_slot_manifest(session, slot)) is not None}
    journals = _journals(session)
    jobs = _jobs(session)
    jobs |= _untagged(session, jobs, journals)
    found = Found(
        releases=releases,
        archived=tuple(names),
        manifests={slot: digest for slot, (_, digest) in manifests.items()},
        journals=journals,
        jobs=jobs,
    )
    return found, files, {slot: manifest for slot, (manifest, _) in manifests.items()}


def _journals(session: Session) -> tuple[Journal, ...]:
    names = session.store.list(SWITCHES)
    found = []
    for name, data in zip(
        names, session.workspace.concurrently([partial(session.store.get_bytes, name) for name in names]), strict=True
    ):
        try:
            found.append(from_bytes(Journal, data))
        except Damaged as error:
            session.log.warning(f"{name} is damaged, and left out: {error}.")
    return tuple(sorted(found, key=lambda journal: (journal.number, journal.started)))


def _jobs(session: Session) -> dict[str, Job]:
    """This environment's jobs by their tags, the oldest of several."""
    ids: dict[str, int] = {}
    for job in session.workspace.list_jobs():
        key = is_ours(job.get("settings") or {}, session.environment.app, session.environment.name)
        if key is not None:
            ids[key] = min(ids.get(key, int(job["job_id"])), int(job["job_id"]))
    read = session.workspace.concurrently([partial(session.workspace.get_job, ids[key]) for key in sorted(ids)])
    return {
        key: Job(id=ids[key], settings=job["settings"], slot=_slot_of(session, job))
        for key, job in zip(sorted(ids), read, strict=True)
        if job is not None
    }


def _untagged(session: Session, tagged: Mapping[str, Job], journals: tuple[Journal, ...]) -> dict[str, Job]:
    """Jobs that a switch had, whose tags somebody took away: their ids are in the journals."""
    ids = {action.key: action.id for journal in journals for action in journal.actions if action.id is not None}
    known = {job.id for job in tagged.values()}
    lacking = {key: job_id for key, job_id in ids.items() if key not in tagged and job_id not in known}
    read = read_jobs(session, lacking)
    found = {}
    for key, settings in read.items():
        slot = None if settings is None else _slot_of(session, settings)
        if settings is not None and slot is not None:
            session.log.warning(f"Job {key} ({lacking[key]}) has lost its tags; it is taken by its id.")
            found[key] = Job(id=lacking[key], settings=settings, slot=slot)
    return found


def _slot_of(session: Session, job: Mapping[str, Any]) -> Slot | None:
    return next((slot for slot in SLOTS if reads_from(job, session.slot_folder(slot))), None)


def _say(session: Session, state: State, found: Found) -> None:
    log, live = session.log, state.live_entry
    log.info(f"Live: {f'{live.version} in {state.live}' if live else state.live or 'nothing'}")
    for slot in SLOTS:
        record = state.slots.get(slot)
        said = (
            f"{record.version}{'' if record.complete else ', not complete'}" if record else "not known; publish again"
        )
        log.info(f"{slot}: {said}")
    for key, job in sorted(state.jobs.items()):
        remark = ", left the release" if job.retired else ""
        log.info(f"job {key} ({job.id}): leads to {found.jobs[key].slot or 'no slot'}{remark}")
    for entry in reversed(state.history):
        log.info(f"released: {entry.version}, {instant_to_text(entry.since)}, {entry.outcome.replace('_', ' ')}")
    if state.switch is not None:
        log.warning(
            f"{len(state.switch.actions)} jobs lead to {state.switch.target}: an open switch, to be taken back."
        )
    log.info("Test results are not rebuilt: a candidate is published and tested again.")


def _write(session: Session, state: State, etag: str | None) -> None:
    if etag is not None and (there := session.store.read(STATE_BLOB)) is not None:
        session.store.put_bytes(f"archive/damaged/{sha256(there[0])[:12]}-{STATE_BLOB}", there[0])
    detail = f"{len(state.history)} releases, {len(state.jobs)} jobs"
    told = row(session, "rebuild", "done", commit="", detail=detail)  # in the same write: a cut can't part them
    state = replace(noted(session, lambda it: it, told)(state), serial=1, written_by=session.holder.id)
    session.store.write(STATE_BLOB, write_state(state), etag=etag)
    session.load()
    flush(session)
    session.log.info(
        "Written."
        + (" Run scripts/switch_slot.py --revert now: jobs lead to both slots." if state.switch is not None else "")
    )
