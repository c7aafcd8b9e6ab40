"""Reads templates that have others nested in them as text: what generate_factory_template writes beyond the limits.

A nested template's parameters are those of the template around it, by the same names; or members of its two parameters
`values` and `secrets`, where there are too many to be declared one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway.domain.factory.export_parameters import Declaration, declarations
from slipway.domain.factory.template import quoted
from slipway.errors import Finding

NESTED_TYPE = "microsoft.resources/deployments"
HOLDERS = ("values", "secrets")


def nested_template(resource: Any) -> Mapping[str, Any] | None:
    """The template inside a deployment; None where the resource is none, or has a link instead."""
    properties = resource.get("properties") if isinstance(resource, Mapping) else None
    found = properties.get("template") if isinstance(properties, Mapping) else None
    return found if isinstance(found, Mapping) else None


def packed_declarations(
    resource: Mapping[str, Any], around: Mapping[str, Any], file: str, place: str, find: list[Finding]
) -> list[Declaration]:
    """The nested template's parameters that are members of `values` and `secrets` in the template around it, with their
    defaults. Findings: values that are passed another way than under their own names."""
    properties = resource["properties"]
    scope = _mapping(properties.get("expressionEvaluationOptions")).get("scope")
    if str(scope).lower() != "inner":
        text = "has no inner scope (expressionEvaluationOptions), so that its expressions mean something else"
        find.append(Finding(file, place, text))
        return []
    passed = {key.lower(): value for key, value in _mapping(properties.get("parameters")).items()}
    outer = {key.lower(): _mapping(value) for key, value in _mapping(around.get("parameters")).items()}
    result = []
    for item in declarations(properties["template"], file, find):
        value = _mapping(passed.get(item.name.lower())).get("value")
        holder = next((one for one in HOLDERS if value == f"[parameters('{one}')[{quoted(item.name)}]]"), None)
        if holder is not None and holder in outer:
            defaults = _mapping(outer[holder].get("defaultValue"))
            has = item.name in defaults and not item.secure
            result.append(Declaration(item.name, item.type, defaults.get(item.name), has, file))
        elif value != f"[parameters({quoted(item.name)})]" or item.name.lower() not in outer:
            text = f"gives the parameter {item.name} something else than the parameter of that name around it; "
            text += "only generate_factory_template's nested templates can be read: export the factory again"
            find.append(Finding(file, f"{place}.parameters.{item.name}", text))
    return result


def unpacked(values: Mapping[str, Any]) -> dict[str, Any]:
    """A parameters file's values with the members of `values` and `secrets` in their places."""
    result: dict[str, Any] = {}
    for name, value in values.items():
        if name.lower() in HOLDERS and isinstance(value, Mapping):
            result |= value
        else:
            result[name] = value
    return result


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
