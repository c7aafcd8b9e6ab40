"""One template with every resource type that Resource Manager itself writes: deployed, it is quiet the second time."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.resource_manager.providers.registry import TYPE_NAMES
from rehearsal.resource_manager.template_command import main
from tests.rehearsal.resource_manager.local_azure import SUBSCRIPTION_ID, TENANT, Azure, template

ROLE = "0d3b1c58-6d7c-4c1e-9b7c-1f4c8f3f9a10"
STORAGE = "Microsoft.Storage/storageAccounts"
HERE: dict[str, Any] = {"location": "[resourceGroup().location]"}
VERSIONS = {
    "Microsoft.Authorization": "2022-04-01",
    "Microsoft.Databricks": "2024-05-01",
    "Microsoft.DataFactory": "2018-06-01",
    "Microsoft.KeyVault": "2023-07-01",
    "Microsoft.ManagedIdentity": "2023-01-31",
    "Microsoft.Resources": "2022-09-01",
    "Microsoft.Storage": "2023-05-01",
}


def resource(type_: str, name: str, depends: list[str] | None = None, **parts: Any) -> dict[str, Any]:
    version = "2020-05-01" if type_.endswith("/locks") else VERSIONS[type_.split("/")[0]]
    return {"type": type_, "apiVersion": version, "name": name, "dependsOn": depends or [], **parts}


RESOURCES = (
    resource(STORAGE, "stone", kind="StorageV2", sku={"name": "Standard_LRS"}, tags={"a": "b"}, **HERE),
    resource(f"{STORAGE}/blobServices", "stone/default", ["stone"], properties={"isVersioningEnabled": True}),
    resource(f"{STORAGE}/fileServices", "stone/default", ["stone"], properties={}),
    resource(f"{STORAGE}/queueServices", "stone/default", ["stone"], properties={}),
    resource(f"{STORAGE}/tableServices", "stone/default", ["stone"]),
    resource(
        f"{STORAGE}/blobServices/containers", "stone/default/data", ["stone"], properties={"publicAccess": "None"}
    ),
    resource(f"{STORAGE}/fileServices/shares", "stone/default/share", ["stone"], properties={"shareQuota": 10}),
    resource(f"{STORAGE}/queueServices/queues", "stone/default/queue", ["stone"]),
    resource(f"{STORAGE}/tableServices/tables", "stone/default/Table", ["stone"]),
    resource(
        f"{STORAGE}/managementPolicies",
        "stone/default",
        ["stone"],
        properties={"policy": {"rules": [{"name": "r", "type": "Lifecycle", "definition": {"actions": {}}}]}},
    ),
    resource("Microsoft.ManagedIdentity/userAssignedIdentities", "id-one", **HERE),
    resource(
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        "id-one/outside",
        ["id-one"],
        properties={"issuer": "https://i", "subject": "s", "audiences": ["api://AzureADTokenExchange"]},
    ),
    resource(
        "Microsoft.KeyVault/vaults",
        "kv-one",
        properties={
            "tenantId": TENANT,
            "SKU": {"Family": "A", "Name": "Standard"},
            "accessPolicies": [{"tenantId": TENANT, "objectId": ROLE, "permissions": {"secrets": ["get", "list"]}}],
        },
        **HERE,
    ),
    resource("Microsoft.KeyVault/vaults/secrets", "kv-one/password", ["kv-one"], properties={"value": "x"}),
    resource(
        "Microsoft.KeyVault/vaults/accessPolicies",
        "kv-one/add",
        ["kv-one"],
        properties={"accessPolicies": [{"tenantId": TENANT, "objectId": ROLE, "permissions": {"secrets": ["get"]}}]},
    ),
    resource("Microsoft.DataFactory/factories", "adf-one", identity={"type": "SystemAssigned"}, **HERE),
    resource(
        "Microsoft.Databricks/workspaces",
        "dbw-one",
        sku={"name": "premium"},
        properties={"managedResourceGroupId": "[concat(subscription().id, '/resourceGroups/rg-managed')]"},
        **HERE,
    ),
    resource("Microsoft.Databricks/accessConnectors", "dbc-one", identity={"type": "SystemAssigned"}, **HERE),
    resource(
        "Microsoft.Authorization/roleAssignments",
        "[guid(resourceGroup().id)]",
        ["id-one"],
        properties={
            "roleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7",
            # Not by reference(): what-if can't resolve that, as in Azure, and would tell of a change each time.
            "principalId": "[deployer().objectId]",
            "principalType": "ServicePrincipal",
        },
    ),
    resource(
        "Microsoft.Authorization/roleDefinitions",
        ROLE,
        properties={
            "roleName": "Ours",
            "permissions": [{"actions": ["*/read"]}],
            "assignableScopes": ["[resourceGroup().id]"],
        },
    ),
    resource("Microsoft.Authorization/locks", "keep", ["stone"], properties={"level": "CanNotDelete"}),
    resource("Microsoft.Resources/tags", "default", properties={"tags": {"team": "data"}}),
)
# The definitions inside a factory have tests of their own; groups are made by templates of a subscription.
ELSEWHERE = ("microsoft.datafactory/factories/", "microsoft.resources/resourcegroups")


def test_deployed_and_quiet_the_second_time(azure: Azure) -> None:
    azure.group()
    document = template(*RESOURCES)
    first = [change["resourceId"] for change in azure.what_if(document) if change["changeType"] != "Create"]
    assert [one.rsplit("/", 2)[1] for one in first] == ["tags"]  # the group is there and has none
    for _ in range(2):
        record = azure.deploy(document)
        assert record["properties"]["provisioningState"] == "Succeeded", record["properties"].get("error")
        told = {change["resourceId"]: change["changeType"] for change in azure.what_if(document)}
        assert set(told.values()) == {"NoChange"}, told
        assert len(told) == len(RESOURCES)


def test_no_type_is_forgotten() -> None:
    written = {str(one["type"]).lower() for one in RESOURCES}
    assert {kind.lower() for kind in TYPE_NAMES if not kind.lower().startswith(ELSEWHERE)} == written


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in entries:
        yield (*path, key)
        yield from places(item, (*path, key))


@pytest.mark.parametrize("index", range(len(RESOURCES)), ids=[str(one["type"]) for one in RESOURCES])
def test_nothing_in_a_body_breaks_the_command(index: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each part of a resource in turn is a number, or unknown until the deployment runs."""
    file = tmp_path / "main.json"
    for path in places(RESOURCES[index]):
        for junk in (1, "[reference('stone')]"):
            document = copy.deepcopy(template(*RESOURCES))
            place = document["resources"][index]
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = junk
            file.write_text(json.dumps(document), encoding="utf-8")
            assert main([str(file)]) in (0, 1)
            assert "Traceback" not in capsys.readouterr().err


def test_a_name_that_is_taken_elsewhere_is_refused(azure: Azure) -> None:
    azure.group()
    azure.group("rg-two")
    azure.deploy(template(*RESOURCES))
    for kind in (STORAGE, "Microsoft.KeyVault/vaults", "Microsoft.DataFactory/factories"):
        body = next(one for one in RESOURCES if one["type"] == kind)
        path = f"{SUBSCRIPTION_ID}/resourceGroups/rg-two/providers/{kind}/{body['name']}"
        plain = {key: body[key] for key in ("kind", "sku", "properties") if key in body}
        assert azure.call("PUT", path, {**plain, "location": "westeurope"})[0] == 409
