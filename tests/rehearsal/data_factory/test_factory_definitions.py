"""Objects of a factory: written, read, listed and refused, by the vendor's client, by requests, and by templates."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.mgmt.datafactory import models
from azure.mgmt.resource.deployments import DeploymentsMgmtClient

from tests.rehearsal.data_factory.factories import GROUP_NAME, Factories, reference, wait
from tests.rehearsal.gateway.local_cloud import GROUP, TENANT

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("pipelines", {"activities": []}),
    ("datasets", {"type": "DelimitedText", "linkedServiceName": reference("LinkedService", "ls")}),
    ("linkedservices", {"type": "AzureKeyVault", "typeProperties": {"baseUrl": "https://kv.vault.azure.net/"}}),
    ("dataflows", {"type": "MappingDataFlow", "typeProperties": {"sources": []}}),
    ("triggers", {"type": "ScheduleTrigger", "typeProperties": {}, "pipelines": []}),
    ("integrationRuntimes", {"type": "SelfHosted"}),
    ("credentials", {"type": "ManagedIdentity", "typeProperties": {"resourceId": "/x"}}),
    ("managedVirtualNetworks", {}),
    ("managedVirtualNetworks/default/managedPrivateEndpoints", {"groupId": "blob"}),
    ("adfcdcs", {"SourceConnectionsInfo": [], "policy": {"mode": "Microbatch"}}),
]


def prepared(azure: Factories) -> None:
    azure.put("linkedservices", "ls", type="AzureBlobFS", typeProperties={"url": "https://x.dfs.core.windows.net"})
    azure.put("managedVirtualNetworks", "default")


@pytest.mark.parametrize(("kind", "properties"), KINDS, ids=[kind for kind, _ in KINDS])
def test_every_kind(azure: Factories, kind: str, properties: dict[str, Any]) -> None:
    prepared(azure)
    made = azure.put(kind, "An object", **properties)
    path = f"/{kind}/an OBJECT"
    found = azure.ok("GET", path)
    assert found == made
    assert properties.items() <= found["properties"].items()
    assert found["name"] == "An object"
    assert "An object" in [one["name"] for one in azure.ok("GET", f"/{kind}")["value"]]
    assert azure.send("GET", path, None, **{"If-None-Match": found["etag"]}).status_code == 304
    assert azure.send("GET", path, None, **{"If-None-Match": "other"}).status_code == 200
    assert azure.refused("PUT", path, {"properties": properties}, **{"If-Match": "other"})[0] == 412
    again = azure.ok("PUT", path, {"properties": properties}, **{"If-Match": found["etag"]})
    assert again["etag"] != found["etag"]
    assert again["name"] == "An object"
    if kind == "managedVirtualNetworks":  # the service has no such operation
        assert azure.send("DELETE", path).status_code == 501
        return
    assert azure.send("DELETE", path).status_code == 200
    assert azure.send("DELETE", path).status_code == 204
    assert azure.refused("GET", path)[:2] == (404, "ResourceNotFound")


def test_a_list_has_pages(azure: Factories) -> None:
    names = [f"pl_{number:03}" for number in range(60)]
    for name in names:
        azure.pipeline(name)
    first = azure.ok("GET", "/pipelines")
    assert len(first["value"]) < 60
    assert first["nextLink"].startswith("https://management.azure.com/subscriptions/")
    found = azure.sdk.pipelines.list_by_factory(GROUP_NAME, azure.factory)
    assert [one.name for one in found] == names


def test_the_sdk_lists_every_kind(azure: Factories) -> None:
    prepared(azure)
    for kind, properties in KINDS:
        azure.put(kind, "An object", **properties)
    azure.ok("PUT", "/globalParameters/default", {"properties": {"a": {"type": "Int", "value": 1}}})
    sdk, where = azure.sdk, (GROUP_NAME, azure.factory)
    lists: list[Any] = [
        sdk.pipelines.list_by_factory(*where),
        sdk.datasets.list_by_factory(*where),
        sdk.linked_services.list_by_factory(*where),
        sdk.data_flows.list_by_factory(*where),
        sdk.triggers.list_by_factory(*where),
        sdk.integration_runtimes.list_by_factory(*where),
        sdk.credential_operations.list_by_factory(*where),
        sdk.managed_virtual_networks.list_by_factory(*where),
        sdk.managed_private_endpoints.list_by_factory(*where, "default"),
        sdk.change_data_capture.list_by_factory(*where),
    ]
    for found in lists:
        assert "An object" in [one.name for one in found]
    assert [one.name for one in sdk.global_parameters.list_by_factory(*where)] == ["default"]
    assert azure.factory in [one.name for one in sdk.factories.list_by_resource_group(GROUP_NAME)]
    found_triggers = sdk.triggers.query_by_factory(*where, models.TriggerFilterParameters())
    assert [one.name for one in found_triggers.value] == ["An object"]


def test_models_of_the_sdk(azure: Factories) -> None:
    prepared(azure)
    wait = models.WaitActivityTypeProperties(wait_time_in_seconds=3)
    activity = models.WaitActivity(name="w", type_properties=wait)
    content = models.Pipeline(activities=[activity], folder=models.PipelineFolder(name="a/b"))
    resource = models.PipelineResource(properties=content)
    azure.sdk.pipelines.create_or_update(GROUP_NAME, azure.factory, "p", resource)
    found = azure.sdk.pipelines.get(GROUP_NAME, azure.factory, "p")
    assert found is not None
    assert found.activities is not None
    assert found.activities[0].name == "w"
    assert (
        azure.sdk.pipelines.get(
            GROUP_NAME, azure.factory, "p", etag=found.etag, match_condition=MatchConditions.IfModified
        )
        is None
    )
    azure.sdk.pipelines.delete(GROUP_NAME, azure.factory, "p")
    with pytest.raises(HttpResponseError):
        azure.sdk.pipelines.get(GROUP_NAME, azure.factory, "p")


def test_references_must_lead_somewhere(azure: Factories) -> None:
    body = {"properties": {"type": "DelimitedText", "linkedServiceName": reference("LinkedService", "LS")}}
    status, code, message = azure.refused("PUT", "/datasets/ds", body)
    assert (status, code) == (400, "BadRequest")
    assert message == "The document creation or update failed because of invalid reference 'LS'."
    prepared(azure)
    azure.ok("PUT", "/datasets/ds", body)
    status, code, message = azure.refused("DELETE", "/linkedservices/ls")
    assert (status, code) == (400, "BadRequest")
    assert message == "The document cannot be deleted since it is referenced by ds."
    azure.ok("DELETE", "/datasets/ds")
    azure.ok("DELETE", "/linkedservices/ls")


def test_itself_and_the_runtime_that_is_always_there(azure: Factories) -> None:
    again = {
        "name": "again",
        "type": "ExecutePipeline",
        "typeProperties": {"pipeline": reference("Pipeline", "Loop")},
    }
    azure.pipeline("loop", again)
    azure.ok("DELETE", "/pipelines/loop")
    runtime = reference("IntegrationRuntime", "AutoResolveIntegrationRuntime")
    azure.put("linkedservices", "web", type="Web", connectVia=runtime, typeProperties={})


def test_secure_strings_do_not_come_back(azure: Factories) -> None:
    secret = {"type": "SecureString", "value": "planted-secret"}
    made = azure.put(
        "linkedservices", "ls", type="AzureDatabricks", typeProperties={"domain": "d", "accessToken": secret}
    )
    assert "planted-secret" not in json.dumps(made)
    assert "planted-secret" not in azure.send("GET", "/linkedservices/ls").text
    assert base64.b64decode(made["properties"]["typeProperties"]["encryptedCredential"])


def test_a_put_of_the_factory_wipes(azure: Factories) -> None:
    shared = {"releaseFolder": {"type": "String", "value": "/a"}}
    azure.ok("PUT", "/globalParameters/default", {"properties": shared})
    found = azure.sdk.factories.get(GROUP_NAME, azure.factory)
    assert found is not None
    assert found.global_parameters is not None
    assert found.global_parameters["releaseFolder"].value == "/a"
    azure.ok("PATCH", "", {"tags": {"a": "b"}})
    listed = list(azure.sdk.global_parameters.list_by_factory(GROUP_NAME, azure.factory))
    assert [one.name for one in listed] == ["default"]
    azure.pipeline("stays")
    repository = {"type": "FactoryGitHubConfiguration", "accountName": "a", "repositoryName": "r"}
    repository |= {"collaborationBranch": "main", "rootFolder": "/"}
    azure.ok("PUT", "", {"location": "westeurope", "properties": {"repoConfiguration": repository}})
    assert azure.refused("GET", "/globalParameters/default")[0] == 404
    assert azure.ok("GET", "")["properties"]["repoConfiguration"] == repository
    azure.ok("PUT", "", {"location": "westeurope", "properties": {}})
    assert "repoConfiguration" not in azure.ok("GET", "")["properties"]
    azure.ok("GET", "/pipelines/stays")


def test_global_parameters_are_one_map(azure: Factories) -> None:
    one, two = {"a": {"type": "Int", "value": 1}}, {"b": {"type": "Bool", "value": True}}
    azure.ok("PUT", "/globalParameters/default", {"properties": one})
    tag = azure.ok("GET", "")["eTag"]
    assert azure.ok("PUT", "/globalParameters/default", {"properties": two})["properties"] == two
    assert azure.ok("GET", "")["properties"]["globalParameters"] == two
    assert azure.ok("GET", "")["eTag"] != tag
    assert azure.refused("PUT", "/globalParameters/other", {"properties": one})[0] == 400
    assert azure.refused("PUT", "/globalParameters/default", {"properties": {"a": 1}})[0] == 400


@pytest.mark.parametrize(
    "activities",
    [
        [wait("a"), wait("A")],
        [wait("a", 1, {"activity": "nobody", "dependencyConditions": ["Succeeded"]})],
        [wait("a", 1, {"activity": "b"}), wait("b", 1, {"activity": "a"})],
        [{"name": "f", "type": "ForEach", "typeProperties": {"activities": [wait("a"), wait("a")]}}],
        [{"type": "Wait"}],
        ["text"],
        [{"name": 7, "type": "Wait"}],
        [{"name": "s", "type": "Switch", "typeProperties": {"cases": "text"}}],
        [{"name": "i", "type": "IfCondition", "typeProperties": {"ifTrueActivities": {}}}],
        [{"name": "e", "type": "ExecutePipeline", "typeProperties": {"parameters": []}}],
        [{**wait("w"), "policy": "text"}],
    ],
)
def test_pipelines_that_can_not_be(azure: Factories, activities: list[Any]) -> None:
    assert azure.refused("PUT", "/pipelines/p", {"properties": {"activities": activities}})[0] == 400
    assert azure.refused("GET", "/pipelines/p")[0] == 404


def test_bodies_that_can_not_be(azure: Factories) -> None:
    assert azure.refused("PUT", "/datasets/d", {"properties": {}})[0] == 400
    assert azure.refused("PUT", "/datasets/d", {"properties": []})[0] == 400
    assert azure.refused("PUT", "/datasets/d", [])[0] == 400
    assert azure.refused("PUT", "/datasets/a<b", {"properties": {"type": "Json"}})[0] == 400


def test_a_factory_that_is_not_there(azure: Factories) -> None:
    azure.factory = "adf-nowhere"
    for method, path in (("GET", "/pipelines"), ("GET", "/pipelines/p"), ("POST", "/pipelines/p/createRun")):
        assert azure.refused(method, path)[0] == 404
    assert azure.refused("PUT", "/pipelines/p", {"properties": {}})[:2] == (404, "ParentResourceNotFound")


def test_what_is_not_here_says_so(azure: Factories) -> None:
    azure.put("integrationRuntimes", "shir", type="SelfHosted")
    status, _code, message = azure.refused("POST", "/integrationRuntimes/shir/listAuthKeys")
    assert status == 501
    assert "listAuthKeys" in message


# Templates go through the same rules


def deploy(azure: Factories, *resources: dict[str, Any]) -> dict[str, Any]:
    """Deploy resources of the factory; the deployment's properties at its end."""
    template = {
        "$schema": "http://schema.management.azure.com/schemas/2015-01-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {"factoryName": {"type": "string", "defaultValue": azure.factory}},
        "resources": list(resources),
    }
    number = azure.cloud.call(lambda: azure.cloud.world.store.next_id("test/deployments"))
    client = DeploymentsMgmtClient(azure.cloud.credential(), GROUP.split("/")[2])
    body: Any = {"properties": {"mode": "Incremental", "template": template}}
    try:
        client.deployments.begin_create_or_update(GROUP_NAME, f"d{number}", body).result()
    except HttpResponseError as error:
        return {"error": str(error)}
    return {}


