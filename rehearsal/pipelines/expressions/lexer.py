"""An expression's text cut into tokens.

Source: microsoft/azure-pipelines-agent, Expressions/LexicalAnalyzer.cs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto

from rehearsal.pipelines.expressions.values import ExpressionSyntaxError, Value, Version, parse_version

MAX_LENGTH = 21_000


class Kind(Enum):
    OPEN = auto()
    CLOSE = auto()
    OPEN_INDEX = auto()
    CLOSE_INDEX = auto()
    COMMA = auto()
    DOT = auto()
    STAR = auto()
    LITERAL = auto()
    NAME = auto()


@dataclass(frozen=True)
class Token:
    kind: Kind
    text: str
    offset: int
    value: Value = None


_OPERANDS = (Kind.NAME, Kind.LITERAL, Kind.CLOSE, Kind.CLOSE_INDEX)
_SIGNS = {
    "(": Kind.OPEN,
    ")": Kind.CLOSE,
    "[": Kind.OPEN_INDEX,
    "]": Kind.CLOSE_INDEX,
    ",": Kind.COMMA,
    "*": Kind.STAR,
}
_STRING = re.compile(r"'((?:[^']|'')*)'")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORD = re.compile(r"[^\s()\[\],']+'?")
_NUMBER = re.compile(r"-?(?:\d+(?:\.\d*)?|\.\d+)")
# There is no `null`: the service takes it for a name that it does not know.
_NUMBER_START = re.compile(r"[-.0-9]")
_CONSTANTS = {"true": True, "false": False}


def tokens(text: str) -> Iterator[Token]:
    """The tokens of an expression in order. Raises ExpressionSyntaxError with the text that is none."""
    if len(text) > MAX_LENGTH:
        raise ExpressionSyntaxError(f"Exceeded max expression length {MAX_LENGTH}")
    offset = 0
    last: Token | None = None
    while offset < len(text):
        if text[offset].isspace():
            offset += 1
            continue
        last = _token(text, offset, last)
        yield last
        offset += len(last.text)


def _token(text: str, offset: int, last: Token | None) -> Token:
    character = text[offset]
    if character in _SIGNS:
        return Token(_SIGNS[character], character, offset)
    if character == "." and last is not None and last.kind in (Kind.NAME, Kind.CLOSE, Kind.CLOSE_INDEX, Kind.STAR):
        return Token(Kind.DOT, ".", offset)
    if character == "'":
        return _string(text, offset)
    after_dot = last is not None and last.kind is Kind.DOT
    name = _NAME.match(text, offset)
    if name is not None:
        word = name.group()
        if not after_dot and word.lower() in _CONSTANTS:
            return Token(Kind.LITERAL, word, offset, _CONSTANTS[word.lower()])
        return Token(Kind.NAME, word, offset)
    return _number_or_version(text, offset, last)


def _string(text: str, offset: int) -> Token:
    match = _STRING.match(text, offset)
    if match is None:
        raise _unrecognized(text[offset:], offset)
    return Token(Kind.LITERAL, match.group(), offset, match.group(1).replace("''", "'"))


def _number_or_version(text: str, offset: int, last: Token | None) -> Token:
    match = _WORD.match(text, offset)
    word = match.group() if match is not None else text[offset]
    if _NUMBER.fullmatch(word):
        return Token(Kind.LITERAL, word, offset, Decimal(word))
    version = parse_version(word)
    if isinstance(version, Version) and word.count(".") >= 2:
        return Token(Kind.LITERAL, word, offset, version)
    after = last.kind if last is not None else None
    if after is Kind.DOT or (after in _OPERANDS and not _NUMBER_START.match(word)):
        raise ExpressionSyntaxError(f"Unexpected symbol: '{word}'", word, offset)
    raise _unrecognized(word, offset)


def _unrecognized(word: str, offset: int) -> ExpressionSyntaxError:
    return ExpressionSyntaxError(f"Unrecognized value: '{word}'", word, offset)
