"""What is written down before the first trigger is stopped, so that whatever happens then, all run again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from slipway.domain.codec import Damaged, Instant, from_bytes, to_bytes
from slipway.domain.factory.comparison import TriggerMove
from slipway.errors import NotPossible

JOURNAL_BLOB = "factory/triggers.json"


@dataclass(frozen=True, kw_only=True)
class TriggerJournal:
    """`before`: running triggers that are stopped for a while. `after`: those of them, and new ones, that must run in
    the end. While `changing`, a repair starts `before`; once the definitions are there (`starting`), `after`."""

    factory: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    phase: Literal["changing", "starting"]
    started: Instant

    @property
    def due(self) -> tuple[str, ...]:
        return self.before if self.phase == "changing" else self.after


def journal_of(moves: tuple[TriggerMove, ...], *, factory: str, now: float) -> TriggerJournal:
    return TriggerJournal(
        factory=factory,
        before=tuple(move.name for move in moves if move.before and move.stop),
        after=tuple(move.name for move in moves if move.start),
        phase="changing",
        started=now,
    )


def write_journal(journal: TriggerJournal) -> bytes:
    return to_bytes(journal)


def read_journal(data: bytes) -> TriggerJournal:
    """Raises NotPossible when it is damaged: nobody knows then which triggers should run."""
    try:
        return from_bytes(TriggerJournal, data)
    except Damaged as error:
        raise NotPossible(
            f"{JOURNAL_BLOB} in the state storage is damaged: {error}.",
            changed="Nothing was changed.",
            next_step="Start the triggers that should run in Data Factory Studio, delete that blob, then run again.",
        ) from error
