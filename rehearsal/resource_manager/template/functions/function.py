"""What a function of the language is, and how its arguments are checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from rehearsal.resource_manager.template.context import Context
from rehearsal.resource_manager.template.errors import ExpressionError
from rehearsal.resource_manager.template.syntax import Call, Node
from rehearsal.resource_manager.template.values import describe, is_integer

Json = Any
Evaluate: TypeAlias = Callable[[Node, Context], Json]
Eager: TypeAlias = Callable[[Context, list[Json]], Json]
Lazy: TypeAlias = Callable[[Call, Context, Evaluate], Json]


@dataclass(frozen=True)
class Function:
    """A function by name with its number of arguments (maximum None: any number); eager gets values, lazy gets the tree."""

    name: str
    minimum: int
    maximum: int | None
    eager: Eager | None = None
    lazy: Lazy | None = None


def plain(name: str, minimum: int, maximum: int | None, body: Callable[..., Json]) -> Function:
    """A function of its argument values alone."""
    return Function(name, minimum, maximum, eager=lambda _context, arguments: body(*arguments))


def invalid(name: str, why: str) -> ExpressionError:
    return ExpressionError(
        f"The template language function '{name}' {why} Please see https://aka.ms/arm-template-expressions/#{name} "
        "for usage details."
    )


def text(name: str, value: Json) -> str:
    """The argument as a string. Raises ExpressionError when it is none."""
    if not isinstance(value, str):
        raise invalid(name, f"expects its parameter to be a string. The provided value is of type '{describe(value)}'.")
    return value


def integer(name: str, value: Json) -> int:
    if not is_integer(value):
        raise invalid(
            name, f"expects its parameter to be an integer. The provided value is of type '{describe(value)}'."
        )
    number: int = value
    return number


def boolean(name: str, value: Json) -> bool:
    if not isinstance(value, bool):
        raise ExpressionError(
            f"The provided arguments for template language function '{name}' is not valid: all arguments should be of "
            f"type 'boolean'. Please see https://aka.ms/arm-template-expressions#{name} for usage details."
        )
    return value


def array(name: str, value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise invalid(name, f"expects its parameter to be an array. The provided value is of type '{describe(value)}'.")
    return value


def obj(name: str, value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise invalid(
            name, f"expects its parameter to be an object. The provided value is of type '{describe(value)}'."
        )
    return value
