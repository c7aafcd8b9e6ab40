"""How the state changes: one pure function for each thing that happens to an environment."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from slipway.domain.factory.part import FactoryRecord
from slipway.domain.job import TAG_SLOT, own_tags
from slipway.domain.slot import Slot
from slipway.domain.state import Entry, JobRecord, SlotRecord, State, TestResult
from slipway.domain.switch import Action, Journal, turn_back
from slipway.domain.watch import Watch
from slipway.errors import NotPossible

_HISTORY = 50
"""Releases that were live once, kept at most."""


def begin_publish(state: State, slot: Slot, jobs: Collection[str]) -> State:
    """From now on what the slot holds is not known; jobs that pointed at it to be looked at only are forgotten, except
    those that come back with the release (`jobs`: its keys). What people made of them is not."""
    record = state.slots.get(slot)
    gone = retired_in(state, slot, jobs)
    by_hand = {key: job.by_hand for key, job in gone.items() if job.by_hand}
    state = replace(
        state,
        jobs={key: job for key, job in state.jobs.items() if key not in gone},
        by_hand={**state.by_hand, **by_hand},
    )
    return state if record is None else state.with_slot(slot, replace(record, complete=False, test=None))


def retired_in(state: State, slot: Slot, jobs: Collection[str]) -> dict[str, JobRecord]:
    """Jobs that left an earlier release and still point at `slot`: deleted when it is overwritten by a release that has
    no such job either."""
    return {key: job for key, job in state.jobs.items() if job.retired and job.slot == slot and key not in jobs}


def published(state: State, slot: Slot, record: SlotRecord) -> State:
    archived = (*(name for name in state.archived if name != record.archive), record.archive)
    return replace(state.with_slot(slot, record), archived=archived)


def tested(state: State, slot: Slot, result: TestResult) -> State:
    """Notes a test result; one of another manifest than the slot's is refused."""
    record = state.slots.get(slot)
    if record is None or not record.complete or record.manifest != result.manifest:
        raise NotPossible(
            f"The test result is for manifest {result.manifest[:12]}, but {slot} does not hold that.",
            next_step="Publish and test again.",
        )
    return state.with_slot(slot, replace(record, test=result))


def adopted(state: State, key: str, record: JobRecord) -> State:
    """A job that people made is a job of this environment from now on."""
    return replace(state, jobs={**state.jobs, key: record})


def opened(state: State, journal: Journal, *, drilling: bool = False) -> State:
    """A rollback that is no drill's own ends a drill that was cut short: people decided otherwise."""
    state = replace(state, switch=journal)
    return without_drill(state) if journal.kind == "rollback" and not drilling else state


def drilled(state: State, entry: int) -> State:
    """A drill is under way, and comes forward to this place in the history again."""
    return replace(state, drill=state.history[entry].version, drill_entry=entry)


def without_drill(state: State) -> State:
    return replace(state, drill=None, drill_entry=None)


def turned_back(state: State, journal: Journal) -> State:
    return replace(state, switch=turn_back(journal))


def switched(
    state: State,
    journal: Journal,
    *,
    now: float,
    run: str,
    readers: tuple[str, ...],
    watch: Watch | None = None,
    drilling: bool = False,
) -> State:
    """The switch is complete: the target slot is live, and `watch` in the place of an earlier one, which a drill leaves for
    its end. One compare-and-swap makes it so."""
    record = state.slots[journal.target]
    left = None if state.live_entry is None else state.live_entry.definitions
    jobs = {key: replace(job, retired=job.slot is not None) for key, job in state.jobs.items()}
    for action in journal.actions:
        if action.id is None:
            raise ValueError(f"job {action.key} has no id")
        jobs[action.key] = _record(action, action.id, journal, state.jobs.get(action.key), readers, left)
    if journal.kind == "rollback" and journal.entry is not None:
        history = _rolled_back(state.history, journal, record, now, run)
    else:
        history = _released(state.history, journal, record, now, run)
    state = state.with_slot(journal.target, replace(record, candidate=False))
    by_hand = {key: status for key, status in state.by_hand.items() if key not in jobs}
    state = replace(imported(state, journal), by_hand=by_hand, live=journal.target, jobs=jobs, history=history)
    return state if drilling else replace(without_drill(state), watch=watch)


def imported(state: State, journal: Journal) -> State:
    """The factory's part is complete, and the journal closed."""
    part = journal.factory
    factory = FactoryRecord(triggers=part.meant) if part is not None and part.meant else state.factory
    return replace(state, switch=None, factory=factory)


