"""The generated template of made factories: resources, dependencies, parameters and escaping are Studio's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.factory.git_folder import read_git_folder
from slipway.domain.factory.parameterisation import ParameterReference
from slipway.domain.factory.template import FactoryTemplate, file_value, generate, rendered, to_bytes
from slipway.errors import ReleaseError
from tests.rehearsal.resource_manager.engine import program
from tests.unit.factory.made import (
    EDGES,
    EVERY_KIND,
    JOB,
    NOTEBOOK,
    PARAMETERS,
    activity,
    edges,
    item,
    linked,
    ref,
    write,
)


def made(root: Path, files: dict[str, Any], **options: Any) -> FactoryTemplate:
    return generate(read_git_folder(write(root, files)), **options)


def test_every_kind_of_object_is_there_with_its_dependencies_and_nothing_else(tmp_path: Path) -> None:
    assert edges(made(tmp_path, EVERY_KIND).to_template()) == EDGES


def test_parameters_are_those_of_studio(tmp_path: Path) -> None:
    template = made(tmp_path, EVERY_KIND).to_template()
    assert {name: one["type"] for name, one in template["parameters"].items()} == PARAMETERS


def test_the_order_of_parameters_is_that_of_studio(tmp_path: Path) -> None:
    names = list(made(tmp_path, EVERY_KIND).parameters)
    assert names[:2] == ["factoryName", "blob_connectionString"]
    assert names[-1] == "default_properties_releaseFolder_value"


def test_the_same_folder_gives_the_same_bytes_in_whatever_order_it_was_written(tmp_path: Path) -> None:
    one = made(tmp_path / "a", EVERY_KIND)
    other = made(tmp_path / "b", dict(reversed(list(EVERY_KIND.items()))))
    assert to_bytes(one.to_template()) == to_bytes(other.to_template())
    assert to_bytes(one.to_parameters()) == to_bytes(other.to_parameters())


def test_the_template_evaluates_to_the_objects_of_the_folder(tmp_path: Path) -> None:
    """As Resource Manager reads it: what a deployment sends to the factory is what Git has."""
    files = {name: data for name, data in EVERY_KIND.items() if "ssis" not in name and "blob" not in name}
    del files["dataset/out.json"]
    files["pipeline/inner.json"] = item(
        "inner", activities=[activity("q", "Script", query="[a].[b]", t="[[x]"), NOTEBOOK]
    )
    template = made(tmp_path, files)
    values = {name: {"value": file_value(one)} for name, one in template.parameters.items()}
    found = {
        one.name.partition("/")[2]: one.body()["properties"]
        for one in program(template.to_template(), values).resources
    }
    for name, data in files.items():
        if name.startswith(
            ("pipeline/", "trigger/", "dataset/", "linkedService/", "dataflow/", "adfcdc/", "credential/")
        ):
            assert found[data["name"]] == data["properties"], name
    assert (
        found["default/kv-x"] == files["managedVirtualNetwork/default/managedPrivateEndpoint/kv-x.json"]["properties"]
    )


def test_names_with_spaces_quotes_and_other_scripts(tmp_path: Path) -> None:
    files = {
        "linkedService/it's ü 数据.json": linked("it's ü 数据", "AzureKeyVault", baseUrl="https://kv"),
        "dataset/d's.json": item("d's", type="Json", linkedServiceName=ref("IT'S Ü 数据", "LinkedService")),
    }
    template = made(tmp_path, files, factory_name="adf-x")
    document = template.to_template()
    assert edges(document)["datasets/d's"] == {"linkedServices/it's ü 数据"}
    bodies = {one.name: one.body() for one in program(document).resources}
    assert bodies["adf-x/it's ü 数据"]["properties"]["typeProperties"]["baseUrl"] == "https://kv"
    assert "数据" in to_bytes(document).decode()


def test_with_the_factory_in_it_everything_depends_on_the_factory(tmp_path: Path) -> None:
    files = dict(EVERY_KIND)
    files["publish_config.json"] = {"includeFactoryTemplate": True}
    files["factory/adf-made.json"] = {
        **files["factory/adf-made.json"],
        "identity": {
            "type": "SystemAssigned,UserAssigned", "principalId": "p",
            "userAssignedIdentities": {"/id": {"clientId": "c", "principalId": "p"}},
        },
    }  # fmt: skip
    template = made(tmp_path, files).to_template()
    factory = next(one for one in template["resources"] if one["type"] == "Microsoft.DataFactory/factories")
    assert factory["location"] == "[parameters('dataFactory_location')]"
    assert template["parameters"]["dataFactory_identity_userAssignedIdentities"]["defaultValue"] == {"/id": {}}
    assert "dataFactory_properties_globalParameters_releaseFolder_value" in template["parameters"]
    assert "principalId" not in json.dumps(template)
    others = [one for one in template["resources"] if one is not factory]
    assert all(one["dependsOn"][0] == "[variables('factoryId')]" for one in others)


def test_of_several_factories_one_has_to_be_named(tmp_path: Path) -> None:
    files = {**EVERY_KIND, "factory/other.json": {"name": "other", "location": "x"}}
    with pytest.raises(ReleaseError, match="several factories: adf-made, other"):
        made(tmp_path / "a", files)
    template = made(tmp_path / "b", files, factory_name="ADF-MADE")
    assert template.parameters["factoryName"].default == ("adf-made",)


def test_a_folder_without_its_factory_has_no_default_for_the_name(tmp_path: Path) -> None:
    template = made(tmp_path, {"pipeline/p.json": item("p", activities=[])})
    assert template.parameters["factoryName"].default == ()


def test_two_values_for_one_parameter_are_refused_with_both_places(tmp_path: Path) -> None:
    files = {
        "arm-template-parameters-definition.json": {
            "Microsoft.DataFactory/factories/pipelines": {"properties": {"description": "=:-d"}},
            "Microsoft.DataFactory/factories/triggers": {"properties": {"description": "=:-D"}},
        },
        "pipeline/same.json": item("same", description="one", activities=[]),
        "trigger/same.json": item("same", description="two", type="ScheduleTrigger"),
    }
    with pytest.raises(ReleaseError) as error:
        made(tmp_path, files)
    assert "pipelines/same: properties.description" in str(error.value)
    assert "triggers/same: properties.description" in str(error.value)


def test_an_object_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    value: Any = "x"
    for _ in range(600):
        value = [value]
    with pytest.raises(ReleaseError, match="nested too deeply"):
        made(tmp_path, {"pipeline/deep.json": item("deep", activities=value)})


def test_databricks_parameters_only_when_they_are_wanted(tmp_path: Path) -> None:
    plain = set(made(tmp_path, EVERY_KIND).parameters)
    more = made(tmp_path, EVERY_KIND, parameterise_databricks=True)
    assert set(more.parameters) - plain == {
        "bricks_properties_typeProperties_domain",
        "outer_properties_each_typeProperties_run job_typeProperties_jobId",
    }
    assert plain <= set(more.parameters)
    assert "812" not in json.dumps([one.body for one in more.resources])


def test_a_job_that_an_expression_names_needs_no_parameter(tmp_path: Path) -> None:
    ids = [{"value": "@pipeline().globalParameters.j", "type": "Expression"}, "@pipeline().parameters.j"]
    jobs = [{**JOB, "name": f"j{n}", "typeProperties": {"jobId": one}} for n, one in enumerate(ids)]
    files = {
        "pipeline/p.json": item("p", activities=jobs),
        "linkedService/bricks.json": linked("bricks", "AzureDatabricks"),
    }
    assert set(made(tmp_path, files, parameterise_databricks=True).parameters) == {"factoryName"}


TEXTS = st.text(alphabet=st.sampled_from("[]'ab ü\"\\\n"), max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def _open(value: Any) -> bool:
    """Whether a string in it begins with [ and doesn't end with ]: Studio escapes these, though no service evaluates them."""
    if isinstance(value, dict):
        return any(_open(key) or _open(member) for key, member in value.items())
    if isinstance(value, list):
        return any(map(_open, value))
    return isinstance(value, str) and value.startswith("[") and not value.endswith("]")


@given(JSON.filter(lambda value: not _open(value)), TEXTS.filter(bool))
def test_whatever_stands_in_an_object_is_the_same_after_evaluation(value: Any, name: str) -> None:
    document = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {name: {"type": "string", "defaultValue": "from the parameter"}},
        "resources": [
            {
                "name": "n", "type": "A.B/c", "apiVersion": "2024-01-01",
                "properties": {"v": rendered([value, ParameterReference(name)])},
            }
        ],
    }  # fmt: skip
    assert program(document).resources[0].body()["properties"]["v"] == [value, "from the parameter"]
