"""Rehearses a rollback in an environment: back to the last stable release, and forward again to what was live, in seconds.

Cut short anywhere, run again it first ends the drill that was cut.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

from slipway.command import Context, run_step
from slipway.domain.state import State
from slipway.domain.transition import rollback_target
from slipway.errors import NotPossible
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
    state = session.load()
    former = cut_drill(state)
    if former is None:
        session.refuse_open_switch()
    back = state.history[rollback_target(state, None)].version if former is None else ""
    entry = state.live_entry
    forward = former or (entry.version if entry is not None else "")
    _refuse_candidate(state)
    if session.context.what_if:
        what = f"go back to {back} and forward again to {forward}" if former is None else f"end the drill from {former}"
        session.log.info(f"Would {what}.")
        return
    with session.claimed():
        session.keeps_claim = True
        if former is not None:
            session.log.info(f"A drill was cut short; {former} is made live again, as before it.")
            roll_back(session, former)
            legs = []
        else:
            session.update_ours(lambda now: replace(now, drill=forward))
            legs = [_leg(session, back), _leg(session, forward)]
        session.update(lambda now: without_claim(replace(now, drill=None), session.holder.id))
    _report(session, legs, forward)


def cut_drill(state: State) -> str | None:
    """The version that a drill was to come forward to, and has not yet; None where none is cut short."""
    if state.drill is None or not state.history:
        return None
    last = state.history[-1]
    under_way = state.switch is not None and state.switch.kind == "rollback"
    return state.drill if last.version == state.drill and (last.outcome == "rolled_back" or under_way) else None


def _refuse_candidate(state: State) -> None:
    record = state.slots.get(state.idle)
    if record is not None and record.candidate and record.complete and (record.test is None or record.test.passed):
        raise NotPossible(
            f"{state.idle} holds the candidate {record.version}, which a drill would overwrite.",
            changed="Nothing was changed.",
            next_step="Release it first, then drill.",
        )


def _leg(session: Session, version: str) -> Leg:
    began = session.now()
    session.job_times.clear()
    roll_back(session, version)
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
