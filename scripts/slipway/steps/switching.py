"""Carries out the switch that is open in the state, forward or back, from wherever it was cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from slipway.domain import job_permissions, meanwhile
from slipway.domain import watch as watches
from slipway.domain.archive import SWITCHES
from slipway.domain.audit import Row
from slipway.domain.codec import to_bytes
from slipway.domain.factory.part import FactoryPart
from slipway.domain.job import restarts
from slipway.domain.state import State
from slipway.domain.switch import Journal, Step, creates, forget_lost, goal, resets, unfinished, with_ids
from slipway.domain.transition import imported, opened, switched, taken_back, turned_back
from slipway.errors import Conflict, NotPossible, ServiceError, SlipwayError, saying
from slipway.steps.auditing import noted, row
from slipway.steps.drift import note_kept
from slipway.steps.factory_switch import FactoryWork, take_back_factory
from slipway.steps.jobs import Settings, find_by_tags, read_jobs, set_job
from slipway.steps.runs import describe, runs_reading
from slipway.steps.session import without_claim

if TYPE_CHECKING:
    from slipway.steps.session import Session

_MOMENT = 5.0
"""Seconds for which what was read of the jobs is good enough to begin with."""
_ROUNDS = 3
"""How often the jobs are set and read back before it is given up."""


def begin(session: Session, journal: Journal) -> None:
    """Writes the journal, before the first job changes."""

    def opening(state: State) -> State:
        if state.switch is not None:
            raise Conflict(f"Another switch, to {state.switch.version}, is open.", changed="Nothing was changed.")
        return opened(state, journal, drilling=session.keeps_claim)

    session.opened = session.now()
    session.update_ours(noted(session, opening, _row(session, journal, "opened")))


def finish_or_take_back(session: Session, factory: FactoryWork | None) -> None:
    """Finishes the open switch; when that fails, takes it back and raises what was wrong. `factory`: what does the
    factory's part, where the journal has one."""
    try:
        finish(session, factory)
    except Conflict:
        raise  # the claim is lost: whoever has it decides
    except SlipwayError as error:
        if session.state.switch is not None:  # else it is complete, and what failed came after it
            _take_back_after(session, error)
        raise


def finish(session: Session, factory: FactoryWork | None) -> None:
    """Carries the open switch forward and makes its slot the live one."""
    part = _open_journal(session).factory
    if part is not None and factory is not None:
        factory.forward(part)
    carry_out(session)
    journal = _open_journal(session)
    _set_readers(session, journal)
    _keep(session, journal)
    run, now, readers = session.holder.run, session.service_time(), session.environment.databricks.readers
    cleaning = part is not None and bool(part.removed)

    def finished(state: State) -> State:
        _same(state, journal)
        if journal.kind == "import":
            return imported(state, journal)
        published = state.slots[journal.target].published
        watch = watches.begin(session.environment.watch, journal, published=published, now=now)
        drilling = session.keeps_claim
        after = switched(state, journal, now=now, run=run, readers=readers, watch=watch, drilling=drilling)
        return after if cleaning or session.keeps_claim else without_claim(after, session.holder.id)

    session.update_ours(noted(session, finished, _row(session, journal, "done")))
    if cleaning and part is not None and factory is not None:
        _clean_up(session, factory, part)
        if journal.kind != "import" and not session.keeps_claim:
            session.release_claim()


def _clean_up(session: Session, factory: FactoryWork, part: FactoryPart) -> None:
    """What was switched to is live, whatever becomes of what left it."""
    try:
        factory.clean_up(part)
    except SlipwayError as error:
        session.log.warning(
            f"What left the release may still be in the factory; the next release removes it: {error.what}"
        )


def take_back(session: Session, *, action: str = "") -> list[str]:
    """Undoes the open switch: every job, and the factory, is what it was before. Returns what was changed to that end.

    `action`: what the audit calls this, where it is not the end of that switch."""
    journal = _open_journal(session)
    if journal.direction == "forward":
        session.update_ours(lambda state: turned_back(state, _same(state, journal)))
    changed = carry_out(session)
    journal = _open_journal(session)
    if journal.factory is not None:
        changed += take_back_factory(session, session.factory, journal.factory)
    _keep(session, journal)
    told = _row(session, journal, "taken back", action=action)
    session.update_ours(noted(session, lambda state: taken_back(state, _same(state, journal)), told))
    return changed


