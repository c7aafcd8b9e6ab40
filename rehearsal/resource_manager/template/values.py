"""JSON values as the template language sees them: names of types, lookup, equality, order, text."""

from __future__ import annotations

import json
from typing import Any

from rehearsal.resource_manager.template.errors import ExpressionError, UnresolvedError

Json = Any


class Partial(dict[str, Json]):
    """An object of which not everything is known: what it has not is not known yet, where others lack it."""


def partial(value: Json) -> Json:
    """The value with every object in it partial."""
    if isinstance(value, dict):
        return Partial({key: partial(item) for key, item in value.items()})
    return [partial(item) for item in value] if isinstance(value, list) else value


def describe(value: Json) -> str:
    """The type's name as error messages say it (Newtonsoft's JTokenType)."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int):
        return "Integer"
    names: tuple[tuple[type, str], ...] = ((float, "Float"), (str, "String"), (list, "Array"), (dict, "Object"))
    return next(name for kind, name in names if isinstance(value, kind))


def is_integer(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def member(target: dict[str, Json], name: str) -> str | None:
    """The key of an object that is meant by `name`, without regard to case."""
    if name in target:
        return name
    lowered = name.lower()
    return next((key for key in target if key.lower() == lowered), None)


def lookup(target: Json, key: Json, *, safe: bool = False) -> Json:
    """`target.key` or `target[key]`. Raises ExpressionError when it is not there; safe: null instead.

    Raises UnresolvedError for what a partial object lacks.
    """
    if isinstance(target, dict) and isinstance(key, str):
        found = member(target, key)
        if found is not None:
            return target[found]
        if isinstance(target, Partial):
            raise UnresolvedError
        if safe:
            return None
        available = ", ".join(target)
        raise ExpressionError(
            f"The language expression property '{key}' doesn't exist, available properties are '{available}'."
        )
    if isinstance(target, list) and is_integer(key):
        if 0 <= key < len(target):
            return target[key]
        if safe:
            return None
        raise ExpressionError(
            f"The language expression property array index '{key}' is out of bounds. Array size '{len(target)}'."
        )
    if safe and target is None:
        return None
    raise ExpressionError(
        f"The language expression property '{key}' can't be evaluated, property name must be a string for an object and "
        f"an integer for an array; the value is of type '{describe(target)}'."
    )


def same(left: Json, right: Json) -> bool:
    """equals(): typed and case-sensitive, keys of objects too (template-functions-comparison#equals)."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(one, other) for one, other in zip(left, right, strict=True))
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    return (type(left) is type(right) and bool(left == right)) or (isinstance(left, str) and left == right)


def culture_key(text: str) -> tuple[list[tuple[int, str]], list[int]]:
    """Order of texts as .NET's invariant culture has it: digits before letters, lower before upper of the same letter."""
    letters = [(2 if c.isalpha() else 1 if c.isdigit() else 0, c.lower()) for c in text]
    return letters, [1 if c.isupper() else 0 for c in text]


def compact(value: Json) -> str:
    """JSON without spaces, non-ASCII kept, as string() gives it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
