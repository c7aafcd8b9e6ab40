"""`az`: groups, deployments, and what can be seen of them."""

from __future__ import annotations

import json
import re

import pytest

from tests.contract.clients import Commands, Refusal
from tests.contract.place import ROOT, Place

pytestmark = pytest.mark.contract
TEMPLATE = str(ROOT / "tests/contract/template.json")


def parameters(place: Place) -> list[str]:
    account, vault = place.name("deployed", dashes=False), place.name("deployed")
    return ["--parameters", f"account={account}", f"vault={vault}", "password=not-shown-anywhere"]


def test_the_account_is_the_one_that_signed_in(commands: Commands, place: Place) -> None:
    shown = commands.az("account", "show")
    assert shown["id"] == place.subscription
    assert shown["user"] == {"name": place.variables["AZURE_CLIENT_ID"], "type": "servicePrincipal"}
    assert place.location in [one["name"] for one in commands.az("account", "list-locations")]
    assert commands.az("account", "get-access-token")["tenant"] == place.variables["AZURE_TENANT_ID"]


def test_what_a_region_has_of_processor_cores(commands: Commands, place: Place) -> None:
    usages = commands.az("vm", "list-usage", "--location", place.location)
    (cores,) = (one for one in usages if one["name"]["value"] == "cores")
    assert cores["localName"] == "Total Regional vCPUs"
    assert 0 <= int(cores["currentValue"]) <= int(cores["limit"])


def test_a_wrong_secret_is_refused_as_entra_refuses_it(commands: Commands, place: Place) -> None:
    client, tenant = place.variables["AZURE_CLIENT_ID"], place.variables["AZURE_TENANT_ID"]
    other = Commands(place=place, folder=commands.folder, more={"AZURE_CONFIG_DIR": str(commands.folder / "other")})
    with pytest.raises(Refusal, match="AADSTS7000215"):
        other.az("login", "--service-principal", "-u", client, "-p", "wrong", "-t", tenant)


def test_a_subscription_that_is_enabled_can_be_enabled(commands: Commands, place: Place) -> None:
    url = f"https://management.azure.com/subscriptions/{place.subscription}/providers/Microsoft.Subscription/enable"
    answer = commands.az("rest", "--method", "post", "--url", f"{url}?api-version=2021-10-01")
    assert answer["subscriptionId"] == place.subscription


def test_groups(commands: Commands, place: Place) -> None:
    name = place.name("group")
    made = commands.az("group", "create", "--name", name, "--location", place.location)
    assert made["properties"]["provisioningState"] == "Succeeded"
    assert commands.az("group", "exists", "--name", name) is True
    assert commands.az("group", "update", "--name", name, "--set", "tags.team=bikes")["tags"] == {"team": "bikes"}
    assert commands.az("group", "show", "--name", name)["tags"] == {"team": "bikes"}
    assert name in [group["name"] for group in commands.az("group", "list", "--tag", "team=bikes")]
    commands.az("group", "delete", "--name", name, "--yes")
    assert commands.az("group", "exists", "--name", name) is False
    with pytest.raises(Refusal, match="ResourceGroupNotFound"):
        commands.az("group", "show", "--name", name)


def test_a_template_is_validated_foreseen_deployed_and_looked_at(commands: Commands, group: str, place: Place) -> None:
    about = ["--resource-group", group, "--template-file", TEMPLATE, *parameters(place)]
    assert commands.az("deployment", "group", "validate", *about)["properties"]["provisioningState"] == "Succeeded"
    what_if = ["deployment", "group", "what-if", "--no-pretty-print", *about]
    assert {change["changeType"] for change in commands.az(*what_if)["changes"]} == {"Create"}
    made = commands.az("deployment", "group", "create", "--name", "first", *about)
    outputs = made["properties"]["outputs"]
    assert outputs["vaultUri"]["value"].startswith(f"https://{place.name('deployed')}.vault.azure.net")
    assert "not-shown-anywhere" not in json.dumps(made)
    changes = commands.az(*what_if)["changes"]
    ours = {change["changeType"] for change in changes if change["changeType"] != "Ignore"}
    assert ours == {"NoChange"} or not place.rehearsed  # the service knows noise, and says so
    one = ["--resource-group", group, "--name", "first"]
    assert commands.az("deployment", "group", "show", *one)["properties"]["provisioningState"] == "Succeeded"
    assert commands.az("deployment", "group", "list", "--resource-group", group)[0]["name"] == "first"
    steps = commands.az("deployment", "operation", "group", "list", *one)
    touched = {(step["properties"].get("targetResource") or {}).get("resourceType") for step in steps}
    assert {"Microsoft.Storage/storageAccounts", "Microsoft.KeyVault/vaults"} <= touched
    listed = {resource["type"] for resource in commands.az("resource", "list", "--resource-group", group)}
    assert {"Microsoft.Storage/storageAccounts", "Microsoft.KeyVault/vaults"} <= listed
    commands.az("deployment", "group", "delete", *one)
    assert commands.az("deployment", "group", "list", "--resource-group", group) == []


