"""Public quickstart templates, where they are at hand: deployed, or refused by name; a second time nothing would change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.resource_manager.local_azure import (
    GROUP_ID,
    REPOSITORY,
    SUBSCRIPTION_ID,
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
# Templates that need something made by other means before, each with what that is.
NEEDS_MORE = {
    "data-factory-v2-blob-to-mysql-copy": "the id of a storage account (GET-PREREQ)",
    "data-factory-v2-blob-to-postgresql-copy": "the id of a storage account (GET-PREREQ)",
    "data-factory-v2-onprem-sql-to-blob-copy": "a storage account that is there (GET-PREREQ)",
}


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
            if value in ("GEN-GUID", "GEN-AZUREAD-OBJECTID"):
                value = owner
            elif isinstance(value, str) and value.startswith("GEN-"):
                value = "gen" + name.lower()[-18:]
            found[name] = value
        elif "defaultValue" not in definition:
            text = owner if "principalid" in name.lower() else "genvalue"
            found[name] = DEFAULTS.get(definition["type"].lower(), text)
    return found


@pytest.mark.parametrize("path", [pytest.param(path, id=path.relative_to(FOLDER).parent.as_posix()) for path in FILES])
def test_quickstart(azure: Azure, path: Path) -> None:
    for name, reason in NEEDS_MORE.items():
        if name in path.parts:
            pytest.skip(f"needs {reason}")
    azure.group()
    template = read(path)
    kinds = {"subscriptionDeployment": SUBSCRIPTION_ID, "tenantDeployment": ""}
    scope = next((where for kind, where in kinds.items() if kind in template["$schema"]), GROUP_ID)
    azure.world.roles.assign(scope="/", principal_id=azure.admin.object_id, role_name="Owner")
    given = values(path, template, azure.admin.object_id)
    body = envelope(template, given, scope=scope)
    status, answer = azure.call("POST", deployment(scope, "main") + "/validate", body)
    if status == 501:
        assert "This rehearsal has no" in answer["error"]["message"]
        return
    assert status == 200, answer
    record = azure.deploy(template, given, scope=scope)
    assert record["properties"]["provisioningState"] == "Succeeded", record["properties"].get("error")
    told = azure.call("POST", deployment(scope, "main") + "/whatIf", body)[1]["properties"]["changes"]
    assert {change["changeType"] for change in told} <= {"NoChange", "Ignore"}, told


def test_most_of_them_are_taken() -> None:
    """So that the test above can't pass by refusing everything; the number is from a full set of files."""
    assert not FILES or len(FILES) >= 30
