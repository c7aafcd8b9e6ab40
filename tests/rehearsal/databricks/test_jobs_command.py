"""Jobs and runs with the `databricks` command of databricks-cli 0.18, as scripts of releases use it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.rehearsal.databricks.workbench import CLUSTER, RELEASE, Site

Command = Callable[..., str]
NOTEBOOK = {"notebook_task": {"notebook_path": "/Shared/nb", "base_parameters": {"a": "1"}}, "new_cluster": CLUSTER}


@pytest.fixture
def ask(databricks_command: Command) -> Callable[..., Any]:
    """The command, its answer read."""
    return lambda *arguments: json.loads(databricks_command(*arguments) or "null")


def test_the_script_that_submits_and_polls(site: Site, ask: Callable[..., Any]) -> None:
    site.notebook("/Shared/nb", "show parameters")
    submitted = ask("runs", "submit", "--json", json.dumps({"run_name": "integration test", **NOTEBOOK}))
    run: dict[str, Any] = {"state": {}}
    while run["state"].get("life_cycle_state") not in ("TERMINATED", "SKIPPED", "INTERNAL_ERROR"):
        run = ask("runs", "get", "--run-id", str(submitted["run_id"]))
    assert (run["state"]["life_cycle_state"], run["state"]["result_state"]) == ("TERMINATED", "SUCCESS")
    assert run["task"]["notebook_task"]["notebook_path"] == "/Shared/nb"
    output = ask("runs", "get-output", "--run-id", str(submitted["run_id"]))
    assert output["notebook_output"]["result"] == '{"a": "1"}'


def test_waiting_for_a_submitted_run(site: Site, databricks_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("databricks_cli.runs.cli.time.sleep", lambda _: None)
    site.notebook("/Shared/nb", "exit done")
    said = databricks_command("runs", "submit", "--wait", "--json", json.dumps(NOTEBOOK))
    assert json.loads(said[said.index("{") : said.index("}") + 1])["run_id"]


def test_a_job_is_made_again_run_and_deleted(site: Site, ask: Callable[..., Any], databricks_command: Command) -> None:
    site.notebook("/Shared/nb", "show parameters")
    job_id = str(ask("jobs", "create", "--json", json.dumps({"name": "old", **NOTEBOOK}))["job_id"])
    databricks_command("jobs", "reset", "--job-id", job_id, "--json", json.dumps({"name": "new", **NOTEBOOK}))
    assert ask("jobs", "get", "--job-id", job_id)["settings"]["name"] == "new"
    options = ("--notebook-params", '{"a": "2", "b": "3"}', "--idempotency-token", "once")
    run_id = ask("jobs", "run-now", "--job-id", job_id, *options)["run_id"]
    assert ask("jobs", "run-now", "--job-id", job_id, *options)["run_id"] == run_id
    run = site.wait(run_id)
    assert run["overriding_parameters"] == {"notebook_params": {"a": "2", "b": "3"}}
    assert ask("runs", "get-output", "--run-id", str(run_id))["notebook_output"]["result"] == '{"a": "2", "b": "3"}'
    listed = ask("runs", "list", "--job-id", job_id, "--completed-only", "--output", "JSON")
    assert [entry["run_id"] for entry in listed["runs"]] == [run_id]
    databricks_command("jobs", "delete", "--job-id", job_id)
    assert databricks_command("jobs", "list").strip() == ""


def test_a_hanging_run_is_cancelled(site: Site, ask: Callable[..., Any], databricks_command: Command) -> None:
    site.notebook("/Shared/nb", "hang")
    run_id = ask("runs", "submit", "--json", json.dumps(NOTEBOOK))["run_id"]
    assert str(run_id) in databricks_command("runs", "list", "--active-only")
    databricks_command("runs", "cancel", "--run-id", str(run_id))
    assert site.wait(run_id)["state"]["result_state"] == "CANCELED"


def test_pages_and_names_of_the_newer_version(site: Site, databricks_command: Command) -> None:
    for number in range(12):
        values = {"name": f"job-{number}", "tasks": [{"task_key": "a", **NOTEBOOK}]}
        site.ok(RELEASE, "POST", "/jobs/create", values, "2.1")
    page = databricks_command("jobs", "list", "--version=2.1", "--limit", "5", "--offset", "10")
    assert sorted(line.split()[1] for line in page.splitlines() if line) == ["job-0", "job-1"]
    named = databricks_command("jobs", "list", "--version=2.1", "--name", "JOB-3", "--expand-tasks", "--output", "JSON")
    (job,) = json.loads(named)["jobs"]
    assert (job["settings"]["name"], job["settings"]["tasks"][0]["task_key"]) == ("job-3", "a")


def test_a_script_task_with_parameters(site: Site, ask: Callable[..., Any]) -> None:
    site.ok(RELEASE, "POST", "/workspace/import", {"path": "/Users/app-release/s.py", "content": "", "format": "RAW"})
    task = {"spark_python_task": {"python_file": "/Users/app-release/s.py"}, "new_cluster": CLUSTER}
    job_id = str(site.ok(RELEASE, "POST", "/jobs/create", {"name": "script", **task})["job_id"])
    run_id = ask("jobs", "run-now", "--job-id", job_id, "--python-params", '["--day", "1"]')["run_id"]
    site.wait(run_id)
    logs = ask("runs", "get-output", "--run-id", str(run_id))["logs"]
    assert json.loads(logs)["arguments"] == ["--day", "1"]
