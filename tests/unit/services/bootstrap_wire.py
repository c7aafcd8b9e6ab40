"""The wire of a bootstrap: what Azure and the workspace answer where nothing is there, and where everything is."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

from slipway.command import Context
from slipway.services.resource_manager.groups import ROLES
from tests.unit.services.conftest import ROOT, Answer, Sent, Step, Wire

CLIENT = "4e1b2a3c-0d5f-4a6b-8c7d-9e8f7a6b5c4d"
PRINCIPAL = "9b8a7c6d-5e4f-4d3c-8b2a-1f0e9d8c7b6a"
SUBSCRIPTION = "/subscriptions/2c9d8e7f-6a5b-4c3d-8e1f-0a9b8c7d6e5f"
ROOT_FOLDER = {"path": "/Workspace/Slipway/bikeshare/dev", "object_type": "DIRECTORY", "object_id": 12}
NO_PATH = Answer(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"})
NO_GROUP = Answer(404, {"error": {"code": "ResourceGroupNotFound", "message": "could not be found"}})
FACTORY = r"/factories/adf-bikeshare-dev\?"
FACTORY_CLIENT, FACTORY_OBJECT = "c0ffee00-0000-4000-8000-000000000001", "c0ffee00-0000-4000-8000-000000000002"
FOUND = Answer(body={"id": "x", "identity": {"type": "SystemAssigned", "principalId": FACTORY_OBJECT}})
ABSENT = Answer(404, {"error": {"code": "ResourceNotFound", "message": "was not found"}})
OURS = {
    "subscriptionId": SUBSCRIPTION.rpartition("/")[2],
    "displayName": "Data",
    "tenantId": "7a6f3c1e-52d4-4b8e-9d0a-1f2e3d4c5b6a",
    "state": "Enabled",
}
IDENTITY = r"/userAssignedIdentities/id-bikeshare-release\?"
MADE = {
    "name": "id-bikeshare-release",
    "tags": {"slipway_app": "bikeshare"},
    "properties": {"clientId": CLIENT, "principalId": PRINCIPAL},
}
ENTITLED = {"id": "7", "applicationId": CLIENT, "entitlements": [{"value": "allow-cluster-create"}]}
WORKSPACE = r"/Microsoft\.Databricks/workspaces/dbw-bikeshare\?"
HOST = "adb-7405612345678901.1.azuredatabricks.net"
REFUSED = Answer(403, {"error_code": "PERMISSION_DENIED", "message": "not an admin"})


def what_if(kind: str) -> Answer:
    account = f"{SUBSCRIPTION}/resourceGroups/rg-bikeshare-state/providers/Microsoft.Storage/storageAccounts/s"
    return Answer(
        body={"status": "Succeeded", "properties": {"changes": [{"changeType": kind, "resourceId": account}]}}
    )


def workspace(location: str, host: str = HOST) -> dict[str, Any]:
    return {"name": "dbw-bikeshare", "location": location, "properties": {"workspaceUrl": host}}


def assignments(*roles: str) -> Any:
    def answer(sent: Sent) -> Answer:
        scope = sent.url.split("management.azure.com")[1].split("/providers/Microsoft.Authorization")[0]
        return Answer(
            body={
                "value": [
                    {"properties": {"principalId": PRINCIPAL, "scope": scope, "roleDefinitionId": f"/x/{ROLES[role]}"}}
                    for role in roles
                ]
            }
        )

    return answer


def access(*entries: tuple[str, str, str]) -> Answer:
    return Answer(
        body={
            "access_control_list": [
                {kind: name, "all_permissions": [{"permission_level": level}]} for kind, name, level in entries
            ]
        }
    )


def nothing_is_there(wire: Wire) -> Wire:
    """And everything may be made."""
    wire.on("GET", r"/subscriptions/[^/]*\?", Answer(body=OURS))
    wire.on("GET", r"/providers/Microsoft\.\w+\?", Answer(body={"registrationState": "Registered"}))
    wire.on("POST", "/checkNameAvailability", Answer(body={"nameAvailable": True}))
    wire.on("GET", r"/resourceGroups/[^/]*/resources\?", NO_GROUP)
    wire.on("GET", r"/resourcegroups/[^/]*\?", NO_GROUP)
    wire.on("GET", "/locks", Answer(body={"value": []}))
    wire.on("PUT", "/locks/slipway-state", Answer(201, {}))
    wire.on("GET", "/federatedIdentityCredentials", Answer(body={"value": []}))
    wire.on("GET", r"dev\.azure\.com/slipway/Slipway/.*/endpoints", Answer(body={"count": 0, "value": []}))
    wire.on("GET", IDENTITY, ABSENT)
    wire.on("PUT", IDENTITY, Answer(201, MADE))
    wire.on("GET", WORKSPACE, Answer(body=workspace("westeurope")))
    wire.on("GET", "/scim/v2/Groups", Answer(body={"Resources": [{"displayName": "users"}]}))
    wire.on("PUT", r"/resourcegroups/[^/]*\?", Answer(201, {}))
    wire.on("POST", "/whatIf", what_if("Create"))
    wire.on("PUT", "/deployments/slipway-dev-state", Answer(201, {"properties": {"provisioningState": "Succeeded"}}))
    wire.on("GET", FACTORY, ABSENT, FOUND)
    wire.on("PUT", "/deployments/slipway-dev-factory", Answer(201, {"properties": {"provisioningState": "Succeeded"}}))
    wire.on("GET", "/identities/default", Answer(body={"properties": {"clientId": FACTORY_CLIENT}}))
    wire.on("GET", "/roleAssignments", Answer(body={"value": []}))
    wire.on("PUT", "/roleAssignments/", Answer(201, {}))
    wire.on("GET", "/scim/v2/ServicePrincipals", Answer(body={"Resources": []}))
    wire.on("POST", "/scim/v2/ServicePrincipals", Answer(201, {"id": "1"}))
    wire.on("GET", "/workspace/get-status", NO_PATH, Answer(body=ROOT_FOLDER))
    wire.on("POST", "/workspace/mkdirs", Answer())
    wire.on("GET", "/permissions/directories/12", access(("group_name", "admins", "CAN_MANAGE")))
    wire.on("PATCH", "/permissions/directories/12", Answer())
    return wire


def everything_is_there(wire: Wire) -> Wire:
    """As a bootstrap leaves it."""
    nothing_is_there(wire)
    wire.on("GET", r"/resourcegroups/[^/]*\?", Answer(body={"location": "westeurope"}))
    made = {"id": "x", "tags": {"slipway_app": "bikeshare"}}
    named = [{"name": name} | made for name in ("stbikesharestate", "stbikesharedev", "kv-bikeshare-dev")]
    wire.on("GET", r"/resourceGroups/[^/]*/resources\?", Answer(body={"value": named}))
    lock = f"{SUBSCRIPTION}/resourceGroups/rg-bikeshare-state/providers/Microsoft.Authorization/locks/by-others"
    locked = {"id": lock, "name": "by-others", "properties": {"level": "CanNotDelete"}}
    wire.on("GET", "/locks", Answer(body={"value": [locked]}))
    wire.on("GET", IDENTITY, Answer(body=MADE))
    wire.on("POST", "/whatIf", what_if("NoChange"))
    wire.on("GET", "/roleAssignments", assignments(*ROLES))
    wire.on("GET", FACTORY, FOUND)
    members = [ENTITLED, {"applicationId": FACTORY_CLIENT}]
    wire.on("GET", "/scim/v2/ServicePrincipals", Answer(body={"Resources": members}))
    wire.on("GET", "/workspace/get-status", Answer(body=ROOT_FOLDER))
    granted = access(("service_principal_name", CLIENT, "CAN_MANAGE"), ("group_name", "users", "CAN_EDIT"))
    wire.on("GET", "/permissions/directories/12", granted)
    return wire


def writing(step: Step, tmp_path: Path) -> Context:
    """A context of a repository that may be written."""
    root = tmp_path / "repository"
    for folder in ("arm", "config"):
        shutil.copytree(ROOT / folder, root / folder)
    return dataclasses.replace(step.context(), root=root)
