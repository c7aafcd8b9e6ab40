"""Before a slot is overwritten: which runs still read from it, how they are waited for, and what can't be known."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.domain.job import jobs_started_by, reads_from
from slipway.errors import AuthenticationError, Conflict
from tests.unit.steps.conftest import World

BLUE = "/Workspace/Slipway/bikeshare/prod/blue"


@pytest.mark.parametrize(
    "task",
    [
        {"notebook_task": {"notebook_path": f"{BLUE}/notebooks/score"}},
        {"notebook_task": {"notebook_path": "/Slipway/bikeshare/prod/blue/notebooks/score"}},
        {"for_each_task": {"task": {"notebook_task": {"notebook_path": f"{BLUE}/notebooks/score"}}}},
        {"libraries": [{"whl": f"{BLUE}/library/sample.whl"}]},
        {"spark_python_task": {"python_file": f"{BLUE}/library/main.py"}},
        {"spark_python_task": {"python_file": f"file:{BLUE}/library/main.py"}},
        {"spark_python_task": {"python_file": f"file://{BLUE}/library/main.py"}},
        {"spark_python_task": {"python_file": "/x.py", "parameters": [f"--config={BLUE}/config/environment.json"]}},
        {"notebook_task": {"notebook_path": "/x", "base_parameters": {"slot": BLUE}}},
        {"environment": {"spec": {"dependencies": [f"{BLUE}/library/sample.whl"]}}},
    ],
)
def test_every_way_to_read_from_a_slot(task: dict[str, Any]) -> None:
    assert reads_from({"tasks": [{"task_key": "other"}, task]}, BLUE)


@pytest.mark.parametrize(
    "path",
    [
        "/Workspace/Slipway/bikeshare/prod/green/notebooks/score",
        f"{BLUE}-old/notebooks/score",
        f"{BLUE}.bak/x",
        "/Users/ada/Slipway/bikeshare/prod/blue/notebooks/score",
        "Slipway/bikeshare/prod/blue",
    ],
)
def test_what_is_not_in_the_slot(path: str) -> None:
    assert not reads_from({"tasks": [{"notebook_task": {"notebook_path": path}}]}, BLUE)


def test_jobs_that_a_job_starts_are_found_at_any_depth() -> None:
    inner = {"for_each_task": {"task": {"run_job_task": {"job_id": "7"}}}}
    assert jobs_started_by({"tasks": [{"run_job_task": {"job_id": 5}}, inner, {"run_job_task": {}}]}) == {5, 7}


def run(run_id: int = 7, path: str = f"{BLUE}/notebooks/score", **more: Any) -> dict[str, Any]:
    tasks = [{"task_key": "main", "notebook_task": {"notebook_path": path}}]
    return {
        "run_id": run_id,
        "run_name": "score",
        "job_id": 12,
        "start_time": 1_799_990_000_000,
        "run_page_url": "https://adb/run/7",
        "state": {"life_cycle_state": "RUNNING"},
        "tasks": tasks,
        **more,
    }


@pytest.fixture
def ready(world: World) -> World:
    """1.1 is live in green, 1.2 is built and goes to blue."""
    world.deploy("1.0")
    world.deploy("1.1")
    world.change_notebook("new")
    assert world.build("1.2") == 0
    return world


def said(world: World) -> str:
    return world.output.getvalue()


def test_waiting_is_told_now_and_then_with_the_time_that_is_left(ready: World) -> None:
    ready.workspace.active = [run(), run(8)]
    with pytest.raises(Conflict):
        ready.publish(wait_for_runs=30.0)
    lines = [line for line in said(ready).splitlines() if "Waiting, " in line]
    assert "30 minutes at most, for run 7" in lines[0]
    assert "and 1 more" in lines[0]
    assert 12 <= len(lines) <= 17, lines
    left = [int(line.split("Waiting, ")[1].split(" ")[0]) for line in lines if "minutes at most" in line]
    assert left == sorted(left, reverse=True)


def test_a_change_in_what_is_waited_for_is_told_at_once(ready: World) -> None:
    ready.workspace.active = [run(), run(8)]
    sleeps: list[int] = []

    def less() -> None:
        sleeps.append(1)
        del ready.workspace.active[:1]

    ready.on_sleep.append(less)
    ready.publish()
    lines = [line for line in said(ready).splitlines() if "Waiting, " in line]
    assert [("run 7" in line, "run 8" in line) for line in lines] == [(True, False), (False, True)]
    assert len(sleeps) == 2


def test_the_list_says_run_job_since_when_and_where(ready: World) -> None:
    submitted = run(9, job_id=9, run_name="ADF_slipway_daily_score")
    ready.workspace.active = [run(trigger="CONTINUOUS"), submitted]
    with pytest.raises(Conflict) as caught:
        ready.publish(wait_for_runs=0.0)
    listed = caught.value.what
    assert "run 7 (score of job 12) RUNNING since 2027-01-15 05:13 UTC https://adb/run/7" in listed
    assert "run 9 (ADF_slipway_daily_score) RUNNING" in listed
    assert "continuous job does not end by itself" in caught.value.next_step


def test_a_run_that_starts_a_job_which_reads_from_the_slot_is_waited_for(ready: World) -> None:
    jobs = ready.workspace.jobs
    jobs[500] = {"name": "middle", "tasks": [{"run_job_task": {"job_id": 501}}]}
    jobs[501] = {"name": "end", "tasks": [{"run_job_task": {"job_id": 500}}, *run()["tasks"]]}
    ready.workspace.active = [run(7, tasks=[{"task_key": "main", "run_job_task": {"job_id": 500}}])]
    with pytest.raises(Conflict, match="run 7"):
        ready.publish(wait_for_runs=0.0)
    jobs[501]["tasks"].pop()
    ready.publish(wait_for_runs=0.0)


def test_a_job_that_a_run_starts_and_that_may_not_be_seen_stops_the_release(
    ready: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.workspace.active = [run(7, tasks=[{"task_key": "main", "run_job_task": {"job_id": 999}}])]
    real = ready.workspace.get_job

    def refusing(job_id: int) -> dict[str, Any] | None:
        if job_id == 999:
            raise AuthenticationError("no View permission on job 999")
        return real(job_id)

    monkeypatch.setattr(ready.workspace, "get_job", refusing)
    with pytest.raises(Conflict, match="starts job 999"):
        ready.publish()


def test_an_identity_that_sees_not_all_runs_says_that_nothing_is_proven(ready: World) -> None:
    ready.workspace.groups = ["users", "data admins"]
    ready.publish()
    assert "It can't be proven that no run reads from" in said(ready)


def test_an_admin_sees_all_and_needs_no_word(ready: World) -> None:
    ready.publish()
    assert "can't be proven" not in said(ready)


def test_where_nothing_may_be_left_unproven_the_slot_is_not_touched(ready: World) -> None:
    path = ready.root / "config" / "environments" / "prod.yml"
    path.write_text(path.read_text() + "\ndrain:\n  unseen_runs: stop\n")
    assert ready.build("1.2") == 0
    ready.workspace.groups = ["users"]
    before = dict(ready.slot_objects("blue"))
    with pytest.raises(Conflict, match="can't be proven") as caught:
        ready.publish()
    assert "drain.unseen_runs" in caught.value.next_step
    assert ready.slot_objects("blue") == before


def test_an_empty_slot_needs_no_proof(world: World) -> None:
    path = world.root / "config" / "environments" / "prod.yml"
    path.write_text(path.read_text() + "\ndrain:\n  unseen_runs: stop\n")
    world.workspace.groups = ["users"]
    assert world.build("1.0") == 0
    world.publish()
    assert world.state.slots["blue"].complete


def test_a_limit_that_is_no_number_ends_the_waiting(ready: World) -> None:
    ready.workspace.active = [run()]
    with pytest.raises(Conflict, match="still read from"):
        ready.publish(wait_for_runs=float("nan"))


@pytest.mark.parametrize("left", [False, True])
def test_what_comes_after_the_run_of_a_continuous_job_is_said(world: World, left: bool) -> None:
    world.deploy("1.0")
    job_id = world.state.jobs["train"].id
    if left:
        (world.root / "config" / "jobs" / "train.json").unlink()
    world.change_notebook("1.1")
    world.deploy("1.1")
    world.change_notebook("1.2")
    assert world.build("1.2") == 0
    world.workspace.active = [run(trigger="CONTINUOUS", job_id=job_id)]
    with pytest.raises(Conflict) as refused:
        world.publish()
    assert "does not end by itself: cancel it." in refused.value.next_step
    assert ("The next reads from the live slot." in refused.value.next_step) is not left
    assert ("none comes after it" in refused.value.next_step) is left
