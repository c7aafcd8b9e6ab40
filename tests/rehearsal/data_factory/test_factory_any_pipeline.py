"""Pipelines with one part replaced by anything: refused, or run to an end that the service has, never a mistake of ours."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rehearsal.data_factory.factories import Factories, after, notebook, reference, set_variable, wait

GOOD: dict[str, Any] = {
    "activities": [
        wait("w", 1, policy={"timeout": "0.00:01:00", "retry": 1}),
        set_variable("s", "v", "@concat('a', string(pipeline().parameters.n))", after("w", "Succeeded", "Failed")),
        {
            "name": "i",
            "type": "IfCondition",
            "typeProperties": {
                "expression": {"value": "@equals(1, 1)", "type": "Expression"},
                "ifTrueActivities": [
                    {"name": "x", "type": "AppendVariable", "typeProperties": {"variableName": "all", "value": "x"}}
                ],
            },
        },
        {
            "name": "f",
            "type": "ForEach",
            "typeProperties": {
                "items": "@range(0, 2)",
                "isSequential": True,
                "batchCount": 2,
                "activities": [wait("inner")],
            },
        },
        {
            "name": "sw",
            "type": "Switch",
            "typeProperties": {"on": "a", "cases": [{"value": "a", "activities": []}], "defaultActivities": []},
        },
        {
            "name": "k",
            "type": "Filter",
            "typeProperties": {"items": "@createArray(1)", "condition": "@greater(item(), 0)"},
        },
        {
            "name": "c",
            "type": "ExecutePipeline",
            "typeProperties": {
                "pipeline": reference("Pipeline", "called"),
                "waitOnCompletion": True,
                "parameters": {"a": "@variables('v')"},
            },
        },
        {
            "name": "r",
            "type": "SetVariable",
            "typeProperties": {
                "variableName": "pipelineReturnValue",
                "setSystemVariable": True,
                "value": [{"key": "k", "value": {"type": "String", "content": "c"}}],
            },
        },
        notebook("nb", "/Shared/none", parameters={"a": 1}, policy={"retry": 0}),
    ],
    "parameters": {"n": {"type": "Int", "defaultValue": 1}},
    "variables": {"v": {"type": "String"}, "all": {"type": "Array", "defaultValue": []}},
    "concurrency": 3,
}
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 40),
    st.floats(-2, 40),
    st.sampled_from(["", "x", "@item()", "@{1}", "@", "@json('{}')", "0.00:00:09", "@createArray(1, 'a')", "@null"]),
    st.sampled_from(
        [
            [],
            {},
            [1],
            [{}],
            [[]],
            {"a": 1},
            {"type": "Expression", "value": 1},
            {"type": "Expression", "value": "@createArray(1)"},
            [{"name": "n", "type": "Wait"}],
        ]
    ),
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield from paths(inner, (*path, key))


def changed(path: tuple[Any, ...], put: Any) -> dict[str, Any]:
    whole = copy.deepcopy(GOOD)
    place: Any = whole
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = put
    return whole


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.sampled_from(sorted(paths(GOOD), key=str)), ANYTHING)
def test_one_part_replaced(azure: Factories, path: tuple[Any, ...], put: Any) -> None:
    azure.pipeline("called", wait("w"), parameters={"a": {"type": "String", "defaultValue": ""}})
    azure.databricks_service()
    answer = azure.send("PUT", "/pipelines/p", {"properties": changed(path, put)})
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 400:
        return
    made = azure.send("POST", "/pipelines/p/createRun", {})
    assert made.status_code in (200, 400, 501), made.text
    if made.status_code == 200:
        run = azure.ended(made.json()["runId"])
        assert run.status in ("Succeeded", "Failed")
        assert "made a mistake" not in run.message