def settle(session: Session) -> None:
    """Before a new release begins: an open switch of an earlier one, whose run is gone, is taken back."""
    journal = session.state.switch
    if journal is None:
        return
    session.log.warning(f"The switch to {journal.version} ({journal.target}) was left open; it is taken back first.")
    half = (
        f"Taking back the switch to {journal.version} did not end; jobs and factory may be of both releases until it is "
        "run again."
    )
    with session.log.section(f"Taking back the switch to {journal.version}"), saying(half):
        changed = take_back(session)
        session.log.info(f"Taken back: {', '.join(changed) or 'nothing had been changed'}.")


def carry_out(session: Session) -> list[str]:
    """Brings every job of the journal to what it must be, in its direction. Returns the keys of the jobs reset or made.

    Raises ServiceError when a job does not keep what it was given.
    """
    touched: list[str] = []
    left: list[str] | None = None
    for attempt in range(_ROUNDS):
        now = _just_read(session) or _read(session, _open_journal(session))
        _notice(session, now, only_pausing=attempt > 0)
        before = forget_lost(_open_journal(session), now)
        journal = _make_missing(session, before, touched)
        if journal != before:
            now = _read(session, journal)
        steps = [step for step in resets(journal, now) if left is None or step.key in left]
        session.concurrently([partial(_reset, session, step, touched) for step in steps], "jobs set")
        if steps:
            now = _read(session, journal)
            journal = _notice(session, now, only_pausing=True)
        left = unfinished(journal, now)
        if not left:
            _restart(session, journal)
            note_kept(session, journal, now)
            return sorted(set(touched))
    raise ServiceError(
        f"Jobs do not keep the settings that they are given: {', '.join(left or [])}.",
        next_step="Somebody else is changing them. Run the step again when that has stopped.",
    )


def _notice(session: Session, now: Mapping[str, Settings | None], *, only_pausing: bool) -> Journal:
    """Says what people changed while the switch is open, and notes it in the journal, before anything is set over it."""
    journal = _open_journal(session)
    noticed, lines = meanwhile.noticed(journal, now, only_pausing=only_pausing)
    for line in lines:
        session.log.warning(f"Changed while the switch to {journal.version} was open: {line}")

    def noting(state: State) -> State:
        _same(state, journal)
        return replace(state, switch=noticed)

    if noticed != journal:
        session.update_ours(noting)
    return noticed


def _restart(session: Session, journal: Journal) -> None:
    """Ends the runs of continuous jobs that still read from the slot that they should not; the service starts new ones."""
    wrong = journal.target if journal.direction == "back" else journal.source
    if wrong is None:
        return
    folder = session.slot_folder(wrong)
    for action in journal.actions:
        wanted = goal(action, journal.direction)
        if action.id is None or wanted is None or action.leaves or not restarts(wanted):
            continue
        for run in runs_reading(session, folder, job_id=action.id):
            session.guard()
            session.log.info(f"Restarting job {action.key}: {describe(run)} is cancelled.")
            session.workspace.cancel_run(int(run["run_id"]))


def _read(session: Session, journal: Journal) -> Mapping[str, Settings | None]:
    ids = {action.key: action.id for action in journal.actions if action.id is not None}
    listed = {a.key for a in journal.actions if job_permissions.FIELD in {**(a.before or {}), **a.after}}
    return read_jobs(session, ids, permissions=listed)


def _just_read(session: Session) -> Mapping[str, Settings | None] | None:
    """What the jobs were when the journal was written, where that was a moment ago: reading them once more would only
    make it longer until they are set, and they are read back after that."""
    found, session.just_read = session.just_read, None
    return None if found is None or session.now() - found[0] > _MOMENT else found[1]


