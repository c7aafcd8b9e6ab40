"""A switch cut at every one of its changes: run again it is finished, reverted it is undone, never a mixture."""

from __future__ import annotations

import contextlib
import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipway.errors import Conflict, NotPossible
from slipway.steps import switch_slot
from tests.unit.steps.conftest import World
from tests.unit.steps.fakes import Crash


def prepared(world: World) -> None:
    """1.0 is live in blue; 1.1, which has one job more and one less, is ready in green."""
    world.deploy("1.0")
    jobs = world.root / "config" / "jobs"
    text = (jobs / "train.json").read_text()
    (jobs / "train.json").unlink()
    (jobs / "extra.json").write_text(text.replace(": train", ": extra"))
    world.change_notebook("new")
    assert world.build("1.1") == 0
    world.publish()
    world.test()


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> World:
    import tests.unit.steps.conftest as parts

    root: Path = parts.project.__wrapped__(tmp_path_factory.mktemp("crash"))  # type: ignore[attr-defined]
    world = World(root)
    prepared(world)
    return world


def copied(world: World) -> World:
    result = World(world.root, world.name)
    for fake in ("store", "workspace"):
        for name in ("blobs", "etags", "objects", "jobs", "acls"):
            if hasattr(getattr(world, fake), name):
                setattr(getattr(result, fake), name, copy.deepcopy(getattr(getattr(world, fake), name)))
    result.workspace._ids = iter(range(500, 600))  # type: ignore[assignment]
    result.store._numbers = iter(range(5000, 9000))  # type: ignore[assignment]
    result.time = world.time
    return result


def shown(world: World) -> dict[str, tuple[str, str]]:
    """What people see of each job: slot and pause status."""
    return {
        key: (world.slots_of_jobs()[key], job["schedule"]["pause_status"]) for key, job in sorted(world.jobs().items())
    }


OLD = {"score": ("blue", "UNPAUSED"), "train": ("blue", "UNPAUSED")}
NEW = {"extra": ("green", "UNPAUSED"), "score": ("green", "UNPAUSED"), "train": ("blue", "PAUSED")}


def changes_of_a_switch(ready: World) -> int:
    world = copied(ready)
    world.switch()
    assert shown(world) == NEW
    return len(world.changes.log)


def crash(world: World, step: Any, at: int, after: bool) -> None:
    world.changes.stop_at, world.changes.after = len(world.changes.log) + at, after
    with pytest.raises(Crash):
        step()
    world.changes.revive()


@pytest.mark.parametrize("after", [False, True], ids=["not sent", "answer lost"])
def test_cut_anywhere_and_run_again_it_is_finished(ready: World, after: bool) -> None:
    for at in range(changes_of_a_switch(ready)):
        world = copied(ready)
        crash(world, world.switch, at, after)
        world.switch()
        assert shown(world) == NEW, at
        state = world.state
        assert (state.live, state.switch, state.claim) == ("green", None, None), at
        assert len(world.workspace.jobs) == 3, "a job was made twice"


@pytest.mark.parametrize("after", [False, True], ids=["not sent", "answer lost"])
def test_cut_anywhere_and_reverted_it_is_undone(ready: World, after: bool) -> None:
    before = json.dumps(ready.workspace.jobs, sort_keys=True)
    for at in range(changes_of_a_switch(ready)):
        world = copied(ready)
        crash(world, world.switch, at, after)
        world.revert()
        if world.state.live == "green":  # the last compare-and-swap was done: that switch is over
            assert shown(world) == NEW
            continue
        old = {i: j for i, j in world.workspace.jobs.items() if i in ready.workspace.jobs}
        assert json.dumps(old, sort_keys=True) == before, at
        made = [j for i, j in world.workspace.jobs.items() if i not in ready.workspace.jobs]
        assert all(job["schedule"]["pause_status"] == "PAUSED" for job in made)
        assert (world.state.live, world.state.switch, world.state.claim) == ("blue", None, None)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_sequence_of_crashes_and_steps_ends_whole(ready: World, data: st.DataObject) -> None:
    world = copied(ready)
    for _ in range(data.draw(st.integers(1, 4), label="crashes")):
        step = data.draw(st.sampled_from(["switch", "revert"]), label="step")
        world.changes.stop_at = len(world.changes.log) + data.draw(st.integers(0, 12), label="at")
        world.changes.after = data.draw(st.booleans(), label="after")
        with contextlib.suppress(Crash):
            getattr(world, step)()
        world.changes.revive()
    last = data.draw(st.sampled_from(["switch", "revert"]), label="last")
    getattr(world, last)()
    if world.state.live == "green":
        assert shown(world) == NEW
    else:
        assert last == "revert"
        assert {key: value for key, value in shown(world).items() if key in OLD} == OLD
        assert shown(world).get("extra", ("", "PAUSED"))[1] == "PAUSED"
    assert world.state.switch is None
    assert len(world.workspace.jobs) <= 3


def test_an_open_switch_of_a_dead_run_is_taken_back_by_the_next_release(ready: World) -> None:
    world = copied(ready)
    crash(world, world.switch, 5, False)
    assert world.state.switch is not None
    world.variables["USER"] = "grace"
    world.time += 3 * 60 * 60
    world.publish()
    assert world.state.switch is None
    assert {key: value for key, value in shown(world).items() if key in OLD} == OLD
    world.test()
    world.switch()
    assert shown(world) == NEW


def test_an_open_switch_of_another_release_is_not_gone_on_with(ready: World) -> None:
    """It would get this release's factory with the other's jobs."""
    world = copied(ready)
    crash(world, world.switch, 5, False)
    assert world.state.switch is not None
    with pytest.raises(NotPossible, match=r"holds 1\.1, not this release"):
        switch_slot.switch(world.session("1.2"), "1.2", "f" * 64)
    assert world.state.switch is None
    assert {key: value for key, value in shown(world).items() if key in OLD} == OLD


def test_a_scheduled_recovery_leaves_a_switch_to_who_is_at_work_on_it(ready: World) -> None:
    world = copied(ready)
    crash(world, world.switch, 5, False)
    jobs = copy.deepcopy(world.workspace.jobs)
    world.variables["USER"] = "recovery"
    world.revert(if_free=True)
    assert world.state.switch is not None
    assert world.workspace.jobs == jobs
    assert "somebody is at work on it: ada is releasing 1.1" in world.output.getvalue()
    with pytest.raises(Conflict):
        world.revert()
    world.time += 60 * 60
    world.revert(if_free=True)
    assert (world.state.switch, world.state.claim) == (None, None)
    assert {key: value for key, value in shown(world).items() if key in OLD} == OLD


@pytest.mark.parametrize("after", [False, True], ids=["not sent", "answer lost"])
def test_publishing_cut_anywhere_never_leaves_a_slot_that_could_be_switched_to(world: World, after: bool) -> None:
    prepared(world)
    world.switch()
    world.change_notebook("newest")
    assert world.build("1.2") == 0
    whole = copied(world)
    whole.publish()
    wanted = dict(whole.slot_objects("blue"))
    count = len(whole.changes.log)
    assert count > 10
    for at in range(count):
        other = copied(world)
        crash(other, other.publish, at, after)
        record = other.state.slots["blue"]
        manifest = other.slot_objects("blue").get("manifest.json")
        if record.complete and manifest is not None and other.state.slots["blue"].version == "1.2":
            assert other.slot_objects("blue") == wanted
        other.publish()
        assert other.slot_objects("blue") == wanted, at
        assert shown(other) == {k: v for k, v in NEW.items() if k != "train" or "train" in shown(other)}
