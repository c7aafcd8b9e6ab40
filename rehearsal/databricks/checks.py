"""Checks of values in a request, as several services make them."""

from __future__ import annotations

import re
from typing import Any

from rehearsal.databricks.errors import invalid, malformed


def unique(entries: list[Any], field: str, where: str) -> None:
    seen: set[str] = set()
    for entry in entries:
        key = entry.get(field)
        if not isinstance(key, str) or not key:
            raise invalid(f"Missing required field: {where}.{field}")
        if key in seen:
            raise invalid(f"Duplicate {field} in {where}: {key}")
        seen.add(key)


def typed(settings: dict[str, Any], field: str, kind: type) -> None:
    if field in settings and not isinstance(settings[field], kind):
        raise malformed(f"Could not parse request object: {field} must be of type {kind.__name__}")


def number(settings: dict[str, Any], field: str, lowest: int, highest: int) -> None:
    """Check a whole number; one that is written as text is taken and kept as a number (protobuf JSON)."""
    value = settings.get(field, 0)
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value):
        value = settings[field] = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise malformed(f"Could not parse request object: {field} must be a number")
    if not lowest <= value <= highest:
        raise invalid(f"{field} must be between {lowest} and {highest}, was {value}")
