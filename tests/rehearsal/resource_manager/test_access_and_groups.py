"""Who gets in, what they may do, and resource groups with what is in them."""

from __future__ import annotations

import pytest

from tests.rehearsal.resource_manager.local_azure import BASE, GROUP_ID, SUBSCRIPTION, SUBSCRIPTION_ID, Azure, template

VAULTS = f"{GROUP_ID}/providers/Microsoft.KeyVault/vaults"
IDENTITY = f"{GROUP_ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id1"
BODY = {"location": "westeurope"}
LOCK = {"properties": {"level": "CanNotDelete"}}


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("", "AuthenticationFailed"),
        ("expired", "ExpiredAuthenticationToken"),
        ("audience", "InvalidAuthenticationTokenAudience"),
        ("malformed", "InvalidAuthenticationToken"),
        ("signature", "InvalidAuthenticationToken"),
        ("issuer", "InvalidAuthenticationTokenTenant"),
    ],
)
def test_bad_tokens(azure: Azure, token: str, code: str) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = azure.client.request("GET", f"{BASE}/subscriptions?api-version=2022-12-01", headers, None)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
    assert answer.headers["www-authenticate"].startswith("Bearer ")


def test_endpoints_need_no_token(azure: Azure) -> None:
    old = azure.client.request("GET", f"{BASE}/metadata/endpoints?api-version=2019-05-01", {}, None).json()
    new = azure.client.request("GET", f"{BASE}/metadata/endpoints?api-version=2022-09-01", {}, None).json()
    assert old[0]["authentication"]["loginEndpoint"] == new["authentication"]["loginEndpoint"]
    assert old[0]["suffixes"]["keyVaultDns"] == "vault.azure.net"


def test_nobody_may_anything(azure: Azure) -> None:
    azure.group()
    nobody = azure.directory.add("nobody")
    status, body = azure.call("GET", f"{SUBSCRIPTION_ID}/resourcegroups/rg-app", caller=nobody)
    assert status == 403
    assert body["error"]["code"] == "AuthorizationFailed"
    assert body["error"]["message"] == (
        f"The client '{nobody.app_id}' with object id '{nobody.object_id}' does not have authorization to perform action "
        f"'Microsoft.Resources/subscriptions/resourceGroups/read' over scope '{GROUP_ID}' or the scope is invalid. If "
        "access was recently granted, please refresh your credentials."
    )
    assert azure.call("GET", "/subscriptions", caller=nobody)[1] == {"value": []}
    assert azure.call("GET", f"{SUBSCRIPTION_ID}/resourcegroups", caller=nobody)[1] == {"value": []}
    for method, path in (
        ("PUT", IDENTITY),
        ("DELETE", IDENTITY),
        ("PUT", f"{SUBSCRIPTION_ID}/resourcegroups/x"),
        ("DELETE", f"{SUBSCRIPTION_ID}/resourcegroups/rg-app"),
        ("GET", f"{GROUP_ID}/providers/Microsoft.Resources/deployments"),
        ("GET", VAULTS),
        ("GET", f"{SUBSCRIPTION_ID}/providers/Microsoft.KeyVault/deletedVaults"),
        ("POST", f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts/x/listKeys"),
    ):
        status, body = azure.call(method, path, BODY, caller=nobody)
        assert (status, body["error"]["code"]) == (403, "AuthorizationFailed"), (method, path)


def test_request_mistakes(azure: Azure) -> None:
    headers = {"Authorization": f"Bearer {azure.admin.object_id}"}
    answer = azure.client.request("GET", f"{BASE}/subscriptions", headers, None)
    assert answer.json()["error"]["code"] == "MissingApiVersionParameter"
    assert azure.call("GET", "/subscriptions", version="latest")[1]["error"]["code"] == "InvalidApiVersionParameter"
    assert (
        azure.call("PUT", f"{SUBSCRIPTION_ID}/resourcegroups/x", "{location")[1]["error"]["code"]
        == "InvalidRequestContent"
    )
    assert azure.call("PUT", f"{SUBSCRIPTION_ID}/resourcegroups/x", "[]")[1]["error"]["code"] == "InvalidRequestContent"
    assert azure.call("PUT", f"{SUBSCRIPTION_ID}/resourcegroups/x", {})[1]["error"]["code"] == "LocationRequired"
    assert azure.call("PUT", f"{SUBSCRIPTION_ID}/resourcegroups/x.", BODY)[1]["error"]["code"] == "InvalidResourceGroup"
    assert (
        azure.call("GET", "/subscriptions/00000000-0000-0000-0000-000000000000")[1]["error"]["code"]
        == "SubscriptionNotFound"
    )


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("GET", f"{GROUP_ID}/providers/Microsoft.Web/sites/x", "Microsoft.Web/sites"),
        ("PUT", f"{GROUP_ID}/providers/Microsoft.KeyVault/vaults/kv-one/keys/k", "Microsoft.KeyVault/vaults/keys"),
        ("POST", f"{GROUP_ID}/providers/Microsoft.KeyVault/vaults/kv-one/rotate", "Microsoft.KeyVault/vaults/rotate"),
        ("GET", "/somewhere/else", "GET /somewhere/else"),
        ("POST", f"{GROUP_ID}/providers/Microsoft.Resources/deployments/d/exportTemplate", "exportTemplate"),
    ],
)
def test_what_is_not_here_is_refused_by_name(azure: Azure, method: str, path: str, named: str) -> None:
    azure.group()
    azure.call("PUT", f"{VAULTS}/kv-one", {**BODY, "properties": {"tenantId": "t", "sku": {"name": "standard"}}})
    status, body = azure.call(method, path, BODY)
    assert (status, body["error"]["code"]) == (501, "NotImplementedInRehearsal")
    assert named in body["error"]["message"]
    assert "This rehearsal has no" in body["error"]["message"]


