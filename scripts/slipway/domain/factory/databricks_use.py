"""Which pipelines run something in Databricks, themselves or by a pipeline that they call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.domain.factory.references import references

_PREFIX = "databricks"
"""DatabricksNotebook, DatabricksSparkPython, DatabricksSparkJar, DatabricksJob
(https://learn.microsoft.com/azure/data-factory/transform-data-databricks-notebook and its neighbours)."""


def using_databricks(objects: Iterable[FactoryObject]) -> frozenset[str]:
    """The names, in lower case, of those of these pipelines; one that calls a pipeline which is not among them is."""
    pipelines = {item.name.lower(): item for item in objects if item.kind is Kind.PIPELINES}
    calls = {
        name: {target.name.lower() for target in references(item) if target.kind is Kind.PIPELINES}
        for name, item in pipelines.items()
    }
    found = {name for name, item in pipelines.items() if _runs_databricks(item.properties)}
    found |= {name for name, called in calls.items() if not called <= pipelines.keys()}
    while more := {name for name, called in calls.items() if name not in found and called & found}:
        found |= more
    return frozenset(found)


def _runs_databricks(value: Any) -> bool:
    """Activities may stand in others (ForEach, If, Switch, Until)."""
    if isinstance(value, dict):
        kind = value.get("type")
        return (isinstance(kind, str) and kind.lower().startswith(_PREFIX)) or any(
            map(_runs_databricks, value.values())
        )
    return isinstance(value, list) and any(map(_runs_databricks, value))
