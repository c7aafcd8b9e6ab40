"""`${{ }}` inside the text of YAML: where an expression begins and ends, and which keys are directives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from rehearsal.pipelines.expressions import ExpressionSyntaxError, Node, parse
from rehearsal.pipelines.expressions.functions import FUNCTIONS

_OPEN = "${{"
_DIRECTIVE = re.compile(r"(if|elseif|else|each|insert)(?:\s+|$)(.*)", re.DOTALL)
_EACH = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s+in\s+(.*)", re.DOTALL)


@dataclass(frozen=True)
class Expression:
    text: str
    node: Node


@dataclass(frozen=True)
class Directive:
    """keyword is if, elseif, else, each or insert; expression is None for else and insert; variable is for each alone."""

    keyword: str
    expression: Node | None
    variable: str = ""


@lru_cache(maxsize=4096)
def split(text: str) -> tuple[str | Expression, ...]:
    """Text and expressions in order. Raises ExpressionSyntaxError for an expression that does not end or cannot be read."""
    parts: list[str | Expression] = []
    at = 0
    while (start := text.find(_OPEN, at)) >= 0:
        end = _end(text, start + len(_OPEN))
        inner = text[start + len(_OPEN) : end].strip()
        if _is_directive(inner):
            raise ExpressionSyntaxError(f"The directive '{inner.split()[0]}' is not allowed in this context", inner)
        if start > at:
            parts.append(text[at:start])
        parts.append(Expression(inner, parse(inner)))
        at = end + 2
    if at < len(text):
        parts.append(text[at:])
    return tuple(parts)


@lru_cache(maxsize=1024)
def directive(key: str) -> Directive | None:
    """The directive that a key is, or None. Raises ExpressionSyntaxError for one that cannot be read."""
    stripped = key.strip()
    if not stripped.startswith(_OPEN):
        return None
    end = _end(stripped, len(_OPEN))
    inner = stripped[len(_OPEN) : end].strip()
    match = _DIRECTIVE.match(inner)
    if match is None or end + 2 != len(stripped):
        return None
    keyword, rest = match.group(1), match.group(2).strip()
    match keyword:
        case "else" | "insert":
            if rest:
                raise ExpressionSyntaxError(f"'{keyword}' takes no expression", rest)
            return Directive(keyword, None)
        case "each":
            loop = _EACH.fullmatch(rest)
            if loop is None:
                raise ExpressionSyntaxError("Expected 'each <name> in <expression>'", rest)
            if loop.group(1).lower() in FUNCTIONS:
                raise ExpressionSyntaxError(f"Expected '(' to follow a function: '{loop.group(1)}'")
            return Directive(keyword, parse(loop.group(2)), loop.group(1))
    return Directive(keyword, parse(rest))


def _is_directive(inner: str) -> bool:
    return _DIRECTIVE.match(inner) is not None


def _end(text: str, start: int) -> int:
    """Where `}}` stands that ends an expression: not inside quotes."""
    quoted = False
    for at in range(start, len(text)):
        if text[at] == "'":
            quoted = not quoted
        elif not quoted and text.startswith("}}", at):
            return at
    raise ExpressionSyntaxError(
        "The expression is not closed. An unescaped ${{ sequence was found, but the closing }} sequence was not found."
    )
