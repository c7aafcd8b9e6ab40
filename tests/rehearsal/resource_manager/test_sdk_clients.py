"""Microsoft's own clients, unchanged, against the stand-in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.storage import StorageManagementClient

from tests.rehearsal.resource_manager.local_azure import GROUP_ID, SUBSCRIPTION_ID, Azure, envelope, template

VAULT = {
    "type": "Microsoft.KeyVault/vaults",
    "apiVersion": "2023-07-01",
    "name": "kv-sdk",
    "location": "[resourceGroup().location]",
    "properties": {"tenantId": "[subscription().tenantId]", "sku": {"family": "A", "name": "standard"}},
}


def test_groups(azure: Azure) -> None:
    groups = ResourceManagementClient(**azure.sdk()).resource_groups
    assert groups.check_existence("rg-new") is False
    made = groups.create_or_update("rg-new", {"location": "West Europe", "tags": {"a": "b"}})
    assert made.properties is not None
    assert (made.location, made.properties.provisioning_state) == ("westeurope", "Succeeded")
    assert groups.check_existence("RG-NEW") is True
    assert groups.update("rg-new", {"tags": {"c": "d"}}).tags == {"c": "d"}
    assert [group.name for group in groups.list(filter="tagName eq 'c' and tagValue eq 'd'")] == ["rg-new"]
    assert list(groups.list(filter="tagName eq 'zzz'")) == []
    groups.begin_delete("rg-new").result()
    with pytest.raises(ResourceNotFoundError, match="Resource group 'rg-new' could not be found"):
        groups.get("rg-new")


def test_deployment_through_the_client(azure: Azure) -> None:
    azure.group()
    client = DeploymentsMgmtClient(**azure.sdk())
    body: Any = envelope(
        template(VAULT, outputs={"name": {"type": "string", "value": "[reference('kv-sdk').vaultUri]"}})
    )
    assert client.deployments.begin_validate("rg-app", "d1", body).result().error is None
    told = client.deployments.begin_what_if("rg-app", "d1", body).result()
    assert [(change.change_type, change.resource_id) for change in told.changes or []] == [
        ("Create", f"{GROUP_ID}/providers/Microsoft.KeyVault/vaults/kv-sdk")
    ]
    made = client.deployments.begin_create_or_update("rg-app", "d1", body).result()
    assert made.properties is not None
    assert made.properties.provisioning_state == "Succeeded"
    assert made.properties.outputs == {"name": {"type": "String", "value": "https://kv-sdk.vault.azure.net/"}}
    operations = list(client.deployment_operations.list("rg-app", "d1"))
    assert [one.properties.status_code for one in operations if one.properties] == ["Created"]
    assert [one.name for one in client.deployments.list_by_resource_group("rg-app")] == ["d1"]
    assert client.deployments.check_existence("rg-app", "d1") is True
    client.deployments.begin_delete("rg-app", "d1").result()
    assert client.deployments.check_existence("rg-app", "d1") is False


def test_failed_deployment_through_the_client(azure: Azure) -> None:
    azure.group()
    azure.world.resources.put_group(SUBSCRIPTION_ID.rsplit("/", 1)[1], "rg-other", location="westeurope")
    other = GROUP_ID.replace("rg-app", "rg-other")
    azure.deploy(template(VAULT), scope=other)
    body: Any = envelope(template(VAULT))
    with pytest.raises(HttpResponseError) as caught:
        DeploymentsMgmtClient(**azure.sdk()).deployments.begin_create_or_update("rg-app", "d1", body).result()
    assert caught.value.status_code == 400
    assert caught.value.error is not None
    assert caught.value.error.code == "InvalidTemplateDeployment"
    assert [inner.code for inner in caught.value.error.details] == ["VaultAlreadyExists"]


def test_storage_account_through_the_client(azure: Azure) -> None:
    azure.group()
    accounts = StorageManagementClient(**azure.sdk()).storage_accounts
    body: Any = {
        "location": "westeurope",
        "sku": {"name": "Standard_LRS"},
        "kind": "StorageV2",
        "properties": {"isHnsEnabled": True},
    }
    account = accounts.begin_create("rg-app", "stsdk", body).result()
    assert account.is_hns_enabled is True
    assert account.primary_endpoints is not None
    assert account.primary_endpoints.dfs == "https://stsdk.dfs.core.windows.net/"
    keys = accounts.list_keys("rg-app", "stsdk").keys_property
    assert [key.value for key in keys or []] == ["stsdk-1", "stsdk-2"]
    assert (
        accounts.check_name_availability({"name": "stsdk", "type": "Microsoft.Storage/storageAccounts"}).name_available
        is False
    )
    accounts.delete("rg-app", "stsdk")
    assert azure.accounts.names == []


def test_resources_through_the_client(azure: Azure) -> None:
    azure.group()
    azure.deploy(template(VAULT))
    client = ResourceManagementClient(**azure.sdk())
    found = client.resources.get_by_id(
        f"{GROUP_ID}/providers/Microsoft.KeyVault/vaults/kv-sdk", api_version="2023-07-01"
    )
    assert found.location == "westeurope"
    assert [one.name for one in client.resources.list_by_resource_group("rg-app")] == ["kv-sdk"]
    with pytest.raises(ResourceNotFoundError, match="was not found"):
        client.resources.get_by_id(f"{GROUP_ID}/providers/Microsoft.KeyVault/vaults/no", api_version="2023-07-01")
    assert {one.namespace for one in client.providers.list()} >= {"Microsoft.Storage", "Microsoft.KeyVault"}


def test_body_with_the_template_as_its_own_text(azure: Azure) -> None:
    """`az` writes the template's text behind an unquoted key; comments stay in it."""
    azure.group()
    text = "// a comment\n" + json.dumps(template(VAULT), indent=2)
    body = '{"properties": {"mode": "incremental", "parameters": {}, template:' + text + "}}"
    status, record = azure.call("PUT", f"{GROUP_ID}/providers/Microsoft.Resources/deployments/az", body)
    assert status == 201, record
    assert azure.headers["retry-after"] == "1"
    assert azure.headers["azure-asyncoperation"].startswith("https://management.azure.com/subscriptions/")
