"""--wait: a second release waits its turn, says for whom, and stops at its limit."""

from __future__ import annotations

import argparse
from dataclasses import replace

import pytest

from slipway.domain.claim import LIFETIME
from slipway.errors import Conflict
from slipway.steps.claiming import WAIT_MINUTES, claim_options
from slipway.steps.session import Session
from tests.unit.steps.conftest import World


def held_by_ada(world: World) -> Session:
    session = world.session("1.0")
    session.take_claim()
    world.variables = {**world.variables, "USER": "grace"}
    return session


def test_without_wait_it_stops_with_the_holders_name_at_once(world: World) -> None:
    held_by_ada(world)
    before = world.time
    with pytest.raises(Conflict, match=r"ada is releasing 1\.0 \(by hand, ada on"):
        world.session("1.1").take_claim()
    assert world.time - before < 1


def test_it_goes_on_soon_after_the_other_gave_it_back(world: World) -> None:
    ada = held_by_ada(world)
    free_at = world.time + 600

    def give_back() -> None:
        if world.time >= free_at:
            ada.release_claim()

    world.on_sleep = [give_back]
    grace = world.session("1.1", wait=30.0)
    grace.take_claim()
    assert world.state.claim.who == "grace"
    assert world.time - free_at < 20
    said = [line for line in world.output.getvalue().splitlines() if "Waiting: ada is releasing 1.0" in line]
    assert 2 <= len(said) <= 4, "now and then a line, not one for each look"
    assert "this step waits 30 minutes more at most" in said[0]


def test_it_ends_with_conflict_at_its_limit(world: World) -> None:
    ada = held_by_ada(world)
    world.on_sleep = [ada.guard]  # it is alive
    before = world.time
    with pytest.raises(Conflict, match=r"After 10 minutes of waiting: ada is releasing 1\.0") as caught:
        world.session("1.1", wait=10.0).take_claim()
    assert 600 <= world.time - before < 620
    assert caught.value.changed == "Nothing was changed."
    assert world.state.claim.who == "ada"


def test_a_dead_holders_end_is_noticed_when_it_comes(world: World) -> None:
    held_by_ada(world)
    before = world.time
    world.session("1.1", wait=WAIT_MINUTES).take_claim()
    assert world.state.claim.who == "grace"
    assert LIFETIME <= world.time - before < LIFETIME + 5
    assert "The claim was taken from ada" in world.output.getvalue()


def test_who_came_in_between_is_waited_for_too_and_named(world: World) -> None:
    ada = held_by_ada(world)
    world.variables = {**world.variables, "USER": "mary"}
    mary = world.session("1.2")
    world.variables = {**world.variables, "USER": "grace"}

    def pass_on() -> None:
        if world.state.claim is not None and world.state.claim.who == "ada":
            ada.release_claim()
            mary.take_claim()

    world.on_sleep = [pass_on]
    with pytest.raises(Conflict, match=r"mary is releasing 1\.2"):
        world.session("1.1", wait=2.0).take_claim()
    said = world.output.getvalue()
    assert "Waiting: ada is releasing" in said
    assert "Waiting: mary is releasing" in said


def test_a_freeze_is_not_waited_for(world: World) -> None:
    held_by_ada(world)
    world.on_sleep = [lambda: world.freeze("audit") if world.state.freeze is None else None]
    before = world.time
    with pytest.raises(Conflict, match="audit"):
        world.session("1.1", wait=30.0).take_claim()
    assert world.time - before < 30


def test_a_test_that_waited_while_the_slots_changed_does_not_run(world: World) -> None:
    world.deploy("1.0")
    world.build("1.1")
    world.publish()
    ada = world.session("1.1")
    ada.take_claim()
    world.variables = {**world.variables, "USER": "grace"}

    def overwrite() -> None:
        record = world.state.slots["green"]
        ada.update(lambda state: state.with_slot("green", replace(record, complete=False)))
        ada.release_claim()

    world.on_sleep = [overwrite]
    with pytest.raises(Conflict, match="changed while this test was waiting"):
        world.test(wait=10.0)
    assert len(world.workspace.submitted) == 1


@pytest.mark.parametrize(
    ("words", "minutes"),
    [([], 0.0), (["--wait"], WAIT_MINUTES), (["--wait", "5"], 5.0), (["--wait", "0.5"], 0.5)],
)
def test_the_option(words: list[str], minutes: float) -> None:
    parser = argparse.ArgumentParser()
    claim_options(parser)
    assert parser.parse_args(words).wait == minutes


@pytest.mark.parametrize("words", [["--wait", "-1"], ["--wait", "soon"], ["--wait", "--take-over"]])
def test_what_it_refuses(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    claim_options(parser)
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(words)
    assert "--wait" in capsys.readouterr().err


def test_who_took_it_at_the_same_moment_is_waited_out_and_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the write somebody takes the claim: that one's agent lives, and must notice first."""
    grace = by(world, "grace", take_over=True)
    write, before = world.store.write, world.time

    def late(name: str, data: bytes, *, etag: str | None) -> str:
        monkeypatch.setattr(world.store, "write", write)
        by(world, "bob").take_claim()
        return write(name, data, etag=etag)

    monkeypatch.setattr(world.store, "write", late)
    grace.take_claim()
    assert world.state.claim.who == "grace"
    assert world.time - before > 20
    assert "The claim was taken from bob" in world.output.getvalue()


def by(world: World, who: str, **options: object) -> Session:
    world.variables = {**world.variables, "USER": who}
    return world.session("1.1", **options)
