"""Makes the idle slot hold exactly the release: notebooks, wheels, what notebooks read about their environment."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from slipway.command import Context, run_step
from slipway.domain.archive import FILES, archive_release, archive_settings, read_archived
from slipway.domain.manifest import sha256
from slipway.domain.release import Release
from slipway.domain.slot import ENVIRONMENT, Slot, SlotFile, environment_json, release_files
from slipway.domain.state import SlotRecord
from slipway.domain.transition import forget_old, published
from slipway.errors import saying
from slipway.steps.auditing import audited, noted, row
from slipway.steps.claiming import claim_options, minutes
from slipway.steps.drift import drift_option, look_for_drift, policy_of, report_strangers
from slipway.steps.jobs import known_jobs
from slipway.steps.live_readers import refuse_live_readers
from slipway.steps.lost_state import refuse_forgotten
from slipway.steps.release_source import release_of, render_jobs
from slipway.steps.session import Session, open_session
from slipway.steps.slot_writer import Content, Prepared, prepare, write_slot
from slipway.steps.switching import settle

_WAIT_MINUTES = 30


def main() -> int:
    return run_step(run, description=__doc__ or "", options=_options)


def _options(parser: argparse.ArgumentParser) -> None:
    claim_options(parser)
    wait_option(parser)
    drift_option(parser)


def wait_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait-for-runs",
        type=minutes,
        default=_WAIT_MINUTES,
        metavar="MINUTES",
        help="how long runs that still read from the slot are waited for (default: %(default)s)",
    )


def run(context: Context) -> None:
    release = release_of(context)
    publish(open_session(context, release.version), release)


def publish(session: Session, release: Release) -> None:
    """Publishes `release` into the idle slot; with --what-if says what that would change.

    Raises Conflict (another release, runs that still read from the slot), ReleaseError, ServiceError.
    """
    if session.context.what_if:
        session.load()
        slot = session.state.idle
        _look_at_jobs(session, render_jobs(release, session.environment, slot))
        _say(session, prepare(session, _content(session, release, slot)), slot)
        return
    session.commit = release.commit
    with audited(session, "publish"), session.claimed():
        refuse_forgotten(session)
        settle(session)
        with saying("Nothing was changed."):
            slot = session.state.idle
            jobs = render_jobs(release, session.environment, slot)
            _look_at_jobs(session, jobs)
            content = _content(session, release, slot)
            session.log.info(f"{release.version} goes to {slot}; live is {session.state.live or 'nothing yet'}.")
            with session.log.section(f"Looking at {session.slot_folder(slot)}"):
                prepared = prepare(session, content)
                _say(session, prepared, slot)
        with saying(
            f"{slot}, the idle slot, is not complete: nothing can be switched to it. What is live was not touched."
        ):
            write_slot(session, content, prepared, wait=session.context.arguments.wait_for_runs * 60)
            _note(session, release, jobs, content, prepared)
        _prune(session)
        session.log.info(f"{slot} holds {release.version}, manifest {prepared.hash[:12]}.")


def _look_at_jobs(session: Session, jobs: Mapping[str, Mapping[str, Any]]) -> None:
    report_strangers(session, jobs)
    known = known_jobs(session, {})
    refuse_live_readers(session, known)
    look_for_drift(session, known, jobs, policy_of(session))


def _note(
    session: Session, release: Release, jobs: Mapping[str, Mapping[str, Any]], content: Content, prepared: Prepared
) -> None:
    """Keeps the release in the archive, and notes in the state that the slot holds it."""
    with session.log.section("Archive"):
        archive, settings = _archive(session, release, jobs)
    record = SlotRecord(
        version=release.version,
        commit=release.commit,
        release=release.sha256,
        manifest=prepared.hash,
        complete=True,
        candidate=True,
        files={file.path: file.sha256 for file in content.files},
        archive=archive,
        settings=settings,
        published=session.service_time(),
    )
    told = row(
        session,
        "publish",
        "done",
        to_slot=content.slot,
        manifest=prepared.hash,
        seconds=session.now() - session.began,
    )
    session.update_ours(noted(session, lambda state: published(state, content.slot, record), told))


def notebook_values(session: Session, release: Release) -> dict[str, str]:
    """config/environment.json without the slot."""
    environment = session.environment
    return {
        **environment.notebooks,
        "app": environment.app,
        "environment": environment.name,
        "version": release.version,
    }


def environment_file(values: Mapping[str, str], slot: Slot) -> SlotFile:
    data = environment_json(values, slot=slot)
    return SlotFile(path=ENVIRONMENT, kind="file", language=None, sha256=sha256(data), size=len(data), data=data)


def _content(session: Session, release: Release, slot: Slot) -> Content:
    def source(file: SlotFile) -> Path | bytes:
        return file.data if file.data is not None else release.folder / file.source

    files = [*release_files(release), environment_file(notebook_values(session, release), slot)]
    return Content(
        slot=slot,
        version=release.version,
        commit=release.commit,
        files=files,
        source=source,
        jobs=frozenset(release.job_keys),
    )


def _say(session: Session, prepared: Prepared, slot: Slot) -> None:
    log, plan = session.log, prepared.plan
    log.info(
        f"{slot}: {len(plan.upload)} to upload, {len(plan.keep)} unchanged, {len(plan.delete)} to remove"
        + (" (nothing to do)" if prepared.intact else "")
    )
    for file in plan.upload:
        (log.info if session.context.what_if else log.detail)(f"  + {file.path} ({file.size} bytes)")
    for path in plan.delete:
        (log.info if session.context.what_if else log.detail)(f"  - {path}")


def _archive(session: Session, release: Release, jobs: Mapping[str, Mapping[str, Any]]) -> tuple[str, str]:
    """Keeps the release: its files, its jobs' settings. Returns the names of its document and of the settings."""
    store = session.store
    kept = set(store.list(FILES))
    missing = {
        FILES + entry.sha256: release.folder / path
        for path, entry in release.files.items()
        if FILES + entry.sha256 not in kept
    }
    session.concurrently([partial(store.put_file, name, path) for name, path in sorted(missing.items())], "archived")
    settings, data = archive_settings(jobs)
    session.keep(settings, data)
    archive, document = archive_release(release, release_files(release), notebook_values(session, release))
    session.keep(archive, document)
    session.log.info(f"{len(missing)} new files in the archive; {archive}")
    return archive, settings


def _prune(session: Session) -> None:
    """Forgets the oldest releases beyond archive.keep, and then their files that no other release has."""
    keep = session.environment.archive_keep
    _, gone = forget_old(session.state, keep)
    if not gone:
        return
    session.update_ours(lambda state: forget_old(state, keep)[0])
    needed = set()
    for name in session.state.archived:
        needed |= {FILES + entry.sha256 for entry in session.document(name, read_archived).files.values()}
    surplus = [name for name in session.store.list(FILES) if name not in needed]
    session.concurrently([partial(session.store.delete, name) for name in [*gone, *surplus]])
    session.log.info(f"Forgot {len(gone)} old releases ({len(surplus)} files): archive.keep is {keep}.")
