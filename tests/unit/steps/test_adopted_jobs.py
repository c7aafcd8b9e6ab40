"""Jobs that people made and Slipway takes over: in place of one that was deleted, cut short, and back again."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from slipway.steps import adopt_job
from tests.unit.steps.conftest import World, job
from tests.unit.steps.fakes import Crash
from tests.unit.steps.test_rollback import deploy, pauses

MINE = 77
PATH = "/Users/ada/mine"


def make_by_hand(world: World, status: str, **more: Any) -> None:
    task = {"task_key": "main", "notebook_task": {"notebook_path": PATH}}
    schedule = {**job("train")["schedule"], "pause_status": status}
    world.workspace.jobs[MINE] = {
        "name": "mine",
        "tasks": [task],
        "max_concurrent_runs": 3,
        "schedule": schedule,
        **more,
    }


def adopt(world: World) -> None:
    adopt_job.adopt(world.session("adopt train"), "train", "mine", None)


@pytest.mark.parametrize("policy", ["stop", "overwrite"])
def test_an_adopted_job_in_place_of_a_deleted_one_is_no_drift_and_goes_back_too(world: World, policy: str) -> None:
    deploy(world, "1.0")
    del world.workspace.jobs[world.state.jobs["train"].id]
    make_by_hand(world, "PAUSED")
    adopt(world)
    deploy(world, "1.1", drift=policy)
    assert world.slots_of_jobs() == {"score": "green", "train": "green"}
    world.rollback()
    assert world.slots_of_jobs() == {"score": "blue", "train": "blue"}
    assert pauses(world) == {"score": "UNPAUSED", "train": "PAUSED"}


def test_adopting_that_was_cut_after_the_tags_is_made_up_for_by_the_next_switch(world: World) -> None:
    definition = world.root / "config" / "jobs" / "train.json"
    text = definition.read_text()
    definition.unlink()
    deploy(world, "1.0")
    definition.write_text(text)
    make_by_hand(world, "PAUSED")
    world.changes.watch = lambda what: setattr(world.changes, "stop_at", None if "update" not in what else 0)
    world.changes.after = True
    with pytest.raises(Crash):
        adopt(world)
    world.changes.watch = lambda _: None
    world.changes.revive()
    assert world.workspace.jobs[MINE]["tags"]["slipway_job"] == "train" and "train" not in world.state.jobs
    world.time += 3700
    deploy(world, "1.1")
    assert world.slots_of_jobs() == {"score": "green", "train": "green"}
    assert pauses(world) == {"score": "UNPAUSED", "train": "PAUSED"}
    world.rollback()
    assert world.workspace.jobs[MINE]["tasks"][0]["notebook_task"]["notebook_path"] == PATH


def test_a_job_that_an_agent_made_late_was_not_the_release_befores(world: World) -> None:
    """It is in no state, paused, and has the tags; the next release has such a job, the one before had not."""
    definition = world.root / "config" / "jobs" / "train.json"
    text = definition.read_text()
    definition.unlink()
    deploy(world, "1.0")
    orphan = copy.deepcopy(world.jobs()["score"])
    orphan["tags"]["slipway_job"] = "train"
    orphan["schedule"]["pause_status"] = "PAUSED"
    world.workspace.jobs[MINE] = orphan
    definition.write_text(text)
    deploy(world, "1.1")
    assert pauses(world) == {"score": "UNPAUSED", "train": "UNPAUSED"}
    assert len(world.workspace.jobs) == 2
    world.rollback()
    assert world.state.jobs["train"].retired
    assert pauses(world) == {"score": "UNPAUSED", "train": "PAUSED"}
