"""`/api/2.x/jobs/runs/repair`: tasks of an ended run once more, with the job's settings of now."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rehearsal.databricks.workbench import ADMIN, CLUSTER, READER, RELEASE, Site

FOLDER = "/Shared/project"


def task(key: str, notebook: str, *needs: str) -> dict[str, Any]:
    depends = {"depends_on": [{"task_key": need} for need in needs]} if needs else {}
    return {
        "task_key": key,
        "notebook_task": {"notebook_path": f"{FOLDER}/{notebook}"},
        "new_cluster": CLUSTER,
        **depends,
    }


CHAIN = [task("read", "well"), task("train", "broken", "read"), task("score", "well", "train"), task("tell", "well")]


def ran(site: Site, *tasks: dict[str, Any], **more: Any) -> tuple[int, dict[str, Any]]:
    """A job and its first run, which has ended."""
    site.notebook(f"{FOLDER}/well", "show parameters")
    site.notebook(f"{FOLDER}/broken", "fail no rows")
    values = {"name": "chain", "tasks": list(tasks or CHAIN), **more}
    job_id = site.ok(RELEASE, "POST", "/jobs/create", values, "2.2")["job_id"]
    return job_id, site.wait(site.ok(RELEASE, "POST", "/jobs/run-now", {"job_id": job_id}, "2.2")["run_id"])


def repair(site: Site, run: dict[str, Any], **values: Any) -> tuple[int, dict[str, Any]]:
    """The repair's id, and the run when it has ended again."""
    answer = site.ok(RELEASE, "POST", "/jobs/runs/repair", {"run_id": run["run_id"], **values}, "2.2")
    return int(answer["repair_id"]), site.wait(run["run_id"])


def latest(run: dict[str, Any]) -> dict[str, tuple[int, str]]:
    """Attempt and result of each task's last attempt."""
    return {entry["task_key"]: (entry["attempt_number"], entry["state"]["result_state"]) for entry in run["tasks"]}


def test_failed_tasks_run_again_in_the_same_run(site: Site) -> None:
    _, run = ran(site)
    assert latest(run)["score"] == (0, "UPSTREAM_FAILED")
    site.notebook(f"{FOLDER}/broken", "exit better")
    repair_id, again = repair(site, run, rerun_all_failed_tasks=True)
    assert again["state"]["result_state"] == "SUCCESS"
    assert latest(again) == {
        "read": (0, "SUCCESS"),
        "train": (1, "SUCCESS"),
        "score": (1, "SUCCESS"),
        "tell": (0, "SUCCESS"),
    }
    assert [entry["task_key"] for entry in again["tasks"]].count("train") == 2, "every attempt is shown"
    assert again["start_time"] == run["start_time"]
    shown = site.ok(ADMIN, "GET", "/jobs/runs/get", {"run_id": run["run_id"], "include_history": "true"}, "2.2")
    original, repaired = shown["repair_history"]
    assert (original["type"], original["state"]["result_state"], "id" in original) == ("ORIGINAL", "FAILED", False)
    assert (repaired["type"], repaired["id"], repaired["state"]["result_state"]) == ("REPAIR", repair_id, "SUCCESS")
    attempts = {entry["run_id"] for entry in again["tasks"]}
    assert len(original["task_run_ids"]) == 4
    assert len(repaired["task_run_ids"]) == 2
    assert {*original["task_run_ids"], *repaired["task_run_ids"]} == attempts
    assert "repair_history" not in site.ok(ADMIN, "GET", "/jobs/runs/get", {"run_id": run["run_id"]}, "2.2")


def test_named_tasks_and_those_that_depend_on_them(site: Site) -> None:
    _, run = ran(site, task("a", "well"), task("b", "well", "a"), task("c", "well", "b"), task("d", "well"))
    first, run = repair(site, run, rerun_tasks=["a"])
    assert {key: attempt for key, (attempt, _) in latest(run).items()} == {"a": 1, "b": 0, "c": 0, "d": 0}
    _, run = repair(site, run, rerun_tasks=["a"], rerun_dependent_tasks=True, latest_repair_id=first)
    assert {key: attempt for key, (attempt, _) in latest(run).items()} == {"a": 2, "b": 1, "c": 1, "d": 0}


