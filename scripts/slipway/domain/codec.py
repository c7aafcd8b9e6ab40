"""Frozen dataclasses to JSON and back, strictly: an unknown, missing or mistyped field is an error with its path.

Knows str, int, float, bool, Literal, X | None, tuple[X, ...], Mapping[str, X], Any, nested dataclasses, and Instant.
"""

from __future__ import annotations

import json
import math
import re
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

Instant = Annotated[float, "instant"]
"""Seconds since the epoch; in JSON a UTC time that people can read (milliseconds are kept)."""


_FIRST = datetime(1, 1, 1, tzinfo=UTC).timestamp()
_LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Damaged(ValueError):
    """The data does not have the form that it must have; the text holds the path."""


def to_bytes(value: Any) -> bytes:
    """Canonical JSON of a dataclass: equal values give equal bytes."""
    return canonical(encode(value))


def canonical(data: Any) -> bytes:
    """JSON with sorted keys, indented, UTF-8, a newline last."""
    return (json.dumps(data, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def from_bytes(kind: type[T], data: bytes) -> T:
    """The inverse of to_bytes. Raises Damaged."""
    value: T = decode(kind, load(data))
    return value


def load(data: bytes) -> Any:
    """Any JSON that can be written again: no duplicate keys, no number too large, no half of a character. Raises Damaged."""
    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except Damaged:
        raise
    except ValueError as error:  # JSONDecodeError, UnicodeError, an integer of thousands of digits
        raise Damaged(f"not valid JSON: {error}") from error
    except RecursionError as error:
        raise Damaged("not valid JSON: nested too deeply") from error


def is_instant(seconds: float) -> bool:
    """Whether it is a time that can be written: of the years 1 to 9999, in UTC."""
    return _FIRST <= seconds < _LAST


def instant_to_text(seconds: float) -> str:
    text = datetime.fromtimestamp(round(seconds, 3), UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def encode(value: Any, kind: Any = None) -> Any:
    """Plain JSON values of a dataclass, a mapping, a tuple, or a scalar."""
    if is_dataclass(value) and not isinstance(value, type):
        hints = _hints(type(value))
        return {field.name: encode(getattr(value, field.name), hints[field.name]) for field in fields(value)}
    if _is_instant(kind) and value is not None:
        return instant_to_text(value)
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    return value


def decode(kind: Any, data: Any, path: str = "") -> Any:
    """`data` as a value of `kind`. Raises Damaged with the path of what is wrong."""
    if kind is Any:
        return data
    if isinstance(kind, type) and is_dataclass(kind):
        return _decode_dataclass(kind, data, path)
    origin = get_origin(kind)
    if origin is Annotated:
        return _decode_instant(data, path)
    if origin is Literal:
        if data not in get_args(kind) or isinstance(data, bool) != any(isinstance(x, bool) for x in get_args(kind)):
            raise Damaged(f"{path or '.'}: {data!r} is not one of {', '.join(map(repr, get_args(kind)))}")
        return data
    if origin in (Union, types.UnionType):
        if data is None and type(None) in get_args(kind):
            return None
        (inner,) = [item for item in get_args(kind) if item is not type(None)]
        return decode(inner, data, path)
    if origin is tuple:
        return tuple(
            decode(get_args(kind)[0], item, f"{path}[{i}]") for i, item in enumerate(_expect(list, data, path))
        )
    if origin is not None and issubclass(origin, Mapping):
        inner = get_args(kind)[1]
        return {key: decode(inner, item, _below(path, key)) for key, item in _expect(dict, data, path).items()}
    return _expect(kind, data, path)


def _decode_dataclass(kind: Any, data: Any, path: str) -> Any:
    _expect(dict, data, path)
    hints = _hints(kind)
    unknown = sorted(data.keys() - hints.keys())
    if unknown:
        raise Damaged(f"{_below(path, unknown[0])}: unknown field")
    values = {}
    for field in fields(kind):
        if field.name in data:
            values[field.name] = decode(hints[field.name], data[field.name], _below(path, field.name))
        elif field.default is MISSING and field.default_factory is MISSING:
            raise Damaged(f"{_below(path, field.name)}: is missing")
    return kind(**values)


def _decode_instant(data: Any, path: str) -> float:
    text = _expect(str, data, path)
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise Damaged(f"{path}: {text!r} is not a time") from error
    if moment.tzinfo is None:
        raise Damaged(f"{path}: {text!r} has no time zone")
    if not is_instant(moment.timestamp()):
        raise Damaged(f"{path}: {text!r} is not of the years 1 to 9999")
    return moment.timestamp()


def _expect(kind: type[Any], data: Any, path: str) -> Any:
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        try:
            return float(data)
        except OverflowError as error:
            raise Damaged(f"{path or '.'}: is too large a number") from error
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
        raise Damaged(f"{path or '.'}: must be {kind.__name__}, not {type(data).__name__}")
    return data


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _is_instant(kind: Any) -> bool:
    if get_origin(kind) in (Union, types.UnionType):
        return any(_is_instant(item) for item in get_args(kind))
    return get_origin(kind) is Annotated


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise Damaged(f"the key {twice!r} is there twice")
    return result


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Damaged(f"{text} is too large a number")
    return number


def _no_constant(name: str) -> Any:
    raise Damaged(f"JSON has no {name}")
