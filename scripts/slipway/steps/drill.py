"""Rehearses a rollback in an environment: back to the last stable release, and forward again to what was live, in seconds.

Cut short anywhere, run again it first ends the drill that was cut.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from slipway.command import Context, run_step
from slipway.domain.state import State
from slipway.domain.transition import drilled, rollback_target, without_drill
from slipway.errors import NotPossible, SlipwayError
from slipway.steps.claiming import claim_options
from slipway.steps.publish_slot import wait_option
from slipway.steps.rollback import roll_back
from slipway.steps.session import Session, open_session, without_claim


def main() -> int:
    return run_step(run, description=__doc__ or "", options=_options)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--production", action="store_true", help="also where the environment is a production one")
    claim_options(parser)
    wait_option(parser)


@dataclass(frozen=True)
class Leg:
    """One way, in seconds: from its command to the last job that was set, and in which jobs were on two slots."""

    version: str
    last_job: float
    window: float


def run(context: Context) -> None:
    drill(open_session(context, "drill"))


def drill(session: Session) -> None:
    """Raises NotPossible where there is nothing to drill, and what a rollback raises."""
    environment, arguments = session.environment, session.context.arguments
    if environment.production and not arguments.production:
        raise NotPossible(
            f"{environment.name} is a production environment: its jobs would run the release before for a while.",
            changed="Nothing was changed.",
            next_step="Drill in another environment, or say --production.",
        )
    session.load()
    back, forward = _ways(session)
    if session.context.what_if:
        what = f"end the drill from {_version(session, forward)}"
        if back is not None:
            what = f"go back to {_version(session, back)} and forward again to {_version(session, forward)}"
        session.log.info(f"Would {what}.")
        return
    with session.claimed():
        session.keeps_claim = True
        back, forward = _ways(session)  # as it is now that nobody else changes it
        version = _version(session, forward)
        legs = []
        if back is None:
            session.log.info(f"A drill was cut short; {version} is made live again, as before it.")
            with _said(session, version):
                roll_back(session, version, entry=forward)
        else:
            session.update_ours(lambda now: drilled(now, forward))
            with _said(session, version):
                # What is live between the two was not asked for: the second goes through a freeze that was made then.
                legs = [_leg(session, back), _leg(session, forward, despite_freeze=True)]
        session.update(lambda now: without_claim(without_drill(now), session.holder.id))
    _report(session, legs, version)


def _version(session: Session, entry: int) -> str:
    return session.state.history[entry].version


def _ways(session: Session) -> tuple[int | None, int]:
    """The places in the history to go back to (None: a drill was cut short, and only its end is left) and forward to."""
    state = session.state
    former = cut_drill(state)
    if former is None or (state.switch is not None and state.switch.kind != "rollback"):
        session.refuse_open_switch()
    _refuse_candidate(state)
    if former is not None:
        return None, former
    back = rollback_target(state, None)
    return back, next(index for index, entry in enumerate(state.history) if entry.outcome == "live")


def cut_drill(state: State) -> int | None:
    """The place in the history that a drill was to come forward to, and has not yet; None where none is cut short."""
    places = [index for index, entry in enumerate(state.history) if entry.version == state.drill]
    if not places:
        return None
    place = state.drill_entry if state.drill_entry in places else places[-1]
    under_way = state.switch is not None and state.switch.kind == "rollback"
    return place if state.history[place].outcome != "live" or under_way else None


@contextmanager
def _said(session: Session, version: str) -> Iterator[None]:
    """An error says what is live, and how the drill is ended. Where it went nowhere, it is no drill any more: what people
    do next is theirs."""
    try:
        yield
    except (SlipwayError, KeyboardInterrupt) as error:
        try:
            state = session.load()
            ours = state.claim is None or state.claim.holder == session.holder.id
            if ours and state.switch is None and cut_drill(state) is None:
                state = session.update(without_drill)
        except SlipwayError:
            raise error from None
        if isinstance(error, SlipwayError) and state.drill is not None:
            live = state.live_entry.version if state.live_entry is not None else "nothing"
            open_switch = f", a switch to {state.switch.version} is open" if state.switch is not None else ""
            error.changed = (
                f"The drill is not at its end: {live} is live in {session.environment.name}{open_switch}, and "
                f"{version} was before it. {error.changed}"
            ).rstrip()
            error.next_step = f"Run the drill again: it makes {version} live. {error.next_step}".rstrip()
        raise


def _refuse_candidate(state: State) -> None:
    record = state.slots.get(state.idle)
    if record is not None and record.candidate and record.complete and (record.test is None or record.test.passed):
        raise NotPossible(
            f"{state.idle} holds the candidate {record.version}, which a drill would overwrite.",
            changed="Nothing was changed.",
            next_step="Release it first, then drill.",
        )


def _leg(session: Session, entry: int, *, despite_freeze: bool = False) -> Leg:
    began, version = session.now(), _version(session, entry)
    session.job_times.clear()
    roll_back(session, version, entry=entry, despite_freeze=despite_freeze)
    times = session.job_times or [session.now()]
    return Leg(version, max(times) - began, max(times) - min(times))


def _report(session: Session, legs: list[Leg], live: str) -> None:
    if not legs:
        session.log.info(f"{live} is live again. Run again for a drill from beginning to end.")
        return
    lines = ["| to | last job after | jobs on two slots for |", "|---|---|---|"]
    for leg, way in zip(legs, ("back", "forward again"), strict=True):
        session.log.info(
            f"{way} to {leg.version}: {leg.last_job:.1f} s to the last job, jobs on two slots for {leg.window:.1f} s"
        )
        lines.append(f"| {way}: {leg.version} | {leg.last_job:.1f} s | {leg.window:.1f} s |")
    session.log.summary("\n".join([f"### Drill in {session.environment.name}", "", *lines]) + "\n", name="drill")
