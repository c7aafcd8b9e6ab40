"""Makes the tested candidate live: jobs and the factory's definitions, under one journal. --revert takes an open switch back."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from slipway.command import Context, run_step
from slipway.domain.archive import archive_settings, read_settings
from slipway.domain.claim import describe, ends
from slipway.domain.codec import instant_to_text
from slipway.domain.drift import differences
from slipway.domain.job import with_pause
from slipway.domain.slot import Slot
from slipway.domain.state import SlotRecord, State
from slipway.domain.switch import Action, Journal, Known, plan
from slipway.errors import Conflict, NotBootstrapped, NotPossible, saying
from slipway.steps.auditing import audited, flush, noted, row
from slipway.steps.claiming import claim_options
from slipway.steps.drift import drift_option, look_for_drift, policy_of
from slipway.steps.factory_deployment import say_plan
from slipway.steps.factory_switch import FactoryWork
from slipway.steps.factory_targets import release_target
from slipway.steps.jobs import known_jobs, some
from slipway.steps.release_source import release_of
from slipway.steps.repairs import warn_of_repairs
from slipway.steps.session import Session, open_session
from slipway.steps.slot_reading import why_not_whole
from slipway.steps.strays import mend_strays
from slipway.steps.switching import begin, finish_or_take_back, settle, take_back

_UNTOUCHED = "No job and no object of the factory was changed; what was live still is."


def main() -> int:
    return run_step(run, description=__doc__ or "", options=_options)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--revert", action="store_true", help="take back the switch that is open; nothing when none is")
    parser.add_argument(
        "--if-free",
        action="store_true",
        help="with --revert, for a schedule: leave a switch to the release that is at work on it, and end well",
    )
    claim_options(parser)
    drift_option(parser)


def run(context: Context) -> None:
    if context.arguments.revert:
        revert(open_session(context, "revert"))
    else:
        release = release_of(context)
        switch(open_session(context, release.version), release.version, release.sha256)


def switch(session: Session, version: str, release: str) -> None:
    """Switches to the candidate of this release; run again after a crash, it goes on from where it was cut.

    Raises NotPossible (no tested candidate), Conflict, and what stopped it after it was taken back.
    """
    state = session.load()
    slot = state.idle
    if _is_live(session, release) and not _is_candidate(session, slot, release):
        session.log.info(f"{version} is live in {state.live} already; nothing to switch.")
        if not session.context.what_if:
            session.release_claim()
        return
    if session.context.what_if:
        record = tested_candidate(session, slot, version, release)
        wanted = session.document(record.settings, read_settings)
        known, policy = known_jobs(session, wanted), policy_of(session)
        look_for_drift(session, known, wanted, policy)
        say_actions(session, plan(wanted, known, policy=policy, root=session.environment.databricks.root), slot)
        if (work := _factory_work(session, slot)) is not None:
            say_plan(session.log, work.plan()[0])
        return
    with audited(session, "switch"), session.claimed():
        journal, slot = session.state.switch, session.state.idle
        if journal is not None and not _is_of(session, journal, release):
            settle(session)
            journal = None
        with session.log.section(f"Switching {session.environment.name} to {slot} ({version})"):
            with saying(_UNTOUCHED if journal is None else ""):
                work = _factory_work(session, slot)
                if journal is None:
                    _begin(session, slot, tested_candidate(session, slot, version, release), work)
                else:
                    session.log.info("An open switch to this release was found; going on with it.")
            finish_or_take_back(session, work)
    summarise(session)
    warn_of_repairs(session)


def _is_live(session: Session, release: str) -> bool:
    state = session.state
    record = state.slots.get(state.live) if state.live else None
    return record is not None and record.release == release and state.switch is None


def _is_candidate(session: Session, slot: Slot, release: str) -> bool:
    record = session.state.slots.get(slot)
    return record is not None and record.candidate and record.complete and record.release == release


def _is_of(session: Session, journal: Journal, release: str) -> bool:
    """Whether the open switch is this release's own and leads forward. Another's is not gone on with: the factory would
    get this one's definitions with the other's jobs."""
    record = session.state.slots.get(journal.target)
    fits = record is not None and record.release == release and record.manifest == journal.manifest
    return fits and journal.kind == "release" and journal.direction == "forward"


def tested_candidate(session: Session, slot: Slot, version: str, release: str) -> SlotRecord:
    """The idle slot's record, where it is this release, whole, and its test passed for exactly its manifest."""
    record = session.state.slots.get(slot)
    problem = ""
    if record is None or not record.complete or not record.candidate:
        problem = f"{slot}, the idle slot, holds no candidate"
    elif record.release != release:
        problem = f"{slot} holds {record.version}, not this release ({version})"
    elif record.test is None or record.test.manifest != record.manifest:
        problem = f"{version} in {slot} (manifest {record.manifest[:12]}) was not tested"
    elif not record.test.passed:
        problem = f"the integration test of {version} failed ({some(record.test.failed)})"
    else:
        problem = why_not_whole(session, slot, record.manifest)
    if problem or record is None:
        raise NotPossible(
            f"Nothing is switched: {problem}.",
            changed="Nothing was changed.",
            next_step="Publish and test the release first (scripts/publish_slot.py, scripts/run_integration_test.py).",
        )
    return record


