"""Numeric functions (learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-numeric)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rehearsal.resource_manager.template.context import Context
from rehearsal.resource_manager.template.errors import ExpressionError
from rehearsal.resource_manager.template.functions.function import Function, integer, invalid, plain, text

Json = Any
_LARGEST = 2**63


def _arithmetic(name: str, operation: Callable[[int, int], int]) -> Function:
    def apply(left: Json, right: Json) -> int:
        result = operation(integer(name, left), integer(name, right))
        if not -_LARGEST <= result < _LARGEST:
            raise invalid(name, "gives a number that does not fit into 64 bits.")
        return result

    return plain(name, 2, 2, apply)


def _div(left: int, right: int) -> int:
    if right == 0:
        raise invalid("div", "can't divide by zero.")
    return abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)


def _mod(left: int, right: int) -> int:
    if right == 0:
        raise invalid("mod", "can't divide by zero.")
    return left - _div(left, right) * right


def _int(value: Json) -> int:
    if isinstance(value, float):
        return int(value)
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError as error:
            raise invalid("int", f"can't convert '{value}' to an integer.") from error
    return integer("int", value)


def _float(value: Json) -> float:
    try:
        return float(value if isinstance(value, int | float) else text("float", value))
    except ValueError as error:
        raise invalid("float", f"can't convert '{value}' to a number.") from error


def _copy_index(context: Context, arguments: list[Json]) -> int:
    name, offset = "", 0
    for argument in arguments:
        if isinstance(argument, str):
            name = argument
        else:
            offset = integer("copyIndex", argument)
    if name.lower() not in context.loops:
        place = "a resource with a 'copy' loop" if not name else f"the copy loop '{name}'"
        raise ExpressionError(
            f"The template function 'copyIndex' is not expected at this location. The function can only be used in {place}. "
            "Please see https://aka.ms/arm-copy for usage details."
        )
    return context.loops[name.lower()] + offset


FUNCTIONS = (
    _arithmetic("add", lambda left, right: left + right),
    _arithmetic("sub", lambda left, right: left - right),
    _arithmetic("mul", lambda left, right: left * right),
    _arithmetic("div", _div),
    _arithmetic("mod", _mod),
    plain("int", 1, 1, _int),
    plain("float", 1, 1, _float),
    Function("copyIndex", 0, 2, eager=_copy_index),
)
