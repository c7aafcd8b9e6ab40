"""Folders as archives, and the door for raw files (`/api/2.0/workspace-files/*`)."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.databricks import formats
from tests.rehearsal.databricks.workbench import ADMIN, HOST, READER, Site, token


def zipped(entries: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return target.getvalue()


def put(site: Site, path: str, content: bytes, **options: Any) -> tuple[int, Any]:
    values = {"path": path, "content": base64.b64encode(content).decode(), **options}
    return site.call(ADMIN, "POST", "/workspace/import", values)


def exported(site: Site, path: str, **options: Any) -> bytes:
    return base64.b64decode(site.ok(ADMIN, "GET", "/workspace/export", {"path": path, **options})["content"])


def below(site: Site, path: str) -> dict[str, str]:
    """What lies below a folder: name and kind."""
    workspace = site.workspaces.get(HOST)
    assert workspace is not None
    nodes = [node for node in workspace.tree.walk(path) if node.path != path]
    return {node.path.removeprefix(path + "/"): node.language or node.kind for node in nodes}


def test_a_zip_of_sources_becomes_a_folder(site: Site) -> None:
    entries = {
        "proj/a.py": b"print(1)",
        "proj/deep/b.sql": b"-- Databricks notebook source\nSELECT 1",
        "proj/c.ipynb": b'{"cells": [{"cell_type": "code", "source": "1"}], "metadata": {}}',
        "proj/data.csv": b"1,2",
    }
    assert put(site, "/Shared/x", zipped(entries))[0] == 200
    assert below(site, "/Shared/x") == {
        "a": "PYTHON",
        "c": "PYTHON",
        "data.csv": "FILE",
        "deep": "DIRECTORY",
        "deep/b": "SQL",
    }
    assert exported(site, "/Shared/x/a") == b"# Databricks notebook source\nprint(1)"
    assert exported(site, "/Shared/x/data.csv") == b"1,2"
    status, body = put(site, "/Shared/x", zipped(entries))
    assert (status, body["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")
    assert put(site, "/Shared/x", zipped(entries), overwrite=True)[1]["error_code"] == "INVALID_PARAMETER_VALUE"
    assert put(site, "/Shared/no/x", zipped(entries))[0] == 404


def test_a_folder_is_exported_as_dbc_whatever_is_asked_for_and_comes_back(site: Site) -> None:
    site.notebook(
        "/Shared/p/one", "# Databricks notebook source\n1\n\n# COMMAND ----------\n\n# MAGIC %sql\n# MAGIC SELECT 1"
    )
    site.notebook("/Shared/p/deep/two", "# Databricks notebook source\n# DBTITLE 1,A title\nprint(2)")
    put(site, "/Shared/p/data.csv", b"1", format="RAW")
    archive = exported(site, "/Shared/p")
    assert site.ok(ADMIN, "GET", "/workspace/export", {"path": "/Shared/p"})["file_type"] == "dbc"
    with zipfile.ZipFile(io.BytesIO(archive)) as content:
        assert sorted(content.namelist()) == ["p/deep/two.python", "p/one.python"]
        notebook = json.loads(content.read("p/one.python"))
    assert (notebook["version"], notebook["name"], notebook["language"]) == ("NotebookV1", "one", "python")
    assert [command["command"] for command in notebook["commands"]] == ["1", "%sql\nSELECT 1"]
    assert put(site, "/Shared/copy", archive, format="DBC")[0] == 200
    assert below(site, "/Shared/copy") == {"deep": "DIRECTORY", "deep/two": "PYTHON", "one": "PYTHON"}
    for name in ("one", "deep/two"):
        assert exported(site, f"/Shared/copy/{name}") == exported(site, f"/Shared/p/{name}")
    one = exported(site, "/Shared/p/one", format="DBC")
    assert put(site, "/Shared/single", one, format="DBC")[0] == 200
    assert exported(site, "/Shared/single") == exported(site, "/Shared/p/one")


def test_an_export_holds_only_what_its_reader_may_read(site: Site) -> None:
    site.notebook("/Team/open/nb", "1")
    site.notebook("/Team/closed/nb", "2")
    folder = site.ok(ADMIN, "GET", "/workspace/get-status", {"path": "/Team/open"})["object_id"]
    acl = [{"user_name": READER.display_name, "permission_level": "CAN_READ"}]
    site.ok(ADMIN, "PATCH", f"/permissions/directories/{folder}", {"access_control_list": acl})
    assert site.refused(READER, "GET", "/workspace/export", {"path": "/Team"})[0] == 403
    answer = site.ok(READER, "GET", "/workspace/export", {"path": "/Team/open"})
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(answer["content"]))) as content:
        assert content.namelist() == ["open/nb.python"]


@pytest.mark.parametrize(
    "content",
    [
        zipped({"nb.python": b"no json"}),
        zipped({"nb.python": b'{"language": "python"}'}),
        zipped({"nb.python": b'{"language": "cobol", "commands": []}'}),
        zipped({"readme.txt": b"1"}),
        zipped({}),
        zipped({"../../nb.python": b'{"language": "python", "commands": []}'}),
        zipped({"nb.python": b'{"language": "python", "commands": []}'})[:-30],
    ],
)
def test_archives_that_are_none(site: Site, content: bytes) -> None:
    status, body = put(site, "/Shared/x", content, format="DBC")
    assert (status, body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert below(site, "/Shared") == {}
    assert list((site.folder / "databricks" / HOST / "uploads").iterdir()) == []


def test_an_archive_that_unpacks_to_too_much_is_refused(site: Site) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.py", bytes(10 * 1024 * 1024 + 1))
    assert put(site, "/Shared/x", target.getvalue())[1]["error_code"] == "MAX_NOTEBOOK_SIZE_EXCEEDED"


lines = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8)
cells = st.lists(st.tuples(st.sampled_from(["", "%md\n", "%sql\n"]), lines, st.sampled_from(["", "T"])), min_size=1)


@given(st.sampled_from(sorted(formats.EXTENSIONS)), cells)
def test_cells_survive_source_text(language: str, drawn: list[tuple[str, str, str]]) -> None:
    comment = formats.COMMENTS[language]
    wanted = [formats.Cell(magic + text, title) for magic, text, title in drawn if not text.startswith((comment, "%"))]
    if wanted:
        assert formats.cells_of(language, formats.source_of(language, wanted)) == wanted


def raw(site: Site, method: str, path: str, **options: Any) -> Any:
    url = f"https://{HOST}/api/2.0/workspace-files/{path}"
    return site.client.request(method, url, headers={"Authorization": f"Bearer {token(ADMIN)}"}, **options)


def test_files_go_in_raw_and_come_back_raw(site: Site) -> None:
    data = bytes(range(256))
    answer = raw(site, "POST", "import-file/Workspace%2FShared%2Fa%20%23b.bin", content=data)
    assert answer.status_code == 200
    assert raw(site, "GET", "Shared/a%20%23b.bin").content == data
    again = raw(site, "POST", "import-file/Shared/a%20%23b.bin", content=b"2")
    assert (again.status_code, again.json()["error_code"]) == (409, "ALREADY_EXISTS")
    url = "import-file/Shared/a%20%23b.bin?overwrite=true"
    assert raw(site, "POST", url, content=b"2").status_code == 200
    assert raw(site, "GET", "Shared/a%20%23b.bin").content == b"2"
    assert raw(site, "GET", "Shared/no").status_code == 404
    assert raw(site, "POST", "import-file/Shared/no/x", content=b"").status_code == 404


def test_raw_files_with_a_notebooks_header_are_notebooks(site: Site) -> None:
    raw(site, "POST", "import-file/Shared/nb.py", content=b"# Databricks notebook source\n1")
    assert below(site, "/Shared") == {"nb": "PYTHON"}
    refused = raw(site, "POST", "import-file/Shared/nb?overwrite=true", content=b"x")
    assert (refused.status_code, refused.json()) == (
        400,
        {"error_code": "", "message": "Path (/Shared/nb) already exists."},
    )


def test_a_client_is_told_which_kind_of_file_a_notebook_was(site: Site) -> None:
    put(site, "/Shared/a.ipynb", b'{"cells": [], "metadata": {}}', format="AUTO")
    put(site, "/Shared/b.py", b"# Databricks notebook source\n", format="AUTO")
    for name, wanted in (("a", "JUPYTER"), ("b", "SOURCE")):
        query = {"path": f"/Shared/{name}", "return_export_info": "true"}
        assert site.ok(ADMIN, "GET", "/workspace/get-status", query)["repos_export_format"] == wanted
    assert "repos_export_format" not in site.ok(ADMIN, "GET", "/workspace/get-status", {"path": "/Shared/a"})


def test_a_folder_has_at_most_ten_thousand_children(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rehearsal.databricks.tree.MOST_CHILDREN", 3)
    for name in ("a", "b", "c"):
        put(site, f"/Shared/{name}", b"", format="RAW")
    status, body = put(site, "/Shared/d", b"", format="RAW")
    assert (status, body["error_code"]) == (403, "MAX_CHILD_NODE_SIZE_EXCEEDED")
    assert body["message"] == "Size limit exceeded for folder '/Shared'. Current size: 3 Limit: 3"
    assert site.refused(ADMIN, "POST", "/workspace/mkdirs", {"path": "/Shared/e/f"})[0] == 403
    assert put(site, "/Shared/a", b"2", format="RAW", overwrite=True)[0] == 200
