"""Tokens to a tree. What is wrong with an expression's form is found here, before anything is evaluated."""

from __future__ import annotations

from dataclasses import dataclass

from rehearsal.pipelines.expressions.functions import FUNCTIONS, STATUS_FUNCTIONS, Function
from rehearsal.pipelines.expressions.lexer import Kind, Token, tokens
from rehearsal.pipelines.expressions.values import ExpressionSyntaxError, Value

MAX_DEPTH = 50


@dataclass(frozen=True)
class Literal:
    value: Value


@dataclass(frozen=True)
class Name:
    """A context such as `parameters` or `variables`, or the variable of an `each`."""

    name: str


@dataclass(frozen=True)
class Index:
    """`target.key`, `target['key']`, `target[0]`; key is None for `target.*`, every item."""

    target: Node
    key: Node | None


@dataclass(frozen=True)
class Call:
    function: Function
    arguments: tuple[Node, ...]


Node = Literal | Name | Index | Call


def parse(text: str) -> Node:
    """The tree of an expression. Raises ExpressionSyntaxError, also for an unknown function or a wrong number of arguments."""
    try:
        parser = _Parser(list(tokens(text)))
        node = parser.expression(1)
        parser.end()
    except ExpressionSyntaxError as error:
        raise error.within(text) from error
    return node


class _Parser:
    def __init__(self, read: list[Token]) -> None:
        self._tokens = read
        self._next = 0

    def expression(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise ExpressionSyntaxError(f"Exceeded max expression depth {MAX_DEPTH}")
        token = self._take()
        match token.kind:
            case Kind.LITERAL:
                node: Node = Literal(token.value)
            case Kind.NAME if self._peek(Kind.OPEN):
                node = self._call(token, depth)
            case Kind.NAME if token.text.lower() in FUNCTIONS:
                raise _wrong(f"Expected '(' to follow a function: '{token.text}'", token)
            case Kind.NAME:
                node = Name(token.text)
            case _:
                raise _unexpected(token)
        return self._indexes(node, depth)

    def end(self) -> None:
        if self._next < len(self._tokens):
            raise _unexpected(self._tokens[self._next])

    def _call(self, name: Token, depth: int) -> Node:
        function = FUNCTIONS.get(name.text.lower()) or STATUS_FUNCTIONS.get(name.text.lower())
        if function is None:
            raise _wrong(f"Unrecognized value: '{name.text}'", name)
        self._take(Kind.OPEN)
        arguments: list[Node] = []
        while not self._peek(Kind.CLOSE):
            if self._next >= len(self._tokens):
                raise _wrong(f"Unclosed function: '{name.text}'", name)
            if arguments:
                comma = self._take(Kind.COMMA)
                if function.most is not None and len(arguments) >= function.most:
                    raise _wrong(f"{_unexpected(comma)}: too many parameters for '{function.name}'", comma)
                if self._next >= len(self._tokens):
                    raise _wrong(f"Unclosed function: '{name.text}'", name)
            arguments.append(self.expression(depth + 1))
        close = self._take(Kind.CLOSE)
        if len(arguments) < function.least:
            raise _wrong(f"{_unexpected(close)}: too few parameters for '{function.name}'", close)
        if function.most is not None and len(arguments) > function.most:
            raise _wrong(f"{_unexpected(close)}: too many parameters for '{function.name}'", close)
        return Call(function, tuple(arguments))

    def _indexes(self, node: Node, depth: int) -> Node:
        while self._next < len(self._tokens):
            if self._peek(Kind.DOT):
                dot = self._take()
                if self._next >= len(self._tokens):
                    raise _wrong("Expected a property name to follow the dereference operator '.': '.'", dot)
                token = self._take()
                if token.kind not in (Kind.NAME, Kind.STAR):
                    raise _unexpected(token)
                node = Index(node, None if token.kind is Kind.STAR else Literal(token.text))
            elif self._peek(Kind.OPEN_INDEX):
                self._take()
                if self._peek(Kind.STAR):
                    self._take()
                    node = Index(node, None)
                else:
                    node = Index(node, self.expression(depth + 1))
                self._take(Kind.CLOSE_INDEX)
            else:
                break
        return node

    def _peek(self, kind: Kind) -> bool:
        return self._next < len(self._tokens) and self._tokens[self._next].kind is kind

    def _take(self, kind: Kind | None = None) -> Token:
        if self._next >= len(self._tokens):
            raise ExpressionSyntaxError(
                "Unexpected end of expression" if self._tokens else "An expression was expected"
            )
        token = self._tokens[self._next]
        if kind is not None and token.kind is not kind:
            raise _unexpected(token)
        self._next += 1
        return token


def _unexpected(token: Token) -> ExpressionSyntaxError:
    return _wrong(f"Unexpected symbol: '{token.text}'", token)


def _wrong(message: str, token: Token) -> ExpressionSyntaxError:
    return ExpressionSyntaxError(message, token.text, token.offset)
