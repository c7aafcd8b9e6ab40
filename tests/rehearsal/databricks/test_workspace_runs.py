"""`/api/2.x/jobs/runs/*` and run-now, with processes that do what a notebook's text says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from rehearsal.databricks import notebook_process
from tests.rehearsal.databricks.workbench import ADMIN, CLUSTER, HOST, JOBS, READER, RELEASE, Site

FOLDER = "/Shared/project"


def task(key: str = "main", notebook: str = "nb", **more: Any) -> dict[str, Any]:
    notebook_task = {"notebook_path": f"{FOLDER}/{notebook}"} | more.pop("notebook_task", {})
    return {"task_key": key, "notebook_task": notebook_task, "new_cluster": CLUSTER, **more}


def submit(site: Site, *tasks: dict[str, Any], **more: Any) -> int:
    return int(site.ok(RELEASE, "POST", "/jobs/runs/submit", {"tasks": list(tasks), **more}, "2.2")["run_id"])


def output(site: Site, run: dict[str, Any], key: str = "main") -> dict[str, Any]:
    task_run = next(entry for entry in run["tasks"] if entry["task_key"] == key)
    return dict(site.ok(ADMIN, "GET", "/jobs/runs/get-output", {"run_id": task_run["run_id"]}, "2.2"))


def results(run: dict[str, Any]) -> dict[str, str]:
    return {entry["task_key"]: entry["state"]["result_state"] for entry in run["tasks"]}


def job(site: Site, *tasks: dict[str, Any], **more: Any) -> int:
    return int(site.ok(RELEASE, "POST", "/jobs/create", {"name": "j", "tasks": list(tasks), **more}, "2.2")["job_id"])


def run_now(site: Site, job_id: int, **more: Any) -> int:
    return int(site.ok(RELEASE, "POST", "/jobs/run-now", {"job_id": job_id, **more}, "2.2")["run_id"])


def started(run: dict[str, Any]) -> bool:
    return all(entry["status"]["state"] == "RUNNING" for entry in run["tasks"])


def pid(site: Site, run: dict[str, Any]) -> int:
    """The process of the run's one task, which hangs."""
    file = site.folder / "databricks" / HOST / "runs" / str(run["tasks"][0]["run_id"]) / "pid"
    while not file.exists() or not file.read_text():
        site.ok(ADMIN, "GET", "/preview/scim/v2/Me")
    return int(file.read_text())


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"


def test_a_run_that_ends_well(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "exit 42")
    run = site.wait(submit(site, task(), run_name="now"))
    assert (run["state"]["life_cycle_state"], run["state"]["result_state"]) == ("TERMINATED", "SUCCESS")
    details = {"code": "SUCCESS", "type": "SUCCESS", "message": ""}
    assert run["status"] == {"state": "TERMINATED", "termination_details": details}
    assert (run["run_name"], run["run_type"], run["creator_user_name"]) == ("now", "SUBMIT_RUN", "app-release")
    assert run["number_in_job"] == run["run_id"] != run["tasks"][0]["run_id"]
    assert run["run_page_url"] == f"https://{HOST}/?o=7405612345678901#job/{run['run_id']}/run/{run['run_id']}"
    assert run["end_time"] >= run["start_time"]
    shown = output(site, run)
    assert shown["notebook_output"] == {"result": "42", "truncated": False}
    assert "error" not in shown
    assert shown["metadata"]["task_key"] == "main"


def test_without_exit_there_is_no_result(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "")
    assert output(site, site.wait(submit(site, task())))["notebook_output"] == {"truncated": False}


def test_the_output_of_a_whole_run_is_refused_even_with_one_task(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "exit 42")
    run_id = submit(site, task())
    site.wait(run_id)
    refused = site.refused(ADMIN, "GET", "/jobs/runs/get-output", {"run_id": run_id}, "2.2")
    assert refused[1:] == (
        "INVALID_PARAMETER_VALUE",
        "Retrieving the output of runs with multiple tasks is not supported."
        " Please retrieve the output of each individual task run instead.",
    )


