"""A piece of what an environment needs, how it is lost, and what the doctor says then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rehearsal.pieces.hand import Hand


@dataclass(frozen=True, kw_only=True)
class Piece:
    """`says`: what is lost, for the list. `lose` takes it away. `finding`: the id that the doctor must tell an admin then.

    `starts`: whether a release gets as far as its first step without it.
    `shown`: what the first step of a release says, which may see less: nothing (None) where it needs no such thing, or can't see
    it; "" for the same as the admin is told.
    """

    name: str
    says: str
    finding: str
    lose: Callable[[Hand], None]
    shown: str | None = ""
    starts: bool = True

    @property
    def first_step(self) -> str | None:
        """The id that the first step of a release stops at, or warns of; None where it says nothing."""
        return self.finding if self.shown == "" else self.shown
