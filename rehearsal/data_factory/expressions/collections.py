"""Functions on arrays, objects and texts as sequences."""

from __future__ import annotations

from typing import Any

from rehearsal.data_factory.expressions.errors import ExpressionError
from rehearsal.data_factory.expressions.function import MANY, Function
from rehearsal.data_factory.expressions.values import as_integer, as_list, as_string, same, text, wrong

Json = Any


def _contains(within: Json, value: Json) -> bool:
    if isinstance(within, str):
        return as_string("contains", value) in within
    if isinstance(within, list):
        return any(same(one, value) for one in within)
    if isinstance(within, dict):
        return as_string("contains", value) in within
    raise wrong("contains", "a string, an array or an object", within)


def _empty(value: Json) -> bool:
    if value is None:
        return True
    if isinstance(value, str | list | dict):
        return not value
    raise wrong("empty", "a string, an array or an object", value)


def _first(value: Json) -> Json:
    if isinstance(value, str | list) and value:
        return value[0]
    if isinstance(value, str | list):
        return None if isinstance(value, list) else ""
    raise wrong("first", "a string or an array", value)


def _last(value: Json) -> Json:
    if isinstance(value, str | list) and value:
        return value[-1]
    if isinstance(value, str | list):
        return None if isinstance(value, list) else ""
    raise wrong("last", "a string or an array", value)


def _length(value: Json) -> int:
    if isinstance(value, str | list | dict):
        return len(value)
    raise wrong("length", "a string, an array or an object", value)


def _skip(value: Json, count: Json) -> Json:
    if not isinstance(value, str | list):
        raise wrong("skip", "an array", value)
    return value[max(0, as_integer("skip", count)) :]


def _take(value: Json, count: Json) -> Json:
    if not isinstance(value, str | list):
        raise wrong("take", "a string or an array", value)
    return value[: max(0, as_integer("take", count))]


def _join(value: Json, separator: Json) -> str:
    return as_string("join", separator).join(text(one) for one in as_list("join", value))


def _union(*given: Json) -> Json:
    if all(isinstance(one, dict) for one in given):
        return {key: value for one in given for key, value in one.items()}
    found: list[Json] = []
    for one in given:
        found += [value for value in as_list("union", one) if not any(same(value, known) for known in found)]
    return found


def _intersection(*given: Json) -> Json:
    if all(isinstance(one, dict) for one in given):
        head, *tail = given
        return {
            key: value for key, value in head.items() if all(key in other and same(other[key], value) for other in tail)
        }
    first, *rest = [as_list("intersection", one) for one in given]
    found: list[Json] = []
    for value in first:
        everywhere = all(any(same(value, other) for other in one) for one in rest)
        if everywhere and not any(same(value, known) for known in found):
            found.append(value)
    return found


def _range(start: Json, count: Json) -> list[int]:
    begin, size = as_integer("range", start), as_integer("range", count)
    if not 0 <= size <= 100_000:
        raise ExpressionError("The template function 'range' expects its second parameter between 0 and 100000.")
    return list(range(begin, begin + size))


FUNCTIONS = {
    "contains": Function(_contains, 2, 2),
    "createarray": Function(lambda *values: list(values), 1, MANY),
    "empty": Function(_empty, 1, 1),
    "first": Function(_first, 1, 1),
    "intersection": Function(_intersection, 1, MANY),
    "join": Function(_join, 2, 2),
    "last": Function(_last, 1, 1),
    "length": Function(_length, 1, 1),
    "range": Function(_range, 2, 2),
    "skip": Function(_skip, 2, 2),
    "take": Function(_take, 2, 2),
    "union": Function(_union, 1, MANY),
}