def _factory_work(session: Session, slot: Slot) -> FactoryWork | None:
    """What the release does to the factory; None where it releases none. Raises ReleaseError."""
    if session.environment.data_factory.source == "none":
        return None
    return FactoryWork(session, session.factory, release_target(session, slot))


def _begin(session: Session, slot: Slot, record: SlotRecord, work: FactoryWork | None) -> None:
    wanted = session.document(record.settings, read_settings)
    known = known_jobs(session, wanted)
    policy = policy_of(session)
    drift = look_for_drift(session, known, wanted, policy)
    actions = plan(wanted, known, policy=policy, root=session.environment.databricks.root)
    say_actions(session, actions, slot)
    open_journal(
        session,
        kind="release",
        version=record.version,
        manifest=record.manifest,
        target=slot,
        settings=wanted,
        known=known,
        actions=actions,
        drift=drift,
        factory=work,
    )


def open_journal(
    session: Session,
    *,
    kind: Any,
    version: str,
    manifest: str,
    target: Slot,
    settings: Mapping[str, Mapping[str, Any]],
    known: Mapping[str, Known],
    actions: tuple[Action, ...],
    drift: tuple[str, ...],
    factory: FactoryWork | None,
    entry: int | None = None,
) -> None:
    """Writes down everything that will change, and then that a switch is open."""
    part = None if factory is None else factory.begin()
    name, data = archive_settings(settings)
    session.keep(name, data)
    before = {
        a.key: with_pause(a.before, a_pause) if (a_pause := known[a.key].pause) else a.before
        for a in actions
        if a.before is not None and not known[a.key].retired and not known[a.key].waiting
    }
    # A job of the live release that somebody deleted is one of its jobs still: a rollback to it makes the job again. (A
    # switch that was taken back may have made it meanwhile, or an adopted one taken its place.)
    lost = {key: job.base for key, job in known.items() if job.settings is None or job.retired or job.waiting}
    before |= {key: base for key, base in lost.items() if base is not None}
    waiting = {a.key: a.before for a in actions if a.before is not None and known[a.key].waiting}
    adopted = _keep_adopted(session, waiting)
    kept, data = archive_settings(before)
    session.keep(kept, data)
    session.just_read = (session.now(), {action.key: action.before for action in actions})
    begin(
        session,
        Journal(
            kind=kind,
            version=version,
            manifest=manifest,
            source=session.state.live,
            target=target,
            actions=actions,
            settings=name,
            kept=kept if session.state.live else None,
            started=session.service_time(),
            holder=session.holder.id,
            number=session.number,
            drift=drift,
            entry=entry,
            adopted=adopted,
            factory=part,
        ),
    )


