"""Agents whose clocks are ten minutes wrong: claims go by the state storage's clock, so it does not matter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from slipway.command import Context
from slipway.domain.claim import LIFETIME, MARGIN
from slipway.errors import Conflict, WatchBreached
from slipway.steps.session import Session, holder_of
from tests.unit.steps import test_watching as watching
from tests.unit.steps.conftest import World
from tests.unit.steps.test_way_back import cut

SKEWS = [-600.0, 0.0, 600.0]


class SeenFromAnAgent:
    """The store, as an agent with a wrong clock sees it: each answer tells it how far ahead the service's clock is."""

    def __init__(self, world: World, context: Context) -> None:
        self._world, self._context = world, context
        self.ahead = 0.0

    def read(self, name: str) -> Any:
        self._note()
        return self._world.store.read(name)

    def list(self, prefix: str) -> list[str]:
        return self._world.store.list(prefix)

    def write(self, name: str, data: bytes, *, etag: str | None) -> str:
        self._note()
        return self._world.store.write(name, data, etag=etag)

    def _note(self) -> None:
        self.ahead = self._world.time - self._context.clock()


def agent(world: World, who: str, skew: float, **options: Any) -> Session:
    plain = world.context(**options)
    context = replace(plain, clock=lambda: world.time + skew)
    store = SeenFromAnAgent(world, context)
    holder = holder_of({"USER": who}, "1.0")
    return Session(context, cast(Any, store), cast(Any, world.workspace), holder, cast(Any, world.audit))


@pytest.mark.parametrize("holder", SKEWS)
@pytest.mark.parametrize("taker", SKEWS)
def test_a_claim_lasts_as_long_whatever_the_clocks_say(world: World, holder: float, taker: float) -> None:
    ada, grace = agent(world, "ada", holder), agent(world, "grace", taker)
    ada.take_claim()
    world.time += LIFETIME - 5
    with pytest.raises(Conflict, match="ada"):
        grace.take_claim()
    world.time += 6
    grace.take_claim()
    with pytest.raises(Conflict, match="taken it over"):
        ada.guard()


@pytest.mark.parametrize("holder", SKEWS)
@pytest.mark.parametrize(("passed", "stops"), [(LIFETIME - MARGIN - 5, False), (LIFETIME - MARGIN + 1, True)])
def test_a_holder_stops_before_its_claim_ends_and_not_sooner(
    world: World, holder: float, passed: float, stops: bool
) -> None:
    ada = agent(world, "ada", holder)
    ada.take_claim()
    assert world.state.claim.expires == pytest.approx(world.time + LIFETIME, abs=1)
    world.time += passed
    if stops:
        with pytest.raises(Conflict, match="too soon for another change"):
            ada.guard()
    else:
        ada.guard()


@pytest.mark.parametrize("waiter", SKEWS)
def test_waiting_ends_when_the_claim_does(world: World, waiter: float) -> None:
    agent(world, "ada", 0.0).take_claim()
    before = world.time
    agent(world, "grace", waiter, wait=65.0).take_claim()
    assert LIFETIME <= world.time - before < LIFETIME + 5


@pytest.mark.parametrize("skew", SKEWS)
def test_a_freeze_ends_by_that_clock_too(world: World, skew: float) -> None:
    world.freeze("lunch", hours=1)
    world.time += 3590
    with pytest.raises(Conflict, match="lunch"):
        agent(world, "ada", skew).take_claim()
    world.time += 11
    agent(world, "ada", skew).take_claim()


@pytest.mark.parametrize("skew", SKEWS)
def test_a_first_run_counts_whatever_the_publishing_agents_clock_said(world: World, skew: float) -> None:
    watching.configure(world)
    watching.deploy(world, "1.0")
    world.change_notebook("text of 1.1")
    assert world.build("1.1") == 0
    world.time, world.store.ahead = world.time + skew, -skew
    world.publish()
    world.time, world.store.ahead = world.time - skew, 0.0
    world.test()
    world.switch()
    world.time += 60
    watching.run(world, "score", "FAILED")
    with pytest.raises(WatchBreached):
        world.watch()


@pytest.mark.parametrize("skew", SKEWS)
def test_how_long_a_switch_was_open_is_told_by_that_clock(world: World, skew: float) -> None:
    watching.deploy(world, "1.0")
    world.change_notebook("text of 1.1")
    assert world.build("1.1") == 0
    world.publish()
    world.test()
    cut(world, lambda world: world.switch(), "reset", 1)
    world.time, world.store.ahead = world.time + 60 + skew, -skew
    world.revert()
    (told,) = [row for row in world.audit.rows if row.result == "taken back"]
    waited_out = 25  # the step that was cut may live on
    assert told.seconds == pytest.approx(60 + waited_out, abs=1)
