"""The step bootstrap_environment: what a release needs, made once."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from slipway.command import Context
from slipway.domain.audit import CONTAINER
from slipway.errors import AuthenticationError, NotPossible
from slipway.services.resource_manager.groups import ROLES, assignment_name
from slipway.steps.bootstrap_environment import bootstrap_environment
from tests.unit.services.conftest import ROOT, Answer, Moment, Sent, Step, Wire

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
IDENTITY = r"/userAssignedIdentities/id-bikeshare-release\?"
MADE = {"name": "id-bikeshare-release", "properties": {"clientId": CLIENT, "principalId": PRINCIPAL}}
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


@pytest.fixture
def nothing(wire: Wire) -> Wire:
    """Nothing is there; everything may be made."""
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


@pytest.fixture
def everything(nothing: Wire) -> Wire:
    """All of it is there."""
    nothing.on("GET", r"/resourcegroups/[^/]*\?", Answer(body={"location": "westeurope"}))
    named = [{"name": name} for name in ("stbikesharestate", "stbikesharedev", "kv-bikeshare-dev")]
    nothing.on("GET", r"/resourceGroups/[^/]*/resources\?", Answer(body={"value": named}))
    lock = f"{SUBSCRIPTION}/resourceGroups/rg-bikeshare-state/providers/Microsoft.Authorization/locks/by-others"
    locked = {"id": lock, "name": "by-others", "properties": {"level": "CanNotDelete"}}
    nothing.on("GET", "/locks", Answer(body={"value": [locked]}))
    nothing.on("GET", IDENTITY, Answer(body=MADE))
    nothing.on("POST", "/whatIf", what_if("NoChange"))
    nothing.on("GET", "/roleAssignments", assignments(*ROLES))
    nothing.on("GET", FACTORY, FOUND)
    members = [ENTITLED, {"applicationId": FACTORY_CLIENT}]
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
    members = [ENTITLED]
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


def writing(step: Step, tmp_path: Path) -> Context:
    """A context of a repository that may be written."""
    root = tmp_path / "repository"
    for folder in ("arm", "config"):
        shutil.copytree(ROOT / folder, root / folder)
    return dataclasses.replace(step.context(), root=root)


def test_a_new_identitys_ids_go_into_the_configuration_and_are_used_from_then_on(
    nothing: Wire, step: Step, tmp_path: Path
) -> None:
    client, principal = "c0ffee00-0000-4000-8000-00000000000a", "c0ffee00-0000-4000-8000-00000000000b"
    made = {"name": "id-bikeshare-release", "properties": {"clientId": client, "principalId": principal}}
    nothing.on("PUT", IDENTITY, Answer(201, made))
    context = writing(step, tmp_path)
    before = (context.root / "config/defaults.yml").read_text()
    bootstrap_environment(context)
    after = (context.root / "config/defaults.yml").read_text()
    assert after == before.replace(CLIENT, client).replace(PRINCIPAL, principal)
    assert "commit this" in step.text
    roles = [one.json["properties"]["principalId"] for one in nothing.sent if "/roleAssignments/" in one.url]
    assert set(roles) == {principal}
    joined = [one.json["applicationId"] for one in nothing.sent if one.method == "POST" and "ServicePri" in one.url]
    assert joined[0] == client


def test_an_identity_without_a_name_is_never_made_and_never_written(everything: Wire, step: Step) -> None:
    context = step.context()
    azure = context.environment.azure
    nameless = dataclasses.replace(azure, release_identity=dataclasses.replace(azure.release_identity, name=None))
    everything.on("GET", IDENTITY, ABSENT)
    bootstrap_environment(step.context(azure=nameless))
    assert everything.writes() == []


def test_the_account_of_the_state_is_locked_and_not_its_group(nothing: Wire, step: Step) -> None:
    bootstrap_environment(step.context())
    (locked,) = (one for one in nothing.sent if one.method == "PUT" and "/locks/" in one.url)
    assert "/storageAccounts/stbikesharestate/providers/Microsoft.Authorization/locks/slipway-state?" in locked.url
    assert locked.json["properties"]["level"] == "CanNotDelete"


def test_a_provider_that_is_not_registered_is_registered_and_waited_for(
    everything: Wire, step: Step, moment: Moment
) -> None:
    states = [Answer(body={"registrationState": state}) for state in ("NotRegistered", "Registering", "Registered")]
    everything.on("GET", r"/providers/Microsoft\.KeyVault\?", *states)
    everything.on("POST", r"/Microsoft\.KeyVault/register", Answer(body={"registrationState": "Registering"}))
    bootstrap_environment(step.context())
    assert everything.writes() == [f"POST {SUBSCRIPTION}/providers/Microsoft.KeyVault/register"]
    assert moment.slept == [5.0, 5.0]


TAKEN = Answer(body={"nameAvailable": False, "reason": "AlreadyExists", "message": "The name is already taken."})
DELETED = "/locations/westeurope/deletedVaults/kv-bikeshare-dev"


def test_names_of_somebody_else_end_it_before_anything_is_made(nothing: Wire, step: Step) -> None:
    nothing.on("POST", "/checkNameAvailability", TAKEN)
    nothing.on("GET", DELETED, ABSENT)
    with pytest.raises(NotPossible, match="3 names of dev") as caught:
        bootstrap_environment(step.context())
    assert nothing.writes() == []
    for key in ("azure.state.storage_account", "resources.storage_account", "resources.key_vault"):
        assert f"configure.py --environment dev --set {key}=" in caught.value.next_step


def test_a_vault_that_was_deleted_can_be_recovered(nothing: Wire, step: Step) -> None:
    nothing.on("POST", "/Microsoft.KeyVault/checkNameAvailability", TAKEN)
    nothing.on("GET", DELETED, Answer(body={"name": "kv-bikeshare-dev"}))
    with pytest.raises(NotPossible, match="1 names of dev") as caught:
        bootstrap_environment(step.context())
    assert "az keyvault recover --name kv-bikeshare-dev --subscription" in caught.value.next_step


NO_RIGHT = Answer(403, {"error": {"code": "AuthorizationFailed", "message": "does not have authorization"}})


def test_each_refused_part_is_named_with_its_command_and_the_others_are_done(nothing: Wire, step: Step) -> None:
    for pattern in ("/locks/", "/roleAssignments/", "/deployments/slipway-dev-factory"):
        nothing.on("PUT", pattern, NO_RIGHT)
    with pytest.raises(AuthenticationError) as caught:
        bootstrap_environment(step.context())
    said = caught.value.next_step
    account = f"{SUBSCRIPTION}/resourceGroups/rg-bikeshare-state/providers/Microsoft.Storage/storageAccounts/"
    for command in (
        "az lock create --name slipway-state --lock-type CanNotDelete --resource-group rg-bikeshare-state",
        f"az role assignment create --assignee-object-id {PRINCIPAL} --assignee-principal-type ServicePrincipal "
        f"--role Contributor --scope {SUBSCRIPTION}/resourceGroups/rg-bikeshare-dev",
        f"--role 'Storage Blob Data Contributor' --scope {account}stbikesharestate",
        "az deployment group create --template-file arm/factory.json --parameters location=westeurope "
        "dataFactoryName=adf-bikeshare-dev",
    ):
        assert command in said
    assert nothing.count("POST", "/workspace/mkdirs") == 1


def test_a_group_of_the_state_that_is_refused_stops_only_what_lies_in_it(nothing: Wire, step: Step) -> None:
    nothing.on("PUT", r"/resourcegroups/rg-bikeshare-state\?", NO_RIGHT)
    with pytest.raises(AuthenticationError) as caught:
        bootstrap_environment(step.context())
    assert (
        "az group create --name rg-bikeshare-state --location westeurope --subscription "
        f"{SUBSCRIPTION.rpartition('/')[2]} --tags slipway_app=bikeshare"
    ) in caught.value.next_step
    made = [one.url for one in nothing.sent if one.method == "PUT"]
    assert any("/resourcegroups/rg-bikeshare-dev?" in url for url in made)
    assert any("slipway-dev-factory" in url for url in made)
    assert not any("/roleAssignments/" in url or "/userAssignedIdentities/" in url for url in made)


def test_a_reader_that_is_no_group_of_the_workspace_is_named(nothing: Wire, step: Step) -> None:
    nothing.on("GET", "/scim/v2/Groups", Answer(body={"Resources": []}))
    with pytest.raises(AuthenticationError) as caught:
        bootstrap_environment(step.context())
    assert "add the group users to the workspace, or take it out of databricks.readers" in caught.value.next_step
    (granted,) = (one.json["access_control_list"] for one in nothing.sent if one.method == "PATCH")
    assert [entry.get("service_principal_name") for entry in granted] == [CLIENT]


def test_a_root_of_other_people_is_not_touched(everything: Wire, step: Step) -> None:
    everything.on("GET", "/permissions/directories/12", access(("group_name", "others", "CAN_MANAGE")))
    theirs = {"path": "/Workspace/Slipway/bikeshare/dev/theirs", "object_type": "NOTEBOOK", "object_id": 3}
    everything.on("GET", "/workspace/list", Answer(body={"objects": [theirs]}))
    with pytest.raises(NotPossible, match="belongs to somebody else") as caught:
        bootstrap_environment(step.context())
    assert everything.writes() == []
    assert "--set databricks.root=" in caught.value.next_step


def test_the_release_identity_gets_the_right_to_make_clusters_where_no_policy_covers_them(
    everything: Wire, step: Step
) -> None:
    member = {"id": "7", "applicationId": CLIENT, "entitlements": [{"value": "workspace-access"}]}
    members = [member, {"id": "8", "applicationId": FACTORY_CLIENT}]
    everything.on("GET", "/scim/v2/ServicePrincipals", Answer(body={"Resources": members}))
    everything.on("PATCH", "/scim/v2/ServicePrincipals/7", Answer())
    bootstrap_environment(step.context())
    assert everything.writes() == ["PATCH /api/2.0/preview/scim/v2/ServicePrincipals/7"]


def test_a_workspace_of_another_region_is_told(everything: Wire, step: Step) -> None:
    everything.on("GET", WORKSPACE, Answer(body=workspace("northeurope")))
    bootstrap_environment(step.context())
    assert "Workspace dbw-bikeshare is in northeurope, the environment in westeurope" in step.text


def test_a_workspace_that_is_not_there_is_made_only_where_that_is_asked_for(
    everything: Wire, step: Step, tmp_path: Path
) -> None:
    everything.on("GET", WORKSPACE, ABSENT)
    with pytest.raises(AuthenticationError) as caught:
        bootstrap_environment(step.context())
    assert "bootstrap_environment.py --environment dev --workspace create" in caught.value.next_step
    assert everything.writes() == []
    there = Answer(body=workspace("westeurope", "adb-1.2.azuredatabricks.net"))
    everything.on("GET", WORKSPACE, ABSENT, there)
    done = Answer(201, {"properties": {"provisioningState": "Succeeded"}})
    everything.on("PUT", "/deployments/slipway-dev-workspace", done)
    context = writing(step, tmp_path)
    context.arguments.workspace = "create"
    bootstrap_environment(context)
    assert "host: https://adb-1.2.azuredatabricks.net" in (context.root / "config/defaults.yml").read_text()
    assert any("//adb-1.2.azuredatabricks.net/api" in one.url for one in everything.sent)


def test_jobs_that_run_as_another_identity_have_it_in_the_workspace(everything: Wire, step: Step) -> None:
    other = "c0ffee00-0000-4000-8000-00000000000c"
    everything.on("POST", "/scim/v2/ServicePrincipals", Answer(201, {"id": "9"}))
    jobs = dataclasses.replace(step.context().environment.jobs, run_as={"service_principal_name": other})
    bootstrap_environment(step.context(jobs=jobs))
    (joined,) = (one.json["applicationId"] for one in everything.sent if one.method == "POST" and "Princip" in one.url)
    assert joined == other
    assert "Service Principal User" in step.text


ISSUER, SUBJECT = "https://login.microsoftonline.com/t/v2.0", "/eid1/c/pub/t/a/b/sc/c/d"


def connected(wire: Wire) -> None:
    parameters = {"workloadIdentityFederationIssuer": ISSUER, "workloadIdentityFederationSubject": SUBJECT}
    authorization = {"scheme": "WorkloadIdentityFederation", "parameters": parameters}
    connection = {"id": "1", "name": "slipway-dev", "type": "azurerm", "authorization": authorization}
    wire.on("GET", r"dev\.azure\.com/slipway/Slipway/.*/endpoints", Answer(body={"count": 1, "value": [connection]}))


def test_a_connection_that_is_there_signs_in_as_the_identity(everything: Wire, step: Step) -> None:
    connected(everything)
    everything.on("PUT", "/federatedIdentityCredentials/slipway-dev", Answer(201, {}))
    bootstrap_environment(step.context())
    (put,) = (one for one in everything.sent if one.method == "PUT")
    assert put.json["properties"] == {
        "issuer": ISSUER,
        "subject": SUBJECT,
        "audiences": ["api://AzureADTokenExchange"],
    }
    by_another_name = {"name": "other", "properties": put.json["properties"]}
    everything.on("GET", "/federatedIdentityCredentials", Answer(body={"value": [by_another_name]}))
    everything.sent.clear()
    bootstrap_environment(step.context())
    assert everything.writes() == []


def test_a_connection_that_is_refused_is_named_with_its_command(everything: Wire, step: Step) -> None:
    connected(everything)
    everything.on("PUT", "/federatedIdentityCredentials/slipway-dev", NO_RIGHT)
    with pytest.raises(AuthenticationError) as caught:
        bootstrap_environment(step.context())
    assert (
        "az identity federated-credential create --name slipway-dev --identity-name id-bikeshare-release "
        f"--resource-group rg-bikeshare-state --issuer {ISSUER} --subject {SUBJECT}"
    ) in caught.value.next_step


@pytest.mark.parametrize("answer", [Answer(203, b"<html>sign in"), Answer(404, {"message": "no project"})])
def test_azure_devops_that_does_not_answer_holds_nothing_up(everything: Wire, step: Step, answer: Answer) -> None:
    everything.on("GET", r"dev\.azure\.com", answer)
    bootstrap_environment(step.context())
    assert "setup_azure_devops.py makes the service connection" in step.text