def test_a_failed_notebook(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "fail ValueError: no rows")
    run = site.wait(submit(site, task()))
    assert run["state"] == {
        "life_cycle_state": "INTERNAL_ERROR",
        "result_state": "FAILED",
        "state_message": "Task main failed with message: Workload failed, see run output for details.",
        "user_cancelled_or_timedout": False,
    }
    assert run["status"]["termination_details"]["code"] == "RUN_EXECUTION_ERROR"
    assert run["tasks"][0]["state"]["life_cycle_state"] == "TERMINATED"
    shown = output(site, run)
    assert (shown["error"], shown["error_trace"]) == ("ValueError: no rows", "Traceback: ValueError: no rows")


def test_a_missing_notebook(site: Site) -> None:
    run = site.wait(submit(site, task()))
    words = (
        f'Unable to access the notebook "{FOLDER}/nb" in the workspace. Either it does not exist, or the identity used to run this'
        " job, app-release, lacks the required permissions."
    )
    assert run["state"]["state_message"] == f"Task main failed with message: {words}"
    details = {"code": "RESOURCE_NOT_FOUND", "type": "CLIENT_ERROR", "message": words}
    assert run["tasks"][0]["status"]["termination_details"] == details
    assert run["tasks"][0]["execution_duration"] == 0


def test_a_notebook_that_the_runs_identity_may_not_read(site: Site) -> None:
    site.notebook("/Users/app-release/nb", "exit 1", RELEASE)
    job_id = site.ok(
        ADMIN,
        "POST",
        "/jobs/create",
        {
            "tasks": [task(notebook_task={"notebook_path": "/Users/app-release/nb"})],
            "run_as": {"service_principal_name": "app-jobs"},
        },
        "2.2",
    )["job_id"]
    run = site.wait(site.ok(ADMIN, "POST", "/jobs/run-now", {"job_id": job_id}, "2.2")["run_id"])
    assert "app-jobs, lacks the required permissions" in run["state"]["state_message"]
    assert run["run_as_user_name"] == "app-jobs"


def test_a_process_that_dies_shows_its_last_words_without_secrets(site: Site) -> None:
    site.ok(RELEASE, "POST", "/secrets/scopes/create", {"scope": "s"})
    site.ok(RELEASE, "POST", "/secrets/put", {"scope": "s", "key": "k", "string_value": "open-sesame"})
    site.notebook(f"{FOLDER}/nb", "crash")
    run = site.wait(submit(site, task()))
    assert run["tasks"][0]["state"]["life_cycle_state"] == "INTERNAL_ERROR"
    shown = output(site, run)
    assert "exit code 7" in shown["error"]
    assert shown["error_trace"] == "the secret is [REDACTED]"
    for file in (site.folder / "databricks" / HOST / "runs").rglob("*"):
        assert file.is_dir() or b"open-sesame" not in file.read_bytes()


def test_what_a_notebook_is_given(site: Site) -> None:
    site.ok(RELEASE, "POST", "/secrets/scopes/create", {"scope": "mine"})
    site.ok(RELEASE, "POST", "/secrets/put", {"scope": "mine", "key": "k", "string_value": "v"})
    site.ok(ADMIN, "POST", "/secrets/scopes/create", {"scope": "others"})
    for name in ("secrets", "parameters", "libraries", "notebook_path", "workspace_id"):
        site.notebook(f"{FOLDER}/{name}", f"show {name}")
    site.notebook(f"{FOLDER}/environment", "environment")
    parameters = {"base_parameters": {"a": "{{job.run_id}}", "b": "{{ unknown.x }}"}}
    libraries = [{"whl": "/Volumes/a/b/c/y.whl"}]

    def shown(name: str, **more: Any) -> Any:
        return json.loads(
            output(site, site.wait(submit(site, task(notebook=name, **more))))["notebook_output"]["result"]
        )

    assert shown("secrets") == {"mine": {"k": "v"}}
    assert shown("libraries", libraries=libraries) == libraries
    assert shown("notebook_path") == f"/Workspace{FOLDER}/notebook_path"
    assert shown("workspace_id") == "7405612345678901"
    run_id = submit(site, task(notebook="parameters", notebook_task=parameters))
    given = json.loads(output(site, site.wait(run_id))["notebook_output"]["result"])
    assert given == {"a": str(run_id), "b": "{{ unknown.x }}"}
    assert set(shown("environment")) <= {"RUN", "LC_CTYPE", "HOME", "TMPDIR", notebook_process.MARK}


