"""Input of the wrong kind: answered in the service's own error shape, whatever it is, and nothing breaks or leaks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rehearsal.databricks.app import operations
from rehearsal.databricks.call import Operation
from rehearsal.databricks.engine import Engine
from rehearsal.databricks.task_process import Tools
from tests.rehearsal.databricks.workbench import ADMIN, HOST, READER, Site, token

ENGINE = Engine(Tools(command=[], environment=dict, datasets=Path(), wheelhouse=None))
# Jobs and runs have tests of their own for this.
SERVED = [each for each in operations(ENGINE, Path()) if not each.path.startswith("/jobs")]
FIELDS = re.findall(
    r"\w+",
    """path content format language overwrite recursive direct_download return_git_info notebooks_modified_after scope key
    string_value bytes_value principal permission scope_backend_type backend_azure_keyvault initial_manage_principal offset length
    handle data contents source_path destination_path url provider branch tag path_prefix next_page_token git_provider git_username
    personal_access_token filter startIndex count attributes Operations members displayName userName applicationId entitlements
    active access_control_list catalog_name schema_name name volume_type page_size page_token comment""",
)

texts = st.sampled_from(
    ["", "/", "/Shared", "/Shared/x", "/../x", "/Workspace/..", "a//b", "dbfs:/x", "\x00", "ü", "𝒳", "x" * 300]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts | st.text(max_size=5)
values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), v, max_size=3), max_leaves=6
)


def send(site: Site, method: str, path: str, **options: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token(ADMIN)}", **options.pop("headers", {})}
    return site.client.request(method, f"https://{HOST}{path}", headers=headers, **options)


def assert_is_an_answer(answer: httpx.Response) -> None:
    """Done, or refused in one of the service's shapes."""
    if answer.status_code < 400 or answer.request.method == "HEAD":
        return
    assert answer.status_code in (400, 403, 404, 409, 412, 416, 501)
    if answer.status_code != 416:
        body = answer.json()
        assert isinstance(body.get("detail") or body.get("message"), str)
        assert "error_code" in body or "schemas" in body


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"))
    volume = {"catalog_name": "a", "schema_name": "b", "name": "c", "volume_type": "MANAGED"}
    site.ok(ADMIN, "POST", "/unity-catalog/volumes", volume, "2.1")
    for scope in ("x", "ü"):
        site.call(ADMIN, "POST", "/secrets/scopes/create", {"scope": scope})
    site.ok(ADMIN, "POST", "/groups/create", {"group_name": "x"})
    site.notebook("/Shared/x", "1")
    yield site
    site.close()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(SERVED),
    st.dictionaries(st.sampled_from(FIELDS), values, max_size=6),
    st.lists(
        st.sampled_from(
            ["1", "0", "x", "..", "jobs", "directories", "Volumes/a/b/c/d", "Volumes/a/b/c", "a.b.c", "Shared/x", "ü?#"]
        ),
        min_size=3,
        max_size=3,
    ),
)
def test_every_operation_answers_whatever_it_is_asked(
    place: Site, operation: Operation, given_values: dict[str, Any], names: list[str]
) -> None:
    parts = iter(names)
    path = re.sub(r"\{\w+\*?\}", lambda _: quote(next(parts)), operation.path)
    query = {name: str(value) for name, value in given_values.items()} if operation.method in ("GET", "HEAD") else {}
    body = None if query else json.dumps(given_values).encode()
    answer = send(place, operation.method, f"/api/{operation.versions[0]}{path}", params=query, content=body)
    assert_is_an_answer(answer)