def child(kind: str, name: str, properties: dict[str, Any], *depends: str) -> dict[str, Any]:
    return {
        "type": f"Microsoft.DataFactory/factories/{kind}",
        "apiVersion": "2018-06-01",
        "name": f"[concat(parameters('factoryName'), '/{name}')]",
        "properties": properties,
        "dependsOn": [
            f"[concat('Microsoft.DataFactory/factories/', parameters('factoryName'), '/{one}')]" for one in depends
        ],
    }


def test_a_template_goes_through_the_same_rules(azure: Factories) -> None:
    service = child("linkedServices", "ls", {"type": "AzureBlobFS", "typeProperties": {"url": "u"}})
    dataset_properties = {"type": "Json", "linkedServiceName": reference("LinkedService", "ls")}
    assert deploy(azure, service, child("datasets", "ds", dataset_properties, "linkedServices/ls")) == {}
    assert azure.ok("GET", "/datasets/ds")["properties"] == dataset_properties
    lost = {"type": "Json", "linkedServiceName": reference("LinkedService", "nobody")}
    assert "invalid reference 'nobody'" in deploy(azure, child("datasets", "other", lost))["error"]
    trigger = {
        "type": "ScheduleTrigger",
        "runtimeState": "Started",
        "typeProperties": {"recurrence": {}},
        "pipelines": [{"pipelineReference": reference("Pipeline", "p")}],
    }
    both = (child("pipelines", "p", {"activities": []}), child("triggers", "t", trigger, "pipelines/p"))
    assert deploy(azure, *both) == {}
    assert azure.ok("GET", "/triggers/t")["properties"]["runtimeState"] == "Stopped"
    azure.ok("POST", "/triggers/t/start")
    assert "TriggerEnabledCannotUpdate" in deploy(azure, *both)["error"]
    shared = {"env": {"type": "String", "value": "dev"}}
    assert deploy(azure, child("globalparameters", "default", shared)) == {}
    assert azure.ok("GET", "")["properties"]["globalParameters"] == shared


def test_roles_count(azure: Factories) -> None:
    stranger = azure.cloud.call(
        lambda: azure.cloud.world.directory.add_service_principal(
            tenant_id=TENANT, app_id="reader-app", object_id="reader-oid", display_name="R", client_secret="s"
        )
    )
    azure.pipeline("p", wait("w"))
    azure.cloud.call(
        lambda: azure.cloud.world.roles.assign(
            scope=azure.path, principal_id=stranger.object_id, role_name="Reader", immediately=True
        )
    )
    token = azure.cloud.credential(app_id="reader-app", secret="s").get_token("https://management.azure.com/.default")
    header = {"Authorization": f"Bearer {token.token}"}
    azure.ok("GET", "/pipelines", None, **header)
    for method, path, body in (
        ("PUT", "/pipelines/p", {"properties": {"activities": []}}),
        ("DELETE", "/pipelines/p", None),
        ("POST", "/pipelines/p/createRun", {}),
        ("POST", "/triggers/t/start", None),
        ("POST", "/queryPipelineRuns", {}),
    ):
        assert azure.refused(method, path, body, **header)[:2] == (403, "AuthorizationFailed"), path
