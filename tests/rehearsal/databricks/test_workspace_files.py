"""`/api/2.0/workspace/*`: what may lie where, and what is answered when it may not."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.rehearsal.databricks.workbench import ADMIN, HOST, READER, RELEASE, Site


def put(site: Site, path: str, content: bytes, **options: Any) -> dict[str, Any]:
    values = {"path": path, "content": base64.b64encode(content).decode(), **options}
    return dict(site.ok(ADMIN, "POST", "/workspace/import", values))


def refused_put(site: Site, path: str, content: bytes, **options: Any) -> tuple[int, str, str]:
    values = {"path": path, "content": base64.b64encode(content).decode(), **options}
    return site.refused(ADMIN, "POST", "/workspace/import", values)


def status(site: Site, path: str) -> dict[str, Any]:
    return dict(site.ok(ADMIN, "GET", "/workspace/get-status", {"path": path}))


def exported(site: Site, path: str, **options: Any) -> bytes:
    return base64.b64decode(site.ok(ADMIN, "GET", "/workspace/export", {"path": path, **options})["content"])


def test_source_keeps_its_exact_name_and_gets_the_header_once(site: Site) -> None:
    put(site, "/Shared/nb.py", b"print(1)", language="PYTHON")
    assert status(site, "/Shared/nb.py")["object_type"] == "NOTEBOOK"
    assert exported(site, "/Shared/nb.py") == b"# Databricks notebook source\nprint(1)"
    put(site, "/Shared/nb.py", b"# Databricks notebook source\nprint(2)", language="PYTHON", overwrite=True)
    assert exported(site, "/Shared/nb.py") == b"# Databricks notebook source\nprint(2)"
    assert site.call(ADMIN, "GET", "/workspace/get-status", {"path": "/Shared/nb"})[0] == 404


@pytest.mark.parametrize(
    ("name", "content", "kept", "kind"),
    [
        ("a.py", b"# Databricks notebook source\nx", "a", "NOTEBOOK"),
        ("a.py", b"# Databricks notebook source\r\nx", "a", "NOTEBOOK"),
        ("a.sql", b"-- Databricks notebook source", "a", "NOTEBOOK"),
        ("a.scala", b"// Databricks notebook source\n", "a", "NOTEBOOK"),
        ("a.r", b"# Databricks notebook source\n", "a", "NOTEBOOK"),
        ("a.py", b"import os\n", "a.py", "FILE"),
        ("a.py", b"# Databricks notebook sources\n", "a.py", "FILE"),
        ("a.sql", b"# Databricks notebook source\n", "a.sql", "FILE"),
        ("a.txt", b"# Databricks notebook source\n", "a.txt", "FILE"),
        ("a", b"# Databricks notebook source\n", "a", "FILE"),
        (
            "a.ipynb",
            b'{"cells": [], "metadata": {"language_info": {"name": "python"}}, "nbformat": 4}',
            "a",
            "NOTEBOOK",
        ),
        ("a.whl", b"PK\x03\x04", "a.whl", "FILE"),
    ],
)
def test_auto_looks_at_extension_and_first_line(site: Site, name: str, content: bytes, kept: str, kind: str) -> None:
    put(site, f"/Shared/{name}", content, format="AUTO")
    listed = site.ok(ADMIN, "GET", "/workspace/list", {"path": "/Shared"})["objects"]
    assert [(entry["path"], entry["object_type"]) for entry in listed] == [(f"/Shared/{kept}", kind)]


def test_raw_is_always_a_file(site: Site) -> None:
    put(site, "/Shared/nb.py", b"# Databricks notebook source\nx", format="RAW")
    found = status(site, "/Shared/nb.py")
    assert (found["object_type"], found["size"]) == ("FILE", 30)
    assert "language" not in found


def test_an_overwrite_keeps_the_id_and_the_folder_changes_language_with_it(site: Site) -> None:
    first = put(site, "/Shared/nb", b"1", language="PYTHON")["object_id"]
    put(site, "/Shared/nb", b"SELECT 1", language="SQL", overwrite=True)
    found = status(site, "/Shared/nb")
    assert (found["object_id"], found["resource_id"], found["language"]) == (first, str(first), "SQL")
    assert exported(site, "/Shared/nb") == b"-- Databricks notebook source\nSELECT 1"
    notebooks = site.folder / "databricks" / HOST / "workspace" / "notebooks" / "Shared"
    assert [file.name for file in notebooks.iterdir()] == ["nb.sql"]


def test_what_is_there_is_not_replaced_unasked_nor_by_another_type(site: Site) -> None:
    put(site, "/Shared/x", b"1", format="RAW")
    assert refused_put(site, "/Shared/x", b"2", format="RAW") == (
        400,
        "RESOURCE_ALREADY_EXISTS",
        "/Shared/x already exists. Please pass overwrite=true to overwrite it.",
    )
    values = {"path": "/Shared/x", "content": "", "language": "PYTHON", "overwrite": True}
    code, body = site.call(ADMIN, "POST", "/workspace/import", values)
    assert (code, body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert (
        body["message"]
        == "Cannot overwrite the asset at /Shared/x due to type mismatch (asked: NOTEBOOK, actual: FILE)"
    )
    assert body["details"][0]["reason"] == "WORKSPACE_OBJECT_TYPE_MISMATCH"
    assert body["details"][0]["metadata"] == {"existing_type": "FILE"}
    assert exported(site, "/Shared/x") == b"1"


def test_import_makes_no_parents(site: Site) -> None:
    expected = (404, "RESOURCE_DOES_NOT_EXIST", "The parent folder (/Shared/no) does not exist.")
    assert refused_put(site, "/Shared/no/x", b"1", format="RAW") == expected
    put(site, "/Shared/file", b"1", format="RAW")
    assert refused_put(site, "/Shared/file/x", b"1", format="RAW")[0] == 404


def test_both_names_of_a_path_are_the_same_and_are_echoed_as_asked(site: Site) -> None:
    put(site, "/Workspace/Shared/x", b"1", format="RAW")
    assert status(site, "/Shared/x")["path"] == "/Shared/x"
    assert status(site, "/Workspace//Shared/x/")["path"] == "/Workspace/Shared/x"
    listed = site.ok(ADMIN, "GET", "/workspace/list", {"path": "/Workspace/Shared"})["objects"]
    assert [entry["path"] for entry in listed] == ["/Workspace/Shared/x"]
    assert status(site, "/Workspace")["object_id"] == status(site, "/")["object_id"] == 0
    assert {entry["path"] for entry in site.ok(ADMIN, "GET", "/workspace/list", {"path": "/"})["objects"]} == {
        "/Repos",
        "/Shared",
        "/Users",
    }


def test_list_of_an_empty_folder_a_file_and_nothing(site: Site) -> None:
    assert site.ok(ADMIN, "GET", "/workspace/list", {"path": "/Shared"}) == {}
    put(site, "/Shared/x", b"1", format="RAW")
    listed = site.ok(ADMIN, "GET", "/workspace/list", {"path": "/Shared/x"})["objects"]
    assert [entry["path"] for entry in listed] == ["/Shared/x"]
    missing = (404, "RESOURCE_DOES_NOT_EXIST", "Path (/Shared/y) doesn't exist.")
    for operation in ("list", "get-status", "export"):
        assert site.refused(ADMIN, "GET", f"/workspace/{operation}", {"path": "/Shared//y"}) == missing
    assert site.refused(ADMIN, "POST", "/workspace/delete", {"path": "/Shared/y"}) == missing


def test_mkdirs_makes_what_is_missing_and_stops_at_a_file(site: Site) -> None:
    for _ in range(2):
        site.ok(ADMIN, "POST", "/workspace/mkdirs", {"path": "/Shared/a/b/c"})
    assert status(site, "/Shared/a/b/c")["object_type"] == "DIRECTORY"
    put(site, "/Shared/a/file", b"1", format="RAW")
    refused = site.refused(ADMIN, "POST", "/workspace/mkdirs", {"path": "/Shared/a/file/x"})
    assert refused[:2] == (400, "RESOURCE_ALREADY_EXISTS")


def test_a_folder_with_something_in_it_goes_only_with_recursive(site: Site) -> None:
    put_in = "/Shared/a/nb"
    site.notebook(put_in, "x")
    expected = (400, "DIRECTORY_NOT_EMPTY", "Folder (/Shared/a) is not empty")
    assert site.refused(ADMIN, "POST", "/workspace/delete", {"path": "/Shared/a"}) == expected
    site.ok(ADMIN, "POST", "/workspace/delete", {"path": "/Shared/a", "recursive": True})
    assert site.call(ADMIN, "GET", "/workspace/get-status", {"path": put_in})[0] == 404
    site.ok(ADMIN, "POST", "/workspace/mkdirs", {"path": "/Shared/a"})
    site.ok(ADMIN, "POST", "/workspace/delete", {"path": "/Shared/a"})


@pytest.mark.parametrize("path", ["/", "/Shared", "/Users", "/Repos", "/Workspace", "/Users/app-release"])
def test_fixed_folders_stay(site: Site, path: str) -> None:
    assert site.refused(ADMIN, "POST", "/workspace/delete", {"path": path, "recursive": True})[0] == 400
    assert status(site, path)["object_type"] == "DIRECTORY"


@pytest.mark.parametrize(
    "path", ["x", "", None, 7, "/Shared/../../../etc/x", "/Shared/./x", "/Shared/a\nb", "/Shared/" + "n" * 250]
)
def test_paths_that_are_none(site: Site, path: Any) -> None:
    values = {"path": path, "content": "", "format": "RAW"}
    assert site.refused(ADMIN, "POST", "/workspace/import", values)[1] == "INVALID_PARAMETER_VALUE"
    assert site.refused(ADMIN, "POST", "/workspace/mkdirs", {"path": path})[1] == "INVALID_PARAMETER_VALUE"
    assert {file.name for file in (site.folder / "databricks" / HOST / "workspace" / "files").iterdir()} == {
        "Users",
        "Shared",
        "Repos",
    }


def test_relative_path_has_the_services_words(site: Site) -> None:
    assert site.refused(ADMIN, "GET", "/workspace/list", {"path": "x/y"})[2] == "Path (x/y) doesn't start with '/'"


def test_size_limits(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 10 * 1024 * 1024
    assert put(site, "/Shared/big", bytes(limit), format="RAW")["object_id"]
    refused = refused_put(site, "/Shared/bigger", bytes(limit + 1), format="RAW")
    assert refused[:2] == (400, "MAX_NOTEBOOK_SIZE_EXCEEDED")
    assert refused_put(site, "/Shared/far", bytes(20 * 1024 * 1024), format="RAW")[1] == "MAX_NOTEBOOK_SIZE_EXCEEDED"
    monkeypatch.setattr("rehearsal.databricks.routes.workspace_files.LARGEST_FILE", 1000)
    session = site.session(ADMIN)
    form = {"path": "/Shared/form", "format": "RAW"}
    answer = session.post(f"https://{HOST}/api/2.0/workspace/import", data=form, files={"content": bytes(1001)})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "MAX_NOTEBOOK_SIZE_EXCEEDED")
    assert (
        session.post(f"https://{HOST}/api/2.0/workspace/import", data=form, files={"content": bytes(1000)}).status_code
        == 200
    )
    assert list((site.folder / "databricks" / HOST / "uploads").iterdir()) == []


def test_a_large_file_comes_back_only_by_direct_download(site: Site) -> None:
    session, content = site.session(ADMIN), bytes(range(256)) * 50_000
    form = {"path": "/Shared/lib.whl", "format": "RAW", "overwrite": "true"}
    session.post(f"https://{HOST}/api/2.0/workspace/import", data=form, files={"content": content}).raise_for_status()
    refused = site.refused(ADMIN, "GET", "/workspace/export", {"path": "/Shared/lib.whl"})
    assert refused == (400, "MAX_NOTEBOOK_SIZE_EXCEEDED", "Notebook size exceeds maximum allowed size")
    query = {"path": "/Shared/lib.whl", "direct_download": "true"}
    assert session.get(f"https://{HOST}/api/2.0/workspace/export", params=query).content == content


def test_import_of_what_can_not_be(site: Site) -> None:
    assert refused_put(site, "/Shared/x", b"not a zip")[2] == "The zip archive contains no items."
    assert refused_put(site, "/Shared/x", b"PK\x03\x04zip")[1] == "INVALID_PARAMETER_VALUE"
    assert refused_put(site, "/Shared/x", b"x", format="DBC")[1] == "INVALID_PARAMETER_VALUE"
    assert refused_put(site, "/Shared/x", b"x", format="HTML")[1] == "NOT_IMPLEMENTED"
    assert refused_put(site, "/Shared/x", b"x", format="WORD")[1] == "INVALID_PARAMETER_VALUE"
    assert refused_put(site, "/Shared/x", b"x", language="COBOL")[1] == "INVALID_PARAMETER_VALUE"
    assert refused_put(site, "/Shared/x", b"no json", format="JUPYTER")[1] == "INVALID_PARAMETER_VALUE"
    assert refused_put(site, "/Shared/x.dbc", b"x", format="AUTO")[1] == "NOT_IMPLEMENTED"
    put(site, "/Shared/nb", b"x", language="PYTHON")
    html = {"path": "/Shared/nb", "format": "HTML"}
    assert site.refused(ADMIN, "GET", "/workspace/export", html)[1] == "NOT_IMPLEMENTED"


def test_jupyter_goes_in_and_out(site: Site) -> None:
    notebook = b'{"cells": [{"cell_type": "markdown", "source": ["# T"]}, {"cell_type": "code", "source": "1"}], "metadata": {}}'
    put(site, "/Shared/nb", notebook, format="JUPYTER")
    source = exported(site, "/Shared/nb").decode()
    assert source == "# Databricks notebook source\n# MAGIC %md\n# MAGIC # T\n\n# COMMAND ----------\n\n1"
    back = exported(site, "/Shared/nb", format="JUPYTER").decode()
    assert '"nbformat": 4' in back
    assert '"name": "python"' in back


def test_only_admins_create_at_the_root(site: Site) -> None:
    refused = site.refused(RELEASE, "POST", "/workspace/mkdirs", {"path": "/Slipway/app"})
    assert refused == (
        403,
        "PERMISSION_DENIED",
        "app-release does not have Manage permissions on /. Please contact the owner or an administrator for access.",
    )
    site.ok(ADMIN, "POST", "/workspace/mkdirs", {"path": "/Slipway/app"})
    assert site.refused(ADMIN, "POST", "/workspace/mkdirs", {"path": "/Projects"})[2] == "Projects is a reserved name"
    protected = (400, "DIRECTORY_PROTECTED", "Folder Users is protected")
    assert site.refused(ADMIN, "POST", "/workspace/mkdirs", {"path": "/Users/nobody"}) == protected


def test_under_repos_there_are_git_folders_only(site: Site) -> None:
    site.ok(ADMIN, "POST", "/workspace/mkdirs", {"path": "/Repos/team"})
    for path in ("/Repos/team/x", "/Repos/other/x/y"):
        assert site.refused(ADMIN, "POST", "/workspace/mkdirs", {"path": path})[1] == "INVALID_PARAMETER_VALUE"
    for path in ("/Repos/x", "/Repos/team/x"):
        assert refused_put(site, path, b"1", format="RAW")[1] == "INVALID_PARAMETER_VALUE"


def test_homes_belong_to_their_members(site: Site) -> None:
    site.notebook("/Users/app-release/nb", "x", RELEASE)
    assert site.refused(READER, "GET", "/workspace/export", {"path": "/Users/app-release/nb"})[0] == 403
    assert (
        site.ok(READER, "GET", "/workspace/list", {"path": "/Users"})["objects"][0]["path"] == "/Users/ada@example.org"
    )
    assert len(site.ok(ADMIN, "GET", "/workspace/list", {"path": "/Users"})["objects"]) == 3
