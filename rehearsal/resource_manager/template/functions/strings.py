"""String functions (learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-string)."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from rehearsal.resource_manager.template.context import Context
from rehearsal.resource_manager.template.dotnet import composite_format
from rehearsal.resource_manager.template.errors import ExpressionError
from rehearsal.resource_manager.template.functions.function import Function, array, integer, invalid, plain, text
from rehearsal.resource_manager.template.hashes import guid, unique_string
from rehearsal.resource_manager.template.json_reader import JsonError, parse
from rehearsal.resource_manager.template.values import compact, describe, is_integer

Json = Any
_LONGEST = 4 * 1024 * 1024  # no template can hold more


def to_text(value: Json) -> str:
    """string(): text as it is, True and False, numbers, compact JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "True" if value else "False"
    return compact(value)


def _base64(value: Json) -> str:
    return base64.b64encode(text("base64", value).encode()).decode()


def _from_base64(name: str, value: Json) -> str:
    try:
        return base64.b64decode(text(name, value), validate=True).decode("utf-8", "replace")
    except binascii.Error as error:
        raise invalid(name, f"expects a base64 string: '{value}' is not one.") from error


def _json(name: str, value: str) -> Json:
    try:
        return parse(value)
    except JsonError as error:
        raise invalid(
            name, f"parameter is not valid. The provided value '{value}' cannot be parsed: {error}"
        ) from error


def _data_uri(value: Json) -> str:
    return "data:text/plain;charset=utf8;base64," + base64.b64encode(text("dataUri", value).encode()).decode()


def _from_data_uri(value: Json) -> str:
    head, comma, data = text("dataUriToString", value).partition(",")
    if not comma or not head.lower().startswith("data:"):
        raise invalid("dataUriToString", f"expects a data URI: '{value}' is not one.")
    return _from_base64("dataUriToString", data) if head.lower().endswith(";base64") else data


def _format(template: Json, *arguments: Json) -> str:
    return composite_format(text("format", template), arguments)


def _join(items: Json, delimiter: Json) -> str:
    return text("join", delimiter).join(to_text(item) for item in array("join", items))


def _pad_left(value: Json, length: Json, character: Json = " ") -> str:
    if not isinstance(value, str) and not is_integer(value):
        raise invalid("padLeft", f"expects a string or an integer. The provided value is of type '{describe(value)}'.")
    if len(text("padLeft", character)) != 1:
        raise invalid("padLeft", "expects one character to pad with.")
    width = integer("padLeft", length)
    if width > _LONGEST:
        raise invalid("padLeft", f"gives a text that is longer than '{_LONGEST}' characters.")
    return str(value).rjust(width, character)


def _replace(value: Json, old: Json, new: Json) -> str:
    if not text("replace", old):
        raise invalid("replace", "expects a string to look for that is not empty.")
    return text("replace", value).replace(old, text("replace", new))


def _split(value: Json, delimiter: Json) -> list[str]:
    delimiters = [text("split", one) for one in (delimiter if isinstance(delimiter, list) else [delimiter])]
    parts = [text("split", value)]
    for one in delimiters:
        if one:
            parts = [piece for part in parts for piece in part.split(one)]
    return parts


def _substring(value: Json, start: Json, length: Json = None) -> str:
    whole, begin = text("substring", value), integer("substring", start)
    size = len(whole) - begin if length is None else integer("substring", length)
    if begin < 0 or size < 0 or begin + size > len(whole):
        raise ExpressionError(
            "Unable to evaluate template language function 'substring'. The index and length parameters must refer to a "
            f"location within the string. The index parameter: '{begin}', the length parameter: '{size}', the length of "
            f"the string parameter: '{len(whole)}'."
        )
    return whole[begin : begin + size]


def _new_guid(context: Context, _arguments: list[Json]) -> str:
    if context.new_guid is None:
        raise ExpressionError(
            "The template function 'newGuid' is not expected at this location. "
            "It can only be used in the default value of a parameter."
        )
    return context.new_guid()


def _texts(name: str, values: tuple[Json, ...]) -> list[str]:
    return [text(name, value) for value in values]


FUNCTIONS = (
    plain("base64", 1, 1, _base64),
    plain("base64ToString", 1, 1, lambda value: _from_base64("base64ToString", value)),
    plain("base64ToJson", 1, 1, lambda value: _json("base64ToJson", _from_base64("base64ToJson", value))),
    plain("dataUri", 1, 1, _data_uri),
    plain("dataUriToString", 1, 1, _from_data_uri),
    plain("endsWith", 2, 2, lambda a, b: text("endsWith", a).lower().endswith(text("endsWith", b).lower())),
    plain("format", 1, None, _format),
    plain("guid", 1, None, lambda *values: guid(_texts("guid", values))),
    plain("join", 2, 2, _join),
    plain("json", 1, 1, lambda value: _json("json", text("json", value))),
    Function("newGuid", 0, 0, eager=_new_guid),
    plain("padLeft", 2, 3, _pad_left),
    plain("replace", 3, 3, _replace),
    plain("split", 2, 2, _split),
    plain("startsWith", 2, 2, lambda a, b: text("startsWith", a).lower().startswith(text("startsWith", b).lower())),
    plain("string", 1, 1, to_text),
    plain("substring", 2, 3, _substring),
    plain("toLower", 1, 1, lambda value: text("toLower", value).lower()),
    plain("toUpper", 1, 1, lambda value: text("toUpper", value).upper()),
    plain("trim", 1, 1, lambda value: text("trim", value).strip()),
    plain("uniqueString", 1, None, lambda *values: unique_string(_texts("uniqueString", values))),
)
