"""Going back: to the last stable release, with its own job settings, never to a candidate that was not live."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slipway.errors import NotPossible, ServiceError, TestFailed
from slipway.steps import status
from tests.unit.steps.conftest import World, job
from tests.unit.steps.fakes import failing_test, passing_test
from tests.unit.steps.test_crash_safety import copied


def deploy(world: World, version: str, **options: Any) -> None:
    world.change_notebook(f"text of {version}")
    world.deploy(version, **options)


def live_text(world: World) -> str:
    return world.slot_objects(world.state.live)["notebooks/score"].decode()


def test_a_job_that_somebody_deleted_is_back_with_its_release(world: World) -> None:
    world.deploy("1.0")
    del world.workspace.jobs[world.state.jobs["train"].id]
    (world.root / "config" / "jobs" / "train.json").unlink()
    world.deploy("1.1")
    world.rollback()
    assert world.slots_of_jobs() == {"score": "blue", "train": "blue"}


@pytest.mark.parametrize("wanted", [True, False], ids=["the next release has it", "it has not"])
def test_a_deleted_job_is_back_though_a_switch_that_was_taken_back_had_made_it(world: World, wanted: bool) -> None:
    deploy(world, "1.0")
    del world.workspace.jobs[world.state.jobs["train"].id]
    score = world.state.jobs["score"].id
    world.changes.refuse = lambda what: what == f"reset {score}"
    with pytest.raises(ServiceError):
        deploy(world, "1.1")
    world.changes.refuse = lambda _: False
    world.time += 3700
    world.revert(if_free=True)
    assert pauses(world)["train"] == "PAUSED"
    if wanted:
        deploy(world, "1.2", drift="stop")
        assert pauses(world) == {"score": "UNPAUSED", "train": "UNPAUSED"}
    else:
        (world.root / "config" / "jobs" / "train.json").unlink()
        deploy(world, "1.2", drift="stop")
    world.rollback()
    assert set(world.slots_of_jobs().values()) == {world.state.live}
    assert pauses(world) == {"score": "UNPAUSED", "train": "UNPAUSED"}
    assert len(world.workspace.jobs) == 2


@pytest.mark.parametrize("way", ["rollback", "release"])
def test_a_job_paused_by_hand_stays_so_though_a_release_left_it_out(world: World, way: str) -> None:
    world.deploy("1.0")
    world.jobs()["train"]["schedule"]["pause_status"] = "PAUSED"
    definition = world.root / "config" / "jobs" / "train.json"
    text = definition.read_text()
    definition.unlink()
    world.deploy("1.1")
    definition.write_text(text)
    if way == "rollback":
        world.rollback()
    else:
        world.deploy("1.2")
    assert world.slots_of_jobs() == {"score": "blue", "train": "blue"}
    assert {key: job["schedule"]["pause_status"] for key, job in world.jobs().items()} == {
        "score": "UNPAUSED",
        "train": "PAUSED",
    }


@pytest.mark.parametrize("way", ["rollback", "release"])
def test_it_stays_paused_though_it_was_deleted_with_its_slot(world: World, way: str) -> None:
    deploy(world, "1.0")
    world.jobs()["train"]["schedule"]["pause_status"] = "PAUSED"
    (world.root / "config" / "jobs" / "train.json").unlink()
    deploy(world, "1.1")
    world.workspace.answer = failing_test
    with pytest.raises(TestFailed):
        deploy(world, "1.2")
    assert "train" not in world.jobs()
    world.workspace.answer = passing_test
    if way == "rollback":
        world.rollback()
    else:
        define(world, "train", "UNPAUSED")
        deploy(world, "1.3")
    assert pauses(world) == {"score": "UNPAUSED", "train": "PAUSED"}
    assert world.state.by_hand == {}


@pytest.mark.parametrize(("meant", "by_hand"), [("UNPAUSED", "PAUSED"), ("PAUSED", "UNPAUSED")])
def test_what_people_chose_stays_so_though_the_release_gone_back_from_meant_it(
    world: World, meant: str, by_hand: str
) -> None:
    define(world, "train", meant)
    deploy(world, "1.0")
    world.jobs()["train"]["schedule"]["pause_status"] = by_hand
    define(world, "train", by_hand)
    deploy(world, "1.1")
    newer = copied(world)
    world.rollback()
    assert pauses(world)["train"] == by_hand
    world.jobs()["train"]["schedule"]["pause_status"] = meant  # until they choose otherwise
    world.rollback("1.1")
    assert pauses(world)["train"] == meant
    define(newer, "train", meant)
    deploy(newer, "1.2")
    assert pauses(newer)["train"] == meant  # 1.1 had taken it over, and 1.2 says otherwise


def define(world: World, key: str, status: str) -> None:
    """The job's definition, with that pause status."""
    definition = job(key)
    definition["schedule"]["pause_status"] = status
    (world.root / "config" / "jobs" / f"{key}.json").write_text(json.dumps(definition))


