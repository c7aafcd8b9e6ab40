"""The rules that public linters have for templates (Azure/arm-ttk, the Bicep linter), for every template under arm/."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.resource_manager.local_azure import REPOSITORY

FILES = sorted((REPOSITORY / "arm").glob("*.json"))
# When these templates were last looked through; apiVersions are at most five years older, Data Factory's only one apart.
LOOKED_THROUGH = date(2026, 8, 1)
ONLY_VERSION = {"Microsoft.DataFactory/factories": "2018-06-01"}
PLACES = ("westeurope", "northeurope", "eastus", "westus", "germanywestcentral", "global")


def templates(document: dict[str, Any], where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """A template, and those nested in it."""
    yield where, document
    for index, resource in enumerate(document["resources"]):
        inner = resource.get("properties", {}).get("template")
        if inner is not None:
            yield from templates(inner, f"{where}.resources[{index}]")


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)


ALL = [
    pytest.param(document, id=file.name + where)
    for file in FILES
    for where, document in templates(json.loads(file.read_text(encoding="utf-8")))
]


def test_there_are_templates() -> None:
    assert {file.name for file in FILES} >= {"main.json"}


@pytest.mark.parametrize("document", ALL)
class TestTemplate:
    def test_schema_and_version(self, document: dict[str, Any]) -> None:
        assert document["$schema"].startswith("https://schema.management.azure.com/schemas/2019-04-01/")
        assert re.fullmatch(r"\d+\.\d+\.\d+\.\d+", document["contentVersion"])

    def test_every_parameter_and_variable_is_used(self, document: dict[str, Any]) -> None:
        used = " ".join(texts({key: value for key, value in document.items() if key != "parameters"}))
        for name in document.get("parameters", {}):
            assert f"parameters('{name}')" in used, name
        for name in document.get("variables", {}):
            assert name == "copy" or f"variables('{name}')" in used, name

    def test_everything_that_is_named_is_declared(self, document: dict[str, Any]) -> None:
        own = {**document, "resources": [without_template(resource) for resource in document["resources"]]}
        variables = document.get("variables", {})
        known = {*variables, *(loop["name"] for loop in variables.get("copy", []))}
        for text in texts(own):
            assert set(re.findall(r"parameters\('(\w+)'\)", text)) <= set(document.get("parameters", {})), text
            assert set(re.findall(r"variables\('(\w+)'\)", text)) <= known, text

    def test_locations_come_from_a_parameter(self, document: dict[str, Any]) -> None:
        for resource in document["resources"]:
            assert resource.get("location", "[parameters('location')]") == "[parameters('location')]"
        assert document.get("parameters", {}).get("location", {}).get("defaultValue") is None
        written = {text.replace(" ", "").lower() for text in texts(document)}
        assert not written.intersection(PLACES)

    def test_api_versions_are_recent_and_stable(self, document: dict[str, Any]) -> None:
        for resource in document["resources"]:
            version = resource["apiVersion"]
            if resource["type"] in ONLY_VERSION:
                assert version == ONLY_VERSION[resource["type"]]
                continue
            assert re.fullmatch(r"\d{4}-\d\d-\d\d", version), f"{resource['type']}: no preview"
            assert (LOOKED_THROUGH - date.fromisoformat(version)).days < 5 * 365

    def test_no_secret_and_no_address_is_written_down(self, document: dict[str, Any]) -> None:
        for name, parameter in document.get("parameters", {}).items():
            if parameter["type"].lower().startswith("secure"):
                assert not parameter.get("defaultValue"), name
        for text in texts({key: value for key, value in document.items() if not key.startswith("$")}):
            assert "core.windows.net" not in text
            assert "vault.azure.net" not in text
        for text in texts(document.get("outputs", {})):
            assert "list" not in text.lower()

    def test_ids_are_made_by_functions(self, document: dict[str, Any]) -> None:
        for text in texts(document["resources"]):
            assert not text.startswith(("/subscriptions", "[concat('/")), text
            assert not re.search(r"resourceId\([^)]*concat", text), text


def without_template(resource: dict[str, Any]) -> dict[str, Any]:
    properties = {key: value for key, value in resource.get("properties", {}).items() if key != "template"}
    return {**resource, "properties": properties}


def described(path: Path) -> Iterator[tuple[str, Any]]:
    for _where, document in templates(json.loads(path.read_text(encoding="utf-8"))):
        yield from document.get("parameters", {}).items()


def test_parameters_of_the_main_template_are_described() -> None:
    for name, parameter in described(REPOSITORY / "arm" / "main.json"):
        assert parameter.get("metadata", {}).get("description"), name


def test_purge_protection_is_never_false() -> None:
    document = json.loads((REPOSITORY / "arm" / "main.json").read_text(encoding="utf-8"))
    vault = next(one for one in document["resources"] if one["type"] == "Microsoft.KeyVault/vaults")
    assert vault["properties"]["enablePurgeProtection"] == "[if(parameters('production'), true(), null())]"
