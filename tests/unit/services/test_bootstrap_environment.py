"""The step bootstrap_environment: what a release needs, made once."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from slipway.domain.audit import CONTAINER
from slipway.errors import AuthenticationError
from slipway.services.resource_manager.groups import ROLES, assignment_name
from slipway.steps.bootstrap_environment import bootstrap_environment
from tests.unit.services.bootstrap_wire import (
    ABSENT,
    CLIENT,
    ENTITLED,
    FACTORY,
    FACTORY_CLIENT,
    FACTORY_OBJECT,
    IDENTITY,
    PRINCIPAL,
    SUBSCRIPTION,
    everything_is_there,
    nothing_is_there,
    writing,
)
from tests.unit.services.conftest import ROOT, Answer, Step, Wire


@pytest.fixture
def nothing(wire: Wire) -> Wire:
    """Nothing is there; everything may be made."""
    return nothing_is_there(wire)


@pytest.fixture
def everything(wire: Wire) -> Wire:
    """All of it is there."""
    return everything_is_there(wire)


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


def test_an_assignment_under_another_name_is_fine(everything: Wire, step: Step) -> None:
    everything.on("GET", "/roleAssignments", Answer(body={"value": []}))
    exists = {"error": {"code": "RoleAssignmentExists", "message": "The role assignment already exists."}}
    everything.on("PUT", "/roleAssignments/", Answer(409, exists))
    bootstrap_environment(step.context())


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


def test_the_template_keeps_the_state_safe() -> None:
    account, blobs, container, audit = json.loads((ROOT / "arm/state.json").read_text())["resources"]
    assert account["properties"]["minimumTlsVersion"] == "TLS1_2"
    assert account["properties"]["allowBlobPublicAccess"] is False
    assert account["properties"]["allowSharedKeyAccess"] is False
    assert blobs["properties"]["isVersioningEnabled"] is True
    assert blobs["properties"]["deleteRetentionPolicy"]["enabled"] is True
    assert container["properties"]["publicAccess"] == audit["properties"]["publicAccess"] == "None"
    assert audit["name"].endswith(f"/default/{CONTAINER}', parameters('storageAccountName'))]")


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


def test_the_release_identity_gets_the_right_to_make_clusters_where_no_policy_covers_them(
    everything: Wire, step: Step
) -> None:
    member = {"id": "7", "applicationId": CLIENT, "entitlements": [{"value": "workspace-access"}]}
    members = [member, {"id": "8", "applicationId": FACTORY_CLIENT}]
    everything.on("GET", "/scim/v2/ServicePrincipals", Answer(body={"Resources": members}))
    everything.on("PATCH", "/scim/v2/ServicePrincipals/7", Answer())
    bootstrap_environment(step.context())
    assert everything.writes() == ["PATCH /api/2.0/preview/scim/v2/ServicePrincipals/7"]


def test_jobs_that_run_as_another_identity_have_it_in_the_workspace(everything: Wire, step: Step) -> None:
    other = "c0ffee00-0000-4000-8000-00000000000c"
    everything.on("POST", "/scim/v2/ServicePrincipals", Answer(201, {"id": "9"}))
    account = {"principal_context": {"authentication_scope": {"account_id": "acc", "workspace_id": 1}}}
    everything.on("GET", "/tokens/introspect", Answer(body=account))
    manager = {"role": "roles/servicePrincipal.manager", "principals": ["users/ann@example.org"]}
    everything.on("GET", "/access-control/rule-sets", Answer(body={"etag": "e1", "grant_rules": [manager]}))
    everything.on("PUT", "/access-control/rule-sets", Answer())
    jobs = dataclasses.replace(step.context().environment.jobs, run_as={"service_principal_name": other})
    bootstrap_environment(step.context(jobs=jobs))
    (joined,) = (one.json["applicationId"] for one in everything.sent if one.method == "POST" and "Princip" in one.url)
    assert joined == other
    (put,) = (one.json for one in everything.sent if one.method == "PUT")
    name = f"accounts/acc/servicePrincipals/{other}/ruleSets/default"
    user = {"role": "roles/servicePrincipal.user", "principals": [f"servicePrincipals/{CLIENT}"]}
    assert put == {"name": name, "rule_set": {"name": name, "etag": "e1", "grant_rules": [manager, user]}}
    everything.on("GET", "/access-control/rule-sets", Answer(body={"etag": "e2", "grant_rules": [manager, user]}))
    members = [ENTITLED, {"id": "9", "applicationId": other}, {"id": "8", "applicationId": FACTORY_CLIENT}]
    everything.on("GET", "/scim/v2/ServicePrincipals", Answer(body={"Resources": members}))
    everything.sent.clear()
    bootstrap_environment(step.context(jobs=jobs))
    assert everything.writes() == []


def test_an_account_that_lets_nobody_look_is_named(everything: Wire, step: Step) -> None:
    other = "c0ffee00-0000-4000-8000-00000000000c"
    members = [ENTITLED, {"id": "9", "applicationId": other}, {"id": "8", "applicationId": FACTORY_CLIENT}]
    everything.on("GET", "/scim/v2/ServicePrincipals", Answer(body={"Resources": members}))
    everything.on("GET", "/tokens/introspect", Answer(404, {"error_code": "ENDPOINT_NOT_FOUND", "message": "No API"}))
    jobs = dataclasses.replace(step.context().environment.jobs, run_as={"service_principal_name": other})
    with pytest.raises(AuthenticationError) as caught:
        bootstrap_environment(step.context(jobs=jobs))
    assert f"Service Principal User of {other}" in caught.value.next_step
