"""Secrets and access policies through Resource Manager, and parameters that name a secret."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rehearsal.resource_manager.local_azure import (
    GROUP_ID,
    SUBSCRIPTION_ID,
    TENANT,
    Azure,
    deployment,
    envelope,
    template,
)

VAULT = f"{GROUP_ID}/providers/Microsoft.KeyVault/vaults/kv-one"
SOMEBODY = "0d3b1c58-6d7c-4c1e-9b7c-1f4c8f3f9a10"
RESOURCE = {
    "type": "Microsoft.KeyVault/vaults",
    "apiVersion": "2023-07-01",
    "name": "kv-one",
    "location": "westeurope",
    "properties": {
        "tenantId": TENANT,
        "sku": {"family": "A", "name": "standard"},
        "enabledForTemplateDeployment": True,
        "accessPolicies": [],
    },
}
SECRET = {
    "type": "Microsoft.KeyVault/vaults/secrets",
    "apiVersion": "2023-07-01",
    "name": "kv-one/password",
    "dependsOn": ["[resourceId('Microsoft.KeyVault/vaults', 'kv-one')]"],
    "tags": {"of": "us"},
    "properties": {"value": "hunter-two", "contentType": "text", "attributes": {"enabled": True}},
}
URI = "[reference(resourceId('Microsoft.KeyVault/vaults/secrets', 'kv-one', 'password')).secretUriWithVersion]"


def vault(azure: Azure, **properties: Any) -> None:
    azure.group()
    body = {"location": "westeurope", "properties": {**RESOURCE["properties"], **properties}}  # type: ignore[dict-item]
    assert azure.call("PUT", VAULT, body)[0] in (200, 201)


def test_a_deployed_secret_reaches_the_vault(azure: Azure) -> None:
    azure.group()
    document = template(SECRET, RESOURCE, outputs={"uri": {"type": "string", "value": URI}})
    record = azure.deploy(document)
    assert record["properties"]["provisioningState"] == "Succeeded", record["properties"].get("error")
    assert azure.world.vault_secrets is not None
    kept = azure.world.vault_secrets.get("kv-one", "password")
    assert (kept["value"], kept["contentType"], kept["tags"]) == ("hunter-two", "text", {"of": "us"})
    assert record["properties"]["outputs"]["uri"]["value"] == kept["id"]
    shown = azure.call("GET", f"{VAULT}/secrets/password")[1]
    assert shown["properties"]["secretUriWithVersion"] == kept["id"]
    assert "hunter-two" not in str(shown) and "hunter-two" not in str(record)
    assert [one["name"] for one in azure.call("GET", f"{VAULT}/secrets")[1]["value"]] == ["password"]
    assert {change["changeType"] for change in azure.what_if(document)} == {"NoChange"}


def test_what_if_shows_no_secret(azure: Azure) -> None:
    azure.group()
    told = azure.what_if(template(RESOURCE, SECRET))
    assert [change["changeType"] for change in told] == ["Create", "Create"]
    assert "hunter-two" not in str(told)


def test_secrets_that_are_refused(azure: Azure) -> None:
    vault(azure)
    for name, body in (("a_b", {"value": "x"}), ("ok", {}), ("ok", {"value": ""})):
        status, answer = azure.call("PUT", f"{VAULT}/secrets/{name}", {"properties": body})
        assert (status, answer["error"]["code"]) == (400, "BadRequest")
    other = VAULT.replace("kv-one", "kv-none")
    status, answer = azure.call("PUT", f"{other}/secrets/ok", {"properties": {"value": "x"}})
    assert (status, answer["error"]["code"]) == (404, "ParentResourceNotFound")
    assert azure.call("GET", f"{VAULT}/secrets/none")[0] == 404


def test_a_purged_vault_takes_its_secrets_along(azure: Azure) -> None:
    vault(azure)
    azure.call("PUT", f"{VAULT}/secrets/one", {"properties": {"value": "x"}})
    azure.call("DELETE", VAULT)
    deleted = f"{SUBSCRIPTION_ID}/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/kv-one"
    assert azure.call("POST", f"{deleted}/purge")[0] == 202
    vault(azure)
    assert azure.call("GET", f"{VAULT}/secrets")[1]["value"] == []


def policy(*words: str, who: str = SOMEBODY) -> dict[str, Any]:
    return {"tenantId": TENANT, "objectId": who, "permissions": {"secrets": list(words)}}


def test_access_policies_are_added_replaced_removed(azure: Azure) -> None:
    vault(azure)

    def write(operation: str, *policies: dict[str, Any]) -> list[dict[str, Any]]:
        body = {"properties": {"accessPolicies": list(policies)}}
        status, answer = azure.call("PUT", f"{VAULT}/accessPolicies/{operation}", body)
        assert status == 200, answer
        found: list[dict[str, Any]] = azure.call("GET", VAULT)[1]["properties"]["accessPolicies"]
        return found

    assert write("add", policy("get")) == [policy("get")]
    assert write("add", policy("List", "GET")) == [policy("GET", "List")]
    assert write("add", policy("get", who=TENANT))[1]["objectId"] == TENANT
    assert write("replace", policy("set"))[0] == policy("set")
    assert write("remove", policy("set"), policy("get", who=TENANT)) == []
    spelled = {"ObjectID": SOMEBODY, "TenantId": TENANT, "Permissions": {"secrets": ["get"]}}
    assert write("add", spelled)[0]["objectId"] == SOMEBODY
    status, answer = azure.call("PUT", f"{VAULT}/accessPolicies/other", {"properties": {"accessPolicies": []}})
    assert (status, answer["error"]["code"]) == (400, "BadRequest")


def test_deployed_access_policies_are_quiet_the_second_time(azure: Azure) -> None:
    vault(azure)
    document = template(
        {
            "type": "Microsoft.KeyVault/vaults/accessPolicies",
            "apiVersion": "2023-07-01",
            "name": "kv-one/add",
            "properties": {"accessPolicies": [policy("get", "list")]},
        }
    )
    assert {change["changeType"] for change in azure.what_if(document)} == {"Modify", "Ignore"}
    assert azure.deploy(document)["properties"]["provisioningState"] == "Succeeded"
    assert {change["changeType"] for change in azure.what_if(document)} <= {"NoChange", "Ignore"}


def by_reference(name: str = "password", vault_id: str = VAULT) -> dict[str, Any]:
    parameters = {"p": {"type": "secureString"}}
    outputs = {"length": {"type": "int", "value": "[length(parameters('p'))]"}}
    body = envelope(template(parameters=parameters, outputs=outputs))
    body["properties"]["parameters"] = {"p": {"reference": {"keyVault": {"id": vault_id}, "secretName": name}}}
    return body


def test_a_parameter_by_reference(azure: Azure) -> None:
    vault(azure)
    azure.call("PUT", f"{VAULT}/secrets/password", {"properties": {"value": "hunter-two"}})
    assert azure.call("PUT", deployment(GROUP_ID, "d"), by_reference())[0] == 201
    azure.call("GET", deployment(GROUP_ID, "d") + "/operationStatuses/1")
    record = azure.call("GET", deployment(GROUP_ID, "d"))[1]["properties"]
    assert record["outputs"]["length"]["value"] == len("hunter-two")
    assert record["parameters"]["p"]["reference"]["secretName"] == "password"
    assert "hunter-two" not in str(record)


@pytest.mark.parametrize(
    ("properties", "reference", "code"),
    [
        ({}, by_reference("none"), "KeyVaultParameterReferenceSecretRetrieveFailed"),
        ({}, by_reference(vault_id=f"{VAULT}x"), "KeyVaultParameterReferenceNotFound"),
        ({}, by_reference(vault_id="somewhere"), "KeyVaultParameterReferenceNotFound"),
        ({"enabledForTemplateDeployment": False}, by_reference(), "KeyVaultParameterReferenceSecretRetrieveFailed"),
    ],
)
def test_references_that_are_refused(
    azure: Azure, properties: dict[str, Any], reference: dict[str, Any], code: str
) -> None:
    vault(azure, **properties)
    azure.call("PUT", f"{VAULT}/secrets/password", {"properties": {"value": "hunter-two"}})
    for verb, path in (("PUT", ""), ("POST", "/validate"), ("POST", "/whatIf")):
        status, answer = azure.call(verb, deployment(GROUP_ID, "d") + path, reference)
        assert (status, answer["error"]["code"]) == (400, code)
        assert "hunter-two" not in str(answer)


def test_a_reference_needs_a_permission_of_its_own(azure: Azure) -> None:
    vault(azure)
    azure.call("PUT", f"{VAULT}/secrets/password", {"properties": {"value": "hunter-two"}})
    reader = azure.directory.add("reader")
    role = {
        "properties": {
            "roleName": "Deployer",
            "permissions": [{"actions": ["Microsoft.Resources/deployments/*", "*/read"]}],
            "assignableScopes": [SUBSCRIPTION_ID],
        }
    }
    definition = f"{SUBSCRIPTION_ID}/providers/Microsoft.Authorization/roleDefinitions/{SOMEBODY}"
    assert azure.call("PUT", definition, role)[0] == 201
    azure.world.roles.assign(scope=GROUP_ID, principal_id=reader.object_id, role_name="Deployer")
    status, answer = azure.call("POST", deployment(GROUP_ID, "d") + "/validate", by_reference(), caller=reader)
    assert (status, answer["error"]["code"]) == (403, "KeyVaultParameterReferenceAuthorizationFailed")
