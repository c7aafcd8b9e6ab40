"""What each provider demands, defaults, and does beside."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rehearsal.resource_manager.local_azure import GROUP_ID, SUBSCRIPTION_ID, TENANT, Azure

STORAGE = f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts"
VAULTS = f"{GROUP_ID}/providers/Microsoft.KeyVault/vaults"
FACTORIES = f"{GROUP_ID}/providers/Microsoft.DataFactory/factories"
DELETED = f"{SUBSCRIPTION_ID}/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults"
ASSIGNMENTS = "providers/Microsoft.Authorization/roleAssignments"
GUID = "0d3b1c58-6d7c-4c1e-9b7c-1f4c8f3f9a10"


def account(**properties: Any) -> dict[str, Any]:
    return {"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": properties}


def vault(**properties: Any) -> dict[str, Any]:
    base = {"tenantId": TENANT, "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True}
    return {"location": "westeurope", "properties": {**base, **properties}}


def code(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["error"]["code"]


class TestStorage:
    def test_new_account_is_asynchronous(self, azure: Azure) -> None:
        azure.group()
        assert azure.call("PUT", f"{STORAGE}/stone", account()) == (202, None)
        assert "/operationresults/" in azure.headers["location"]
        assert azure.headers["retry-after-ms"] == "50"
        found = azure.call("GET", f"{STORAGE}/stone")[1]
        assert found["properties"]["networkAcls"]["defaultAction"] == "Allow"
        assert found["sku"] == {"name": "Standard_LRS", "tier": "Standard"}

    @pytest.mark.parametrize("name", ["st", "St1", "st-1", "s" * 25])
    def test_names(self, azure: Azure, name: str) -> None:
        azure.group()
        assert code(azure.call("PUT", f"{STORAGE}/{name}", account())) == (400, "AccountNameInvalid")

    def test_refusals(self, azure: Azure) -> None:
        azure.group()
        azure.call("PUT", f"{STORAGE}/stone", account(isHnsEnabled=True))
        again = azure.call("PUT", f"{STORAGE}/stone", account(isHnsEnabled=False))
        assert code(again) == (409, "AccountPropertyCannotBeUpdated")
        other = azure.call("PUT", f"{STORAGE}/stone", {**account(), "location": "eastus"})
        assert code(other) == (409, "InvalidResourceLocation")
        azure.group("rg-two")
        two = STORAGE.replace("rg-app", "rg-two")
        assert code(azure.call("PUT", f"{two}/stone", account())) == (409, "StorageAccountAlreadyTaken")
        for bad in ({**account(), "sku": {"name": "Gold"}}, account(minimumTlsVersion="TLS9")):
            assert code(azure.call("PUT", f"{STORAGE}/sttwo", bad)) == (400, "InvalidValuesForRequestParameters")
        none = STORAGE.replace("rg-app", "rg-none")
        assert code(azure.call("PUT", f"{none}/sttwo", account())) == (404, "ResourceGroupNotFound")

    def test_put_keeps_what_it_is_not_given(self, azure: Azure) -> None:
        azure.group()
        azure.call("PUT", f"{STORAGE}/stone", {**account(allowBlobPublicAccess=True), "tags": {"a": "b"}})
        status, found = azure.call("PUT", f"{STORAGE}/stone", account())
        assert (status, found["properties"]["allowBlobPublicAccess"], found["tags"]) == (200, True, {"a": "b"})
        status, found = azure.call("PATCH", f"{STORAGE}/stone", {"properties": {"minimumTlsVersion": "TLS1_3"}})
        assert (status, found["properties"]["minimumTlsVersion"]) == (200, "TLS1_3")
        assert found["properties"]["allowBlobPublicAccess"] is True

    def test_containers(self, azure: Azure) -> None:
        azure.group()
        path = f"{STORAGE}/stone/blobServices/default/containers"
        assert code(azure.call("PUT", f"{path}/data", {})) == (404, "ParentResourceNotFound")
        azure.call("PUT", f"{STORAGE}/stone", account())
        assert azure.call("PUT", f"{path}/data", {})[0] == 201
        assert azure.call("PUT", f"{path}/data", {})[0] == 200
        assert code(azure.call("PUT", f"{path}/No--good", {})) == (400, "ContainerOperationFailure")
        assert [one["name"] for one in azure.call("GET", path)[1]["value"]] == ["data"]
        azure.call("DELETE", f"{STORAGE}/stone")
        assert azure.world.resources.below(GROUP_ID) == []

    def test_keys_need_the_right(self, azure: Azure) -> None:
        azure.group()
        azure.call("PUT", f"{STORAGE}/stone", account())
        keys = azure.call("POST", f"{STORAGE}/stone/listKeys")[1]["keys"]
        assert [(one["keyName"], one["value"]) for one in keys] == [("key1", "stone-1"), ("key2", "stone-2")]
        reader = azure.directory.add("reader")
        azure.world.roles.assign(scope=GROUP_ID, principal_id=reader.object_id, role_name="Reader")
        assert azure.call("GET", f"{STORAGE}/stone", caller=reader)[0] == 200
        assert code(azure.call("POST", f"{STORAGE}/stone/listKeys", caller=reader)) == (403, "AuthorizationFailed")


class TestVaults:
    def test_deleted_vaults_come_back_or_are_purged(self, azure: Azure) -> None:
        azure.group()
        azure.call("PUT", f"{VAULTS}/kv-one", {**vault(), "tags": {"a": "b"}})
        assert azure.call("DELETE", f"{VAULTS}/kv-one")[0] == 200
        assert code(azure.call("GET", f"{VAULTS}/kv-one")) == (404, "ResourceNotFound")
        assert azure.call("GET", f"{DELETED}/kv-one")[1]["properties"]["vaultId"] == f"{VAULTS}/kv-one"
        assert code(azure.call("PUT", f"{VAULTS}/kv-one", vault())) == (409, "ConflictError")
        back = azure.call("PUT", f"{VAULTS}/kv-one", vault(createMode="recover"))
        assert back[1]["tags"] == {"a": "b"}
        azure.call("DELETE", f"{VAULTS}/kv-one")
        assert azure.call("POST", f"{DELETED}/kv-one/purge")[0] == 202
        assert azure.call("PUT", f"{VAULTS}/kv-one", vault())[0] == 201

    def test_deleted_vaults_go_after_their_time(self, azure: Azure) -> None:
        azure.group()
        azure.call("PUT", f"{VAULTS}/kv-one", vault(softDeleteRetentionInDays=7))
        azure.call("DELETE", f"{VAULTS}/kv-one")
        azure.clock.now += 7 * 86400
        assert code(azure.call("GET", f"{DELETED}/kv-one")) == (404, "DeletedVaultNotFound")
        assert azure.call("PUT", f"{VAULTS}/kv-one", vault())[0] == 201

    def test_purge_protection_is_for_ever(self, azure: Azure) -> None:
        azure.group()
        answer = azure.call("PUT", f"{VAULTS}/kv-one", vault(enablePurgeProtection=False))
        assert answer[0] == 400
        assert '"enablePurgeProtection" cannot be set to false' in answer[1]["error"]["message"]
        azure.call("PUT", f"{VAULTS}/kv-one", vault(enablePurgeProtection=True))
        assert azure.call("PUT", f"{VAULTS}/kv-one", vault())[1]["properties"]["enablePurgeProtection"] is True
        azure.call("DELETE", f"{VAULTS}/kv-one")
        assert code(azure.call("POST", f"{DELETED}/kv-one/purge")) == (409, "DeletedVaultPurge")

    @pytest.mark.parametrize(
        ("body", "part"),
        [
            (vault(enableSoftDelete=False), "enableSoftDelete"),
            (vault(softDeleteRetentionInDays=5), "between 7 and 90"),
            (vault(tenantId=None), "properties.tenantId"),
            (vault(sku={"name": "gold"}), "sku.name"),
        ],
    )
    def test_refusals(self, azure: Azure, body: dict[str, Any], part: str) -> None:
        azure.group()
        status, answer = azure.call("PUT", f"{VAULTS}/kv-one", body)
        assert status == 400
        assert part in answer["error"]["message"]

    @pytest.mark.parametrize("name", ["1kv", "kv--x", "kv-", "k" * 25])
    def test_names(self, azure: Azure, name: str) -> None:
        azure.group()
        assert code(azure.call("PUT", f"{VAULTS}/{name}", vault())) == (400, "VaultNameNotValid")

    def test_retention_is_set_once(self, azure: Azure) -> None:
        azure.group()
        azure.call("PUT", f"{VAULTS}/kv-one", vault(softDeleteRetentionInDays=30))
        assert azure.call("PUT", f"{VAULTS}/kv-one", vault(softDeleteRetentionInDays=40))[0] == 400
        assert azure.call("PUT", f"{VAULTS}/kv-one", vault())[1]["properties"]["softDeleteRetentionInDays"] == 30


class TestRoleAssignments:
    role = f"{SUBSCRIPTION_ID}/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"

    def body(self, principal: str, role: str | None = None) -> dict[str, Any]:
        return {
            "properties": {
                "roleDefinitionId": role or self.role,
                "principalId": principal,
                "principalType": "ServicePrincipal",
            }
        }

    def test_twice_is_fine_and_a_second_name_is_not(self, azure: Azure) -> None:
        azure.group()
        who = azure.directory.add("who").object_id
        path = f"{GROUP_ID}/{ASSIGNMENTS}"
        status, made = azure.call("PUT", f"{path}/{GUID}", self.body(who), version="2022-04-01")
        assert status == 201
        assert made["properties"]["scope"] == GROUP_ID
        assert made["properties"]["createdBy"] == azure.admin.object_id
        assert azure.call("PUT", f"{path}/{GUID}", self.body(who), version="2022-04-01")[0] == 200
        second = azure.call("PUT", f"{path}/{GUID[:-1]}1", self.body(who))
        assert code(second) == (409, "RoleAssignmentExists")
        assert GUID.replace("-", "") in second[1]["error"]["message"]
        other = azure.directory.add("other").object_id
        assert code(azure.call("PUT", f"{path}/{GUID}", self.body(other))) == (400, "RoleAssignmentUpdateNotPermitted")

    @pytest.mark.parametrize(
        ("name", "principal", "role", "expected"),
        [
            ("not-a-guid", None, None, "InvalidRoleAssignmentId"),
            (GUID, GUID, None, "PrincipalNotFound"),
            (GUID, "me", None, "InvalidPrincipalId"),
            (GUID, None, f"/providers/Microsoft.Authorization/roleDefinitions/{GUID}", "RoleDefinitionDoesNotExist"),
        ],
    )
    def test_refusals(self, azure: Azure, name: str, principal: str | None, role: str | None, expected: str) -> None:
        azure.group()
        body = self.body(principal or azure.directory.add("who").object_id, role)
        assert code(azure.call("PUT", f"{GROUP_ID}/{ASSIGNMENTS}/{name}", body)) == (400, expected)

    def test_type_of_the_principal_must_fit(self, azure: Azure) -> None:
        azure.group()
        body = self.body(azure.directory.add("who").object_id)
        body["properties"]["principalType"] = "Group"
        assert code(azure.call("PUT", f"{GROUP_ID}/{ASSIGNMENTS}/{GUID}", body)) == (400, "UnmatchedPrincipalType")

    def test_lists(self, azure: Azure) -> None:
        azure.group()
        who = azure.directory.add("who").object_id
        azure.call("PUT", f"{GROUP_ID}/{ASSIGNMENTS}/{GUID}", self.body(who))
        found = azure.call("GET", f"{GROUP_ID}/{ASSIGNMENTS}?$filter=principalId eq '{who}'")[1]["value"]
        assert [one["name"] for one in found] == [GUID]
        assert azure.call("GET", f"{SUBSCRIPTION_ID}/{ASSIGNMENTS}?$filter=atScope()")[1]["value"][0]["name"] != GUID
        assert len(azure.call("GET", f"{SUBSCRIPTION_ID}/{ASSIGNMENTS}")[1]["value"]) == 2
        definitions = f"{SUBSCRIPTION_ID}/providers/Microsoft.Authorization/roleDefinitions"
        named = azure.call("GET", f"{definitions}?$filter=roleName eq 'Key Vault Secrets User'")[1]["value"]
        assert [one["name"] for one in named] == ["4633458b-17de-408a-b874-0445c86b69e6"]
        assert azure.call("DELETE", f"{GROUP_ID}/{ASSIGNMENTS}/{GUID}")[1]["name"] == GUID
        assert azure.call("DELETE", f"{GROUP_ID}/{ASSIGNMENTS}/{GUID}")[0] == 204

    def test_contributor_may_not_assign(self, azure: Azure) -> None:
        azure.group()
        who = azure.directory.add("who")
        azure.world.roles.assign(scope=GROUP_ID, principal_id=who.object_id, role_name="Contributor")
        answer = azure.call("PUT", f"{GROUP_ID}/{ASSIGNMENTS}/{GUID}", self.body(who.object_id), caller=who)
        assert code(answer) == (403, "AuthorizationFailed")
        assert "Microsoft.Authorization/roleAssignments/write" in answer[1]["error"]["message"]


class TestIdentities:
    def test_an_identity_is_read_with_its_application_id(self, azure: Azure) -> None:
        azure.group()
        identities = f"{FACTORIES}/adf-one/providers/Microsoft.ManagedIdentity/identities/default"
        assert code(azure.call("GET", identities)) == (404, "ResourceNotFound")
        body = {"location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": {}}
        made = azure.call("PUT", f"{FACTORIES}/adf-one", body)[1]
        assert "clientId" not in made["identity"], "the resource names the object id only"
        found = azure.call("GET", identities)[1]["properties"]
        assert found["principalId"] == made["identity"]["principalId"]
        principal = azure.world.directory.by_object_id(found["principalId"])
        assert principal is not None
        assert found["clientId"] == principal.app_id

    def test_factory_identity_stays_the_same(self, azure: Azure) -> None:
        azure.group()
        body = {"location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": {}}
        first = azure.call("PUT", f"{FACTORIES}/adf-one", body)[1]
        assert azure.directory.by_object_id(first["identity"]["principalId"]) is not None
        assert first["identity"]["tenantId"] == TENANT
        second = azure.call("PUT", f"{FACTORIES}/adf-one", {**body, "tags": {"a": "b"}})[1]
        assert second["identity"] == first["identity"]
        azure.group("rg-two")
        elsewhere = FACTORIES.replace("rg-app", "rg-two")
        assert code(azure.call("PUT", f"{elsewhere}/ADF-one", body)) == (409, "DataFactoryNameInUse")
        assert code(azure.call("PUT", f"{FACTORIES}/a--b", body)) == (400, "InvalidFactoryName")

    @pytest.mark.parametrize("place", [f"{FACTORIES}/adf-one", GROUP_ID])
    def test_a_system_assigned_identity_goes_with_its_resource(self, azure: Azure, place: str) -> None:
        azure.group()
        body = {"location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": {}}
        made = azure.call("PUT", f"{FACTORIES}/adf-one", body)[1]
        azure.call("DELETE", place)
        assert azure.directory.by_object_id(made["identity"]["principalId"]) is None

    def test_user_assigned(self, azure: Azure) -> None:
        azure.group()
        path = f"{GROUP_ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id1"
        made = azure.call("PUT", path, {"location": "westeurope"})[1]["properties"]
        principal = azure.directory.by_object_id(made["principalId"])
        assert principal is not None
        assert principal.app_id == made["clientId"]
