"""Literal notebook paths in pipelines: mapped to a slot, or named as what blue/green does not reach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from slipway.domain.factory.objects import FactoryObject, Kind

RELEASE_FOLDER = "releaseFolder"
"""The global parameter through which a pipeline of a blue/green factory finds its notebooks."""
_NOTEBOOKS = {"databricksnotebook": "notebookPath", "databrickssparkpython": "pythonFile"}


def map_notebooks(
    objects: Sequence[FactoryObject], paths: Mapping[str, str], slot: str
) -> tuple[list[FactoryObject], list[str], list[str]]:
    """The objects with literal notebook paths under a key of `paths` led elsewhere: to the folder that the value names,
    or, where it says "slot", to `slot`'s notebooks. The longest key that is a folder of the path counts.

    Returns also a line for each path that was mapped, and one for each that stays as it is (not blue/green).
    """
    result, mapped, left = [], [], []
    for item in objects:
        if item.kind is not Kind.PIPELINES:
            result.append(item)
            continue

        def change(activity: str, path: str, item: FactoryObject = item) -> str:
            found = _mapped(path, paths, slot)
            where = f"pipeline {item.name}, activity {activity}: {path}"
            if found is None:
                left.append(where)
                return path
            mapped.append(f"{where} -> {found}")
            return found

        result.append(replace(item, properties=_walk(item.properties, change)))
    return result, mapped, left


def _mapped(path: str, paths: Mapping[str, str], slot: str) -> str | None:
    for prefix in sorted(paths, key=len, reverse=True):
        folder = prefix.rstrip("/")
        if path.lower() != folder.lower() and not path.lower().startswith(folder.lower() + "/"):
            continue
        rest = path[len(folder) :]
        if paths[prefix] != "slot":
            return paths[prefix].rstrip("/") + rest
        return slot + (
            rest
            if rest.startswith("/notebooks/") or (folder.endswith("/notebooks") and not rest)
            else "/notebooks" + rest
        )
    return None


def _walk(value: Any, change: Any) -> Any:
    if isinstance(value, list):
        return [_walk(item, change) for item in value]
    if not isinstance(value, Mapping):
        return value
    copy = {key: _walk(item, change) for key, item in value.items()}
    key = _NOTEBOOKS.get(str(value.get("type", "")).lower())
    settings = copy.get("typeProperties")
    if key is not None and isinstance(settings, dict) and isinstance(settings.get(key), str):
        path = settings[key]
        if path.startswith("/"):
            settings[key] = change(str(value.get("name", "")), path)
        elif not path.startswith("@"):
            change(str(value.get("name", "")), path)
    return copy


def databricks_paths(item: FactoryObject) -> Iterator[str]:
    """The literal paths of a pipeline's Databricks activities."""
    found: list[str] = []

    def note(_activity: str, path: str) -> str:
        found.append(path)
        return path

    _walk(item.properties, note)
    yield from found
