"""The claim: who may change an environment now. Pure rules; the state's compare-and-swap makes them hold.

A claim ends when it is released or expires. Every taking of it gives a higher number (the fencing number): what was
begun under a lower one must not go on. Times are the state storage's, not an agent's: agents' clocks may differ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from slipway.domain.codec import Instant, instant_to_text
from slipway.errors import Conflict

LIFETIME = 60 * 60.0
"""Seconds without a sign of life. Steps give one every few minutes; between two of them lie an agent's waiting and set-up.
A release that was cancelled there holds others up for so long; a longer wait for an agent costs it the claim, no more."""
SWITCH_LIFETIME = 15 * 60.0
"""The same while a switch is open: then a step is at work, or it is dead and jobs may be of two releases."""
MARGIN = 60.0
"""Seconds before the expiry from which on nothing new is begun: what was begun before must have time to end."""


LOOK_AFTER = 20.0
"""Seconds for which a look at the claim is good enough: the margin within which a second agent is not noticed."""
RENEW_AFTER = 300.0
"""Seconds after which whoever is at work gives another sign of life before its next change."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """`holder` is the same for every step of one release run; `run` is its page, or where it was run by hand.
    `taken_from`: the run that had the claim before and did not give it back, so may wake up and write; else empty.
    `at_work`: a step is under way under this number, or died: it has not said that it ended."""

    holder: str
    release: str
    run: str
    who: str
    since: Instant
    heartbeat: Instant
    expires: Instant
    number: int
    taken_from: str = ""
    at_work: bool = False


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who asks for the claim."""

    id: str
    release: str
    run: str
    who: str


class Held(Conflict):
    """Somebody else holds a valid claim; without another sign of life it ends at `until` (seconds since the epoch)."""

    def __init__(self, claim: Claim, until: float) -> None:
        super().__init__(
            f"{describe(claim)} since {instant_to_text(claim.since)}; last sign of life "
            f"{instant_to_text(claim.heartbeat)}, the claim ends {instant_to_text(until)}.",
            changed="Nothing was changed.",
            next_step="Wait for that release (--wait). If it is dead for certain, run again with --take-over.",
        )
        self.claim = claim
        self.until = until


def describe(claim: Claim) -> str:
    """Who is doing what, and where to look."""
    return f"{claim.who} is releasing {claim.release} ({claim.run})"


def ends(claim: Claim, *, switching: bool) -> float:
    """When the claim ends without another sign of life (seconds since the epoch)."""
    return min(claim.expires, claim.heartbeat + SWITCH_LIFETIME) if switching else claim.expires


def take(
    claim: Claim | None,
    fence: int,
    holder: Holder,
    *,
    now: float,
    switching: bool = False,
    take_over: bool = False,
    mine: int = 0,
) -> Claim:
    """The claim for `holder`: its own, renewed, or a new one when none is valid (or `take_over`). Each gets a number of
    its own: an earlier agent of the same run may be asleep, and not dead.

    `fence` is the highest number given out so far; `switching`: a switch is open; `mine`: the number under which this
    same step holds it already. Raises Held when somebody else holds a valid one.
    """
    if claim is not None and claim.holder == holder.id and now < claim.expires:
        former = claim.taken_from or (claim.run if is_taken_from_work(claim, holder, mine=mine) else "")
        return replace(renew(claim, now=now), number=fence + 1, taken_from=former, at_work=True)
    if claim is not None and claim.holder != holder.id and not take_over:
        until = ends(claim, switching=switching)
        if now < until:
            raise Held(claim, until)
    return Claim(
        holder=holder.id,
        release=holder.release,
        run=holder.run,
        who=holder.who,
        since=now,
        heartbeat=now,
        expires=now + LIFETIME,
        number=fence + 1,
        taken_from=claim.run if claim is not None else "",
        at_work=True,
    )


def is_taken_from_work(claim: Claim, holder: Holder, *, mine: int = 0) -> bool:
    """Whether who had the claim may still be at work under it, and must be waited out: another holder that did not give
    it back, or an earlier step of the same run that did not end. Azure Pipelines may lose an agent that lives on."""
    return claim.holder != holder.id or (claim.at_work and claim.number != mine)


def ended(claim: Claim, number: int) -> Claim:
    """The claim of a run whose step with this number has ended, and whose next has not begun."""
    return replace(claim, at_work=False) if claim.number == number else claim


def may_write_until(former: Claim, *, now: float) -> float:
    """Until when an agent may go on under a claim that was taken from it `now`, because it looked just before.

    One at work renews its heartbeat every RENEW_AFTER, so a longer silence says that it is not; and before its expiry
    it stops by itself.
    """
    return min(now, former.heartbeat + RENEW_AFTER, former.expires - MARGIN) + LOOK_AFTER


def renew(claim: Claim, *, now: float) -> Claim:
    return replace(claim, heartbeat=now, expires=max(claim.expires, now + LIFETIME))


def require(claim: Claim | None, *, holder: str, number: int, now: float) -> None:
    """Raises Conflict unless the claim is still the one that `holder` has under `number`, and not about to expire."""
    if claim is None or claim.number != number or claim.holder != holder:
        by = "it was released" if claim is None else f"{claim.who} has taken it over ({claim.run})"
        if claim is not None and claim.holder == holder:
            by = f"another step of the same run goes on with it ({claim.run})"
        raise Conflict(
            f"The claim on this environment is lost: {by}.",
            changed="What was done before stays; nothing is changed after this.",
            next_step="Look at scripts/status.py; an open switch is finished or taken back by whoever holds the claim.",
        )
    if now >= claim.expires - MARGIN:
        raise Conflict(
            f"The claim on this environment expires {instant_to_text(claim.expires)}: too soon for another change.",
            changed="What was done before stays; nothing is changed after this.",
            next_step="Run the step again.",
        )
