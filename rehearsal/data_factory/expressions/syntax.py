"""Reading strings: what is text in them, and what is an expression.

`@x` is an expression, `@@x` the text "@x", `a@{x}b` a text with expressions in it, `@@{` the text "@{"
(learn.microsoft.com/azure/data-factory/control-flow-expression-language-functions#expressions).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rehearsal.data_factory.expressions.errors import SyntaxMistake

Json = Any
_SPACE = re.compile(r"\s*")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_NAME = re.compile(r"[A-Za-z_]\w*")
_WORDS: dict[str, Json] = {"true": True, "false": False, "null": None}
_DEEPEST = 100


@dataclass(frozen=True)
class Literal:
    value: Json


@dataclass(frozen=True)
class Call:
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Step:
    """`of.name`, `of['name']`, `of[0]`; safe (`of?.name`): null where `of` is null."""

    of: Node
    key: Node
    safe: bool


Node = Literal | Call | Step


@dataclass(frozen=True)
class Interpolation:
    """Texts and expressions that become one text."""

    parts: tuple[str | Node, ...]


def read(text: str) -> str | Node | Interpolation:
    """What a string of a definition means: a text, an expression, or a text with expressions. Raises SyntaxMistake."""
    if text.startswith("@@"):
        return text[1:]
    if text.startswith("@") and not text.startswith("@{"):
        reader = _Reader(text, 1)
        node = reader.node()
        reader.end()
        return node
    return _interpolation(text) if "@{" in text else text


def _interpolation(text: str) -> str | Interpolation:
    parts: list[str | Node] = []
    plain, at = "", 0
    while at < len(text):
        if text.startswith("@@{", at):
            plain, at = plain + "@{", at + 3
        elif text.startswith("@{", at):
            reader = _Reader(text, at + 2)
            node = reader.node()
            reader.take("}")
            parts += [plain, node] if plain else [node]
            plain, at = "", reader.at
        else:
            plain, at = plain + text[at], at + 1
    if not parts:
        return plain
    return Interpolation((*parts, plain) if plain else tuple(parts))


class _Reader:
    def __init__(self, text: str, at: int) -> None:
        self.text, self.at, self._depth = text, at, 0

    def end(self) -> None:
        self._space()
        if self.at < len(self.text):
            raise self._wrong(f"unexpected '{self.text[self.at]}' after the expression")

    def take(self, wanted: str) -> None:
        self._space()
        if not self.text.startswith(wanted, self.at):
            found = f"'{self.text[self.at]}'" if self.at < len(self.text) else "the end"
            raise self._wrong(f"expected '{wanted}' and found {found}")
        self.at += len(wanted)

    def node(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong(f"the expression is more than {_DEEPEST} levels deep")
        found = self._steps(self._primary())
        self._depth -= 1
        return found

    def _primary(self) -> Node:
        self._space()
        if self.text.startswith("'", self.at):
            return Literal(self._string())
        if number := _NUMBER.match(self.text, self.at):
            self.at = number.end()
            return Literal(float(number[0]) if number[1] or number[2] else int(number[0]))
        word = _NAME.match(self.text, self.at)
        if word is None:
            found = f"'{self.text[self.at]}'" if self.at < len(self.text) else "the end"
            raise self._wrong(f"expected a function, a text or a number and found {found}")
        start, self.at = self.at, word.end()
        self._space()
        if self.text.startswith("(", self.at):
            return Call(word[0], self._arguments())
        if word[0].lower() in _WORDS:
            return Literal(_WORDS[word[0].lower()])
        self.at = start
        raise self._wrong(f"'{word[0]}' is no function call")

    def _arguments(self) -> tuple[Node, ...]:
        self.take("(")
        if self._next(")"):
            return ()
        found = [self.node()]
        while self._next(","):
            found.append(self.node())
        self.take(")")
        return tuple(found)

    def _steps(self, node: Node) -> Node:
        while True:
            self._space()
            safe = self.text.startswith(("?.", "?["), self.at)
            if safe:
                self.at += 1
            if self._next("."):
                self._space()
                name = _NAME.match(self.text, self.at)
                if name is None:
                    raise self._wrong("expected a property's name")
                self.at = name.end()
                node = Step(node, Literal(name[0]), safe)
            elif self._next("["):
                key = self.node()
                self.take("]")
                node = Step(node, key, safe)
            else:
                return node

    def _string(self) -> str:
        start, found = self.at, ""
        self.at += 1
        while True:
            close = self.text.find("'", self.at)
            if close < 0:
                self.at = start
                raise self._wrong("the text has no end")
            found += self.text[self.at : close]
            self.at = close + 1
            if not self.text.startswith("'", self.at):
                return found
            found += "'"
            self.at += 1

    def _next(self, wanted: str) -> bool:
        self._space()
        if not self.text.startswith(wanted, self.at):
            return False
        self.at += len(wanted)
        return True

    def _space(self) -> None:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _wrong(self, text: str) -> SyntaxMistake:
        return SyntaxMistake(self.at + 1, text)


def calls(text: str) -> Iterator[str]:
    """The names of all functions that a string calls. Raises SyntaxMistake."""
    found = read(text)
    if not isinstance(found, str):
        parts = found.parts if isinstance(found, Interpolation) else (found,)
        for part in parts:
            yield from _calls(part)


def _calls(node: str | Node) -> Iterator[str]:
    if isinstance(node, Call):
        yield node.name
        for argument in node.arguments:
            yield from _calls(argument)
    elif isinstance(node, Step):
        yield from _calls(node.of)
        yield from _calls(node.key)