def _keep_adopted(session: Session, waiting: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Archives what adopted jobs are, just before a switch sets them for the first time."""
    if not waiting:
        return None
    name, data = archive_settings(waiting)
    session.keep(name, data)
    return name


def say_actions(session: Session, actions: tuple[Action, ...], slot: Slot) -> None:
    """What the switch does to each job."""
    for action in actions:
        what = "is made" if action.before is None else f"goes to {slot}"
        record = session.state.jobs.get(action.key)
        adopted = record is not None and record.slot is None
        if action.leaves:
            what = "leaves the release: paused"
        elif action.returns:
            what = "leaves the release: goes back to what it was before it was adopted"
        elif action.before is not None and (adopted or session.log.verbose):
            what += ", adopted: set for the first time" if adopted else ""
            what += "".join(f"\n    {line}" for line in differences(action.before, action.after))
        session.log.info(f"job {action.key}: {what}")


def revert(session: Session) -> None:
    """Takes back the switch that is open, and gives the claim back; does nothing when neither is there to do."""
    try:
        state = session.load()
    except NotBootstrapped as error:
        if not session.context.arguments.if_free:
            raise
        session.log.info(f"Nothing was ever released to {session.environment.name}: {error.what}")
        return
    journal = state.switch
    if journal is None:
        session.log.info(f"No switch is open in {session.environment.name}; nothing to take back.")
        if not session.context.what_if:
            ours_at_work = state.claim is not None and state.claim.holder == session.holder.id and state.claim.at_work
            if ours_at_work or (session.context.arguments.take_over and state.claim is not None):
                # A release that is dead for certain must not keep the next one waiting; one that is not, stops.
                session.take_claim(despite_freeze=True)
            session.release_claim()
            _forget_expired_claim(session)
            if session.context.arguments.if_free:
                mend_strays(session)
        return
    if session.context.what_if:
        session.log.info(f"Would take back the switch to {journal.version} ({journal.target}):")
        for action in journal.actions:
            session.log.info(f"  job {action.key} ({action.id}): as it was before")
        if journal.factory is not None:
            session.log.info(f"  data factory {journal.factory.factory}: what the switch changed, as it was before")
        return
    if session.context.arguments.if_free:
        try:
            session.take_claim(despite_freeze=True)
        except Conflict as held:
            session.log.info(f"A switch to {journal.version} is open, and somebody is at work on it: {held.what}")
            session.log.info("Nothing was changed; if that release is dead, its claim ends by itself.")
            return
    with (
        audited(session, "revert"),
        session.claimed(despite_freeze=True),
    ):  # jobs of two releases are worse than a change in a freeze
        if session.state.switch is None:
            session.log.info("The switch ended meanwhile; nothing to take back.")
            session.release_claim()
            return
        with session.log.section(f"Taking back the switch to {journal.version}"):
            changed = take_back(session, action="revert")
        session.release_claim()
    session.log.info(
        f"Taken back: {', '.join(changed) or 'nothing had been changed'}. Live is {state.live or 'nothing'}."
    )


def _forget_expired_claim(session: Session) -> None:
    """Takes a claim that has ended by itself out of the state: whose it was is said here, and not to the next release."""
    claim = session.state.claim
    if claim is None or session.service_time() < ends(claim, switching=False):
        return
    told = row(session, "claim", "expired", release=claim.release, detail=f"of {claim.who} ({claim.run})")

    def forgetting(state: State) -> State:
        if state.claim != claim or state.switch is not None:
            return state
        return noted(session, lambda held: replace(held, claim=None), told)(state)

    if session.update(forgetting).claim is None:
        session.log.info(
            f"{describe(claim)} gave no sign of life since {instant_to_text(claim.heartbeat)}: its claim had expired "
            f"{instant_to_text(claim.expires)}, and is taken out."
        )
        flush(session)


def summarise(session: Session) -> None:
    """A line for the log and a summary for the run's page."""
    state, name = session.state, session.environment.name
    entry = state.live_entry
    if entry is None:
        return
    session.log.info(f"{entry.version} is live in {name} ({state.live}).")
    if state.watch is not None:
        session.log.info(f"It is watched until {instant_to_text(state.watch.until)}.")
    lines = [f"### {name}: {entry.version} is live in {state.live}", "", "| job | id | slot | |", "|---|---|---|---|"]
    for key, job in sorted(state.jobs.items()):
        remark = "left the release" if job.retired else ""
        lines.append(f"| {key} | {job.id} | {job.slot or 'adopted'} | {remark} |")
    session.log.summary("\n".join(lines) + "\n", name=f"switch-{name}")
