"""Functions on texts."""

from __future__ import annotations

import uuid
from typing import Any

from rehearsal.data_factory.expressions.errors import ExpressionError
from rehearsal.data_factory.expressions.function import MANY, Function
from rehearsal.data_factory.expressions.values import as_integer, as_string, text

Json = Any
_GUIDS = {"n": "{0.hex}", "d": "{0}", "b": "{{{0}}}", "p": "({0})"}


def _concat(*parts: Json) -> Json:
    # Arrays become one array, as in Logic Apps (unverified for Data Factory); anything else becomes a text.
    if all(isinstance(part, list) for part in parts):
        return [item for part in parts for item in part]
    return "".join(text(part) for part in parts)


def _substring(value: Json, start: Json, length: Json = None) -> str:
    source, begin = as_string("substring", value), as_integer("substring", start)
    size = len(source) - begin if length is None else as_integer("substring", length)
    if begin < 0 or size < 0 or begin + size > len(source):
        raise ExpressionError(
            "The template function 'substring' parameters are out of range: 'start index' and 'length' must be "
            "non-negative integers and their sum must be no larger than the length of the string."
        )
    return source[begin : begin + size]


def _replace(value: Json, old: Json, new: Json) -> str:
    wanted = as_string("replace", old)
    if not wanted:
        raise ExpressionError("The template function 'replace' expects its second parameter to be a non-empty string.")
    return as_string("replace", value).replace(wanted, as_string("replace", new))


def _split(value: Json, separator: Json) -> list[str]:
    cut = as_string("split", separator)
    given = as_string("split", value)
    return given.split(cut) if cut else [given]


def _guid(form: Json = "D") -> str:
    shape = _GUIDS.get(as_string("guid", form).lower())
    if shape is None:
        raise ExpressionError(f"The template function 'guid' does not know the format '{form}'.")
    return shape.format(uuid.uuid4())


def _starts(value: Json, start: Json) -> bool:
    return as_string("startsWith", value).lower().startswith(as_string("startsWith", start).lower())


def _ends(value: Json, end: Json) -> bool:
    return as_string("endsWith", value).lower().endswith(as_string("endsWith", end).lower())


# startsWith, endsWith, indexOf and lastIndexOf are without regard to case: the reference page says so of each.
FUNCTIONS = {
    "concat": Function(_concat, 1, MANY),
    "endswith": Function(_ends, 2, 2),
    "guid": Function(_guid, 0, 1),
    "indexof": Function(
        lambda value, part: as_string("indexOf", value).lower().find(as_string("indexOf", part).lower()), 2, 2
    ),
    "lastindexof": Function(
        lambda value, part: as_string("lastIndexOf", value).lower().rfind(as_string("lastIndexOf", part).lower()), 2, 2
    ),
    "replace": Function(_replace, 3, 3),
    "split": Function(_split, 2, 2),
    "startswith": Function(_starts, 2, 2),
    "substring": Function(_substring, 2, 3),
    "tolower": Function(lambda value: as_string("toLower", value).lower(), 1, 1),
    "toupper": Function(lambda value: as_string("toUpper", value).upper(), 1, 1),
    "trim": Function(lambda value: as_string("trim", value).strip(), 1, 1),
}
