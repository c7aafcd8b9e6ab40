"""JSON as Resource Manager reads it: with comments, unquoted keys, single quotes, and the position of every value.

`az` puts a template into its request with an unquoted key, and templates may have comments and strings over several lines
(learn.microsoft.com/azure/azure-resource-manager/templates/syntax#comments-and-metadata).
"""

from __future__ import annotations

import bisect
import json
import re
from typing import Any

Path = tuple[str | int, ...]

_SPACE = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRINGS = {
    '"': re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL),
    "'": re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL),
}
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_WORD = re.compile(r"[A-Za-z_$][\w$.-]*")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS = {"true": True, "false": False, "null": None}
_DEEPEST = 200


# Half of a character that takes two: such text can't be written as UTF-8 again, so it is mended while it is read.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


class JsonError(ValueError):
    """The text is no JSON, also read leniently; says where."""


def parse(text: str) -> Any:
    """The value in `text`. Raises JsonError."""
    try:
        if _HALF.search(text) is None:
            return json.loads(text, parse_constant=_refused, parse_float=_finite, parse_int=_integer)
        return _Reader(text).read()
    except JsonError:
        raise
    except (ValueError, RecursionError):
        return _Reader(text).read()


def locate(text: str, path: Path) -> tuple[int, int] | None:
    """Line and column (from 1) of the value at `path`: of the bracket that opens it, or where a scalar ends. None: not there.

    The service names these positions because its reader has them when it has read that much (Newtonsoft's LinePosition).
    """
    reader = _Reader(text)
    try:
        reader.read()
    except JsonError:
        return None
    offset = reader.offsets.get(path)
    if offset is None:
        return None
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    line = bisect.bisect_right(starts, offset)
    return line, offset - starts[line - 1] + 1


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.offsets: dict[Path, int] = {}

    def read(self) -> Any:
        value = self._value(())
        self._skip()
        if self.at < len(self.text):
            raise self._wrong("Additional text encountered after finished reading JSON content")
        return value

    def _skip(self) -> None:
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def _peek(self) -> str:
        self._skip()
        return self.text[self.at : self.at + 1]

    def _wrong(self, what: str) -> JsonError:
        line = self.text.count("\n", 0, self.at) + 1
        column = self.at - (self.text.rfind("\n", 0, self.at) + 1) + 1
        return JsonError(f"{what}: line {line}, position {column}.")

    def _value(self, path: Path) -> Any:
        start = self._peek()
        if len(path) > _DEEPEST:
            raise self._wrong("The reader's MaxDepth has been exceeded")
        if start == "{":
            return self._object(path)
        if start == "[":
            return self._array(path)
        value = self._string() if start in _STRINGS else self._scalar()
        self.offsets[path] = self.at - 1
        return value

    def _object(self, path: Path) -> dict[str, Any]:
        self.offsets[path] = self.at
        self.at += 1
        found: dict[str, Any] = {}
        while self._peek() != "}":
            key = self._key()
            if self._peek() != ":":
                raise self._wrong("Invalid character after parsing property name. Expected ':'")
            self.at += 1
            found[key] = self._value((*path, key))
            self._comma("}")
        self.at += 1
        return found

    def _array(self, path: Path) -> list[Any]:
        self.offsets[path] = self.at
        self.at += 1
        found: list[Any] = []
        while self._peek() != "]":
            found.append(self._value((*path, len(found))))
            self._comma("]")
        self.at += 1
        return found

    def _comma(self, end: str) -> None:
        after = self._peek()
        if after == ",":
            self.at += 1
        elif after != end:
            raise self._wrong(
                f"After parsing a value an unexpected character was encountered: {after or 'end of text'}"
            )

    def _key(self) -> str:
        if self._peek() in _STRINGS and self._peek():
            return self._string()
        match = _WORD.match(self.text, self.at)
        if match is None:
            raise self._wrong("Invalid property identifier character")
        self.at = match.end()
        return match[0]

    def _string(self) -> str:
        match = _STRINGS[self.text[self.at]].match(self.text, self.at)
        if match is None:
            raise self._wrong("Unterminated string")
        self.at = match.end()
        return _ESCAPE.sub(_unescape, match[1]).encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _scalar(self) -> Any:
        number = _NUMBER.match(self.text, self.at)
        if number is not None:
            self.at = number.end()
            try:
                return _finite(number[0]) if number[1] or number[2] else _integer(number[0])
            except ValueError as error:
                raise self._wrong(str(error)) from error
        word = _WORD.match(self.text, self.at)
        if word is None or word[0] not in _WORDS:
            raise self._wrong("Unexpected character encountered while parsing value")
        self.at = word.end()
        return _WORDS[word[0]]


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"JSON number {text[:20]} is too large")
    return number


def _integer(text: str) -> int:
    # Newtonsoft reads longer ones as big integers, which no provider takes.
    if len(text) > 19 and not -(2**63) <= int(text[:100]) < 2**63:
        raise ValueError(f"JSON integer {text[:20]} is too large or small for an Int64")
    return int(text)


def _refused(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def _unescape(match: re.Match[str]) -> str:
    escape = match[1]
    if len(escape) == 5:
        return chr(int(escape[1:], 16))
    return _ESCAPES.get(escape, escape)
