"""What the report shows of a data factory, read from its resources as Resource Manager has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rehearsal.report.model import Factory, Trigger

TYPE = "microsoft.datafactory/factories"
_COUNTED = ("pipelines", "dataflows", "datasets", "linkedservices")


def is_definition(resource: Mapping[str, Any]) -> bool:
    """Whether a resource is an object of a factory, and no resource of its own for a reader."""
    return str(resource["type"]).lower().startswith(TYPE + "/")


def factory_from(resources: Iterable[Mapping[str, Any]]) -> Factory | None:
    """The factory among an environment's resources; None where there is none, or where it is empty."""
    found = list(resources)
    factory = next((one for one in found if str(one["type"]).lower() == TYPE), None)
    parts = [one for one in found if is_definition(one)]
    if factory is None or not parts:
        return None
    shared = (factory.get("properties") or {}).get("globalParameters") or {}
    return Factory(
        name=factory["name"],
        release_folder=str((shared.get("releaseFolder") or {}).get("value") or ""),
        objects={kind: n for kind in _COUNTED if (n := sum(_kind(one) == kind for one in parts))},
        triggers=[
            Trigger(name=one["name"], runs=(one.get("properties") or {}).get("runtimeState") == "Started")
            for one in parts
            if _kind(one) == "triggers"
        ],
    )


def _kind(resource: Mapping[str, Any]) -> str:
    return str(resource["type"]).lower().removeprefix(TYPE + "/")
