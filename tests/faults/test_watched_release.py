"""A release that is watched, in front of the real stand-ins: its first runs really run, and what fails is rolled back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.databricks.authentication import DATABRICKS_APPLICATION
from tests.faults.big_cloud import BigCloud, Objects
from tests.faults.cloud import LIMIT_SECONDS, Memory
from tests.faults.project import NAME

pytestmark = pytest.mark.faults

JOBS = ("score", "train")
ENDED = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")


def factory(value: str) -> Objects:
    """A pipeline that ends well where `value` is an expression that has a value."""
    variable = {"name": "Set", "type": "SetVariable", "typeProperties": {"variableName": "x", "value": value}}
    child = {"activities": [variable], "variables": {"x": {"type": "String"}}, "annotations": []}
    call = {"pipeline": {"referenceName": "child", "type": "PipelineReference"}, "waitOnCompletion": True}
    activity = {"name": "Call", "type": "ExecutePipeline", "typeProperties": call}
    return {"pipelines/child": child, "pipelines/daily": {"activities": [activity], "annotations": []}}


GOOD, BAD = factory("fine"), factory("@string(div(1, 0))")


class WatchedCloud(BigCloud):
    """An environment whose watch rolls back; with jobs that people start, and a factory."""

    def make_project(self, root: Path) -> Path:
        super().make_project(root)
        path = root / "config" / "environments" / f"{NAME}.yml"
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        values |= {"watch": {"hours": 4, "on_breach": "rollback"}, "jobs": {"schedules": "paused"}}
        values["data_factory"]["delete_removed"] = False
        path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
        return root

    def ask(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """A request to the workspace, as somebody makes it who looks after the jobs."""
        url = f"https://{self._host}/api/2.2/jobs/{path}"
        answer: dict[str, Any] = self._as_admin(DATABRICKS_APPLICATION, method, url, **body).json()
        return answer

    def run_job(self, key: str) -> int:
        """Starts a job and waits for its end."""
        run_id = int(self.ask("POST", "run-now", json={"job_id": self.job_id(key)})["run_id"])
        self.wait(run_id)
        return run_id

    def wait(self, run_id: int) -> None:
        end = time.monotonic() + LIMIT_SECONDS
        while self.ask("GET", "runs/get", params={"run_id": run_id})["state"]["life_cycle_state"] not in ENDED:
            assert time.monotonic() < end, "the run does not end"

    def repair(self, run_id: int) -> None:
        self.ask("POST", "runs/repair", json={"run_id": run_id, "rerun_tasks": ["main"]})
        self.wait(run_id)

    def copies(self, run_id: int, count: int, **changed: Any) -> None:
        """As many runs more, each a second younger than the one before."""
        workspace = self._server.azure.workspaces.get(self._host)
        assert workspace is not None

        def make() -> None:
            run = workspace.runs.get(run_id)
            assert run is not None
            for number in range(1, count + 1):
                own = {"run_id": run_id * 10_000 + number, "start_time": run["start_time"] + 1000 * number}
                workspace.runs.keep({**run, **own, "tasks": [{**task, **own} for task in run["tasks"]], **changed})

        self._server.call(make)

    def run_pipeline(self, name: str) -> None:
        """Starts a pipeline of the factory by hand and waits for its end."""
        azure = self.environment.azure
        url = (
            f"https://management.azure.com/subscriptions/{azure.subscription_id}/resourceGroups/{azure.resource_group}"
        )
        url += f"/providers/Microsoft.DataFactory/factories/{self.environment.resources.data_factory}"
        audience, version = "https://management.azure.com/", {"api-version": "2018-06-01"}
        made = self._as_admin(audience, "POST", f"{url}/pipelines/{name}/createRun", params=version, json={}).json()
        end = time.monotonic() + LIMIT_SECONDS
        run = f"{url}/pipelineruns/{made['runId']}"
        while self._as_admin(audience, "GET", run, params=version).json()["status"] in ("Queued", "InProgress"):
            assert time.monotonic() < end, "the run does not end"


@dataclass(frozen=True)
class Watched:
    cloud: WatchedCloud
    before: Memory
    """1.0 is live in blue; 1.1, whose scoring is broken, and so is its pipeline, is tested in green."""
    after: Memory
    """1.1 is live and watched."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with pytest.MonkeyPatch.context() as patch, WatchedCloud(tmp_path_factory.mktemp("watched"), patch) as cloud:
        cloud.build_with("1.0", JOBS, GOOD)
        cloud.release("1.0")
        cloud.build_with("1.1-broken", JOBS, BAD)
        cloud.done("publish_slot", version="1.1-broken")
        cloud.done("run_integration_test", version="1.1-broken")
        before = cloud.remember()
        cloud.done("switch_slot", version="1.1-broken")
        yield Watched(cloud, before, cloud.remember())


@pytest.fixture
def watched(made: Watched) -> WatchedCloud:
    made.cloud.back_to(made.after)
    return made.cloud


