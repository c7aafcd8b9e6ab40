"""Files and folders of volumes (`/api/2.0/fs/*`), on the folders that notebooks see as /Volumes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.rehearsal.databricks.workbench import ADMIN, HOST, READER, Site, token

VOLUME = "/Volumes/main/default/libs"
VOLUMES = "/unity-catalog/volumes"
NAMED = {"catalog_name": "main", "schema_name": "default", "name": "libs", "volume_type": "MANAGED"}


@pytest.fixture(autouse=True)
def volume(site: Site) -> Iterator[None]:
    site.ok(ADMIN, "POST", VOLUMES, NAMED, "2.1")
    yield


def ask(site: Site, method: str, kind: str, path: str, **options: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token(ADMIN)}", **options.pop("headers", {})}
    url = f"https://{HOST}/api/2.0/fs/{kind}{quote(path)}"
    return site.client.request(method, url, headers=headers, **options)


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, code and reason."""
    body = answer.json()
    return answer.status_code, body["error_code"], body["details"][0]["reason"]


def test_a_file_goes_in_is_described_and_comes_back(site: Site) -> None:
    path, data = f"{VOLUME}/new folder/a#b? ü.bin", bytes(range(256)) * 9000
    answer = ask(site, "PUT", "files", path, content=data)
    assert (answer.status_code, answer.content) == (204, b"")
    head = ask(site, "HEAD", "files", path)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(data)), b"")
    assert head.headers["content-type"] == "application/octet-stream"
    back = ask(site, "GET", "files", path)
    assert back.content == data
    assert back.headers["last-modified"] == head.headers["last-modified"]
    volumes = site.folder / "databricks" / HOST / "volumes"
    assert (volumes / "main/default/libs/new folder/a#b? ü.bin").read_bytes() == data
    assert ask(site, "DELETE", "files", path).status_code == 204
    assert refusal(ask(site, "GET", "files", path)) == (404, "NOT_FOUND", "FILES_API_FILE_NOT_FOUND")


def test_a_range_and_a_file_that_changed_since(site: Site) -> None:
    ask(site, "PUT", "files", f"{VOLUME}/x", content=b"0123456789")
    part = ask(site, "GET", "files", f"{VOLUME}/x", headers={"Range": "bytes=3-5"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"345", "bytes 3-5/10")
    assert ask(site, "GET", "files", f"{VOLUME}/x", headers={"Range": "bytes=10-"}).status_code == 416
    same = {"If-Unmodified-Since": part.headers["last-modified"]}
    assert ask(site, "GET", "files", f"{VOLUME}/x", headers=same).content == b"0123456789"
    early = {"If-Unmodified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}
    assert ask(site, "GET", "files", f"{VOLUME}/x", headers=early).status_code == 412
    assert ask(site, "GET", "files", f"{VOLUME}/x", headers={"If-Unmodified-Since": "soon"}).status_code == 400


def test_a_file_is_replaced_unless_overwrite_is_false(site: Site) -> None:
    for content in (b"1", b"2"):
        assert ask(site, "PUT", "files", f"{VOLUME}/x", content=content).status_code == 204
    refused = ask(site, "PUT", "files", f"{VOLUME}/x", content=b"3", params={"overwrite": "false"})
    assert refusal(refused) == (409, "ALREADY_EXISTS", "FILES_API_FILE_ALREADY_EXISTS")
    assert ask(site, "GET", "files", f"{VOLUME}/x").content == b"2"
    assert ask(site, "PUT", "files", VOLUME, content=b"").status_code == 409
    assert ask(site, "PUT", "files", f"{VOLUME}/x/y", content=b"").status_code == 409
    assert list((site.folder / "databricks" / HOST / "uploads").iterdir()) == []


def test_folders(site: Site) -> None:
    for _ in range(2):
        assert ask(site, "PUT", "directories", f"{VOLUME}/a/b").status_code == 204
    assert ask(site, "HEAD", "directories", f"{VOLUME}/a/b/").status_code == 200
    refused = ask(site, "DELETE", "directories", f"{VOLUME}/a")
    assert refusal(refused) == (400, "INVALID_PARAMETER_VALUE", "FILES_API_DIRECTORY_IS_NOT_EMPTY")
    assert ask(site, "DELETE", "directories", f"{VOLUME}/a/b").status_code == 204
    missing = (404, "NOT_FOUND", "FILES_API_DIRECTORY_IS_NOT_FOUND")
    assert refusal(ask(site, "DELETE", "directories", f"{VOLUME}/a/b")) == missing
    ask(site, "PUT", "files", f"{VOLUME}/file", content=b"1")
    assert refusal(ask(site, "GET", "directories", f"{VOLUME}/file")) == missing
    assert ask(site, "HEAD", "directories", f"{VOLUME}/file").status_code == 404
    assert ask(site, "PUT", "directories", f"{VOLUME}/file").status_code == 409
    assert ask(site, "DELETE", "directories", VOLUME).status_code == 400


def test_a_folder_is_listed_in_pages(site: Site) -> None:
    folder = site.folder / "databricks" / HOST / "volumes" / "main/default/libs/many"
    (folder / "z").mkdir(parents=True)
    for number in range(2500):
        (folder / f"{number:04}").write_bytes(b"x" * 3)
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"page_size": 5000}
    sizes = []
    while True:
        page = ask(site, "GET", "directories", f"{VOLUME}/many", params=query).json()
        sizes.append(len(page["contents"]))
        found += page["contents"]
        if "next_page_token" not in page:
            break
        query["page_token"] = page["next_page_token"]
    assert sizes == [1000, 1000, 501]
    assert found[0] | {"last_modified": 0} == {
        "path": f"{VOLUME}/many/0000",
        "name": "0000",
        "is_directory": False,
        "file_size": 3,
        "last_modified": 0,
    }
    assert (found[-1]["is_directory"], "file_size" in found[-1]) == (True, False)
    assert ask(site, "GET", "directories", f"{VOLUME}/many/z").json() == {}
    assert ask(site, "GET", "directories", f"{VOLUME}/many", params={"page_token": "%%"}).status_code == 400


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/Workspace/Shared/x", 400, "FILES_API_INVALID_PATH"),
        ("/tmp/x", 400, "FILES_API_INVALID_PATH"),
        ("/Volumes/main/default", 400, "FILES_API_INVALID_PATH"),
        ("/Volumes/main/default/other/x", 404, "FILES_API_VOLUME_NOT_FOUND"),
    ],
)
def test_paths_that_are_no_volumes(site: Site, path: str, status: int, reason: str) -> None:
    for method, kind in (("PUT", "files"), ("GET", "files"), ("GET", "directories"), ("PUT", "directories")):
        answer = ask(site, method, kind, path)
        assert (answer.status_code, answer.json()["details"][0]["reason"]) == (status, reason)


