"""All functions by name, without regard to case."""

from __future__ import annotations

from rehearsal.resource_manager.template.functions import (
    arrays,
    dates,
    deployment,
    lambdas,
    logical,
    networks,
    numbers,
    objects,
    resources,
    strings,
    uris,
)
from rehearsal.resource_manager.template.functions.function import Function

_THEMES = (arrays, dates, deployment, lambdas, logical, networks, numbers, objects, resources, strings, uris)
_BY_NAME = {function.name.lower(): function for theme in _THEMES for function in theme.FUNCTIONS}


def find(name: str) -> Function | None:
    """The function, or None. Any name that begins with "list" is an action of a resource, such as listKeys."""
    found = _BY_NAME.get(name.lower())
    if found is None and name.lower().startswith("list") and len(name) > 4:
        return resources.list_action(name)
    return found
