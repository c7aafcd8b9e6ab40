"""Jobs that people made and Slipway takes over: in place of one that was deleted, cut short, and back again."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.steps import adopt_job
from tests.unit.steps.conftest import World, job
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
