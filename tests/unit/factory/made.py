"""Made factories: Git folders as Studio writes them, and what Studio's export of them has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Json = Any


def write(root: Path, files: dict[str, Json]) -> Path:
    """The folder with these files: text as it is, anything else as JSON."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            text = content if isinstance(content, str) else json.dumps(content, indent="\t", ensure_ascii=False)
            path.write_text(text, encoding="utf-8")
    return root


def ref(name: Json, kind: str) -> Json:
    return {"referenceName": name, "type": f"{kind}Reference"}


def item(name: str, **properties: Json) -> Json:
    return {"name": name, "properties": properties}


def linked(name: str, connector: str, **settings: Json) -> Json:
    return item(name, annotations=[], type=connector, typeProperties=settings)


def secret(name: Json, store: str = "vault") -> Json:
    return {"type": "AzureKeyVaultSecret", "store": ref(store, "LinkedService"), "secretName": name}


def activity(name: str, kind: str, **settings: Json) -> Json:
    return {"name": name, "type": kind, "dependsOn": [], "typeProperties": settings}


NOTEBOOK = {
    **activity("nb", "DatabricksNotebook", notebookPath="/Shared/x"),
    "linkedServiceName": ref("bricks", "LinkedService"),
}
CALL = activity("call", "ExecutePipeline", pipeline=ref("inner", "Pipeline"))
JOB = {
    **activity("run job", "DatabricksJob", jobId="812", jobParameters={}),
    "linkedServiceName": ref("Bricks", "LinkedService"),
}

# Every kind of object, and every place where a reference was seen in real factories.
EVERY_KIND: dict[str, Json] = {
    "publish_config.json": {"publishBranch": "adf_publish", "includeGlobalParamsTemplate": True},
    "factory/adf-made.json": {
        "name": "adf-made",
        "properties": {"globalParameters": {"releaseFolder": {"type": "string", "value": "/Workspace/x"}}},
        "location": "westeurope",
        "identity": {"type": "SystemAssigned", "principalId": "p", "tenantId": "t"},
    },
    "credential/identity.json": item("identity", type="ManagedIdentity", typeProperties={"resourceId": "/r"}),
    "managedVirtualNetwork/default.json": {"name": "default", "type": "Microsoft.DataFactory/factories/managedvirtualnetworks"},
    "managedVirtualNetwork/default/managedPrivateEndpoint/kv-x.json": item(
        "kv-x", privateLinkResourceId="/subscriptions/s/kv-x", groupId="vault", fqdns=["kv-x.vault.azure.net"]
    ),
    "integrationRuntime/near.json": item(
        "near", type="Managed", typeProperties={}, managedVirtualNetwork=ref("default", "ManagedVirtualNetwork")
    ),
    "integrationRuntime/ssis.json": item(
        "ssis",
        type="Managed",
        typeProperties={
            "ssisProperties": {
                "catalogInfo": {
                    "catalogServerEndpoint": "sql.example",
                    "catalogAdminUserName": "sa",
                    "catalogAdminPassword": {"type": "SecureString", "value": "**"},
                },
                "dataProxyProperties": {
                    "connectVia": ref("own", "IntegrationRuntime"),
                    "stagingLinkedService": ref("blob", "LinkedService"),
                },
            }
        },
    ),
    "integrationRuntime/own.json": item(
        "own", type="SelfHosted", typeProperties={"linkedInfo": {"resourceId": "/other", "authorizationType": "Rbac"}}
    ),
    "linkedService/vault.json": linked("vault", "AzureKeyVault", baseUrl="https://kv-x.vault.azure.net/"),
    "linkedService/bricks.json": linked(
        "bricks", "AzureDatabricks", domain="https://adb-1", existingClusterId="0101", accessToken=secret("token")
    ),
    "linkedService/blob.json": linked(
        "blob", "AzureBlobStorage", connectionString="AccountName=st;", encryptedCredential="x"
    ),
    "linkedService/lake.json": {
        "name": "lake",
        "properties": {
            "type": "AzureBlobFS",
            "connectVia": ref("near", "IntegrationRuntime"),
            "typeProperties": {"url": "https://st", "credential": ref("identity", "Credential")},
        },
    },
    "linkedService/sql.json": linked("sql", "AzureSqlDatabase", connectionString=secret("connection")),
    "dataset/in put.json": item(
        "in put", type="Json", linkedServiceName=ref("lake", "LinkedService"), typeProperties={"folderPath": "in"}
    ),
    "dataset/out.json": item("out", type="Json", linkedServiceName=ref("Blob", "LinkedService"), typeProperties={}),
    "dataflow/part.json": item("part", type="Flowlet", typeProperties={"sources": [], "sinks": []}),
    "dataflow/flow.json": item(
        "flow",
        type="MappingDataFlow",
        typeProperties={
            "sources": [{"dataset": ref("in put", "Dataset"), "name": "a"}],
            "sinks": [{"linkedService": ref("lake", "LinkedService"), "name": "b"}],
            "transformations": [{"name": "c", "flowlet": ref("part", "DataFlow")}],
        },
    ),
    "pipeline/inner.json": item(
        "inner",
        activities=[
            {
                **activity("copy", "Copy", enableStaging=True, stagingSettings={"linkedServiceName": ref("blob", "LinkedService")}),
                "inputs": [ref("in put", "Dataset")],
                "outputs": [ref("out", "Dataset")],
            },
            activity("query", "Script", query="[dbo].[load]", also="[[twice]"),
            NOTEBOOK,
        ],
    ),
    "pipeline/outer.json": item(
        "outer",
        activities=[
            activity(
                "each",
                "ForEach",
                activities=[
                    activity(
                        "choose",
                        "Switch",
                        cases=[{"value": "a", "activities": [CALL]}],
                        defaultActivities=[activity("df", "ExecuteDataFlow", dataflow=ref("flow", "DataFlow"))],
                    ),
                    JOB,
                ],
            ),
            activity("any", "SynapseNotebook", notebook=ref({"value": "@x", "type": "Expression"}, "Notebook")),
            activity("self", "SetVariable", value=ref("@dataset()", "Dataset")),
        ],
    ),
    "trigger/daily.json": item(
        "daily",
        type="ScheduleTrigger",
        runtimeState="Started",
        pipelines=[{"pipelineReference": ref("outer", "Pipeline"), "parameters": {"day": "@trigger().startTime", "n": 3}}],
        typeProperties={"recurrence": {"frequency": "Day", "interval": 1}},
    ),
    "trigger/hourly.json": item(
        "hourly",
        type="TumblingWindowTrigger",
        pipeline={"pipelineReference": ref("inner", "Pipeline"), "parameters": {"w": "x"}},
        typeProperties={
            "dependsOn": [
                {"type": "TumblingWindowTriggerDependencyReference", "referenceTrigger": ref("first", "Trigger")},
                {"type": "SelfDependencyTumblingWindowTriggerReference", "offset": "-1.00:00:00"},
            ]
        },
    ),
    "trigger/first.json": item(
        "first", type="TumblingWindowTrigger", pipeline={"pipelineReference": ref("inner", "Pipeline")}, typeProperties={}
    ),
    "adfcdc/changes.json": item(
        "changes",
        sourceConnectionsInfo=[{"connection": {"linkedService": ref("sql", "LinkedService"), "type": "linkedservicetype"}}],
        targetConnectionsInfo=[{"connection": {"linkedService": ref("lake", "LinkedService")}}],
        policy={"mode": "Microbatch"},
        status="Stopped",
    ),
}  # fmt: skip

