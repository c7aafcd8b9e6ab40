"""Template expressions as a tree: calls, literals, property access.

Grammar: learn.microsoft.com/azure/azure-resource-manager/templates/template-expressions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from rehearsal.resource_manager.template.errors import ExpressionError

LONGEST = 24_576
"""Characters in one expression (learn.microsoft.com/azure/azure-resource-manager/templates/best-practices#template-limits)."""

DEEPEST = 100
"""Calls inside one another (our own limit; the service's is not documented)."""


@dataclass(frozen=True)
class Literal:
    value: str | int | float


@dataclass(frozen=True)
class Call:
    """A function of the language, or one of the template's own (`namespace.name`)."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Access:
    """`target.name` and `target[index]`; safe: `.?` and `[?]`, null instead of an error."""

    target: Node
    key: Node
    safe: bool = False


Node: TypeAlias = Literal | Call | Access

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[A-Za-z_$][\w$]*)|(?P<mark>\.\?|\[\?|[()\[\],.]))"
)
_NAMES = {"(": "LeftParenthesis", ")": "RightParenthesis", "[": "LeftSquareBracket", "]": "RightSquareBracket"}
_NAMES |= {",": "Comma", ".": "Dot", "string": "StringLiteral", "number": "IntegerLiteral", "word": "Identifier"}


def is_expression(text: str) -> bool:
    return text.startswith("[") and text.endswith("]") and not text.startswith("[[")


def unescape(text: str) -> str:
    """A string that is no expression, as the service takes it: `[[x]` stands for `[x]`."""
    return text[1:] if text.startswith("[[") and text.endswith("]") else text


@lru_cache(maxsize=8192)
def parse(text: str) -> Node:
    """The tree of `[…]`, brackets included. Raises ExpressionError."""
    if len(text) > LONGEST:
        raise ExpressionError(
            f"The template language expression length limit exceeded. Limit: '{LONGEST}' and actual: '{len(text)}'."
        )
    return _Parser(text).parse()


def render(node: Node) -> str:
    """The expression's text again, without the brackets around it."""
    if isinstance(node, Literal):
        return "'" + node.value.replace("'", "''") + "'" if isinstance(node.value, str) else str(node.value)
    if isinstance(node, Call):
        return f"{node.name}({', '.join(map(render, node.arguments))})"
    mark = "?" if node.safe else ""
    if (
        isinstance(node.key, Literal)
        and isinstance(node.key.value, str)
        and re.fullmatch(r"[A-Za-z_]\w*", node.key.value)
    ):
        return f"{render(node.target)}.{mark}{node.key.value}"
    return f"{render(node.target)}[{mark}{render(node.key)}]"


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        self._depth = 0
        inner, at = text[1:-1], 0
        while inner[at:].strip():
            match = _TOKEN.match(inner, at)
            if match is None:
                raise self._wrong(f"unexpected character '{inner[at:].strip()[0]}'")
            kind = match.lastgroup or ""
            self._tokens.append((match[kind] if kind == "mark" else kind, match[kind]))
            at = match.end()

    def parse(self) -> Node:
        node = self._expression()
        if self._at < len(self._tokens):
            raise self._expected("EndOfData")
        return node

    def _wrong(self, what: str) -> ExpressionError:
        return ExpressionError(f"Unable to parse language expression '{self._text[1:-1]}': {what}.")

    def _expected(self, wanted: str) -> ExpressionError:
        kind = self._tokens[self._at][0] if self._at < len(self._tokens) else "EndOfData"
        return self._wrong(f"expected token '{_NAMES.get(wanted, wanted)}' and actual '{_NAMES.get(kind, kind)}'")

    def _kind(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _take(self, kind: str) -> str:
        if self._kind() != kind:
            raise self._expected(kind)
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _expression(self) -> Node:
        node = self._primary()
        while self._kind() in (".", ".?", "[", "[?"):
            mark = self._take(self._kind())
            if mark.startswith("."):
                node = Access(node, Literal(self._take("word")), mark.endswith("?"))
            else:
                key = self._expression()
                self._take("]")
                node = Access(node, key, mark.endswith("?"))
        return node

    def _primary(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._wrong(f"more than {DEEPEST} calls inside one another")
        try:
            return self._one()
        finally:
            self._depth -= 1

    def _one(self) -> Node:
        kind = self._kind()
        if kind == "string":
            return Literal(self._take(kind)[1:-1].replace("''", "'"))
        if kind == "number":
            number = self._take(kind)
            return Literal(float(number) if "." in number else int(number))
        name = self._take("word")
        while self._kind() == ".":
            name += self._take(".") + self._take("word")
        self._take("(")
        arguments: list[Node] = []
        while self._kind() not in (")", ""):
            if arguments:
                self._take(",")
            arguments.append(self._expression())
        self._take(")")
        return Call(name, tuple(arguments))
