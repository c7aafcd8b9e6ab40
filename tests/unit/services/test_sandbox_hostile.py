"""A workspace that answers what no workspace should: nothing outside the checkout's notebooks/ is written for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.domain.sandbox import Record
from slipway.services.databricks import Workspace
from slipway.steps.sandbox.files import Refused, remove_file, write_file
from slipway.steps.sandbox.reading import read_there
from tests.unit.services.conftest import Answer, Wire

FOLDER = "/Workspace/Users/ada/app"
BAD = [
    "../../escape",
    "..",
    "/etc/passwd",
    f"{FOLDER}/notebooks/../../x",
    f"{FOLDER}/notebooks/a\\..\\b",
    "/Workspace/Users/grace/app/notebooks/n",
]


def test_paths_that_were_not_asked_for_are_not_taken(wire: Wire) -> None:
    notebooks: list[dict[str, object]] = [
        {"path": path, "object_type": "NOTEBOOK", "language": "PYTHON"} for path in BAD
    ]
    notebooks += [
        {"path": f"{FOLDER}/notebooks/fine", "object_type": "NOTEBOOK", "language": "PYTHON", "modified_at": 1},
        {"path": f"{FOLDER}/notebooks/.git", "object_type": "DIRECTORY"},
        {"path": f"{FOLDER}/notebooks/board", "object_type": "DASHBOARD"},
        {"path": f"{FOLDER}/notebooks/..", "object_type": "DIRECTORY"},
    ]
    wire.on("GET", r"workspace/list.*(library|config)", Answer())
    wire.on("GET", r"workspace/list.*notebooks$", Answer(body={"objects": notebooks}))
    wire.on("GET", r"workspace/export", Answer(body=b"# Databricks notebook source\n1"))
    workspace = Workspace("https://adb-1.1.azuredatabricks.net", token=lambda: "t", sleep=lambda _: None)
    there = read_there(workspace, FOLDER, Record(host="h", folder=FOLDER), ())
    assert list(there.items) == ["notebooks/fine"]
    assert {*BAD, "notebooks/board", f"{FOLDER}/notebooks/.."} == {one.path for one in there.left}
    assert wire.count("GET", "workspace/export") == 1


@pytest.mark.parametrize(
    "relative",
    [
        "",
        "notebooks",
        "../x",
        "notebooks/../../x",
        "/etc/passwd",
        "config/defaults.yml",
        "notebooks/a\\b",
        "notebooks//x",
        "notebooks/a\0b",
    ],
)
def test_nothing_outside_notebooks_is_written(tmp_path: Path, relative: str) -> None:
    (tmp_path / "project" / "notebooks").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Refused):
        write_file(tmp_path / "project", relative, b"x")
    with pytest.raises(Refused):
        remove_file(tmp_path / "project", relative)
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "project"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    (root / "notebooks").mkdir(parents=True)
    (root / "notebooks/folder").symlink_to(outside)
    (root / "notebooks/file").symlink_to(outside / "kept")
    (root / "notebooks/dangling").symlink_to(outside / "new")
    (root / "notebooks/plain").write_text("plain")
    for relative in (
        "notebooks/folder/kept",
        "notebooks/folder/new",
        "notebooks/file",
        "notebooks/dangling",
        "notebooks/plain/below",
    ):
        with pytest.raises(Refused):
            write_file(root, relative, b"x")
        with pytest.raises(Refused):
            remove_file(root, relative)
    assert [path.name for path in outside.iterdir()] == ["kept"]
    assert (outside / "kept").read_text() == "kept"


def test_a_file_is_written_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    write_file(tmp_path, "notebooks/a/b.py", b"one")
    target = tmp_path / "notebooks/a/b.py"
    target.chmod(0o755)
    write_file(tmp_path, "notebooks/a/b.py", b"two")
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"two", 0o755)
    assert [path.name for path in target.parent.iterdir()] == ["b.py"]
    remove_file(tmp_path, "notebooks/a/b.py")
    assert [path.name for path in tmp_path.rglob("*")] == ["notebooks"]
