"""The state of an environment: one JSON blob, changed only by compare-and-swap. It is the truth about what is live.

The blob carries a format number; a blob of another number, or a damaged one, is refused and never rewritten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from slipway.domain.audit import Row
from slipway.domain.claim import Claim
from slipway.domain.codec import Damaged, Instant, decode, load, to_bytes
from slipway.domain.factory.part import FactoryRecord
from slipway.domain.freeze import Freeze
from slipway.domain.slot import Slot, other
from slipway.domain.switch import Journal
from slipway.domain.watch import Watch
from slipway.errors import NotPossible, StateDamaged

FORMAT = 2
_READABLE = (1, 2)
"""2 has fields that 1 has not, each with a default; it is refused by who knows only 1, by its number."""
STATE_BLOB = "state.json"
REPAIR = (
    f"Put back an earlier version of the blob {STATE_BLOB} in the state container (blob versions or soft delete) and run "
    "again. Where there is none, scripts/rebuild_state.py makes it anew from what is there."
)


@dataclass(frozen=True, kw_only=True)
class TestResult:
    """What the integration test said about the manifest that it read itself from its slot."""

    __test__ = False

    manifest: str
    passed: bool
    at: Instant
    run: str
    checks: int
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SlotRecord:
    """What a slot holds. `complete` is false while it is being overwritten; `files` is path -> SHA-256; `archive` and
    `settings` are blobs in the archive. A candidate was published and has not been switched to (yet)."""

    version: str
    commit: str
    release: str
    manifest: str
    complete: bool
    candidate: bool
    files: Mapping[str, str]
    archive: str
    settings: str
    published: Instant
    test: TestResult | None = None


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """A deployed job: its id, the slot it reads from, and the pause status that Slipway means it to have, or people gave it
    `by_hand`, as the last switch found it. A retired job `left` the release of those definitions (a blob in the archive); it
    is paused, and deleted when its slot is overwritten. One that people made and Slipway was
    told to adopt has its settings of before in the archive (`adopted`), and no slot until a switch leads it to one."""

    id: int
    slot: Slot | None
    pause: str | None
    retired: bool = False
    by_hand: str | None = None
    left: str | None = None
    readers: tuple[str, ...] | None = None
    adopted: str | None = None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A release that was switched to once. `settings` are its jobs' settings in `slot`, as they last were;
    `definitions` as the release itself meant them. `factory` is the snapshot of the factory from then (None: it is live,
    or its environment releases no factory)."""

    version: str
    commit: str
    slot: Slot
    manifest: str
    archive: str
    settings: str
    since: Instant
    outcome: Literal["live", "stable", "rolled_back"]
    run: str = ""
    definitions: str | None = None
    factory: str | None = None


@dataclass(frozen=True, kw_only=True)
class State:
    """`drill`: the version that a drill under way comes forward to again, and `drill_entry` its place in the history.
    `by_hand`: the pause status that people gave jobs which were deleted with their slot, for when they come back.

    `archived` are the archive's releases, oldest first; `audit` are rows that wait for the audit's table; `serial` and
    `written_by` make each write's bytes unique."""

    app: str
    environment: str
    live: Slot | None = None
    fence: int = 0
    claim: Claim | None = None
    freeze: Freeze | None = None
    slots: Mapping[str, SlotRecord] = field(default_factory=dict)
    jobs: Mapping[str, JobRecord] = field(default_factory=dict)
    by_hand: Mapping[str, str] = field(default_factory=dict)
    history: tuple[Entry, ...] = ()
    archived: tuple[str, ...] = ()
    switch: Journal | None = None
    drill: str | None = None
    drill_entry: int | None = None
    factory: FactoryRecord | None = None
    audit: tuple[Row, ...] = ()
    watch: Watch | None = None
    serial: int = 0
    written_by: str = ""
    format: int = FORMAT

    @property
    def idle(self) -> Slot:
        return "blue" if self.live is None else other(self.live)

    @property
    def live_entry(self) -> Entry | None:
        return next((entry for entry in reversed(self.history) if entry.outcome == "live"), None)

    @property
    def knows_nothing(self) -> bool:
        """Whether nothing was ever released under this state, as far as it says."""
        return self.live is None and not (self.slots or self.jobs or self.history) and self.switch is None

    def with_slot(self, slot: Slot, record: SlotRecord) -> State:
        return replace(self, slots={**self.slots, slot: record})


def write_state(state: State) -> bytes:
    return to_bytes(state)


def read_state(data: bytes, *, app: str, environment: str) -> State:
    """The state in a blob. Raises NotPossible when it is damaged, of another format, or another environment's."""
    try:
        raw: Any = load(data)
        number = raw.get("format") if isinstance(raw, dict) else None
        if isinstance(number, int) and number not in _READABLE:
            raise NotPossible(
                f"The state of {environment} has format {number}; this Slipway knows formats up to {FORMAT}.",
                changed="Nothing was changed.",
                next_step="Release with the version of Slipway that wrote it, or a newer one.",
            )
        state: State = replace(decode(State, raw), format=FORMAT)
    except Damaged as error:
        raise StateDamaged(
            f"The state of {environment} is damaged: {error}.", changed="Nothing was changed.", next_step=REPAIR
        ) from error
    if (state.app, state.environment) != (app, environment):
        raise NotPossible(
            f"The state belongs to {state.app}/{state.environment}, not to {app}/{environment}.",
            changed="Nothing was changed.",
            next_step="Check azure.state in the configuration: each environment needs a container of its own.",
        )
    return state
