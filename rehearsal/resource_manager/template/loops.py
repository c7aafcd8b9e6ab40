"""Copy loops of properties, variables and outputs (learn.microsoft.com/azure/azure-resource-manager/templates/copy-properties)."""

from __future__ import annotations

from typing import Any

from rehearsal.resource_manager.template.context import Context
from rehearsal.resource_manager.template.errors import ExpressionError
from rehearsal.resource_manager.template.evaluate import resolve
from rehearsal.resource_manager.template.values import is_integer

Json = Any
MOST = 800
"""Items of one loop, and resources of one template."""


def has_copy(value: dict[str, Json]) -> bool:
    """Whether an object has a property loop: `copy` with a list of named loops in it."""
    loops = value.get("copy")
    return (
        isinstance(loops, list)
        and bool(loops)
        and all(isinstance(loop, dict) and "name" in loop and "count" in loop for loop in loops)
    )


def expand_properties(value: dict[str, Json], context: Context) -> dict[str, Json]:
    """The object with its property loops written out. Raises ExpressionError."""
    found = {key: item for key, item in value.items() if key != "copy"}
    expanded: dict[str, Json] = resolve(found, context)
    for loop in value["copy"]:
        expanded[str(loop["name"])] = items(loop, context, name=str(loop["name"]))
    return expanded


def items(loop: dict[str, Json], context: Context, *, name: str) -> list[Json]:
    """The values of one loop; copyIndex(name) is its index, copyIndex() when the name is empty."""
    if "input" not in loop:
        raise ExpressionError(f"The copy loop '{name}' has no input.")
    return [resolve(loop["input"], context.with_loop(name, index)) for index in range(count(loop, context))]


def count(loop: dict[str, Json], context: Context) -> int:
    """How often a loop runs. Raises ExpressionError when that is no number from 0 to 800."""
    number = resolve(loop.get("count"), context)
    if not is_integer(number) or not 0 <= number <= MOST:
        raise ExpressionError(
            f"The copy count must be non-negative integer value and cannot exceed '{MOST}'. The provided value is '{number}'."
        )
    result: int = number
    return result
