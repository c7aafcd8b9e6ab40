"""The step bootstrap_environment: what is refused, taken or somebody else's, and what it says then."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from slipway.errors import AuthenticationError, NotPossible, SlipwayError
from slipway.steps.bootstrap_environment import bootstrap_environment
from tests.unit.services.bootstrap_wire import (
    ABSENT,
    CLIENT,
    FACTORY_CLIENT,
    IDENTITY,
    NO_PATH,
    OURS,
    PRINCIPAL,
    REFUSED,
    SUBSCRIPTION,
    WORKSPACE,
    access,
    everything_is_there,
    nothing_is_there,
    what_if,
    workspace,
    writing,
)
from tests.unit.services.conftest import Answer, Moment, Step, Wire


@pytest.fixture
def nothing(wire: Wire) -> Wire:
    """Nothing is there; everything may be made."""
    return nothing_is_there(wire)


@pytest.fixture
def everything(wire: Wire) -> Wire:
    """All of it is there."""
    return everything_is_there(wire)


def test_a_workspace_that_refuses(everything: Wire, step: Step) -> None:
    everything.on("GET", "/scim/v2/ServicePrincipals", REFUSED)
    everything.on("GET", "/workspace/get-status", NO_PATH)
    everything.on("POST", "/workspace/mkdirs", REFUSED)
    with pytest.raises(AuthenticationError) as caught:
        bootstrap_environment(step.context())
    assert f"add the service principal {CLIENT}" in caught.value.next_step
    assert "make the folder /Workspace/Slipway/bikeshare/dev" in caught.value.next_step


def test_roles_that_may_not_be_given(everything: Wire, step: Step) -> None:
    everything.on("GET", "/roleAssignments", Answer(body={"value": []}))
    refused = {"error": {"code": "AuthorizationFailed", "message": "does not have authorization to write"}}
    everything.on("PUT", "/roleAssignments/", Answer(403, refused))
    with pytest.raises(AuthenticationError, match="Contributor") as caught:
        bootstrap_environment(step.context())
    assert "Owner" in caught.value.next_step


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
    for key in ("resources.storage_account", "resources.key_vault"):
        assert f"configure.py --environment dev --set {key}=" in caught.value.next_step
    # All environments share the state, so its name is that of the defaults.
    assert "configure.py --set azure.state.storage_account=" in caught.value.next_step


def test_who_may_not_see_the_groups_is_not_told_that_their_names_are_other_peoples(nothing: Wire, step: Step) -> None:
    nothing.on("POST", "/checkNameAvailability", TAKEN)
    nothing.on("GET", r"/resourcegroups/[^/]*\?", NO_RIGHT)
    with pytest.raises(AuthenticationError) as caught:
        bootstrap_environment(step.context())
    assert "look whether names of dev are free" in caught.value.next_step
    assert "configure.py" not in caught.value.next_step
    assert "no name that Azure has only once" not in step.text
    assert "… its roles, once it, the group and the state storage are done" in step.text


def test_what_fails_in_the_middle_says_what_is_done_and_that_it_can_be_run_again(nothing: Wire, step: Step) -> None:
    nothing.on("PUT", IDENTITY, Answer(400, {"error": {"code": "BadRequest", "message": "no"}}))
    with pytest.raises(SlipwayError) as caught:
        bootstrap_environment(step.context())
    assert "+ rg-bikeshare-state in westeurope" in step.text
    assert "the same command goes on from there" in caught.value.changed


def test_a_factorys_name_that_somebody_else_has_is_told_with_its_mend(nothing: Wire, step: Step) -> None:
    error = {"code": "DataFactoryNameInUse", "message": "The specified resource name is already in use."}
    nothing.on("PUT", "/deployments/slipway-dev-factory", Answer(400, {"error": error}))
    nothing.on("GET", "/deployments/slipway-dev-factory/operations", Answer(body={"value": []}))
    with pytest.raises(SlipwayError) as caught:
        bootstrap_environment(step.context())
    assert "configure.py --environment dev --set resources.data_factory=<another name>" in caught.value.next_step


def test_a_vault_that_was_deleted_can_be_recovered(nothing: Wire, step: Step) -> None:
    nothing.on("POST", "/Microsoft.KeyVault/checkNameAvailability", TAKEN)
    vault = f"{SUBSCRIPTION}/resourceGroups/rg-bikeshare-dev/providers/Microsoft.KeyVault/vaults/kv-bikeshare-dev"
    nothing.on("GET", DELETED, Answer(body={"name": "kv-bikeshare-dev", "properties": {"vaultId": vault}}))
    with pytest.raises(NotPossible, match="One name of dev") as caught:
        bootstrap_environment(step.context())
    # Its group went with it, and a vault comes back only into its group.
    assert re.search(r"az group create --tags slipway_app=\S+ .* && az keyvault recover", caught.value.next_step)


def test_a_vault_of_others_that_was_deleted_is_left_alone(nothing: Wire, step: Step) -> None:
    nothing.on("POST", "/Microsoft.KeyVault/checkNameAvailability", TAKEN)
    vault = f"{SUBSCRIPTION}/resourceGroups/theirs/providers/Microsoft.KeyVault/vaults/kv-bikeshare-dev"
    nothing.on("GET", DELETED, Answer(body={"name": "kv-bikeshare-dev", "properties": {"vaultId": vault}}))
    with pytest.raises(NotPossible) as caught:
        bootstrap_environment(step.context())
    assert "recover" not in caught.value.next_step
    assert "--set resources.key_vault=" in caught.value.next_step


@pytest.mark.parametrize("tags", [None, {}, {"slipway_app": "bike"}])
def test_an_account_of_others_in_the_states_group_is_not_written_over(
    everything: Wire, step: Step, tags: dict[str, str] | None
) -> None:
    account = {"id": "/x/stbikesharestate", "name": "stbikesharestate", "tags": tags}
    everything.on("GET", r"/resourceGroups/[^/]*/resources\?", Answer(body={"value": [account]}))
    everything.on("POST", "/whatIf", what_if("Modify"))
    # Not even who may not ask for names, as a Contributor of the groups alone.
    everything.on("POST", "/checkNameAvailability", NO_RIGHT)
    with pytest.raises(NotPossible) as caught:
        bootstrap_environment(step.context())
    assert "--set azure.state.storage_account=" in caught.value.next_step
    assert "az tag update --tags slipway_app=bikeshare" in caught.value.next_step
    assert everything.writes() == []


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


def test_a_root_with_slots_of_another_app_is_not_touched(everything: Wire, step: Step) -> None:
    everything.on("GET", "/permissions/directories/12", access(("group_name", "others", "CAN_MANAGE")))
    slot = {"path": "/Slipway/bikeshare/dev/blue", "object_type": "DIRECTORY", "object_id": 3}
    everything.on("GET", "/workspace/list", Answer(body={"objects": [slot]}))
    everything.on("GET", "/workspace/export", Answer(body={"app": "trains", "environment": "dev"}))
    with pytest.raises(NotPossible, match="it holds /Slipway/bikeshare/dev/blue"):
        bootstrap_environment(step.context())
    assert everything.writes() == []


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


def test_a_connection_with_a_secret_gets_no_credential(everything: Wire, step: Step) -> None:
    connection = {"id": "1", "name": "slipway-dev", "type": "azurerm", "authorization": {"scheme": "ServicePrincipal"}}
    everything.on("GET", r"dev\.azure\.com/.*/endpoints", Answer(body={"count": 1, "value": [connection]}))
    bootstrap_environment(step.context())
    assert "Service connection slipway-dev signs in with a secret" in step.text
    assert everything.writes() == []


@pytest.mark.parametrize("answer", [Answer(203, b"<html>sign in"), Answer(404, {"message": "no project"})])
def test_azure_devops_that_does_not_answer_holds_nothing_up(everything: Wire, step: Step, answer: Answer) -> None:
    everything.on("GET", r"dev\.azure\.com", answer)
    bootstrap_environment(step.context())
    assert "setup_azure_devops.py makes the service connection" in step.text


def test_without_azure_devops_nobody_is_sent_there(everything: Wire, step: Step) -> None:
    environment = dataclasses.replace(step.context().environment, azure_devops=None)
    bootstrap_environment(dataclasses.replace(step.context(), environment=environment))
    assert "docs/github.md" in step.text
    assert "setup_azure_devops" not in step.text


WRONG_TENANT = {
    "error": {"code": "InvalidAuthenticationTokenTenant", "message": "The access token is from the wrong issuer."}
}
NO_SUBSCRIPTION = {"error": {"code": "SubscriptionNotFound", "message": "The subscription could not be found."}}


@pytest.mark.parametrize(
    ("answer", "error", "expected"),
    [
        (Answer(401, WRONG_TENANT), AuthenticationError, f"az login --tenant {OURS['tenantId']}"),
        (Answer(404, NO_SUBSCRIPTION), NotPossible, "az account list"),
        (Answer(body={**OURS, "tenantId": CLIENT}), NotPossible, f"--set azure.tenant_id={CLIENT}"),
        (Answer(body={**OURS, "state": "Disabled"}), NotPossible, "Reactivate"),
    ],
)
def test_a_sign_in_that_can_make_nothing_ends_it_at_once(
    nothing: Wire, step: Step, answer: Answer, error: type[SlipwayError], expected: str
) -> None:
    nothing.on("GET", r"/subscriptions/[^/]*\?", answer)
    with pytest.raises(error) as caught:
        bootstrap_environment(step.context())
    assert expected in caught.value.next_step
    assert nothing.writes() == []


def test_who_may_not_read_the_subscription_may_still_do_the_rest(everything: Wire, step: Step) -> None:
    everything.on("GET", r"/subscriptions/[^/]*\?", NO_RIGHT)
    bootstrap_environment(step.context())
    assert "nothing to change" in step.text
