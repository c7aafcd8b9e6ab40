"""Reads JSON files so that each mistake has its line and column."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""How a text in UTF-16 begins."""
_PARTS = re.compile(r'("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[][{}]')
_SPACE = re.compile(r"[ \t\r\n]*")


class Unreadable(ValueError):
    """The text is no JSON: `line` and `column` count from 1."""

    def __init__(self, text: str, line: int, column: int) -> None:
        super().__init__(text)
        self.line = line
        self.column = column


@dataclass(frozen=True)
class Twice:
    """A key that its object has already; line and column from 1. The last one counts, as in Studio."""

    key: str
    line: int
    column: int


def parse(data: bytes) -> tuple[Any, str, list[Twice]]:
    """The value, the text it was read from, and each key that its object has had before.
    Takes UTF-8, with or without a byte order mark. Raises Unreadable."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        reason = "UTF-16 text; save it as UTF-8" if data[:2] in UTF_16 else "not UTF-8 text"
        raise Unreadable(reason, before.count(b"\n") + 1, column) from None
    value, twice = parse_text(text)
    return value, text, twice


def parse_text(text: str) -> tuple[Any, list[Twice]]:
    """As `parse`, of a text."""
    lost = 0

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal lost
        value = dict(pairs)
        lost += len(pairs) - len(value)
        return value

    try:
        value = json.loads(text, object_pairs_hook=collect, parse_constant=_refuse, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise Unreadable(_reason(text, error), error.lineno, error.colno) from None
    except RecursionError:
        raise Unreadable("nested too deeply", 1, 1) from None
    except _NoValue as error:
        place = _outside_texts(text, re.escape(str(error)))
        raise Unreadable(f"{_shortened(str(error))} is not a value of JSON", *place) from None
    except ValueError:  # Python's own limit for whole numbers
        raise Unreadable("a number that is too long", *_outside_texts(text, r"\d{4301,}")) from None
    return value, _twice(text) if lost else []


def _twice(text: str) -> list[Twice]:
    """Looks for them in valid JSON."""
    found: list[Twice] = []
    open_: list[set[str]] = []
    for match in _PARTS.finditer(text):
        if match.group() in ("{", "["):
            open_.append(set())
        elif match.group() in ("}", "]"):
            open_.pop()
        elif match[1] is not None:
            key = json.loads(match[1])
            if key in open_[-1]:
                found.append(Twice(key, *position(text, match.start())))
            open_[-1].add(key)
    return found


class _NoValue(ValueError):
    pass


def _refuse(name: str) -> Any:
    raise _NoValue(name)


def _finite(text: str) -> float:
    """A number that no template can hold would become Infinity."""
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _outside_texts(text: str, pattern: str) -> tuple[int, int]:
    """Line and column of the first match that is in no text."""
    for match in re.finditer(rf'"(?:[^"\\]|\\.)*"|({pattern})', text):
        if match[1] is not None:
            return position(text, match.start())
    return 1, 1


def _shortened(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"


def _reason(text: str, error: json.JSONDecodeError) -> str:
    if not text.strip():
        return "the file is empty"
    if text.startswith(("<<<<<<< ", "=======", ">>>>>>> "), text.rfind("\n", 0, error.pos) + 1):
        return "a merge conflict was left here"
    if text.startswith(("//", "/*"), error.pos):
        return "a comment, which JSON does not have"
    if text[error.pos : error.pos + 1] in ("}", "]") and text[: error.pos].rstrip().endswith(","):
        return f"a comma too many before {text[error.pos]}"
    if text[error.pos : error.pos + 1] == "'":
        return "JSON's quotes are double quotes"
    if error.pos >= len(text.rstrip()):
        return "the file ends too early"
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