def test_what_a_change_would_do_is_shown_by_property(commands: Commands, group: str, place: Place) -> None:
    about = ["--resource-group", group, "--template-file", TEMPLATE, *parameters(place)]
    commands.az("deployment", "group", "create", *about)
    resource = ["--resource-group", group, "--name", place.name("deployed", dashes=False)]
    commands.az("storage", "account", "update", *resource, "--allow-blob-public-access", "true")
    printed = commands.run("az", "deployment", "group", "what-if", *about)
    assert "~ properties.allowBlobPublicAccess" in printed
    assert "true => false" in printed


def test_a_mistake_in_a_template_is_told_with_line_and_column(commands: Commands, group: str) -> None:
    resource = {"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-05-01", "name": "[parameters('none')]"}
    template = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "resources": [{**resource, "location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}],
    }
    file = commands.folder / "mistake.json"
    file.write_text(json.dumps(template, indent=2))
    with pytest.raises(Refusal, match="InvalidTemplate") as refused:
        commands.az("deployment", "group", "create", "--resource-group", group, "--template-file", str(file))
    assert re.search(r"line '\d+' and column '\d+'", str(refused.value))


def test_a_deployment_to_the_subscription(commands: Commands, place: Place) -> None:
    name = place.name("subscribed")
    template = {
        "$schema": "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "resources": [
            {
                "type": "Microsoft.Resources/resourceGroups",
                "apiVersion": "2022-09-01",
                "name": name,
                "location": place.location,
            }
        ],
    }
    file = commands.folder / "subscription.json"
    file.write_text(json.dumps(template))
    about = ["--name", name, "--location", place.location, "--template-file", str(file)]
    assert commands.az("deployment", "sub", "validate", *about)["properties"]["provisioningState"] == "Succeeded"
    foreseen = commands.az("deployment", "sub", "what-if", "--no-pretty-print", *about)
    assert [change["changeType"] for change in foreseen["changes"] if name in change["resourceId"]] == ["Create"]
    commands.az("deployment", "sub", "create", *about)
    assert commands.az("group", "exists", "--name", name) is True
    assert name in [one["name"] for one in commands.az("deployment", "sub", "list")]
    assert commands.az("deployment", "operation", "sub", "list", "--name", name)
    commands.az("deployment", "sub", "delete", "--name", name)
    commands.az("group", "delete", "--name", name, "--yes")


def test_locks_hold(commands: Commands, place: Place) -> None:
    name = place.name("locked")
    commands.az("group", "create", "--name", name, "--location", place.location)
    lock = ["--resource-group", name, "--name", "keep"]
    commands.az("lock", "create", *lock, "--lock-type", "CanNotDelete")
    assert [one["level"] for one in commands.az("lock", "list", "--resource-group", name)] == ["CanNotDelete"]
    assert commands.az("lock", "show", *lock)["name"] == "keep"
    with pytest.raises(Refusal, match="ScopeLocked"):
        commands.az("group", "delete", "--name", name, "--yes")
    commands.az("lock", "delete", *lock)
    commands.az("group", "delete", "--name", name, "--yes")


def test_providers(commands: Commands) -> None:
    assert commands.az("provider", "show", "--namespace", "Microsoft.Storage")["registrationState"] == "Registered"
    assert "Microsoft.DataFactory" in [one["namespace"] for one in commands.az("provider", "list")]
    commands.az("provider", "register", "--namespace", "Microsoft.Storage")


def test_identities(commands: Commands, group: str, place: Place) -> None:
    one = ["--resource-group", group, "--name", place.name("identity")]
    made = commands.az("identity", "create", *one)
    assert commands.az("identity", "show", *one)["principalId"] == made["principalId"]
    assert made["name"] in [each["name"] for each in commands.az("identity", "list", "--resource-group", group)]
    commands.az("identity", "delete", *one)


def test_identities_trust_other_issuers(commands: Commands, group: str, place: Place) -> None:
    name = place.name("federated")
    commands.az("identity", "create", "--resource-group", group, "--name", name)
    about = ["--resource-group", group, "--identity-name", name]
    who = ["--issuer", "https://vstoken.dev.azure.com/org", "--subject", "sc://org/project/connection"]
    kept = [*about, "--name", "pipeline"]
    commands.az("identity", "federated-credential", "create", *kept, *who, "--audiences", "api://AzureADTokenExchange")
    assert commands.az("identity", "federated-credential", "show", *kept)["subject"] == who[3]
    assert [one["name"] for one in commands.az("identity", "federated-credential", "list", *about)] == ["pipeline"]
    commands.az("identity", "federated-credential", "delete", *kept, "--yes")


