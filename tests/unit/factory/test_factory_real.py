"""Real factories, where they are at hand, with both sides, Git folder and Studio's export: the generated template has the
export's resources, dependency edges and parameter names. The made factories of the other tests here always run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slipway.domain.factory.default_definition import DEFAULT_DEFINITION
from slipway.domain.factory.git_folder import read_git_folder
from slipway.domain.factory.limits import within_limits
from slipway.domain.factory.template import generate

REPOSITORY = Path(__file__).resolve().parents[3]
FOLDER = REPOSITORY.parent / "shared" / "data" / "factories"
INDEX = FOLDER / "index.json"
CASES = {one["case"]: one for one in json.loads(INDEX.read_text(encoding="utf-8"))} if INDEX.is_file() else {}

# What Studio fills in when it publishes; no deployment needs it.
COSMETIC = {
    "annotations", "authentication", "datasetParameters", "dependsOn", "headers", "parameters", "policy", "staging",
    "typeProperties", "userProperties",
}  # fmt: skip


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8-sig"))


def both(case: str) -> tuple[Any, Any]:
    """The generated template, and the export's."""
    name = Path(CASES[case]["export_path"]).name
    whole = generate(read_git_folder(FOLDER / case / "git"), factory_name=name)
    return within_limits(whole).template, load(FOLDER / case / "export" / "ARMTemplateForFactory.json")


def parts(template: Any) -> dict[str, set[Any]]:
    resources = template["resources"]
    return {
        "resources": {(one["type"], one["name"]) for one in resources},
        "edges": {(one["type"], one["name"], needed) for one in resources for needed in one["dependsOn"]},
        "parameters": set(template["parameters"]),
        "types": {(name, one["type"].lower()) for name, one in template["parameters"].items()},
    }


@pytest.mark.skipif(not CASES, reason="no real factories here")
@pytest.mark.parametrize("case", sorted(CASES))
def test_resources_edges_and_parameters_are_those_of_the_export(case: str) -> None:
    generated, exported = both(case)
    assert parts(generated) == parts(exported)


@pytest.mark.skipif(not CASES, reason="no real factories here")
@pytest.mark.parametrize("case", sorted(CASES))
def test_bodies_differ_only_in_what_studio_fills_in(case: str) -> None:
    generated, exported = both(case)
    ours = {(one["type"], one["name"]): one["properties"] for one in generated["resources"]}
    found = [
        difference
        for one in exported["resources"]
        for difference in differences(ours[one["type"], one["name"]], one["properties"], one["name"])
    ]
    assert [text for text in found if not text.endswith(".retryIntervalInSeconds: 5 is 30")] == []  # old exports


def differences(ours: Any, theirs: Any, place: str) -> list[str]:
    if isinstance(theirs, dict) and theirs.get("type") == "Expression" and theirs.get("value") == ours:
        return []
    if isinstance(ours, dict) and isinstance(theirs, dict):
        gone = [f"{place}.{key} is not there" for key in ours.keys() - theirs.keys()]
        more = [f"{place}.{key} is new" for key in theirs.keys() - ours.keys() - COSMETIC]
        both = sorted(ours.keys() & theirs.keys())
        return gone + more + [text for key in both for text in differences(ours[key], theirs[key], f"{place}.{key}")]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [text for number, (one, other) in pairs for text in differences(one, other, f"{place}[{number}]")]
    return [] if ours == theirs else [f"{place}: {ours!r} is {theirs!r}"]


@pytest.mark.skipif(not CASES, reason="no real factories here")
def test_the_default_definition_is_studios() -> None:
    assert load(FOLDER / "default-definition.json") == DEFAULT_DEFINITION
