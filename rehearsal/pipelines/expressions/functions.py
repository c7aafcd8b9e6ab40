"""The functions of the expression language that need nothing but their arguments.

Names ignore case. The functions of a run's state (succeeded, failed…) and `counter` are known here by name; what they say comes
with the context. Where the documentation and the service differ, what the service's preview did counts: measured by
PGielniak/azdo-pipeline-emulator, research/E02-expressions.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from rehearsal.pipelines.expressions.values import (
    ExpressionError,
    Value,
    compare,
    equal,
    fold,
    kind,
    number_text,
    to_boolean,
    to_number,
    to_text,
)

Lazy = Callable[[], Value]
# [learn] process/templates: 20 MB of memory.
LARGEST_TEXT = 20 * 1024 * 1024


@dataclass(frozen=True)
class Function:
    """A function: how many arguments, and what it does with them. Arguments are evaluated when they are asked for."""

    name: str
    least: int
    most: int | None
    apply: Callable[[Sequence[Lazy]], Value] = field(compare=False)


def _and(arguments: Sequence[Lazy]) -> Value:
    return all(to_boolean(argument()) for argument in arguments)


def _or(arguments: Sequence[Lazy]) -> Value:
    return any(to_boolean(argument()) for argument in arguments)


def _in(arguments: Sequence[Lazy]) -> Value:
    wanted = arguments[0]()
    return any(equal(wanted, argument()) for argument in arguments[1:])


def _coalesce(arguments: Sequence[Lazy]) -> Value:
    for argument in arguments:
        value = argument()
        if value is not None and value != "":
            return value
    return None


def _contains_value(collection: Value, wanted: Value) -> bool:
    # Here what is in the collection becomes what is looked for: '01' is found by 1 (measured with the service).
    if isinstance(collection, Mapping):
        return any(equal(wanted, value) for value in collection.values())
    return kind(collection) == "Array" and any(equal(wanted, value) for value in collection)


def _join(separator: Value, values: Value) -> str:
    if kind(values) != "Array":
        return to_text(values) if kind(values) != "Object" else ""
    between, parts = to_text(separator), ["" if kind(item) in ("Array", "Object") else to_text(item) for item in values]
    _within_limit(sum(map(len, parts)) + len(between) * len(parts))
    return between.join(parts)


def _split(text: Value, separator: Value) -> list[str]:
    # The whole second argument is one separator (measured with the service).
    return to_text(text).split(to_text(separator)) if to_text(separator) else [to_text(text)]


def _within_limit(characters: int) -> None:
    if characters > LARGEST_TEXT:
        raise ExpressionError("Maximum object size exceeded: the expression makes a text that is too long")


def _length(value: Value) -> Decimal:
    return Decimal(len(value) if kind(value) in ("Array", "Object") else len(to_text(value)))


def _replace(text: Value, old: Value, new: Value) -> str:
    whole, wanted, instead = to_text(text), to_text(old), to_text(new)
    if not wanted:
        return whole
    _within_limit(len(whole) + whole.count(wanted) * len(instead))
    return whole.replace(wanted, instead)


def _substring(text: Value, start: Value, length: Value) -> str:
    whole, first, count = to_text(text), int(to_number(start)), int(to_number(length))
    if first < 0 or count < 0 or first + count > len(whole):
        raise ExpressionError(f"substring: {first} and {count} reach outside a text of {len(whole)} characters")
    return whole[first : first + count]


def _json(value: Value) -> Value:
    match kind(value):
        case "Number":
            text = number_text(value)
            return int(text) if text.lstrip("-").isdigit() else float(text)
        case "Object":
            return {str(key): _json(item) for key, item in value.items()}
        case "Array":
            return [_json(item) for item in value]
        case "Version":
            return str(value)
    return value


def _convert_to_json(value: Value) -> str:
    return json.dumps(_json(value), indent=2, ensure_ascii=False)


_FORMAT = re.compile(r"\{\{|\}\}|\{(\d+)(?::((?:[^{}]|\{\{|\}\})*))?\}|[{}]")
# [learn] process/expressions, format: the specifiers that it documents.
_DATE_PART = re.compile("yyyy|yy|MM|M|dd|d|HH|H|mm|m|ss|s|f{1,7}|K|zzz")


def _format(arguments: Sequence[Lazy]) -> str:
    pattern = to_text(arguments[0]())
    length = 0

    def one(match: re.Match[str]) -> str:
        found = match.group()
        if found in ("{{", "}}"):
            return found[0]
        if match.group(1) is None:
            raise ExpressionError(f"The following format string is invalid: {pattern}")
        position = int(match.group(1)) + 1
        if position >= len(arguments):
            raise ExpressionError(
                f"The following format string references more arguments than were supplied: {pattern}"
            )
        value, specifier = arguments[position](), match.group(2)
        text = to_text(value) if specifier is None else _date(value, specifier)
        nonlocal length
        length += len(text)
        _within_limit(length)
        return text

    return _FORMAT.sub(one, pattern)


def _date(value: Value, specifier: str) -> str:
    if not isinstance(value, datetime):
        raise ExpressionError(f"the format '{specifier}' is for dates only")
    return _DATE_PART.sub(lambda match: _date_part(value, match.group()), specifier)


def _date_part(value: datetime, part: str) -> str:
    if part[0] == "f":
        return f"{value.microsecond:06}0"[: len(part)]
    if part in ("K", "zzz"):
        offset = value.strftime("%z")
        return "Z" if part == "K" and offset in ("", "+0000") else f"{offset[:3]}:{offset[3:]}"
    numbers = {"y": value.year, "M": value.month, "d": value.day, "H": value.hour, "m": value.minute, "s": value.second}
    text = f"{numbers[part[0]]:0{len(part) if part[0] != 'y' else 4}}"
    return text[-2:] if part == "yy" else text


def _eager(function: Callable[..., Value]) -> Callable[[Sequence[Lazy]], Value]:
    return lambda arguments: function(*[argument() for argument in arguments])


def _only_in_a_run(name: str) -> Callable[[Sequence[Lazy]], Value]:
    def refuse(_: Sequence[Lazy]) -> Value:
        # To the service such a name does not exist elsewhere.
        raise ExpressionError(f"Unrecognized value: '{name}'. It {_PLACES.get(name, 'can stand in a condition only')}")

    return refuse


_PLACES = {"counter": "can stand only in a variable's value that is worked out during a run: $[ ]"}


def _table(*functions: Function) -> Mapping[str, Function]:
    return {function.name.lower(): function for function in functions}


FUNCTIONS: Mapping[str, Function] = _table(
    Function("and", 2, None, _and),
    Function("or", 2, None, _or),
    Function("xor", 2, 2, _eager(lambda left, right: to_boolean(left) != to_boolean(right))),
    Function("not", 1, 1, _eager(lambda value: not to_boolean(value))),
    Function("eq", 2, 2, _eager(equal)),
    Function("ne", 2, 2, _eager(lambda left, right: not equal(left, right))),
    Function("lt", 2, 2, _eager(lambda left, right: compare(left, right) < 0)),
    Function("le", 2, 2, _eager(lambda left, right: compare(left, right) <= 0)),
    Function("gt", 2, 2, _eager(lambda left, right: compare(left, right) > 0)),
    Function("ge", 2, 2, _eager(lambda left, right: compare(left, right) >= 0)),
    Function("in", 2, None, _in),
    Function("notIn", 2, None, lambda arguments: not _in(arguments)),
    Function("contains", 2, 2, _eager(lambda text, part: fold(to_text(part)) in fold(to_text(text)))),
    Function("containsValue", 2, 2, _eager(_contains_value)),
    Function("startsWith", 2, 2, _eager(lambda text, part: fold(to_text(text)).startswith(fold(to_text(part))))),
    Function("endsWith", 2, 2, _eager(lambda text, part: fold(to_text(text)).endswith(fold(to_text(part))))),
    Function("coalesce", 2, None, _coalesce),
    Function("format", 1, None, _format),
    Function("join", 2, 2, _eager(_join)),
    Function("split", 2, 2, _eager(_split)),
    Function("length", 1, 1, _eager(_length)),
    Function("lower", 1, 1, _eager(lambda text: to_text(text).lower())),
    Function("upper", 1, 1, _eager(lambda text: to_text(text).upper())),
    Function("trim", 1, 1, _eager(lambda text: to_text(text).strip())),
    Function("replace", 3, 3, _eager(_replace)),
    Function("substring", 3, 3, _eager(_substring)),
    Function("iif", 3, 3, _eager(lambda condition, yes, no: yes if to_boolean(condition) else no)),
    Function("convertToJson", 1, 1, _eager(_convert_to_json)),
    Function("counter", 1, 2, _only_in_a_run("counter")),
)

STATUS_FUNCTIONS: Mapping[str, Function] = _table(
    *(
        Function(name, 0, None if name in ("succeeded", "failed", "succeededOrFailed") else 0, _only_in_a_run(name))
        for name in ("always", "canceled", "failed", "succeeded", "succeededOrFailed")
    )
)
