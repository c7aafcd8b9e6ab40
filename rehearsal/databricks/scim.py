"""SCIM as a workspace speaks it: errors, filters, and what the operations of a PATCH mean (RFC 7644)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rehearsal.databricks.errors import ApiError, not_simulated

SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "eq": lambda value, wanted: value == wanted,
    "ne": lambda value, wanted: value != wanted,
    "co": lambda value, wanted: wanted in value,
    "sw": lambda value, wanted: value.startswith(wanted),
    "ew": lambda value, wanted: value.endswith(wanted),
}
CONDITION = re.compile(r'\s*(\w+)\s+(eq|ne|co|sw|ew)\s+"?([^"]*)"?\s*', re.IGNORECASE)
PATH = re.compile(r'(\w+)(?:\[\s*value\s+eq\s+"([^"]*)"\s*\])?', re.IGNORECASE)
LISTS = ("members", "entitlements")


class ScimError(ApiError):
    """An error in SCIM's own shape."""

    def __init__(self, status: int, detail: str, kind: str = "") -> None:
        super().__init__(status, "SCIM", detail)
        self.kind = kind

    def body(self) -> dict[str, Any]:
        body = {"schemas": [ERROR], "detail": self.message, "status": str(self.status)}
        return body | ({"scimType": self.kind} if self.kind else {})


def wrong(detail: str) -> ScimError:
    return ScimError(400, detail, "invalidValue")


def matching(resources: list[dict[str, Any]], condition: str) -> list[dict[str, Any]]:
    """Those that a filter lets through: one comparison of one attribute, without regard to case."""
    if not condition:
        return resources
    found = CONDITION.fullmatch(condition)
    if not found:
        raise not_simulated(f"SCIM filter {condition}; only one comparison of one attribute with eq, ne, co, sw or ew")
    compare, wanted = COMPARISONS[found[2].lower()], found[3].lower()
    return [each for each in resources if compare(str(_attribute(each, found[1])).lower(), wanted)]


def _attribute(resource: dict[str, Any], name: str) -> Any:
    return next((value for key, value in resource.items() if key.lower() == name.lower()), "")


def attributes(resource: dict[str, Any], wanted: str, left_out: str) -> dict[str, Any]:
    """A resource with the attributes that a request asked for; the id is always there."""
    asked = {name.strip().split(".")[0].lower() for name in wanted.split(",") if name.strip()}
    without = {name.strip().lower() for name in left_out.split(",") if name.strip()} - {"id"}
    shown = {key: value for key, value in resource.items() if key.lower() not in without}
    if asked:
        shown = {key: value for key, value in shown.items() if key.lower() in asked or key in ("id", "schemas")}
    return shown


def patched(before: dict[str, Any], operations: object) -> dict[str, Any]:
    """What a resource's changeable attributes (`members` and `entitlements` as lists of values) are after a PATCH."""
    if not isinstance(operations, list) or not operations:
        raise wrong("Operations must be a list")
    after = {name: list(value) if isinstance(value, list) else value for name, value in before.items()}
    for operation in operations:
        if not isinstance(operation, dict):
            raise wrong("An operation must be an object")
        verb, path, value = str(operation.get("op", "")).lower(), operation.get("path"), operation.get("value")
        if path is None or path == "":
            if not isinstance(value, dict):
                raise wrong("An operation without a path needs an object as its value")
            for name, each in value.items():
                _apply(after, verb, name, "", each)
            continue
        found = PATH.fullmatch(str(path))
        if not found:
            raise not_simulated(f"SCIM path {path}")
        _apply(after, verb, found[1], found[2] or "", value)
    return after


def _apply(after: dict[str, Any], verb: str, name: str, chosen: str, value: Any) -> None:
    name = next((key for key in after if key.lower() == name.lower()), name)
    if name in ("schemas", "id"):
        return
    if name not in after:
        raise not_simulated(f"SCIM attribute {name} in a PATCH")
    if verb not in ("add", "remove", "replace"):
        raise ScimError(400, f"Unknown operation: {verb}", "invalidSyntax")
    if name not in LISTS:
        if verb == "remove":
            raise wrong(f"{name} can not be removed")
        after[name] = value
        return
    values = [chosen] if chosen else values_of(value)
    if verb == "add":
        after[name] = [*after[name], *(each for each in values if each not in after[name])]
    elif verb == "replace":
        after[name] = values
    else:
        after[name] = [each for each in after[name] if (chosen or value is not None) and each not in values]


def values_of(raw: object) -> list[str]:
    """The values of a list such as `[{"value": "1"}]`."""
    if raw is None:
        return []
    found = raw if isinstance(raw, list) else [raw]
    values = [each.get("value") if isinstance(each, dict) else None for each in found]
    if any(value in (None, "") for value in values):
        raise wrong("Expected a list of objects with a value")
    return list(dict.fromkeys(str(value) for value in values))
