"""Functions that make one type of another."""

from __future__ import annotations

import base64
import binascii
import json
import re
import urllib.parse
from typing import Any

from rehearsal.data_factory.expressions.errors import ExpressionError
from rehearsal.data_factory.expressions.function import Function
from rehearsal.data_factory.expressions.values import as_string, text, wrong

Json = Any
_INTEGER = re.compile(r"\s*[+-]?\d{1,18}\s*")


def _int(value: Json) -> int:
    if isinstance(value, bool):
        raise wrong("int", "a number or a string with one", value)
    if isinstance(value, int | float):
        return int(value)
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    raise ExpressionError(f"The template function 'int' can't make an integer of '{text(value)[:80]}'.")


def _float(value: Json) -> float:
    try:
        found = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except ValueError:
        found = None
    if found is None or found != found or found in (float("inf"), float("-inf")):
        raise ExpressionError(f"The template function 'float' can't make a number of '{text(value)[:80]}'.")
    return found


def _bool(value: Json) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value != 0
    if isinstance(value, str) and value.strip().lower() in ("true", "false", "1", "0"):
        return value.strip().lower() in ("true", "1")
    raise ExpressionError(f"The template function 'bool' can't make a boolean of '{text(value)[:80]}'.")


def _json(value: Json) -> Json:
    # What is no text any more stays as it is (unverified): pipelines in use call json() on runOutput.
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ExpressionError(
            f"The template function 'json' parameter is not valid. The provided value '{value[:80]}' cannot be parsed: "
            f"{error}."
        ) from error


def _from_base64(value: Json) -> str:
    try:
        return base64.b64decode(as_string("base64ToString", value), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise ExpressionError("The template function 'base64ToString' expects a base64 encoded text.") from error


def _string(value: Json) -> str:
    return text(value)


FUNCTIONS = {
    "array": Function(lambda value: value if isinstance(value, list) else [value], 1, 1),
    "base64": Function(lambda value: base64.b64encode(as_string("base64", value).encode()).decode(), 1, 1),
    "base64tostring": Function(_from_base64, 1, 1),
    "bool": Function(_bool, 1, 1),
    "decodebase64": Function(_from_base64, 1, 1),
    "decodeuricomponent": Function(lambda value: urllib.parse.unquote(as_string("decodeUriComponent", value)), 1, 1),
    "encodeuricomponent": Function(lambda value: _encoded("encodeUriComponent", value), 1, 1),
    "float": Function(_float, 1, 1),
    "int": Function(_int, 1, 1),
    "json": Function(_json, 1, 1),
    "string": Function(_string, 1, 1),
    "uricomponent": Function(lambda value: _encoded("uriComponent", value), 1, 1),
    "uricomponenttostring": Function(
        lambda value: urllib.parse.unquote(as_string("uriComponentToString", value)), 1, 1
    ),
}


def _encoded(name: str, value: Json) -> str:
    return urllib.parse.quote(as_string(name, value), safe="")
