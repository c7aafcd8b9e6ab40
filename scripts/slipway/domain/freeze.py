"""A freeze: a person holds an environment on purpose, with a message. Pure rules, as of the claim."""

from __future__ import annotations

from dataclasses import dataclass

from slipway.domain.codec import Instant, instant_to_text
from slipway.errors import Conflict


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """`until` None: until somebody ends it. `run`: the pipeline run or the machine that it was made from."""

    who: str
    run: str
    message: str
    since: Instant
    until: Instant | None = None


def in_force(freeze: Freeze | None, *, now: float) -> bool:
    """Whether it holds now; one that ran out is as none."""
    return freeze is not None and (freeze.until is None or now < freeze.until)


def describe(freeze: Freeze) -> str:
    until = f"until {instant_to_text(freeze.until)}" if freeze.until is not None else "until somebody ends it"
    return f"frozen by {freeze.who} ({freeze.run}) since {instant_to_text(freeze.since)}, {until}: {freeze.message}"


def require_none(freeze: Freeze | None, *, environment: str, now: float) -> None:
    """Raises Conflict with the message while a freeze is in force."""
    if freeze is None or not in_force(freeze, now=now):
        return
    raise Conflict(
        f"{environment} is {describe(freeze)}",
        changed="Nothing was changed.",
        next_step=f"Ask {freeze.who}; scripts/freeze.py --environment {environment} --unfreeze ends it. Only "
        "scripts/rollback.py --despite-freeze goes through one, and switch_slot.py --revert needs no word for it.",
    )