BODIES = [
    b"{",
    b"[]",
    b"7",
    b'"text"',
    b"\xff\xfe{}",
    b"path=/Shared/x",
    b"[" * 100_000,
    b'{"path": "/Shared/x"} trailing',
    b"\x00",
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("path", ["/workspace/mkdirs", "/workspace/import", "/secrets/put", "/dbfs/put", "/repos"])
def test_a_body_that_is_no_json_object(site: Site, body: bytes, path: str) -> None:
    for content_type in ("application/json", "text/plain", "application/x-www-form-urlencoded", ""):
        answer = send(site, "POST", f"/api/2.0{path}", content=body, headers={"Content-Type": content_type})
        assert (answer.status_code, answer.json()["error_code"]) == (400, "MALFORMED_REQUEST")


def test_json_is_read_whatever_its_type_is_called(site: Site) -> None:
    for number, content_type in enumerate(["text/json", "application/octet-stream", "", "application/xml"]):
        body = json.dumps({"path": f"/Shared/{number}"}).encode()
        answer = send(site, "POST", "/api/2.0/workspace/mkdirs", content=body, headers={"Content-Type": content_type})
        assert (answer.status_code, answer.json()) == (200, {})


@pytest.mark.parametrize("path", ["/workspace/mkdirs", "/workspace/import", "/secrets/put"])
def test_twenty_megabytes_of_json(site: Site, path: str) -> None:
    body = json.dumps({"path": "/Shared/x", "scope": "s", "key": "k", "content": "A" * (20 * 1024 * 1024)}).encode()
    answer = send(site, "POST", f"/api/2.0{path}", content=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "MAX_NOTEBOOK_SIZE_EXCEEDED")


@pytest.mark.parametrize(
    "path",
    [
        "/api/9.9/workspace/list",
        "/api/2.1/workspace/list",
        "/api/2/workspace/list",
        "/api/2.0/workspace/list/",
        "/api/2.0//workspace/list",
        "/api/2.0/workspace/list%2F..",
        "/api/2.0/%2e%2e%2fworkspace/list",
        "/API/2.0/workspace/list",
    ],
)
def test_paths_of_the_api_are_taken_as_they_are(site: Site, path: str) -> None:
    url = httpx.URL(f"https://{HOST}").copy_with(raw_path=path.encode())
    answer = site.client.request("GET", str(url), headers={"Authorization": f"Bearer {token(ADMIN)}"})
    assert (answer.status_code, answer.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


@pytest.mark.parametrize(
    "path",
    [
        "/Workspace/../x",
        "/Shared/%2e%2e/x",
        "/Shared//..//x",
        "/Shared/.",
        "/Workspace/Workspace/..",
        "/Shared/a\\..\\b/..",
    ],
)
def test_no_way_out_of_the_tree(site: Site, path: str) -> None:
    answer = send(site, "POST", "/api/2.0/workspace/mkdirs", json={"path": path})
    if "%2e" in path:  # a JSON text is not decoded twice
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert not (site.folder / "databricks" / HOST / "x").exists()
    raw = send(site, "POST", "/api/2.0/workspace-files/import-file/Shared/%2e%2e/%2e%2e/x", content=b"1")
    assert raw.status_code in (400, 404)


@pytest.mark.parametrize("path", ["/Shared" + "/a" * 199, "/Shared" + ("/" + "b" * 240) * 12])
def test_the_deepest_and_longest_paths_can_be_made_listed_and_deleted(site: Site, path: str) -> None:
    site.ok(ADMIN, "POST", "/workspace/mkdirs", {"path": path})
    assert site.ok(READER, "GET", "/workspace/get-status", {"path": path})["object_type"] == "DIRECTORY"
    site.ok(ADMIN, "POST", "/dbfs/mkdirs", {"path": path})
    for longer in (path + "/a" * 100, path + ("/" + "b" * 240)):
        for operation in ("/workspace/mkdirs", "/dbfs/mkdirs"):
            if len(longer) > 3000 or longer.count("/") > 200:
                assert site.refused(ADMIN, "POST", operation, {"path": longer})[1] == "INVALID_PARAMETER_VALUE"
    top = "/".join(path.split("/")[:3])
    site.ok(ADMIN, "POST", "/workspace/delete", {"path": top, "recursive": True})
    site.ok(ADMIN, "POST", "/dbfs/delete", {"path": top, "recursive": True})
    assert site.ok(ADMIN, "GET", "/workspace/list", {"path": "/Shared"}) == {}


def test_wrong_types_are_named(site: Site) -> None:
    wrong: list[Any] = [["/Shared"], {}, 7, True]
    for path in wrong:
        assert site.refused(ADMIN, "POST", "/workspace/mkdirs", {"path": path})[0] == 400
    delete = {"path": "/Shared", "recursive": "perhaps"}
    assert site.refused(ADMIN, "POST", "/workspace/delete", delete)[:2] == (400, "MALFORMED_REQUEST")
    read = {"path": "/x", "length": "many"}
    assert site.refused(ADMIN, "GET", "/dbfs/read", read)[:2] == (400, "MALFORMED_REQUEST")
    site.ok(ADMIN, "POST", "/workspace/mkdirs", {"path": "/Shared/x", "nobody": {"knows": ["this"]}})


def test_names_keep_their_case_and_letters(site: Site) -> None:
    for name in ("Ä", "ä", "A", "a", "名前", "e\u0301", "\u00e9", "with space", "100%", "a?b#c&d=e+f"):
        site.ok(ADMIN, "POST", "/workspace/mkdirs", {"path": f"/Shared/{name}"})
        shown = site.ok(ADMIN, "GET", "/workspace/get-status", {"path": f"/Shared/{name}"})
        assert shown["path"] == f"/Shared/{name}"
    assert len(site.ok(ADMIN, "GET", "/workspace/list", {"path": "/Shared"})["objects"]) == 10


def test_ten_thousand_objects_are_listed_to_those_who_may_see_them(site: Site) -> None:
    workspace = site.workspaces.get(HOST)
    assert workspace is not None
    for number in range(10_000):
        workspace.tree.make_folders(f"/Shared/{number:05}")
    for who in (ADMIN, READER):
        listed = site.ok(who, "GET", "/workspace/list", {"path": "/Shared"})["objects"]
        assert len(listed) == 10_000
    acl = [{"group_name": "users", "permission_level": "CAN_READ"}] * 10_000
    folder = site.ok(ADMIN, "GET", "/workspace/get-status", {"path": "/Shared/00000"})["object_id"]
    shown = site.ok(ADMIN, "PUT", f"/permissions/directories/{folder}", {"access_control_list": acl})
    direct = [each for each in shown["access_control_list"] if not each["all_permissions"][0]["inherited"]]
    assert len(direct) == 1
