"""What must be true of an environment, in a few words: which release is where, the way back, what people did by hand.

Written from docs/on-call.md and docs/data-factory.md, not from the steps, and used by test_switch_model.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

Slot = Literal["blue", "green"]
Verdict = Literal["must", "must not", "may"]
"""Whether a step must succeed, must be refused, or either."""


@dataclass
class Held:
    """What a slot holds. `spoilt`: somebody wrote into it since it was published."""

    release: str
    candidate: bool = True
    passed: bool | None = None
    spoilt: bool = False


@dataclass
class Once:
    """A release that was live once. `stable`: it may be gone back to without being named. `hand`: the triggers that
    were otherwise by hand when it stopped being live."""

    release: str
    stable: bool = True
    hand: dict[str, bool] = field(default_factory=dict)


@dataclass
class Open:
    """A switch that was cut: what holds once it is finished. Until then, and once it is taken back, the model is as
    before it."""

    kind: Literal["release", "rollback"]
    release: str
    after: Model
    back: bool = False


@dataclass
class Model:
    """`paused`: jobs whose pause status people chose, by key; `hand`: triggers that people started or stopped; `unsure`:
    triggers of which the rules do not say what a rollback makes; `lost`: jobs of the live release that people deleted."""

    live: Slot | None = None
    slots: dict[Slot, Held | None] = field(default_factory=lambda: {"blue": None, "green": None})
    past: list[Once] = field(default_factory=list)
    at: int = -1
    paused: dict[str, str] = field(default_factory=dict)
    hand: dict[str, bool] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    frozen: bool = False
    open: Open | None = None

    @property
    def idle(self) -> Slot:
        return "green" if self.live == "blue" else "blue"

    @property
    def release(self) -> str | None:
        return self.past[self.at].release if self.live else None

    def copy(self) -> Model:
        return copy.deepcopy(self)

    def way_back(self) -> int | None:
        """The place in the past of the last stable release."""
        stable = [i for i, once in enumerate(self.past) if i < self.at and once.stable]
        return stable[-1] if stable else None

    def place_of(self, release: str | None) -> int | None:
        if release is None:
            return self.way_back()
        found = [i for i, once in enumerate(self.past) if once.release == release and i != self.at]
        return found[-1] if found else None

    def ready(self, release: str) -> bool:
        """Whether the idle slot holds this candidate, as it was published, and its test passed."""
        held = self.slots[self.idle]
        return held is not None and held == Held(release, candidate=True, passed=True)

    def holds(self, release: str) -> bool:
        held = self.slots[self.idle]
        return held is not None and held.release == release and not held.spoilt

    # What the steps make of it, where they succeed.

    def settled(self) -> Model:
        """An open switch is taken back."""
        after = self.copy()
        after.open = None
        return after

    def published(self, release: str) -> Model:
        after = self.settled()
        after.slots[after.idle] = Held(release)
        return after

    def tested(self, passed: bool) -> Model:
        after = self.copy()
        held = after.slots[after.idle]
        assert held is not None
        held.passed = passed
        return after

    def switched(self, triggers: Mapping[str, bool]) -> Model:
        """`triggers`: those of the release. One that left it is gone, and with it what people made of it."""
        after = self.settled()
        held = after.slots[after.idle]
        assert held is not None
        after._step_down()
        after.past.append(Once(held.release))
        after.hand = {name: runs for name, runs in after.hand.items() if triggers.get(name, runs) != runs}
        after.unsure &= set(triggers)
        after._live_is(len(after.past) - 1)
        return after

    def rolled_back(self, place: int, triggers: Collection[str]) -> Model:
        """`triggers`: those of the release that is gone back from; others come back as they last were."""
        after = self.settled()
        then = after.past[place]
        if not after.holds(then.release):
            after.slots[after.idle] = Held(then.release)
        after._step_down()
        for index in range(place + 1, len(after.past)):
            after.past[index].stable = False
        differ = {name for name in {*then.hand, *after.hand} if then.hand.get(name) != after.hand.get(name)}
        after.unsure |= differ & set(triggers)
        after.hand |= {name: runs for name, runs in then.hand.items() if name not in triggers}
        then.hand, then.stable = {}, True
        after._live_is(place)
        return after

    def _step_down(self) -> None:
        if self.live:
            self.past[self.at].hand = dict(self.hand)

    def _live_is(self, place: int) -> None:
        self.at, self.live = place, self.idle
        held = self.slots[self.live]
        assert held is not None
        held.candidate = False
        self.lost = set()
