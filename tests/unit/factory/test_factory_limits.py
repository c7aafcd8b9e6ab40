"""A template that is too large for one deployment is nested in parts, in order, or refused in words."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.domain.factory.git_folder import read_git_folder
from slipway.domain.factory.limits import Limits, Output, within_limits
from slipway.domain.factory.template import FactoryTemplate, generate
from slipway.errors import ReleaseError
from tests.rehearsal.resource_manager.engine import program
from tests.unit.factory.made import EDGES, EVERY_KIND, activity, edges, item, linked, ref, write


@cache
def every_kind() -> FactoryTemplate:
    with tempfile.TemporaryDirectory() as folder:
        return generate(read_git_folder(write(Path(folder), EVERY_KIND)))


@pytest.fixture
def whole() -> FactoryTemplate:
    return every_kind()


def inner(output: Output) -> list[Any]:
    return [one["properties"]["template"] for one in output.template["resources"]]


def evaluated(output: Output) -> dict[str, Any]:
    """Every object as a deployment would send it: by type and name, properties."""
    found: dict[str, Any] = {}
    outer = program(output.template, dict(output.parameters["parameters"]))
    if not output.parts:
        return {f"{one.type}:{one.name}": one.body()["properties"] for one in outer.resources}
    for part in outer.resources:
        body = part.body()["properties"]
        found |= {
            f"{one.type}:{one.name}": one.body()["properties"]
            for one in program(body["template"], body["parameters"]).resources
        }
    return found


def test_a_template_within_the_limits_is_flat(whole: FactoryTemplate) -> None:
    output = within_limits(whole)
    assert (output.parts, output.packed) == (0, False)
    assert output.template == whole.to_template()


def test_too_many_resources_are_nested_in_order_and_lose_no_edge(whole: FactoryTemplate) -> None:
    output = within_limits(whole, Limits(resources=4))
    assert output.parts == len(inner(output)) == 6
    seen: set[str] = set()
    for template in inner(output):
        assert len(template["resources"]) <= 4
        here = edges(template)
        for name, needed in here.items():
            assert needed == EDGES[name] & here.keys()
            assert EDGES[name] - needed <= seen, name
        seen |= here.keys()
    chain = [one["dependsOn"] for one in output.template["resources"]]
    assert chain[0] == []
    assert all("part-" in one[0] and len(one) == 1 for one in chain[1:])
    assert evaluated(output) == evaluated(within_limits(whole))


def test_each_part_has_only_the_parameters_that_it_uses(whole: FactoryTemplate) -> None:
    output = within_limits(whole, Limits(resources=4))
    names = [set(template["parameters"]) for template in inner(output)]
    assert set.union(*names) == set(whole.parameters)
    assert sum(map(len, names)) == len(whole.parameters) + output.parts - 1  # factoryName is in each
    assert not any("defaultValue" in one for template in inner(output) for one in template["parameters"].values())


def test_too_many_parameters_become_members_of_two(whole: FactoryTemplate) -> None:
    output = within_limits(whole, Limits(parameters=8))
    assert output.packed
    assert set(output.template["parameters"]) == {"factoryName", "values", "secrets"}
    assert output.template["parameters"]["secrets"] == {"type": "secureObject"}
    assert all(len(template["parameters"]) <= 8 for template in inner(output))
    secrets = output.parameters["parameters"]["secrets"]["value"]
    assert set(secrets) == {name for name, one in whole.parameters.items() if one.secure}
    assert evaluated(output) == evaluated(within_limits(whole))


def test_the_factory_is_in_the_first_part(tmp_path: Path) -> None:
    files = {**EVERY_KIND, "publish_config.json": {"includeFactoryTemplate": True, "includeGlobalParamsTemplate": True}}
    whole = generate(read_git_folder(write(tmp_path, files)))
    first, *others = inner(within_limits(whole, Limits(resources=3)))
    assert first["resources"][0]["type"] == "Microsoft.DataFactory/factories"
    assert all(one["dependsOn"][:1] == ["[variables('factoryId')]"] for one in first["resources"][1:])
    assert "[variables('factoryId')]" not in {
        text for other in others for one in other["resources"] for text in one["dependsOn"]
    }


def test_too_large_a_template_is_refused_with_its_largest_objects(whole: FactoryTemplate) -> None:
    with pytest.raises(ReleaseError, match="a deployment takes 0 MB") as error:
        within_limits(whole, Limits(template=6000))
    assert len(error.value.findings) == 5
    assert error.value.findings[0].file in ("pipelines/outer", "pipelines/inner")


def test_too_large_an_object_is_refused(tmp_path: Path) -> None:
    query = activity("q", "Script", query="x" * 1024 * 1024)
    files = {"pipeline/big.json": item("big", activities=[query]), "pipeline/p.json": item("p", activities=[])}
    with pytest.raises(ReleaseError) as error:
        within_limits(generate(read_git_folder(write(tmp_path, files))))
    assert [str(one) for one in error.value.findings] == [
        "pipelines/big: has 1.00 MB in the template; a resource may have 1.00 MB"
    ]


def test_an_object_with_too_many_parameters_is_refused(tmp_path: Path) -> None:
    values = {f"p{number}": "x" for number in range(256)}
    reference = {"pipelineReference": ref("p", "Pipeline"), "parameters": values}
    files = {
        "trigger/t.json": item("t", type="ScheduleTrigger", pipelines=[reference]),
        "pipeline/p.json": item("p", activities=[]),
    }
    with pytest.raises(ReleaseError, match="has 256 parameters"):
        within_limits(generate(read_git_folder(write(tmp_path, files))))


def test_the_services_own_limits(tmp_path: Path) -> None:
    """801 resources, 300 parameters: parts of at most 800 and 256."""
    vaults = {f"linkedService/v{n}.json": linked(f"v{n}", "AzureKeyVault", baseUrl=f"https://v{n}") for n in range(300)}
    pipelines = {f"pipeline/p{n}.json": item(f"p{n}", activities=[]) for n in range(501)}
    output = within_limits(generate(read_git_folder(write(tmp_path, {**vaults, **pipelines})), factory_name="adf-x"))
    assert output.packed
    assert [len(one["resources"]) for one in inner(output)] == [756, 45]
    assert [len(one["parameters"]) for one in inner(output)] == [256, 46]
    assert (
        evaluated(output)["Microsoft.DataFactory/factories/linkedServices:adf-x/v299"]["typeProperties"]["baseUrl"]
        == "https://v299"
    )


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(7, 30), st.integers(4000, 60_000))
def test_whatever_the_limits_are_the_objects_are_the_same(resources: int, parameters: int, part: int) -> None:
    output = within_limits(every_kind(), Limits(resources=resources, parameters=parameters, resource=part))
    assert evaluated(output) == evaluated(within_limits(every_kind()))