def test_parameters_of_a_job_win_over_those_of_its_tasks(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "show parameters")
    base = {"base_parameters": {"a": "base", "b": "base", "c": "{{job.parameters.d}}"}}
    job_id = job(
        site, task(notebook_task=base), parameters=[{"name": "a", "default": "job"}, {"name": "d", "default": "deep"}]
    )
    run = site.wait(run_now(site, job_id, notebook_params={"b": "run"}))
    assert json.loads(output(site, run)["notebook_output"]["result"]) == {
        "a": "job",
        "b": "run",
        "c": "deep",
        "d": "deep",
    }
    assert run["overriding_parameters"] == {"notebook_params": {"b": "run"}}
    run = site.wait(run_now(site, job_id, job_parameters={"a": "given"}))
    assert {"name": "a", "default": "job", "value": "given"} in run["job_parameters"]
    assert json.loads(output(site, run)["notebook_output"]["result"])["a"] == "given"
    assert (
        site.refused(RELEASE, "POST", "/jobs/run-now", {"job_id": job_id, "job_parameters": {"x": "1"}}, "2.2")[0]
        == 400
    )
    big = {"job_id": job_id, "notebook_params": {"x": "1" * 10_000}}
    assert site.refused(RELEASE, "POST", "/jobs/run-now", big, "2.2")[0] == 400
    assert (
        site.refused(RELEASE, "POST", "/jobs/run-now", {"job_id": job_id, "notebook_params": {"x": 1}}, "2.2")[0] == 400
    )


def test_tasks_run_in_order_and_hand_values_on(site: Site) -> None:
    site.notebook(f"{FOLDER}/first", "value model=m7")
    site.notebook(f"{FOLDER}/second", "show task_values")
    site.notebook(f"{FOLDER}/third", "show parameters")
    third = task("third", "third", depends_on=[{"task_key": "second"}])
    third["notebook_task"]["base_parameters"] = {"model": "{{tasks.first.values.model}}"}
    run = site.wait(
        submit(site, third, task("second", "second", depends_on=[{"task_key": "first"}]), task("first", "first"))
    )
    assert results(run) == {"first": "SUCCESS", "second": "SUCCESS", "third": "SUCCESS"}
    assert json.loads(output(site, run, "second")["notebook_output"]["result"]) == {"first": {"model": "m7"}}
    assert json.loads(output(site, run, "third")["notebook_output"]["result"]) == {"model": "m7"}
    ends = {entry["task_key"]: entry["end_time"] for entry in run["tasks"]}
    assert ends["first"] < ends["second"] < ends["third"]


def test_what_depends_on_a_failure(site: Site) -> None:
    site.notebook(f"{FOLDER}/bad", "fail x")
    site.notebook(f"{FOLDER}/nb", "exit 1")
    after = [{"task_key": "bad"}]
    run = site.wait(
        submit(
            site,
            task("bad", "bad"),
            task("next", depends_on=after),
            task("last", depends_on=[{"task_key": "next"}]),
            task("always", depends_on=after, run_if="ALL_DONE"),
            task("alarm", depends_on=after, run_if="AT_LEAST_ONE_FAILED"),
        )
    )
    expected = {
        "bad": "FAILED",
        "next": "UPSTREAM_FAILED",
        "last": "UPSTREAM_FAILED",
        "always": "SUCCESS",
        "alarm": "SUCCESS",
    }
    assert results(run) == expected
    assert run["state"]["result_state"] == "FAILED"
    run = site.wait(submit(site, task("bad", "bad"), task("always", depends_on=after, run_if="ALL_DONE")))
    assert run["state"]["result_state"] == "SUCCESS_WITH_FAILURES"


