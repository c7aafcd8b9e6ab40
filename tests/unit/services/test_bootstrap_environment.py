"""The step bootstrap_environment: what a release needs, made once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slipway.domain.audit import CONTAINER
from slipway.errors import AuthenticationError
from slipway.services.resource_manager.groups import ROLES, assignment_name
from slipway.steps.bootstrap_environment import bootstrap_environment
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
REFUSED = Answer(403, {"error_code": "PERMISSION_DENIED", "message": "not an admin"})


def what_if(kind: str) -> Answer:
    account = f"{SUBSCRIPTION}/resourceGroups/rg-bikeshare-state/providers/Microsoft.Storage/storageAccounts/s"
    return Answer(
        body={"status": "Succeeded", "properties": {"changes": [{"changeType": kind, "resourceId": account}]}}
    )


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


@pytest.fixture
def nothing(wire: Wire) -> Wire:
    """Nothing is there; everything may be made."""
    wire.on("GET", r"/resourcegroups/[^/]*\?", NO_GROUP)
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


@pytest.fixture
def everything(nothing: Wire) -> Wire:
    """All of it is there."""
    nothing.on("GET", r"/resourcegroups/[^/]*\?", Answer(body={"location": "westeurope"}))
    nothing.on("POST", "/whatIf", what_if("NoChange"))
    nothing.on("GET", "/roleAssignments", assignments(*ROLES))
    nothing.on("GET", FACTORY, FOUND)
    members = [{"applicationId": CLIENT}, {"applicationId": FACTORY_CLIENT}]
    nothing.on("GET", "/scim/v2/ServicePrincipals", Answer(body={"Resources": members}))
    nothing.on("GET", "/workspace/get-status", Answer(body=ROOT_FOLDER))
    granted = access(("service_principal_name", CLIENT, "CAN_MANAGE"), ("group_name", "users", "CAN_EDIT"))
    nothing.on("GET", "/permissions/directories/12", granted)
    return nothing


def test_the_first_time(nothing: Wire, step: Step) -> None:
    bootstrap_environment(step.context())
    group = f"{SUBSCRIPTION}/resourceGroups/rg-bikeshare-dev"
    account = (
        f"{SUBSCRIPTION}/resourceGroups/rg-bikeshare-state/providers/Microsoft.Storage/storageAccounts/stbikesharestate"
    )
    roles = [
        (group, "Contributor"),
        (group, "Role Based Access Control Administrator"),
        (account, "Storage Blob Data Contributor"),
    ]
    put = [one for one in nothing.sent if one.method == "PUT" and "/roleAssignments/" in one.url]
    assert [one.url.split("?")[0].removeprefix("https://management.azure.com") for one in put] == [
        f"{scope}/providers/Microsoft.Authorization/roleAssignments/{assignment_name(scope, PRINCIPAL, ROLES[role])}"
        for scope, role in roles
    ]
    assert put[0].json["properties"] == {
        "roleDefinitionId": f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{ROLES['Contributor']}",
        "principalId": PRINCIPAL,
        "principalType": "ServicePrincipal",
    }
    (granted,) = (one.json for one in nothing.sent if one.method == "PATCH")
    assert granted == {
        "access_control_list": [
            {"service_principal_name": CLIENT, "permission_level": "CAN_MANAGE"},
            {"group_name": "users", "permission_level": "CAN_READ"},
        ]
    }
    assert "dev is ready" in step.text


def test_the_second_time_changes_nothing_and_says_so(everything: Wire, step: Step) -> None:
    bootstrap_environment(step.context())
    assert everything.writes() == []
    assert "nothing to change" in step.text


@pytest.mark.parametrize("world", ["nothing", "everything"])
def test_what_if_changes_nothing(world: str, request: pytest.FixtureRequest, step: Step) -> None:
    wire: Wire = request.getfixturevalue(world)
    bootstrap_environment(step.context(what_if=True))
    assert wire.writes() == []
    assert ("+ Contributor" in step.text) is (world == "nothing")


def test_a_workspace_that_refuses(everything: Wire, step: Step) -> None:
    everything.on("GET", "/scim/v2/ServicePrincipals", REFUSED)
    everything.on("GET", "/workspace/get-status", NO_PATH)
    everything.on("POST", "/workspace/mkdirs", REFUSED)
    with pytest.raises(AuthenticationError) as caught:
        bootstrap_environment(step.context())
    assert f"add the service principal {CLIENT}" in caught.value.next_step
    assert "make the folder /Workspace/Slipway/bikeshare/dev" in caught.value.next_step


def test_an_assignment_under_another_name_is_fine(everything: Wire, step: Step) -> None:
    everything.on("GET", "/roleAssignments", Answer(body={"value": []}))
    exists = {"error": {"code": "RoleAssignmentExists", "message": "The role assignment already exists."}}
    everything.on("PUT", "/roleAssignments/", Answer(409, exists))
    bootstrap_environment(step.context())


def test_roles_that_may_not_be_given(everything: Wire, step: Step) -> None:
    everything.on("GET", "/roleAssignments", Answer(body={"value": []}))
    refused = {"error": {"code": "AuthorizationFailed", "message": "does not have authorization to write"}}
    everything.on("PUT", "/roleAssignments/", Answer(403, refused))
    with pytest.raises(AuthenticationError, match="Contributor") as caught:
        bootstrap_environment(step.context())
    assert "Owner" in caught.value.next_step


def test_the_factory_is_made_empty_and_its_identity_joins_the_workspace(nothing: Wire, step: Step) -> None:
    bootstrap_environment(step.context())
    (deployed,) = (one.json for one in nothing.sent if one.method == "PUT" and "slipway-dev-factory" in one.url)
    assert deployed["properties"]["parameters"]["dataFactoryName"] == {"value": "adf-bikeshare-dev"}
    (factory,) = deployed["properties"]["template"]["resources"]
    assert (factory["identity"], factory["properties"]) == ({"type": "SystemAssigned"}, {})
    joined = [one.json for one in nothing.sent if one.method == "POST" and "ServicePrincipals" in one.url]
    assert [one["applicationId"] for one in joined] == [CLIENT, FACTORY_CLIENT]
    assert {"value": "allow-cluster-create"} in joined[1]["entitlements"]


def test_a_factory_that_is_there_is_never_written(everything: Wire, step: Step) -> None:
    members = [{"applicationId": CLIENT}]
    everything.on("GET", "/scim/v2/ServicePrincipals", Answer(body={"Resources": members}))
    bootstrap_environment(step.context())
    assert everything.writes() == ["POST /api/2.0/preview/scim/v2/ServicePrincipals"]


def test_a_factory_without_an_identity_is_named_and_holds_nothing_up(everything: Wire, step: Step) -> None:
    everything.on("GET", FACTORY, Answer(body={"id": "x"}))
    bootstrap_environment(step.context())
    assert everything.writes() == []
    assert "has no system-assigned identity" in step.text


def test_an_identity_that_is_not_known_yet_is_waited_for(everything: Wire, step: Step) -> None:
    known = Answer(body={"properties": {"clientId": FACTORY_CLIENT}})
    everything.on("GET", "/identities/default", ABSENT, Answer(body={"properties": {}}), known)
    bootstrap_environment(step.context())
    assert everything.count("GET", "/identities/default") == 3
    everything.on("GET", "/identities/default", ABSENT)
    with pytest.raises(AuthenticationError) as caught:
        bootstrap_environment(step.context())
    assert f"az ad sp show --id {FACTORY_OBJECT} --query appId" in caught.value.next_step


def test_a_workspace_that_refuses_the_factory(everything: Wire, step: Step) -> None:
    everything.on("GET", "/scim/v2/ServicePrincipals", REFUSED)
    with pytest.raises(AuthenticationError) as caught:
        bootstrap_environment(step.context())
    text = f"add the service principal {FACTORY_CLIENT} (the identity of data factory adf-bikeshare-dev)"
    assert text in caught.value.next_step
    assert everything.writes() == []


def test_an_identity_that_may_not_be_read(everything: Wire, step: Step) -> None:
    refused = {"error": {"code": "AuthorizationFailed", "message": "does not have authorization to read"}}
    everything.on("GET", "/identities/default", Answer(403, refused))
    with pytest.raises(AuthenticationError) as caught:
        bootstrap_environment(step.context())
    assert "add the identity of data factory adf-bikeshare-dev to the workspace" in caught.value.next_step


def test_the_template_keeps_the_state_safe() -> None:
    account, blobs, container, audit = json.loads((ROOT / "arm/state.json").read_text())["resources"]
    assert account["properties"]["minimumTlsVersion"] == "TLS1_2"
    assert account["properties"]["allowBlobPublicAccess"] is False
    assert account["properties"]["allowSharedKeyAccess"] is False
    assert blobs["properties"]["isVersioningEnabled"] is True
    assert blobs["properties"]["deleteRetentionPolicy"]["enabled"] is True
    assert container["properties"]["publicAccess"] == audit["properties"]["publicAccess"] == "None"
    assert audit["name"].endswith(f"/default/{CONTAINER}', parameters('storageAccountName'))]")
