"""After a switch: first runs are looked at, and too many failures are reported or rolled back, once."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from slipway.domain.watch import GRACE
from slipway.errors import AuthenticationError, WatchBreached
from slipway.steps import status, watch_release
from tests.unit.steps.conftest import World
from tests.unit.steps.fakes import Crash

HOUR = 3600.0
ROOT = "/Workspace/Slipway/bikeshare/prod"
IDS = itertools.count(1)


def configure(world: World, **policy: Any) -> None:
    path = world.root / "config" / "environments" / f"{world.name}.yml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    values["watch"] = {"hours": 26, "max_failures": 0, "on_breach": "rollback", **policy}
    path.write_text(yaml.safe_dump(values), encoding="utf-8")


def deploy(world: World, version: str) -> None:
    world.change_notebook(f"text of {version}")
    world.deploy(version)
    world.time += 60


@pytest.fixture
def watched(world: World) -> World:
    """0.9 was live, then 1.0 in green; 1.1 is live in blue, and watched."""
    configure(world)
    for version in ("0.9", "1.0", "1.1"):
        deploy(world, version)
    return world


def run(world: World, key: str = "score", result: str = "FAILED", *slots: str, ago: float = 0.0, **more: Any) -> int:
    """A run of a job that began `ago` seconds ago, by default in the live slot; "" is one that goes on."""
    number = next(IDS)
    state = {"life_cycle_state": "TERMINATED", "result_state": result} if result else {"life_cycle_state": "RUNNING"}
    tasks = [
        {
            "run_id": number * 10 + i,
            "notebook_task": {"notebook_path": f"{ROOT}/{slot}/notebooks/{key}"},
            "state": state,
        }
        for i, slot in enumerate(slots or [world.state.live])
    ]
    data = {
        "run_id": number,
        "job_id": world.state.jobs[key].id,
        "start_time": int((world.time - ago) * 1000),
        "run_page_url": f"https://adb/#job/run/{number}",
        "state": state,
        "tasks": tasks,
        **more,
    }
    (world.workspace.ended if result else world.workspace.active).append(data)
    return number


def history(world: World) -> list[tuple[str, str]]:
    return [(entry.version, entry.outcome) for entry in world.state.history]


def told(world: World) -> list[tuple[str, str]]:
    return [(each.action, each.result) for each in world.audit.rows if each.action in ("watch", "rollback")]


def said(world: World) -> str:
    text = world.output.getvalue()
    world.output.truncate(0)
    world.output.seek(0)
    return text


def test_a_switch_leaves_a_watch_and_a_look_writes_nothing(watched: World) -> None:
    watch = watched.state.watch
    assert (watch.release, watch.slot, watch.until - watch.since) == ("1.1", "blue", 26 * HOUR)
    assert {job.key for job in watch.jobs} == {"score", "train"}
    run(watched, "train", "SUCCESS")
    before = len(watched.changes.log)
    said(watched)
    watched.watch()
    assert len(watched.changes.log) == before
    text = said(watched)
    assert "job score: no run yet" in text and "job train: succeeded https://adb/#job/run/" in text
    assert "1 without a run" in text and "watched until" in text
    assert "watch: over 1.1" in status.as_text(status.describe(watched.session("status")))


def test_a_first_run_that_fails_takes_the_release_back(watched: World) -> None:
    number = run(watched)
    watched.workspace.errors[number * 10] = "ValueError: no rows"
    with pytest.raises(WatchBreached, match="It was rolled back") as breach:
        watched.watch()
    assert breach.value.exit_code == 10 and "job score" in breach.value.what
    assert f"job/run/{number}: ValueError: no rows" in said(watched)
    state = watched.state
    assert (state.live, state.watch, state.claim, state.switch) == ("green", None, None, None)
    assert history(watched) == [("0.9", "stable"), ("1.0", "live"), ("1.1", "rolled_back")]
    assert set(watched.slots_of_jobs().values()) == {"green"}
    assert told(watched)[-3:] == [("watch", "breached"), ("rollback", "opened"), ("rollback", "done")]
    watched.watch()
    assert "No release is being watched" in said(watched)


def test_up_to_max_failures_it_goes_on(world: World) -> None:
    configure(world, max_failures=1)
    for version in ("1.0", "1.1"):
        deploy(world, version)
    run(world, "score")
    world.watch()
    run(world, "train", "TIMEDOUT")
    with pytest.raises(WatchBreached):
        world.watch()


def test_what_failed_before_is_no_failure_of_the_release(watched: World) -> None:
    run(watched, "score", "FAILED", "green", ago=2000)
    run(watched, "score", "CANCELED", "green", ago=1500)
    run(watched, "score", "FAILED")
    watched.watch()
    assert "job score: failed, as before the switch" in said(watched)
    assert watched.state.watch.breached is None


@pytest.mark.parametrize(
    ("result", "slots", "ago"),
    [
        ("CANCELED", ["blue"], 0),
        ("FAILED", ["green"], 0),  # it began just before its job was repointed
        ("FAILED", ["green", "blue"], 0),  # and was repaired after that
        ("FAILED", ["green", "blue"], 5000),
        ("FAILED", ["blue"], 5000),  # of the release that was in this slot before
        ("", ["blue"], 0),
    ],
)
def test_what_is_no_failed_first_run(watched: World, result: str, slots: list[str], ago: float) -> None:
    run(watched, "score", result, *slots, ago=ago)
    watched.watch()
    assert watched.state.watch.breached is None and watched.state.live == "blue"


def test_the_first_run_with_a_result_decides(watched: World) -> None:
    run(watched, "score", "CANCELED", ago=30)
    run(watched, "score", "SUCCESS", ago=20)
    run(watched, "score", "FAILED", ago=10)
    run(watched, "score", "", ago=5)
    watched.watch()
    assert "job score: succeeded" in said(watched)


def test_a_run_that_the_switch_caught_on_the_way_counts(watched: World) -> None:
    """The job was repointed, and the switch had not ended yet."""
    watch = watched.state.watch
    run(watched, "score", "FAILED", ago=watched.time - (watch.published + watch.since) / 2)
    with pytest.raises(WatchBreached):
        watched.watch()


def test_a_frozen_environment_is_only_reported_on(watched: World) -> None:
    watched.freeze("year end")
    run(watched)
    with pytest.raises(WatchBreached, match="is frozen by ada") as breach:
        watched.watch()
    assert "Nothing was rolled back" in breach.value.changed
    assert watched.state.live == "blue"
    watched.unfreeze()
    with pytest.raises(WatchBreached, match="It was rolled back"):
        watched.watch()
    assert watched.state.live == "green"
    assert [row for row in told(watched) if row == ("watch", "breached")] == [("watch", "breached")]


def test_report_tells_it_once_to_the_audit_and_each_time_to_people(world: World) -> None:
    configure(world, on_breach="report")
    for version in ("1.0", "1.1"):
        deploy(world, version)
    run(world)
    for _ in range(2):
        with pytest.raises(WatchBreached, match=r"--end accepts"):
            world.watch()
    assert told(world) == [("watch", "breached")]
    assert ", breached since" in status.as_text(status.describe(world.session("status")))
    world.workspace.ended[-1]["state"]["result_state"] = "SUCCESS"  # repaired
    world.watch()
    assert world.state.watch.breached is None and world.state.live == "green"
    world.workspace.ended[-1]["state"]["result_state"] = "FAILED"
    world.watch(end=True)
    assert world.state.watch is None
    assert told(world) == [("watch", "breached"), ("watch", "breach ended"), ("watch", "ended")]


def test_what_if_and_report_change_nothing(watched: World) -> None:
    run(watched)
    before = len(watched.changes.log)
    with pytest.raises(WatchBreached, match="only a report was asked for"):
        watched.watch(what_if=True)
    watched.watch(what_if=True, end=True)
    assert len(watched.changes.log) == before
    with pytest.raises(WatchBreached, match="only a report was asked for"):
        watched.watch(report=True)
    assert watched.state.live == "blue"


def test_when_its_time_is_over_it_says_how_it_went(watched: World) -> None:
    run(watched, "score", "SUCCESS")
    watched.time = watched.state.watch.until + 100
    run(watched, "train", "FAILED")  # too late to be this release's first run
    watched.watch()
    assert "is over: 1 succeeded, 1 without a run (of 2 jobs and pipelines)." in said(watched)
    assert watched.state.watch is None
    assert told(watched) == [("watch", "ended")]


@pytest.mark.parametrize(("late", "live"), [(GRACE - 60, "green"), (GRACE + 60, "blue")])
def test_a_look_that_comes_late(watched: World, late: float, live: str) -> None:
    """The schedule was off for some time."""
    run(watched)
    watched.time = watched.state.watch.until + late
    with pytest.raises(WatchBreached):
        watched.watch()
    assert (watched.state.live, watched.state.watch) == (live, None)


def test_the_first_release_has_nothing_to_go_back_to(world: World) -> None:
    configure(world)
    deploy(world, "1.0")
    run(world)
    with pytest.raises(WatchBreached, match="no stable release came before"):
        world.watch()
    assert world.state.live == "blue" and world.state.watch.breached is not None


def test_a_next_switch_and_a_rollback_end_the_watch(watched: World) -> None:
    deploy(watched, "1.2")
    assert watched.state.watch.release == "1.2"
    watched.rollback()
    assert watched.state.watch is None
    configure(watched, hours=0)
    deploy(watched, "1.3")
    assert watched.state.watch is None


def test_somebody_who_was_faster_is_not_rolled_back_over(watched: World) -> None:
    run(watched)
    session = watched.session("watch")

    def meanwhile(task_run_id: int) -> dict[str, Any]:
        watched.rollback()
        return {}

    watched.workspace.get_run_output = meanwhile  # type: ignore[method-assign]
    with pytest.raises(WatchBreached):
        watch_release.watch_release(session)
    assert history(watched)[:2] == [("0.9", "stable"), ("1.0", "live")]
    assert watched.state.claim is None


@pytest.mark.parametrize("after", [False, True])
def test_an_agent_that_dies_anywhere_rolls_back_once(watched: World, after: bool) -> None:
    run(watched)
    base = len(watched.changes.log)
    store, workspace = watched.store, watched.workspace
    blobs, etags, jobs = dict(store.blobs), dict(store.etags), dict(workspace.jobs)
    for at in range(60):
        store.blobs, store.etags, workspace.jobs = dict(blobs), dict(etags), dict(jobs)
        watched.changes.stop_at, watched.changes.after = base + at, after
        del watched.changes.log[base:]
        try:
            watched.watch()
        except Crash:
            pass
        except WatchBreached:
            break
        watched.changes.revive()
        watched.time += 2 * HOUR  # its claim ends
        watched.revert(if_free=True)
        for _ in range(2):
            try:
                watched.watch()
            except WatchBreached as breach:
                assert "It was rolled back" in breach.what
        state = watched.state
        assert (state.live, state.watch, state.switch, state.claim) == ("green", None, None, None), at
        assert history(watched) == [("0.9", "stable"), ("1.0", "live"), ("1.1", "rolled_back")], at
        watched.time -= 2 * HOUR
    else:
        pytest.fail("it was never run to its end")
    assert at > 5


def test_a_job_that_may_not_be_looked_at_is_named(watched: World) -> None:
    def refused(
        active_only: bool = True, job_id: int | None = None, expand_tasks: bool = False
    ) -> Iterator[dict[str, Any]]:
        raise AuthenticationError("no right to see it")
        yield {}

    watched.workspace.list_runs = refused  # type: ignore[method-assign]
    watched.watch()
    assert "warning: job score: not known: no right to see it" in said(watched)


def test_it_looks_no_further_back_than_it_must(watched: World) -> None:
    for ago in range(5000, 5400, 2):
        run(watched, "score", "SUCCESS", "blue", ago=ago)
        run(watched, "train", "CANCELED", "blue", ago=ago)
    watched.workspace.listed = 0
    watched.watch()
    assert watched.workspace.listed == 1 + 20


def test_it_waits_for_what_the_switch_restarted(world: World) -> None:
    configure(world)
    path = world.root / "config" / "jobs" / "score.json"
    definition = json.loads(path.read_text())
    del definition["schedule"]
    definition |= {"continuous": {"pause_status": "UNPAUSED"}, "slipway": {"on_switch": "restart"}}
    path.write_text(json.dumps(definition))
    deploy(world, "1.0")
    assert [job.restarted for job in world.state.watch.jobs] == [True, False]
    waits: list[float] = []
    world.on_sleep = [lambda: waits.append(world.time), lambda: len(waits) == 3 and run(world, "score", "")]
    world.watch(settle=10.0)
    assert len(waits) == 3 and "job score: running" in said(world)
    world.workspace.active.clear()
    before = world.time
    world.on_sleep = []
    world.watch(settle=10.0)
    assert 600 <= world.time - before < 620


def test_an_expired_claim_is_taken_out(watched: World) -> None:
    watched.session("9.9").take_claim()
    said(watched)
    watched.variables["USER"] = "grace"
    watched.revert(if_free=True)
    assert watched.state.claim is not None
    watched.time += 2 * HOUR
    watched.revert(if_free=True, what_if=True)
    assert watched.state.claim is not None
    watched.revert(if_free=True)
    assert watched.state.claim is None
    assert "ada is releasing 9.9" in said(watched)
    assert [(r.action, r.result, r.release) for r in watched.audit.rows][-1] == ("claim", "expired", "9.9")
