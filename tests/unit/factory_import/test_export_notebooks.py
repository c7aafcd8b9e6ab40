"""Literal notebook paths are led to the slot; everything else in a pipeline stays as it was."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.factory.export_notebooks import databricks_paths, map_notebooks
from slipway.domain.factory.objects import FactoryObject, Kind
from tests.unit.factory_import import made

SLOT = "/Workspace/Slipway/app/test/blue"


def pipeline(*paths: object) -> FactoryObject:
    inner = {
        "name": "each",
        "type": "ForEach",
        "typeProperties": {"activities": [made.notebook(path) for path in paths]},
    }
    return FactoryObject(Kind.PIPELINES, "p", {"activities": [inner]})


@pytest.mark.parametrize(
    ("path", "paths", "expected"),
    [
        ("/devops-deployed/score", {"/devops-deployed": "slot"}, f"{SLOT}/notebooks/score"),
        ("/devops-deployed/a/score", {"/devops-deployed/": "slot"}, f"{SLOT}/notebooks/a/score"),
        ("/devops-deployed/notebooks/score", {"/devops-deployed": "slot"}, f"{SLOT}/notebooks/score"),
        ("/devops-deployed/notebooks/score", {"/devops-deployed/notebooks": "slot"}, f"{SLOT}/notebooks/score"),
        ("/Devops-Deployed/score", {"/devops-deployed": "slot"}, f"{SLOT}/notebooks/score"),
        ("/a/b/score", {"/a": "slot", "/a/b": "/Shared/x"}, "/Shared/x/score"),
        ("/anything", {"/": "/Shared"}, "/Shared/anything"),
        ("/devops-deployed-old/score", {"/devops-deployed": "slot"}, None),
        ("/Users/me/score", {}, None),
    ],
)
def test_paths(path: str, paths: dict[str, str], expected: str | None) -> None:
    (item,), mapped, left = map_notebooks([pipeline(path)], paths, SLOT)
    assert list(databricks_paths(item)) == [expected or path]
    assert (len(mapped), len(left)) == ((1, 0) if expected else (0, 1))
    assert f"pipeline p, activity score: {path}" in (mapped + left)[0]


def test_expressions_and_other_activities_are_left_alone() -> None:
    expression = {
        "value": "@concat(pipeline().globalParameters.releaseFolder, '/notebooks/score')",
        "type": "Expression",
    }
    before = pipeline(expression, "@pipeline().parameters.path")
    assert map_notebooks([before, made.linked_service("/x")], {"/": "slot"}, SLOT) == (
        [before, made.linked_service("/x")],
        [],
        [],
    )


@given(st.lists(st.sampled_from(["/a/x", "/b/y", "dbfs:/z.py", "@item()"]), max_size=4))
def test_the_original_is_not_touched(paths: list[str]) -> None:
    item = pipeline(*paths)
    before = copy.deepcopy(item)
    _, mapped, left = map_notebooks([item], {"/a": "slot"}, SLOT)
    assert item == before
    assert len(mapped) == paths.count("/a/x")
    assert len(left) == len(paths) - len(mapped) - paths.count("@item()")
