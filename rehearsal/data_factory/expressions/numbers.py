"""Functions on numbers. Whole numbers stay whole; a division of two of them is cut towards zero, as .NET does."""

from __future__ import annotations

import random
from typing import Any

from rehearsal.data_factory.expressions.errors import ExpressionError
from rehearsal.data_factory.expressions.function import MANY, Function
from rehearsal.data_factory.expressions.values import as_integer, as_list, as_number

Json = Any
Number = int | float


def _div(left: Json, right: Json) -> Number:
    above, below = as_number("div", left), as_number("div", right)
    if below == 0:
        raise ExpressionError("The template function 'div' can't divide by zero.")
    if isinstance(above, int) and isinstance(below, int):
        found = abs(above) // abs(below)
        return found if (above < 0) == (below < 0) else -found
    return above / below


def _mod(left: Json, right: Json) -> Number:
    above, below = as_number("mod", left), as_number("mod", right)
    if below == 0:
        raise ExpressionError("The template function 'mod' can't divide by zero.")
    found = abs(above) % abs(below)
    return -found if above < 0 else found


def _rand(low: Json, high: Json) -> int:
    first, end = as_integer("rand", low), as_integer("rand", high)
    if first >= end:
        raise ExpressionError("The template function 'rand' expects its first parameter below the second.")
    return random.randrange(first, end)  # noqa: S311 - what the function is for


def _numbers(name: str, values: tuple[Json, ...]) -> list[Number]:
    given = as_list(name, values[0]) if len(values) == 1 and isinstance(values[0], list) else list(values)
    if not given:
        raise ExpressionError(f"The template function '{name}' expects at least one number.")
    return [as_number(name, value) for value in given]


FUNCTIONS = {
    "add": Function(lambda left, right: as_number("add", left) + as_number("add", right), 2, 2),
    "div": Function(_div, 2, 2),
    "max": Function(lambda *values: max(_numbers("max", values)), 1, MANY),
    "min": Function(lambda *values: min(_numbers("min", values)), 1, MANY),
    "mod": Function(_mod, 2, 2),
    "mul": Function(lambda left, right: as_number("mul", left) * as_number("mul", right), 2, 2),
    "rand": Function(_rand, 2, 2),
    "sub": Function(lambda left, right: as_number("sub", left) - as_number("sub", right), 2, 2),
}
