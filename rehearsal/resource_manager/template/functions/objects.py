"""Functions on objects (learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-object)."""

from __future__ import annotations

from typing import Any

from rehearsal.resource_manager.template.functions.arrays import distinct, has
from rehearsal.resource_manager.template.functions.function import array, invalid, obj, plain, text
from rehearsal.resource_manager.template.values import culture_key, member, same

Json = Any


def _create(*values: Json) -> dict[str, Json]:
    if len(values) % 2:
        raise invalid("createObject", "expects an even number of parameters.")
    return {text("createObject", key): value for key, value in zip(values[0::2], values[1::2], strict=True)}


def _intersection(*values: Json) -> Json:
    if isinstance(values[0], list):
        lists = [array("intersection", value) for value in values]
        return distinct([item for item in lists[0] if all(has(other, item) for other in lists[1:])])
    objects = [obj("intersection", value) for value in values]
    return {
        key: value
        for key, value in objects[0].items()
        if all((other := member(one, key)) is not None and same(one[other], value) for one in objects[1:])
    }


def _union(*values: Json) -> Json:
    if isinstance(values[0], list):
        return distinct([item for value in values for item in array("union", value)])
    merged: dict[str, Json] = {}
    for value in values:
        merged = _merge(merged, obj("union", value))
    return merged


def _merge(left: dict[str, Json], right: dict[str, Json]) -> dict[str, Json]:
    """Objects inside are merged, arrays inside are replaced."""
    merged = dict(left)
    for key, value in right.items():
        known = member(merged, key) or key
        before = merged.get(known)
        merged[known] = _merge(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged


def _shallow_merge(values: Json) -> dict[str, Json]:
    merged: dict[str, Json] = {}
    for value in array("shallowMerge", values):
        for key, item in obj("shallowMerge", value).items():
            merged[member(merged, key) or key] = item
    return merged


def _items(value: Json) -> list[Json]:
    found = obj("items", value)
    return [{"key": key, "value": found[key]} for key in sorted(found, key=culture_key)]


FUNCTIONS = (
    plain("createObject", 0, None, _create),
    plain("intersection", 2, None, _intersection),
    plain("items", 1, 1, _items),
    plain("objectKeys", 1, 1, lambda value: sorted(obj("objectKeys", value), key=culture_key)),
    plain("shallowMerge", 1, 1, _shallow_merge),
    plain("union", 1, None, _union),
)
