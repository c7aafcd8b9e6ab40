"""Whether an export is of the same state as the factory's Git folder: somebody may have forgotten to export again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from slipway.domain.factory.export import Export
from slipway.domain.factory.export_expressions import Evaluator, Unsupported, is_expression, literal
from slipway.domain.factory.objects import FactoryObject, Key
from slipway.domain.factory.secrets import is_masked

# What Studio adds or takes away when it exports, without meaning (measured): secrets become parameters, defaults of
# activities appear, times of publishing.
_COSMETIC = frozenset({"encryptedCredential", "lastPublishTime", "runtimeState", "policy", "folder", "annotations"})


def stale_objects(export: Export, folder: Iterable[FactoryObject], *, factory: str) -> list[str]:
    """The objects that are not the same in the export and in the Git folder, each with what is the matter.

    What became a parameter in the export can't be compared and counts as the same, as does what only the export has
    inside an object (Studio fills in defaults). So an empty list is no proof; a line in it is.
    """
    names = Evaluator({"factoryName": factory})
    exported: dict[Key, Mapping[str, Any]] = {}
    shown: dict[Key, str] = {}
    for resource in export.resources:
        try:
            name = str(names.value(resource.content["name"])).partition("/")[2]
        except Unsupported:
            continue
        item = FactoryObject(resource.kind, name, {})
        exported[item.key], shown[item.key] = resource.content["properties"], str(item)
    lines = []
    known = set()
    for item in folder:
        known.add(item.key)
        if item.key not in exported:
            lines.append(f"{item} is not in the export")
        elif not _same(item.properties, exported[item.key]):
            lines.append(f"{item} differs")
    lines += [f"{shown[key]} is not in the Git folder any more" for key in exported if key not in known]
    return lines


def _same(git: Any, exported: Any) -> bool:
    if isinstance(exported, str) and is_expression(exported):
        return True
    if (
        isinstance(git, str)
        and isinstance(exported, Mapping)
        and exported.get("type") in ("Expression", "SecureString")
    ):
        return _same(git, exported.get("value"))
    if isinstance(git, Mapping) and isinstance(exported, Mapping):
        return all(
            key in _COSMETIC or (key not in exported and _left_out(value)) or _same(value, exported.get(key))
            for key, value in git.items()
        )
    if isinstance(git, list) and isinstance(exported, list):
        return len(git) == len(exported) and all(_same(a, b) for a, b in zip(git, exported, strict=True))
    if isinstance(exported, str):
        return isinstance(git, str) and git == literal(exported)
    return bool(git == exported)


def _left_out(value: Any) -> bool:
    """What an export need not have: nothing, or the stars that Studio shows for a secret (beside a connection string)."""
    return value in (None, {}, []) or is_masked(value)
