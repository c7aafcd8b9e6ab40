"""What must hold of a pipeline before it can be kept: the shape of its parts, names, dependencies, no ring.

Shapes: Pipeline, Activity and the activities' typeProperties of azure-mgmt-datafactory 10.0.0. Texts are unverified.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from rehearsal.json_paths import at
from rehearsal.resource_manager.template.evaluate import Pending

Json = Any
INNER = ("activities", "ifTrueActivities", "ifFalseActivities", "defaultActivities")
_KINDS: Mapping[type, str] = {dict: "an object", list: "an array", str: "a text"}
# Dotted paths into an activity; `[]` is each item of an array, `*` each value of an object.
_ACTIVITY: Mapping[str, type] = {
    "typeProperties": dict,
    "policy": dict,
    "linkedServiceName": dict,
    "linkedServiceName.referenceName": str,
    "linkedServiceName.parameters": dict,
    "state": str,
    "dependsOn": list,
    "dependsOn[]": dict,
    "dependsOn[].activity": str,
    "dependsOn[].dependencyConditions": list,
    "typeProperties.cases": list,
    "typeProperties.cases[]": dict,
    "typeProperties.cases[].activities": list,
    **{f"typeProperties.{name}": list for name in INNER},
}
_BY_TYPE: Mapping[str, Mapping[str, type]] = {
    "executepipeline": {
        "typeProperties.pipeline": dict,
        "typeProperties.pipeline.referenceName": str,
        "typeProperties.parameters": dict,
    },
    "setvariable": {"typeProperties.variableName": str},
    "appendvariable": {"typeProperties.variableName": str},
    "databricksnotebook": {"typeProperties.baseParameters": dict},
    "databricksjob": {"typeProperties.jobParameters": dict},
}
_RETURN: Mapping[str, type] = {
    "typeProperties.value": list,
    "typeProperties.value[]": dict,
    "typeProperties.value[].key": str,
    "typeProperties.value[].value": dict,
}
_NEEDED = ("dependsOn[]", "dependsOn[].activity", "typeProperties.cases[]", "typeProperties.value[]")


def mistake(activities: Sequence[Json]) -> str | None:
    """What is wrong with a list of activities, or with one inside it; None when nothing is."""
    if not isinstance(activities, list):
        return None if isinstance(activities, Pending) else "The activities must be an array."
    graph: dict[str, list[str]] = {}
    for activity in activities:
        wrong = _shape(activity)
        if wrong:
            return wrong
        name = activity["name"].lower()
        if name in graph:
            return f"The activity name '{activity['name']}' is used more than once."
        waits = activity.get("dependsOn")
        graph[name] = [str(one.get("activity")).lower() for one in waits] if isinstance(waits, list) else []
    for activity in activities:
        unknown = [one for one in graph[activity["name"].lower()] if one not in graph]
        if unknown:
            return f"The activity '{activity['name']}' depends on '{unknown[0]}', which is not there."
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as ring:
        return f"The activities depend on each other in a ring: {' -> '.join(ring.args[1])}."
    return next((wrong for activity in activities for wrong in _inside(activity)), None)


def _shape(activity: Json) -> str | None:
    if not isinstance(activity, Mapping):
        return "Every activity must be an object."
    for key in ("name", "type"):
        if not isinstance(activity.get(key), str) or not activity[key]:
            return f"Every activity needs a {key}."
    given = activity.get("typeProperties")
    returns = isinstance(given, Mapping) and given.get("setSystemVariable")
    shapes = {**_ACTIVITY, **_BY_TYPE.get(activity["type"].lower(), {}), **(_RETURN if returns else {})}
    for path, kind in shapes.items():
        for value in at(activity, path.split(".")):
            if isinstance(value, Pending) or (value is None and path not in _NEEDED):
                continue
            if not isinstance(value, kind):
                return f"'{path}' of the activity '{activity['name']}' must be {_KINDS[kind]}."
    return None


def declarations(properties: Mapping[str, Json]) -> str | None:
    """What is wrong with a pipeline's parameters and variables; None when nothing is."""
    for kind in ("parameters", "variables"):
        given = properties.get(kind) or {}
        for name, one in given.items() if isinstance(given, Mapping) else []:
            if not isinstance(one, Mapping | Pending) or (isinstance(one, Mapping) and one.get("type") is None):
                return f"'{name}' of the pipeline's {kind} needs a type."
    return None


def _inside(activity: Mapping[str, Json]) -> Iterator[str]:
    given = activity.get("typeProperties") or {}
    if not isinstance(given, Mapping):
        return
    lists = [given.get(name) for name in INNER]
    cases = given.get("cases")
    lists += [case.get("activities") for case in cases] if isinstance(cases, list) else []
    for one in lists:
        wrong = None if one is None else mistake(one)
        if wrong:
            yield wrong
