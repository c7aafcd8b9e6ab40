"""Holds an environment: no release, import or rollback changes it until the freeze ends. A message says why."""

from __future__ import annotations

import argparse
from dataclasses import replace

from slipway.command import Context, moment, run_step
from slipway.domain.claim import describe as describe_claim
from slipway.domain.claim import ends
from slipway.domain.codec import instant_to_text
from slipway.domain.freeze import Freeze, describe, in_force
from slipway.domain.state import State
from slipway.errors import Conflict, UsageError
from slipway.steps.auditing import flush, noted, row
from slipway.steps.session import Session, open_session

_MESSAGE_LIMIT = 500


def main() -> int:
    return run_step(run, description=__doc__ or "", options=_options)


def _options(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--message", metavar="TEXT", help="freeze; whoever is refused reads this")
    what.add_argument("--unfreeze", action="store_true", help="end the freeze, whoever made it")
    end = parser.add_mutually_exclusive_group()
    end.add_argument(
        "--until", type=moment, metavar="TIME", help="when it ends by itself, with zone: 2026-12-24T08:00+01:00"
    )
    end.add_argument("--hours", type=_hours, metavar="N", help="how long it lasts (without either: until --unfreeze)")


def _hours(text: str) -> float:
    hours = float(text)
    if not 0 < hours <= 24 * 366:
        raise argparse.ArgumentTypeError(f"{text} is not a number of hours up to a year")
    return hours


def run(context: Context) -> None:
    arguments = context.arguments
    if arguments.unfreeze and (arguments.until is not None or arguments.hours is not None):
        raise UsageError("--unfreeze ends a freeze now: --until and --hours do not go with it.")
    session = open_session(context, "freeze")
    if arguments.unfreeze:
        unfreeze(session)
    else:
        freeze(session)


def freeze(session: Session) -> None:
    """Freezes the environment, or gives one's own freeze another message and end.

    A step that is at work now ends; the next one is refused. Raises Conflict where somebody else froze it, UsageError.
    """
    arguments, log, name = session.context.arguments, session.log, session.environment.name
    message = " ".join(arguments.message.split())
    if not message or len(message) > _MESSAGE_LIMIT:
        raise UsageError(
            f"A freeze needs a message of 1 to {_MESSAGE_LIMIT} characters.", changed="Nothing was changed."
        )
    session.load()
    now = session.service_time()
    until = arguments.until if arguments.hours is None else now + arguments.hours * 3600
    if until is not None and until <= now:
        raise UsageError(f"{instant_to_text(until)} is over already.", changed="Nothing was changed.")
    wanted = Freeze(who=session.holder.who, run=session.holder.run, message=message, since=now, until=until)

    def freezing(state: State) -> State:
        there = state.freeze
        if there is not None and in_force(there, now=now) and there.run != wanted.run:
            raise Conflict(
                f"{name} is {describe(there)}",
                changed="It was left so.",
                next_step="End it first (--unfreeze), if that is agreed.",
            )
        return replace(state, freeze=wanted)

    if session.context.what_if:
        freezing(session.state)
        log.info(f"{name} would be {describe(wanted)}")
        return
    told = row(session, "freeze", "frozen", detail=describe(wanted))
    session.update(noted(session, freezing, told))
    flush(session)
    log.info(f"{name} is {describe(wanted)}")
    _say_claim(session)


def _say_claim(session: Session) -> None:
    state = session.state
    if state.claim is None or session.service_time() >= ends(state.claim, switching=state.switch is not None):
        return
    session.log.warning(
        f"{describe_claim(state.claim)}: the step that is at work now ends, the next one is refused. An open switch "
        "can still be taken back (scripts/switch_slot.py --revert)."
    )


def unfreeze(session: Session) -> None:
    """Ends a freeze, whoever made it; none is fine."""
    name, there = session.environment.name, session.load().freeze
    if there is None or not in_force(there, now=session.service_time()):
        session.log.info(f"{name} is not frozen; nothing to do.")
        return
    if session.context.what_if:
        session.log.info(f"Would end this: {name} is {describe(there)}")
        return

    def unfreezing(state: State) -> State:
        if state.freeze is not None and state.freeze != there:
            raise Conflict(
                f"{name} was frozen anew meanwhile, {describe(state.freeze)}",
                changed="That was left so.",
                next_step="Run again if that one is to end too.",
            )
        return replace(state, freeze=None)

    session.update(noted(session, unfreezing, row(session, "freeze", "ended", detail=f"was {describe(there)}")))
    flush(session)
    session.log.info(f"No longer in force: {name} was {describe(there)}")