def rolled_back(cloud: WatchedCloud) -> None:
    state = cloud.state
    assert (state.live, state.watch, state.switch, state.claim) == ("blue", None, None, None)
    assert [(entry.version, entry.outcome) for entry in state.history] == [
        ("1.0", "live"),
        ("1.1-broken", "rolled_back"),
    ]
    assert {slot for slot, _ in cloud.live_jobs().values()} == {"blue"}
    assert cloud.release_folder() == "blue"


def goes_on(cloud: WatchedCloud) -> None:
    state = cloud.state
    assert state.live == "green"
    assert state.watch is not None and state.watch.breached is None


def test_before_the_first_run_there_is_nothing_to_say(watched: WatchedCloud) -> None:
    state = watched.state
    said = watched.done("watch_release", run=2)
    for name in ("job score", "job train", "pipeline child", "pipeline daily"):
        assert f"{name}: no run yet" in said.text
    assert watched.state == state, "a look writes nothing"


def test_a_first_run_that_fails_takes_the_release_back(watched: WatchedCloud) -> None:
    watched.run_job("train")
    run_id = watched.run_job("score")
    said = watched.step("watch_release", run=2)
    assert said.code == 10, said.text
    assert "job train: succeeded" in said.text
    assert f"run/{run_id}: ValueError: it is broken" in said.text
    assert "It was rolled back" in said.text
    rolled_back(watched)
    assert "No release is being watched" in watched.done("watch_release", run=2).text


def test_a_pipeline_that_fails_counts_once_with_what_it_calls(watched: WatchedCloud) -> None:
    watched.run_pipeline("daily")
    said = watched.step("watch_release", run=2)
    assert said.code == 10, said.text
    assert "pipeline daily: failed https://adf.azure.com/" in said.text
    assert "1 first run failed, and not before" in said.text
    assert "pipeline child: no run yet" in said.text
    rolled_back(watched)


def test_a_pipeline_that_failed_before_is_no_failure_of_the_release(made: Watched) -> None:
    cloud = made.cloud
    cloud.back_to(made.before)
    cloud.done("switch_slot", version="1.1-broken")
    cloud.run_pipeline("daily")
    cloud.done("watch_release", "--end", run=2)
    cloud.rebuild("1.2-broken")
    cloud.release("1.2-broken")
    cloud.run_pipeline("daily")
    said = cloud.done("watch_release", run=2)
    assert "pipeline daily: failed, as before the switch" in said.text
    goes_on_with = cloud.state.watch
    assert goes_on_with is not None and goes_on_with.release == "1.2-broken"


def test_runs_of_the_release_before_say_nothing(made: Watched) -> None:
    """Also when they are repaired after the switch, with the settings of then."""
    cloud = made.cloud
    cloud.back_to(made.before)
    old = cloud.run_job("score")
    cloud.done("switch_slot", version="1.1-broken")
    cloud.repair(old)
    repaired = cloud.ask("GET", "runs/get", params={"run_id": old})
    assert repaired["state"]["result_state"] == "FAILED", "a repair takes the settings of now"
    said = cloud.done("watch_release", run=2)
    assert "job score: no run yet" in said.text
    goes_on(cloud)


def test_the_first_of_many_runs_is_found(watched: WatchedCloud) -> None:
    """Behind more than a page of the list."""
    first = watched.run_job("score")
    good = {"result": "SUCCESS", "phase": "TERMINATED"}
    watched.copies(first, 60, **good)
    said = watched.step("watch_release", "--report", run=2)
    assert said.code == 10
    assert f"run/{first}: " in said.text


def test_a_cancelled_run_is_no_failure(watched: WatchedCloud) -> None:
    run_id = watched.run_job("score")
    watched.copies(run_id, 1, result="CANCELED", phase="TERMINATED")
    watched.ask("POST", "runs/delete", json={"run_id": run_id})
    assert "job score: no run yet" in watched.done("watch_release", run=2).text
    goes_on(watched)


def test_a_freeze_holds_the_rollback_back(watched: WatchedCloud) -> None:
    watched.run_job("score")
    watched.done("freeze", "--message", "year end", run=3)
    said = watched.step("watch_release", run=2)
    assert said.code == 10
    assert "Nothing was rolled back: dev is frozen" in said.text
    assert watched.state.live == "green"
    watched.done("freeze", "--unfreeze", run=3)
    assert watched.step("watch_release", run=2).code == 10
    rolled_back(watched)


def test_an_agent_that_dies_at_any_request_rolls_back_once(watched: WatchedCloud) -> None:
    watched.run_job("score")
    failed = watched.remember()
    count = watched.step("watch_release", run=2).requests
    for at in range(1, count, 6):
        watched.back_to(failed)
        watched.cut("killed after", at)
        assert watched.step("watch_release", run=2).code == -9
        watched.mend()
        if watched.state.claim is not None:
            watched.age_claim(3700)
        watched.done("switch_slot", "--revert", "--if-free", run=3)
        again = watched.step("watch_release", run=3)
        assert again.code == 10 or "No release is being watched" in again.text, again.text
        rolled_back(watched)
