"""Who is let in, and what the others are told."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from rehearsal.databricks.authentication import DATABRICKS_APPLICATION
from tests.rehearsal.databricks.workbench import ADMIN, HOST, OTHER_HOST, RELEASE, RESOURCE_ID, STRANGER, Site, token

MANAGEMENT = "https://management.core.windows.net/"
WRITE = "Microsoft.Databricks/workspaces/write"


def me(site: Site, headers: dict[str, str], host: str = HOST) -> httpx.Response:
    return site.client.request("GET", f"https://{host}/api/2.0/preview/scim/v2/Me", headers=headers)


def test_without_a_token(site: Site) -> None:
    answer = me(site, {})
    assert (answer.status_code, answer.json()["error_code"]) == (401, 401)
    assert answer.json()["message"].startswith("Credential was not sent or was of an unsupported type for this API.")


def test_with_a_token_nobody_issued(site: Site) -> None:
    answer = me(site, {"Authorization": "Bearer dapi0123456789"})
    assert (answer.status_code, answer.json()["error_code"]) == (403, 403)
    assert answer.json()["message"].startswith("Invalid access token.")
    assert "dapi0123456789" not in answer.text
    assert answer.headers["X-Databricks-Reason-Phrase"].startswith("Invalid access token.")


def test_with_a_token_for_another_service(site: Site) -> None:
    answer = me(site, {"Authorization": f"Bearer {token(ADMIN, MANAGEMENT)}"})
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")
    assert "io.jsonwebtoken.IncorrectClaimException: Expected aud claim to be: " + DATABRICKS_APPLICATION in answer.text


def test_with_a_token_of_yesterday(site: Site) -> None:
    answer = me(site, {"Authorization": f"Bearer {token(ADMIN, 'expired')}"})
    assert (answer.status_code, answer.json()["message"]) == (401, "Token is expired")


def test_a_stranger_is_not_authorized(site: Site) -> None:
    answer = me(site, {"Authorization": f"Bearer {token(STRANGER)}"})
    assert answer.status_code == 403
    assert "User not authorized." in answer.text


def azure_headers(**changed: Any) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {token(STRANGER)}",
        "X-Databricks-Azure-SP-Management-Token": token(STRANGER, MANAGEMENT),
        "X-Databricks-Azure-Workspace-Resource-Id": RESOURCE_ID.upper(),
        **changed,
    }


def test_a_contributor_of_the_workspace_resource_comes_in_as_admin_and_stays(site: Site) -> None:
    assert me(site, azure_headers()).status_code == 403
    site.roles.granted.add((STRANGER.object_id, RESOURCE_ID, WRITE))
    groups = me(site, azure_headers()).json()["groups"]
    assert {group["display"] for group in groups} == {"admins", "users"}
    assert me(site, {"Authorization": f"Bearer {token(STRANGER)}"}).status_code == 200
    assert me(site, azure_headers(), OTHER_HOST).status_code == 403


@pytest.mark.parametrize(
    "changed",
    [
        {"X-Databricks-Azure-SP-Management-Token": "nonsense"},
        {"X-Databricks-Azure-SP-Management-Token": token(ADMIN, MANAGEMENT)},
        {"X-Databricks-Azure-SP-Management-Token": token(STRANGER)},
        {"X-Databricks-Azure-Workspace-Resource-Id": RESOURCE_ID + "-other"},
    ],
)
def test_the_two_headers_must_fit(site: Site, changed: dict[str, str]) -> None:
    site.roles.granted.add((STRANGER.object_id, RESOURCE_ID, WRITE))
    assert me(site, azure_headers(**changed)).status_code in (400, 403)
    assert me(site, {"Authorization": f"Bearer {token(STRANGER)}"}).status_code == 403


def test_a_host_nobody_seeded(site: Site) -> None:
    answer = me(site, {"Authorization": f"Bearer {token(ADMIN)}"}, "adb-1.1.azuredatabricks.net")
    assert answer.status_code == 404
    assert "adb-1.1.azuredatabricks.net" in answer.text


def test_workspaces_share_nothing(site: Site) -> None:
    site.ok(ADMIN, "POST", "/workspace/mkdirs", {"path": "/Slipway"})
    assert site.call(ADMIN, "GET", "/workspace/get-status", {"path": "/Slipway"}, host=OTHER_HOST)[0] == 404
    assert site.client.request("GET", f"https://{OTHER_HOST}/api/2.0/preview/scim/v2/Me").headers["X-Databricks-Org-Id"]


def test_a_service_principal_is_known_by_its_application_id(site: Site) -> None:
    answer = site.ok(RELEASE, "GET", "/preview/scim/v2/Me")
    assert (answer["userName"], answer["applicationId"], answer["displayName"]) == (
        "app-release",
        "app-release",
        "Release",
    )


def test_discovery_needs_no_token(site: Site) -> None:
    answer = site.client.request("GET", f"https://{HOST}/.well-known/databricks-config")
    assert answer.json() == {"oidc_endpoint": f"https://{HOST}/oidc", "workspace_id": "7405612345678901"}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/api/2.0/nonsense/x", 404, "ENDPOINT_NOT_FOUND"),
        ("POST", "/api/2.0/workspace/get-status", 404, "ENDPOINT_NOT_FOUND"),
        ("GET", "/api/9.9/workspace/get-status", 404, "ENDPOINT_NOT_FOUND"),
        ("GET", "/nothing", 404, "ENDPOINT_NOT_FOUND"),
        ("POST", "/api/2.1/clusters/create", 501, "NOT_IMPLEMENTED"),
        ("POST", "/api/2.0/instance-pools/create", 501, "NOT_IMPLEMENTED"),
        ("GET", "/api/2.2/jobs/runs/export", 501, "NOT_IMPLEMENTED"),
        ("GET", "/api/2.1/unity-catalog/catalogs", 501, "NOT_IMPLEMENTED"),
    ],
)
def test_what_is_not_there_is_refused_by_name(site: Site, method: str, path: str, status: int, code: str) -> None:
    headers = {"Authorization": f"Bearer {token(ADMIN)}"}
    answer = site.client.request(method, f"https://{HOST}{path}", headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    named = "/nonsense/x" if "nonsense" in path else path.removeprefix("/api/9.9").removeprefix("/api/2.0")
    assert named in answer.json()["message"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff", b"nul"])
def test_bodies_that_are_no_object(site: Site, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {token(ADMIN)}", "Content-Type": "text/json"}
    answer = site.client.request("POST", f"https://{HOST}/api/2.0/workspace/mkdirs", headers=headers, content=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "MALFORMED_REQUEST")