def test_a_listed_run_with_many_tasks_says_that_there_are_more(site: Site) -> None:
    run_id = submit(site, *(task(f"t{n}", "missing") for n in range(101)))
    site.wait(run_id)
    (listed,) = site.ok(RELEASE, "GET", "/jobs/runs/list", {"expand_tasks": "true"}, "2.2")["runs"]
    assert (len(listed["tasks"]), listed["has_more"]) == (100, True)
    (bare,) = site.ok(RELEASE, "GET", "/jobs/runs/list", {}, "2.2")["runs"]
    assert not {"tasks", "has_more"} & bare.keys()


def test_a_retry_is_a_new_task_run(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "once marker\nexit done")
    run = site.wait(submit(site, task(max_retries=2)))
    assert [entry["attempt_number"] for entry in run["tasks"]] == [0, 1]
    assert results(run) == {"main": "SUCCESS"}
    assert len({entry["run_id"] for entry in run["tasks"]}) == 2
    site.notebook(f"{FOLDER}/nb", "fail always")
    run = site.wait(submit(site, task(max_retries=2)))
    assert (run["tasks"][-1]["attempt_number"], results(run)) == (2, {"main": "FAILED"})


def test_time_limits(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "hang")
    run = site.wait(submit(site, task(timeout_seconds=1, max_retries=3), task("other", timeout_seconds=1)))
    assert results(run) == {"main": "TIMEDOUT", "other": "TIMEDOUT"}
    assert (run["state"]["life_cycle_state"], run["state"]["result_state"]) == ("TERMINATED", "TIMEDOUT")
    assert run["state"]["user_cancelled_or_timedout"]
    assert run["status"]["termination_details"]["code"] == "CANCELED"  # by the platform, not by a user


def test_a_new_time_limit_of_a_job_is_one_of_its_active_runs_too(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "hang")
    job_id = job(site, task())
    active, queued = run_now(site, job_id), run_now(site, job_id)
    site.wait(active, until=started)
    changed = {"timeout_seconds": 1, "tasks": [task("other")]}
    site.ok(RELEASE, "POST", "/jobs/update", {"job_id": job_id, "new_settings": changed}, "2.2")
    for run_id in (active, queued):
        run = site.wait(run_id)
        assert (run["state"]["result_state"], results(run)) == ("TIMEDOUT", {"main": "TIMEDOUT"})


def test_cancel_kills_the_process(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "hang")
    run_id = submit(site, task(), task("after", depends_on=[{"task_key": "main"}]))
    run = site.wait(run_id, until=lambda run: run["tasks"][0]["status"]["state"] == "RUNNING")
    assert (run["status"]["state"], run["tasks"][1]["status"]["state"]) == ("RUNNING", "BLOCKED")
    process = pid(site, run)
    assert alive(process)
    site.ok(RELEASE, "POST", "/jobs/runs/cancel", {"run_id": run_id}, "2.2")
    run = site.wait(run_id)
    assert (run["state"]["life_cycle_state"], run["state"]["result_state"]) == ("TERMINATED", "CANCELED")
    assert run["status"]["termination_details"]["code"] == "USER_CANCELED"
    assert results(run) == {"main": "CANCELED", "after": "CANCELED"}
    assert not alive(process)
    site.ok(RELEASE, "POST", "/jobs/runs/cancel", {"run_id": run_id}, "2.2")
    assert site.wait(run_id) == run


def test_what_a_run_started_ends_with_it_and_its_folder_is_emptied(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "leave child\nexit done")
    run = site.wait(submit(site, task()))
    assert results(run) == {"main": "SUCCESS"}
    runs = site.folder / "databricks" / HOST / "runs"
    assert not alive(int((runs / "child").read_text()))
    assert list((runs / str(run["tasks"][0]["run_id"])).iterdir()) == []
    site.notebook(f"{FOLDER}/nb", "leave second\nhang")
    run_id = submit(site, task(timeout_seconds=1))
    assert results(site.wait(run_id)) == {"main": "TIMEDOUT"}
    assert not alive(int((runs / "second").read_text()))


def test_a_deleted_run_leaves_no_folder(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "exit done")
    run = site.wait(submit(site, task()))
    place = site.folder / "databricks" / HOST / "runs" / str(run["tasks"][0]["run_id"])
    assert place.is_dir()
    site.ok(RELEASE, "POST", "/jobs/runs/delete", {"run_id": run["run_id"]}, "2.2")
    assert not place.exists()


