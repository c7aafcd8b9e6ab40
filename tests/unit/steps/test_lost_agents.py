"""Two agents of one pipeline run, or of one person: Azure Pipelines may lose an agent that lives on, and people have terminals."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.errors import Conflict
from slipway.steps import session as sessions
from slipway.steps.session import holder_of
from tests.unit.steps.conftest import World

RUN = {
    "TF_BUILD": "True",
    "BUILD_BUILDID": "7",
    "SYSTEM_COLLECTIONURI": "https://dev.azure.com/x/",
    "SYSTEM_TEAMPROJECT": "p",
}


@pytest.fixture
def tested(world: World) -> World:
    """1.0 is live, 1.1 is tested; the same pipeline run goes on."""
    world.deploy("1.0")
    world.variables = {**world.variables, **RUN}
    world.change_notebook("1.1")
    assert world.build("1.1") == 0
    world.publish()
    world.test()
    return world


def meanwhile(world: World, beginning: str, do: Any) -> list[str]:
    """Does something when the first change that begins so is under way; what is changed after it is returned."""
    late: list[str] = []
    done: list[bool] = []

    def react(what: str) -> None:
        if done:
            late.append(what)
        elif what.startswith(beginning):
            done.append(True)
            world.changes.watch = lambda _: None
            do()
            world.changes.watch = react

    world.changes.watch = react
    return late


def test_a_lost_agent_stops_when_the_same_run_has_taken_its_switch_back(tested: World) -> None:
    late = meanwhile(tested, "reset", tested.revert)
    with pytest.raises(Conflict, match="claim on this environment is lost"):
        tested.switch()
    assert not [what for what in late if what.startswith(("reset", "create", "update"))]
    assert tested.state.switch is None
    assert "has not said that it ended" in tested.output.getvalue()


def test_a_lost_agent_stops_when_the_same_run_fails_before_its_switch(tested: World) -> None:
    tested.change_notebook("1.2")
    assert tested.build("1.2") == 0
    late = meanwhile(tested, "import", tested.revert)
    with pytest.raises(Conflict):
        tested.publish()
    assert not [what for what in late if what.startswith(("import", "delete"))]
    assert tested.state.claim is None


def test_a_step_that_ended_is_not_waited_for(tested: World) -> None:
    began, waits = tested.time, []
    tested.on_sleep.append(lambda: waits.append(1))
    tested.switch()
    assert not waits and tested.time - began < 5
    assert not tested.state.switch


def test_a_step_that_was_killed_is_waited_for_and_what_it_wrote_is_looked_through(tested: World) -> None:
    tested.session("1.1").take_claim()
    assert tested.state.claim.at_work
    began = tested.time
    session = tested.session("1.1")
    session.take_claim()
    assert tested.time - began >= 20
    assert session.contested


def test_people_and_their_terminals_are_told_apart() -> None:
    first = holder_of({"USER": "root"}, "1.0", machine="a", terminal="session 1")
    assert first.id != holder_of({"USER": "root"}, "1.0", machine="b", terminal="session 1").id
    assert first.id != holder_of({"USER": "root"}, "1.0", machine="a", terminal="session 2").id
    assert first == holder_of({"USER": "root"}, "1.0", machine="a", terminal="session 1")
    assert first.run == "by hand, root on a"
    assert sessions.this_terminal() == sessions.this_terminal()
