"""How a step comes by the claim: the options of every step that takes it, and waiting for one's turn."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from slipway.domain.claim import LIFETIME, Claim, Held, describe, may_write_until
from slipway.domain.codec import instant_to_text

if TYPE_CHECKING:
    from slipway.steps.session import Session

WAIT_MINUTES = LIFETIME / 60 + 5
"""A plain --wait: long enough for the claim of a dead release to end."""
_PAUSE = 15.0
"""Seconds between two looks."""
_SLACK = 5.0
"""Seconds for what was sent just before the end of the margin."""
_TELL_AFTER = 300.0
"""Seconds between two lines that say the same."""


def claim_options(parser: argparse.ArgumentParser) -> None:
    """--take-over and --wait, the same for every step."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--take-over", action="store_true", help="take the claim from a release that is dead for certain"
    )
    group.add_argument(
        "--wait",
        type=minutes,
        nargs="?",
        const=WAIT_MINUTES,
        default=0.0,
        metavar="MINUTES",
        help="wait while somebody else is releasing, so long at most (without a number: %(const).0f, by which time the "
        "claim of a dead release has ended)",
    )


def minutes(text: str) -> float:
    """A time given on the command line: a type for argparse."""
    number = float(text)
    if not 0 <= number <= 24 * 60:
        raise argparse.ArgumentTypeError(f"{text} is not a number of minutes from 0 to 1440")
    return number


class Turn:
    """One step's patience while somebody else holds the claim: --wait MINUTES, from when it is made."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._limit = float(getattr(session.context.arguments, "wait", 0) or 0) * 60
        self._started = session.now()
        self._told: tuple[int, float] | None = None

    def wait(self, held: Held) -> None:
        """Sleeps a little, less where the claim ends sooner. Raises `held` when the time is up."""
        left = self._limit - (self._session.now() - self._started)
        if left <= 0:
            if self._limit:
                held.what = f"After {self._limit / 60:.0f} minutes of waiting: {held.what}"
            raise held
        self._say(held, left)
        ends_in = held.until - self._session.service_time()
        self._session.context.sleep(min(_PAUSE, left, max(1.0, ends_in)))

    def _say(self, held: Held, left: float) -> None:
        now, number = self._session.now(), held.claim.number
        if self._told is not None and self._told[0] == number and now - self._told[1] < _TELL_AFTER:
            return
        self._told = (number, now)
        self._session.log.info(
            f"Waiting: {describe(held.claim)}. Its claim ends {instant_to_text(held.until)} without another sign of life; "
            f"this step waits {left / 60:.0f} minutes more at most."
        )


def wait_out(session: Session, former: Claim) -> None:
    """After a claim was taken over: nothing is changed until its former holder must have looked, and stopped."""
    left = may_write_until(former, now=session.service_time()) + _SLACK - session.service_time()
    if left > 0:
        session.log.info(f"Waiting {left:.0f} seconds, until {former.who}'s agent, if it is alive, has noticed.")
        session.context.sleep(left)
