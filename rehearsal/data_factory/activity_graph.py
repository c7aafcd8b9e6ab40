"""What must hold of a pipeline's activities before it can be kept: names, dependencies, no ring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

Json = Any
_INNER = ("activities", "ifTrueActivities", "ifFalseActivities", "defaultActivities")


def mistake(activities: Sequence[Json]) -> str | None:
    """What is wrong with a list of activities, or with one inside it; None when nothing is. Texts unverified."""
    graph: dict[str, list[str]] = {}
    for activity in activities:
        if not isinstance(activity, Mapping):
            return None
        name = str(activity.get("name") or "").lower()
        if not name or not activity.get("type"):
            return "Every activity needs a name and a type."
        if name in graph:
            return f"The activity name '{activity['name']}' is used more than once."
        graph[name] = [str(one.get("activity")).lower() for one in activity.get("dependsOn") or []]
    for activity in activities:
        unknown = [one for one in graph[str(activity["name"]).lower()] if one not in graph]
        if unknown:
            return f"The activity '{activity['name']}' depends on '{unknown[0]}', which is not there."
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as ring:
        return f"The activities depend on each other in a ring: {' -> '.join(ring.args[1])}."
    return next((wrong for activity in activities for wrong in (*_shape(activity), *_inside(activity))), None)


def _shape(activity: Mapping[str, Json]) -> Iterator[str]:
    """What has another shape than the vendor's models have."""
    given = activity.get("typeProperties") or {}
    parts = [
        *((activity, name, Mapping) for name in ("typeProperties", "policy", "linkedServiceName")),
        *((given, name, list) for name in (*_INNER, "cases")),
        *((given, name, Mapping) for name in ("pipeline", "parameters") if activity["type"] == "ExecutePipeline"),
    ]
    for part, name, kind in parts:
        value = part.get(name) if isinstance(part, Mapping) else None
        if value is not None and not isinstance(value, kind):
            yield f"'{name}' of the activity '{activity['name']}' has the wrong shape."


def _inside(activity: Mapping[str, Json]) -> list[str]:
    given = activity.get("typeProperties")
    if not isinstance(given, Mapping):
        return []
    lists = [given.get(name) for name in _INNER]
    cases = given.get("cases")
    lists += [case.get("activities") for case in cases if isinstance(case, Mapping)] if isinstance(cases, list) else []
    found = [mistake(one) for one in lists if isinstance(one, list)]
    return [wrong for wrong in found if wrong]
