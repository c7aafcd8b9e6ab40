"""curl: the operations that commands and SDKs hide, and the answers as they are on the wire."""

from __future__ import annotations

import json

import pytest

from tests.contract.clients import Commands, Refusal
from tests.contract.place import Place

pytestmark = pytest.mark.contract
LOGIN = "https://login.microsoftonline.com"
ARM = "https://management.azure.com"
DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"


@pytest.fixture(scope="module")
def curl(place: Place, commands: Commands) -> Commands:
    return commands


def token(curl: Commands, resource: str, *, version: int = 2) -> str:
    """By a client secret, at the endpoint of either version."""
    place = curl.place
    tenant, client, secret = (place.variables[f"AZURE_{name}"] for name in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET"))
    what = f"scope={resource}/.default" if version == 2 else f"resource={resource}"
    given = ("grant_type=client_credentials", f"client_id={client}", f"client_secret={secret}", what)
    words = [word for each in given for word in ("--data-urlencode", each)]
    middle = "oauth2/v2.0" if version == 2 else "oauth2"
    return str(curl.curl(f"{LOGIN}/{tenant}/{middle}/token", "", *words)["access_token"])


def test_what_entra_says_of_itself(curl: Commands, place: Place) -> None:
    tenant = place.variables["AZURE_TENANT_ID"]
    first = curl.curl(f"{LOGIN}/{tenant}/.well-known/openid-configuration", "")
    second = curl.curl(f"{LOGIN}/{tenant}/v2.0/.well-known/openid-configuration", "")
    assert first["issuer"] == f"https://sts.windows.net/{tenant}/"
    assert second["issuer"] == f"{LOGIN}/{tenant}/v2.0"
    for document in (first, second):
        assert curl.curl(document["jwks_uri"], "")["keys"][0]["kty"] == "RSA"
    query = f"api-version=1.1&authorization_endpoint={LOGIN}/{tenant}/oauth2/v2.0/authorize"
    assert curl.curl(f"{LOGIN}/common/discovery/instance?{query}", "")["metadata"]


@pytest.mark.parametrize("version", [1, 2])
def test_tokens_of_both_endpoints_open_resource_manager(curl: Commands, place: Place, version: int) -> None:
    granted = token(curl, ARM, version=version)
    subscriptions = curl.curl(f"{ARM}/subscriptions?api-version=2022-12-01", granted)["value"]
    assert place.subscription in [one["subscriptionId"] for one in subscriptions]
    assert curl.curl(f"{ARM}/subscriptions/{place.subscription}?api-version=2022-12-01", granted)["state"] == "Enabled"
    assert curl.curl(f"{ARM}/tenants?api-version=2022-12-01", granted)["value"]


def test_a_token_for_another_service_opens_nothing(curl: Commands) -> None:
    other = token(curl, "https://vault.azure.net")
    with pytest.raises(Refusal, match="InvalidAuthenticationToken"):
        curl.curl(f"{ARM}/subscriptions?api-version=2022-12-01", other)
    with pytest.raises(Refusal, match="AuthenticationFailed"):
        curl.curl(f"{ARM}/subscriptions?api-version=2022-12-01", "")


def test_where_services_are_is_told_to_anybody(curl: Commands) -> None:
    found = curl.curl(f"{ARM}/metadata/endpoints?api-version=2022-09-01", "")
    assert found["authentication"]["loginEndpoint"].startswith(LOGIN)


def test_service_principals(curl: Commands, place: Place) -> None:
    granted, mine = token(curl, "https://graph.microsoft.com"), place.variables["AZURE_CLIENT_ID"]
    assert curl.curl(f"https://graph.microsoft.com/v1.0/servicePrincipals(appId='{mine}')", granted)["appId"] == mine


def test_the_workspace_by_its_resource(curl: Commands, place: Place) -> None:
    granted = token(curl, ARM)
    scope = f"{ARM}/subscriptions/{place.subscription}"
    kind = "providers/Microsoft.Databricks/workspaces"
    listed = curl.curl(f"{scope}/{kind}?api-version=2024-05-01", granted)["value"]
    one = next(each for each in listed if place.host.endswith(each["properties"]["workspaceUrl"]))
    assert curl.curl(f"{ARM}{one['id']}?api-version=2024-05-01", granted)["name"] == one["name"]
    # An identity with rights on the resource is let in with its id, and with a token for Resource Manager beside its own.
    management = token(curl, "https://management.core.windows.net")
    about = ["--header", f"X-Databricks-Azure-SP-Management-Token: {management}"]
    about += ["--header", f"X-Databricks-Azure-Workspace-Resource-Id: {one['id']}"]
    assert "has_more" in curl.curl(f"{place.host}/api/2.2/jobs/list", token(curl, DATABRICKS), *about)


def test_the_identity_of_a_resource(curl: Commands, group: str, place: Place) -> None:
    granted, name = token(curl, ARM), place.name("curl")
    scope = (
        f"/subscriptions/{place.subscription}/resourceGroups/{group}/providers/Microsoft.DataFactory/factories/{name}"
    )
    body = json.dumps({"location": place.location, "identity": {"type": "SystemAssigned"}})
    put = ("--request", "PUT", "--header", "Content-Type: application/json", "--data", body)
    made = curl.curl(f"{ARM}{scope}?api-version=2018-06-01", granted, *put)
    url = f"{ARM}{scope}/providers/Microsoft.ManagedIdentity/identities/default?api-version=2023-01-31"
    assert curl.curl(url, granted)["properties"]["principalId"] == made["identity"]["principalId"]
    curl.curl(f"{ARM}{scope}?api-version=2018-06-01", granted, "--request", "DELETE")


def test_files_of_a_workspace_as_they_are(curl: Commands, place: Place) -> None:
    granted, path = token(curl, DATABRICKS), f"Shared/{place.name('curl')}.txt"
    (curl.folder / "raw.txt").write_text("as it is\n")
    put = ("--request", "POST", "--data-binary", "@raw.txt", "--header", "Content-Type: application/octet-stream")
    curl.curl(
        f"{place.host}/api/2.0/workspace-files/import-file/{path.replace('/', '%2F')}?overwrite=true", granted, *put
    )
    head = f"Authorization: Bearer {granted}"
    printed = curl.run(
        "curl", "--fail-with-body", "--silent", "--header", head, f"{place.host}/api/2.0/workspace-files/{path}"
    )
    assert printed == "as it is\n"
    gone = ("--request", "POST", "--data", json.dumps({"path": f"/{path}"}))
    curl.curl(f"{place.host}/api/2.0/workspace/delete", granted, *gone)


def test_what_a_workspace_has_not_is_refused(curl: Commands, place: Place) -> None:
    granted = token(curl, DATABRICKS)
    with pytest.raises(Refusal, match="ENDPOINT_NOT_FOUND"):
        curl.curl(f"{place.host}/api/2.0/nothing/like/this", granted)
    with pytest.raises(Refusal, match="401"):
        curl.curl(f"{place.host}/api/2.0/workspace/list?path=/", "")
