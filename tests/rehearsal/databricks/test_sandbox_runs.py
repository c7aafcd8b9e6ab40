"""Running a notebook of a sandbox: as oneself, on a cluster as the integration test's, with parameters of one's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slipway.errors import NotPossible, TestFailed, UsageError
from tests.rehearsal.databricks.sandboxes import HEADER, Machine
from tests.rehearsal.databricks.workbench import ADMIN, HOST, Site


@pytest.fixture
def machine(site: Site, tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(site, tmp_path / "checkout")
    workspace = site.workspaces.get(HOST)
    assert workspace is not None
    workspace.members.entitle(machine.who.object_id, ["allow-cluster-create"])
    yield machine


def submitted(machine: Machine) -> dict[str, Any]:
    found = machine.site.ok(ADMIN, "GET", "/jobs/runs/list", {"expand_tasks": True}, "2.2")
    run: dict[str, Any] = found["runs"][0]
    return run


def test_a_run_says_where_it_is_and_what_it_said(machine: Machine, tmp_path: Path) -> None:
    machine.write("notebooks/deep/it's 1.py", HEADER + "show parameters")
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    machine.run("push")
    assert machine.run("run", "notebooks/deep/it's 1.py", "--parameter", "a=b=c", "--parameter", "empty=") == 0, (
        machine.error
    )
    assert json.loads(machine.out) == {"a": "b=c", "empty": "", "output_prefix": "sandbox/ada"}
    assert f"https://{HOST}" in machine.said
    run = submitted(machine)
    assert run["creator_user_name"] == "ada@example.org"
    assert "sandbox of ada@example.org" in run["run_name"]
    assert run["tasks"][0]["new_cluster"]["node_type_id"] == "Standard_D4ds_v5"


def test_a_run_that_fails_says_why(machine: Machine) -> None:
    machine.write("notebooks/score.py", HEADER + "fail no rows")
    machine.run("push")
    assert machine.run("run", "score") == TestFailed.exit_code
    assert machine.error is not None
    assert "no rows" in machine.error.what
    assert "Traceback: no rows" in machine.said
    assert f"https://{HOST}" in machine.error.next_step


def test_the_integration_test_keeps_to_a_prefix_of_its_own(machine: Machine) -> None:
    machine.write("notebooks/integration_test.py", HEADER + "show parameters")
    machine.run("push")
    assert machine.run("run", "./notebooks/integration_test") == 0
    assert json.loads(machine.out) == {"rows": "2000", "output_prefix": "candidate/sandbox-ada"}


def test_what_was_not_pushed_is_said_and_not_run(machine: Machine) -> None:
    machine.write("notebooks/score.py", HEADER + "exit pushed")
    machine.run("push")
    machine.write("notebooks/score.py", HEADER + "exit changed since")
    assert machine.run("run", "score") == 0
    assert machine.out == "pushed\n"
    assert "Changed here and not pushed, so not run: notebooks/score.py" in machine.said


@pytest.mark.parametrize("asked", ["../../secret", "nothing", "", "a\nb"])
def test_only_notebooks_of_the_sandbox_are_run(machine: Machine, asked: str) -> None:
    machine.run("push")
    assert machine.run("run", asked) in (UsageError.exit_code, NotPossible.exit_code)
    assert not [one for one in machine.asked if one.startswith("POST")]


def test_a_file_is_no_notebook(machine: Machine) -> None:
    machine.write("notebooks/plain.py", "x = 1\n")
    machine.run("push")
    assert machine.run("run", "plain") == NotPossible.exit_code
    assert machine.error is not None
    assert "# Databricks notebook source" in machine.error.next_step


def test_what_if_and_mistakes_run_nothing(machine: Machine) -> None:
    machine.run("push")
    assert machine.run("run", "score", "--what-if") == 0
    assert "Would run" in machine.said
    assert machine.run("run", "score", "--parameter", "novalue") == UsageError.exit_code
    assert machine.site.ok(ADMIN, "GET", "/jobs/runs/list", {}, "2.2").get("runs", []) == []


def test_a_cluster_that_is_there(machine: Machine) -> None:
    """The workspace has none; that its id is asked for is seen by the refusal."""
    machine.run("push")
    assert machine.run("run", "score", "--cluster", "0101-120000-abcdefgh") != 0
    assert machine.error is not None
    assert "existing_cluster_id" in machine.error.what or "0101-120000-abcdefgh" in machine.error.what


def test_a_run_that_is_given_up_is_cancelled(machine: Machine) -> None:
    machine.write("notebooks/score.py", HEADER + "hang")
    machine.run("push")

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    machine.sleep = interrupt
    with pytest.raises(KeyboardInterrupt):
        machine.run("run", "score")
    assert machine.asked[-1] == "POST jobs/runs/cancel"
    ended = machine.site.wait(submitted(machine)["run_id"])
    assert ended["state"]["result_state"] == "CANCELED"


def test_a_run_that_does_not_end_in_time_is_cancelled(machine: Machine) -> None:
    machine.write("notebooks/score.py", HEADER + "hang")
    machine.run("push")

    def hours(_: float) -> None:
        machine.site.now += 3600

    machine.sleep = hours
    assert machine.run("run", "score") == TestFailed.exit_code
    assert "did not end in time" in str(machine.error)
    assert machine.asked[-1] == "POST jobs/runs/cancel"
