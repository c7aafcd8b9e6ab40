"""Two states of a resource compared, as what-if tells it.

Source: learn.microsoft.com/azure/azure-resource-manager/templates/deploy-what-if.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from rehearsal.resource_manager.template.values import same

Json = Any


def without(resource: dict[str, Json], paths: Iterable[str]) -> dict[str, Json]:
    """A copy of a resource without some dotted paths."""
    found = copy.deepcopy(resource)
    for path in paths:
        *parents, last = path.split(".")
        place: Json = found
        for step in parents:
            place = place.get(step) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place.pop(last, None)
    return found


def delta(before: dict[str, Json], after: dict[str, Json]) -> list[dict[str, Json]]:
    """The changes of properties: {path, propertyChangeType, before, after, children}. Empty: the same."""
    return [change for key in _keys(before, after) for change in _compare(key, before, after, key)]


def _keys(before: dict[str, Json], after: dict[str, Json]) -> list[str]:
    return [*after, *(key for key in before if key not in after)]


def _compare(key: str, before: dict[str, Json], after: dict[str, Json], path: str) -> Iterable[dict[str, Json]]:
    # null and absent are the same to a provider.
    old, new = before.get(key), after.get(key)
    if same(old, new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for inner in _keys(old, new):
            yield from _compare(inner, old, new, f"{path}.{inner}")
    elif isinstance(old, list) and isinstance(new, list):
        yield _change(path, "Array", old, new, children=list(_items(old, new)))
    elif old is None:
        yield _change(path, "Create", None, new)
    elif new is None:
        yield _change(path, "Delete", old, None)
    else:
        yield _change(path, "Modify", old, new)


def _items(old: list[Json], new: list[Json]) -> Iterable[dict[str, Json]]:
    """Items that both lists have are paired first, wherever they stand; the rest in order."""
    gone = [(index, item) for index, item in enumerate(old) if not any(same(item, other) for other in new)]
    come = [(index, item) for index, item in enumerate(new) if not any(same(item, other) for other in old)]
    for (index, left), (_other, right) in zip(gone, come, strict=False):
        if isinstance(left, dict) and isinstance(right, dict):
            yield _change(str(index), "Modify", left, right, children=delta(left, right))
        else:
            yield _change(str(index), "Modify", left, right)
    paired = min(len(gone), len(come))
    yield from (_change(str(index), "Delete", item, None) for index, item in gone[paired:])
    yield from (_change(str(index), "Create", None, item) for index, item in come[paired:])


def _change(path: str, kind: str, before: Json, after: Json, children: Json = None) -> dict[str, Json]:
    return {"path": path, "propertyChangeType": kind, "before": before, "after": after, "children": children}