def test_no_path_leaves_the_volume(site: Site) -> None:
    url = f"https://{HOST}/api/2.0/fs/files{VOLUME}/%2e%2e/%2e%2e/%2e%2e/%2e%2e/store.sqlite"
    answer = site.client.request("GET", url, headers={"Authorization": f"Bearer {token(ADMIN)}"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_links_into_the_storage_are_not_enabled(site: Site) -> None:
    begun = ask(site, "POST", "files", f"{VOLUME}/x", params={"action": "initiate-upload"})
    assert begun.json()["multipart_upload"]["session_token"]
    disabled = (403, "PERMISSION_DENIED", "FILES_API_API_IS_NOT_ENABLED")
    assert refusal(ask(site, "POST", "create-upload-part-urls", "", json={"path": f"{VOLUME}/x"})) == disabled
    assert refusal(ask(site, "POST", "create-download-url", "", params={"path": f"{VOLUME}/x"})) == disabled
    assert refusal(ask(site, "POST", "files", f"{VOLUME}/x", params={"action": "complete-upload"})) == disabled
    ask(site, "PUT", "files", f"{VOLUME}/x", content=b"1")
    there = ask(site, "POST", "files", f"{VOLUME}/x", params={"action": "initiate-upload", "overwrite": "false"})
    assert there.status_code == 409


def test_volumes_are_made_listed_and_deleted(site: Site) -> None:
    made = site.ok(READER, "POST", VOLUMES, NAMED | {"name": "Data", "comment": "c"}, "2.1")
    assert (made["full_name"], made["owner"], made["comment"]) == ("main.default.data", "ada@example.org", "c")
    listed = site.ok(ADMIN, "GET", VOLUMES, {"catalog_name": "main", "schema_name": "default"}, "2.1")["volumes"]
    assert [each["name"] for each in listed] == ["data", "libs"]
    assert site.refused(ADMIN, "POST", VOLUMES, NAMED, "2.1")[1] == "RESOURCE_ALREADY_EXISTS"
    external = NAMED | {"name": "x", "volume_type": "EXTERNAL"}
    assert site.refused(ADMIN, "POST", VOLUMES, external, "2.1")[1] == "NOT_IMPLEMENTED"
    for wrong in ("", "a.b", "../../x", "a b"):
        refused = site.refused(ADMIN, "POST", VOLUMES, NAMED | {"name": wrong}, "2.1")
        assert refused[1] == "INVALID_PARAMETER_VALUE"
    site.ok(ADMIN, "DELETE", f"{VOLUMES}/main.default.data", version="2.1")
    assert site.refused(ADMIN, "GET", f"{VOLUMES}/main.default.data", {}, "2.1")[0] == 404
    assert site.ok(ADMIN, "GET", VOLUMES, {"catalog_name": "..", "schema_name": "x"}, "2.1") == {}
