"""Made factories: pipelines, data flows, datasets and linked services that refer to each other in every way."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hypothesis import strategies as st

from slipway.domain.factory.objects import FactoryObject, Kind

MANIFEST = "1a2b3c4d" + "0" * 56
FOLDER = "/Workspace/Slipway/bikeshare/test/green"
READ = "@concat(pipeline().globalParameters.releaseFolder, '/notebooks/score')"
TYPES = {
    Kind.PIPELINES: "PipelineReference",
    Kind.DATAFLOWS: "DataFlowReference",
    Kind.DATASETS: "DatasetReference",
    Kind.LINKED_SERVICES: "LinkedServiceReference",
}


def reference(kind: Kind, name: str) -> dict[str, Any]:
    return {"referenceName": name, "type": TYPES[kind]}


def pipeline(name: str, *uses: dict[str, Any], notebook: str | None = None, **more: Any) -> FactoryObject:
    activities: list[dict[str, Any]] = []
    for number, used in enumerate(uses):
        inner = {"name": f"use {number}", "type": "Any", "dependsOn": [], "typeProperties": {"deep": [{"it": used}]}}
        activities.append(
            inner
            if number % 2
            else {"name": f"if {number}", "type": "IfCondition", "typeProperties": {"ifTrueActivities": [inner]}}
        )
    if notebook is not None:
        activities.append(
            {
                "name": "run",
                "type": "DatabricksNotebook",
                "typeProperties": {"notebookPath": {"value": notebook, "type": "Expression"}},
                "linkedServiceName": reference(Kind.LINKED_SERVICES, "ls"),
            }
        )
    return FactoryObject(Kind.PIPELINES, name, {"activities": activities, **more}, f"pipeline/{name}.json")


def dataset(name: str, linked: str = "ls", **more: Any) -> FactoryObject:
    properties = {"type": "Binary", "linkedServiceName": reference(Kind.LINKED_SERVICES, linked), **more}
    return FactoryObject(Kind.DATASETS, name, properties, f"dataset/{name}.json")


def dataflow(name: str, *uses: dict[str, Any], **more: Any) -> FactoryObject:
    sources = [{"name": f"s{number}", "dataset": used} for number, used in enumerate(uses)]
    properties = {"type": "MappingDataFlow", "typeProperties": {"sources": sources, "scriptLines": ["x"]}, **more}
    return FactoryObject(Kind.DATAFLOWS, name, properties, f"dataflow/{name}.json")


def linked_service(name: str = "ls", **more: Any) -> FactoryObject:
    return FactoryObject(Kind.LINKED_SERVICES, name, {"type": "AzureDatabricks", **more}, f"linkedService/{name}.json")


def trigger(name: str, starts: str) -> FactoryObject:
    properties = {
        "type": "ScheduleTrigger",
        "runtimeState": "Started",
        "pipelines": [{"pipelineReference": reference(Kind.PIPELINES, starts), "parameters": {}}],
    }
    return FactoryObject(Kind.TRIGGERS, name, properties, f"trigger/{name}.json")


def live(items: Iterable[FactoryObject]) -> list[FactoryObject]:
    return [FactoryObject(item.kind, item.name, copy.deepcopy(dict(item.properties)), "live") for item in items]


def altered(item: FactoryObject) -> FactoryObject:
    return FactoryObject(item.kind, item.name, {**item.properties, "description": "as it was"}, "live")


# The same name may be used for objects of several kinds; some names are nearly too long, or odd.
NAMES = ["a", "Day", "it's", "ééé", "with space", "x" * 130, "y" * 239, "a-b", "__candidate_12345678x", "n9"]
_CASES: list[Callable[[str], str]] = [str, str.upper, str.lower]
_READS = st.sampled_from(
    [None, READ, "@{pipeline().globalParameters.releaseFolder}/x", "/Shared/x", "@pipeline().globalParameters.limit"]
)


@st.composite
def factories(draw: st.DrawFn) -> list[FactoryObject]:
    """A factory's objects; each refers only to objects before it, so that there is no ring."""
    items: list[FactoryObject] = [linked_service("ls"), linked_service("other")]
    kinds = st.sampled_from([Kind.DATASETS, Kind.DATAFLOWS, Kind.PIPELINES, Kind.PIPELINES])
    for kind, name in draw(st.lists(st.tuples(kinds, st.sampled_from(NAMES)), max_size=9, unique=True)):
        allowed = {Kind.DATAFLOWS: (Kind.DATASETS, Kind.DATAFLOWS), Kind.PIPELINES: tuple(TYPES)}.get(kind, ())
        before = [item for item in items if item.kind in allowed]
        chosen = draw(st.lists(st.sampled_from(before), max_size=3)) if before else []
        uses = [reference(item.kind, draw(st.sampled_from(_CASES))(item.name)) for item in chosen]
        if kind is Kind.DATASETS:
            items.append(dataset(name, draw(st.sampled_from(["ls", "LS", "other"]))))
        elif kind is Kind.DATAFLOWS:
            items.append(dataflow(name, *uses))
        else:
            items.append(pipeline(name, *uses, notebook=draw(_READS), folder={"name": "f"}))
    return items


@st.composite
def lives(draw: st.DrawFn, wanted: list[FactoryObject]) -> list[FactoryObject]:
    """What a factory may hold that is to get `wanted`: a part, whole with all that it needs, some of it different."""
    cut = draw(st.integers(0, len(wanted)))
    there = [altered(item) if draw(st.booleans()) and draw(st.booleans()) else item for item in wanted[:cut]]
    stranger = pipeline("stranger", *(reference(item.kind, item.name) for item in wanted[:cut]))
    return live([*there, stranger])


def by_key(items: Iterable[FactoryObject]) -> dict[Any, Mapping[str, Any]]:
    return {item.key: item.properties for item in items}
