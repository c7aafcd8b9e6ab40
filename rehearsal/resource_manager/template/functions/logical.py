"""Logical functions and comparison (template-functions-logical, template-functions-comparison)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rehearsal.resource_manager.template.context import Context
from rehearsal.resource_manager.template.errors import ExpressionError
from rehearsal.resource_manager.template.functions.function import Evaluate, Function, boolean, invalid, plain, text
from rehearsal.resource_manager.template.syntax import Call
from rehearsal.resource_manager.template.values import culture_key, describe, is_integer, same

Json = Any


def _if(node: Call, context: Context, evaluate: Evaluate) -> Json:
    """Only the branch that is taken is evaluated."""
    condition = boolean("if", evaluate(node.arguments[0], context))
    return evaluate(node.arguments[1 if condition else 2], context)


def _and(node: Call, context: Context, evaluate: Evaluate) -> Json:
    return all(boolean("and", evaluate(argument, context)) for argument in node.arguments)


def _or(node: Call, context: Context, evaluate: Evaluate) -> Json:
    return any(boolean("or", evaluate(argument, context)) for argument in node.arguments)


def _coalesce(node: Call, context: Context, evaluate: Evaluate) -> Json:
    for argument in node.arguments:
        value = evaluate(argument, context)
        if value is not None:
            return value
    return None


def _bool(value: Json) -> bool:
    if isinstance(value, bool):
        return value
    if is_integer(value):
        return bool(value)
    if text("bool", value).lower() in ("true", "1"):
        return True
    if value.lower() in ("false", "0"):
        return False
    raise invalid("bool", f"can't convert '{value}' to a boolean.")


def _compare(name: str, verdict: Callable[[Any, Any], bool]) -> Function:
    def apply(left: Json, right: Json) -> bool:
        if isinstance(left, str) and isinstance(right, str):
            return verdict(culture_key(left), culture_key(right))
        if is_integer(left) and is_integer(right):
            return verdict(left, right)
        raise ExpressionError(
            f"The template language function '{name}' expects two parameters of matching types. The function was invoked "
            f"with values of type '{describe(left)}' and '{describe(right)}' that do not match."
        )

    return plain(name, 2, 2, apply)


FUNCTIONS = (
    Function("if", 3, 3, lazy=_if),
    Function("and", 2, None, lazy=_and),
    Function("or", 2, None, lazy=_or),
    Function("coalesce", 1, None, lazy=_coalesce),
    plain("not", 1, 1, lambda value: not boolean("not", value)),
    plain("bool", 1, 1, _bool),
    plain("true", 0, 0, lambda: True),
    plain("false", 0, 0, lambda: False),
    plain("null", 0, 0, lambda: None),
    plain("equals", 2, 2, same),
    _compare("less", lambda left, right: left < right),
    _compare("lessOrEquals", lambda left, right: left <= right),
    _compare("greater", lambda left, right: left > right),
    _compare("greaterOrEquals", lambda left, right: left >= right),
)
