"""Public quickstart templates, where they are at hand: deployed, or refused by name; a second time nothing would change."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from rehearsal.resource_manager.providers.registry import Providers
from tests.rehearsal.resource_manager.local_azure import (
    GROUP_ID,
    REPOSITORY,
    SUBSCRIPTION_ID,
    TENANT,
    Azure,
    deployment,
    envelope,
)

FOLDER = REPOSITORY.parent / "shared" / "data" / "arm" / "quickstart"
FILES = sorted(
    path
    for path in (*FOLDER.rglob("*azuredeploy.json"), *FOLDER.rglob("mainTemplate.json"))
    if not path.name.endswith(".parameters.json")
)
DEFAULTS: dict[str, Any] = {"int": 1, "bool": True, "array": [], "object": {}}
# What the parameter files say that something else has made before (GET-PREREQ-…), as far as it can be made here.
PREREQUISITES = {
    "storageAccountResourceId": f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts/stprereq",
    "storageAccountName": "stprereq",
    "keyVaultName": "kv-prereq",
    "resourceGroup": "rg-app",
    "identityName": "id-prereq",
}
# Templates that need something else, made by other means, each with what that is.
NEEDS_MORE = {
    "101-databricks-workspace-with-customer-managed-keys": "a linked template that is not in the folder",
    "databricks-all-in-one-template-for-privateendpoint-cmk-all-forms": "a linked template that is not in the folder",
    "databricks-workspace-with-managed-disk-customer-managed-keys": "a linked template that is not in the folder",
    "data-factory-v2-blob-to-mysql-copy": "a database server (GET-PREREQ)",
    "data-factory-v2-blob-to-postgresql-copy": "a database server (GET-PREREQ)",
    "201-machine-learning-dependencies-role-assignment": "a container registry (GET-PREREQ)",
}
RAW = "https://raw.githubusercontent.com/Azure/azure-quickstart-templates/master/"
REFUSALS = re.compile(
    r"This rehearsal has no (resource type '[\w./]+'|template specs|deployments to management groups or the tenant)"
)


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8-sig"))


def values(path: Path, template: dict[str, Any], owner: str) -> dict[str, Any]:
    """From the parameter file, with the placeholders of the public test pipeline filled in."""
    file = path.with_name(path.name.replace(".json", ".parameters.json"))
    given = read(file)["parameters"] if file.exists() else {}
    found: dict[str, Any] = {}
    for name, definition in template.get("parameters", {}).items():
        if name in given:
            value = given[name].get("value", "a secret from a vault")
            if isinstance(value, str) and value.startswith("GET-PREREQ-"):
                value = PREREQUISITES.get(value.removeprefix("GET-PREREQ-"), value)
            if value in ("GEN-GUID", "GEN-AZUREAD-OBJECTID"):
                value = owner
            elif isinstance(value, str) and value.startswith("GEN-"):
                value = "gen" + name.lower()[-18:]
            found[name] = value
        elif "defaultValue" not in definition:
            text = owner if "principalid" in name.lower() else "genvalue"
            found[name] = DEFAULTS.get(definition["type"].lower(), text)
    return found


def prepare(azure: Azure) -> None:
    """A group with what the parameter files take as given, and linked templates from the same folder."""
    azure.group()
    azure.mappings.append((RAW, FOLDER / "2024"))
    azure.world.roles.assign(scope="/", principal_id=azure.admin.object_id, role_name="Owner")
    here: dict[str, Any] = {"location": "westeurope"}
    vault = {"tenantId": TENANT, "sku": {"family": "A", "name": "standard"}, "accessPolicies": []}
    for path, body in {
        "Microsoft.Storage/storageAccounts/stprereq": {**here, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}},
        "Microsoft.KeyVault/vaults/kv-prereq": {**here, "properties": vault},
        "Microsoft.ManagedIdentity/userAssignedIdentities/id-prereq": here,
    }.items():
        assert azure.call("PUT", f"{GROUP_ID}/providers/{path}", body)[0] in (200, 201, 202)


def outcome(azure: Azure, path: Path) -> str:
    """ "deployed", or the refusal. Fails for anything else."""
    template = read(path)
    kinds = {"subscriptionDeployment": SUBSCRIPTION_ID, "tenantDeployment": ""}
    scope = next((where for kind, where in kinds.items() if kind in template["$schema"]), GROUP_ID)
    given = values(path, template, azure.admin.object_id)
    body = envelope(template, given, scope=scope)
    status, answer = azure.call("POST", deployment(scope, "main") + "/validate", body)
    if status == 501:
        refusal = REFUSALS.match(answer["error"]["message"])
        assert refusal is not None, answer
        return refusal[1]
    assert status == 200, answer
    record = azure.deploy(template, given, scope=scope)
    assert record["properties"]["provisioningState"] == "Succeeded", record["properties"].get("error")
    told = azure.call("POST", deployment(scope, "main") + "/whatIf", body)[1]["properties"]["changes"]
    assert {change["changeType"] for change in told} <= {"NoChange", "Ignore"}, told
    return "deployed"


@pytest.mark.parametrize("path", [pytest.param(path, id=path.relative_to(FOLDER).parent.as_posix()) for path in FILES])
def test_quickstart(azure: Azure, path: Path) -> None:
    for name, reason in NEEDS_MORE.items():
        if name in path.parts:
            pytest.skip(f"needs {reason}")
    prepare(azure)
    found = outcome(azure, path)
    types = resource_types(read(path))
    known = {kind.name.lower() for kind in Providers(azure.world).all()}
    if found == "deployed":
        assert types <= known | {"microsoft.resources/deployments"}
    elif found.startswith("resource type"):
        assert not types <= known


def resource_types(value: Any, parent: str = "") -> set[str]:
    """Every resource type that is written in a template, in lower case; those of children in full."""
    found: set[str] = set()
    for resource in value.get("resources", []) if isinstance(value, dict) else []:
        kind = str(resource["type"]).lower()
        kind = kind if not parent or kind.startswith(parent) else f"{parent}/{kind}"
        segments = kind.split("/providers/")
        found.add(segments[-1])
        found |= resource_types(resource, kind)
        found |= resource_types((resource.get("properties") or {}).get("template"))
    return found


def test_most_of_them_are_taken() -> None:
    """So that the test above can't pass by skipping everything; the number is from a full set of files."""
    skipped = [path for path in FILES if any(name in path.parts for name in NEEDS_MORE)]
    assert not FILES or (len(FILES) >= 30 and len(skipped) <= len(NEEDS_MORE))
