"""Values as the functions see them: their names, their texts, their equality."""

from __future__ import annotations

import json
from typing import Any

from rehearsal.data_factory.expressions.errors import ExpressionError

Json = Any


def kind(value: Json) -> str:
    """A value's type as the service's sentences name it."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int):
        return "Integer"
    if isinstance(value, float):
        return "Float"
    if isinstance(value, str):
        return "String"
    return "Array" if isinstance(value, list) else "Object"


def text(value: Json) -> str:
    """A value inside a text: booleans as .NET writes them, objects and arrays as JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def same(left: Json, right: Json) -> bool:
    """Equality of values: numbers by size, everything else by type and content; texts with regard to case."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(one, two) for one, two in zip(left, right, strict=True))
    return type(left) is type(right) and bool(left == right)


def wrong(name: str, wanted: str, value: Json) -> ExpressionError:
    """The refusal of an argument (wording after Logic Apps' errors; unverified for Data Factory)."""
    return ExpressionError(
        f"The template function '{name}' expects its parameter to be {wanted}. The provided value is of type '{kind(value)}'."
    )


def as_string(name: str, value: Json) -> str:
    if not isinstance(value, str):
        raise wrong(name, "a string", value)
    return value


def as_number(name: str, value: Json) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(name, "an integer or a decimal number", value)
    return value


def as_integer(name: str, value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(name, "an integer", value)
    return value


def as_bool(name: str, value: Json) -> bool:
    if not isinstance(value, bool):
        raise wrong(name, "a boolean", value)
    return value


def as_list(name: str, value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise wrong(name, "an array", value)
    return value
