"""Microsoft Graph, as far as `az role assignment` asks it: who may read, what is found, what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from rehearsal.entra.graph import MOST_IDS, create_app, let_read
from tests.rehearsal.gateway.local_cloud import APP, OBJECT, TENANT, LocalCloud, use

GRAPH = "https://graph.microsoft.com"
OTHER_APP, OTHER = "22222222-2222-4333-8444-555555555555", "77777777-7777-4888-9999-aaaaaaaaaaaa"


@pytest.fixture(scope="module")
def _directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    apps = lambda world: [("graph.microsoft.com", create_app(world))]  # noqa: E731
    with LocalCloud(tmp_path_factory.mktemp("graph"), more_apps=apps) as cloud:
        add = cloud.world.directory.add_service_principal
        cloud.call(lambda: add(tenant_id=TENANT, app_id=OTHER_APP, object_id=OTHER, display_name="Other"))
        cloud.call(lambda: add(tenant_id=OTHER_APP, app_id="elsewhere", object_id=OTHER[::-1], display_name="Tests"))
        cloud.call(lambda: let_read(cloud.world, OBJECT))
        yield cloud


@pytest.fixture
def directory(_directory: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> LocalCloud:
    use(_directory.exports(), monkeypatch)
    return _directory


def ask(directory: LocalCloud, path: str, *, audience: str = GRAPH, app: str = APP, **more: Any) -> requests.Response:
    issue = directory.world.directory.issue_token
    token = directory.call(lambda: issue(tenant_id=TENANT, app_id=app, audience=audience))
    method = "POST" if "json" in more or "data" in more else "GET"
    return requests.request(method, GRAPH + path, headers={"Authorization": f"Bearer {token}"}, timeout=30, **more)


@pytest.mark.parametrize(
    "condition",
    [
        f"servicePrincipalNames/any(c:c eq '{APP.upper()}')",
        f"appId eq '{APP}'",
        "displayName eq 'tests'",
        "startswith(displayName,'Te')",
    ],
)
def test_service_principals_are_found_in_the_callers_tenant_alone(directory: LocalCloud, condition: str) -> None:
    answer = ask(directory, "/v1.0/servicePrincipals", params={"$filter": condition}).json()
    assert [one["id"] for one in answer["value"]] == [OBJECT]


def test_one_service_principal(directory: LocalCloud) -> None:
    assert ask(directory, f"/v1.0/servicePrincipals/{OTHER}").json()["appId"] == OTHER_APP
    assert ask(directory, f"/v1.0/servicePrincipals(appId='{OTHER_APP}')").json()["id"] == OTHER
    for missing in (OTHER[::-1], "none"):
        answer = ask(directory, f"/v1.0/servicePrincipals/{missing}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "Request_ResourceNotFound")


def test_objects_by_their_ids(directory: LocalCloud) -> None:
    body = {"ids": [OTHER, OTHER[::-1], OBJECT], "types": ["user", "servicePrincipal"]}
    found = ask(directory, "/v1.0/directoryObjects/getByIds", json=body).json()["value"]
    assert [(one["@odata.type"], one["id"]) for one in found] == [
        ("#microsoft.graph.servicePrincipal", OTHER),
        ("#microsoft.graph.servicePrincipal", OBJECT),
    ]
    bodies: list[Any] = [{}, {"ids": "x"}, {"ids": [1]}, {"ids": ["x"] * (MOST_IDS + 1)}, []]
    for wrong in bodies:
        assert ask(directory, "/v1.0/directoryObjects/getByIds", json=wrong).status_code == 400
    assert ask(directory, "/v1.0/directoryObjects/getByIds", data=b"{").status_code == 400


def test_who_may_not_read_is_told_so(directory: LocalCloud) -> None:
    refused = ask(directory, "/v1.0/servicePrincipals", app=OTHER_APP)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "Authorization_RequestDenied")
    elsewhere = ask(directory, "/v1.0/servicePrincipals", audience="https://management.azure.com")
    assert (elsewhere.status_code, elsewhere.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")
    assert requests.get(f"{GRAPH}/v1.0/servicePrincipals", timeout=30).status_code == 401


def test_what_is_not_here_is_refused_by_name(directory: LocalCloud) -> None:
    assert "GET /v1.0/me" in ask(directory, "/v1.0/me").json()["error"]["message"]
    other = ask(directory, "/v1.0/servicePrincipals", params={"$filter": "tags/any(t:t eq 'x')"})
    assert (other.status_code, "tags/any" in other.json()["error"]["message"]) == (501, True)
