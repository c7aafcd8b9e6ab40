"""Functions on truth and order; `if` is part of the evaluation."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from rehearsal.data_factory.expressions.function import MANY, Function
from rehearsal.data_factory.expressions.values import as_bool, as_number, same, wrong

Json = Any


def _comparing(name: str, compare: Callable[[Json, Json], bool]) -> Function:
    def call(left: Json, right: Json) -> bool:
        if isinstance(left, str) and isinstance(right, str):
            return compare(left, right)
        if isinstance(left, str) or isinstance(right, str):
            raise wrong(name, "of one type", right)
        return compare(as_number(name, left), as_number(name, right))

    return Function(call, 2, 2)


def _coalesce(*values: Json) -> Json:
    return next((value for value in values if value is not None), None)


# Arguments are evaluated before the function is called: and, or do not stop early (unverified).
FUNCTIONS = {
    "and": Function(lambda *values: all(as_bool("and", value) for value in values), 2, MANY),
    "coalesce": Function(_coalesce, 1, MANY),
    "equals": Function(same, 2, 2),
    "greater": _comparing("greater", operator.gt),
    "greaterorequals": _comparing("greaterOrEquals", operator.ge),
    "less": _comparing("less", operator.lt),
    "lessorequals": _comparing("lessOrEquals", operator.le),
    "not": Function(lambda value: not as_bool("not", value), 1, 1),
    "or": Function(lambda *values: any(as_bool("or", value) for value in values), 2, MANY),
}
