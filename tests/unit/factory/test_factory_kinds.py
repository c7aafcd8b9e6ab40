"""The rarer kinds of triggers, data flows, runtimes and credentials: what they depend on, which of their values become
parameters, and that an import has them back. Shapes: models of azure-mgmt-datafactory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slipway.domain.factory.git_folder import read_git_folder
from slipway.domain.factory.objects import Kind
from slipway.domain.factory.template import generate
from tests.unit.factory.made import activity, edges, item, linked, ref, secret, write
from tests.unit.factory.test_factory_round_trip import rendered_again

START = {"pipelineReference": ref("p", "Pipeline"), "parameters": {"day": "@trigger().startTime"}}
WINDOW = {"frequency": "Hour", "interval": 1, "startTime": "2026-01-01T00:00:00Z", "maxConcurrency": 1}

RARE: dict[str, Any] = {
    "factory/adf-a.json": {"name": "adf-a", "location": "westeurope", "properties": {}},
    "factory/adf-b.json": {"name": "adf-b", "location": "westeurope", "properties": {}},
    "linkedService/vault.json": linked("vault", "AzureKeyVault", baseUrl="https://v"),
    "linkedService/blob.json": linked("blob", "AzureBlobStorage", sasUri=secret("sas")),
    "linkedService/batch.json": linked(
        "batch", "AzureBatch", batchUri="https://b", linkedServiceName=ref("blob", "LinkedService")
    ),
    "dataset/in.json": item("in", type="Json", linkedServiceName=ref("blob", "LinkedService"), typeProperties={}),
    "dataset/out.json": item("out", type="Json", linkedServiceName=ref("blob", "LinkedService"), typeProperties={}),
    "dataflow/inner.json": item(
        "inner", type="Flowlet", typeProperties={"sources": [{"name": "a", "dataset": ref("in", "Dataset")}]}
    ),
    "dataflow/outer.json": item(
        "outer",
        type="MappingDataFlow",
        typeProperties={
            "sources": [{"name": "a", "flowlet": ref("inner", "DataFlow")}],
            "sinks": [
                {
                    "name": "b",
                    "schemaLinkedService": ref("blob", "LinkedService"),
                    "rejectedDataLinkedService": ref("batch", "LinkedService"),
                }
            ],
            "scriptLines": ["source(…) ~> a", "[", "@("],
        },
    ),
    "dataflow/query.json": item(
        "query",
        type="WranglingDataFlow",
        typeProperties={
            "sources": [{"name": "in", "script": "source(…)", "dataset": ref("in", "Dataset")}],
            "script": "shared x = @(",
            "documentLocale": "en",
        },
    ),
    "pipeline/p.json": item(
        "p",
        activities=[
            activity(
                "wrangle",
                "ExecuteWranglingDataflow",
                dataFlow=ref("query", "DataFlow"),
                queries=[{"queryName": "q", "dataflowSinks": [{"name": "s", "dataset": ref("out", "Dataset")}]}],
                integrationRuntime=ref("near", "IntegrationRuntime"),
            ),
            activity(
                "until", "Until", activities=[activity("flow", "ExecuteDataFlow", dataflow=ref("outer", "DataFlow"))]
            ),
            activity(
                "if",
                "IfCondition",
                ifFalseActivities=[activity("own", "Custom", referenceObjects={"datasets": [ref("in", "Dataset")]})],
            ),
        ],
    ),
    "trigger/blob.json": item(
        "blob", type="BlobEventsTrigger", pipelines=[START], typeProperties={"scope": "/st", "events": ["x"]}
    ),
    "trigger/custom.json": item(
        "custom", type="CustomEventsTrigger", pipelines=[START], typeProperties={"scope": "/topic", "events": ["x"]}
    ),
    "trigger/window.json": item("window", type="TumblingWindowTrigger", pipeline=START, typeProperties=WINDOW),
    "trigger/later.json": item(
        "later",
        type="TumblingWindowTrigger",
        pipeline=START,
        typeProperties={
            **WINDOW,
            "dependsOn": [
                {
                    "type": "TumblingWindowTriggerDependencyReference",
                    "size": "1.00:00:00",
                    "referenceTrigger": ref("Window", "Trigger"),
                },
                {"type": "SelfDependencyTumblingWindowTriggerReference", "offset": "-01:00:00", "size": "01:00:00"},
            ],
        },
    ),
    "trigger/chain.json": item(
        "chain",
        type="ChainingTrigger",
        pipeline=START,
        typeProperties={"dependsOn": [ref("p", "Pipeline")], "runDimension": "d"},
    ),
    "managedVirtualNetwork/default.json": {"name": "default", "properties": {}},
    "integrationRuntime/near.json": item(
        "near",
        type="Managed",
        typeProperties={"computeProperties": {"location": "AutoResolve"}},
        managedVirtualNetwork=ref("default", "ManagedVirtualNetwork"),
    ),
    "integrationRuntime/shared.json": item(
        "shared",
        type="SelfHosted",
        typeProperties={"linkedInfo": {"authorizationType": "Key", "key": {"type": "SecureString", "value": "**"}}},
    ),
    "integrationRuntime/ssis.json": item(
        "ssis",
        type="Managed",
        typeProperties={
            "ssisProperties": {
                "packageStores": [{"name": "files", "packageStoreLinkedService": ref("blob", "LinkedService")}],
                "credential": ref("person", "Credential"),
            }
        },
    ),
    "credential/person.json": item(
        "person",
        type="ServicePrincipal",
        typeProperties={"servicePrincipalId": "i", "servicePrincipalKey": secret("key"), "tenant": "t"},
    ),
}

USERS = {
    "triggers/blob": {"pipelines/p"},
    "triggers/custom": {"pipelines/p"},
    "triggers/window": {"pipelines/p"},
    "triggers/later": {"pipelines/p", "triggers/window"},
    "triggers/chain": {"pipelines/p"},
    "pipelines/p": {"dataflows/query", "dataflows/outer", "datasets/in", "datasets/out", "integrationRuntimes/near"},
    "dataflows/inner": {"datasets/in"},
    "dataflows/outer": {"dataflows/inner", "linkedServices/blob", "linkedServices/batch"},
    "dataflows/query": {"datasets/in"},
    "linkedServices/batch": {"linkedServices/blob"},
    "linkedServices/blob": {"linkedServices/vault"},
    "integrationRuntimes/near": {"managedVirtualNetworks/default"},
    "integrationRuntimes/shared": set(),
    "integrationRuntimes/ssis": {"linkedServices/blob", "credentials/person"},
    "credentials/person": {"linkedServices/vault"},
}


def test_the_rarer_kinds_depend_on_what_they_name(tmp_path: Path) -> None:
    found = edges(generate(read_git_folder(write(tmp_path, RARE)), factory_name="adf-b").to_template())
    assert {name: found[name] for name in USERS} == USERS


def test_their_values_are_parameters_by_the_default_rules(tmp_path: Path) -> None:
    parameters = generate(read_git_folder(write(tmp_path, RARE)), factory_name="adf-b").parameters
    assert parameters["factoryName"].default == ("adf-b",)
    assert {name: one.type for name, one in parameters.items() if name != "factoryName"} == {
        "blob_properties_typeProperties_sasUri_secretName": "string",
        "vault_properties_typeProperties_baseUrl": "string",
        "batch_properties_typeProperties_batchUri": "string",
        "blob_properties_p_parameters_day": "string",
        "blob_properties_typeProperties_scope": "string",
        "custom_properties_p_parameters_day": "string",
        "custom_properties_typeProperties_scope": "string",
        "window_properties_pipeline_parameters_day": "string",
        "later_properties_pipeline_parameters_day": "string",
        "chain_properties_pipeline_parameters_day": "string",
        "shared_properties_typeProperties_linkedInfo_key": "secureString",
    }


def test_an_import_has_them_back(tmp_path: Path) -> None:
    folder = read_git_folder(
        write(tmp_path, {name: body for name, body in RARE.items() if name != "factory/adf-a.json"})
    )
    found = rendered_again(folder, {"shared_properties_typeProperties_linkedInfo_key": "k"})
    key = found.pop((Kind.INTEGRATION_RUNTIMES, "shared")).properties["typeProperties"]["linkedInfo"]["key"]
    assert key == {"type": "SecureString", "value": "k"}
    assert {key: one.properties for key, one in found.items()} == {
        one.key: one.properties for one in folder.objects if one.name != "shared"
    }