def test_a_process_that_ends_while_its_run_is_cancelled(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ends_at_the_last_moment(*_: Any) -> notebook_process.Ended:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return notebook_process.Ended({"state": "SUCCESS", "result": "just so"}, 0, "")

    monkeypatch.setattr(notebook_process, "run", ends_at_the_last_moment)
    site.notebook(f"{FOLDER}/nb", "")
    run_id = submit(site, task(), task("after", depends_on=[{"task_key": "main"}]))
    site.wait(run_id, until=lambda run: run["tasks"][0]["status"]["state"] == "RUNNING")
    site.ok(RELEASE, "POST", "/jobs/runs/cancel", {"run_id": run_id}, "2.2")
    run = site.wait(run_id)
    assert (run["state"]["result_state"], results(run)) == ("CANCELED", {"main": "SUCCESS", "after": "CANCELED"})


def test_two_processes_at_once_the_others_wait(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "hang")
    runs = [submit(site, task()) for _ in range(3)]
    for run_id in runs[:2]:
        site.wait(run_id, until=started)
    assert site.wait(runs[2], until=lambda _: True)["tasks"][0]["status"]["state"] == "PENDING"
    site.ok(RELEASE, "POST", "/jobs/runs/cancel", {"run_id": runs[0]}, "2.2")
    site.wait(runs[2], until=started)


def test_the_limit_of_a_job_queues_or_skips(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "hang")
    queued, skipping = job(site, task()), job(site, task(), queue={"enabled": False})
    first, second = run_now(site, queued), run_now(site, queued)
    run = site.wait(second, until=lambda _: True)
    assert run["status"]["queue_details"]["message"] == "Queued due to reaching maximum concurrent runs of 1."
    assert (run["status"]["state"], run["state"]["life_cycle_state"]) == ("QUEUED", "QUEUED")
    active = site.ok(ADMIN, "GET", "/jobs/runs/list", {"job_id": queued, "active_only": "true"}, "2.2")["runs"]
    assert [entry["run_id"] for entry in active] == [second, first]
    site.ok(RELEASE, "POST", "/jobs/runs/cancel", {"run_id": first}, "2.2")
    site.wait(second, until=started)
    third = run_now(site, queued)
    site.ok(RELEASE, "POST", "/jobs/runs/cancel-all", {"job_id": queued}, "2.2")
    assert {site.wait(run_id)["state"]["result_state"] for run_id in (second, third)} == {"CANCELED"}
    run_now(site, skipping)
    run = site.wait(run_now(site, skipping))
    assert (run["state"]["life_cycle_state"], run["state"]["result_state"]) == (
        "SKIPPED",
        "MAXIMUM_CONCURRENT_RUNS_REACHED",
    )
    words = "Skipping this run because the limit of 1 maximum concurrent runs has been reached."
    assert run["state"]["state_message"] == words


def test_a_run_keeps_the_settings_it_started_with(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "hang")
    site.notebook(f"{FOLDER}/other", "exit other")
    job_id = job(site, task())
    first, second = run_now(site, job_id), run_now(site, job_id)
    site.ok(
        RELEASE, "POST", "/jobs/reset", {"job_id": job_id, "new_settings": {"tasks": [task(notebook="other")]}}, "2.2"
    )
    third = run_now(site, job_id)
    for run_id in (first, second):
        run = site.wait(run_id, until=started)
        assert run["tasks"][0]["notebook_task"]["notebook_path"] == f"{FOLDER}/nb"
        site.ok(RELEASE, "POST", "/jobs/runs/cancel", {"run_id": run_id}, "2.2")
    assert output(site, site.wait(third))["notebook_output"]["result"] == "other"


def test_an_idempotency_token_starts_one_run(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "exit 1")
    first = submit(site, task(), idempotency_token="t")
    assert submit(site, task(), idempotency_token="t") == first
    job_id = job(site, task())
    assert run_now(site, job_id, idempotency_token="u") == run_now(site, job_id, idempotency_token="u")
    assert len(site.ok(ADMIN, "GET", "/jobs/runs/list", {}, "2.2")["runs"]) == 2
    site.wait(first)
    site.ok(RELEASE, "POST", "/jobs/runs/delete", {"run_id": first}, "2.2")
    values = {"tasks": [task()], "idempotency_token": "t"}
    assert site.refused(RELEASE, "POST", "/jobs/runs/submit", values, "2.2")[0] == 400
    assert site.refused(RELEASE, "POST", "/jobs/runs/submit", values | {"idempotency_token": "t" * 65}, "2.2")[0] == 400


def test_lists_are_newest_first_in_pages_and_filtered(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "exit 1")
    job_id = job(site, task(), max_concurrent_runs=0, queue={"enabled": False})
    runs = [run_now(site, job_id) for _ in range(30)]
    page = site.ok(ADMIN, "GET", "/jobs/runs/list", {"job_id": job_id}, "2.2")
    assert [run["run_id"] for run in page["runs"]] == runs[:9:-1]
    assert page["has_more"]
    assert "tasks" not in page["runs"][0]
    page = site.ok(
        ADMIN,
        "GET",
        "/jobs/runs/list",
        {"job_id": job_id, "page_token": page["next_page_token"], "expand_tasks": "true"},
        "2.2",
    )
    assert [run["run_id"] for run in page["runs"]] == runs[9::-1]
    assert len(page["runs"][0]["tasks"]) == 1
    assert "next_page_token" not in page
    assert site.ok(ADMIN, "GET", "/jobs/runs/list", {"active_only": "true"}, "2.2") == {"has_more": False}
    both = {"active_only": "true", "completed_only": "true"}
    assert site.refused(ADMIN, "GET", "/jobs/runs/list", both, "2.2")[0] == 400


def test_who_may_see_and_cancel_a_run(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "hang")
    others = [{"service_principal_name": JOBS.app_id, "permission_level": "CAN_VIEW"}]
    run_id = submit(site, task(), access_control_list=others)
    assert site.refused(READER, "GET", "/jobs/runs/get", {"run_id": run_id}, "2.2")[0] == 403
    assert site.refused(READER, "POST", "/jobs/runs/cancel", {"run_id": run_id}, "2.2")[0] == 403
    assert site.ok(READER, "GET", "/jobs/runs/list", {}, "2.2") == {"has_more": False}
    job_id = job(
        site,
        task(),
        access_control_list=[{"service_principal_name": JOBS.app_id, "permission_level": "CAN_MANAGE_RUN"}],
    )
    run_id = site.ok(JOBS, "POST", "/jobs/run-now", {"job_id": job_id}, "2.2")["run_id"]
    run = site.ok(JOBS, "GET", "/jobs/runs/get", {"run_id": run_id}, "2.2")
    assert (run["creator_user_name"], run["run_as_user_name"]) == ("app-jobs", "app-release")


def test_runs_that_are_not_there(site: Site) -> None:
    refused = (400, "INVALID_PARAMETER_VALUE", "Run 77 does not exist.")
    assert site.refused(ADMIN, "GET", "/jobs/runs/get", {"run_id": 77}, "2.2") == refused
    assert site.refused(ADMIN, "GET", "/jobs/runs/get-output", {"run_id": 77}, "2.2") == refused
    assert site.refused(ADMIN, "POST", "/jobs/runs/cancel", {"run_id": 77}, "2.2") == refused
    assert site.refused(ADMIN, "POST", "/jobs/runs/submit", {}, "2.2")[0] == 400


def test_an_active_run_is_not_deleted(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "hang")
    run_id = submit(site, task())
    assert site.refused(RELEASE, "POST", "/jobs/runs/delete", {"run_id": run_id}, "2.2")[1] == "INVALID_STATE"


def test_after_a_stop_what_was_active_is_lost_and_the_rest_is_there(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "hang")
    site.notebook(f"{FOLDER}/quick", "exit 1")
    done = site.wait(submit(site, task(notebook="quick")))
    job_id = job(site, task())
    active, queued = run_now(site, job_id), run_now(site, job_id)
    process = pid(site, site.wait(active, until=started))
    object_id = site.ok(ADMIN, "GET", "/workspace/get-status", {"path": FOLDER})["object_id"]
    site.close()
    assert not alive(process)
    (site.folder / "databricks" / HOST / "uploads" / "half").write_text("half a file")
    site.open()
    assert list((site.folder / "databricks" / HOST / "uploads").iterdir()) == []
    assert site.wait(done["run_id"]) == done
    for run_id in (active, queued):
        run = site.wait(run_id)
        assert (run["state"]["life_cycle_state"], run["state"]["result_state"]) == ("INTERNAL_ERROR", "FAILED")
        assert "The rehearsal was stopped" in run["state"]["state_message"]
    assert site.ok(ADMIN, "GET", "/workspace/get-status", {"path": FOLDER})["object_id"] == object_id
    assert site.ok(ADMIN, "GET", "/jobs/get", {"job_id": job_id}, "2.2")["job_id"] == job_id
    assert run_now(site, job_id) not in (active, queued)


def test_a_snapshot_tells_all_but_secrets(site: Site) -> None:
    site.ok(RELEASE, "POST", "/secrets/scopes/create", {"scope": "s"})
    site.ok(RELEASE, "POST", "/secrets/put", {"scope": "s", "key": "k", "string_value": "open-sesame"})
    site.notebook(f"{FOLDER}/nb", "exit 1")
    job_id = job(site, task(), tags={"slipway_app": "a"})
    site.wait(run_now(site, job_id))
    snapshot = site.workspaces.snapshot(f"https://{HOST}")
    assert [(entry["job_id"], entry["tags"], entry["run_as"]) for entry in snapshot["jobs"]] == [
        (job_id, {"slipway_app": "a"}, "app-release")
    ]
    assert [run["state"]["result_state"] for run in snapshot["runs"]] == ["SUCCESS"]
    assert snapshot["scopes"] == [{"name": "s", "backend": "DATABRICKS", "keys": ["k"]}]
    assert f"/Workspace{FOLDER}/nb" in {entry["path"] for entry in snapshot["tree"]}
    assert "open-sesame" not in json.dumps(snapshot)
    with pytest.raises(KeyError):
        site.workspaces.snapshot("adb-1.1.azuredatabricks.net")


def test_libraries_are_looked_at_before_the_notebook_starts(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "exit 1")
    site.ok(RELEASE, "POST", "/workspace/import", {"path": "/Users/app-release/w.whl", "content": "", "format": "RAW"})
    there, missing, old = "/Workspace/Users/app-release/w.whl", "/Workspace/Users/app-release/no.whl", "dbfs:/w.whl"
    runs = {path: site.wait(submit(site, task(libraries=[{"whl": path}]))) for path in (there, missing, old)}
    assert [results(run)["main"] for run in runs.values()] == ["SUCCESS", "FAILED", "FAILED"]
    details = runs[missing]["tasks"][0]["status"]["termination_details"]
    assert details["code"] == "LIBRARY_INSTALLATION_ERROR"
    assert f"{missing}: the file does not exist" in details["message"]
    settings = {"tasks": [task(libraries=[{"whl": there}])], "run_as": {"service_principal_name": "app-jobs"}}
    run = site.wait(site.ok(ADMIN, "POST", "/jobs/runs/submit", settings, "2.2")["run_id"])
    assert "app-jobs lacks the permission" in run["state"]["state_message"]
    shared = {**task(libraries=[{"whl": old}]), "job_cluster_key": "c"}
    del shared["new_cluster"]
    for version, result in (("13.3.x-scala2.12", "SUCCESS"), ("15.4.x-scala2.12", "FAILED")):
        cluster = {"job_cluster_key": "c", "new_cluster": {**CLUSTER, "spark_version": version}}
        assert results(site.wait(submit(site, shared, job_clusters=[cluster]))) == {"main": result}


def test_a_failure_of_the_engine_ends_the_run_and_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.notebook(f"{FOLDER}/nb", "exit 1")
    monkeypatch.setattr("rehearsal.databricks.parameters.for_task", lambda *_: 1 / 0)
    run = site.wait(submit(site, task(), task("other")))
    assert (run["state"]["life_cycle_state"], results(run)) == ("INTERNAL_ERROR", {"main": "FAILED", "other": "FAILED"})
    assert "ZeroDivisionError" in run["state"]["state_message"]
