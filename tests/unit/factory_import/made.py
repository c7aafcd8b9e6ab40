"""Makes exports as Studio writes them, from a factory's objects, in each of its generations."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.domain.factory.references import references

SCHEMA = "http://schema.management.azure.com/schemas/2015-01-01/deploymentTemplate.json#"
PARAMETERS_SCHEMA = "https://schema.management.azure.com/schemas/2015-01-01/deploymentParameters.json#"
FACTORY_ID = "[concat('Microsoft.DataFactory/factories/', parameters('factoryName'))]"


class Parameter(str):
    """Stands in an object for `[parameters('name')]`, which Studio does not escape."""


def escaped(value: Any) -> Any:
    """Studio's escaping: one more [ before each string that begins with one (of keys: as the generator does)."""
    if isinstance(value, Parameter):
        return f"[parameters('{value}')]"
    if isinstance(value, Mapping):
        return {f"[{key}" if key.startswith("[") else key: escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [escaped(item) for item in value]
    return f"[{value}" if isinstance(value, str) and value.startswith("[") else value


def quoted(text: str) -> str:
    return text.replace("'", "''")


def resource(item: FactoryObject) -> dict[str, Any]:
    needs = {str(found): found for found in references(item)}
    return {
        "name": f"[concat(parameters('factoryName'), '/{quoted(item.name)}')]",
        "type": item.kind.type_name,
        "apiVersion": "2018-06-01",
        "properties": escaped(item.properties),
        "dependsOn": [f"[concat(variables('factoryId'), '/{quoted(name)}')]" for name in needs],
    }


def template(
    objects: Iterable[FactoryObject],
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    factory: str = "adf-dev",
    more: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    name = {"type": "string", "metadata": "Data Factory name", "defaultValue": factory}
    return {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {"factoryName": name, **(parameters or {})},
        "variables": {"factoryId": FACTORY_ID},
        "resources": [*(resource(item) for item in objects), *more],
    }


def parameters_file(values: Mapping[str, Any] | None = None, *, factory: str = "adf-dev") -> dict[str, Any]:
    given = {"factoryName": factory, **(values or {})}
    return {
        "$schema": PARAMETERS_SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {name: {"value": value} for name, value in given.items()},
    }


def files_of(
    content: Mapping[str, Any], values: Mapping[str, Any], *, generation: int = 3, factory: str = "adf-dev"
) -> dict[str, Any]:
    """The members of an export: generation 1 (2020), 2 (with factory/) or 3 (since 2022)."""
    new = generation == 3
    files: dict[str, Any] = {
        "ARMTemplateForFactory.json" if new else "arm_template.json": content,
        "ARMTemplateParametersForFactory.json" if new else "arm_template_parameters.json": values,
        "linkedTemplates/ArmTemplate_0.json": content,
        "linkedTemplates/ArmTemplate_master.json": master(["ArmTemplate_0.json"]),
        "linkedTemplates/ArmTemplateParameters_master.json": values,
    }
    if generation > 1:
        own = {
            "name": "[parameters('factoryName')]",
            "type": "Microsoft.DataFactory/factories",
            "apiVersion": "2018-06-01",
            "properties": {},
            "dependsOn": [],
            "location": "[parameters('dataFactory_location')]",
            "identity": {"type": "SystemAssigned", "principalId": "x", "tenantId": "y"},
        }
        location = {"dataFactory_location": {"type": "string", "defaultValue": "westeurope"}}
        ending = "ARMTemplateForFactory.json" if new else "arm_template.json"
        files[f"factory/{factory}_{ending}"] = template([], location, factory=factory, more=[own])
    return files


def master(chunks: Sequence[str]) -> dict[str, Any]:
    content = template([], {"containerUri": {"type": "string"}, "containerSasToken": {"type": "secureString"}})
    content["resources"] = [
        {
            "name": f"adf-dev_{chunk}",
            "type": "Microsoft.Resources/deployments",
            "apiVersion": "2024-03-01",
            "properties": {
                "mode": "incremental",
                "templateLink": {
                    "uri": f"[concat(parameters('containerUri'), '/{chunk}', parameters('containerSasToken'))]"
                },
            },
        }
        for chunk in chunks
    ]
    return content


def write_zip(path: Path, files: Mapping[str, Any]) -> Path:
    """A ZIP with these files, stored as Studio does; what is no text becomes JSON."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content if isinstance(content, str | bytes) else json.dumps(content, indent=4))
    return path


def write_folder(path: Path, files: Mapping[str, Any]) -> Path:
    for name, content in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, str | bytes) else json.dumps(content, indent=4)
        file.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def reference(kind: str, name: str) -> dict[str, Any]:
    return {"referenceName": name, "type": f"{kind}Reference"}


def pipeline(name: str, *, calls: Sequence[str] = (), datasets: Sequence[str] = (), **more: Any) -> FactoryObject:
    activities: list[dict[str, Any]] = [
        {
            "name": f"call {called}",
            "type": "ExecutePipeline",
            "typeProperties": {"pipeline": reference("Pipeline", called)},
        }
        for called in calls
    ]
    activities += [
        {
            "name": f"look at {used}",
            "type": "GetMetadata",
            "typeProperties": {"dataset": reference("Dataset", used), "fieldList": ["exists"]},
        }
        for used in datasets
    ]
    return FactoryObject(Kind.PIPELINES, name, {"activities": activities, **more})


def notebook(path: Any, name: str = "score") -> dict[str, Any]:
    return {
        "name": name,
        "type": "DatabricksNotebook",
        "linkedServiceName": reference("LinkedService", "ls_adb"),
        "typeProperties": {"notebookPath": path, "baseParameters": {"day": "@pipeline().TriggerTime"}},
    }


def linked_service(name: str, **settings: Any) -> FactoryObject:
    return FactoryObject(
        Kind.LINKED_SERVICES, name, {"annotations": [], "type": "AzureDatabricks", "typeProperties": settings}
    )


def dataset(name: str, service: str) -> FactoryObject:
    return FactoryObject(
        Kind.DATASETS,
        name,
        {
            "linkedServiceName": reference("LinkedService", service),
            "type": "Json",
            "typeProperties": {"location": {"type": "AzureBlobFSLocation", "fileSystem": "data"}},
        },
    )


def trigger(
    name: str, *pipelines: str, state: str = "Started", kind: str = "ScheduleTrigger", **more: Any
) -> FactoryObject:
    settings: dict[str, Any] = {"recurrence": {"frequency": "Day", "interval": 1, "startTime": "2025-01-01T00:00:00Z"}}
    if kind == "BlobEventsTrigger":
        settings = {"scope": "/subscriptions/x/storageAccounts/st", "events": ["Microsoft.Storage.BlobCreated"]}
    return FactoryObject(
        Kind.TRIGGERS,
        name,
        {
            "annotations": [],
            "runtimeState": state,
            "pipelines": [
                {"pipelineReference": reference("Pipeline", called), "parameters": {}} for called in pipelines
            ],
            "type": kind,
            "typeProperties": {**settings, **more},
        },
    )
