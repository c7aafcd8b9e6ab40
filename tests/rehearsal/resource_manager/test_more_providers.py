"""Databricks workspaces, the other services of storage accounts, federated credentials, custom roles, tags, unknown types."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from rehearsal.resource_manager.providers.unknown import accepted
from tests.rehearsal.resource_manager.local_azure import (
    GROUP_ID,
    SUBSCRIPTION_ID,
    Azure,
    deployment,
    envelope,
    template,
)

STORAGE = f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts/stone"
IDENTITY = f"{GROUP_ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-one"
WORKSPACE = f"{GROUP_ID}/providers/Microsoft.Databricks/workspaces/dbw-one"
ROLES = f"{SUBSCRIPTION_ID}/providers/Microsoft.Authorization/roleDefinitions"
GUID = "0d3b1c58-6d7c-4c1e-9b7c-1f4c8f3f9a10"
MANAGED = f"{SUBSCRIPTION_ID}/resourceGroups/rg-managed"


def code(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["error"]["code"]


def account(azure: Azure) -> None:
    azure.group()
    body = {"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}
    assert azure.call("PUT", STORAGE, body)[0] in (200, 202)


class TestDatabricks:
    DOCUMENT = template(
        {
            "type": "Microsoft.Databricks/workspaces",
            "apiVersion": "2024-05-01",
            "name": "dbw-one",
            "location": "westeurope",
            "sku": {"name": "premium"},
            "properties": {
                "ManagedResourceGroupId": "[subscriptionResourceId('Microsoft.Resources/resourceGroups', 'rg-managed')]",
                "parameters": {"enableNoPublicIp": {"value": True}},
            },
        },
        outputs={"url": {"type": "string", "value": "[reference('dbw-one').workspaceUrl]"}},
    )

    def test_a_deployed_workspace_answers(self, azure: Azure) -> None:
        azure.group()
        record = azure.deploy(self.DOCUMENT)
        assert record["properties"]["provisioningState"] == "Succeeded", record["properties"].get("error")
        host = record["properties"]["outputs"]["url"]["value"]
        assert azure.workspaces.hosts == {host: WORKSPACE}
        found = azure.call("GET", WORKSPACE)[1]["properties"]
        assert host == f"adb-{found['workspaceId']}.{int(found['workspaceId']) % 20}.azuredatabricks.net"
        assert found["parameters"]["enableNoPublicIp"] == {"type": "Bool", "value": True}
        assert azure.call("GET", MANAGED)[1]["managedBy"] == WORKSPACE
        assert {change["changeType"] for change in azure.what_if(self.DOCUMENT)} == {"NoChange"}

    def test_the_same_one_after_a_second_deployment(self, azure: Azure) -> None:
        azure.group()
        first, second = (azure.deploy(self.DOCUMENT)["properties"]["outputs"] for _ in range(2))
        assert first == second and len(azure.workspaces.hosts) == 1

    def test_an_identity_for_its_storage(self, azure: Azure) -> None:
        azure.group()
        document = copy.deepcopy(self.DOCUMENT)
        document["resources"][0]["properties"]["parameters"] = {"prepareEncryption": {"value": True}}
        outputs = {"id": {"type": "string", "value": "[reference('dbw-one').storageAccountIdentity.principalId]"}}
        record = azure.deploy({**document, "outputs": outputs})
        found = azure.directory.by_object_id(record["properties"]["outputs"]["id"]["value"])
        assert found is not None
        assert {change["changeType"] for change in azure.what_if({**document, "outputs": outputs})} == {"NoChange"}

    def test_access_connector_with_an_identity_of_its_own_choice(self, azure: Azure) -> None:
        azure.group()
        user = "[resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', 'id-one')]"
        identity = {
            "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
            "apiVersion": "2018-11-30",
            "name": "id-one",
            "location": "westeurope",
        }
        connector = {
            "type": "Microsoft.Databricks/accessConnectors",
            "apiVersion": "2022-10-01-preview",
            "name": "dbc-one",
            "location": "westeurope",
            "identity": {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {user: {}}},
            "dependsOn": [user],
        }
        document = template(connector, identity)
        assert azure.deploy(document)["properties"]["provisioningState"] == "Succeeded"
        shown = azure.call("GET", f"{GROUP_ID}/providers/Microsoft.Databricks/accessConnectors/dbc-one")[1]["identity"]
        known = azure.call("GET", IDENTITY)[1]["properties"]
        assert shown["userAssignedIdentities"][IDENTITY]["principalId"] == known["principalId"] != shown["principalId"]
        assert {change["changeType"] for change in azure.what_if(document)} == {"NoChange"}
        connector["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {f"{IDENTITY}x": {}}}
        failed = azure.deploy(template({**connector, "dependsOn": []}))
        assert "FailedIdentityOperation" in str(failed["properties"]["error"])

    def test_deleted(self, azure: Azure) -> None:
        azure.group()
        azure.deploy(self.DOCUMENT)
        assert azure.call("DELETE", WORKSPACE)[0] == 200
        assert azure.workspaces.hosts == {}
        assert azure.call("GET", MANAGED)[0] == 404

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({"properties": {}}, 400),
            ({"properties": {"managedResourceGroupId": GROUP_ID}}, 400),
            ({"properties": {"managedResourceGroupId": f"{SUBSCRIPTION_ID}/resourceGroups/rg-two"}}, 409),
            ({"sku": {"name": "gold"}}, 400),
            ({"properties": {"managedResourceGroupId": MANAGED, "computeMode": "Serverless"}}, 501),
        ],
    )
    def test_refused(self, azure: Azure, change: dict[str, Any], status: int) -> None:
        azure.group()
        azure.group("rg-two")
        body = {"location": "westeurope", "properties": {"managedResourceGroupId": MANAGED}, **change}
        assert azure.call("PUT", WORKSPACE, body)[0] == status
        assert azure.workspaces.hosts == {}


class TestStorageServices:
    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("fileServices/default/shares/data", {"properties": {"shareQuota": 10}}),
            ("queueServices/default/queues/data", {}),
            ("tableServices/default/tables/Data1", {}),
            ("blobServices/default/containers/data", {}),
        ],
    )
    def test_what_is_in_an_account(self, azure: Azure, path: str, body: dict[str, Any]) -> None:
        account(azure)
        # Queues and tables answer with other numbers than shares and containers (azure-mgmt-storage).
        plain = path.startswith(("queue", "table"))
        assert azure.call("PUT", f"{STORAGE}/{path}", body)[0] == (200 if plain else 201)
        assert azure.call("PUT", f"{STORAGE}/{path}", body)[0] == 200
        listed = azure.call("GET", f"{STORAGE}/{path.rpartition('/')[0]}")[1]["value"]
        assert [one["id"] for one in listed] == [f"{STORAGE}/{path}"]
        wrong = path.rpartition("/")[0] + "/-x-"
        assert azure.call("PUT", f"{STORAGE}/{wrong}", body)[0] == 400
        assert azure.call("DELETE", f"{STORAGE}/{path}")[0] == (204 if plain else 200)

    def test_services_are_there_from_the_start(self, azure: Azure) -> None:
        account(azure)
        for service in ("fileServices", "queueServices", "tableServices", "blobServices"):
            assert azure.call("GET", f"{STORAGE}/{service}/default")[1]["properties"]["cors"] == {"corsRules": []}
            assert azure.call("PUT", f"{STORAGE}/{service}/other", {})[0] == 400
        changed = {"properties": {"shareDeleteRetentionPolicy": {"enabled": False}}}
        assert azure.call("PUT", f"{STORAGE}/fileServices/default", changed)[0] == 200
        assert azure.call("GET", f"{STORAGE}/fileServices/default")[1]["properties"]["shareDeleteRetentionPolicy"] == {
            "enabled": False
        }

    def test_keys_are_renewed_one_by_one(self, azure: Azure) -> None:
        account(azure)
        before = [key["value"] for key in azure.call("POST", f"{STORAGE}/listKeys")[1]["keys"]]
        azure.clock.now += 60
        after = azure.call("POST", f"{STORAGE}/regenerateKey", {"keyName": "key2"})[1]["keys"]
        assert after[0]["value"] == before[0] and after[1]["value"] != before[1]
        assert after[1]["creationTime"] > after[0]["creationTime"]
        assert code(azure.call("POST", f"{STORAGE}/regenerateKey", {"keyName": "key9"}))[0] == 400

    def test_management_policy(self, azure: Azure) -> None:
        account(azure)
        rule = {"name": "r", "enabled": True, "type": "Lifecycle", "definition": {"actions": {}}}
        body = {"properties": {"policy": {"rules": [rule]}}}
        assert azure.call("PUT", f"{STORAGE}/managementPolicies/default", body)[0] == 200
        assert azure.call("PUT", f"{STORAGE}/managementPolicies/default", {"properties": {"policy": {}}})[0] == 400


class TestFederatedCredentials:
    BODY: ClassVar[dict[str, Any]] = {
        "properties": {"issuer": "https://i", "subject": "s", "audiences": ["api://AzureADTokenExchange"]}
    }

    def test_made_changed_and_deleted(self, azure: Azure) -> None:
        azure.group()
        azure.call("PUT", IDENTITY, {"location": "westeurope"})
        app_id = azure.call("GET", IDENTITY)[1]["properties"]["clientId"]
        path = f"{IDENTITY}/federatedIdentityCredentials"
        assert azure.call("PUT", f"{path}/pipeline", self.BODY)[0] == 201
        assert azure.directory.federations == [(app_id, "https://i", "s", "api://AzureADTokenExchange")]
        changed = {"properties": {**self.BODY["properties"], "subject": "t"}}
        assert azure.call("PUT", f"{path}/pipeline", changed)[0] == 200
        assert [one[2] for one in azure.directory.federations] == ["t"]
        assert code(azure.call("PUT", f"{path}/again", changed)) == (409, "Conflict")
        assert azure.call("PUT", f"{path}/x", changed)[0] == 400
        assert azure.call("PUT", f"{path}/third", {"properties": {"issuer": "https://i"}})[0] == 400
        assert azure.call("DELETE", f"{path}/pipeline")[0] == 200
        assert azure.directory.federations == []


def role(name: str = "Reader of blobs", **permissions: Any) -> dict[str, Any]:
    return {
        "properties": {
            "roleName": name,
            "description": "d",
            "permissions": [permissions or {"actions": ["Microsoft.Storage/storageAccounts/read"]}],
            "assignableScopes": [SUBSCRIPTION_ID],
        }
    }


class TestCustomRoles:
    def test_a_custom_role_permits_what_it_says(self, azure: Azure) -> None:
        account(azure)
        assert azure.call("PUT", f"{ROLES}/{GUID}", role())[0] == 201
        somebody = azure.directory.add("somebody")
        assert azure.call("GET", STORAGE, caller=somebody)[0] == 403
        properties = {"roleDefinitionId": f"{ROLES}/{GUID}", "principalId": somebody.object_id}
        path = f"{GROUP_ID}/providers/Microsoft.Authorization/roleAssignments/{GUID}"
        assert azure.call("PUT", path, {"properties": properties})[0] == 201
        assert azure.call("GET", STORAGE, caller=somebody)[0] == 200
        assert azure.call("DELETE", STORAGE, caller=somebody)[0] == 403
        assert code(azure.call("DELETE", f"{ROLES}/{GUID}")) == (400, "RoleDefinitionHasAssignments")
        azure.call("PUT", f"{ROLES}/{GUID}", role(actions=["Microsoft.Storage/storageAccounts/delete"]))
        assert azure.call("GET", STORAGE, caller=somebody)[0] == 403
        azure.call("DELETE", path)
        assert azure.call("DELETE", f"{ROLES}/{GUID}")[0] == 200
        assert azure.call("GET", f"{ROLES}/{GUID}")[0] == 404

    def test_listed_and_found_by_name(self, azure: Azure) -> None:
        azure.call("PUT", f"{ROLES}/{GUID}", role())
        found = azure.call("GET", f"{ROLES}?$filter=roleName%20eq%20'Reader%20of%20blobs'")[1]["value"]
        assert [(one["name"], one["properties"]["type"]) for one in found] == [(GUID, "CustomRole")]

    @pytest.mark.parametrize(
        ("name", "body", "expected"),
        [
            ("not-a-guid", role(), (400, "InvalidRoleDefinition")),
            (GUID, role("Owner"), (409, "RoleDefinitionWithSameNameExists")),
            (GUID, {"properties": {"roleName": "x"}}, (400, "InvalidRoleDefinition")),
            ("acdd72a7-3385-48ef-bd42-f606fba81ae7", role(), (403, "RoleDefinitionUpdateNotPermitted")),
        ],
    )
    def test_refused(self, azure: Azure, name: str, body: dict[str, Any], expected: tuple[int, str]) -> None:
        assert code(azure.call("PUT", f"{ROLES}/{name}", body)) == expected

    def test_only_in_its_scopes(self, azure: Azure) -> None:
        azure.group()
        azure.group("rg-two")
        body = role()
        body["properties"]["assignableScopes"] = [GROUP_ID]
        azure.call("PUT", f"{ROLES}/{GUID}", body)
        properties = {"roleDefinitionId": f"{ROLES}/{GUID}", "principalId": azure.admin.object_id}
        other = GROUP_ID.replace("rg-app", "rg-two")
        path = f"{other}/providers/Microsoft.Authorization/roleAssignments/{GUID}"
        assert code(azure.call("PUT", path, {"properties": properties})) == (400, "RoleDefinitionDoesNotExist")

    def test_other_built_in_roles_are_refused_by_name(self, azure: Azure) -> None:
        azure.group()
        acr = f"{ROLES}/7f951dda-4ed3-4680-a7ca-43fe172d538d"
        path = f"{GROUP_ID}/providers/Microsoft.Authorization/roleAssignments/{GUID}"
        properties = {"roleDefinitionId": acr, "principalId": azure.admin.object_id}
        status, answer = azure.call("PUT", path, {"properties": properties})
        assert status == 501 and "built-in role 'AcrPull'" in answer["error"]["message"]


class TestTags:
    @pytest.mark.parametrize("scope", [SUBSCRIPTION_ID, GROUP_ID, STORAGE])
    def test_at_any_scope(self, azure: Azure, scope: str) -> None:
        account(azure)
        path = f"{scope}/providers/Microsoft.Resources/tags/default"

        def tags() -> dict[str, str]:
            found: dict[str, str] = azure.call("GET", path)[1]["properties"]["tags"]
            return found

        assert azure.call("PUT", path, {"properties": {"tags": {"a": "1", "b": "2"}}})[0] == 200
        assert (azure.call("GET", scope)[1].get("tags")) == {"a": "1", "b": "2"}
        azure.call("PATCH", path, {"operation": "Merge", "properties": {"tags": {"A": "3", "c": "4"}}})
        assert tags() == {"a": "3", "b": "2", "c": "4"}
        azure.call("PATCH", path, {"operation": "Delete", "properties": {"tags": {"b": "2", "c": "other"}}})
        assert tags() == {"a": "3", "c": "4"}
        azure.call("PATCH", path, {"operation": "Replace", "properties": {"tags": {"z": "9"}}})
        assert tags() == {"z": "9"}
        assert azure.call("DELETE", path)[0] == 200
        assert tags() == {}

    @pytest.mark.parametrize(
        "tags", [{"a/b": "x"}, {"a": "x" * 257}, {str(number): "" for number in range(51)}, {"": "x"}]
    )
    def test_limits(self, azure: Azure, tags: dict[str, str]) -> None:
        account(azure)
        path = f"{STORAGE}/providers/Microsoft.Resources/tags/default"
        assert azure.call("PUT", path, {"properties": {"tags": tags}})[0] == 400
        body = {"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "tags": tags}
        assert azure.call("PUT", STORAGE, body)[0] == 400

    def test_deployed(self, azure: Azure) -> None:
        azure.group()
        tags = {
            "type": "Microsoft.Resources/tags",
            "apiVersion": "2022-09-01",
            "name": "default",
            "properties": {"tags": {"team": "data"}},
        }
        assert azure.deploy(template(tags))["properties"]["provisioningState"] == "Succeeded"
        assert azure.call("GET", GROUP_ID)[1]["tags"] == {"team": "data"}
        assert {change["changeType"] for change in azure.what_if(template(tags))} == {"NoChange"}


class TestUnknownTypes:
    NETWORK: ClassVar[dict[str, Any]] = {
        "type": "Microsoft.Network/virtualNetworks",
        "apiVersion": "1900-01-01",
        "name": "net",
        "location": "westeurope",
        "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}},
    }

    def test_kept_as_they_are_where_that_was_asked_for(self, azure: Azure) -> None:
        azure.group()
        outputs = {"o": {"type": "string", "value": "[reference('net').addressSpace.addressPrefixes[0]]"}}
        document = template(self.NETWORK, outputs=outputs)
        operations = azure.app.state.deployments._operations
        operations.providers._world = replace(azure.world, accept_unknown_resources=True)
        record = azure.deploy(document)
        assert record["properties"]["outputs"]["o"]["value"] == "10.0.0.0/16"
        path = f"{GROUP_ID}/providers/Microsoft.Network/virtualNetworks/net"
        assert accepted(azure.world) == [path]
        assert {change["changeType"] for change in azure.what_if(document)} == {"NoChange"}
        assert azure.call("DELETE", path)[0] == 200
        assert accepted(azure.world) == []

    def test_refused_before_anything_else_is_looked_at(self, azure: Azure) -> None:
        azure.group()
        linked = {
            "type": "Microsoft.Resources/deployments",
            "apiVersion": "2022-09-01",
            "name": "d",
            "properties": {"mode": "Incremental", "templateLink": {"uri": "https://nowhere.example.org/x.json"}},
        }
        inner = {**linked, "name": "e", "properties": {"mode": "Incremental", "template": template(self.NETWORK)}}
        document = template(linked, inner, parameters={"missing": {"type": "string"}})
        for path in ("/validate", "/whatIf"):
            status, answer = azure.call("POST", deployment(GROUP_ID, "d") + path, envelope(document))
            assert status == 501 and "'Microsoft.Network/virtualNetworks'" in answer["error"]["message"]
        never = {**self.NETWORK, "condition": False}
        assert azure.deploy(template(never))["properties"]["provisioningState"] == "Succeeded"

    def test_refused_otherwise(self, azure: Azure) -> None:
        azure.group()
        assert code(azure.call("GET", f"{GROUP_ID}/providers/Microsoft.Network/virtualNetworks/net")) == (
            501,
            "NotImplementedInRehearsal",
        )
