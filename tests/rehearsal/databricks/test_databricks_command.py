"""The workspace looked at with the `databricks` command of databricks-cli 0.18."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.rehearsal.databricks.workbench import CLUSTER, Site

Command = Callable[..., str]


def test_a_folder_goes_in_and_comes_back(databricks_command: Command, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deeper").mkdir(parents=True)
    (source / "one.py").write_text("# Databricks notebook source\nprint(1)\n")
    (source / "deeper" / "two.sql").write_text("SELECT 2\n")
    databricks_command("workspace", "import_dir", str(source), "/Shared/project")
    assert databricks_command("workspace", "ls", "/Shared/project").split() == ["deeper", "one"]
    assert "NOTEBOOK" in databricks_command("workspace", "ls", "-l", "/Shared/project")
    databricks_command("workspace", "export_dir", "/Shared/project", str(tmp_path / "back"))
    assert (tmp_path / "back/one.py").read_text() == "# Databricks notebook source\nprint(1)\n"
    assert (tmp_path / "back/deeper/two.sql").read_text() == "-- Databricks notebook source\nSELECT 2\n"
    databricks_command("workspace", "rm", "--recursive", "/Shared/project")
    assert databricks_command("workspace", "ls", "/Shared").strip() == ""


def test_a_folder_goes_in_once_more_over_what_is_there(databricks_command: Command, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "one.py").write_text("# Databricks notebook source\nprint(1)\n")
    databricks_command("workspace", "mkdirs", "/Shared/project")
    databricks_command("workspace", "import_dir", "-o", str(source), "/Shared/project")
    (source / "one.py").write_text("# Databricks notebook source\nprint(2)\n")
    (source / "two.scala").write_text("println(2)\n")
    databricks_command("workspace", "import_dir", "-o", str(source), "/Shared/project")
    assert databricks_command("workspace", "ls", "/Shared/project").split() == ["one", "two"]
    databricks_command("workspace", "export_dir", "-o", "/Shared/project", str(tmp_path / "back"))
    assert (tmp_path / "back/one.py").read_text() == "# Databricks notebook source\nprint(2)\n"
    assert (tmp_path / "back/two.scala").read_text() == "// Databricks notebook source\nprintln(2)\n"
    databricks_command("workspace", "export", "-f", "DBC", "/Shared/project", str(tmp_path / "project.dbc"))
    databricks_command(
        "workspace", "import", "-f", "DBC", "-l", "PYTHON", str(tmp_path / "project.dbc"), "/Shared/copy"
    )
    assert databricks_command("workspace", "ls", "/Shared/copy").split() == ["one", "two"]
    databricks_command("workspace", "rm", "-r", "/Shared/project")
    assert databricks_command("workspace", "ls", "/Shared").split() == ["copy"]


def test_secrets(databricks_command: Command) -> None:
    databricks_command("secrets", "create-scope", "--scope", "team")
    databricks_command("secrets", "put", "--scope", "team", "--key", "password", "--string-value", "p")
    assert "team" in databricks_command("secrets", "list-scopes")
    assert "password" in databricks_command("secrets", "list", "--scope", "team")
    databricks_command("secrets", "put-acl", "--scope", "team", "--principal", "users", "--permission", "READ")
    assert "users" in databricks_command("secrets", "list-acls", "--scope", "team")


def test_jobs_and_runs(databricks_command: Command, site: Site) -> None:
    site.notebook("/Shared/nb", "exit done")
    task = {"notebook_task": {"notebook_path": "/Shared/nb"}, "new_cluster": CLUSTER}
    created = json.loads(databricks_command("jobs", "create", "--json", json.dumps({"name": "nightly", **task})))
    assert "nightly" in databricks_command("jobs", "list")
    shown = json.loads(databricks_command("jobs", "get", "--job-id", str(created["job_id"])))
    assert shown["settings"]["notebook_task"]["notebook_path"] == "/Shared/nb"
    run = json.loads(databricks_command("runs", "submit", "--json", json.dumps({"run_name": "now", **task})))
    site.wait(run["run_id"])
    assert "now" in databricks_command("runs", "list")
    assert (
        json.loads(databricks_command("runs", "get", "--run-id", str(run["run_id"])))["state"]["result_state"]
        == "SUCCESS"
    )
    output = json.loads(databricks_command("runs", "get-output", "--run-id", str(run["run_id"])))
    assert output["notebook_output"]["result"] == "done"


def test_jobs_of_the_newer_version(databricks_command: Command, site: Site) -> None:
    task = {"task_key": "a", "notebook_task": {"notebook_path": "/Shared/nb"}, "new_cluster": CLUSTER}
    for number in range(30):
        databricks_command(
            "jobs", "create", "--version=2.1", "--json", json.dumps({"name": f"job-{number}", "tasks": [task]})
        )
    listed = databricks_command("jobs", "list", "--version=2.1", "--all")
    assert all(f"job-{number}" in listed for number in range(30))


def test_dbfs(databricks_command: Command, site: Site, tmp_path: Path) -> None:
    (site.folder / "datasets" / "bikes").mkdir()
    (site.folder / "datasets" / "bikes" / "hour.csv").write_text("a,b\n1,2\n")
    assert databricks_command("fs", "ls", "dbfs:/databricks-datasets/bikes").strip() == "hour.csv"
    databricks_command("fs", "cp", "dbfs:/databricks-datasets/bikes/hour.csv", str(tmp_path / "hour.csv"))
    assert (tmp_path / "hour.csv").read_text() == "a,b\n1,2\n"
    databricks_command("fs", "mkdirs", "dbfs:/tmp/x")
    assert "x" in databricks_command("fs", "ls", "dbfs:/tmp")
