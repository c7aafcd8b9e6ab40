"""Whether the expressions of Data Factory parse: `@x`, and `@{x}` inside a text. `@@` and `@@{` stand for text.

https://learn.microsoft.com/azure/data-factory/control-flow-expression-language-functions#expressions. Only what no
reading of that page allows is refused: brackets and texts without an end, values that are missing or that nothing
joins. Which functions there are, and what they take, is the service's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.domain.factory.references import Place

# A dash belongs to a name, so that a parameter whose name only begins alike is another one.
_TOKEN = re.compile(r"(?P<space>\s+)|(?P<text>'(?:[^']|'')*')|(?P<word>\w[\w-]*)|(?P<sign>\?(?=[.\[])|.)", re.S)
_CLOSES = {"(": ")", "[": "]"}
_CONSTANTS = ("true", "false", "null")
_LOOSE = re.compile(r"@[\w.$-]+")

_EVALUATED = (Kind.PIPELINES, Kind.DATASETS, Kind.LINKED_SERVICES, Kind.TRIGGERS)
_NEVER = frozenset({"description", "annotations", "folder", "defaultValue", "name", "referenceName"})


class Malformed(ValueError):
    """An expression that does not parse; `position` counts the string's characters from 1."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"position {position}: {reason}")
        self.position = position
        self.reason = reason


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    start: int
    end: int


def tokens(text: str, at: int, *, whole: bool) -> tuple[list[Token], int]:
    """An expression's tokens, and where it ends: at the end of the text, or at the first } outside quotes.

    Raises Malformed where it has no end."""
    found: list[Token] = []
    begin = at
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.group() == "'":
            raise Malformed(at + 1, "a text in quotes has no end")
        if not whole and match.group() == "}":
            return found, at
        if match.lastgroup != "space":
            found.append(Token(str(match.lastgroup), match.group(), match.start(), match.end()))
        at = match.end()
    if not whole:
        raise Malformed(len(text) + 1, f"the @{{ at position {begin - 1} has no }}")
    return found, at


def check(text: str) -> None:
    """Raises Malformed if the service could not read this string."""
    if text.startswith("@@"):
        return
    if text.startswith("@") and not text.startswith("@{"):
        found, end = tokens(text, 1, whole=True)
        _parse(found, end)
        return
    at = text.find("@{")
    while at >= 0:
        if at and text[at - 1] == "@":
            end = at + 1
        else:
            found, end = tokens(text, at + 2, whole=False)
            _parse(found, end)
        at = text.find("@{", end)


def _parse(found: list[Token], end: int) -> None:
    """Goes through values and what may stand between them; no recursion, so no depth is too great."""
    open_: list[Token] = []
    value_next, before = True, None
    for number, token in enumerate(found):
        sign = token.text if token.kind == "sign" else ""
        if value_next:
            if sign == ")" and before is not None and before.text == "(" and open_:
                open_.pop()
                value_next = False
            elif not sign:
                _check_value(token, found[number + 1 : number + 2])
                value_next = False
            elif sign not in "+-" or (before is not None and before.text in ("+", "-")):
                raise Malformed(token.start + 1, f"a value should be here, not {sign}")
        elif sign == "[" or (sign == "(" and before is not None and before.kind == "word"):
            open_.append(token)
            value_next = True
        elif sign in (")", "]"):
            if not open_ or _CLOSES[open_[-1].text] != sign:
                raise Malformed(token.start + 1, f"{sign} closes nothing")
            open_.pop()
        elif sign == "," and open_ and open_[-1].text == "(":
            value_next = True
        elif not _joins(sign, token, before):
            raise Malformed(token.start + 1, f"{token.text[:1]} is not expected here")
        before = token
    if open_:
        raise Malformed(open_[-1].start + 1, f"{open_[-1].text} has no {_CLOSES[open_[-1].text]}")
    if value_next or (before is not None and before.text in (".", "?")):
        raise Malformed(end + 1, "ends where a value should be")


def _check_value(token: Token, after: list[Token]) -> None:
    """A word in a value's place is a function, with its brackets, or a constant."""
    called = bool(after) and after[0].text == "("
    if token.kind == "word" and not called and token.text.lower() not in _CONSTANTS and not token.text[0].isdigit():
        raise Malformed(token.start + 1, f"{token.text!r} needs () behind it, or quotes around it")


def _joins(sign: str, token: Token, before: Token | None) -> bool:
    """The way to a property: `.name`, `?.name`, `.$name`; the ? of ?[."""
    after = before.text if before is not None and before.kind == "sign" else ""
    if token.kind == "word":
        # https://learn.microsoft.com/azure/data-factory/author-global-parameters names this mistake.
        if after in (".", "$") and "-" in token.text:
            raise Malformed(token.start + token.text.index("-") + 1, f"- ends a name; write ['{token.text}']")
        return after in (".", "$")
    return (sign == "." and after != ".") or (sign == "?" and after != "?") or (sign == "$" and after == ".")


@dataclass(frozen=True)
class Unparsable:
    """`place` leads to the string. `activity`: the innermost around it, "" outside of any. `certain`: Studio marked the
    string as an expression; otherwise it looks like one, and the property may not be evaluated."""

    place: Place
    activity: str
    error: Malformed
    certain: bool

    def __str__(self) -> str:
        where = f" of activity {self.activity!r}" if self.activity else ""
        return f"an expression{where} does not parse: {self.error}"


def unparsable(item: FactoryObject) -> Iterator[Unparsable]:
    """The strings of an object that can't be read. Inactive activities are passed over, as in Studio's validation
    (https://learn.microsoft.com/azure/data-factory/deactivate-activity)."""
    if item.kind not in _EVALUATED:
        return
    pending: list[tuple[Place, str, Any, bool]] = [(("properties",), "", item.properties, False)]
    while pending:
        place, activity, value, marked = pending.pop()
        if isinstance(value, Mapping):
            if value.get("state") == "Inactive" or value.get("type") == "SecureString":
                continue
            if isinstance(value.get("name"), str) and isinstance(value.get("typeProperties"), Mapping):
                activity = value["name"]
            marked = value.get("type") == "Expression"
            members = [((*place, key), activity, value[key], marked) for key in value if key not in _NEVER]
            pending += reversed(members)
        elif isinstance(value, list):
            pending += reversed([((*place, at), activity, one, False) for at, one in enumerate(value)])
        elif type(value) is not str or "@" not in value:  # a Secret is a str, but not a plain one
            continue
        elif marked or not _LOOSE.fullmatch(value):
            try:
                check(value)
            except Malformed as error:
                yield Unparsable(place, activity, error, marked)
