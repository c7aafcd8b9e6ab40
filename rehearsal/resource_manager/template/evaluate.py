"""Expressions and whole values evaluated in a context."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rehearsal.resource_manager.template.context import Context
from rehearsal.resource_manager.template.errors import ExpressionError, UnresolvedError
from rehearsal.resource_manager.template.functions.function import Function
from rehearsal.resource_manager.template.functions.registry import find
from rehearsal.resource_manager.template.syntax import (
    Access,
    Call,
    Literal,
    Node,
    is_expression,
    parse,
    render,
    unescape,
)
from rehearsal.resource_manager.template.values import lookup

Json = Any
_DEEPEST = 120


class Pending(str):
    """An expression that waits for the deployment to run; prints as the service shows it, in brackets."""

    __slots__ = ()


def evaluate(node: Node, context: Context) -> Json:
    """The expression's value. Raises ExpressionError, and UnresolvedError when it needs a running deployment."""
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, Access):
        return _access(node, context)
    if "." in node.name:
        return _call_own(node, context)
    function = find(node.name)
    if function is None:
        raise ExpressionError(
            f"The template function '{node.name}' is not valid. "
            "Please see https://aka.ms/arm-template-expressions for usage details."
        )
    check_count(function, len(node.arguments))
    if function.lazy is not None:
        return function.lazy(node, context, evaluate)
    arguments = [evaluate(argument, context) for argument in node.arguments]
    if any(isinstance(argument, Pending) for argument in arguments):
        raise UnresolvedError
    if function.eager is None:
        raise AssertionError(f"{function.name} is neither lazy nor eager")
    return function.eager(context, arguments)


def check_count(function: Function, count: int) -> None:
    """Refuse a call with too few or too many arguments, in the service's words."""
    if count < function.minimum or (function.maximum is not None and count > function.maximum):
        wanted = str(function.minimum) if function.maximum == function.minimum else f"at least {function.minimum}"
        if function.maximum is not None and function.maximum != function.minimum:
            wanted = f"{function.minimum} to {function.maximum}"
        raise ExpressionError(
            f"Unable to evaluate template language function '{function.name}': function requires {wanted} argument(s) "
            f"while {count} were provided. Please see https://aka.ms/arm-template-expressions/#{function.name} "
            "for usage details."
        )


def text_of(value: str, context: Context) -> Json:
    """A string of a template: its expression's value, or itself."""
    return evaluate(parse(value), context) if is_expression(value) else unescape(value)


def resolve(value: Json, context: Context) -> Json:
    """A value with every expression in it evaluated, keys too; what must wait for the deployment stays as Pending.

    An object's property `copy` is a loop (see loops.py) and is expanded here. Raises ExpressionError.
    """
    # Imported here because loops.py resolves the inputs of its items with this function.
    from rehearsal.resource_manager.template.loops import expand_properties, has_copy

    if isinstance(value, str):
        return _resolve_text(value, context)
    if isinstance(value, list):
        return [resolve(item, context) for item in value]
    if isinstance(value, dict):
        if has_copy(value):
            return expand_properties(value, context)
        return {_key(key, context): resolve(item, context) for key, item in value.items()}
    return value


def _key(key: str, context: Context) -> str:
    return str(text_of(key, context)) if is_expression(key) else unescape(key)


def _resolve_text(value: str, context: Context) -> Json:
    if isinstance(value, Pending):
        return value
    if not is_expression(value):
        return unescape(value)
    node = parse(value)
    try:
        return evaluate(node, context)
    except UnresolvedError:
        return Pending(f"[{render(fold(node, context))}]")


def fold(node: Node, context: Context) -> Node:
    """The expression with every part computed that needs no running deployment, as what-if shows it."""
    try:
        value = evaluate(node, context)
        if isinstance(value, Pending):
            return parse(value)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return Literal(value)
    except (UnresolvedError, ExpressionError):
        pass
    if isinstance(node, Call) and node.name.lower() == "if" and len(node.arguments) == 3:
        taken = _branch(node, context)
        if taken is not None:
            return fold(taken, context)
    if isinstance(node, Call):
        return replace(node, arguments=tuple(fold(argument, context) for argument in node.arguments))
    if isinstance(node, Access):
        return replace(node, target=fold(node.target, context), key=fold(node.key, context))
    return node


def _branch(node: Call, context: Context) -> Node | None:
    """The branch of an if() that is taken, or None when that is not known yet."""
    try:
        condition = evaluate(node.arguments[0], context)
    except (UnresolvedError, ExpressionError):
        return None
    return node.arguments[1 if condition else 2] if isinstance(condition, bool) else None


def _access(node: Access, context: Context) -> Json:
    target = evaluate(node.target, context)
    key = evaluate(node.key, context)
    if isinstance(target, Pending) or isinstance(key, Pending):
        raise UnresolvedError
    return lookup(target, key, safe=node.safe)


def _call_own(node: Call, context: Context) -> Json:
    definition = context.functions.get(node.name.lower())
    if definition is None:
        raise ExpressionError(f"The template function '{node.name}' is not valid. The function name is not defined.")
    parameters = definition.get("parameters", [])
    if len(node.arguments) != len(parameters):
        raise ExpressionError(
            f"The template function '{node.name}' requires {len(parameters)} argument(s) "
            f"while {len(node.arguments)} were provided."
        )
    values = [evaluate(argument, context) for argument in node.arguments]
    given = {parameter["name"].lower(): value for parameter, value in zip(parameters, values, strict=True)}
    depth = context.loops.get(" depth", 0)
    if depth > _DEEPEST:
        raise ExpressionError(f"The template function '{node.name}' calls itself without end.")

    def own(name: str) -> Json:
        if name.lower() not in given:
            raise ExpressionError(f"The function parameter '{name}' is not found.")
        return given[name.lower()]

    def none(name: str) -> Json:
        # learn.microsoft.com/azure/azure-resource-manager/templates/user-defined-functions#limitations
        raise ExpressionError(f"The function '{node.name}' can't access variables: '{name}'.")

    inner = replace(context, parameters=own, variables=none, loops={" depth": depth + 1}, references_allowed=False)
    return resolve(definition["output"].get("value"), inner)
