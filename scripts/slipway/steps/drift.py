"""Drift of the jobs: looked for before publishing and again at the switch, reported, and governed by jobs.drift."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from slipway.domain.archive import archive_settings, read_settings
from slipway.domain.job import Settings, is_ours, pause_of
from slipway.domain.merge import Change, Policy, as_kept, carry, changes, stops
from slipway.domain.switch import Journal, Known, remarks
from slipway.errors import Conflict

if TYPE_CHECKING:
    from slipway.steps.session import Session


def drift_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--drift",
        choices=("keep", "overwrite", "stop"),
        help="what becomes of job settings that people changed by hand, this time (default: jobs.drift)",
    )


def policy_of(session: Session) -> Policy:
    asked: Policy | None = getattr(session.context.arguments, "drift", None)
    return asked or session.environment.jobs.drift


def look_for_drift(
    session: Session, known: Mapping[str, Known], wanted: Mapping[str, Settings], policy: Policy
) -> tuple[str, ...]:
    """Says what people changed by hand since the last switch, and what the release makes of it; returns the lines.

    Reads only. Raises Conflict where the policy is stop and something would be undone; a look with --what-if goes on.
    """
    entry = session.state.live_entry
    if entry is None:
        return ()
    lines: list[str] = []
    undone: list[str] = []
    for key, job in sorted(known.items()):
        if job.base is None or job.retired or job.waiting:
            continue
        if job.settings is None:
            lines.append(
                f"job {key} ({job.id}) was deleted, or hidden from the release identity: a switch makes a new one. "
                "If it is still there, delete it"
            )
            continue
        found = _changes(job.base, job.settings, wanted.get(key), policy, session.environment.databricks.root)
        lines += _pausing(key, job, job.settings) + [f"job {key}: {change}" for change in found]
        if stops(found):
            undone += [f"job {key} ({job.id}): {change.difference}" for change in found if change.lost]
    for line in lines:
        session.log.warning(f"Changed by hand since {entry.version} was released: {line}")
    if undone and policy == "stop":
        _stop(session, entry.version, undone)
    return tuple(lines)


def report_strangers(session: Session, wanted: Mapping[str, Settings]) -> None:
    """Says which jobs look like Slipway's and are not: they are never touched. One request for each 100 jobs."""
    records = session.state.jobs
    ids = {record.id for record in records.values()}
    names = {str(settings["name"]).lower(): key for key, settings in wanted.items()}
    for job in session.workspace.list_jobs():
        settings, job_id = job.get("settings") or {}, int(job["job_id"])
        if job_id in ids:
            continue
        key = is_ours(settings, session.environment.app, session.environment.name)
        name = str(settings.get("name", ""))
        if key is not None and key in records:
            session.log.warning(
                f"Job {name!r} ({job_id}) has the tags of job {key} ({records[key].id}) and is not that job: a copy? "
                "It is never touched; delete it, or take its slipway_ tags away."
            )
        elif key is None and name.lower() in names:
            key = names[name.lower()]
            what = f"as job {key} ({records[key].id}) has" if key in records else f"that job {key} will have"
            session.log.warning(
                f"Job {name!r} ({job_id}) has the name {what}, and is not Slipway's: it is never touched. "
                "scripts/adopt_job.py takes an existing job over."
            )


def note_kept(session: Session, journal: Journal, now: Mapping[str, Settings | None]) -> None:
    """Says what the service made otherwise of the settings that it was given, and notes it with the release, so that it
    is not taken for a change by hand."""
    lines = remarks(journal, now)
    for line in lines:
        session.log.warning(f"The service keeps it otherwise: {line}")
    if not lines or journal.direction == "back":
        return
    meant = session.document(journal.settings, read_settings)
    for action in journal.actions:
        answered = now.get(action.key)
        if action.key in meant and answered is not None:
            meant[action.key] = as_kept(meant[action.key], action.after, answered)
    name, data = archive_settings(meant)
    session.keep(name, data)
    noted = replace(journal, definitions=name)
    session.update_ours(lambda state: replace(state, switch=noted) if state.switch == journal else state)


def _changes(base: Settings, theirs: Settings, wanted: Settings | None, policy: Policy, root: str) -> list[Change]:
    if wanted is None:  # it leaves the release, paused and else as it is
        return changes(base, base, theirs, theirs, root)
    return changes(wanted, base, theirs, carry(wanted, base, theirs, policy, root), root)


def _pausing(key: str, job: Known, settings: Settings) -> list[str]:
    status = pause_of(settings)
    if status is None or job.pause is None or status == job.pause:
        return []
    return [f"job {key}: pause_status was set to {job.pause}, is {status}; it is left so"]


def _stop(session: Session, version: str, undone: list[str]) -> None:
    name = session.environment.name
    what = (
        f"Job settings in {name} were changed by hand since {version} was released, and this release would undo that "
        f"(jobs.drift is stop):" + "".join(f"\n  {line}" for line in undone)
    )
    if session.context.what_if:
        session.log.warning(f"A release would end here. {what}")
        return
    raise Conflict(
        what,
        next_step="Write what should stay into config/jobs/ and release that. Or decide for this once: --drift keep (what "
        "was changed by hand stays) or --drift overwrite (the release's settings win); for a pipeline, run it again with "
        "that chosen as its parameter.",
    )
