"""Reads JSON files so that each mistake has its line and column."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

_SPACE = re.compile(r"[ \t\r\n]*")


class Unreadable(ValueError):
    """The text is no JSON: `line` and `column` count from 1."""

    def __init__(self, text: str, line: int, column: int) -> None:
        super().__init__(text)
        self.line = line
        self.column = column


def parse(data: bytes) -> tuple[Any, str, list[str]]:
    """The value, the text it was read from, and each key that its object has twice (the last one counts, as in Studio).
    Takes UTF-8, with or without a byte order mark. Raises Unreadable."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        raise Unreadable("not UTF-8 text", before.count(b"\n") + 1, column) from None
    twice: list[str] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) < len(pairs):
            names = [name for name, _ in pairs]
            twice.extend(dict.fromkeys(name for name in names if names.count(name) > 1))
        return value

    try:
        value = json.loads(text, object_pairs_hook=collect, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise Unreadable(_reason(text, error), error.lineno, error.colno) from None
    except RecursionError:
        raise Unreadable("nested too deeply", 1, 1) from None
    except _Constant as error:
        line, column = position(text, text.find(str(error)))
        raise Unreadable(f"{error} is not a value of JSON", line, column) from None
    return value, text, twice


class _Constant(ValueError):
    pass


def _refuse(name: str) -> Any:
    raise _Constant(name)


def _reason(text: str, error: json.JSONDecodeError) -> str:
    if not text.strip():
        return "the file is empty"
    if text.startswith(("<<<<<<< ", "=======", ">>>>>>> "), text.rfind("\n", 0, error.pos) + 1):
        return "a merge conflict was left here"
    return error.msg[0].lower() + error.msg[1:]


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of an offset."""
    offset = max(offset, 0)
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def locate(text: str, path: Sequence[str | int]) -> tuple[int, int]:
    """Line and column, from 1, of the value at `path` in valid JSON; of the last part of the path that is there."""
    decoder = json.JSONDecoder()
    offset = _skip(text, len(text) - len(text.lstrip("\ufeff")))
    for part in path:
        found = _member(decoder, text, offset, part)
        if found is None:
            break
        offset = found
    return position(text, offset)


def _member(decoder: json.JSONDecoder, text: str, offset: int, part: str | int) -> int | None:
    """Where the member's value begins, in the object or list that begins at `offset`."""
    if text[offset : offset + 1] not in ("{", "["):
        return None
    is_object = text[offset] == "{"
    offset, index, found = _skip(text, offset + 1), 0, None
    while text[offset] not in "}]":
        name: str | int = index
        if is_object:
            name, offset = scanstring(text, offset + 1)
            offset = _skip(text, _skip(text, offset) + 1)
        if name == part and isinstance(name, str) == isinstance(part, str):
            found = offset  # go on: of a key that is there twice the last one counts
            if not is_object:
                return found
        _, offset = decoder.raw_decode(text, offset)
        offset = _skip(text, offset)
        if text[offset] == ",":
            offset = _skip(text, offset + 1)
        index += 1
    return found


def _skip(text: str, offset: int) -> int:
    match = _SPACE.match(text, offset)
    return match.end() if match else offset