# What each object of EVERY_KIND depends on.
EDGES = {
    "pipelines/inner": {"linkedServices/blob", "linkedServices/bricks", "datasets/in put", "datasets/out"},
    "pipelines/outer": {"pipelines/inner", "dataflows/flow", "linkedServices/bricks"},
    "datasets/in put": {"linkedServices/lake"},
    "datasets/out": {"linkedServices/blob"},
    "linkedServices/blob": set(),
    "linkedServices/bricks": {"linkedServices/vault"},
    "linkedServices/lake": {"integrationRuntimes/near", "credentials/identity"},
    "linkedServices/sql": {"linkedServices/vault"},
    "linkedServices/vault": set(),
    "triggers/daily": {"pipelines/outer"},
    "triggers/hourly": {"pipelines/inner", "triggers/first"},
    "triggers/first": {"pipelines/inner"},
    "integrationRuntimes/near": {"managedVirtualNetworks/default"},
    "integrationRuntimes/own": set(),
    "integrationRuntimes/ssis": {"integrationRuntimes/own", "linkedServices/blob"},
    "dataflows/flow": {"datasets/in put", "linkedServices/lake", "dataflows/part"},
    "dataflows/part": set(),
    "managedVirtualNetworks/default": set(),
    "managedVirtualNetworks/managedPrivateEndpoints/default/kv-x": {"managedVirtualNetworks/default"},
    "credentials/identity": set(),
    "adfcdcs/changes": {"linkedServices/sql", "linkedServices/lake"},
    "globalparameters/default": set(),
}

PARAMETERS = {
    "factoryName": "string",
    "blob_connectionString": "secureString",
    "in put_properties_typeProperties_folderPath": "string",
    "bricks_properties_typeProperties_existingClusterId": "string",
    "lake_properties_typeProperties_url": "string",
    "sql_properties_typeProperties_connectionString_secretName": "string",
    "vault_properties_typeProperties_baseUrl": "string",
    "daily_properties_outer_parameters_day": "string",
    "daily_properties_outer_parameters_n": "int",
    "hourly_properties_pipeline_parameters_w": "string",
    "own_properties_typeProperties_linkedInfo_resourceId": "string",
    "ssis_properties_typeProperties_ssisProperties_catalogInfo_catalogServerEndpoint": "string",
    "ssis_properties_typeProperties_ssisProperties_catalogInfo_catalogAdminUserName": "string",
    "ssis_properties_typeProperties_ssisProperties_catalogInfo_catalogAdminPassword": "secureString",
    "kv-x_properties_privateLinkResourceId": "string",
    "kv-x_properties_groupId": "string",
    "kv-x_properties_fqdns": "array",
    "default_properties_releaseFolder_value": "string",
}


def edges(template: Json) -> dict[str, set[str]]:
    """Who depends on whom, in a template: type and name without what is the same in all."""
    return {_short(one): {_target(text) for text in one["dependsOn"]} for one in template["resources"]}


def _short(resource: Json) -> str:
    name = resource["name"].removeprefix("[concat(parameters('factoryName'), '/").removesuffix("')]").replace("''", "'")
    return f"{resource['type'].removeprefix('Microsoft.DataFactory/factories/')}/{name}"


def _target(text: str) -> str:
    short = text.removeprefix("[concat(variables('factoryId'), '/").removesuffix("')]")
    return short.replace("''", "'")
