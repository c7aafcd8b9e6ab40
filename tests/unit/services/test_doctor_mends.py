"""The doctor's mends do no harm where an environment is whole, and reach a shell as they are meant."""

from __future__ import annotations

import dataclasses
import json
import shlex
from typing import Any

import pytest
import yaml

from slipway.domain.diagnosis import Finding
from slipway.services.credentials import Credential
from slipway.services.databricks import Workspace
from slipway.services.resource_manager.reading import Reader
from slipway.steps.configuration_files import configure_command
from slipway.steps.doctor import azure, azure_devops, people, state, workspace
from slipway.steps.doctor.examination import Check, Examination, examine
from tests.unit.services.bootstrap_wire import CLIENT, FACTORY, HOST, IDENTITY, MADE, OURS, SUBSCRIPTION, WORKSPACE
from tests.unit.services.bootstrap_wire import workspace as found_workspace
from tests.unit.services.conftest import Answer, Step, Wire

GROUP = f"{SUBSCRIPTION}/resourceGroups/rg-bikeshare-dev"


@pytest.fixture
def examination(step: Step, identity: Credential, wire: Wire) -> Examination:
    wire.on("GET", r"/subscriptions/[^/?]+\?", Answer(body=OURS))
    wire.on("GET", r"/resourceGroups/rg-bikeshare-dev\?", Answer(body={"id": GROUP}))
    wire.on("GET", IDENTITY, Answer(body=MADE))
    return Examination(
        context=step.context(arguments={"short": False, "json": False}),
        credential=identity,
        azure=Reader(identity, SUBSCRIPTION.rpartition("/")[2], clock=step.moment.clock),
        workspace=Workspace(f"https://{HOST}", token=lambda: "t"),
        short=False,
    )


def findings_of(checks: list[Check], title: str) -> list[Finding]:
    return [one for one in examine([check for check in checks if check.title == title]) if isinstance(one, Finding)]


def lock(scope: str, name: str = "x") -> dict[str, Any]:
    where = f"{scope}/providers/Microsoft.Authorization/locks/{name}"
    return {"id": where, "name": name, "properties": {"level": "ReadOnly"}}


@pytest.mark.parametrize(
    ("scope", "found"),
    [
        (SUBSCRIPTION, 1),
        (GROUP, 1),
        (f"{GROUP}/providers/Microsoft.Storage/storageAccounts/stbikesharedev", 1),
        (f"{GROUP}/providers/Microsoft.Storage/storageAccounts/sttheirs", 0),
    ],
)
def test_a_lock_on_what_others_have_in_the_group_stops_no_release(
    examination: Examination, wire: Wire, scope: str, found: int
) -> None:
    wire.on("GET", "/locks", Answer(body={"value": [lock(scope)]}))
    assert len(findings_of(azure.checks(examination), "locks on the resource group")) == found


def test_a_name_that_somebody_chose_is_no_part_of_a_command(examination: Examination, wire: Wire) -> None:
    evil = lock(GROUP, 'a"; $(touch x); `y`')
    wire.on("GET", "/locks", Answer(body={"value": [evil]}))
    (found,) = findings_of(azure.checks(examination), "locks on the resource group")
    assert shlex.split(found.mend) == ["az", "lock", "delete", "--ids", evil["id"]]


@pytest.mark.parametrize(
    ("factory", "expected"),
    [
        (Answer(404, {"error": {"code": "ResourceNotFound"}}), ["workspace.region"]),
        (Answer(body={"location": "northeurope"}), ["workspace.region"]),
        (Answer(body={"location": "West Europe"}), []),
    ],
)
def test_resources_that_are_there_are_not_told_to_move(
    examination: Examination, wire: Wire, factory: Answer, expected: list[str]
) -> None:
    wire.on("GET", WORKSPACE, Answer(body=found_workspace("northeurope")))
    wire.on("GET", FACTORY, factory)
    assert [one.id for one in findings_of(workspace.checks(examination), "the workspace's Azure resource")] == expected