def _record(
    action: Action, job_id: int, journal: Journal, before: JobRecord | None, readers: tuple[str, ...], left: str | None
) -> JobRecord:
    if action.returns and before is not None:
        return replace(before, slot=None)
    adopted = before.adopted if before is not None and before.id == job_id else None
    first = before is None or (bool(adopted) and before.slot is None)
    if first and action.before is not None and TAG_SLOT not in own_tags(action.before):
        adopted = journal.adopted or adopted  # as it was just before this switch
    return JobRecord(
        id=job_id,
        slot=(journal.source or journal.target) if action.leaves else journal.target,
        pause=action.pause,
        retired=action.leaves,
        by_hand=action.by_hand,
        left=left if action.leaves else None,
        readers=None if action.leaves else readers,
        adopted=adopted,
    )


def taken_back(state: State, journal: Journal) -> State:
    """The switch is undone; jobs that it made stay, paused, until their slot is overwritten."""
    jobs = dict(state.jobs)
    for action in journal.actions:
        if action.id is None:
            continue
        record = jobs.get(action.key)
        if action.before is None and record is not None and record.slot is not None and not record.retired:
            # The live release's, deleted by hand, and made by this switch: it is that release's job still.
            jobs[action.key] = replace(record, id=action.id, readers=None, by_hand=action.by_hand)
        elif action.before is None:
            jobs[action.key] = JobRecord(
                id=action.id, slot=journal.target, pause=action.pause, retired=True, by_hand=action.by_hand
            )
        elif action.key in jobs and jobs[action.key].id != action.id:  # it was deleted by hand, and made again
            jobs[action.key] = replace(jobs[action.key], id=action.id, readers=None)
    return replace(state, jobs=jobs, switch=None)


def _released(
    history: tuple[Entry, ...], journal: Journal, record: SlotRecord, now: float, run: str
) -> tuple[Entry, ...]:
    before = tuple(_step_down(entry, journal) if entry.outcome == "live" else entry for entry in history)
    entry = Entry(
        version=record.version,
        commit=record.commit,
        slot=journal.target,
        manifest=record.manifest,
        archive=record.archive,
        settings=journal.settings,
        since=now,
        outcome="live",
        run=run,
        definitions=journal.definitions or journal.settings,
    )
    return (*before, entry)[-_HISTORY:]


def _step_down(entry: Entry, journal: Journal) -> Entry:
    """No longer live; keeps its jobs' settings and its factory as they last were, people's changes included."""
    factory = journal.factory.before if journal.factory is not None else None
    return replace(entry, outcome="stable", settings=journal.kept or entry.settings, factory=factory)


def _rolled_back(
    history: tuple[Entry, ...], journal: Journal, record: SlotRecord, now: float, run: str
) -> tuple[Entry, ...]:
    result = []
    for index, entry in enumerate(history):
        if index == journal.entry:
            entry = replace(
                entry,
                slot=journal.target,
                manifest=record.manifest,
                settings=journal.settings,
                since=now,
                outcome="live",
                run=run,
                factory=None,
            )
        elif entry.outcome == "live":
            entry = _step_down(entry, journal)
        if journal.entry is not None and index > journal.entry:
            entry = replace(entry, outcome="rolled_back")
        result.append(entry)
    return tuple(result)


def rollback_target(state: State, version: str | None) -> int:
    """The place in the history to go back to: the last stable release, or the newest that had `version`.

    Raises NotPossible with the reason.
    """
    live = next((i for i, entry in enumerate(state.history) if entry.outcome == "live"), None)
    if live is None:
        raise NotPossible(
            f"Nothing is live in {state.environment}, so there is nothing to go back from.",
            changed="Nothing was changed.",
        )
    if version is not None:
        found = [i for i, entry in enumerate(state.history) if entry.version == version and i != live]
        if found:
            return found[-1]
        raise NotPossible(
            f"{version} can't be gone back to: it was never live in {state.environment}, or is too old to be remembered.",
            changed="Nothing was changed.",
        )
    stable = [i for i, entry in enumerate(state.history[:live]) if entry.outcome == "stable"]
    if not stable:
        others = {entry.version for entry in state.history} - {state.history[live].version}
        raise NotPossible(
            f"{state.history[live].version} is live in {state.environment}, and no stable release came before it.",
            changed="Nothing was changed.",
            next_step="Release a good version instead"
            + (", or go to another with scripts/rollback.py --to VERSION; --list says which." if others else "."),
        )
    return stable[-1]


def forget_old(state: State, keep: int) -> tuple[State, list[str]]:
    """The state without the oldest releases beyond `keep`, and the archive's documents that nothing refers to now.

    What is live, in a slot, or the next to go back to always stays.
    """
    needed = {record.archive for record in state.slots.values()}
    needed |= {entry.archive for entry in state.history if entry.outcome == "live"}
    needed |= {entry.archive for entry in [e for e in state.history if e.outcome == "stable"][-1:]}
    surplus = len(state.archived) - keep
    gone: list[str] = []
    for name in state.archived:
        if len(gone) < surplus and name not in needed:
            gone.append(name)
    archived = tuple(name for name in state.archived if name not in gone)
    history = tuple(entry for entry in state.history if entry.archive not in gone)
    return replace(state, archived=archived, history=history), gone
