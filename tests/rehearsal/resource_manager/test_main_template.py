"""arm/main.json, deployed into the stand-in: what it makes, and that a second time changes nothing."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.rehearsal.resource_manager.local_azure import GROUP_ID, REPOSITORY, SUBSCRIPTION_ID, Azure

MAIN = json.loads((REPOSITORY / "arm" / "main.json").read_text(encoding="utf-8"))
VAULT = f"{GROUP_ID}/providers/Microsoft.KeyVault/vaults/kv-app"
STORAGE = f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts/stapp"
FACTORY = f"{GROUP_ID}/providers/Microsoft.DataFactory/factories/adf-app"


def values(azure: Azure, **changed: Any) -> dict[str, Any]:
    return {
        "location": "westeurope",
        "storageAccountName": "stapp",
        "containerName": "data",
        "keyVaultName": "kv-app",
        "dataFactoryName": "adf-app",
        "deployDataFactory": True,
        "production": False,
        "networkDefaultAction": "Deny",
        "networkIpRules": ["203.0.113.7", "198.51.100.0/24"],
        "releasePrincipalId": azure.directory.add("release").object_id,
        "databricksPrincipalId": azure.directory.add("AzureDatabricks").object_id,
        "tags": {"app": "bikeshare"},
        **changed,
    }


def test_first_deployment_makes_everything(azure: Azure) -> None:
    azure.group()
    record = azure.deploy(MAIN, values(azure))
    assert record["properties"]["provisioningState"] == "Succeeded", record["properties"].get("error")
    storage = azure.world.resources.get(STORAGE)
    assert storage is not None
    assert storage["properties"]["isHnsEnabled"] is True
    assert storage["properties"]["allowBlobPublicAccess"] is False
    assert storage["properties"]["minimumTlsVersion"] == "TLS1_2"
    assert storage["properties"]["networkAcls"]["ipRules"][0] == {"value": "203.0.113.7", "action": "Allow"}
    vault = azure.world.resources.get(VAULT)
    assert vault is not None
    assert vault["properties"]["enableRbacAuthorization"] is True
    assert "enablePurgeProtection" not in vault["properties"]
    assert azure.accounts.names == ["stapp"]
    assert azure.world.resources.get(f"{STORAGE}/blobServices/default/containers/data") is not None


def test_roles_work_and_are_named_by_what_they_are(azure: Azure) -> None:
    azure.group()
    azure.deploy(MAIN, values(azure))
    factory = azure.world.resources.get(FACTORY)
    assert factory is not None
    identity = factory["identity"]["principalId"]
    release = azure.directory.add("release").object_id
    secret = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
    allowed = azure.world.roles.allowed
    assert allowed(identity, VAULT, secret, data=True)
    assert allowed(release, VAULT, "Microsoft.KeyVault/vaults/secrets/setSecret/action", data=True)
    assert not allowed(identity, VAULT, "Microsoft.KeyVault/vaults/secrets/setSecret/action", data=True)
    assert allowed(azure.directory.add("AzureDatabricks").object_id, VAULT, secret, data=True)
    blob = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"
    assert allowed(identity, STORAGE, blob, data=True)
    namespace = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")
    name = uuid.uuid5(namespace, f"{VAULT}-{release}-b86a8fe4-44ce-4948-aee5-eccb2c155cd7")
    assert azure.world.roles.get(f"{VAULT}/providers/Microsoft.Authorization/roleAssignments/{name}") is not None


def known(azure: Azure, **changed: Any) -> dict[str, Any]:
    """The values of a release that finds the factory there."""
    factory = azure.world.resources.get(FACTORY)
    assert factory is not None
    return values(azure, dataFactoryPrincipalId=factory["identity"]["principalId"], **changed)


@pytest.mark.parametrize("deploy_factory", [True, False])
def test_second_deployment_changes_nothing(azure: Azure, deploy_factory: bool) -> None:
    azure.group()
    azure.deploy(MAIN, values(azure))
    second = known(azure, deployDataFactory=deploy_factory)
    changes = {change["resourceId"]: change["changeType"] for change in azure.what_if(MAIN, second)}
    assert set(changes.values()) <= {"NoChange", "Ignore"}, changes
    assert changes[STORAGE] == changes[VAULT] == "NoChange"
    assert changes[FACTORY] == ("NoChange" if deploy_factory else "Ignore")
    assert len(changes) == 8, "three resources, one container, four role assignments"
    before = {one["id"]: one for one in azure.world.resources.below(GROUP_ID)}
    azure.clock.now += 60
    record = azure.deploy(MAIN, second, name="again")
    assert record["properties"]["provisioningState"] == "Succeeded", record["properties"].get("error")
    assert {one["id"]: one for one in azure.world.resources.below(GROUP_ID)} == before


def test_roles_of_an_unknown_identity_can_not_be_told(azure: Azure) -> None:
    azure.group()
    azure.deploy(MAIN, values(azure))
    told = [change for change in azure.what_if(MAIN, values(azure)) if change["changeType"] == "Unsupported"]
    assert [change["resourceId"] for change in told] == [
        f"[extensionResourceId('{scope}', 'Microsoft.Authorization/roleAssignments', guid('{scope}', "
        f"reference('{FACTORY}', '2018-06-01', 'Full').identity.principalId, '{role}'))]"
        for scope, role in (
            (VAULT, "4633458b-17de-408a-b874-0445c86b69e6"),
            (STORAGE, "ba92f5b4-2d11-453d-a403-e96b0029c9fe"),
        )
    ]
    place = "'properties.template.resources[6].properties.template.resources[0]' on line 1 and column "
    assert told[0]["unsupportedReason"].startswith(f"Changes to the resource declared at {place}")


def test_role_that_went_is_told_and_comes_back(azure: Azure) -> None:
    azure.group()
    azure.deploy(MAIN, values(azure))
    given = known(azure, deployDataFactory=False)
    [gone] = [
        one
        for one in azure.world.roles.at(STORAGE)
        if one["properties"]["principalId"] == given["dataFactoryPrincipalId"]
    ]
    azure.world.roles.remove(gone["id"])
    created = [change["resourceId"] for change in azure.what_if(MAIN, given) if change["changeType"] == "Create"]
    assert created == [gone["id"]]
    azure.deploy(MAIN, given)
    assert azure.world.roles.get(gone["id"]) is not None


def test_factory_that_exists_keeps_its_git_link(azure: Azure) -> None:
    azure.group()
    link = {
        "repoConfiguration": {"type": "FactoryVSTSConfiguration", "accountName": "a"},
        "globalParameters": {"p": {}},
    }
    body = {"location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": link}
    assert azure.call("PUT", FACTORY, body, version="2018-06-01")[0] == 200
    record = azure.deploy(MAIN, values(azure, deployDataFactory=False))
    assert record["properties"]["provisioningState"] == "Succeeded", record["properties"].get("error")
    factory = azure.world.resources.get(FACTORY)
    assert factory is not None
    assert factory["properties"]["repoConfiguration"] == link["repoConfiguration"]
    assert azure.world.roles.allowed(
        factory["identity"]["principalId"], VAULT, "Microsoft.KeyVault/vaults/secrets/getSecret/action", data=True
    )
    # And that it matters: the same PUT without them wipes both, as in Azure.
    azure.call("PUT", FACTORY, {"location": "westeurope", "properties": {}}, version="2018-06-01")
    factory = azure.world.resources.get(FACTORY)
    assert factory is not None
    assert not {"repoConfiguration", "globalParameters"} & set(factory["properties"])


def test_production_protects_the_vault(azure: Azure) -> None:
    azure.group()
    azure.deploy(MAIN, values(azure, production=True))
    vault = azure.world.resources.get(VAULT)
    assert vault is not None
    assert vault["properties"]["enablePurgeProtection"] is True
    changes = azure.what_if(MAIN, known(azure, production=False))
    assert {change["changeType"] for change in changes} == {"NoChange"}, "protection stays, and is not told as a change"


def test_change_is_told_exactly(azure: Azure) -> None:
    azure.group()
    azure.deploy(MAIN, values(azure))
    changed = azure.what_if(MAIN, known(azure, networkDefaultAction="Allow", tags={"app": "x"}))
    told = {
        change["resourceId"]: [(one["path"], one["before"], one["after"]) for one in change["delta"]]
        for change in changed
        if change["changeType"] == "Modify"
    }
    network = ("properties.networkAcls.defaultAction", "Deny", "Allow")
    tags = ("tags.app", "bikeshare", "x")
    assert told == {STORAGE: [tags, network], VAULT: [tags, network], FACTORY: [tags]}


def test_no_databricks_assignment_without_its_id(azure: Azure) -> None:
    azure.group()
    azure.deploy(MAIN, values(azure, databricksPrincipalId=""))
    held = [one["properties"]["principalId"] for one in azure.world.roles.at(VAULT)]
    assert azure.directory.add("AzureDatabricks").object_id not in held
    assert len([one for one in held if one != azure.admin.object_id]) == 2


def test_state_template_twice(azure: Azure) -> None:
    state = json.loads((REPOSITORY / "arm" / "state.json").read_text(encoding="utf-8"))
    azure.group()
    given = {"location": "westeurope", "storageAccountName": "ststate", "containerName": "dev", "tags": {"a": "b"}}
    record = azure.deploy(state, given)
    assert record["properties"]["provisioningState"] == "Succeeded", record["properties"].get("error")
    assert {change["changeType"] for change in azure.what_if(state, given)} == {"NoChange"}
    other = azure.what_if(state, {**given, "containerName": "test"})
    created = [change["resourceId"] for change in other if change["changeType"] == "Create"]
    account = f"{SUBSCRIPTION_ID}/resourceGroups/rg-app/providers/Microsoft.Storage/storageAccounts/ststate"
    assert created == [f"{account}/blobServices/default/containers/test"]
