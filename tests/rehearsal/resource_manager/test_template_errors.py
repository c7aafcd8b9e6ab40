"""What is wrong with a template, in the service's words and with the place in the text that was sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.rehearsal.resource_manager.local_azure import GROUP_ID, Azure, deployment, envelope, template

IDENTITY = {
    "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
    "apiVersion": "2023-01-31",
    "name": "id1",
    "location": "westeurope",
}


def refusal(azure: Azure, document: Any, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    azure.group()
    answers = []
    for operation in ("/validate", "/whatIf", ""):
        method = "POST" if operation else "PUT"
        status, body = azure.call(method, deployment(GROUP_ID, "d") + operation, envelope(document, parameters))
        assert status == 400, body
        answers.append(body["error"])
    assert answers[0] == answers[1] == answers[2], "all three operations refuse alike"
    assert azure.call("GET", deployment(GROUP_ID, "d"))[0] == 404, "nothing is remembered of it"
    error: dict[str, Any] = answers[0]
    return error


@pytest.mark.parametrize(
    ("document", "parameters", "sentence"),
    [
        (template(parameters={"a": {"type": "string"}}), {}, "The value for the template parameter 'a' at line '1'"),
        (
            template(parameters={"a": {"type": "string"}}),
            {"a": "x", "b": 1, "c": 2},
            "The template parameters 'b, c' in the parameters file are not valid; they are not present in the original "
            "template and can therefore not be provided at deployment time. The only supported parameters for this "
            "template are 'a'.",
        ),
        (
            template(parameters={"a": {"type": "int"}}),
            {"a": "1"},
            "Expected a value of type 'Integer', but received a value of type 'String'.",
        ),
        (
            template(parameters={"a": {"type": "string", "allowedValues": ["x", "y"]}}),
            {"a": "z"},
            "The parameter value is not part of the allowed value(s): 'x,y'",
        ),
        (template(parameters={"a": {"type": "string", "minLength": 3}}), {"a": "z"}, "greater than or equal to '3'"),
        (template(parameters={"a": {"type": "int", "maxValue": 3}}), {"a": 4}, "less than or equal to '3'"),
        (template(parameters={"a": {"type": "strin"}}), {"a": "z"}, "The type 'strin' is not supported"),
        (
            template(parameters={"a": {"type": "string", "defaultValue": "[parameters('a')]"}}),
            {},
            "refers to itself",
        ),
        (template(variables={"v": "[variables('v')]"}), {}, "The template variable 'v' is not valid"),
        (template(variables={"v": "[reference('x')]"}), {}, "The template function 'reference' is not expected"),
        (template({**IDENTITY, "name": ""}), {}, "The name property cannot be null or empty."),
        (template({**IDENTITY, "name": "a/b"}), {}, "has incorrect segment lengths"),
        (
            template({"name": "x", "type": "Microsoft.Storage/storageAccounts"}),
            {},
            "The apiVersion property cannot be null or empty",
        ),
        (template(IDENTITY, IDENTITY), {}, "is defined multiple times in a template"),
        (template({**IDENTITY, "dependsOn": ["nothing"]}), {}, "The resource 'nothing' is not defined in the template"),
        (
            template({**IDENTITY, "dependsOn": ["id2"]}, {**IDENTITY, "name": "id2", "dependsOn": ["id1"]}),
            {},
            "Circular dependency detected on resource",
        ),
        (template({**IDENTITY, "tags": {"a": "[concat('a']"}}), {}, "Unable to parse language expression 'concat('a''"),
        (template({**IDENTITY, "copy": {"name": "l", "count": 801}}), {}, "cannot exceed '800'"),
        (template({**IDENTITY, "condition": "yes"}), {}, "The condition must be a boolean"),
        (template(outputs={"o": {"type": "int", "value": "text"}}), {}, "Expected 'Int'. Actual 'String'"),
        (
            template(outputs={"o": {"type": "string", "value": "[nope()]"}}),
            {},
            "The template function 'nope' is not valid",
        ),
        ({"resources": []}, {}, "Required property '$schema' not found"),
        (None, {}, "The template must be an object"),
        (template(parameters={f"p{n}": {"type": "int"} for n in range(257)}), {}, "Limit: '256' and actual: '257'"),
    ],
)
def test_sentences(azure: Azure, document: Any, parameters: dict[str, Any], sentence: str) -> None:
    error = refusal(azure, document, parameters)
    assert error["code"] == "InvalidTemplate"
    assert error["message"].startswith("Deployment template validation failed: '")
    assert sentence in error["message"]
    assert "{position}" not in error["message"]


def test_line_and_column_are_those_of_the_request(azure: Azure) -> None:
    azure.group()
    document = json.dumps(template(IDENTITY, parameters={"first": {"type": "string"}}), indent=2)
    text = f'{{"properties": {{"mode": "Incremental", "template": {document}}}}}'
    error = azure.call("POST", deployment(GROUP_ID, "d") + "/validate", text)[1]["error"]
    [info] = [one["info"] for one in error["additionalInfo"]]
    assert info["path"] == "properties.template.parameters.first"
    line = document.splitlines()[info["lineNumber"] - 1]
    assert line[: info["linePosition"]] == '    "first": {'
    assert f"at line '{info['lineNumber']}' and column '{info['linePosition']}'" in error["message"]


def test_position_inside_a_nested_template(azure: Azure) -> None:
    inner = template({**IDENTITY, "name": "[nope()]"})
    nested = {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2024-03-01",
        "name": "n",
        "properties": {"mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"}, "template": inner},
    }
    error = refusal(azure, template(IDENTITY, nested))
    assert error["additionalInfo"][0]["info"]["path"] == (
        "properties.template.resources[1].properties.template.resources[0]"
    )


def test_preflight_names_every_resource_that_a_provider_refuses(azure: Azure) -> None:
    storage = {
        "type": "Microsoft.Storage/storageAccounts",
        "apiVersion": "2023-05-01",
        "name": "NOT-GOOD",
        "location": "westeurope",
        "sku": {"name": "Standard_LRS"},
        "kind": "StorageV2",
    }
    azure.group()
    document = template(storage, IDENTITY, {**storage, "name": "st", "location": None})
    status, body = azure.call("PUT", deployment(GROUP_ID, "d"), envelope(document))
    assert (status, body["error"]["code"]) == (400, "InvalidTemplateDeployment")
    assert [one["code"] for one in body["error"]["details"]] == ["AccountNameInvalid", "LocationRequired"]
    assert body["error"]["details"][0]["target"].endswith("/NOT-GOOD")
    assert azure.world.resources.below(GROUP_ID) == []
    level = envelope(document)
    level["properties"]["validationLevel"] = "Template"
    assert azure.call("POST", deployment(GROUP_ID, "d") + "/validate", level)[0] == 200


def test_preflight_names_every_permission_that_is_missing(azure: Azure) -> None:
    azure.group()
    release = azure.directory.add("release")
    azure.world.roles.assign(scope=GROUP_ID, principal_id=release.object_id, role_name="Contributor")
    role = {
        "type": "Microsoft.Authorization/roleAssignments",
        "apiVersion": "2022-04-01",
        "name": "[guid('a')]",
        "properties": {
            "roleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7",
            "principalId": release.object_id,
        },
    }
    document = template(IDENTITY, role)
    status, body = azure.call("PUT", deployment(GROUP_ID, "d"), envelope(document), caller=release)
    assert status == 403
    assert body["error"]["code"] == "InvalidTemplateDeployment"
    assert (
        f"The client '{release.app_id}' with object id '{release.object_id}' does not have permission"
        in (body["error"]["message"])
    )
    assert "'Microsoft.Authorization/roleAssignments/write' at scope" in body["error"]["message"]
    assert azure.world.resources.below(GROUP_ID) == []
    azure.world.roles.assign(
        scope=GROUP_ID, principal_id=release.object_id, role_name="Role Based Access Control Administrator"
    )
    record = azure.deploy(document, caller=release)
    assert record["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"mode": "Now"}, 400, "InvalidDeploymentMode"),
        ({"templateLink": {"uri": "https://x"}}, 400, "InvalidRequestContent"),
        ({"onErrorDeployment": {"type": "LastSuccessful"}}, 501, "NotImplementedInRehearsal"),
        ({"parameters": {"a": "bare"}}, 400, "InvalidRequestContent"),
        ({"validationLevel": "Some"}, 400, "InvalidRequestContent"),
    ],
)
def test_bad_requests(azure: Azure, change: dict[str, Any], status: int, code: str) -> None:
    azure.group()
    body = envelope(template())
    body["properties"] |= change
    answer = azure.call("PUT", deployment(GROUP_ID, "d"), body)
    assert (answer[0], answer[1]["error"]["code"]) == (status, code)


def test_places_that_are_not_there(azure: Azure) -> None:
    body = envelope(template())
    assert azure.call("PUT", deployment(GROUP_ID, "d"), body)[1]["error"]["code"] == "ResourceGroupNotFound"
    azure.group()
    assert azure.call("PUT", deployment(GROUP_ID, "d" * 65), body)[1]["error"]["code"] == "InvalidDeploymentName"
    assert azure.call("PUT", deployment(GROUP_ID, "d"), "{}")[1]["error"]["code"] == "InvalidRequestContent"
    assert azure.call("PUT", deployment("", "d"), body)[0] == 403
    azure.world.roles.assign(scope="/", principal_id=azure.admin.object_id, role_name="Owner")
    assert azure.call("PUT", deployment("", "d"), body)[0] == 501