def _make_missing(session: Session, journal: Journal, touched: list[str]) -> Journal:
    """Makes the jobs that are not there; one that was made before a crash is found by its tags, not made twice."""
    lacking = [action.key for action in journal.actions if action.id is None]
    if not lacking:
        return journal
    journal = with_ids(journal, find_by_tags(session, lacking))
    steps = creates(journal)
    ids = session.concurrently([partial(_create, session, step) for step in steps])
    made = dict(zip((step.key for step in steps), ids, strict=True))
    touched += made
    journal = with_ids(journal, made)
    session.update_ours(lambda state: replace(state, switch=journal))
    return journal


def _create(session: Session, step: Step) -> int:
    try:
        job_id: int = session.workspace.create_job(step.settings)
    except SlipwayError as error:
        raise _named(error, f"Job {step.key} could not be made") from error
    session.log.detail(f"made job {step.key} ({job_id})")
    return job_id


def _reset(session: Session, step: Step, touched: list[str]) -> None:
    session.job_times.append(session.now())
    try:
        set_job(session, int(step.id or 0), step.settings)
    except SlipwayError as error:
        raise _named(error, f"Job {step.key} ({step.id}) could not be set") from error
    session.job_times.append(session.now())
    touched.append(step.key)
    session.log.detail(f"set job {step.key} ({step.id})")


def _named(error: SlipwayError, text: str) -> SlipwayError:
    """The same kind of error, saying first which job it was about."""
    error.what = f"{text}: {error.what}"
    return error


def _take_back_after(session: Session, error: SlipwayError) -> None:
    """Undoes the switch that `error` stopped, and says so in the error."""
    target = session.state.switch.target if session.state.switch else "the candidate"
    try:
        session.log.info(error.what)
        with session.log.section("Taking the switch back"):
            changed = take_back(session)
            session.release_claim()
    except SlipwayError as also:
        error.changed = f"The switch to {target} is half done, and taking it back failed as well: {also.what}"
        error.next_step = (
            "Run scripts/switch_slot.py --revert until it succeeds; jobs and factory may be of both releases till then."
        )
        return
    listed = ", ".join(changed) or "none had been changed"
    error.changed = f"The switch was taken back (set to what they were: {listed}). What was live still is."
    error.next_step = error.next_step or "Correct the cause, then switch again."


def _set_readers(session: Session, journal: Journal) -> None:
    """Lets the environment's readers see each job; the release identity owns what it made. Only where it changed."""
    readers = session.environment.databricks.readers
    acl = [{"group_name": name, "permission_level": "CAN_VIEW"} for name in readers]
    calls = []
    for action in journal.actions:
        record = session.state.jobs.get(action.key)
        given = record is not None and record.id == action.id and record.readers == readers
        own = action.leaves or action.returns or job_permissions.FIELD in action.after
        if acl and action.id is not None and not own and not given:
            calls.append(partial(session.workspace.add_permissions, "jobs", action.id, acl))
    session.concurrently(calls)


def _keep(session: Session, journal: Journal) -> None:
    """The journal of a switch that ends goes to the archive, drift and all."""
    name = f"{SWITCHES}{journal.number:06d}-{journal.version}-{journal.direction}.json"
    session.keep(name, to_bytes(journal))


def _open_journal(session: Session) -> Journal:
    journal = session.state.switch
    if journal is None:
        raise NotPossible("No switch is open.", changed="Nothing was changed.")
    return journal


def _row(session: Session, journal: Journal, result: str, *, action: str = "") -> Row:
    """What the audit is told of the switch; `seconds` since it was opened, in whichever step."""
    return row(
        session,
        action or ("switch" if journal.kind == "release" else journal.kind),
        result,
        release=journal.version,
        from_slot=journal.source,
        to_slot=journal.target,
        manifest=journal.manifest,
        seconds=None if result == "opened" else _seconds(session, journal),
        detail=f"{len(journal.drift)} settings had been changed by hand" if journal.drift else "",
    )


def _seconds(session: Session, journal: Journal) -> float:
    """Since it was opened; another agent's clock says nothing about that."""
    if session.opened is not None:
        return session.now() - session.opened
    return max(0.0, session.service_time() - journal.started)


def _same(state: State, journal: Journal) -> Journal:
    """The journal in a state that was read again must still be the one that is being carried out."""
    if state.switch is None or state.switch != journal:
        raise Conflict(
            "The open switch was changed by somebody else.", next_step="Look at scripts/status.py, then run again."
        )
    return state.switch
