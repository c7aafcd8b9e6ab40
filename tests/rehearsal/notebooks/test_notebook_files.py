from __future__ import annotations

import errno
import glob
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rehearsal.notebooks.paths import Folders
from rehearsal.notebooks.per_notebook import PerNotebook
from rehearsal.notebooks.python_files import MappedFiles
from tests.rehearsal.notebooks.conftest import Bench

FOLDER = "/Workspace/App/blue/notebooks"


@pytest.fixture
def mapped(bench: Bench) -> Iterator[Folders]:
    bench.notebook("App/blue/notebooks/score", "x = 1\n")
    bench.file("workspace/files/App/blue/config/environment.json", '{"slot": "blue"}')
    bench.file("workspace/files/App/blue/manifest.json", "{}")
    undo = MappedFiles(bench.folders, PerNotebook(FOLDER)).install()
    try:
        yield bench.folders
    finally:
        undo()


def test_the_slot_is_found_from_the_working_directory(mapped: Folders) -> None:
    assert Path.cwd() == Path(FOLDER)
    assert os.getcwd() == FOLDER  # noqa: PTH109
    assert (Path.cwd().parent / "config" / "environment.json").read_text() == '{"slot": "blue"}'
    with open("../manifest.json") as manifest:  # noqa: PTH123
        assert manifest.read() == "{}"
    assert Path("../config").resolve() == Path("/Workspace/App/blue/config")


def test_workspace_folders_list_files_folders_and_notebooks(mapped: Folders) -> None:
    assert sorted(os.listdir("..")) == ["config", "manifest.json", "notebooks"]  # noqa: PTH208
    assert sorted(each.path for each in os.scandir("/Workspace/App/blue")) == [
        "/Workspace/App/blue/config",
        "/Workspace/App/blue/manifest.json",
        "/Workspace/App/blue/notebooks",
    ]
    assert [each.name for each in Path(FOLDER).iterdir()] == ["score"]
    assert glob.glob("/Workspace/App/*/config/*.json") == ["/Workspace/App/blue/config/environment.json"]  # noqa: PTH207
    assert {folder for folder, _, _ in os.walk("/Workspace/App/blue")} == {
        "/Workspace/App/blue",
        "/Workspace/App/blue/config",
        FOLDER,
    }


def test_a_notebook_is_no_file_to_read(mapped: Folders) -> None:
    assert Path(FOLDER, "score").exists()
    with pytest.raises(OSError, match="notebook") as caught:
        Path(FOLDER, "score").read_text()
    assert caught.value.errno == errno.EOPNOTSUPP


def test_a_missing_file_is_missing_under_its_own_name(mapped: Folders) -> None:
    for path in ("/Workspace/App/none", "/dbfs/none", "/Volumes/c/s/v/none", "none"):
        with pytest.raises(FileNotFoundError) as caught:
            Path(path).read_bytes()
        assert caught.value.filename == path or str(caught.value.filename) == path
        assert not os.path.exists(path)  # noqa: PTH110


def test_workspace_files_are_read_only(mapped: Folders) -> None:
    manifest = Path("/Workspace/App/blue/manifest.json")
    attempts: list[Callable[[], object]] = [
        lambda: manifest.write_text("x"),
        manifest.unlink,
        lambda: manifest.rename("/tmp/elsewhere"),
        lambda: manifest.with_name("new").mkdir(),
        lambda: shutil.rmtree("/Workspace/App"),
        lambda: Path("relative.txt").write_text("x"),
        lambda: os.open(manifest, os.O_WRONLY),
    ]
    for attempt in attempts:
        with pytest.raises(PermissionError):
            attempt()
    assert (mapped.files / "App/blue/manifest.json").read_text() == "{}"


def test_dbfs_and_volumes_are_writable(mapped: Folders) -> None:
    Path("/dbfs/models/a").mkdir(parents=True)
    Path("/dbfs/models/a/model.bin").write_bytes(b"1")
    shutil.copy("/dbfs/models/a/model.bin", "/dbfs/models/b.bin")
    assert (mapped.dbfs / "models/b.bin").read_bytes() == b"1"
    shutil.copytree("/dbfs/models", "/dbfs/copy")
    assert (mapped.dbfs / "copy/a/model.bin").read_bytes() == b"1"
    shutil.rmtree("/dbfs/models")
    assert not (mapped.dbfs / "models").exists()
    Path("/Volumes/c/s/v").mkdir(parents=True)
    Path("/Volumes/c/s/v/x").write_text("y")
    assert (mapped.volumes / "c/s/v/x").read_text() == "y"


def test_datasets_are_readable_under_dbfs_and_not_writable(mapped: Folders) -> None:
    hour = Path("/dbfs/databricks-datasets/bikeSharing/data-001/hour.csv")
    assert hour.read_text().startswith("instant")
    with pytest.raises(PermissionError):
        hour.unlink()
    assert not Path("/databricks-datasets").exists()


def test_changing_the_directory_is_the_notebooks_own(mapped: Folders) -> None:
    before = mapped.files.stat()
    os.chdir("../config")
    assert Path.cwd() == Path("/Workspace/App/blue/config")
    assert Path("environment.json").exists()
    with pytest.raises(FileNotFoundError):
        os.chdir("nowhere")
    with pytest.raises(NotADirectoryError):
        os.chdir("environment.json")
    os.chdir("/tmp")
    assert os.path.samefile(".", "/tmp")  # noqa: PTH121
    assert mapped.files.stat().st_ino == before.st_ino


def test_paths_of_this_machine_are_left_alone(mapped: Folders, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("1")
    assert (tmp_path / "x").read_bytes() == b"1"
    with open(os.open(tmp_path / "x", os.O_RDONLY)) as opened:  # noqa: PTH123
        assert opened.read() == "1"
    assert os.listdir(os.fsencode(tmp_path / "datasets")) == [b"bikeSharing"]  # noqa: PTH208