def test_a_repair_takes_the_settings_of_now(site: Site) -> None:
    job_id, run = ran(site, task("train", "broken"))
    site.notebook(f"{FOLDER}/new", "exit from the new slot")
    changed = {"job_id": job_id, "new_settings": {"name": "chain", "tasks": [task("train", "new")]}}
    site.ok(RELEASE, "POST", "/jobs/reset", changed, "2.2")
    _, again = repair(site, run, rerun_all_failed_tasks=True)
    assert [entry["notebook_task"]["notebook_path"] for entry in again["tasks"]] == [
        f"{FOLDER}/broken",
        f"{FOLDER}/new",
    ]
    assert again["state"]["result_state"] == "SUCCESS"


def test_retries_count_from_the_repair_on(site: Site) -> None:
    _, run = ran(site, task("train", "broken") | {"max_retries": 1})
    assert latest(run) == {"train": (1, "FAILED")}
    _, again = repair(site, run, rerun_all_failed_tasks=True)
    assert latest(again) == {"train": (3, "FAILED")}


def test_parameters_of_a_repair(site: Site) -> None:
    _, run = ran(site, task("a", "well"), parameters=[{"name": "day", "default": "monday"}])
    _, again = repair(site, run, rerun_tasks=["a"], job_parameters={"day": "friday"})
    task_run = again["tasks"][-1]["run_id"]
    shown = site.ok(ADMIN, "GET", "/jobs/runs/get-output", {"run_id": task_run}, "2.2")
    assert shown["notebook_output"]["result"] == '{"day": "friday"}'


def test_a_run_under_repair_is_active(site: Site) -> None:
    _, run = ran(site, task("train", "broken"))
    site.notebook(f"{FOLDER}/broken", "hang")
    site.ok(RELEASE, "POST", "/jobs/runs/repair", {"run_id": run["run_id"], "rerun_all_failed_tasks": True}, "2.2")
    (listed,) = site.ok(RELEASE, "GET", "/jobs/runs/list", {"active_only": "true"}, "2.2")["runs"]
    assert listed["run_id"] == run["run_id"]
    assert "end_time" not in listed
    values = {"run_id": run["run_id"], "rerun_all_failed_tasks": True}
    assert site.refused(RELEASE, "POST", "/jobs/runs/repair", values, "2.2")[1] == "INVALID_STATE"
    site.ok(RELEASE, "POST", "/jobs/runs/cancel", {"run_id": run["run_id"]}, "2.2")
    assert site.wait(run["run_id"])["state"]["result_state"] == "CANCELED"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "Exactly one of"),
        ({"rerun_tasks": ["train"], "rerun_all_failed_tasks": True}, "Exactly one of"),
        ({"rerun_tasks": ["train", "train"]}, "duplicate task keys"),
        ({"rerun_tasks": ["nobody"]}, "Task nobody"),
        ({"rerun_tasks": "train"}, "rerun_tasks must be a list"),
        ({"rerun_all_failed_tasks": True, "latest_repair_id": 7}, "latest_repair_id"),
    ],
)
def test_what_a_repair_can_not_be(site: Site, values: dict[str, Any], said: str) -> None:
    _, run = ran(site)
    status, _, message = site.refused(RELEASE, "POST", "/jobs/runs/repair", {"run_id": run["run_id"], **values}, "2.2")
    assert status == 400
    assert said in message


def test_the_second_repair_must_know_of_the_first(site: Site) -> None:
    _, run = ran(site)
    first, _ = repair(site, run, rerun_all_failed_tasks=True)
    values = {"run_id": run["run_id"], "rerun_all_failed_tasks": True}
    assert str(first) in site.refused(RELEASE, "POST", "/jobs/runs/repair", values, "2.2")[2]
    second, _ = repair(site, run, rerun_all_failed_tasks=True, latest_repair_id=first)
    assert second != first


def test_who_may_not_run_the_job_may_not_repair(site: Site) -> None:
    _, run = ran(site)
    values = {"run_id": run["run_id"], "rerun_all_failed_tasks": True}
    assert site.call(READER, "POST", "/jobs/runs/repair", values, "2.2")[0] == 403


def test_a_submitted_run_is_not_repaired_here(site: Site) -> None:
    site.notebook(f"{FOLDER}/broken", "fail no rows")
    body = {"tasks": [task("train", "broken")]}
    run_id = site.ok(RELEASE, "POST", "/jobs/runs/submit", body, "2.2")["run_id"]
    site.wait(run_id)
    assert (
        site.call(RELEASE, "POST", "/jobs/runs/repair", {"run_id": run_id, "rerun_tasks": ["train"]}, "2.2")[0] == 501
    )
