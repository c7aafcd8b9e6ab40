"""What on call meets: an open switch, a version to choose, runs that somebody may repair."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slipway.domain.archive import SWITCHES
from slipway.errors import NotPossible, ServiceError
from slipway.steps import reach
from tests.unit.steps.conftest import World
from tests.unit.steps.fakes import Crash
from tests.unit.steps.test_crash_safety import copied
from tests.unit.steps.test_rollback import deploy, live_text, pauses


def cut(world: World, step: Any, when: str, after: int = 0) -> None:
    """Ends the process at the first change that begins with `when`, so many changes later."""
    before = len(world.changes.log)
    probe = [at for at, line in enumerate(dry(world, step)) if line.startswith(when)][after]
    world.changes.stop_at = before + probe
    with pytest.raises(Crash):
        step(world)
    world.changes.revive()


def dry(world: World, step: Any) -> list[str]:
    """What the step would change, told by a copy of the world."""
    other = copied(world)
    step(other)
    return other.changes.log


def switch(world: World) -> None:
    world.switch()


def roll_back(world: World) -> None:
    world.rollback()


@pytest.fixture
def half_switched(world: World) -> World:
    """1.0 and 1.1 were released; the switch to 1.2 is half done."""
    deploy(world, "1.0")
    deploy(world, "1.1")
    world.change_notebook("text of 1.2")
    assert world.build("1.2") == 0
    world.publish()
    world.test()
    cut(world, switch, "reset", 1)
    assert world.state.switch.version == "1.2"
    assert len(set(world.slots_of_jobs().values())) == 2
    return world


@pytest.fixture
def half_back(world: World) -> World:
    """1.0, 1.1 and 1.2 were released; the rollback from 1.2 to 1.1 is half done."""
    for version in ("1.0", "1.1", "1.2"):
        deploy(world, version)
    cut(world, roll_back, "reset", 1)
    assert (world.state.switch.kind, world.state.switch.version) == ("rollback", "1.1")
    return world


def is_live(world: World, version: str) -> bool:
    state = world.state
    tags = {job["tags"]["slipway_version"] for job in world.jobs().values()}
    slots = set(world.slots_of_jobs().values())
    assert (state.switch, state.claim) == (None, None)
    assert slots == {state.live}
    assert f"text of {version}" in live_text(world)
    return (state.live_entry.version, tags) == (version, {version})


def test_an_open_release_is_taken_back_and_that_was_the_way_back(half_switched: World) -> None:
    half_switched.rollback()
    assert is_live(half_switched, "1.1")
    assert "which was the way back from it" in half_switched.output.getvalue()


def test_an_open_release_is_taken_back_and_then_it_goes_to_the_version_asked_for(half_switched: World) -> None:
    half_switched.rollback(to="1.0")
    assert is_live(half_switched, "1.0")


def test_an_open_release_is_taken_back_to_the_version_asked_for(half_switched: World) -> None:
    half_switched.rollback(to="1.1")
    assert is_live(half_switched, "1.1")
    assert "nothing to go back to" in half_switched.output.getvalue()


def test_an_open_release_is_taken_back_before_an_unknown_version_is_refused(half_switched: World) -> None:
    with pytest.raises(NotPossible, match=r"9\.9 can"):
        half_switched.rollback(to="9.9")
    assert is_live(half_switched, "1.1")


@pytest.mark.parametrize("to", [None, "1.1"])
def test_an_open_rollback_is_gone_on_with(half_back: World, to: str | None) -> None:
    half_back.rollback(to=to)
    assert is_live(half_back, "1.1")
    assert "going on with it" in half_back.output.getvalue()


def test_an_open_rollback_to_another_version_is_taken_back_first(half_back: World) -> None:
    half_back.rollback(to="1.0")
    assert is_live(half_back, "1.0")


def test_a_rollback_that_failed_and_is_half_taken_back_is_tried_again(world: World) -> None:
    for version in ("1.0", "1.1", "1.2"):
        deploy(world, version)
    second = max(world.workspace.jobs)
    world.changes.refuse = lambda what: what == f"reset {second}" or what.startswith("put archive/switches")
    with pytest.raises(ServiceError) as failed:
        world.rollback()
    assert "taking it back failed as well" in failed.value.changed
    assert world.state.switch.direction == "back"
    world.changes.refuse = lambda _: False
    world.rollback()
    assert is_live(world, "1.1")


def test_what_would_be_done_with_an_open_switch_is_said(half_switched: World) -> None:
    before = json.dumps(half_switched.workspace.jobs)
    half_switched.rollback(what_if=True)
    half_switched.rollback(to="1.0", what_if=True)
    text = half_switched.output.getvalue()
    assert "Would first take back the open switch to 1.2" in text
    assert "nothing more would be done" in text
    assert "Would go back to 1.0" in text
    assert json.dumps(half_switched.workspace.jobs) == before


def test_what_is_live_already_is_no_failure(world: World) -> None:
    deploy(world, "1.0")
    deploy(world, "1.1")
    world.rollback(to="1.1")
    assert is_live(world, "1.1")


def listed(world: World) -> dict[str, dict[str, Any]]:
    session = world.session("rollback")
    session.load()
    before = len(world.changes.log)
    found = reach.as_data(session, reach.places(session))
    assert len(world.changes.log) == before
    return {place["version"]: place for place in json.loads(json.dumps(found))["versions"]}


def test_the_versions_that_can_be_reached_are_listed(world: World) -> None:
    for version in ("1.0", "1.1", "1.2"):
        deploy(world, version)
    found = listed(world)
    assert {version: place["how"] for version, place in found.items()} == {
        "1.2": None,
        "1.1": "switch",
        "1.0": "archive",
    }
    assert list(found) == ["1.2", "1.1", "1.0"]
    assert found["1.2"]["outcome"] == "live"
    reach.show(world.session("rollback"))
    assert "published again from the archive" in world.output.getvalue()


def test_what_can_not_be_reached_is_listed_with_the_reason(world: World) -> None:
    for version in ("1.0", "1.1", "1.2"):
        deploy(world, version)
    world.change_notebook("text of 1.3")
    assert world.build("1.3") == 0
    world.publish()
    blobs = world.store.blobs
    settings = next(entry.settings for entry in world.state.history if entry.version == "1.1")
    del blobs[settings]
    for name in [n for n, data in blobs.items() if n.startswith("archive/files/") and b"text of 1.0" in data]:
        del blobs[name]
    found = listed(world)
    assert found["1.3"]["reason"].startswith("never live here")
    assert "jobs' settings" in found["1.1"]["reason"]
    assert "lacks 1 of its files (notebooks/score)" in found["1.0"]["reason"]
    assert {place["how"] for place in found.values()} == {None}


def failed_run(world: World, key: str, **more: Any) -> dict[str, Any]:
    begun = (world.time - 3600) * 1000
    state = {"life_cycle_state": "TERMINATED", "result_state": "FAILED"}
    return {"run_id": 7, "job_id": world.state.jobs[key].id, "start_time": begun, "state": state, **more}


def test_a_repair_would_run_other_settings_and_that_is_said(world: World) -> None:
    deploy(world, "1.0")
    deploy(world, "1.1")
    world.workspace.ended = [
        failed_run(world, "score", run_page_url="https://adb/run/7", end_time=world.time * 1000),
        failed_run(world, "train", run_id=8, state={"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}),
        failed_run(world, "train", run_id=9, start_time=(world.time - 90_000) * 1000),
        failed_run(world, "train", run_id=10, state={"life_cycle_state": "SKIPPED"}),
    ]
    world.output.truncate(0)
    world.rollback()
    text = world.output.getvalue()
    assert "A repair of a run that failed before would now run the settings of 1.0" in text
    assert "run 7 (score), FAILED since 2027-01-15" in text
    assert "https://adb/run/7" in text
    assert not [number for number in (8, 9, 10) if f"run {number} " in text]


def test_failed_runs_that_can_not_be_asked_for_stop_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(world, "1.0")
    deploy(world, "1.1")

    def refused(job_id: int, since: float) -> Any:
        raise ServiceError("no")

    monkeypatch.setattr(world.workspace, "ended_runs", refused)
    world.rollback()
    assert is_live(world, "1.0")


@pytest.mark.parametrize("end", ["revert", "finish", "rollback", "publish"])
@pytest.mark.parametrize("after", [0, 1])
def test_paused_by_hand_while_a_switch_is_open_it_stays_paused(world: World, end: str, after: int) -> None:
    """The agent died in the middle; on call pauses the jobs in the workspace; then the switch is ended."""
    candidate(world)
    cut(world, switch, "reset", after)
    for settings in world.jobs().values():
        settings["schedule"]["pause_status"] = "PAUSED"
    world.time += 4000
    {"revert": world.revert, "finish": world.switch, "rollback": world.rollback, "publish": world.publish}[end]()
    assert pauses(world) == {"score": "PAUSED", "train": "PAUSED"}
    assert "job train: pause_status was set to UNPAUSED, is PAUSED; it is left so" in world.output.getvalue()


def test_a_job_that_leaves_and_was_paused_meanwhile_comes_back_paused(world: World) -> None:
    deploy(world, "1.0")
    (world.root / "config" / "jobs" / "train.json").unlink()
    candidate(world)
    cut(world, switch, "reset")
    assert pauses(world)["train"] == "UNPAUSED"
    world.jobs()["train"]["schedule"]["pause_status"] = "PAUSED"
    world.switch()
    world.rollback()
    assert pauses(world) == {"score": "UNPAUSED", "train": "PAUSED"}


def test_what_the_switch_paused_was_not_paused_by_hand(world: World) -> None:
    """Both a new job and one that leaves are paused for a while by the switch itself."""
    text = (world.root / "config" / "jobs" / "train.json").read_text()
    deploy(world, "1.0")
    (world.root / "config" / "jobs" / "train.json").unlink()
    (world.root / "config" / "jobs" / "extra.json").write_text(text.replace(": train", ": extra"))
    candidate(world)
    cut(world, switch, "put archive/switches")
    other = copied(world)
    other.switch()
    assert pauses(other) == {"extra": "UNPAUSED", "score": "UNPAUSED", "train": "PAUSED"}
    world.revert()
    assert pauses(world) == {"extra": "PAUSED", "score": "UNPAUSED", "train": "UNPAUSED"}
    assert "Changed while" not in world.output.getvalue() + other.output.getvalue()


@pytest.mark.parametrize("end", ["revert", "finish"])
@pytest.mark.parametrize("after", [0, 1])
def test_a_schedule_made_while_a_switch_is_open_stays(world: World, end: str, after: int) -> None:
    candidate(world)
    cut(world, switch, "reset", after)
    for settings in world.jobs().values():
        settings["schedule"]["quartz_cron_expression"] = "0 0 7 * * ?"
    {"revert": world.revert, "finish": world.switch}[end]()
    assert {job["schedule"]["quartz_cron_expression"] for job in world.jobs().values()} == {"0 0 7 * * ?"}
    assert pauses(world) == {"score": "UNPAUSED", "train": "UNPAUSED"}


def test_another_setting_changed_while_a_switch_is_open_is_told(world: World) -> None:
    candidate(world)
    cut(world, switch, "reset", 1)  # score is set, train is not
    world.jobs()["train"]["job_clusters"][0]["new_cluster"]["num_workers"] = 77
    world.revert()
    line = "job_clusters[small].new_cluster.num_workers: was set to 1, is 77; it is set again"
    assert line in world.output.getvalue()
    assert any(line.encode() in data for name, data in world.store.blobs.items() if name.startswith(SWITCHES))


def candidate(world: World) -> None:
    """1.0 is live, 1.1 is ready."""
    if world.state.live is None:
        deploy(world, "1.0")
    world.change_notebook("text of 1.1")
    assert world.build("1.1") == 0
    world.publish()
    world.test()


def test_where_only_a_version_by_name_is_left_that_is_said(world: World) -> None:
    deploy(world, "1.0")
    with pytest.raises(NotPossible, match="no stable release") as refused:
        world.rollback()
    assert "--to" not in refused.value.next_step
    deploy(world, "1.1")
    world.rollback()
    with pytest.raises(NotPossible, match="no stable release") as refused:
        world.rollback()
    assert "--to VERSION; --list says which" in refused.value.next_step
    world.rollback(to="1.1")
    assert is_live(world, "1.1")
