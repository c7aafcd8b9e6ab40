"""Which resource types a template is certain to deploy, read from its text alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rehearsal.resource_manager.template.errors import Path
from rehearsal.resource_manager.template.syntax import is_expression

Json = Any
_DEPLOYMENT = "microsoft.resources/deployments"


def certain_types(template: Json, path: Path = (), parent: str = "") -> Iterator[tuple[Path, str]]:
    """Place and type of each resource without a condition; children and templates inside included.

    Takes any JSON: what is no template has none. What is behind links, conditions and expressions is not seen.
    """
    resources = template.get("resources") if isinstance(template, dict) else None
    entries: list[tuple[str | int, Json]] = []
    if isinstance(resources, dict):
        entries = list(resources.items())
    elif isinstance(resources, list):
        entries = list(enumerate(resources))
    for key, resource in entries:
        if not isinstance(resource, dict) or "condition" in resource or resource.get("existing") is True:
            continue
        kind, here = resource.get("type"), (*path, "resources", key)
        if not isinstance(kind, str) or is_expression(kind):
            continue
        full = f"{parent}/{kind}" if parent and not kind.lower().startswith(parent.lower() + "/") else kind
        if "/providers/" in full.lower():
            continue  # an extension in the older form, whose namespace is in its name
        if full.lower() == _DEPLOYMENT:
            properties = resource.get("properties")
            inner = properties.get("template") if isinstance(properties, dict) else None
            yield from certain_types(inner, (*here, "properties", "template"))
        else:
            yield here, full
            yield from certain_types(resource, here, full)
