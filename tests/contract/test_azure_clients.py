"""The vendor's clients for Python: Resource Manager with its providers, Key Vault, blobs. They sign in as the exports say."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.storage import StorageManagementClient
from azure.storage.blob import BlobBlock, BlobServiceClient

from tests.contract.place import ROOT, Place

pytestmark = pytest.mark.contract
TEMPLATE = json.loads((ROOT / "tests/contract/template.json").read_text())


@pytest.fixture(scope="module")
def credential() -> DefaultAzureCredential:
    return DefaultAzureCredential()


@pytest.fixture(scope="module")
def storage(credential: DefaultAzureCredential, place: Place) -> Any:
    return StorageManagementClient(credential, place.subscription)


@pytest.fixture(scope="module")
def account(storage: Any, group: str, place: Place) -> Iterator[str]:
    name = place.name("clients", dashes=False)
    body = {"location": place.location, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}
    storage.storage_accounts.begin_create(group, name, body).result()
    yield name
    storage.storage_accounts.delete(group, name)


def test_groups_and_resources(credential: DefaultAzureCredential, group: str, account: str, place: Place) -> None:
    client: Any = ResourceManagementClient(credential, place.subscription)
    name = place.name("clients")
    client.resource_groups.create_or_update(name, {"location": place.location})
    assert client.resource_groups.check_existence(name) is True
    assert client.resource_groups.update(name, {"tags": {"a": "b"}}).tags == {"a": "b"}
    assert name in [one.name for one in client.resource_groups.list()]
    client.resource_groups.begin_delete(name).result()
    assert client.resource_groups.check_existence(name) is False
    assert account in [one.name for one in client.resources.list_by_resource_group(group)]
    assert account in [
        one.name for one in client.resources.list(filter="resourceType eq 'Microsoft.Storage/storageAccounts'")
    ]
    resource = f"/subscriptions/{place.subscription}/resourceGroups/{group}/providers/Microsoft.Storage/storageAccounts/{account}"
    assert client.resources.check_existence_by_id(resource, "2023-05-01") is True


def test_deployments(credential: DefaultAzureCredential, group: str, place: Place) -> None:
    client: Any = DeploymentsMgmtClient(credential, place.subscription)
    parameters = {"account": place.name("template", dashes=False), "vault": place.name("template"), "password": "p"}
    properties = {
        "mode": "Incremental",
        "template": TEMPLATE,
        "parameters": {name: {"value": value} for name, value in parameters.items()},
    }
    deployments, name = client.deployments, place.name("client")
    assert deployments.begin_validate(group, name, {"properties": properties}).result().error is None
    foreseen = deployments.begin_what_if(group, name, {"properties": properties}).result()
    assert {"Create"} <= {change.change_type for change in foreseen.changes}
    made = deployments.begin_create_or_update(group, name, {"properties": properties}).result()
    assert made.properties.provisioning_state == "Succeeded"
    assert deployments.check_existence(group, name) is True
    steps = list(client.deployment_operations.list(group, name))
    assert client.deployment_operations.get(group, name, steps[0].operation_id).properties.provisioning_state
    with pytest.raises(HttpResponseError):  # it has ended
        deployments.cancel(group, name)
    assert deployments.calculate_template_hash(TEMPLATE).template_hash
    deployments.begin_delete(group, name).result()
    assert deployments.check_existence(group, name) is False


def test_a_deployment_is_cancelled(credential: DefaultAzureCredential, group: str, place: Place) -> None:
    client: Any = DeploymentsMgmtClient(credential, place.subscription)
    name = place.name("cancelled")
    many = {
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
        "apiVersion": "2023-01-31",
        "name": f"[concat('{place.prefix}-many-', copyIndex())]",
        "location": place.location,
        "copy": {"name": "many", "count": 600, "mode": "serial"},
    }
    template = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "resources": [many],
    }
    waiting = client.deployments.begin_create_or_update(
        group, name, {"properties": {"mode": "Incremental", "template": template}}
    )
    client.deployments.cancel(group, name)
    with pytest.raises(HttpResponseError):
        waiting.result()
    assert client.deployments.get(group, name).properties.provisioning_state == "Canceled"


def test_a_deployment_that_goes_wrong_says_why(credential: DefaultAzureCredential, group: str, place: Place) -> None:
    client: Any = DeploymentsMgmtClient(credential, place.subscription)
    parameters = {"account": "NOT VALID", "vault": place.name("wrong"), "password": "p"}
    properties = {
        "mode": "Incremental",
        "template": TEMPLATE,
        "parameters": {name: {"value": value} for name, value in parameters.items()},
    }
    with pytest.raises(HttpResponseError, match="AccountNameInvalid"):
        client.deployments.begin_create_or_update(group, place.name("wrong"), {"properties": properties}).result()


def test_storage_accounts(storage: Any, group: str, account: str) -> None:
    assert storage.storage_accounts.get_properties(group, account).name == account
    assert account in [one.name for one in storage.storage_accounts.list()]
    assert storage.storage_accounts.update(group, account, {"tags": {"a": "b"}}).tags == {"a": "b"}
    assert len(storage.storage_accounts.list_keys(group, account).keys_property) == 2
    service = storage.blob_services.get_service_properties(group, account)
    assert service.name == "default"
    storage.blob_services.set_service_properties(group, account, {"properties": {"isVersioningEnabled": False}})
    assert [one.name for one in storage.blob_services.list(group, account)] == ["default"]


def test_containers_through_resource_manager(storage: Any, group: str, account: str) -> None:
    where = (group, account, "managed")
    storage.blob_containers.create(*where, {})
    assert storage.blob_containers.get(*where).name == "managed"
    assert "managed" in [one.name for one in storage.blob_containers.list(group, account)]
    body = {"properties": {"metadata": {"a": "b"}}}
    assert storage.blob_containers.update(*where, body).name == "managed"
    storage.blob_containers.delete(*where)


def test_vaults(credential: DefaultAzureCredential, group: str, place: Place) -> None:
    client: Any = KeyVaultManagementClient(credential, place.subscription)
    name, tenant = place.name("clients"), place.variables["AZURE_TENANT_ID"]
    properties = {"tenantId": tenant, "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True}
    body = {"location": place.location, "properties": {**properties, "accessPolicies": []}}
    client.vaults.begin_create_or_update(group, name, body).result()
    assert client.vaults.update(group, name, {"tags": {"a": "b"}}).tags == {"a": "b"}
    available = client.vaults.check_name_availability({"name": name, "type": "Microsoft.KeyVault/vaults"})
    assert available.name_available is False
    assert name in [one.name for one in client.vaults.list_by_resource_group(group)]
    client.vaults.delete(group, name)
    assert client.vaults.get_deleted(name, place.location).name == name
    client.vaults.begin_purge_deleted(name, place.location).result()


def test_secrets_and_policies_through_resource_manager(
    credential: DefaultAzureCredential, group: str, place: Place
) -> None:
    client: Any = KeyVaultManagementClient(credential, place.subscription)
    name, tenant = place.name("policies"), place.variables["AZURE_TENANT_ID"]
    properties = {"tenantId": tenant, "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": False}
    body = {"location": place.location, "properties": {**properties, "accessPolicies": []}}
    client.vaults.begin_create_or_update(group, name, body).result()
    policy = {"tenantId": tenant, "objectId": str(uuid.uuid4()), "permissions": {"secrets": ["get"]}}
    added = client.vaults.update_access_policy(group, name, "add", {"properties": {"accessPolicies": [policy]}})
    assert [one.object_id for one in added.properties.access_policies] == [policy["objectId"]]
    client.secrets.create_or_update(group, name, "key", {"properties": {"value": "v"}})
    shown = client.secrets.get(group, name, "key")
    assert shown.properties.secret_uri.startswith(f"https://{name}.vault.azure.net")
    assert shown.properties.value is None
    assert [one.name for one in client.secrets.list(group, name)] == ["key"]
    client.vaults.delete(group, name)
    client.vaults.begin_purge_deleted(name, place.location).result()
    assert list(client.managed_hsms.list_by_resource_group(group)) == []


def test_identities_and_their_roles(credential: DefaultAzureCredential, group: str, place: Place) -> None:
    identities: Any = ManagedServiceIdentityClient(credential, place.subscription)
    roles: Any = AuthorizationManagementClient(credential, place.subscription)
    name, scope = place.name("clients"), f"/subscriptions/{place.subscription}/resourceGroups/{group}"
    made = identities.user_assigned_identities.create_or_update(group, name, {"location": place.location})
    assert identities.user_assigned_identities.update(group, name, {"tags": {"a": "b"}}).tags == {"a": "b"}
    reader = next(iter(roles.role_definitions.list(scope, filter="roleName eq 'Reader'")))
    assert roles.role_definitions.get(scope, reader.name).role_name == "Reader"
    assert roles.role_definitions.get_by_id(reader.id).role_name == "Reader"
    number = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{scope} {made.principal_id} {reader.name}"))
    properties = {"roleDefinitionId": reader.id, "principalId": made.principal_id, "principalType": "ServicePrincipal"}
    roles.role_assignments.create(scope, number, {"properties": properties})
    assert roles.role_assignments.get(scope, number).principal_id == made.principal_id
    with pytest.raises(ResourceExistsError, match="RoleAssignmentExists"):
        roles.role_assignments.create(scope, str(uuid.uuid4()), {"properties": properties})
    mine = [one.name for one in roles.role_assignments.list_for_scope(scope, filter="atScope()")]
    assert number in mine
    roles.role_assignments.delete(scope, number)
    identities.user_assigned_identities.delete(group, name)
    with pytest.raises(ResourceNotFoundError):
        identities.user_assigned_identities.get(group, name)


def test_blobs(credential: DefaultAzureCredential, storage: Any, group: str, account: str) -> None:
    key = storage.storage_accounts.list_keys(group, account).keys_property[0].value
    service = BlobServiceClient(f"https://{account}.blob.core.windows.net", credential=key)
    assert service.get_service_properties()
    container = service.create_container("clients")
    assert "clients" in [one.name for one in service.list_containers()]
    container.set_container_metadata({"a": "b"})
    assert container.get_container_properties().metadata == {"a": "b"}
    container.acquire_lease(15).release()
    blob = container.get_blob_client("folder/data.bin")
    made = blob.upload_blob(b"first")
    with pytest.raises(ResourceExistsError):
        blob.upload_blob(b"again")
    with pytest.raises(HttpResponseError, match="ConditionNotMet"):
        blob.upload_blob(b"again", overwrite=True, etag='"0x0"', match_condition=MatchConditions.IfNotModified)
    assert blob.get_blob_properties().etag == made["etag"]
    assert blob.download_blob().readall() == b"first"
    blob.stage_block("MQ==", b"one ")
    blob.stage_block("Mg==", b"two")
    blob.commit_block_list([BlobBlock("MQ=="), BlobBlock("Mg==")])
    assert [one.id for one in blob.get_block_list()[0]] == ["MQ==", "Mg=="]
    assert blob.download_blob().readall() == b"one two"
    blob.set_blob_metadata({"release": "7"})
    blob.set_http_headers()
    lease = blob.acquire_lease(15)
    with pytest.raises(HttpResponseError, match="LeaseIdMissing"):
        blob.delete_blob()
    lease.release()
    blob.create_snapshot()
    log = container.get_blob_client("log")
    log.create_append_blob()
    log.append_block(b"line\n")
    assert {one.name for one in container.list_blobs()} == {"folder/data.bin", "log"}
    blob.delete_blob(delete_snapshots="include")
    container.delete_container()
    stranger = BlobServiceClient(f"https://{account}.blob.core.windows.net", credential="Zm9yZ2Vk")
    with pytest.raises(HttpResponseError, match="AuthenticationFailed"):
        list(stranger.list_containers())


def test_secrets(credential: DefaultAzureCredential, group: str, place: Place) -> None:
    vaults: Any = KeyVaultManagementClient(credential, place.subscription)
    name, tenant = place.name("secrets"), place.variables["AZURE_TENANT_ID"]
    properties = {"tenantId": tenant, "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True}
    body = {"location": place.location, "properties": {**properties, "accessPolicies": []}}
    vaults.vaults.begin_create_or_update(group, name, body).result()
    client = SecretClient(f"https://{name}.vault.azure.net", credential)
    first = client.set_secret("key", "one", tags={"a": "b"})
    client.set_secret("key", "two")
    assert client.get_secret("key").value == "two"
    assert client.get_secret("key", first.properties.version).value == "one"
    changed = client.update_secret_properties("key", first.properties.version, content_type="text")
    assert changed.content_type == "text"
    assert client.update_secret_properties("key", enabled=True).enabled is True
    assert len(list(client.list_properties_of_secret_versions("key"))) == 2
    assert [one.name for one in client.list_properties_of_secrets()] == ["key"]
    kept = client.backup_secret("key")
    client.begin_delete_secret("key").wait()
    with pytest.raises(ResourceNotFoundError, match="SecretNotFound"):
        client.get_secret("key")
    assert client.get_deleted_secret("key").recovery_id
    client.begin_recover_deleted_secret("key").wait()
    client.begin_delete_secret("key").wait()
    client.purge_deleted_secret("key")
    assert client.restore_secret_backup(kept).name == "key"
    assert client.get_secret("key").value == "two"
    vaults.vaults.delete(group, name)
    vaults.vaults.begin_purge_deleted(name, place.location).result()
