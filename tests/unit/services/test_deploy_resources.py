"""The step deploy_resources over the real management clients."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slipway.errors import AuthenticationError, Conflict, NotPossible, ReleaseError, ServiceError
from slipway.steps.deploy_resources import deploy_resources, deployment_name
from tests.unit.services.conftest import Answer, Sent, StateBlob, Step, Wire

TEMPLATE = {
    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    "contentVersion": "1.0.0.0",
    "parameters": {"storageAccountName": {"type": "string"}, "deployDataFactory": {"type": "bool"}},
    "resources": [
        {
            "type": "Microsoft.Storage/storageAccounts",
            "apiVersion": "2023-05-01",
            "name": "[parameters('storageAccountName')]",
        }
    ],
}
DEPLOYMENT = r"/deployments/slipway-dev-1\.4\.0"
NOT_FOUND = Answer(404, {"error": {"code": "ResourceNotFound", "message": "no"}})
NO_GROUP = Answer(404, {"error": {"code": "ResourceGroupNotFound", "message": "could not be found"}})
SUCCEEDED = {"properties": {"provisioningState": "Succeeded"}}


def what_if(*kinds: str) -> Answer:
    changes = [
        {"changeType": kind, "resourceId": f"/subscriptions/s/resourceGroups/rg/providers/A.B/cs/c{index}"}
        for index, kind in enumerate(kinds)
    ]
    return Answer(body={"status": "Succeeded", "properties": {"changes": changes}})


@pytest.fixture
def azure(wire: Wire, step: Step, state: StateBlob) -> Wire:
    """A group that is there, a factory that is not, a template that is fine and changes something."""
    (step.release / "arm").mkdir()
    (step.release / "arm/main.json").write_text(json.dumps(TEMPLATE, indent=2))
    (step.release / "release.json").write_text('{"version": "1.4.0"}')
    wire.on("GET", r"/resourcegroups/rg-bikeshare-dev\?", Answer(body={"location": "westeurope"}))
    wire.on("GET", "/factories/adf-bikeshare-dev", NOT_FOUND)
    wire.on("POST", f"{DEPLOYMENT}/validate", Answer(body=SUCCEEDED))
    wire.on("POST", f"{DEPLOYMENT}/whatIf", what_if("Create"))
    wire.on("PUT", DEPLOYMENT, Answer(201, SUCCEEDED))
    return wire


def put_body(wire: Wire) -> Any:
    return next(one for one in wire.asked() if one.method == "PUT").json["properties"]


def test_a_change_is_deployed(azure: Wire, step: Step) -> None:
    deploy_resources(step.context())
    body = put_body(azure)
    assert body["mode"] == "Incremental"
    assert body["template"] == TEMPLATE
    assert body["parameters"] == {
        "storageAccountName": {"value": "stbikesharedev"},
        "deployDataFactory": {"value": True},
    }
    assert "+ cs/c0" in step.text


def test_nothing_changed_is_a_few_calls_and_no_deployment(azure: Wire, step: Step) -> None:
    azure.on("POST", f"{DEPLOYMENT}/whatIf", what_if("NoChange", "Ignore"))
    deploy_resources(step.context())
    assert azure.writes() == []
    assert len(azure.asked()) == 4
    assert "no deployment" in step.text


def test_what_if_only_asks(azure: Wire, step: Step) -> None:
    deploy_resources(step.context(what_if=True))
    assert azure.writes() == []
    assert "+ cs/c0" in step.text


def test_an_existing_factory_is_not_deployed_over(azure: Wire, step: Step) -> None:
    azure.on("GET", "/factories/adf-bikeshare-dev", Answer(body={"name": "adf-bikeshare-dev"}))
    deploy_resources(step.context())
    assert put_body(azure)["parameters"]["deployDataFactory"] == {"value": False}


def test_a_missing_group_is_made(azure: Wire, step: Step) -> None:
    azure.on("GET", r"/resourcegroups/rg-bikeshare-dev\?", NO_GROUP)
    azure.on("PUT", r"/resourcegroups/rg-bikeshare-dev\?", Answer(201, {"name": "rg-bikeshare-dev"}))
    azure.on("PUT", DEPLOYMENT, Answer(201, SUCCEEDED))
    deploy_resources(step.context())
    assert put_body_of_group(azure) == {
        "location": "westeurope",
        "tags": {"slipway_app": "bikeshare", "slipway_environment": "dev"},
    }


def put_body_of_group(wire: Wire) -> Any:
    return next(one for one in wire.asked() if one.method == "PUT" and "/providers/" not in one.url).json


def test_a_missing_group_that_may_not_be_made(azure: Wire, step: Step) -> None:
    azure.on("GET", r"/resourcegroups/rg-bikeshare-dev\?", NO_GROUP)
    refused = {"error": {"code": "AuthorizationFailed", "message": "The client does not have authorization"}}
    azure.on("PUT", r"/resourcegroups/rg-bikeshare-dev\?", Answer(403, refused))
    with pytest.raises(AuthenticationError, match="rg-bikeshare-dev") as caught:
        deploy_resources(step.context())
    assert "bootstrap_environment" in caught.value.next_step


def test_what_if_of_a_missing_group_asks_no_more(azure: Wire, step: Step) -> None:
    azure.on("GET", r"/resourcegroups/rg-bikeshare-dev\?", NO_GROUP)
    deploy_resources(step.context(what_if=True))
    assert len(azure.asked()) == 1
    assert "+ rg-bikeshare-dev" in step.text


def test_a_refused_template_names_our_line(azure: Wire, step: Step) -> None:
    violation = {
        "type": "TemplateViolation",
        "info": {"lineNumber": 1, "linePosition": 702, "path": "properties.template.resources[0].name"},
    }
    error = {
        "code": "InvalidTemplate",
        "message": "Deployment template validation failed: 'x'.",
        "additionalInfo": [violation],
    }
    azure.on("POST", f"{DEPLOYMENT}/validate", Answer(400, {"error": error}))
    with pytest.raises(ReleaseError) as caught:
        deploy_resources(step.context())
    (finding,) = caught.value.findings
    assert (finding.file, finding.line) == ("arm/main.json", 16)
    assert "Deployment template validation failed" in finding.text
    assert azure.writes() == []


def test_destruction_needs_a_word(azure: Wire, step: Step) -> None:
    azure.on("POST", f"{DEPLOYMENT}/whatIf", what_if("Create", "Delete"))
    with pytest.raises(NotPossible, match="cs/c1"):
        deploy_resources(step.context())
    assert azure.writes() == []
    deploy_resources(step.context(arguments={"allow_destructive": True}))
    assert len(azure.writes()) == 1


def test_a_failed_deployment_names_the_resource(azure: Wire, step: Step) -> None:
    failed = {"code": "DeploymentFailed", "message": "At least one resource deployment operation failed."}
    status = "https://management.azure.com/subscriptions/s/operationStatuses/1?api-version=2021-04-01"
    accepted = {"properties": {"provisioningState": "Accepted"}}
    azure.on("PUT", DEPLOYMENT, Answer(201, accepted, {"Azure-AsyncOperation": status, "retry-after-ms": "1"}))
    azure.on("GET", "/operationStatuses/1", Answer(body={"status": "Failed", "error": failed}))
    operation = {
        "operationId": "1",
        "properties": {
            "provisioningState": "Failed",
            "targetResource": {"id": "/subscriptions/s/providers/Microsoft.Storage/storageAccounts/stbikesharedev"},
            "statusMessage": {"error": {"code": "StorageAccountAlreadyTaken", "message": "The name is taken."}},
        },
    }
    azure.on("GET", f"{DEPLOYMENT}/operations", Answer(body={"value": [operation]}))
    with pytest.raises(ServiceError, match=r"arm/main\.json:13: storageAccounts.*StorageAccountAlreadyTaken") as caught:
        deploy_resources(step.context())
    assert "stay" in caught.value.changed


def test_a_deployment_that_somebody_cancels(azure: Wire, step: Step) -> None:
    azure.on("PUT", DEPLOYMENT, Answer(201, {"properties": {"provisioningState": "Canceled"}}))
    azure.on("GET", f"{DEPLOYMENT}/operations", Answer(body={"value": []}))
    with pytest.raises(ServiceError, match="Canceled"):
        deploy_resources(step.context())


def test_a_template_that_is_not_there(wire: Wire, step: Step) -> None:
    with pytest.raises(ReleaseError, match="is missing"):
        deploy_resources(step.context())
    assert wire.sent == []


def test_names_of_deployments() -> None:
    assert deployment_name("dev", "1.0+local/äx") == "slipway-dev-1.0-local--x"
    assert len(deployment_name("dev", "1" * 100)) == 64


def test_nothing_is_changed_while_somebody_else_is_releasing(azure: Wire, step: Step, state: StateBlob) -> None:
    state.held_by("grace", "https://x/2")
    with pytest.raises(Conflict, match=r"grace is releasing 9\.9 \(https://x/2\)"):
        deploy_resources(step.context())
    assert azure.asked() == []


def test_the_claim_stays_with_a_pipelines_run_and_not_with_a_person(azure: Wire, step: Step, state: StateBlob) -> None:
    deploy_resources(step.context(variables={"USER": "ada"}))
    assert state.claim is None
    run = {"TF_BUILD": "True", "BUILD_BUILDID": "42", "SYSTEM_COLLECTIONURI": "https://dev.azure.com/o/"}
    deploy_resources(step.context(variables=run))
    assert state.claim is not None
    assert state.claim["run"].endswith("buildId=42")


def test_the_claim_is_looked_at_before_each_change(azure: Wire, step: Step, state: StateBlob) -> None:
    """An agent that slept long enough for its claim to be taken over changes nothing any more."""

    def asleep(_: Sent) -> Answer:
        state.held_by("grace", "https://x/2")
        step.moment.now += 60
        return what_if("Create")

    azure.on("POST", f"{DEPLOYMENT}/whatIf", asleep)
    with pytest.raises(Conflict, match="grace has taken it over"):
        deploy_resources(step.context())
    assert azure.writes() == []