def test_tags_of_anything(commands: Commands, place: Place) -> None:
    name = place.name("tagged")
    where = ["--resource-id", commands.az("group", "create", "--name", name, "--location", place.location)["id"]]
    commands.az("tag", "create", *where, "--tags", "team=bikes", "stage=test")
    changed = commands.az("tag", "update", *where, "--operation", "merge", "--tags", "stage=prod")
    assert changed["properties"]["tags"] == {"team": "bikes", "stage": "prod"}
    assert commands.az("tag", "list", *where)["properties"]["tags"]["team"] == "bikes"
    commands.az("tag", "delete", *where, "--yes")
    assert not commands.az("group", "show", "--name", name)["tags"]
    commands.az("group", "delete", "--name", name, "--yes")


def test_roles_of_our_own(commands: Commands, place: Place) -> None:
    scope = f"/subscriptions/{place.subscription}"
    name = f"Contract tests {place.prefix}"
    role = {"Name": name, "Description": "Reads groups.", "AssignableScopes": [scope]}
    role["Actions"] = ["Microsoft.Resources/subscriptions/resourceGroups/read"]
    commands.az("role", "definition", "create", "--role-definition", json.dumps(role))
    listed = commands.az("role", "definition", "list", "--custom-role-only", "true", "--name", name)
    assert [one["permissions"][0]["actions"] for one in listed] == [role["Actions"]]
    commands.az("role", "definition", "delete", "--name", name, "--scope", scope)


def test_a_workspace_is_deployed_and_answers(commands: Commands, group: str, place: Place) -> None:
    if not place.rehearsed:
        pytest.skip("in Azure it takes ten minutes, and a quota")
    scope = f"https://management.azure.com/subscriptions/{place.subscription}/resourceGroups"
    url = f"{scope}/{group}/providers/Microsoft.Databricks/workspaces/{place.name('dbw')}"
    version = ["--url-parameters", "api-version=2024-05-01"]
    managed = f"{scope}/{place.name('managed')}".removeprefix("https://management.azure.com")
    body = {"location": place.location, "sku": {"name": "premium"}, "properties": {"managedResourceGroupId": managed}}
    commands.az("rest", "--method", "put", "--url", url, "--body", json.dumps(body), *version)
    made = commands.az("rest", "--method", "get", "--url", url, *version)
    assert made["properties"]["provisioningState"] in ("Accepted", "Creating", "Succeeded")
    commands.az("rest", "--method", "delete", "--url", url, *version)


def test_access_connectors(commands: Commands, group: str, place: Place) -> None:
    scope = f"https://management.azure.com/subscriptions/{place.subscription}/resourceGroups/{group}"
    url = f"{scope}/providers/Microsoft.Databricks/accessConnectors"
    version = ["--url-parameters", "api-version=2024-05-01"]
    body = json.dumps({"location": place.location, "identity": {"type": "SystemAssigned"}})
    one = f"{url}/{place.name('connector')}"
    commands.az("rest", "--method", "put", "--url", one, "--body", body, *version)
    assert commands.az("rest", "--method", "get", "--url", one, *version)["identity"]["principalId"]
    listed = commands.az("rest", "--method", "get", "--url", url, *version)["value"]
    assert [each["name"] for each in listed] == [place.name("connector")]
    commands.az("rest", "--method", "delete", "--url", one, *version)


def test_there_are_no_managed_hsms(commands: Commands, group: str, place: Place) -> None:
    scope = f"https://management.azure.com/subscriptions/{place.subscription}"
    version = ["--url-parameters", "api-version=2023-07-01"]
    for where in (scope, f"{scope}/resourceGroups/{group}"):
        url = f"{where}/providers/Microsoft.KeyVault/managedHSMs"
        assert commands.az("rest", "--method", "get", "--url", url, *version)["value"] == []


def test_a_factory_through_az_rest(commands: Commands, group: str, place: Place) -> None:
    scope = f"/subscriptions/{place.subscription}/resourceGroups/{group}/providers/Microsoft.DataFactory/factories"
    url = f"https://management.azure.com{scope}/{place.name('factory')}"
    version = ["--url-parameters", "api-version=2018-06-01"]
    body = json.dumps({"location": place.location, "identity": {"type": "SystemAssigned"}})
    made = commands.az("rest", "--method", "put", "--url", url, "--body", body, *version)
    assert made["identity"]["principalId"]
    assert commands.az("rest", "--method", "get", "--url", url, *version)["name"] == place.name("factory")
    commands.az("rest", "--method", "delete", "--url", url, *version)