@pytest.mark.parametrize("value", ["/Workspace/Data Team/dev-slots", json.dumps(["O'Brien, Ann", "a: $b"]), "it's"])
def test_a_value_comes_through_the_shell_and_yaml(value: str) -> None:
    words = shlex.split(configure_command("dev", "databricks.readers", value))
    assert words[-2:] == ["--set", f"databricks.readers={value}"]
    if value.startswith("["):
        assert yaml.safe_load(value) == json.loads(value)


def test_a_body_comes_through_the_shell(examination: Examination) -> None:
    body = {"userName": "o'brien@example.org"}
    words = shlex.split(people.rest(examination, "post", "/preview/scim/v2/Users", body))
    assert json.loads(words[-1]) == body


@pytest.mark.parametrize(
    ("access", "short", "severity", "mend"),
    [
        ("Enabled", False, "warning", "az storage account update"),
        ("Disabled", False, "warning", "portal:"),
        ("Enabled", True, "error", "az storage account update"),
    ],
)
def test_a_person_outside_of_the_agents_network_is_only_warned(
    examination: Examination, wire: Wire, access: str, short: bool, severity: str, mend: str
) -> None:
    account = {"properties": {"publicNetworkAccess": access}}
    wire.on("GET", r"/storageAccounts/stbikesharestate\?", Answer(body=account))
    wire.on("HEAD", r"blob\.core\.windows\.net", Answer(403, b"", {"x-ms-error-code": "AuthorizationFailure"}))
    asking = dataclasses.replace(examination, short=short)
    (found,) = findings_of(state.checks(asking), "the way to the state")
    assert found.severity == severity
    assert found.mend.startswith(mend)


@pytest.mark.parametrize(("state", "severity"), [("PastDue", "warning"), ("Warned", "warning"), ("Disabled", "error")])
def test_a_subscription_that_takes_changes_still_stops_no_release(
    examination: Examination, wire: Wire, state: str, severity: str
) -> None:
    wire.on("GET", r"/subscriptions/[^/?]+\?", Answer(body=OURS | {"state": state}))
    (found,) = findings_of(azure.checks(examination), "the subscription")
    assert found.severity == severity


def test_only_providers_of_what_is_in_the_subscription_are_looked_at(examination: Examination) -> None:
    environment = examination.environment
    assert "Microsoft.Databricks" in azure.providers(environment)
    assert "Microsoft.ManagedIdentity" in azure.providers(environment)
    theirs = f"/subscriptions/{CLIENT}/resourceGroups/x/providers/Microsoft.Databricks/workspaces/x"
    elsewhere = dataclasses.replace(environment.databricks, workspace_resource_id=theirs)
    application = dataclasses.replace(environment.azure.release_identity, name=None)
    azure_of = dataclasses.replace(environment.azure, release_identity=application)
    other = dataclasses.replace(environment, databricks=elsewhere, azure=azure_of)
    assert azure.providers(other) == azure.PROVIDERS


@pytest.mark.parametrize(("pipeline", "expected"), [(True, []), (False, ["devops.environment"])])
def test_an_environment_that_does_not_show_itself_stops_no_release_to_it(
    examination: Examination, wire: Wire, pipeline: bool, expected: list[str]
) -> None:
    wire.on("GET", r"dev\.azure\.com/slipway/_apis/projects/", Answer(body={"id": "1", "name": "Slipway"}))
    wire.on("GET", r"/distributedtask/environments\?", Answer(body={"count": 0, "value": []}))
    variables = {"TF_BUILD": "True", "SYSTEM_ACCESSTOKEN": "t"} if pipeline else {}
    context = dataclasses.replace(
        examination.context,
        variables=variables,
        environment=dataclasses.replace(examination.environment, production=True),
    )
    asking = dataclasses.replace(examination, context=context)
    assert [one.id for one in findings_of(azure_devops.checks(asking), "the Azure DevOps environment")] == expected