def pauses(world: World) -> dict[str, str]:
    return {key: settings["schedule"]["pause_status"] for key, settings in world.jobs().items()}


def test_back_to_a_whole_slot_is_a_switch(world: World) -> None:
    deploy(world, "1.0")
    exact = json.dumps(world.workspace.jobs, sort_keys=True)
    deploy(world, "1.1")
    before = len(world.changes.log)
    world.rollback()
    assert json.dumps(world.workspace.jobs, sort_keys=True) == exact
    assert world.state.live == "blue" and "text of 1.0" in live_text(world)
    assert not [line for line in world.changes.log[before:] if line.startswith(("import", "submit"))]
    assert [(e.version, e.outcome) for e in world.state.history] == [("1.0", "live"), ("1.1", "rolled_back")]


def test_back_after_a_failed_candidate_overwrote_the_slot(world: World) -> None:
    """R1, R2, a failing R3, then back: R1 is live again."""
    deploy(world, "R1")
    deploy(world, "R2")
    world.workspace.answer = failing_test
    with pytest.raises(TestFailed):
        deploy(world, "R3")
    world.rollback()
    assert "text of R1" in live_text(world)
    assert set(world.slots_of_jobs().values()) == {world.state.live}
    assert {job["tags"]["slipway_version"] for job in world.jobs().values()} == {"R1"}
    with pytest.raises(NotPossible, match="no stable release came before"):
        world.rollback()


def test_back_twice_and_forward_to_a_version(world: World) -> None:
    for version in ("1.0", "1.1", "1.2"):
        deploy(world, version)
    world.rollback()
    assert "text of 1.1" in live_text(world)
    world.rollback()
    assert "text of 1.0" in live_text(world)
    assert {job["tags"]["slipway_slot"] for job in world.jobs().values()} == {world.state.live}
    world.rollback(to="1.2")
    assert "text of 1.2" in live_text(world)
    with pytest.raises(NotPossible, match=r"9\.9 can't be gone back to") as refused:
        world.rollback(to="9.9")
    assert "1.0" in refused.value.next_step
    assert "1.1" in refused.value.next_step


def test_a_new_release_after_going_back_has_the_right_predecessor(world: World) -> None:
    for version in ("1.0", "1.1"):
        deploy(world, version)
    world.rollback()
    deploy(world, "1.2")
    world.rollback()
    assert "text of 1.0" in live_text(world)


def test_nothing_to_go_back_to(world: World) -> None:
    with pytest.raises(NotPossible, match="Nothing is live"):
        world.rollback()
    deploy(world, "1.0")
    with pytest.raises(NotPossible, match="no stable release"):
        world.rollback()
    assert world.state.claim is None


def test_settings_changed_by_hand_come_back_and_pauses_stay(world: World) -> None:
    deploy(world, "1.0")
    ids = {s["tags"]["slipway_job"]: i for i, s in world.workspace.jobs.items()}
    world.workspace.jobs[ids["score"]]["job_clusters"][0]["new_cluster"]["num_workers"] = 7
    deploy(world, "1.1", drift="overwrite")
    world.workspace.jobs[ids["train"]]["schedule"]["pause_status"] = "PAUSED"
    world.rollback()
    jobs = world.jobs()
    assert jobs["score"]["job_clusters"][0]["new_cluster"]["num_workers"] == 7
    assert jobs["train"]["schedule"]["pause_status"] == "PAUSED"
    assert jobs["score"]["schedule"]["pause_status"] == "UNPAUSED"


@pytest.mark.parametrize("written", ["/Slipway{}", "file:/Workspace/Slipway{}", "--config=/Workspace/Slipway{}"])
def test_paths_go_to_the_other_slot_however_people_wrote_them(world: World, written: str) -> None:
    deploy(world, "1.0")
    task = world.jobs()["score"]["tasks"][0]["notebook_task"]
    task["base_parameters"] = {"config": written.format("/bikeshare/prod/blue/config/x"), "other": "/a/blue/x"}
    if written.startswith("/Slipway"):
        task["notebook_path"] = written.format("/bikeshare/prod/blue/notebooks/score")
    deploy(world, "1.1", drift="overwrite")
    deploy(world, "1.2")
    world.rollback(to="1.0")
    assert world.state.live == "green"
    task = world.jobs()["score"]["tasks"][0]["notebook_task"]
    assert task["base_parameters"] == {"config": written.format("/bikeshare/prod/green/config/x"), "other": "/a/blue/x"}
    assert set(world.slots_of_jobs().values()) == {"green"}


