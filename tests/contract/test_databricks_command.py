"""The `databricks` command (databricks-cli), as scripts used it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.clients import Commands, Refusal
from tests.contract.place import Place

pytestmark = pytest.mark.contract
CLUSTER = {"spark_version": "16.4.x-scala2.12", "node_type_id": "Standard_D4ds_v5", "num_workers": 1}


def test_folders_go_in_and_come_back(commands: Commands, place: Place, tmp_path: Path) -> None:
    source, back, target = tmp_path / "source", tmp_path / "back", f"/Shared/{place.name('command')}"
    (source / "deeper").mkdir(parents=True)
    (source / "one.py").write_text("# Databricks notebook source\nprint(1)\n")
    (source / "deeper" / "two.sql").write_text("-- Databricks notebook source\nSELECT 2\n")
    commands.databricks("workspace", "import_dir", "-o", str(source), target)
    commands.databricks("workspace", "import_dir", "-o", str(source), target)
    commands.databricks("workspace", "export_dir", target, str(back))
    assert (back / "one.py").read_text() == (source / "one.py").read_text()
    assert (back / "deeper" / "two.sql").read_text() == (source / "deeper" / "two.sql").read_text()
    with pytest.raises(Refusal, match="RESOURCE_DOES_NOT_EXIST"):
        commands.databricks("workspace", "export", f"{target}/none", str(tmp_path / "none.py"))
    commands.databricks("workspace", "rm", "--recursive", target)


def test_files_go_to_dbfs_and_back(commands: Commands, place: Place, tmp_path: Path) -> None:
    large, target = tmp_path / "large.whl", f"dbfs:/tmp/{place.name('command')}"
    large.write_bytes(bytes(range(256)) * 20_000)
    commands.databricks("fs", "mkdirs", target)
    commands.databricks("fs", "cp", str(large), f"{target}/large.whl")
    with pytest.raises(Refusal, match="already exists"):
        commands.databricks("fs", "cp", str(large), f"{target}/large.whl")
    commands.databricks("fs", "cp", "--overwrite", str(large), f"{target}/large.whl")
    commands.databricks("fs", "mv", f"{target}/large.whl", f"{target}/moved.whl")
    assert commands.databricks("fs", "ls", target).split() == ["moved.whl"]
    commands.databricks("fs", "cp", f"{target}/moved.whl", str(tmp_path / "back.whl"))
    assert (tmp_path / "back.whl").read_bytes() == large.read_bytes()
    commands.databricks("fs", "rm", "--recursive", target)


def test_scopes_and_secrets(commands: Commands, place: Place) -> None:
    scope = place.name("command")
    commands.databricks("secrets", "create-scope", "--scope", scope, "--initial-manage-principal", "users")
    with pytest.raises(Refusal, match="RESOURCE_ALREADY_EXISTS"):
        commands.databricks("secrets", "create-scope", "--scope", scope)
    one = ["--scope", scope, "--key", "password"]
    commands.databricks("secrets", "put", *one, "--string-value", "p")
    assert scope in commands.databricks("secrets", "list-scopes")
    assert "password" in commands.databricks("secrets", "list", "--scope", scope)
    acl = ["--scope", scope, "--principal", "users"]
    commands.databricks("secrets", "put-acl", *acl, "--permission", "READ")
    assert "READ" in commands.databricks("secrets", "get-acl", *acl)
    assert "users" in commands.databricks("secrets", "list-acls", "--scope", scope)
    commands.databricks("secrets", "delete-acl", *acl)
    commands.databricks("secrets", "delete", *one)
    commands.databricks("secrets", "delete-scope", "--scope", scope)


def test_groups(commands: Commands, workspace: Any, place: Place) -> None:
    team, member = place.name("team"), f"{place.prefix}-member@example.org"
    person = workspace.users.create(user_name=member)
    commands.databricks("groups", "create", "--group-name", team)
    who = ["--parent-name", team, "--user-name", member]
    commands.databricks("groups", "add-member", *who)
    assert team in commands.databricks("groups", "list")
    assert member in commands.databricks("groups", "list-members", "--group-name", team)
    assert team in commands.databricks("groups", "list-parents", "--user-name", member)
    commands.databricks("groups", "remove-member", *who)
    commands.databricks("groups", "delete", "--group-name", team)
    workspace.users.delete(person.id)


def test_tokens(commands: Commands, place: Place) -> None:
    made = json.loads(commands.databricks("tokens", "create", "--comment", place.name("token")))
    own = {"DATABRICKS_HOST": place.host, "DATABRICKS_TOKEN": made["token_value"]}
    with_it = Commands(place=place, folder=commands.folder, more=own)
    assert with_it.run("databricks", "workspace", "ls", "/").split()
    number = made["token_info"]["token_id"]
    assert number in commands.databricks("tokens", "list")
    commands.databricks("tokens", "revoke", "--token-id", number)
    with pytest.raises(Refusal):
        with_it.run("databricks", "workspace", "ls", "/")


def test_cluster_policies(commands: Commands, place: Place) -> None:
    body = {"name": place.name("policy"), "definition": json.dumps({"num_workers": {"type": "fixed", "value": 1}})}
    made = json.loads(commands.databricks("cluster-policies", "create", "--json", json.dumps(body)))["policy_id"]
    changed = {**body, "policy_id": made, "definition": json.dumps({"num_workers": {"type": "fixed", "value": 2}})}
    commands.databricks("cluster-policies", "edit", "--json", json.dumps(changed))
    shown = json.loads(commands.databricks("cluster-policies", "get", "--policy-id", made))
    assert json.loads(shown["definition"])["num_workers"]["value"] == 2
    assert place.name("policy") in commands.databricks("cluster-policies", "list")
    commands.databricks("cluster-policies", "delete", "--policy-id", made)


def test_what_there_is_none_of(commands: Commands) -> None:
    commands.databricks("instance-pools", "list")
    commands.databricks("libraries", "all-cluster-statuses")
    commands.databricks("clusters", "list")
    with pytest.raises(Refusal, match="does not exist"):
        commands.databricks("clusters", "get", "--cluster-id", "0000-000000-none0000")


@pytest.mark.parametrize("version", ["2.0", "2.1"])
def test_jobs(commands: Commands, place: Place, version: str) -> None:
    api = f"--version={version}"
    task = {"notebook_task": {"notebook_path": "/Shared/nowhere"}, "new_cluster": CLUSTER}
    what = task if version == "2.0" else {"tasks": [{"task_key": "only", **task}]}
    body = {"name": place.name("command"), **what}
    job = str(json.loads(commands.databricks("jobs", "create", api, "--json", json.dumps(body)))["job_id"])
    assert place.name("command") in commands.databricks("jobs", "list", api)
    assert json.loads(commands.databricks("jobs", "get", api, "--job-id", job))["settings"]["name"] == body["name"]
    commands.databricks("jobs", "reset", api, "--job-id", job, "--json", json.dumps({**body, "timeout_seconds": 60}))
    run = str(json.loads(commands.databricks("jobs", "run-now", api, "--job-id", job))["run_id"])
    assert json.loads(commands.databricks("runs", "get", api, "--run-id", run))["job_id"] == int(job)
    assert run in commands.databricks("runs", "list", api, "--job-id", job)
    commands.databricks("jobs", "delete", api, "--job-id", job)


def test_a_token_that_nobody_gave_is_refused(commands: Commands, place: Place) -> None:
    stranger = Commands(
        place=place, folder=commands.folder, more={"DATABRICKS_HOST": place.host, "DATABRICKS_TOKEN": "dapi0123"}
    )
    with pytest.raises(Refusal, match="Authorization failed"):
        stranger.run("databricks", "jobs", "list")
