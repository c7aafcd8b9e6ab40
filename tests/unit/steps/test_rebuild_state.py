"""A state that is lost, damaged, or newer: refused by every step, rebuilt after a word of permission."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slipway.domain.state import STATE_BLOB
from slipway.errors import NotPossible, SlipwayError, StateDamaged
from slipway.steps import rebuild_state
from tests.unit.steps.conftest import World
from tests.unit.steps.test_crash_safety import copied, crash
from tests.unit.steps.test_factory_switch import FIRST, Bench
from tests.unit.steps.test_rollback import deploy, live_text
from tests.unit.steps.test_way_back import cut, is_live


def lose(world: World) -> None:
    del world.store.blobs[STATE_BLOB]
    del world.store.etags[STATE_BLOB]


def rebuild(world: World, *, yes: bool = True, live: str | None = None) -> None:
    rebuild_state.rebuild(world.session("rebuild", yes=yes, live=live))


@pytest.fixture
def lost(world: World) -> World:
    """1.0, 1.1 and 1.2 were released; 1.1 was gone back to."""
    for version in ("1.0", "1.1", "1.2"):
        deploy(world, version)
    world.rollback()
    lose(world)
    return world


STEPS = ["publish", "test", "switch", "rollback", "revert"]


@pytest.mark.parametrize("step", STEPS)
def test_an_environment_that_was_released_to_is_no_new_one(lost: World, step: str) -> None:
    before = len(lost.changes.log)
    with pytest.raises(StateDamaged, match=r"The state of prod is lost.*3 archived releases") as refused:
        getattr(lost, step)()
    assert "scripts/rebuild_state.py" in refused.value.next_step
    assert len(lost.changes.log) == before


def test_a_lost_state_is_made_anew(world: World) -> None:
    for version in ("1.0", "1.1", "1.2"):
        deploy(world, version)
    world.rollback()
    before = world.state
    lose(world)
    rebuild(world, yes=False)
    assert STATE_BLOB not in world.store.blobs
    assert "Nothing was written" in world.output.getvalue()
    rebuild(world)
    after = world.state
    assert [(e.version, e.outcome, e.slot, e.manifest, e.archive, e.settings) for e in after.history] == [
        (e.version, e.outcome, e.slot, e.manifest, e.archive, e.settings) for e in before.history
    ]
    assert after.live == before.live
    assert {key: (job.id, job.slot, job.pause) for key, job in after.jobs.items()} == {
        key: (job.id, job.slot, job.pause) for key, job in before.jobs.items()
    }
    assert {slot: (r.manifest, r.complete, r.files, r.test) for slot, r in after.slots.items()} == {
        slot: (r.manifest, r.complete, r.files, None) for slot, r in before.slots.items()
    }
    assert after.fence > before.fence
    assert set(after.archived) == set(before.archived)
    assert [(row.action, row.result) for row in world.audit.rows[-1:]] == [("rebuild", "done")]


def test_after_it_everything_goes_on(lost: World) -> None:
    rebuild(lost)
    lost.rollback()
    assert is_live(lost, "1.0")
    deploy(lost, "1.3")
    assert is_live(lost, "1.3")
    lost.rollback()
    assert "text of 1.0" in live_text(lost)


def test_a_job_that_left_its_release_is_not_taken_for_a_mixture(world: World) -> None:
    deploy(world, "1.0")
    (world.root / "config" / "jobs" / "train.json").unlink()
    deploy(world, "1.1")
    lose(world)
    rebuild(world)
    assert (world.state.live, world.state.jobs["train"].retired) == ("green", True)
    assert world.state.switch is None


def test_a_candidate_is_published_and_tested_again(world: World) -> None:
    deploy(world, "1.0")
    world.change_notebook("text of 1.1")
    assert world.build("1.1") == 0
    world.publish()
    world.test()
    lose(world)
    rebuild(world)
    with pytest.raises(NotPossible, match="holds no candidate"):
        world.switch()
    world.publish()
    world.test()
    world.switch()
    assert is_live(world, "1.1")


@pytest.mark.parametrize(("live", "version"), [("blue", "1.0"), ("green", "1.1")])
def test_in_the_middle_of_a_switch_it_asks_what_is_live(world: World, live: str, version: str) -> None:
    deploy(world, "1.0")
    deploy(world, "1.1")
    world.rollback()
    cut(world, lambda w: w.rollback(to="1.1"), "reset", 1)
    lose(world)
    with pytest.raises(NotPossible, match="jobs lead to both slots") as refused:
        rebuild(world)
    assert "--live" in refused.value.next_step
    assert STATE_BLOB not in world.store.blobs
    rebuild(world, live=live)
    assert world.state.switch is not None
    world.revert()
    assert is_live(world, version)


def test_a_damaged_state_is_kept_and_made_anew(world: World) -> None:
    deploy(world, "1.0")
    damaged = world.store.blobs[STATE_BLOB] = b"not JSON"
    with pytest.raises(StateDamaged) as refused:
        world.rollback()
    assert "scripts/rebuild_state.py" in refused.value.next_step
    rebuild(world)
    assert world.state.live == "blue"
    assert damaged in [data for name, data in world.store.blobs.items() if name.startswith("archive/damaged/")]


@pytest.mark.parametrize("change", [{"format": 3}, {"environment": "test"}, {}])
def test_a_newer_state_another_environments_and_a_good_one_are_left_alone(world: World, change: dict[str, Any]) -> None:
    deploy(world, "1.0")
    data = json.dumps({**json.loads(world.store.blobs[STATE_BLOB]), **change}).encode()
    world.store.blobs[STATE_BLOB] = data
    with pytest.raises(SlipwayError) as refused:
        rebuild(world)
    assert not isinstance(refused.value, StateDamaged)
    assert world.store.blobs[STATE_BLOB] == data


def test_a_state_of_the_format_before_is_read(world: World) -> None:
    deploy(world, "1.0")
    old = {**json.loads(world.store.blobs[STATE_BLOB]), "format": 1}
    world.store.blobs[STATE_BLOB] = json.dumps(old).encode()
    deploy(world, "1.1")
    assert json.loads(world.store.blobs[STATE_BLOB])["format"] == 2


def test_a_new_environment_is_still_one(world: World) -> None:
    deploy(world, "1.0")
    assert is_live(world, "1.0")


@pytest.fixture
def bare(world: World) -> World:
    """1.0 and 1.1 were released; then somebody deleted the storage account, state and archive with it."""
    for version in ("1.0", "1.1"):
        world.change_notebook(f"text of {version}")
        deploy(world, version)
    world.store.blobs.clear()
    world.store.etags.clear()
    return world


def test_with_the_archive_gone_too_nothing_is_overwritten(bare: World) -> None:
    before = copied(bare).workspace
    with pytest.raises(StateDamaged, match="leads to its slots: job 'bikeshare prod: ") as refused:
        bare.publish()
    assert "scripts/rebuild_state.py" in refused.value.next_step
    assert bare.workspace.objects == before.objects
    assert bare.workspace.jobs == before.jobs


@pytest.mark.parametrize("claimed_first", [False, True])
def test_the_live_release_is_taken_from_its_slot(bare: World, claimed_first: bool) -> None:
    if claimed_first:  # as by a step that can't look into the workspace yet
        bare.session("1.2").take_claim()
    rebuild(bare, yes=False)
    assert not [name for name in bare.store.blobs if name != STATE_BLOB]
    rebuild(bare)
    assert (bare.state.live, bare.state.live_entry.version, bare.state.switch) == ("green", "1.1", None)
    assert {key: job.slot for key, job in bare.state.jobs.items()} == {"score": "green", "train": "green"}
    jobs = bare.jobs()
    bare.change_notebook("text of 1.2")
    deploy(bare, "1.2")
    assert is_live(bare, "1.2")
    bare.rollback()
    assert is_live(bare, "1.1")
    assert bare.jobs() == jobs


def test_it_can_even_be_published_again(bare: World) -> None:
    rebuild(bare)
    for version in ("1.2", "1.3"):
        bare.change_notebook(f"text of {version}")
        deploy(bare, version)
    bare.rollback("1.1")
    assert is_live(bare, "1.1")
    assert "text of 1.1" in live_text(bare)


def test_what_the_service_gives_back_otherwise_is_said(bare: World) -> None:
    path = "/Workspace/Slipway/bikeshare/prod/green/notebooks/score"
    kind, data = bare.workspace.objects[path]
    bare.workspace.objects[path] = (kind, data.replace(b"\n", b" \n"))
    rebuild(bare)
    assert "1 files of 1.1 could not be archived (notebooks/score" in bare.output.getvalue()
    bare.change_notebook("text of 1.2")
    deploy(bare, "1.2")
    bare.change_notebook("text of 1.3")
    deploy(bare, "1.3")
    with pytest.raises(NotPossible, match=r"lacks files of 1\.1"):
        bare.rollback("1.1")


def test_a_first_release_that_was_cut_is_no_lost_state(world: World) -> None:
    assert world.build("1.0") == 0
    world.publish()
    world.test()
    cut(world, lambda w: w.switch(), "create", 1)
    deploy(world, "1.1")
    assert is_live(world, "1.1")


def test_what_the_slot_holds_is_live_though_an_older_switch_is_the_last_that_is_archived(world: World) -> None:
    for version in ("1.0", "1.1", "1.2"):
        deploy(world, version)
    world.change_notebook("text of 1.3")
    assert world.build("1.3") == 0
    world.publish()
    world.test()
    cut(world, lambda w: w.switch(), "reset", 1)
    lose(world)
    rebuild(world, live="green")
    entry = world.state.live_entry
    assert (entry.version, world.state.switch is not None) == ("1.3", True)
    assert [(e.version, e.outcome) for e in world.state.history][-2:] == [("1.2", "stable"), ("1.3", "live")]
    world.revert()
    assert set(world.slots_of_jobs().values()) == {"green"}
    world.rollback()
    assert is_live(world, "1.2")


def test_a_job_that_lost_its_tags_is_not_made_twice(lost: World) -> None:
    job_id = next(i for i, job in lost.workspace.jobs.items() if job["tags"]["slipway_job"] == "score")
    del lost.workspace.jobs[job_id]["tags"]
    rebuild(lost)
    assert lost.state.jobs["score"].id == job_id
    deploy(lost, "1.3")
    assert is_live(lost, "1.3")
    assert len(lost.workspace.jobs) == 2


def test_a_factory_alone_tells_that_a_state_was_lost(project: Path) -> None:
    bench = Bench(World(project))
    bench.configure(delete_removed=True, delete_limit_percent=60)
    bench.release("1", FIRST)
    bench.world.workspace.jobs.clear()
    bench.world.store.blobs.clear()
    bench.world.store.etags.clear()
    bench.source(FIRST)
    assert bench.world.build("2") == 0
    with pytest.raises(StateDamaged, match="releaseFolder of data factory adf-bikeshare-prod"):
        bench.world.publish()


def test_a_rebuild_is_told_though_its_agent_dies(world: World) -> None:
    deploy(world, "1.0")
    lose(world)
    whole = copied(world)
    rebuild(whole)
    for at in range(len(whole.changes.log)):
        other = copied(world)
        crash(other, lambda other=other: rebuild(other), at, True)
        told = [(row.action, row.result) for row in (*other.audit.rows, *other.state.audit)]
        assert ("rebuild", "done") in told, at
