"""A tree and a context to a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from rehearsal.pipelines.expressions.functions import STATUS_FUNCTIONS
from rehearsal.pipelines.expressions.parser import Call, Index, Literal, Name, Node
from rehearsal.pipelines.expressions.values import (
    ExpressionError,
    ExpressionSyntaxError,
    Value,
    fold,
    kind,
    member,
    to_boolean,
    to_number,
    to_text,
)

StatusFunction = Callable[[Sequence[str]], bool]
Counter = Callable[[str, int], int]


@dataclass(frozen=True)
class Context:
    """What an expression may ask for.

    names: contexts such as `parameters` and `variables`, and the variables of `each`.
    status: succeeded, failed… by lower-case name, each given the names of dependencies that the expression lists.
    counter: the next number for a prefix and a first number.
    """

    names: Mapping[str, Value] = field(default_factory=dict)
    status: Mapping[str, StatusFunction] = field(default_factory=dict)
    counter: Counter | None = None

    def has(self, name: str) -> bool:
        return any(fold(known) == fold(name) for known in self.names)


class _Filtered(list[Value]):
    """What `.*` gives: the next index goes to every item of it."""


def evaluate(node: Node, context: Context) -> Value:
    """The value of an expression. Raises ExpressionError: an unknown name, a conversion that is not possible."""
    match node:
        case Literal(value):
            return value
        case Name(name):
            if not context.has(name):
                raise ExpressionSyntaxError(f"Unrecognized value: '{name}'", name)
            return member(context.names, name)
        case Index(target, key):
            found = evaluate(target, context)
            return _every(found) if key is None else _index(found, evaluate(key, context))
        case Call(function, arguments):
            known = function.name.lower()
            if known in STATUS_FUNCTIONS and known in context.status:
                return context.status[known]([to_text(evaluate(argument, context)) for argument in arguments])
            if known == "counter" and context.counter is not None:
                return _count(context.counter, [evaluate(argument, context) for argument in arguments])
            return function.apply([_lazy(argument, context) for argument in arguments])


def _count(counter: Counter, arguments: Sequence[Value]) -> Value:
    seed = int(to_number(arguments[1])) if len(arguments) > 1 else 0
    return Decimal(counter(to_text(arguments[0]), seed))


def truth(node: Node, context: Context) -> bool:
    """The value of a condition."""
    return to_boolean(evaluate(node, context))


def _lazy(node: Node, context: Context) -> Callable[[], Value]:
    return lambda: evaluate(node, context)


def _every(target: Value) -> Value:
    if isinstance(target, Mapping):
        return _Filtered(target.values())
    return _Filtered(target) if kind(target) == "Array" else _Filtered()


def _index(target: Value, key: Value) -> Value:
    if isinstance(target, _Filtered):
        found = [_index(item, key) for item in target]
        return _Filtered(item for item in found if item is not None)
    if isinstance(target, Mapping):
        return None if kind(key) in ("Array", "Object") else member(target, to_text(key))
    if kind(target) == "Array":
        return _item(target, key)
    return None


def _item(target: Sequence[Value], key: Value) -> Value:
    try:
        position = to_number(key)
    except ExpressionError:
        return None
    return target[int(position)] if 0 <= position < len(target) else None
