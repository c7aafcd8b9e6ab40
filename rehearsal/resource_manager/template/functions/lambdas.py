"""Lambda functions (learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-lambda)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key
from typing import Any

from rehearsal.resource_manager.template.context import Context
from rehearsal.resource_manager.template.errors import ExpressionError
from rehearsal.resource_manager.template.functions.function import (
    Evaluate,
    Function,
    array,
    boolean,
    invalid,
    obj,
    text,
)
from rehearsal.resource_manager.template.syntax import Call, Node

Json = Any


def _callback(
    name: str, node: Node, context: Context, evaluate: Evaluate, sizes: tuple[int, ...]
) -> Callable[..., Json]:
    """The lambda as a function; it gets as many of the values as it has variables, which is one of `sizes`."""
    if not isinstance(node, Call) or node.name.lower() != "lambda" or not node.arguments:
        raise invalid(name, "expects a lambda function.")
    *variables, body = node.arguments
    names = [text(name, evaluate(variable, context)) for variable in variables]
    if len(names) not in sizes:
        raise invalid(name, f"expects a lambda function with {' or '.join(map(str, sizes))} variable(s).")

    def call(*values: Json) -> Json:
        return evaluate(body, context.with_lambda(dict(zip(names, values, strict=False))))

    return call


def _filter(node: Call, context: Context, evaluate: Evaluate) -> Json:
    keep = _callback("filter", node.arguments[1], context, evaluate, (1, 2))
    items = array("filter", evaluate(node.arguments[0], context))
    return [item for index, item in enumerate(items) if boolean("filter", keep(item, index))]


def _map(node: Call, context: Context, evaluate: Evaluate) -> Json:
    change = _callback("map", node.arguments[1], context, evaluate, (1, 2))
    return [change(item, index) for index, item in enumerate(array("map", evaluate(node.arguments[0], context)))]


def _map_values(node: Call, context: Context, evaluate: Evaluate) -> Json:
    change = _callback("mapValues", node.arguments[1], context, evaluate, (1,))
    return {key: change(value) for key, value in obj("mapValues", evaluate(node.arguments[0], context)).items()}


def _reduce(node: Call, context: Context, evaluate: Evaluate) -> Json:
    items = array("reduce", evaluate(node.arguments[0], context))
    value = evaluate(node.arguments[1], context)
    join = _callback("reduce", node.arguments[2], context, evaluate, (2, 3))
    for index, item in enumerate(items):
        value = join(value, item, index)
    return value


def _sort(node: Call, context: Context, evaluate: Evaluate) -> Json:
    before = _callback("sort", node.arguments[1], context, evaluate, (2,))

    def order(left: Json, right: Json) -> int:
        return -1 if boolean("sort", before(left, right)) else int(boolean("sort", before(right, left)))

    return sorted(array("sort", evaluate(node.arguments[0], context)), key=cmp_to_key(order))


def _group_by(node: Call, context: Context, evaluate: Evaluate) -> Json:
    key = _callback("groupBy", node.arguments[1], context, evaluate, (1, 2))
    groups: dict[str, list[Json]] = {}
    for index, item in enumerate(array("groupBy", evaluate(node.arguments[0], context))):
        groups.setdefault(text("groupBy", key(item, index)), []).append(item)
    return groups


def _to_object(node: Call, context: Context, evaluate: Evaluate) -> Json:
    key = _callback("toObject", node.arguments[1], context, evaluate, (1,))
    value = None
    if len(node.arguments) == 3:
        value = _callback("toObject", node.arguments[2], context, evaluate, (1,))
    items = array("toObject", evaluate(node.arguments[0], context))
    return {text("toObject", key(item)): value(item) if value else item for item in items}


def _variable(context: Context, arguments: list[Json]) -> Json:
    name = text("lambdaVariables", arguments[0])
    if name.lower() not in context.lambdas:
        raise ExpressionError(f"The lambda variable '{name}' is not found.")
    return context.lambdas[name.lower()]


def _lambda(_node: Call, _context: Context, _evaluate: Evaluate) -> Json:
    raise invalid("lambda", "can only be an argument of a function that takes a lambda function.")


FUNCTIONS = (
    Function("lambda", 1, None, lazy=_lambda),
    Function("lambdaVariables", 1, 1, eager=_variable),
    Function("filter", 2, 2, lazy=_filter),
    Function("map", 2, 2, lazy=_map),
    Function("mapValues", 2, 2, lazy=_map_values),
    Function("reduce", 3, 3, lazy=_reduce),
    Function("sort", 2, 2, lazy=_sort),
    Function("groupBy", 2, 2, lazy=_group_by),
    Function("toObject", 2, 3, lazy=_to_object),
)
