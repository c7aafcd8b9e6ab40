"""What a step tells the audit: rows go into the state together with the change that they tell of, and at the step's end
from there to the table."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from slipway.domain.audit import Row, as_line, crowded_out, shortened, spool, without
from slipway.domain.state import Entry, SlotRecord, State
from slipway.errors import SlipwayError

if TYPE_CHECKING:
    from slipway.steps.session import Session

_BEGUN = ("begun", "opened")
"""Results after which another one comes."""


def row(
    session: Session,
    action: str,
    result: str,
    *,
    release: str = "",
    commit: str | None = None,
    from_slot: str | None = None,
    to_slot: str | None = None,
    manifest: str = "",
    seconds: float | None = None,
    detail: str = "",
) -> Row:
    """A row about this environment, by whoever runs this step, now; `commit` None: as the state knows it. What looks like a
    token is taken out of `detail`."""
    from slipway.services.azure_errors import scrub

    release = release or session.aim or session.holder.release
    made = Row(
        id=secrets.token_hex(8),
        time=round(session.service_time(), 3),
        app=session.environment.app,
        environment=session.environment.name,
        release=release,
        commit=_commit(session, release) if commit is None else commit,
        link=session.holder.run,
        who=session.holder.who,
        action=action,
        from_slot=from_slot or "",
        to_slot=to_slot or "",
        manifest=manifest,
        result=result,
        seconds=None if seconds is None else round(seconds, 3),
        detail=shortened(scrub(detail)),
    )
    session.told.add(made.id)
    return made


def noted(session: Session, change: Callable[[State], State], told: Row) -> Callable[[State], State]:
    """`change` that also notes the row: for Session.update, so that both are in the state or neither is."""
    return lambda state: _with_row(session, change(state), told)


def note(session: Session, told: Row) -> None:
    """Notes a row by itself (one request); where even that fails, the row is in the log and nowhere else."""
    try:
        session.update(noted(session, lambda state: state, told))
    except SlipwayError as error:
        session.log.warning(f"A row of the audit is lost; it would be: {as_line(told)}. {error.what}")


def claim_noted(session: Session, before: State, after: State) -> State:
    """The state after the claim was taken, with a row about that; without one where it was only renewed."""
    former, held = before.claim, after.claim
    if held is None or (former is not None and (former.holder, former.since) == (held.holder, held.since)):
        return after
    if former is None or former.holder == held.holder:
        return _with_row(session, after, row(session, "claim", "taken"))
    detail = f"from {former.who}, releasing {former.release} ({former.run})"
    return _with_row(session, after, row(session, "claim", "taken over", detail=detail))


@contextmanager
def audited(session: Session, action: str) -> Iterator[None]:
    """A step's work under the claim. Its failure becomes a row where the step has not told of it already, and at the end
    all rows go to the table. A claim that was refused is no row: nothing happened to the environment."""
    try:
        yield
    except BaseException as error:
        if session.number and isinstance(error, Exception | KeyboardInterrupt):
            _tell_failure(session, action, error)
            if isinstance(error, Exception):  # an interrupted step has seconds left, and its rows are safe
                flush(session)
        raise
    flush(session)


@contextmanager
def end_told(session: Session, action: str) -> Iterator[None]:
    """Where what `action` began within a step of another name fails, that is a row as well."""
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        if any(each.id in session.told and each.action == action for each in session.state.audit):
            _tell_failure(session, action, error)
        raise


def flush(session: Session) -> None:
    """Writes the rows that wait in the state to the table. A failure is a warning, and the rows go on waiting."""
    rows = session.state.audit
    if not rows:
        return
    try:
        session.audit.append(rows)
    except SlipwayError as error:
        session.log.warning(
            f"{len(rows)} rows of the audit wait in the state of {session.environment.name}; the next step writes them. "
            f"{error.what}"
        )
        return
    written = {each.id for each in rows}
    try:
        session.update(lambda state: replace(state, audit=without(state.audit, written)))
    except SlipwayError as error:
        session.log.detail(f"{len(rows)} rows of the audit will be written once more: {error.what}")


def _tell_failure(session: Session, action: str, error: BaseException) -> None:
    try:
        state = session.load()  # what stopped the step may be that somebody else wrote it
    except SlipwayError:
        state = session.state
    mine = [each for each in state.audit if each.id in session.told and each.action == action]
    if any(each.result not in _BEGUN for each in mine):
        return
    what = error.what.partition("\n")[0] if isinstance(error, SlipwayError) else type(error).__name__
    result = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
    journal = state.switch
    release = journal.version if journal is not None and action in ("switch", "rollback", "revert") else ""
    note(session, row(session, action, result, release=release, detail=what, seconds=session.now() - session.began))


def _with_row(session: Session, state: State, told: Row) -> State:
    for lost in crowded_out(state.audit):
        session.log.warning(f"Too many rows of the audit wait in the state; this one is left out: {as_line(lost)}")
    return replace(state, audit=spool(state.audit, told))


def _commit(session: Session, release: str) -> str:
    """The commit of a version that this environment knows."""
    state = session.state
    if release == session.holder.release and session.commit:
        return session.commit
    known: list[SlotRecord | Entry] = [*state.slots.values(), *reversed(state.history)]
    return next((each.commit for each in known if each.version == release), "")
