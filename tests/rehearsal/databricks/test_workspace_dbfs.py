"""DBFS: streamed uploads, moves, limits; and the `databricks` command copying a library through the gateway."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.databricks.workbench import ADMIN, HOST, RELEASE, Site

MEGABYTE = 1024 * 1024


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def content(site: Site, path: str, **options: Any) -> bytes:
    return base64.b64decode(site.ok(ADMIN, "GET", "/dbfs/read", {"path": path, **options})["data"])


def stream(site: Site, path: str, blocks: Sequence[bytes], **options: Any) -> None:
    handle = site.ok(ADMIN, "POST", "/dbfs/create", {"path": path, **options})["handle"]
    for block in blocks:
        site.ok(ADMIN, "POST", "/dbfs/add-block", {"handle": handle, "data": encoded(block)})
    site.ok(ADMIN, "POST", "/dbfs/close", {"handle": handle})


def test_a_stream_becomes_a_file_when_it_is_closed(site: Site) -> None:
    stream(site, "dbfs:/libs/deep/a.jar", [b"a" * MEGABYTE, b"", b"end"])
    found = site.ok(ADMIN, "GET", "/dbfs/get-status", {"path": "/libs/deep/a.jar"})
    assert (found["path"], found["file_size"], found["is_dir"]) == ("/libs/deep/a.jar", MEGABYTE + 3, False)
    assert content(site, "/libs/deep/a.jar", offset=MEGABYTE - 1, length=10) == b"aend"


def test_a_block_has_at_most_a_megabyte_and_the_stream_goes_on(site: Site) -> None:
    handle = site.ok(ADMIN, "POST", "/dbfs/create", {"path": "/x"})["handle"]
    block = {"handle": handle, "data": encoded(bytes(MEGABYTE + 1))}
    assert site.refused(ADMIN, "POST", "/dbfs/add-block", block)[:2] == (400, "MAX_BLOCK_SIZE_EXCEEDED")
    site.ok(ADMIN, "POST", "/dbfs/add-block", block | {"data": encoded(b"fits")})
    site.ok(ADMIN, "POST", "/dbfs/close", {"handle": handle})
    assert content(site, "/x") == b"fits"


def test_a_handle_is_gone_after_closing_after_ten_idle_minutes_and_for_others(site: Site) -> None:
    handle = site.ok(ADMIN, "POST", "/dbfs/create", {"path": "/x"})["handle"]
    block = {"handle": handle, "data": encoded(b"1")}
    missing = (404, "RESOURCE_DOES_NOT_EXIST")
    assert site.refused(RELEASE, "POST", "/dbfs/add-block", block)[:2] == missing
    site.now += 599
    site.ok(ADMIN, "POST", "/dbfs/add-block", block)
    site.now += 599
    site.ok(ADMIN, "POST", "/dbfs/close", {"handle": handle})
    assert site.refused(ADMIN, "POST", "/dbfs/close", {"handle": handle})[:2] == missing
    idle = site.ok(ADMIN, "POST", "/dbfs/create", {"path": "/y"})["handle"]
    site.now += 601
    assert site.refused(ADMIN, "POST", "/dbfs/add-block", block | {"handle": idle})[:2] == missing
    assert list((site.folder / "databricks" / HOST / "uploads").iterdir()) == []


def test_what_is_there_is_replaced_only_when_asked_and_a_folder_never(site: Site) -> None:
    stream(site, "/x", [b"old"])
    exists = (400, "RESOURCE_ALREADY_EXISTS")
    assert site.refused(ADMIN, "POST", "/dbfs/create", {"path": "/x"})[:2] == exists
    assert content(site, "/x") == b"old"
    stream(site, "/x", [b"new"], overwrite=True)
    assert content(site, "/x") == b"new"
    site.ok(ADMIN, "POST", "/dbfs/mkdirs", {"path": "/folder"})
    assert site.refused(ADMIN, "POST", "/dbfs/create", {"path": "/folder", "overwrite": True})[:2] == exists
    assert site.refused(ADMIN, "POST", "/dbfs/create", {"path": "/x/below"})[:2] == exists


def test_files_and_folders_move(site: Site) -> None:
    stream(site, "/a/one", [b"1"])
    site.ok(ADMIN, "POST", "/dbfs/move", {"source_path": "dbfs:/a", "destination_path": "dbfs:/b/c"})
    assert content(site, "/b/c/one") == b"1"
    move = {"source_path": "/a", "destination_path": "/z"}
    refused = site.refused(ADMIN, "POST", "/dbfs/move", move)
    assert refused == (404, "RESOURCE_DOES_NOT_EXIST", "No file or directory exists on path /a.")
    stream(site, "/a", [b"2"])
    there = {"source_path": "/a", "destination_path": "/b/c/one"}
    assert site.refused(ADMIN, "POST", "/dbfs/move", there)[:2] == (400, "RESOURCE_ALREADY_EXISTS")
    inside = {"source_path": "/b", "destination_path": "/b/c/d"}
    assert site.refused(ADMIN, "POST", "/dbfs/move", inside)[:2] == (400, "INVALID_PARAMETER_VALUE")
    assert site.refused(ADMIN, "POST", "/dbfs/move", {"source_path": "/a"})[:2] == (400, "INVALID_PARAMETER_VALUE")


def test_reading_has_limits(site: Site) -> None:
    stream(site, "/x", [bytes(700_000)])
    assert len(content(site, "/x")) == 512 * 1024
    assert content(site, "/x", offset=700_000) == content(site, "/x", offset=9_000_000) == b""
    assert len(content(site, "/x", offset=699_990, length=MEGABYTE)) == 10
    too_much = {"path": "/x", "length": MEGABYTE + 1}
    assert site.refused(ADMIN, "GET", "/dbfs/read", too_much)[:2] == (400, "MAX_READ_SIZE_EXCEEDED")
    for wrong in ({"path": "/"}, {"path": "/x", "offset": -1}, {"path": "/x", "length": -1}):
        assert site.refused(ADMIN, "GET", "/dbfs/read", wrong)[:2] == (400, "INVALID_PARAMETER_VALUE")


def test_delete_takes_a_full_folder_only_with_recursive_and_a_missing_path_for_done(site: Site) -> None:
    stream(site, "/a/b/c", [b"1"])
    refused = site.refused(ADMIN, "POST", "/dbfs/delete", {"path": "/a"})
    assert refused[1:] == ("BAD_REQUEST", "Directory is not empty. Use recursive delete or remove contents first.")
    site.ok(ADMIN, "POST", "/dbfs/delete", {"path": "/a", "recursive": True})
    site.ok(ADMIN, "POST", "/dbfs/delete", {"path": "/a"})
    assert site.ok(ADMIN, "GET", "/dbfs/list", {"path": "/"})["files"][0]["path"] == "/databricks-datasets"


def test_put_in_one_request_up_to_a_megabyte_and_more_as_a_form(site: Site) -> None:
    site.ok(ADMIN, "POST", "/dbfs/put", {"path": "/x", "contents": encoded(bytes(MEGABYTE))})
    large = {"path": "/y", "contents": encoded(bytes(MEGABYTE + 1))}
    assert site.refused(ADMIN, "POST", "/dbfs/put", large)[:2] == (400, "MAX_BLOCK_SIZE_EXCEEDED")
    session, data = site.session(ADMIN), bytes(range(256)) * 20_000
    form = {"path": "/y", "overwrite": "false"}
    url = f"https://{HOST}/api/2.0/dbfs/put"
    assert session.post(url, data=form, files={"contents": ("y", data)}).status_code == 200
    assert site.ok(ADMIN, "GET", "/dbfs/get-status", {"path": "/y"})["file_size"] == len(data)
    again = session.post(url, data=form, files={"contents": ("y", b"")})
    assert (again.status_code, again.json()["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")


@pytest.mark.parametrize("path", ["dbfs:/Volumes/main/default/v/x", "/Volumes"])
def test_volumes_are_not_reached_through_dbfs(site: Site, path: str) -> None:
    refused = site.refused(ADMIN, "GET", "/dbfs/list", {"path": path})
    assert refused == (403, "PERMISSION_DENIED", "No operations allowed on this path")
    assert site.refused(ADMIN, "POST", "/dbfs/create", {"path": path})[0] == 403


def test_a_folder_of_many_files_is_listed_whole(site: Site) -> None:
    folder = site.folder / "databricks" / HOST / "dbfs" / "many"
    folder.mkdir()
    for number in range(3_000):
        (folder / f"{number:05}").touch()
    listed = site.ok(ADMIN, "GET", "/dbfs/list", {"path": "dbfs:/many/"})["files"]
    assert [entry["path"] for entry in listed] == [f"/many/{number:05}" for number in range(3_000)]


def test_a_library_of_several_megabytes_goes_in_and_comes_back(program: Callable[..., str], tmp_path: Path) -> None:
    library, back = tmp_path / "libs" / "app.whl", tmp_path / "back"
    (tmp_path / "libs" / "deeper").mkdir(parents=True)
    library.write_bytes(os.urandom(5 * MEGABYTE + 17))
    (tmp_path / "libs" / "deeper" / "notes.txt").write_text("ü\n")
    program("fs", "cp", "--recursive", str(tmp_path / "libs"), "dbfs:/libs")
    program("fs", "cp", "--recursive", "dbfs:/libs", str(back))
    assert (back / "app.whl").read_bytes() == library.read_bytes()
    assert (back / "deeper" / "notes.txt").read_text() == "ü\n"
    library.write_bytes(b"newer")
    assert "Skip" in program("fs", "cp", "--recursive", str(tmp_path / "libs"), "dbfs:/libs")
    program("fs", "cp", "--overwrite", str(library), "dbfs:/libs/app.whl")
    assert program("fs", "cat", "dbfs:/libs/app.whl") == "newer"


def test_the_command_looks_around_moves_and_removes(site: Site, databricks_command: Callable[..., str]) -> None:
    stream(site, "/libs/deeper/notes.txt", [b"1"])
    databricks_command("fs", "mv", "dbfs:/libs/deeper/notes.txt", "dbfs:/libs/notes.txt")
    assert sorted(databricks_command("fs", "ls", "dbfs:/libs").split()) == ["deeper", "notes.txt"]
    databricks_command("fs", "rm", "--recursive", "dbfs:/libs")
    assert "libs" not in databricks_command("fs", "ls", "dbfs:/")
