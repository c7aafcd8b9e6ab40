"""A drill goes back and forward again, and leaves the environment as it was, wherever it is cut."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slipway.errors import Conflict, NotPossible
from slipway.steps import drill
from tests.unit.steps.conftest import World
from tests.unit.steps.test_crash_safety import copied, crash
from tests.unit.steps.test_rollback import deploy
from tests.unit.steps.test_way_back import cut, is_live


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
