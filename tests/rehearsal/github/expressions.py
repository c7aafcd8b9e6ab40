"""The part of GitHub's expressions that our workflows use; anything else is refused by name.

Source: https://docs.github.com/actions/reference/workflows-and-actions/expressions (operators, literals, status functions, format).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|\|\||&&|==|!=|[!()\[\],.]|[A-Za-z_][\w-]*|\d+)")
_WHOLE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
STATUSES = ("success", "failure", "cancelled", "always")


class Refused(Exception):
    """Something that the real service knows, and this does not."""


def fill(text: Any, contexts: Mapping[str, Any], status: str = "success") -> Any:
    """A value of a workflow with its expressions evaluated: of a whole expression its value, else text."""
    if not isinstance(text, str):
        return text
    if (whole := _WHOLE.fullmatch(text.strip())) and text.strip().count("${{") == 1:
        return evaluate(whole[1], contexts, status)
    return _WHOLE.sub(lambda found: as_text(evaluate(found[1], contexts, status)), text)


def as_text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def condition(text: str | None, contexts: Mapping[str, Any], status: str) -> bool:
    """Whether a step runs: without a status function, only while all went well (the same page, "Status check functions")."""
    inner = "success()" if text is None else text.strip().removeprefix("${{").removesuffix("}}")
    if not any(f"{name}(" in inner for name in STATUSES):
        inner = f"success() && ({inner})"
    return bool(evaluate(inner, contexts, status))


def evaluate(text: str, contexts: Mapping[str, Any], status: str) -> Any:
    tokens, position = [], 0
    while text[position:].strip():
        found = _TOKEN.match(text, position)
        if not found:
            raise Refused(f"expression {text!r}")
        tokens.append(found[1])
        position = found.end()
    reader = _Reader(tokens, contexts, status)
    value = reader.either()
    if reader.tokens:
        raise Refused(f"expression {text!r}, at {reader.tokens[0]}")
    return value


class _Reader:
    def __init__(self, tokens: list[str], contexts: Mapping[str, Any], status: str) -> None:
        self.tokens, self._contexts, self._status = tokens, contexts, status

    def _take(self, *wanted: str) -> str:
        if self.tokens and (not wanted or self.tokens[0] in wanted):
            return self.tokens.pop(0)
        return ""

    def either(self) -> Any:
        value = self._both()
        while self._take("||"):
            other = self._both()
            value = value or other
        return value

    def _both(self) -> Any:
        value = self._equal()
        while self._take("&&"):
            other = self._equal()
            value = value and other
        return value

    def _equal(self) -> Any:
        value = self._one()
        while sign := self._take("==", "!="):
            same = as_text(value).casefold() == as_text(self._one()).casefold()
            value = same if sign == "==" else not same
        return value

    def _one(self) -> Any:
        token = self._take()
        if token == "!":
            return not self._one()
        if token == "(":
            value = self.either()
            self._expect(")")
            return value
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if token.isdigit():
            return int(token)
        if self._take("("):
            return self._call(token)
        return self._dereferenced(token)

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise Refused(f"{token} is missing")

    def _call(self, name: str) -> Any:
        arguments = []
        while not self._take(")"):
            arguments.append(self.either())
            self._take(",")
        if name in STATUSES:
            return name == "always" or name == self._status
        if name == "format":
            return re.sub(r"\{(\d+)\}", lambda found: as_text(arguments[1 + int(found[1])]), arguments[0])
        raise Refused(f"function {name}")

    def _dereferenced(self, name: str) -> Any:
        if name not in self._contexts:
            raise Refused(f"context {name}")
        value = self._contexts[name]
        while True:
            if self._take("."):
                value = _member(value, self._take())
            elif self._take("["):
                key = self.either()
                self._expect("]")
                value = _member(value, key)
            else:
                return value


def _member(value: Any, key: str) -> Any:
    """A missing member is null; names are compared without their case."""
    if not isinstance(value, Mapping):
        return None
    return next((each for name, each in value.items() if name.casefold() == key.casefold()), None)
