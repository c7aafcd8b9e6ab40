"""What the stand-in of Azure DevOps' project refuses, hides and remembers, on the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from rehearsal.azure_devops.connections import SECRET, WIF
from tests.rehearsal.gateway.local_cloud import APP, OBJECT, SUBSCRIPTION, TENANT, LocalCloud

ORGANISATION = "https://dev.azure.com/slipway"
SCOPE = "499b84ac-1321-427f-aa17-267ca6975798/.default"
Ask = Callable[..., requests.Response]
WHO = {"tenantid": TENANT, "serviceprincipalid": APP}


@pytest.fixture
def member(cloud: LocalCloud) -> Callable[..., str]:
    """Somebody of the organisation, in these groups; a token of theirs."""

    def joined(*groups: str) -> str:
        cloud.call(lambda: cloud.devops.add_member(OBJECT, groups=groups))
        return cloud.credential().get_token(SCOPE).token

    return joined


@pytest.fixture
def ask(member: Callable[..., str]) -> Ask:
    """A request of a Project Administrator, or with a token of somebody else."""
    administrator = member("Project Administrators")

    def request(
        method: str, path: str, body: Any = None, token: str = administrator, version: str = "7.1-preview"
    ) -> requests.Response:
        address = path if path.startswith("https:") else f"{ORGANISATION}/{path}"
        params = {"api-version": version} if version else {}
        headers = {"Authorization": f"Bearer {token}"}
        return requests.request(
            method, address, params=params, json=body, headers=headers, timeout=10, allow_redirects=False
        )

    return request


def refusal(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["typeKey"]


def project_id(ask: Ask) -> str:
    return str(ask("GET", "_apis/projects/Slipway").json()["id"])


def endpoint(ask: Ask, name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "azurerm",
        "url": "https://management.azure.com/",
        "data": {"subscriptionId": SUBSCRIPTION, "creationMode": "Manual"},
        "authorization": {"scheme": WIF, "parameters": WHO},
        "serviceEndpointProjectReferences": [
            {"name": name, "projectReference": {"id": project_id(ask), "name": "Slipway"}}
        ],
    } | changes


ENDPOINTS, ENVIRONMENTS = "_apis/serviceendpoint/endpoints", "Slipway/_apis/distributedtask/environments"
CHECKS, DEFINITIONS = "Slipway/_apis/pipelines/checks/configurations", "Slipway/_apis/build/definitions"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": ""}, (400, "VssPropertyValidationException")),
        ({"type": "github"}, (501, "NotImplemented")),
        ({"authorization": {"scheme": "ManagedServiceIdentity", "parameters": {}}}, (501, "NotImplemented")),
        (
            {"authorization": {"scheme": WIF, "parameters": {"tenantid": TENANT}}},
            (400, "VssPropertyValidationException"),
        ),
        (
            {"authorization": {"scheme": WIF, "parameters": {**WHO, "serviceprincipalkey": "k"}}},
            (400, "ArgumentException"),
        ),
        ({"data": {"creationMode": "Automatic"}}, (501, "NotImplemented")),
        (
            {"serviceEndpointProjectReferences": [{"projectReference": {"id": "other"}, "name": "x"}]},
            (404, "ProjectDoesNotExistException"),
        ),
    ],
)
def test_connections_that_are_refused(ask: Ask, change: dict[str, Any], expected: tuple[int, str]) -> None:
    assert refusal(ask("POST", ENDPOINTS, endpoint(ask, "refused") | change)) == expected


def test_a_secret_is_never_shown_again_and_survives_a_change(cloud: LocalCloud, ask: Ask) -> None:
    parameters = {**WHO, "serviceprincipalkey": "planted-key"}
    made = ask("POST", ENDPOINTS, endpoint(ask, "keyed", authorization={"scheme": SECRET, "parameters": parameters}))
    assert "planted-key" not in made.text
    shown = made.json()
    assert shown["authorization"]["parameters"]["serviceprincipalkey"] is None
    assert "planted-key" not in ask("GET", f"Slipway/{ENDPOINTS}?endpointNames=keyed").text
    changed = ask("PUT", f"{ENDPOINTS}/{shown['id']}", {**shown, "description": "Another"})
    assert changed.json()["description"] == "Another"
    kept = cloud.devops.connections.get(shown["id"])
    assert kept is not None and kept["authorization"]["parameters"]["serviceprincipalkey"] == "planted-key"
    assert cloud.call(lambda: cloud.devops.oidc_token(shown["id"])) is None


def test_a_connection_shows_itself_only_to_whoever_may_use_it(ask: Ask, member: Callable[..., str]) -> None:
    made = ask("POST", ENDPOINTS, endpoint(ask, "shy")).json()
    reader = member("Readers")
    assert ask("GET", f"Slipway/{ENDPOINTS}?endpointNames=shy", token=reader).json()["count"] in (
        0,
        1,
    )  # 1: its creator
    assert ask("POST", ENDPOINTS, endpoint(ask, "shy-2"), token=reader).status_code == 403
    assert ask("GET", f"Slipway/{ENDPOINTS}/00000000-0000-4000-8000-000000000000").json() is None
    member("Project Administrators")
    assert refusal(ask("POST", ENDPOINTS, endpoint(ask, "SHY"))) == (409, "DuplicateServiceConnectionException")
    assert refusal(ask("DELETE", f"{ENDPOINTS}/{made['id']}")) == (400, "VssPropertyValidationException")
    assert ask("DELETE", f"{ENDPOINTS}/{made['id']}?projectIds={project_id(ask)}").status_code == 204
    assert refusal(ask("PUT", f"{ENDPOINTS}/{made['id']}", made)) == (404, "ServiceEndpointNotFoundException")


def test_environments_are_found_by_the_beginning_of_their_name_page_by_page(ask: Ask) -> None:
    for name in ("page-a", "page-b", "page-c"):
        assert ask("POST", ENVIRONMENTS, {"name": name}).status_code == 200
    assert refusal(ask("POST", ENVIRONMENTS, {"name": "PAGE-A"})) == (409, "EnvironmentExistsException")
    assert refusal(ask("POST", ENVIRONMENTS, {})) == (400, "VssPropertyValidationException")
    first = ask("GET", f"{ENVIRONMENTS}?name=page&$top=2")
    assert [one["name"] for one in first.json()["value"]] == ["page-a", "page-b"]
    token = first.headers["x-ms-continuationtoken"]
    rest = ask("GET", f"{ENVIRONMENTS}?name=page&$top=2&continuationToken={token}")
    assert [one["name"] for one in rest.json()["value"]] == ["page-c"]
    assert "x-ms-continuationtoken" not in rest.headers
    assert refusal(ask("GET", f"{ENVIRONMENTS}/999999")) == (404, "EnvironmentNotFoundException")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"type": {"id": "00000000-0000-4000-8000-000000000000"}}, (400, "CheckTypeNotFoundException")),
        ({"type": {"id": "8c6f20a7-a545-4486-9777-f762fafe0d4d"}}, (400, "VssPropertyValidationException")),
        (
            {"type": {"id": "8C6F20A7-A545-4486-9777-F762FAFE0D4D"}, "settings": {"approvers": [{"id": "nobody"}]}},
            (400, "IdentityNotFoundException"),
        ),
        ({"resource": {"type": "environment", "id": "999999"}}, (404, "ResourceNotFoundException")),
        ({"resource": {"type": "variablegroup", "id": "1"}}, (501, "NotImplemented")),
        ({"resource": {"type": "planet", "id": "1"}}, (400, "ArgumentException")),
    ],
)
def test_checks_that_are_refused(ask: Ask, body: dict[str, Any], expected: tuple[int, str]) -> None:
    made = ask("POST", ENVIRONMENTS, {"name": f"checked-{expected[1]}-{len(str(body))}"}).json()
    assert refusal(ask("POST", CHECKS, {"resource": {"type": "environment", "id": str(made["id"])}} | body)) == expected


def test_settings_of_a_check_show_themselves_only_where_they_are_asked_for(ask: Ask) -> None:
    made = ask("POST", ENVIRONMENTS, {"name": "settings"}).json()
    resource = {"type": "environment", "id": str(made["id"])}
    lock = {"type": {"id": "2EF31AD6-BAA0-403A-8B45-2CBC9B4E5563"}, "resource": resource}
    assert ask("POST", CHECKS, lock).json()["settings"] == {}
    assert refusal(ask("POST", CHECKS, lock)) == (409, "CheckConfigurationExistsException")
    where = f"{CHECKS}?resourceType=environment&resourceId={made['id']}"
    assert "settings" not in ask("GET", where).json()["value"][0]
    assert "settings" in ask("GET", f"{where}&$expand=settings").json()["value"][0]


def test_versions(ask: Ask) -> None:
    assert refusal(ask("GET", f"{CHECKS}?resourceType=endpoint&resourceId=x", version="7.1")) == (
        400,
        "VssInvalidPreviewVersionException",
    )
    assert refusal(ask("POST", ENVIRONMENTS, {"name": "x"}, version="")) == (400, "VssVersionNotSpecifiedException")
    assert ask("GET", ENVIRONMENTS, version="").status_code == 200


def test_who_may_see_the_project(cloud: LocalCloud, ask: Ask, member: Callable[..., str]) -> None:
    nobody = member()
    assert ask("GET", "_apis/projects", token=nobody).json()["count"] == 0
    assert refusal(ask("GET", "_apis/projects/Slipway", token=nobody)) == (404, "ProjectDoesNotExistWithNameException")
    assert refusal(ask("GET", DEFINITIONS, token=nobody)) == (404, "ProjectDoesNotExistWithNameException")
    member("Project Administrators")
    assert refusal(ask("GET", "https://dev.azure.com/other/_apis/projects")) == (404, "OrganizationNotFoundException")
    assert ask("GET", "_apis/projects", token="garbage").headers["location"] == "https://dev.azure.com/_signin"
    who = ask("GET", "_apis/connectionData").json()
    assert (who["authenticatedUser"]["providerDisplayName"], who["instanceId"]) == ("Tests", cloud.devops.id)
    unknown = ask("GET", "https://vssps.dev.azure.com/slipway/_apis/graph/users")
    assert unknown.status_code == 501 and "vssps.dev.azure.com" in unknown.json()["message"]


def test_definitions_that_are_refused_and_one_that_changed_meanwhile(ask: Ask, member: Callable[..., str]) -> None:
    repository = ask("GET", "Slipway/_apis/git/repositories/Slipway").json()["id"]
    body = {"name": "changed", "process": {"type": 2, "yamlFilename": "a.yml"}, "repository": {"id": repository}}
    assert refusal(ask("POST", DEFINITIONS, {**body, "process": {"type": 1}})) == (501, "NotImplemented")
    assert refusal(ask("POST", DEFINITIONS, {**body, "repository": {"id": "x"}})) == (
        404,
        "GitRepositoryNotFoundException",
    )
    made = ask("POST", DEFINITIONS, body).json()
    assert made["triggers"] == []  # those of the YAML count only where the definition says so
    assert refusal(ask("POST", DEFINITIONS, body)) == (409, "DefinitionExistsException")
    assert refusal(ask("PUT", f"{DEFINITIONS}/{made['id']}", {**made, "revision": 9})) == (
        409,
        "DefinitionUpdateConflictException",
    )
    reader = member("Readers")
    assert ask("POST", DEFINITIONS, {**body, "name": "other"}, token=reader).status_code == 403
    assert ask("GET", f"{DEFINITIONS}?name=changed", token=reader).json()["count"] == 1
    member("Project Administrators")
    assert ask("DELETE", f"{DEFINITIONS}/{made['id']}").status_code == 204
    assert refusal(ask("GET", f"{DEFINITIONS}/{made['id']}")) == (404, "DefinitionNotFoundException")


def test_policies_need_a_definition_and_the_right(ask: Ask, member: Callable[..., str]) -> None:
    policies, build = "Slipway/_apis/policy/configurations", {"id": "0609b952-1397-4640-95ec-e00a01b2c241"}
    scope = [{"repositoryId": None, "refName": "refs/heads/main", "matchKind": "Exact"}]
    settings = {"buildDefinitionId": 999_999, "scope": scope}
    assert refusal(ask("POST", policies, {"type": {"id": "x"}})) == (404, "PolicyTypeNotFoundException")
    assert refusal(ask("POST", policies, {"type": build})) == (400, "VssPropertyValidationException")
    assert refusal(ask("POST", policies, {"type": build, "settings": settings})) == (
        400,
        "InvalidPolicySettingsException",
    )
    answer = ask("POST", policies, {"type": build, "settings": settings}, token=member("Contributors"))
    assert answer.json()["message"].startswith("TF401027: You need the Git 'EditPolicies' permission")


def test_what_a_run_may_use(cloud: LocalCloud) -> None:
    devops, file = cloud.devops, "uses.yml"
    repository = devops.repositories.all()[0]["id"]

    def use(kind: str, name: str, pipeline: str = file) -> str:
        return cloud.call(lambda: devops.use(kind, name, pipeline))

    number = cloud.call(lambda: devops.definitions.add("uses", f"/{file}", repository))["id"]
    assert "which could not be found" in use("endpoint", "nothing")
    made = cloud.call(
        lambda: devops.add_service_connection(
            name="used", client_id=APP, tenant_id=TENANT, subscription_id=SUBSCRIPTION
        )
    )
    assert use("endpoint", "used") == ""
    cloud.call(lambda: devops.permissions.withdraw("endpoint", made["id"]))
    assert "needs permission to access a resource" in use("endpoint", "used")
    assert use("endpoint", "used", "a pipeline that is not there yet.yml") == ""
    cloud.call(lambda: devops.permissions.allow("endpoint", made["id"], number))
    assert use("endpoint", "used") == ""
    assert use("environment", "born") == ""
    born = str((devops.environments.by_name("born") or {})["id"])
    assert devops.checks.of("environment", born) == []
    assert use("environment", "born") == ""
    other = cloud.call(lambda: devops.definitions.add("others", "other.yml", repository))["id"]
    assert not devops.permissions.allows("environment", born, other)
    assert "environment born" in use("environment", "born", "other.yml")


def test_it_is_all_there_after_a_restart(tmp_path: Any) -> None:
    with LocalCloud(tmp_path) as first:
        first.call(lambda: first.devops.environments.add("kept"))
        before = first.call(
            lambda: first.devops.add_service_connection(
                name="kept", client_id=APP, tenant_id=TENANT, subscription_id=SUBSCRIPTION
            )
        )
        first.call(lambda: first.devops.connections.remove(before["id"]))
        again = first.call(
            lambda: first.devops.add_service_connection(
                name="kept", client_id=APP, tenant_id=TENANT, subscription_id=SUBSCRIPTION
            )
        )
    assert again["id"] != before["id"]
    with LocalCloud(tmp_path) as second:
        assert second.devops.environments.by_name("kept") is not None
        assert second.devops.connections.by_name("kept") == again