@pytest.mark.parametrize("way", ["rollback", "release"])
def test_a_schedule_made_by_hand_survives_a_release_without_the_job(world: World, way: str) -> None:
    deploy(world, "1.0")
    world.jobs()["train"]["schedule"]["quartz_cron_expression"] = "0 0 7 * * ?"
    (world.root / "config" / "jobs" / "train.json").unlink()
    deploy(world, "1.1")
    if way == "rollback":
        world.rollback()
    else:
        define(world, "train", "UNPAUSED")
        deploy(world, "1.2")
    assert world.jobs()["train"]["schedule"]["quartz_cron_expression"] == "0 0 7 * * ?"
    assert pauses(world) == {"score": "UNPAUSED", "train": "UNPAUSED"}


@pytest.mark.parametrize("last", ["0 0 8 * * ?", "0 0 6 * * ?"], ids=["another", "as released"])
def test_the_schedule_that_people_made_last_survives_a_rollback(world: World, last: str) -> None:
    deploy(world, "1.0")
    world.jobs()["train"]["schedule"]["quartz_cron_expression"] = "0 0 7 * * ?"
    deploy(world, "1.1")
    assert world.jobs()["train"]["schedule"]["quartz_cron_expression"] == "0 0 7 * * ?"
    world.jobs()["train"]["schedule"]["quartz_cron_expression"] = last
    world.rollback()
    assert world.jobs()["train"]["schedule"]["quartz_cron_expression"] == last


def test_a_job_that_came_with_the_bad_release_is_paused(world: World) -> None:
    train = world.root / "config" / "jobs" / "train.json"
    text = train.read_text()
    train.unlink()
    deploy(world, "1.0")
    train.write_text(text)
    deploy(world, "1.1")
    world.rollback()
    assert world.jobs()["train"]["schedule"]["pause_status"] == "PAUSED"
    assert world.slots_of_jobs()["score"] == "blue"


def test_an_archive_that_lacks_files_is_noticed_before_anything_changes(world: World) -> None:
    for version in ("1.0", "1.1", "1.2"):
        deploy(world, version)
    world.rollback()
    for name in [n for n, data in world.store.blobs.items() if n.startswith("archive/files/") and b"1.0" in data]:
        del world.store.blobs[name]
    before = json.dumps(world.workspace.jobs)
    with pytest.raises(NotPossible, match="lacks files"):
        world.rollback()
    assert json.dumps(world.workspace.jobs) == before and world.state.switch is None


def test_status_shows_it_all(world: World) -> None:
    deploy(world, "1.0")
    deploy(world, "1.1")
    score = world.state.jobs["score"].id
    world.workspace.jobs[score]["schedule"]["pause_status"] = "PAUSED"
    before = len(world.changes.log)
    data = status.describe(world.session("status"))
    text = status.as_text(json.loads(json.dumps(data)))
    assert "live is 1.1 in green" in text and "released before" in text
    assert "by hand; Slipway meant UNPAUSED" in text
    assert len(world.changes.log) == before
    empty = World(world.root, "test")
    assert "nothing yet" in status.as_text(status.describe(empty.session("status")))


def test_a_damaged_archive_is_noticed_before_anything_changes(world: World) -> None:
    for version in ("1.0", "1.1", "1.2"):
        deploy(world, version)
    world.rollback()
    for name in [n for n, data in world.store.blobs.items() if n.startswith("archive/files/") and b"of 1.0" in data]:
        world.store.blobs[name] = b"# Databricks notebook source\ndamaged\n"
    before = (dict(world.slot_objects("blue")), dict(world.slot_objects("green")), json.dumps(world.workspace.jobs))
    with pytest.raises(NotPossible, match=r"notebooks/score of 1\.0 is damaged") as refused:
        world.rollback()
    assert "what was live still is" in refused.value.changed
    assert (world.slot_objects("blue"), world.slot_objects("green"), json.dumps(world.workspace.jobs)) == before
    assert world.state.switch is None


def test_status_shows_the_state_while_the_workspace_does_not_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(world, "1.0")

    def down(*_: Any, **__: Any) -> Any:
        raise ServiceError("the workspace is away")

    for name in ("get_job", "list", "export_file", "list_jobs"):
        monkeypatch.setattr(world.workspace, name, down)
    data = status.describe(world.session("status"))
    assert data["jobs"]["score"]["there"] is None
    text = status.as_text(json.loads(json.dumps(data)))
    assert "live is 1.0 in blue" in text
    assert "what slots and jobs are now: the workspace is away" in text
    assert "is gone" not in text and "by hand;" not in text
    with pytest.raises(ServiceError, match="is away"):
        status.show(world.session("status"))
