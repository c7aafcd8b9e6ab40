"""Goes back to the last stable release, or to --to VERSION, with exactly the jobs and the factory that it had. No build."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from slipway.command import Context, run_step
from slipway.domain.archive import FILES, ArchivedRelease, archive_settings, read_archived, read_settings, slot_files
from slipway.domain.codec import instant_to_text
from slipway.domain.job import Settings, move
from slipway.domain.manifest import sha256
from slipway.domain.merge import as_meant
from slipway.domain.slot import Slot, SlotFile
from slipway.domain.state import Entry, SlotRecord, State
from slipway.domain.switch import Known, plan
from slipway.domain.transition import published, rollback_target
from slipway.domain.way_back import course
from slipway.errors import NotPossible, saying
from slipway.steps import reach
from slipway.steps.auditing import audited, end_told, noted, row
from slipway.steps.claiming import claim_options
from slipway.steps.drift import look_for_drift
from slipway.steps.factory_deployment import say_plan
from slipway.steps.factory_switch import FactoryWork
from slipway.steps.factory_targets import rollback_target as factory_target
from slipway.steps.jobs import known_jobs, with_originals
from slipway.steps.publish_slot import environment_file, wait_option
from slipway.steps.repairs import warn_of_repairs
from slipway.steps.session import Session, open_session
from slipway.steps.slot_reading import why_not_whole
from slipway.steps.slot_writer import Content, prepare, write_slot
from slipway.steps.switch_slot import open_journal, say_actions, summarise
from slipway.steps.switching import finish_or_take_back, settle


def main() -> int:
    return run_step(run, description=__doc__ or "", options=_options)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", metavar="VERSION", help="a version that was live once (default: the last stable one)")
    parser.add_argument("--list", action="store_true", help="say which versions can be gone back to, and do nothing")
    parser.add_argument("--json", action="store_true", help="with --list: as data")
    parser.add_argument(
        "--despite-freeze", action="store_true", help="roll back also where a person froze the environment"
    )
    claim_options(parser)
    wait_option(parser)


@dataclass(frozen=True)
class Goal:
    """Where to go back to: the place in the history, the slot, and why that slot does not hold it (empty: it does)."""

    index: int
    entry: Entry
    slot: Slot
    why_not: str


def run(context: Context) -> None:
    if context.arguments.list:
        reach.show(open_session(context, "rollback"))
    else:
        roll_back(open_session(context, "rollback"), context.arguments.to)


def roll_back(
    session: Session,
    version: str | None,
    *,
    still: Callable[[State], bool] = lambda _: True,
    entry: int | None = None,
    despite_freeze: bool = False,
) -> None:
    """Goes to `version` (None: the last stable release), whatever switch is open. Nothing where that is live already, or
    where `still`, asked when the claim is held, says no. `entry`: its place in the history, where that is known: several
    releases may have had one version.

    Raises NotPossible with the reason, Conflict, and what stopped it after it was taken back.
    """
    if session.context.what_if:
        session.load()
        _say_what_if(session, version)
        return
    despite_freeze = despite_freeze or bool(getattr(session.context.arguments, "despite_freeze", False))
    with audited(session, "rollback"), session.claimed(despite_freeze=despite_freeze):
        if not still(session.state):
            session.log.info("Somebody else was faster; nothing is rolled back.")
            session.release_claim()
            return
        journal = session.state.switch
        way = course(journal, version)
        if way == "go on" and journal is not None and entry in (None, journal.entry):
            session.log.info(f"An open rollback to {journal.version} was found; going on with it.")
            work = _factory_work(session, session.state.history[journal.entry or 0], journal.target)
        else:
            settle(session)
            if _is_there(session, version, entry, stop=way == "take back, then stop"):
                session.release_claim()
                return
            with saying("No job and no object of the factory was changed; what was live still is."):
                work = _prepare(session, _goal(session, version, entry))
        with session.log.section(f"Going back in {session.environment.name}"):
            finish_or_take_back(session, work)
    summarise(session)
    warn_of_repairs(session)


def _is_there(session: Session, version: str | None, asked: int | None, *, stop: bool) -> bool:
    """Whether what is live is what was asked for; then says so."""
    entry, name = session.state.live_entry, session.environment.name
    live = "Nothing is live, as before" if entry is None else f"{entry.version} is live in {session.state.live}"
    same = entry is not None and (entry.version == version if asked is None else entry == session.state.history[asked])
    if stop:
        session.log.info(
            f"{live}: that release's switch had not ended and was taken back, which was the way back from it. "
            "To go back further, run again, or name a version with --to."
        )
    elif same:
        session.log.info(f"{live} of {name}; nothing to go back to.")
    else:
        return False
    return True


def _say_what_if(session: Session, version: str | None) -> None:
    journal = session.state.switch
    way = course(journal, version)
    if journal is not None and way == "go on":
        session.log.info(f"Would go on with the open rollback to {journal.version} in {journal.target}.")
        say_actions(session, journal.actions, journal.target)
        return
    if journal is not None:
        session.log.info(f"Would first take back the open switch to {journal.version} ({journal.target}).")
    if way == "take back, then stop":
        session.log.info(f"Live would be {session.state.live or 'nothing'} then, and nothing more would be done.")
        return
    entry = session.state.live_entry
    if version is not None and entry is not None and entry.version == version:
        session.log.info(f"{version} is live; nothing to go back to.")
        return
    goal = _goal(session, version)
    how = f"is published again from the archive first ({goal.why_not})" if goal.why_not else "is whole there: a switch"
    session.log.info(f"Would go back to {goal.entry.version} in {goal.slot}, which {how}.")
    wanted = _settings(session, goal)
    known = with_originals(session, known_jobs(session, wanted), wanted)
    wanted = _schedules_as_meant(session, goal.entry, wanted, known)
    say_actions(session, plan(wanted, known, root=session.environment.databricks.root, back=True), goal.slot)
    if (work := _factory_work(session, goal.entry, goal.slot)) is not None:
        say_plan(session.log, work.plan()[0])


def _goal(session: Session, version: str | None, index: int | None = None) -> Goal:
    state = session.state
    try:
        index = rollback_target(state, version) if index is None else index
    except NotPossible as error:
        if version is not None and state.live_entry is not None:
            listed = "".join(f"\n  {line}" for line in reach.as_lines(reach.places(session)))
            error.next_step = f"Name one of these with --to:{listed}"
        raise
    entry = state.history[index]
    slot = state.idle
    return Goal(index, entry, slot, why_not_whole(session, slot, entry.manifest))


def _settings(session: Session, goal: Goal) -> dict[str, Settings]:
    """The jobs' settings of that release as they last were, leading into the goal's slot."""
    settings = session.document(goal.entry.settings, read_settings)
    root = session.environment.databricks.root
    return {key: move(job, root=root, to=goal.slot) for key, job in settings.items()}


def _schedules_as_meant(
    session: Session, entry: Entry, wanted: Mapping[str, Settings], known: Mapping[str, Known]
) -> dict[str, Settings]:
    """What people made of schedules since that release stepped down counts, and not what they had made of them before."""
    result = dict(wanted)
    try:
        meant = session.document(entry.definitions, read_settings) if entry.definitions else {}
    except NotPossible:
        return result  # the way back is not stopped by it
    for key in wanted.keys() & known.keys() & meant.keys():
        job = known[key]
        if job.base is not None and job.settings is not None and not job.retired and not job.waiting:
            result[key] = as_meant(wanted[key], meant[key], job.base)
    return result


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
    session.aim = goal.entry.version
    manifest = goal.entry.manifest
    wanted = _settings(session, goal)
    if goal.why_not:
        session.log.info(f"It is published again from the archive: {goal.why_not}.")
        with end_told(session, "publish"):
            manifest = _republish(session, goal, wanted)
    known = with_originals(session, known_jobs(session, wanted), wanted)
    wanted = _schedules_as_meant(session, goal.entry, wanted, known)
    drift = look_for_drift(session, known, wanted, "overwrite")  # a way back is never stopped by it
    actions = plan(wanted, known, root=session.environment.databricks.root, back=True)
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


def _republish(session: Session, goal: Goal, jobs: Mapping[str, Settings]) -> str:
    """Publishes the archived release into the slot. Returns its manifest hash there."""
    document = session.document(goal.entry.archive, read_archived)
    files = [*slot_files(document), environment_file(document.environment, goal.slot)]
    _require_files(session, document)

    def source(file: SlotFile) -> bytes:
        return file.data if file.data is not None else _intact(session, document, file)

    content = Content(
        slot=goal.slot,
        version=document.version,
        commit=document.commit,
        files=files,
        source=source,
        jobs=frozenset(jobs),
    )
    prepared = prepare(session, content)
    session.workspace.concurrently([partial(_require_intact, session, document, f) for f in prepared.plan.upload])
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
        published=session.service_time(),
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


def _intact(session: Session, document: ArchivedRelease, file: SlotFile) -> bytes:
    """A file of the archive, whose name is the hash of what it held."""
    data = session.store.get_bytes(file.source)
    if sha256(data) != file.sha256:
        raise NotPossible(
            f"{file.path} of {document.version} is damaged in the archive of {session.environment.name} ({file.source}): it is "
            "not what was released.",
            next_step="Put an earlier version of that blob back, or go back to another version (--list, --to VERSION), or "
            "release a good one.",
        )
    return data


def _require_intact(session: Session, document: ArchivedRelease, file: SlotFile) -> None:
    if file.data is None:
        _intact(session, document, file)


def _require_files(session: Session, document: ArchivedRelease) -> None:
    """Before the slot is touched: the archive holds everything."""
    kept = set(session.store.list(FILES))
    missing = reach.lacking_files(document, kept)
    if missing:
        raise NotPossible(
            f"The archive of {session.environment.name} lacks files of {document.version}: {', '.join(missing[:5])}.",
            changed="Nothing was changed.",
            next_step="Go back to another version (--list says which, --to VERSION goes there), or release a good one.",
        )
