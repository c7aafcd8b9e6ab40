"""Continuous jobs, with a clock that is moved by hand and processes that do what a notebook's text says."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.databricks import engine
from rehearsal.databricks.continuous import (
    FAILURES_ALLOWED,
    FIRST_BACK_OFF,
    HEALTHY_SECONDS,
    LONGEST_BACK_OFF,
    RESTART_SECONDS,
    due,
)
from tests.rehearsal.databricks.workbench import ADMIN, CLUSTER, RELEASE, STRANGER, Site

ALWAYS = {"pause_status": "UNPAUSED"}


def settings(notebook: str = "loop", **more: Any) -> dict[str, Any]:
    task = {"task_key": "main", "notebook_task": {"notebook_path": f"/Shared/p/{notebook}"}, "new_cluster": CLUSTER}
    return {"name": "stream", "tasks": [task], "continuous": dict(ALWAYS), **more}


def make(site: Site, **more: Any) -> int:
    site.notebook("/Shared/p/loop", "hang")
    site.notebook("/Shared/p/other", "hang")
    return int(site.ok(RELEASE, "POST", "/jobs/create", settings(**more), "2.2")["job_id"])


def runs(site: Site, job_id: int, **query: Any) -> list[dict[str, Any]]:
    query = {"job_id": job_id, "expand_tasks": "true", **query}
    return list(site.ok(RELEASE, "GET", "/jobs/runs/list", query, "2.2").get("runs", []))


def active(site: Site, job_id: int) -> list[dict[str, Any]]:
    return runs(site, job_id, active_only="true")


def cancel(site: Site, run_id: int) -> None:
    site.ok(RELEASE, "POST", "/jobs/runs/cancel", {"run_id": run_id}, "2.2")
    site.wait(run_id)


def path(run: dict[str, Any]) -> str:
    return str(run["tasks"][0]["notebook_task"]["notebook_path"])


def test_a_run_is_there_at_once_and_only_one(site: Site) -> None:
    job_id = make(site)
    (run,) = active(site, job_id)
    assert (run["trigger"], run["run_type"], run["creator_user_name"]) == ("CONTINUOUS", "JOB_RUN", "app-release")
    site.now += 3600
    assert [one["run_id"] for one in active(site, job_id)] == [run["run_id"]]


def test_the_next_run_comes_after_a_short_while_whether_the_last_ended_well_or_was_cancelled(site: Site) -> None:
    job_id = make(site, notebook="quick")
    site.notebook("/Shared/p/quick", "exit 1")
    first = runs(site, job_id)[0]
    site.wait(first["run_id"])
    assert active(site, job_id) == []
    site.notebook("/Shared/p/quick", "hang")
    site.now += RESTART_SECONDS
    (second,) = active(site, job_id)
    cancel(site, second["run_id"])
    assert active(site, job_id) == []
    site.now += RESTART_SECONDS
    (third,) = active(site, job_id)
    assert len({first["run_id"], second["run_id"], third["run_id"]}) == 3


def test_pausing_leaves_the_active_run_and_starts_no_other(site: Site) -> None:
    job_id = make(site)
    (run,) = active(site, job_id)
    paused = {"job_id": job_id, "new_settings": {"continuous": {"pause_status": "PAUSED"}}}
    site.ok(RELEASE, "POST", "/jobs/update", paused, "2.2")
    assert [one["run_id"] for one in active(site, job_id)] == [run["run_id"]]
    cancel(site, run["run_id"])
    site.now += 86400
    assert active(site, job_id) == []
    site.ok(RELEASE, "POST", "/jobs/update", {"job_id": job_id, "new_settings": {"continuous": {}}}, "2.2")
    assert len(active(site, job_id)) == 1


def test_a_paused_job_can_be_run_by_hand(site: Site) -> None:
    job_id = make(site, continuous={"pause_status": "PAUSED"})
    assert active(site, job_id) == []
    run_id = site.ok(RELEASE, "POST", "/jobs/run-now", {"job_id": job_id}, "2.2")["run_id"]
    (run,) = active(site, job_id)
    assert (run["run_id"], run["trigger"]) == (run_id, "ONE_TIME")
    assert site.call(RELEASE, "POST", "/jobs/run-now", {"job_id": job_id}, "2.2")[0] == 501


def test_a_reset_counts_from_the_next_run_on(site: Site) -> None:
    job_id = make(site)
    (run,) = active(site, job_id)
    changed = {"job_id": job_id, "new_settings": settings("other")}
    site.ok(RELEASE, "POST", "/jobs/reset", changed, "2.2")
    assert [path(one) for one in active(site, job_id)] == ["/Shared/p/loop"]
    cancel(site, run["run_id"])
    site.now += RESTART_SECONDS
    assert [path(one) for one in active(site, job_id)] == ["/Shared/p/other"]


def test_a_deleted_job_and_one_that_is_continuous_no_more_start_nothing(site: Site) -> None:
    first, second = make(site), make(site)
    kept = active(site, second)[0]["run_id"]
    site.ok(RELEASE, "POST", "/jobs/delete", {"job_id": first}, "2.2")
    plain = {name: value for name, value in settings().items() if name != "continuous"}
    site.ok(RELEASE, "POST", "/jobs/reset", {"job_id": second, "new_settings": plain}, "2.2")
    cancel(site, kept)
    site.now += 86400
    everything = site.ok(ADMIN, "GET", "/jobs/runs/list", {}, "2.2")["runs"]
    assert len(everything) == 2


def test_failures_in_a_row_make_the_pause_grow(site: Site) -> None:
    site.notebook("/Shared/p/broken", "fail no rows")
    job_id = make(site, notebook="broken")
    for number in range(FAILURES_ALLOWED + 1):
        newest = runs(site, job_id)[0]
        site.wait(newest["run_id"])
        assert len(runs(site, job_id)) == number + 1
        site.now += RESTART_SECONDS
    assert len(runs(site, job_id)) == FAILURES_ALLOWED + 1
    site.now += FIRST_BACK_OFF
    assert len(runs(site, job_id)) == FAILURES_ALLOWED + 2


def ended(result: str, seconds: float = 1.0) -> dict[str, Any]:
    return {"result": result, "start_time": 1_000_000 - int(seconds * 1000), "end_time": 1_000_000}


@pytest.mark.parametrize(
    ("history", "pause"),
    [
        (["SUCCESS"], RESTART_SECONDS),
        (["FAILED"] * FAILURES_ALLOWED, RESTART_SECONDS),
        (["FAILED"] * (FAILURES_ALLOWED + 1), FIRST_BACK_OFF),
        (["TIMEDOUT"] * (FAILURES_ALLOWED + 3), FIRST_BACK_OFF * 4),
        (["FAILED"] * 500, LONGEST_BACK_OFF),
        (["FAILED", "CANCELED", *["FAILED"] * 20], RESTART_SECONDS),
        (["SUCCESS", *["FAILED"] * 20], RESTART_SECONDS),
    ],
)
def test_the_pause_before_the_next_run(history: list[str], pause: float) -> None:
    assert due([ended(result) for result in history]) == 1000.0 + pause


def test_a_run_that_went_on_for_long_begins_a_new_count() -> None:
    assert due([ended("FAILED", HEALTHY_SECONDS), *[ended("FAILED")] * 20]) == 1000.0 + RESTART_SECONDS


def test_it_goes_on_when_the_rehearsal_is_started_again(site: Site) -> None:
    job_id = make(site)
    lost = active(site, job_id)[0]["run_id"]
    site.close()
    site.open()
    site.now += RESTART_SECONDS
    (run,) = active(site, job_id)
    assert run["run_id"] != lost


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"schedule": {"quartz_cron_expression": "0 0 6 * * ?", "timezone_id": "UTC"}}, "schedule and continuous"),
        ({"max_concurrent_runs": 2}, "max_concurrent_runs must be 1"),
        ({"continuous": {"pause_status": "SOMETIMES"}}, "pause_status SOMETIMES"),
        ({"continuous": {"task_retry_mode": "OFTEN"}}, "task_retry_mode OFTEN"),
        ({"tasks": [{**settings()["tasks"][0], "max_retries": 1}]}, "Retry policies"),
        (
            {
                "tasks": [
                    settings()["tasks"][0],
                    {**settings()["tasks"][0], "task_key": "next", "depends_on": [{"task_key": "main"}]},
                ]
            },
            "Task dependencies",
        ),
    ],
)
def test_what_a_continuous_job_can_not_have(site: Site, changed: dict[str, Any], said: str) -> None:
    status, _, message = site.refused(RELEASE, "POST", "/jobs/create", settings() | changed, "2.2")
    assert status == 400
    assert said in message


def test_runs_that_never_end_keep_no_other_from_running(site: Site) -> None:
    for _ in range(3):
        site.wait(active(site, make(site))[0]["run_id"], until=lambda run: run["status"]["state"] == "RUNNING")
    site.notebook("/Shared/p/quick", "exit 1")
    submitted = settings("quick")["tasks"]
    run_id = site.ok(RELEASE, "POST", "/jobs/runs/submit", {"tasks": submitted}, "2.2")["run_id"]
    assert site.wait(run_id)["state"]["result_state"] == "SUCCESS"


def test_others_see_nothing_of_it(site: Site) -> None:
    make(site)
    site.workspaces.add_principal("adb-7405612345678901.1.azuredatabricks.net", STRANGER)
    assert "runs" not in site.ok(STRANGER, "GET", "/jobs/runs/list", {"active_only": "true"}, "2.2")


def test_a_failed_task_is_retried_beside_others_until_none_is_at_its_first_attempt(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "TASK_RETRY_SECONDS", 0.0)
    site.notebook("/Shared/p/bad", "fail x")
    tasks = [settings()["tasks"][0], {**settings("bad")["tasks"][0], "task_key": "bad"}]
    job_id = make(site, tasks=tasks, continuous={"task_retry_mode": "ON_FAILURE"})
    run = site.wait(runs(site, job_id)[0]["run_id"])
    ends = [(task["task_key"], task["attempt_number"], task["state"]["result_state"]) for task in run["tasks"]]
    failures = [("bad", attempt, "FAILED") for attempt in range(engine.MOST_TASK_RETRIES + 1)]
    assert sorted(ends) == [*failures, ("main", 0, "CANCELED")]
    assert run["state"]["result_state"] == "FAILED"
    site.now += RESTART_SECONDS
    assert len(active(site, job_id)) == 1


def test_a_failed_task_that_is_alone_ends_the_run(site: Site) -> None:
    site.notebook("/Shared/p/bad", "fail x")
    job_id = make(site, notebook="bad", continuous={"task_retry_mode": "ON_FAILURE"})
    run = site.wait(runs(site, job_id)[0]["run_id"])
    assert ([task["attempt_number"] for task in run["tasks"]], run["state"]["result_state"]) == ([0], "FAILED")
