"""The answer of what-if as lines for a person (symbols as the Azure command line shows them)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# https://learn.microsoft.com/azure/azure-resource-manager/templates/deploy-what-if#change-types
SYMBOLS = {
    "Create": "+",
    "Delete": "-",
    "Modify": "~",
    "Deploy": "!",
    "NoChange": "=",
    "Ignore": "*",
    "Unsupported": "x",
}
_UNCHANGED = {"NoChange", "Ignore"}
_PROVIDER = re.compile(r"/providers/", re.I)
_EXTENSION = re.compile(r"\[extensionResourceId\('([^']+)', '([^']+)'")
_PRIVATE = re.compile(r"(password|secret|connectionstring|accountkey|accesskey|sastoken)$", re.I)


@dataclass(frozen=True)
class Change:
    """What would happen to one resource. kind: a key of SYMBOLS. details: `path: before -> after`."""

    kind: str
    resource_id: str
    details: tuple[str, ...] = ()
    reason: str = ""

    @property
    def name(self) -> str:
        """The resource without subscription and group: `storageAccounts/stx`, `vaults/kv-x/roleAssignments/1f…`."""
        expression = _EXTENSION.match(self.resource_id)
        if expression:  # an id that is known only while deploying comes as the expression that makes it
            return f"a {expression[2].rsplit('/', 1)[-1]} on {expression[1].rsplit('/', 1)[-1]}, known only while deploying"
        tail = _PROVIDER.split(self.resource_id)
        if len(tail) < 2:
            return self.resource_id.strip("/")
        return "/".join(part.partition("/")[2] for part in tail[1:])

    @property
    def changes(self) -> bool:
        return self.kind not in _UNCHANGED

    def lines(self) -> list[str]:
        reason = "" if _EXTENSION.match(self.resource_id) else self.reason  # its name says that reason in fewer words
        head = f"{SYMBOLS.get(self.kind, '?')} {self.name}" + (f"  ({reason})" if reason else "")
        return [head, *(f"    {detail}" for detail in self.details)]


def read_changes(result: Mapping[str, Any]) -> list[Change]:
    """The changes of a what-if result (REST shape), those that do something first."""
    properties = result.get("properties") or result
    changes = [_change(item) for item in properties.get("changes") or []]
    return sorted(changes, key=lambda change: (not change.changes, change.name.lower()))


def _change(item: Mapping[str, Any]) -> Change:
    kind = str(item.get("changeType") or "Unsupported")
    details = tuple(_delta(item.get("delta") or [], ""))
    if kind == "Modify" and not details:
        kind = "NoChange"  # only differences that the service itself calls without effect
    return Change(kind, str(item.get("resourceId") or ""), details, str(item.get("unsupportedReason") or ""))


def _delta(delta: Iterable[Mapping[str, Any]], prefix: str) -> Iterable[str]:
    for one in delta:
        step = str(one.get("path", ""))
        path = f"{prefix}[{step}]" if step.isdigit() else f"{prefix}.{step}" if prefix else step
        kind = one.get("propertyChangeType")
        if kind == "NoEffect":
            continue
        children = one.get("children") or []
        if children:
            yield from _delta(children, path)
        elif kind == "Create":
            yield f"+ {path}: {_shown(path, one.get('after'))}"
        elif kind == "Delete":
            yield f"- {path}: {_shown(path, one.get('before'))}"
        else:
            yield f"~ {path}: {_shown(path, one.get('before'))} -> {_shown(path, one.get('after'))}"


def _shown(path: str, value: Any) -> str:
    if _PRIVATE.search(path):
        return "…"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 100 else text[:99] + "…"
