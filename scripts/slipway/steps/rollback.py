"""Goes back to the last stable release, or to --to VERSION, with exactly the jobs and the factory that it had. No build."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from slipway.command import Context, run_step
from slipway.domain.archive import FILES, ArchivedRelease, archive_settings, read_archived, read_settings, slot_files
from slipway.domain.codec import instant_to_text
from slipway.domain.job import move
from slipway.domain.slot import Slot, SlotFile
from slipway.domain.state import Entry, SlotRecord
from slipway.domain.switch import plan
from slipway.domain.transition import published, rollback_target
from slipway.errors import NotPossible, saying
from slipway.steps.auditing import audited, noted, row
from slipway.steps.claiming import claim_options
from slipway.steps.drift import look_for_drift
from slipway.steps.factory_deployment import say_plan
from slipway.steps.factory_switch import FactoryWork
from slipway.steps.factory_targets import rollback_target as factory_target
from slipway.steps.jobs import known_jobs, with_originals
from slipway.steps.publish_slot import environment_file, wait_option
from slipway.steps.session import Session, open_session
from slipway.steps.slot_writer import Content, is_whole, prepare, write_slot
from slipway.steps.switch_slot import open_journal, say_actions, summarise
from slipway.steps.switching import finish_or_take_back, settle


def main() -> int:
    return run_step(run, description=__doc__ or "", options=_options)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", metavar="VERSION", help="a version that was live once (default: the last stable one)")
    parser.add_argument(
        "--despite-freeze", action="store_true", help="roll back also where a person froze the environment"
    )
    claim_options(parser)
    wait_option(parser)


@dataclass(frozen=True)
class Goal:
    """Where to go back to: the place in the history, the slot, and whether that slot still holds it."""

    index: int
    entry: Entry
    slot: Slot
    whole: bool


def run(context: Context) -> None:
    roll_back(open_session(context, "rollback"), context.arguments.to)


def roll_back(session: Session, version: str | None) -> None:
    """Raises NotPossible with the reason, Conflict, and what stopped it after it was taken back."""
    session.load()
    if session.context.what_if:
        goal = _goal(session, version)
        how = "is whole there: a switch" if goal.whole else "is published again from the archive first"
        session.log.info(f"Would go back to {goal.entry.version} in {goal.slot}, which {how}.")
        wanted = _settings(session, goal)
        known = with_originals(session, known_jobs(session, wanted), wanted)
        say_actions(session, plan(wanted, known, root=session.environment.databricks.root), goal.slot)
        if (work := _factory_work(session, goal.entry, goal.slot)) is not None:
            say_plan(session.log, work.plan()[0])
        return
    despite_freeze = session.context.arguments.despite_freeze
    with audited(session, "rollback"), session.claimed(despite_freeze=despite_freeze):
        journal = session.state.switch
        if journal is not None and journal.kind == "rollback" and journal.direction == "forward":
            session.log.info(f"An open rollback to {journal.version} was found; going on with it.")
            work = _factory_work(session, session.state.history[journal.entry or 0], journal.target)
        elif journal is not None:
            settle(session)
            session.release_claim()
            entry = session.state.live_entry
            live = entry.version if entry else "nothing"
            session.log.info(f"Live is {live} again: that switch had not ended. Run again to go back further.")
            return
        else:
            with saying("No job and no object of the factory was changed; what was live still is."):
                work = _prepare(session, _goal(session, version))
        with session.log.section(f"Going back in {session.environment.name}"):
            finish_or_take_back(session, work)
    summarise(session)


def _goal(session: Session, version: str | None) -> Goal:
    state = session.state
    index = rollback_target(state, version)
    entry = state.history[index]
    slot = state.idle
    return Goal(index, entry, slot, entry.slot == slot and is_whole(session, slot, entry.manifest))


def _settings(session: Session, goal: Goal) -> dict[str, dict[str, Any]]:
    """The jobs' settings of that release as they last were, leading into the goal's slot."""
    settings = session.document(goal.entry.settings, read_settings)
    root = session.environment.databricks.root
    return {key: move(job, root=root, to=goal.slot) for key, job in settings.items()}


def _factory_work(session: Session, entry: Entry, slot: Slot) -> FactoryWork | None:
    """What a rollback does to the factory; None where the environment releases none."""
    if session.environment.data_factory.source == "none":
        return None
    return FactoryWork(session, session.factory, factory_target(session, entry, slot))


def _prepare(session: Session, goal: Goal) -> FactoryWork | None:
    """Makes the slot hold the release, where it does not any more, and opens the journal."""
    session.log.info(
        f"Going back to {goal.entry.version} (live since {instant_to_text(goal.entry.since)}), in {goal.slot}."
    )
    manifest = goal.entry.manifest
    wanted = _settings(session, goal)
    if not goal.whole:
        session.log.info(f"{goal.slot} does not hold it any more: it is published again from the archive.")
        manifest = _republish(session, goal, wanted)
    known = with_originals(session, known_jobs(session, wanted), wanted)
    drift = look_for_drift(session, known, wanted, "overwrite")  # a way back is never stopped by it
    actions = plan(wanted, known, root=session.environment.databricks.root)
    say_actions(session, actions, goal.slot)
    work = _factory_work(session, goal.entry, goal.slot)
    open_journal(
        session,
        kind="rollback",
        version=goal.entry.version,
        manifest=manifest,
        target=goal.slot,
        settings=wanted,
        known=known,
        actions=actions,
        drift=drift,
        factory=work,
        entry=goal.index,
    )
    return work


def _republish(session: Session, goal: Goal, jobs: dict[str, dict[str, Any]]) -> str:
    """Publishes the archived release into the slot. Returns its manifest hash there."""
    document = session.document(goal.entry.archive, read_archived)
    files = [*slot_files(document), environment_file(document.environment, goal.slot)]
    _require_files(session, document)

    def source(file: SlotFile) -> bytes:
        return file.data if file.data is not None else session.store.get_bytes(file.source)

    content = Content(
        slot=goal.slot,
        version=document.version,
        commit=document.commit,
        files=files,
        source=source,
        jobs=frozenset(jobs),
    )
    prepared = prepare(session, content)
    write_slot(session, content, prepared, wait=session.context.arguments.wait_for_runs * 60)
    settings, data = archive_settings(jobs)
    session.keep(settings, data)
    record = SlotRecord(
        version=document.version,
        commit=document.commit,
        release=document.release,
        manifest=prepared.hash,
        complete=True,
        candidate=False,
        files={file.path: file.sha256 for file in files},
        archive=goal.entry.archive,
        settings=settings,
        published=session.now(),
    )
    told = row(
        session,
        "publish",
        "done",
        release=document.version,
        commit=document.commit,
        to_slot=goal.slot,
        manifest=prepared.hash,
        seconds=session.now() - session.began,
        detail="from the archive",
    )
    session.update_ours(noted(session, lambda state: published(state, goal.slot, record), told))
    return prepared.hash


def _require_files(session: Session, document: ArchivedRelease) -> None:
    """Before the slot is touched: the archive holds everything."""
    kept = set(session.store.list(FILES))
    missing = [content.path for content in document.contents if FILES + content.sha256 not in kept]
    if missing:
        raise NotPossible(
            f"The archive of {session.environment.name} lacks files of {document.version}: {', '.join(missing[:5])}.",
            changed="Nothing was changed.",
            next_step="Go back to another version with --to, or release a good one.",
        )
