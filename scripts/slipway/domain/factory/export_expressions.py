"""Evaluates the template expressions that Studio writes into an export: parameters, variables, concat, format; and json,
which generate_factory_template writes.

513 real exports have no other function. An expression that Slipway can't evaluate is refused by name, never guessed:
only what was evaluated here can be compared with the live factory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from slipway.domain.factory.json_file import Unreadable, parse_text
from slipway.domain.factory.references import Place

_TOKEN = re.compile(r"\s*(?:(?P<name>[A-Za-z_][A-Za-z0-9_.]*)|'(?P<text>(?:[^']|'')*)'|(?P<int>-?\d+)|(?P<sign>[(),]))")
_DEEPEST = 50
_DEEPEST_VALUE = 200


class Unsupported(ValueError):
    """An expression that does not parse, or needs more than an export has. The text names the position, no value."""


def is_expression(text: str) -> bool:
    """Whether Resource Manager evaluates this string (same rule as its own: `[…]`, but not `[[`)."""
    return text.startswith("[") and text.endswith("]") and not text.startswith("[[")


def literal(text: str) -> str:
    """What a string that is no expression stands for. Studio writes one more `[` before every string that begins with
    one, whether or not it ends with `]`; so one is taken away in both cases, and the factory's own text is back."""
    return text[1:] if text.startswith("[[") else text


class Evaluator:
    """Values of a template's strings. `parameters` and `variables` by their names; case does not matter.

    Variables may use parameters, as in `factoryId`. Raises Unsupported.
    """

    def __init__(self, parameters: Mapping[str, Any], variables: Mapping[str, Any] | None = None) -> None:
        self._parameters = {name.lower(): value for name, value in parameters.items()}
        self._variables = {name.lower(): value for name, value in (variables or {}).items()}

    def value(self, value: Any, problems: list[tuple[Place, str]] | None = None) -> Any:
        """`value` with every expression in it replaced (of keys, only a doubled [ is undone).

        With `problems`, an expression that can't be evaluated is noted there with its place, and stays as it is.
        """
        return self._resolve(value, (), problems)

    def _resolve(self, value: Any, place: Place, problems: list[tuple[Place, str]] | None) -> Any:
        if len(place) > _DEEPEST_VALUE:
            raise Unsupported("nested too deeply")
        if isinstance(value, Mapping):
            return {literal(str(key)): self._resolve(item, (*place, key), problems) for key, item in value.items()}
        if isinstance(value, list):
            return [self._resolve(item, (*place, index), problems) for index, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        try:
            return self.text(value) if is_expression(value) else literal(value)
        except Unsupported as error:
            if problems is None:
                raise
            problems.append((place, str(error)))
            return value

    def text(self, expression: str) -> Any:
        """The value of one expression, brackets and all."""
        inner = expression[1:-1]
        value, position = self._term(inner, 0, 0)
        if inner[position:].strip():
            raise Unsupported(f"{shorten(expression)} does not parse at position {position + 2}")
        return value

    def _term(self, text: str, position: int, depth: int) -> tuple[Any, int]:
        if depth > _DEEPEST:
            raise Unsupported(f"{shorten(text)} is nested too deeply")
        token = _TOKEN.match(text, position)
        if token is None or token["sign"]:
            raise Unsupported(f"{shorten(text)} does not parse at position {position + 2}")
        if token["text"] is not None:
            return token["text"].replace("''", "'"), token.end()
        if token["int"] is not None:
            return int(token["int"]), token.end()
        name = token["name"]
        arguments, position = self._arguments(text, token.end(), depth)
        return self._call(name, arguments, text), position

    def _arguments(self, text: str, position: int, depth: int) -> tuple[list[Any], int]:
        sign = _TOKEN.match(text, position)
        if sign is None or sign["sign"] != "(":
            raise Unsupported(f"{shorten(text)} does not parse at position {position + 2}: ( is missing")
        position = sign.end()
        arguments: list[Any] = []
        sign = _TOKEN.match(text, position)
        if sign is not None and sign["sign"] == ")":
            return arguments, sign.end()
        while True:
            value, position = self._term(text, position, depth + 1)
            arguments.append(value)
            sign = _TOKEN.match(text, position)
            if sign is None or sign["sign"] not in (",", ")"):
                raise Unsupported(f"{shorten(text)} does not parse at position {position + 2}: , or ) is missing")
            position = sign.end()
            if sign["sign"] == ")":
                return arguments, position

    def _call(self, name: str, arguments: list[Any], text: str) -> Any:
        function = name.lower()
        if function in ("parameters", "variables"):
            if len(arguments) != 1 or not isinstance(arguments[0], str):
                raise Unsupported(f"{name} in {shorten(text)} needs one name")
            table = self._parameters if function == "parameters" else self._variables
            if arguments[0].lower() not in table:
                raise Unsupported(f"{function[:-1]} {arguments[0]!r} is not declared in the template")
            value = table[arguments[0].lower()]
            return self.value(value) if function == "variables" else value
        if function == "concat":
            if any(isinstance(item, Mapping | list) or item is None for item in arguments):
                raise Unsupported(f"concat of something that is not text in {shorten(text)}")
            # A Secret joined with anything stays one, so it is never shown (see export_parameters).
            joined: Any = ""
            for item in arguments:
                joined = joined + (item if isinstance(item, str) else _spell(item))
            return joined
        if function == "json" and len(arguments) == 1 and isinstance(arguments[0], str):
            return _json(arguments[0], text)
        if function == "format" and arguments and isinstance(arguments[0], str):
            return _format(arguments[0], arguments[1:], text)
        raise Unsupported(f"{shorten(text)} uses {name}, which no export has")


def _json(value: str, text: str) -> Any:
    """The value in a text: how generate_factory_template gives numbers with a fraction to a template."""
    try:
        return parse_text(value)[0]
    except Unreadable as error:
        raise Unsupported(f"json in {shorten(text)} gets a text that is none, column {error.column}: {error}") from None


def _spell(value: Any) -> str:
    return ("True" if value else "False") if isinstance(value, bool) else str(value)


def _format(pattern: str, arguments: list[Any], text: str) -> Any:
    """.NET's composite format as far as `{0}` goes."""
    result: Any = ""
    for part in re.split(r"(\{\{|\}\}|\{\d+\})", pattern):
        if part in ("{{", "}}"):
            result = result + part[0]
        elif re.fullmatch(r"\{\d+\}", part):
            number = int(part[1:-1])
            if number >= len(arguments) or isinstance(arguments[number], Mapping | list):
                raise Unsupported(f"format in {shorten(text)} has no argument {part}")
            item = arguments[number]
            result = result + (item if isinstance(item, str) else _spell(item))
        elif "{" in part or "}" in part:
            raise Unsupported(f"format in {shorten(text)} has more than {{0}}")
        else:
            result = result + part
    return result


def shorten(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"
