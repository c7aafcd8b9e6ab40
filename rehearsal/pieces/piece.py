"""A piece of what an environment needs, how it is lost, and what the doctor says then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from rehearsal.pieces.hand import Hand
from rehearsal.resource_manager.roles import UnknownRoleError


class NotThere(Exception):
    """A piece can't be taken away; the text says why and what to do."""


def _nothing(_: Hand) -> None:
    """What is wrong is wrong in the configuration alone."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """`says`: what is lost, for the list. `lose` takes it away. `finding`: the id that the doctor must tell an admin then.

    `starts`: whether a release gets as far as its first step without it. `shown`: what that step says, which may see less: nothing
    (None) where it needs no such thing, or can't see it; "" for the same as the admin is told.
    `released`: there must have been a release before. `settings`: what the configuration must say for the piece to matter, by key
    path, and `prepare`, what must be then; `spoils`: what it says by mistake, where the mistake is in the configuration itself.
    Both are for a copy of the project: a rehearsal does not change the repository.
    """

    name: str
    says: str
    finding: str
    lose: Callable[[Hand], None] = _nothing
    shown: str | None = ""
    starts: bool = True
    released: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[Hand], None] = _nothing
    spoils: Mapping[str, Any] = field(default_factory=dict)

    @property
    def needs_a_copy(self) -> bool:
        """Whether the project's configuration is part of it."""
        return bool(self.settings or self.spoils)

    def take(self, hand: Hand) -> None:
        """Takes it away. Raises NotThere, with what to do, where there is nothing to take."""
        try:
            self.lose(hand)
        except (LookupError, UnknownRoleError, httpx.HTTPStatusError) as error:
            why = f"{type(error).__name__}: {error}".splitlines()[0]
            step = " It takes a release before: rehearse one without --without first." if self.released else ""
            raise NotThere(
                f"The piece {self.name} can't be taken away from {hand.environment.name}: {why}.{step}"
            ) from error

    @property
    def first_step(self) -> str | None:
        """The id that the first step of a release stops at, or warns of; None where it says nothing."""
        return self.finding if self.shown == "" else self.shown
