"""The developers' loop in front of a workspace: push, pull, and what neither of them may do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.errors import Conflict, NotPossible, UsageError
from tests.rehearsal.databricks.sandboxes import FOLDER, HEADER, Machine
from tests.rehearsal.databricks.workbench import ADMIN, RELEASE, Site


@pytest.fixture
def machine(site: Site, tmp_path: Path) -> Iterator[Machine]:
    yield Machine(site, tmp_path / "checkout")


def test_a_push_puts_the_checkout_there_as_a_slot_has_it(machine: Machine) -> None:
    machine.write("notebooks/deep/helper.py", "x = 1\n")
    machine.write("notebooks/it's größe/模型 1.sql", "-- Databricks notebook source\nselect 1\n")
    machine.write("notebooks/.hidden", "no")
    machine.write("notebooks/__pycache__/x.pyc", "no")
    assert machine.run("push") == 0, machine.said
    assert machine.there("notebooks/score") == HEADER + "score = 1\n"
    assert machine.there("notebooks/deep/helper.py") == "x = 1\n"
    assert "select 1" in (machine.there("notebooks/it's größe/模型 1") or "")
    assert machine.listed() == ["deep", "it's größe", "score"]
    values = json.loads(machine.there("config/environment.json") or "")
    assert (values["environment"], values["slot"], values["storage_account"]) == ("dev", "sandbox", "stbikesharedev")


def test_what_has_not_changed_costs_five_requests(machine: Machine) -> None:
    for number in range(20):
        machine.write(f"notebooks/n{number}.py", f"{HEADER}{number}\n")
    machine.run("push")
    for _ in range(2):
        assert machine.run("push") == 0
        assert sorted(machine.asked) == [
            "GET preview/scim/v2/Me",
            "GET workspace/get-status",
            "GET workspace/list",
            "GET workspace/list",
            "GET workspace/list",
        ]
    assert machine.run("pull") == 0
    assert len(machine.asked) == 5


def test_one_changed_file_costs_three_more(machine: Machine) -> None:
    machine.run("push")
    machine.write("notebooks/score.py", HEADER + "score = 2\n")
    assert machine.run("push") == 0
    assert [one for one in machine.asked if one.startswith("POST")] == ["POST workspace/import"]
    assert len(machine.asked) == 8
    assert machine.there("notebooks/score") == HEADER + "score = 2\n"


def test_a_pull_brings_back_what_was_changed_there(machine: Machine) -> None:
    machine.write("notebooks/helper.py", "x = 1\n")
    machine.run("push")
    machine.edit("notebooks/score", "score = 3")
    machine.edit("notebooks/new folder/Untitled Notebook 2026-11-29 10:00:00", "fresh = 1")
    machine.put("notebooks/helper.py", b"x = 2\n")
    assert machine.run("push") == 0
    assert "pull brings it" in machine.said
    assert machine.read("notebooks/score.py") == HEADER + "score = 1\n"
    assert machine.run("pull") == 0, machine.said
    assert machine.read("notebooks/score.py") == HEADER + "score = 3\n"
    assert machine.read("notebooks/new folder/Untitled Notebook 2026-11-29 10:00:00.py") == HEADER + "fresh = 1\n"
    assert machine.read("notebooks/helper.py") == "x = 2\n"
    for action in ("push", "pull"):
        assert machine.run(action) == 0
        assert "0 to the" in machine.said
        assert len(machine.asked) == 6  # a folder more


def test_a_conflict_is_shown_and_nothing_is_overwritten(machine: Machine) -> None:
    machine.write("notebooks/other.py", HEADER + "a\n")
    machine.run("push")
    machine.write("notebooks/score.py", HEADER + "score = 'mine'\n")
    machine.write("notebooks/other.py", HEADER + "b\n")
    machine.edit("notebooks/score", "score = 'theirs'")
    for action in ("push", "pull"):
        assert machine.run(action) == Conflict.exit_code
        assert "-score = 'theirs'" in machine.said
        assert "+score = 'mine'" in machine.said
        assert machine.error is not None
        assert "notebooks/score.py" in machine.error.what
    assert machine.there("notebooks/other") == HEADER + "b\n"  # the rest was brought over
    assert machine.read("notebooks/score.py") == HEADER + "score = 'mine'\n"
    assert machine.there("notebooks/score") == HEADER + "score = 'theirs'"


@pytest.mark.parametrize(("action", "kept"), [("push", "mine"), ("pull", "theirs")])
def test_force_decides_for_the_files_that_are_named(machine: Machine, action: str, kept: str) -> None:
    machine.write("notebooks/other.py", HEADER + "a\n")
    machine.run("push")
    for name in ("score", "other"):
        machine.write(f"notebooks/{name}.py", f"{HEADER}{name} = 'mine'\n")
        machine.edit(f"notebooks/{name}", f"{name} = 'theirs'")
    assert machine.run(action, "--force", "notebooks/score.py") == Conflict.exit_code
    assert f"score = '{kept}'" in machine.read("notebooks/score.py")
    assert f"score = '{kept}'" in (machine.there("notebooks/score") or "")
    assert "mine" in machine.read("notebooks/other.py")
    assert "theirs" in (machine.there("notebooks/other") or "")
    assert machine.run(action, "--force") == 0
    assert kept in machine.read("notebooks/other.py")
    assert kept in (machine.there("notebooks/other") or "")
    assert machine.run(action, "--force", "notebooks/nothing.py") == UsageError.exit_code


def test_a_deletion_is_asked_for_on_both_ways(machine: Machine) -> None:
    machine.write("notebooks/old.py", HEADER + "old\n")
    machine.write("notebooks/deep/older.py", HEADER + "older\n")
    machine.run("push")
    (machine.root / "notebooks/old.py").unlink()
    questions: list[str] = []
    assert machine.run("push") == 0  # nobody to ask

    def refuse(text: str) -> bool:
        questions.append(text)
        return False

    assert machine.run("push", ask=refuse) == 0
    assert questions == ["Delete 1 in the workspace (notebooks/old.py)?"]
    assert "old" in machine.listed()
    assert machine.run("push", ask=lambda _: True) == 0
    assert "old" not in machine.listed()
    machine.remove("notebooks/deep/older")
    assert machine.run("pull") == 0
    assert machine.read("notebooks/deep/older.py")
    assert machine.run("pull", "--delete") == 0
    assert machine.files() == ["score.py"]
    assert not (machine.root / "notebooks/deep").exists()


@pytest.mark.parametrize("action", ["push", "pull"])
def test_what_is_changed_while_a_question_is_open_is_seen(machine: Machine, action: str) -> None:
    machine.write("notebooks/old.py", HEADER + "old\n")
    machine.run("push")
    mine, theirs = HEADER + "score = 'mine'\n", "score = 'theirs'"
    if action == "push":
        (machine.root / "notebooks/old.py").unlink()
        machine.write("notebooks/score.py", mine)
    else:
        machine.remove("notebooks/old")
        machine.edit("notebooks/score", theirs)

    def thinks(_: str) -> bool:
        if action == "push":
            machine.edit("notebooks/score", theirs)
        else:
            machine.write("notebooks/score.py", mine)
        return True

    assert machine.run(action, ask=thinks) == Conflict.exit_code
    assert machine.read("notebooks/score.py") == mine
    assert machine.there("notebooks/score") == HEADER + theirs
    assert "old.py" not in machine.files()
    assert "old" not in machine.listed()


def test_deleted_on_one_side_and_changed_on_the_other_is_a_conflict(machine: Machine) -> None:
    machine.run("push")
    machine.edit("notebooks/score", "score = 4")
    (machine.root / "notebooks/score.py").unlink()
    assert machine.run("push", "--delete") == Conflict.exit_code
    assert "was deleted here and changed in the workspace" in machine.said
    assert machine.run("pull", "--force") == 0
    assert machine.read("notebooks/score.py") == HEADER + "score = 4\n"


def test_two_machines_of_one_developer(site: Site, tmp_path: Path) -> None:
    one, two = Machine(site, tmp_path / "one"), Machine(site, tmp_path / "two")
    one.run("push")
    two.run("push")  # the same content: in step
    one.write("notebooks/score.py", HEADER + "score = 'one'\n")
    assert one.run("push") == 0
    assert two.run("push") == 0  # its older file is not put over it
    assert one.there("notebooks/score") == HEADER + "score = 'one'\n"
    two.write("notebooks/score.py", HEADER + "score = 'two'\n")
    assert two.run("push") == Conflict.exit_code
    assert two.run("pull", "--force") == 0
    assert two.read("notebooks/score.py") == one.read("notebooks/score.py")
    late = Machine(site, tmp_path / "three")  # a fresh clone, which never took part
    assert late.run("push") == Conflict.exit_code
    assert one.there("notebooks/score") == HEADER + "score = 'one'\n"


def test_a_push_that_was_cut_before_its_record_goes_on(machine: Machine) -> None:
    machine.run("push")
    record = next((machine.root / ".sandbox").iterdir())
    before = record.read_bytes()
    machine.write("notebooks/score.py", HEADER + "score = 2\n")
    machine.run("push")
    record.write_bytes(before)
    assert machine.run("push") == 0
    assert "0 to the workspace" in machine.said
    record.write_text("{")
    assert machine.run("pull") == 0
    assert "can't be read" in machine.said


def test_what_if_changes_nothing_anywhere(machine: Machine) -> None:
    assert machine.run("push", "--what-if") == 0
    assert all(one.startswith("GET") for one in machine.asked)
    assert "+ notebooks/score.py" in machine.said
    assert not (machine.root / ".sandbox").exists()
    machine.run("push")
    machine.edit("notebooks/score", "score = 5")
    assert machine.run("pull", "--what-if") == 0
    assert "~ notebooks/score.py" in machine.said
    assert machine.read("notebooks/score.py") == HEADER + "score = 1\n"


def test_a_notebook_that_became_a_file_and_back(machine: Machine) -> None:
    machine.run("push")
    machine.write("notebooks/score.py", "score = 'a file'\n")
    assert machine.run("push") == 0
    assert "takes the place of" in machine.said
    assert machine.listed() == ["score"]
    assert machine.run("push", "--delete") == 0
    assert machine.listed() == ["score.py"]
    machine.remove("notebooks/score.py")
    machine.edit("notebooks/score", "score = 'a notebook'")
    assert machine.run("pull", "--delete") == 0, machine.said
    assert machine.read("notebooks/score.py") == HEADER + "score = 'a notebook'\n"
    machine.write("notebooks/score.sql", "-- Databricks notebook source\nselect 1\n")
    (machine.root / "notebooks/score.py").unlink()
    assert machine.run("push") == 0
    assert "select 1" in (machine.there("notebooks/score") or "")
    for action in ("push", "pull"):
        assert machine.run(action) == 0
        assert "0 to the" in machine.said


def test_what_can_not_be_brought_over_is_named_and_left(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("outside")
    (machine.root / "notebooks/link.txt").symlink_to(tmp_path / "secret.txt")
    (machine.root / "notebooks/linked").symlink_to(tmp_path)
    machine.write("notebooks/book.ipynb", "{}")
    machine.write("notebooks/twice.py", HEADER + "a\n")
    machine.write("notebooks/twice.sql", "-- Databricks notebook source\nb\n")
    machine.write("notebooks/large.py", HEADER.encode() + b"#" * (10 * 1024 * 1024))
    assert machine.run("push") == 0
    for name in ("link.txt", "linked", "book.ipynb", "twice.sql", "large.py"):
        assert f"Left as it is: notebooks/{name}" in machine.said
    assert machine.listed() == ["score"]
    # Nothing of it counts as deleted here, or is written through a link.
    machine.put("notebooks/link.txt", b"from the workspace")
    machine.put("notebooks/linked/x.txt", b"from the workspace")
    assert machine.run("pull") == 0
    assert machine.run("push", "--delete") == 0
    assert (tmp_path / "secret.txt").read_text() == "outside"
    assert not (tmp_path / "x.txt").exists()
    assert machine.there("notebooks/link.txt") == "from the workspace"


def test_a_file_that_is_too_large_to_be_read_there(machine: Machine) -> None:
    machine.run("push")
    machine.put("notebooks/large.bin", b"#" * (10 * 1024 * 1024 + 1))
    assert machine.run("pull") == Conflict.exit_code
    assert "too large there to be read" in machine.said
    assert machine.files() == ["score.py"]
    machine.write("notebooks/own.bin", b"-" * (10 * 1024 * 1024 + 1))
    assert machine.run("push") == 0
    assert machine.run("push") == 0
    assert "0 to the workspace" in machine.said


def test_names_that_differ_by_case_only_are_one_file_somewhere(machine: Machine) -> None:
    machine.run("push")
    machine.edit("notebooks/Score", "another = 1")
    assert machine.run("pull") == 0
    assert "Score" in machine.said
    assert machine.files() == ["score.py"]


def test_a_file_there_that_would_be_a_notebook_here_is_left(machine: Machine) -> None:
    machine.run("push")
    machine.put("notebooks/odd.py", HEADER.encode() + b"1\n")
    assert machine.run("pull") == 0
    assert "begins as a notebook" in machine.said
    assert machine.files() == ["score.py"]
    assert machine.run("push", "--delete") == 0
    assert "odd.py" in machine.listed()


def test_values_changed_there_are_not_overwritten(machine: Machine) -> None:
    machine.run("push")
    machine.put("config/environment.json", b"{}")
    machine.put("library/mine.whl", b"not ours")
    assert machine.run("push") == 0
    assert machine.there("config/environment.json") == "{}"
    defaults = (machine.root / "config/defaults.yml").read_text()
    machine.write("config/defaults.yml", defaults.replace("storage_key_name: storage-key", "storage_key_name: other"))
    assert machine.run("push") == Conflict.exit_code
    assert machine.there("config/environment.json") == "{}"
    assert machine.run("push", "--force", "config/environment.json") == 0
    assert "other" in (machine.there("config/environment.json") or "")
    assert machine.there("library/mine.whl") == "not ours"


def test_wheels_lie_there_as_a_slot_has_them(machine: Machine, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "app-1-py3-none-any.whl").write_bytes(b"one")
    assert machine.run("push", "--wheel", str(wheels)) == 0
    assert machine.listed("library") == ["app-1-py3-none-any.whl"]
    (wheels / "app-1-py3-none-any.whl").rename(wheels / "app-2-py3-none-any.whl")
    assert machine.run("push", "--wheel", str(wheels)) == 0  # what was made here goes without a question
    assert machine.listed("library") == ["app-2-py3-none-any.whl"]
    assert machine.run("pull", "--delete") == 0
    assert machine.listed("library") == ["app-2-py3-none-any.whl"]


def test_who_has_no_folder_is_told(site: Site, tmp_path: Path) -> None:
    release = Machine(site, tmp_path / "one", RELEASE)
    assert release.run("push") == NotPossible.exit_code
    assert release.error is not None
    assert "service principal" in release.error.what
    assert release.asked == ["GET preview/scim/v2/Me"]
    assert release.run("push", "--folder", "/Workspace/Users/app-release/app") == 0
    assert release.run("push", "--folder", "/Workspace/Slipway/bikeshare/dev/blue") == UsageError.exit_code
    assert release.run("push", "--environment", "prod") == UsageError.exit_code


def test_a_home_that_is_not_there(machine: Machine) -> None:
    workspace = machine.site.workspaces.get("adb-7405612345678901.1.azuredatabricks.net")
    assert workspace is not None
    home = workspace.tree.at("/Users/ada@example.org")
    assert home is not None
    workspace.tree.remove(home)
    assert machine.run("push") == NotPossible.exit_code
    assert machine.error is not None
    assert "/Workspace/Users/ada@example.org" in machine.error.what
    assert "open" in machine.error.next_step


def test_what_lies_there_and_is_no_folder(machine: Machine) -> None:
    machine.site.notebook(FOLDER, "a notebook of that name", machine.who)
    assert machine.run("push") == NotPossible.exit_code
    assert machine.error is not None
    assert "NOTEBOOK" in machine.error.what


def test_a_pull_before_any_push(machine: Machine) -> None:
    assert machine.run("pull") == UsageError.exit_code


def test_a_folder_that_is_gone_is_made_again(machine: Machine) -> None:
    machine.run("push")
    machine.site.ok(ADMIN, "POST", "/workspace/delete", {"path": FOLDER, "recursive": True})
    assert machine.run("push") == 0
    assert machine.there("notebooks/score") == HEADER + "score = 1\n"


def test_nothing_outside_the_folder_is_touched(machine: Machine) -> None:
    machine.site.notebook("/Workspace/Users/ada@example.org/private", "mine", machine.who)
    machine.run("push")
    machine.site.notebook(f"{FOLDER}/scratch", "beside", machine.who)
    machine.put("notes.txt", b"beside")
    machine.run("pull", "--delete")
    machine.run("push", "--delete", "--force")
    assert machine.listed("") == ["config", "notebooks", "notes.txt", "scratch"]
    assert not (machine.root / "notes.txt").exists()
