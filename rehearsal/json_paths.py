"""Look into JSON along a path of names, as services do when they check the shape of what they are sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def at(value: Any, steps: Sequence[str]) -> Iterator[Any]:
    """The values at a path of names; what is not there is None. A name that ends with `[]` goes through a list's items."""
    if not steps:
        yield value
        return
    name, *rest = steps
    if not isinstance(value, Mapping):
        return
    found = value.get(name.removesuffix("[]"))
    if name.endswith("[]"):
        for item in found if isinstance(found, list) else []:
            yield from at(item, rest)
    else:
        yield from at(found, rest)
