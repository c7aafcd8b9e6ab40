"""A drill goes back and forward again, and leaves the environment as it was, wherever it is cut."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slipway.errors import Conflict, NotPossible, ServiceError, SlipwayError
from slipway.steps import drill
from tests.unit.steps import test_watching as watching
from tests.unit.steps.conftest import World
from tests.unit.steps.test_crash_safety import copied, crash
from tests.unit.steps.test_rollback import deploy, live_text
from tests.unit.steps.test_way_back import cut, dry, is_live


def run(world: World, **options: Any) -> None:
    drill.drill(world.session("drill", **{"production": True, **options}))


@pytest.fixture
def released(world: World) -> World:
    deploy(world, "1.0")
    deploy(world, "1.1")
    return world


def outcomes(world: World) -> list[tuple[str, str]]:
    return [(entry.version, entry.outcome) for entry in world.state.history]


def test_it_goes_back_and_forward_and_leaves_all_as_it_was(released: World) -> None:
    jobs = json.dumps(released.workspace.jobs, sort_keys=True)
    run(released)
    assert is_live(released, "1.1")
    assert json.dumps(released.workspace.jobs, sort_keys=True) == jobs
    assert outcomes(released) == [("1.0", "stable"), ("1.1", "live")]
    assert released.state.drill is None
    text = released.output.getvalue()
    assert "back to 1.0: " in text
    assert "forward again to 1.1: " in text


@pytest.mark.parametrize("after", [False, True], ids=["not sent", "answer lost"])
def test_cut_anywhere_and_run_again_it_is_whole(released: World, after: bool) -> None:
    whole = copied(released)
    run(whole)
    for at in range(len(whole.changes.log)):
        world = copied(released)
        crash(world, lambda world=world: run(world), at, after)
        run(world)
        assert is_live(world, "1.1"), at
        assert world.state.drill is None
        assert outcomes(world) == [("1.0", "stable"), ("1.1", "live")]


def test_where_it_can_not_be_it_is_refused(world: World) -> None:
    deploy(world, "1.0")
    with pytest.raises(NotPossible, match="production environment"):
        run(world, production=False)
    with pytest.raises(NotPossible, match="no stable release"):
        run(world)
    deploy(world, "1.1")
    world.change_notebook("next")
    assert world.build("1.2") == 0
    world.publish()
    with pytest.raises(NotPossible, match="candidate 1\\.2"):
        run(world)
    world.test()
    cut(world, lambda world: world.switch(), "reset")
    with pytest.raises(Conflict, match="is open"):
        run(world)


def test_what_if_changes_nothing(released: World) -> None:
    before = len(released.changes.log)
    run(released, what_if=True)
    assert "Would go back to 1.0 and forward again to 1.1" in released.output.getvalue()
    assert len(released.changes.log) == before


def test_one_that_failed_is_over_where_it_had_gone_nowhere(released: World) -> None:
    released.changes.refuse = lambda what: what.startswith("reset")
    with pytest.raises(ServiceError):
        run(released)
    released.changes.refuse = lambda _: False
    assert is_live(released, "1.1")
    assert released.state.drill is None


@pytest.mark.parametrize("when", ["put", "reset"])
def test_a_rollback_after_one_that_was_cut_is_what_people_want(released: World, when: str) -> None:
    cut(released, run, when)
    released.rollback(to="1.0")
    assert is_live(released, "1.0")
    with pytest.raises(NotPossible, match="no stable release"):
        run(released)
    assert is_live(released, "1.0")


def test_a_rollback_that_was_cut_is_not_undone_by_the_next(released: World) -> None:
    cut(released, run, "put")
    cut(released, lambda world: world.rollback(), "reset", 1)
    with pytest.raises(Conflict, match="is open"):
        run(released)


def test_cut_between_its_ways_it_ends_though_a_later_release_was_rolled_back(released: World) -> None:
    deploy(released, "1.2")
    released.rollback()
    for at in range(len(dry(released, run))):
        world = copied(released)
        crash(world, lambda world=world: run(world), at, False)
        run(world)
        assert is_live(world, "1.1"), at


def test_two_releases_of_one_version_are_kept_apart(world: World) -> None:
    for text in ("first", "second"):
        world.change_notebook(text)
        world.deploy("1.0")
    for at in range(len(dry(world, run))):
        other = copied(world)
        crash(other, lambda other=other: run(other), at, False)
        run(other)
        assert "second" in live_text(other), at
    before = len(world.changes.log)
    run(world)
    assert len([line for line in world.changes.log[before:] if line.startswith("reset")]) == 4
    assert "second" in live_text(world)


def test_the_watch_goes_on_and_waits_for_the_way_forward(world: World) -> None:
    watching.configure(world)
    for version in ("1.0", "1.1"):
        deploy(world, version)
    watch = world.state.watch
    cut(world, run, "put archive/settings", 2)
    assert world.state.live_entry.version == "1.0"
    world.watch()
    assert "is looked at when it has come forward again" in world.output.getvalue()
    run(world)
    assert world.state.watch == watch


def between(world: World, do: Any) -> None:
    """Does it once, when the drill has gone back."""

    def react(_: str) -> None:
        if world.state.switch is None and world.state.live == "blue":
            world.changes.watch = lambda _: None
            do()

    world.changes.watch = react


def test_it_comes_forward_through_a_freeze(released: World) -> None:
    def freeze() -> None:
        released.variables = {**released.variables, "USER": "grace"}
        released.freeze("holidays")

    between(released, freeze)
    run(released)
    assert is_live(released, "1.1")


def test_failed_on_the_way_it_says_what_is_live_and_how_it_ends(released: World) -> None:
    def break_it() -> None:
        released.changes.refuse = lambda what: what.startswith("reset")

    between(released, break_it)
    with pytest.raises(SlipwayError) as failed:
        run(released)
    assert "1.0 is live in prod" in failed.value.changed
    assert "1.1 was before it" in failed.value.changed
    assert "it makes 1.1 live" in failed.value.next_step
    released.changes.refuse = lambda _: False
    run(released)
    assert is_live(released, "1.1")
    assert released.state.drill is None