def test_group_stays_where_it_is(azure: Azure) -> None:
    azure.group()
    status, body = azure.call("PUT", GROUP_ID, {"location": "eastus"})
    assert (status, body["error"]["code"]) == (409, "InvalidResourceGroupLocation")
    assert azure.call("PUT", GROUP_ID.upper().replace("RESOURCEGROUPS", "resourcegroups"), BODY)[0] == 200
    assert [one["name"] for one in azure.call("GET", f"{SUBSCRIPTION_ID}/resourcegroups")[1]["value"]] == ["rg-app"]


def test_group_takes_everything_with_it(azure: Azure) -> None:
    azure.group()
    azure.call("PUT", f"{VAULTS}/kv-one", {**BODY, "properties": {"tenantId": "t", "sku": {"name": "standard"}}})
    azure.call("PUT", IDENTITY, BODY)
    azure.deploy(template(), name="d")
    reader = azure.directory.add("reader")
    azure.world.roles.assign(scope=f"{VAULTS}/kv-one", principal_id=reader.object_id, role_name="Reader")
    assert azure.call("DELETE", GROUP_ID)[0] == 202
    assert (
        azure.client.request(
            "GET", azure.headers["location"], {"Authorization": f"Bearer {azure.admin.object_id}"}, None
        ).status_code
        == 200
    )
    assert azure.world.resources.below(SUBSCRIPTION_ID) == []
    held = [one["properties"]["principalId"] for one in azure.world.roles.at(f"{VAULTS}/kv-one")]
    assert held == [azure.admin.object_id]
    assert len(list(azure.world.roles.at(GROUP_ID, below=True))) == 1
    azure.group()
    assert azure.call("GET", f"{GROUP_ID}/providers/Microsoft.Resources/deployments")[1]["value"] == []
    deleted = azure.call("GET", f"{SUBSCRIPTION_ID}/providers/Microsoft.KeyVault/deletedVaults")[1]["value"]
    assert [one["name"] for one in deleted] == ["kv-one"]


def test_locks(azure: Azure) -> None:
    azure.group()
    azure.call("PUT", IDENTITY, BODY)
    lock = f"{GROUP_ID}/providers/Microsoft.Authorization/locks/keep"
    assert azure.call("PUT", lock, LOCK)[0] == 201
    for path in (GROUP_ID, IDENTITY):
        status, body = azure.call("DELETE", path)
        assert (status, body["error"]["code"]) == (409, "ScopeLocked")
    assert azure.call("PUT", IDENTITY, BODY)[0] == 200
    azure.call("PUT", lock, {"properties": {"level": "ReadOnly"}})
    assert azure.call("PUT", IDENTITY, BODY)[1]["error"]["code"] == "ScopeLocked"
    assert azure.call("DELETE", lock)[0] == 200
    assert azure.call("DELETE", IDENTITY)[0] == 200
    assert azure.call("DELETE", IDENTITY)[0] == 204


def test_workspace_that_was_seeded(azure: Azure) -> None:
    path = f"{SUBSCRIPTION_ID}/resourceGroups/rg-dbx/providers/Microsoft.Databricks/workspaces/dbw"
    host = "adb-7405612345678901.1.azuredatabricks.net"
    azure.world.resources.add_databricks_workspace(path, host=host, location="westeurope")
    status, body = azure.call("GET", path)
    assert status == 200
    assert body["properties"]["workspaceUrl"] == host
    assert body["properties"]["workspaceId"] == "7405612345678901"
    assert azure.call("GET", f"{SUBSCRIPTION_ID}/resourceGroups/rg-dbx/resources")[1]["value"][0]["name"] == "dbw"


def test_names_do_not_care_about_case(azure: Azure) -> None:
    azure.group()
    azure.call("PUT", IDENTITY, BODY)
    assert azure.call("GET", IDENTITY.upper())[1]["name"] == "id1"
    assert azure.call("HEAD", IDENTITY.lower())[0] == 204
    assert azure.call("HEAD", IDENTITY + "0")[0] == 404
    found = azure.world.resources.find("microsoft.managedidentity/USERASSIGNEDIDENTITIES", "ID1")
    assert found is not None
    assert azure.world.resources.subscription(SUBSCRIPTION.upper()) is not None


def test_a_subscriptions_resources_can_be_asked_for_by_group(azure: Azure) -> None:
    azure.group()
    azure.group("rg-two")
    for identity in (IDENTITY, IDENTITY.replace("rg-app", "rg-two")):
        assert azure.call("PUT", identity, BODY)[0] == 201
    everything = f"{SUBSCRIPTION_ID}/resources"
    assert len(azure.call("GET", everything)[1]["value"]) == 2
    found = azure.call("GET", f"{everything}?$filter=resourceGroup%20eq%20'RG-TWO'")[1]["value"]
    assert [one["id"].split("/")[4] for one in found] == ["rg-two"]
