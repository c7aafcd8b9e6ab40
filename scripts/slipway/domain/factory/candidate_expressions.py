"""Puts values in the place of global parameters, in every form in which an expression can read one.

A run can't be given other global parameters than the factory's (createRun takes pipeline parameters only), so a
candidate's expressions get the values written into them. `@x` is an expression, `@@x` the text "@x", `a@{x}b` a text
with expressions in it, `@@{` the text "@{"
(https://learn.microsoft.com/azure/data-factory/control-flow-expression-language-functions#expressions).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from slipway.domain.factory.expressions import Malformed, Token, tokens

_OWNER, _MEMBER = "pipeline", "globalparameters"


class Unclear(Malformed):
    """An expression reads global parameters in a way that can't be followed; `position` counts characters from 1."""


def substitute(text: str, values: Mapping[str, Any]) -> str:
    """The string with `values` (JSON values by the names of global parameters; names are equal without regard to case)
    in the place of what reads them. A string that reads none comes back as it is.

    Raises Unclear where a name is computed, where all global parameters are taken at once, or where an expression that
    names one has no end.
    """
    wanted = {name.lower(): value for name, value in values.items()}
    if text.startswith("@@") or "@" not in text or _MEMBER not in text.lower():
        return text
    if text.startswith("@") and not text.startswith("@{"):
        return _whole(text, wanted)
    return "".join(_parts(text, wanted))


def _whole(text: str, values: Mapping[str, Any]) -> str:
    tokens, _ = _tokens(text, 1, whole=True)
    found = list(_reads(tokens, values))
    if len(found) == 1 and found[0][:2] == _extent(tokens) and _plain(found[0][2]):
        return str(found[0][2])
    return "@" + _replaced(text, 1, len(text), found)


def _parts(text: str, values: Mapping[str, Any]) -> Iterator[str]:
    at = 0
    while at < len(text):
        if text.startswith("@@{", at):
            yield "@@{"
            at += 3
        elif text.startswith("@{", at):
            tokens, end = _tokens(text, at + 2, whole=False)
            found = list(_reads(tokens, values))
            if len(found) == 1 and found[0][:2] == _extent(tokens) and _plain(found[0][2]):
                yield str(found[0][2])
            else:
                yield "@{" + _replaced(text, at + 2, end, found) + "}"
            at = end + 1
        else:
            yield text[at]
            at += 1


def _plain(value: Any) -> bool:
    """Whether a value can stand as text beside any other without being read as an expression."""
    return isinstance(value, str) and value != "" and "@" not in value and not value.startswith("{")


def _tokens(text: str, at: int, *, whole: bool) -> tuple[list[Token], int]:
    try:
        return tokens(text, at, whole=whole)
    except Malformed as error:
        raise Unclear(error.position, error.reason) from None


def _extent(tokens: list[Token]) -> tuple[int, int]:
    return tokens[0].start, tokens[-1].end


def _reads(tokens: list[Token], values: Mapping[str, Any]) -> Iterator[tuple[int, int, Any]]:
    """Start, end and new value of each place that reads one of the global parameters in `values`."""
    for index, token in enumerate(tokens):
        called = [item.text for item in tokens[index + 1 : index + 3]] == ["(", ")"]
        if token.kind != "word" or token.text.lower() != _OWNER or not called:
            continue
        if index and tokens[index - 1].text == ".":
            continue
        member, after = _step(tokens, index + 3)
        if member is None:
            raise Unclear(token.start + 1, "what is taken of pipeline() can't be said before a run")
        if member != _MEMBER:
            continue
        name, after = _step(tokens, after)
        if name is None:
            raise Unclear(token.start + 1, "which global parameter is read can't be said before a run")
        if name in values:
            yield token.start, tokens[after - 1].end, values[name]


def _step(tokens: list[Token], at: int) -> tuple[str | None, int]:
    """`.name`, `?.name`, `['name']`, `?['name']` at `at`: the name in lower case, and what follows; None for others."""
    if at < len(tokens) and tokens[at].text == "?":
        at += 1
    texts = [item.text for item in tokens[at : at + 3]]
    if len(texts) > 1 and texts[0] == "." and tokens[at + 1].kind == "word":
        return texts[1].lower(), at + 2
    if len(texts) > 2 and texts[0] == "[" and tokens[at + 1].kind == "text" and texts[2] == "]":
        return texts[1][1:-1].replace("''", "'").lower(), at + 3
    return None, at


def _replaced(text: str, start: int, end: int, found: list[tuple[int, int, Any]]) -> str:
    parts, at = [], start
    for first, last, value in found:
        parts += [text[at:first], _written(value)]
        at = last
    return "".join([*parts, text[at:end]])


def _written(value: Any) -> str:
    """A value inside an expression: a text in quotes; anything else through json(), which gives the value itself."""
    if isinstance(value, str):
        return _quoted(value)
    return f"json({_quoted(json.dumps(value, ensure_ascii=False, separators=(',', ':')))})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
