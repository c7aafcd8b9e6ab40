"""Evaluating strings and whole parts of a definition."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rehearsal.data_factory.expressions import functions
from rehearsal.data_factory.expressions.errors import ExpressionError, FunctionNotHere
from rehearsal.data_factory.expressions.syntax import Call, Interpolation, Literal, Node, Step, calls, read
from rehearsal.data_factory.expressions.values import as_bool, kind, text

Json = Any
# Roots are what a run brings along: pipeline(), activity(), variables(), item(), trigger(), linkedService(), by lower-case name.
Roots = Mapping[str, Callable[..., Json]]
ROOTS = frozenset({"pipeline", "activity", "variables", "item", "trigger", "triggerbody", "linkedservice", "dataset"})


class Evaluator:
    """Evaluates in one place of one run. now: seconds since the epoch."""

    def __init__(self, roots: Roots, now: Callable[[], float]) -> None:
        self._roots = roots
        self._functions = functions.table(now)

    def value(self, given: Json) -> Json:
        """A part of a definition with every expression in it evaluated, `{"type": "Expression", "value": …}` too.

        Raises ExpressionError and FunctionNotHere.
        """
        if isinstance(given, str):
            return self.string(given)
        if isinstance(given, list):
            return [self.value(one) for one in given]
        if isinstance(given, dict):
            if is_expression(given):
                return self.value(given["value"])
            return {key: self.value(one) for key, one in given.items()}
        return given

    def string(self, given: str) -> Json:
        found = read(given)
        if isinstance(found, str):
            return found
        if isinstance(found, Interpolation):
            return "".join(part if isinstance(part, str) else text(self._node(part)) for part in found.parts)
        return self._node(found)

    def _node(self, node: Node) -> Json:
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, Step):
            return self._step(node)
        return self._call(node)

    def _step(self, node: Step) -> Json:
        of = self._node(node.of)
        if of is None and node.safe:
            return None
        key = self._node(node.key)
        try:
            return _part(of, key)
        except KeyError:
            if node.safe:
                return None
            # The sentence is the service's own (learn.microsoft.com/answers, MicrosoftDocs/azure-docs issues quote it).
            available = ", ".join(of) if isinstance(of, dict) else ""
            raise ExpressionError(
                f"The expression '{written(node)}' cannot be evaluated because property '{key}' doesn't exist, "
                f"available properties are '{available}'."
            ) from None
        except IndexError:
            if node.safe:
                return None
            raise ExpressionError(
                f"The expression '{written(node)}' cannot be evaluated because array index '{key}' is outside bounds "
                f"(0, {len(of) - 1}) of array."
            ) from None
        except TypeError:
            raise ExpressionError(
                f"The expression '{written(node)}' cannot be evaluated because property '{key}' cannot be selected. "
                f"The value is of type '{kind(of)}'."
            ) from None

    def _call(self, node: Call) -> Json:
        name = node.name.lower()
        if name == "if":
            # Only the branch that counts is evaluated (unverified; pipelines in use rely on it).
            if len(node.arguments) != 3:
                raise ExpressionError("The template function 'if' expects 3 parameters.")
            chosen = as_bool("if", self._node(node.arguments[0]))
            return self._node(node.arguments[1 if chosen else 2])
        arguments = [self._node(argument) for argument in node.arguments]
        root = self._roots.get(name)
        if root is not None:
            return root(*arguments) if len(arguments) <= 1 else _too_many(node.name)
        function = self._functions.get(name)
        if function is None:
            check_function(node.name)
            raise ExpressionError(f"The template function '{node.name}' can't be used here.")
        if not function.least <= len(arguments) <= function.most:
            raise ExpressionError(
                f"The template function '{node.name}' expects {function.expected()}; {len(arguments)} given."
            )
        try:
            return function.call(*arguments)
        except (OverflowError, RecursionError) as error:
            raise ExpressionError(f"The template function '{node.name}' has a result out of range.") from error


def _too_many(name: str) -> Json:
    raise ExpressionError(f"The template function '{name}' has too many parameters.")


def _part(of: Json, key: Json) -> Json:
    if isinstance(of, dict) and isinstance(key, str):
        if key in of:
            return of[key]
        # Properties are found without regard to case, as Newtonsoft.Json's readers of the service do (unverified).
        found = [name for name in of if name.lower() == key.lower()]
        if not found:
            raise KeyError(key)
        return of[found[0]]
    if isinstance(of, list) and isinstance(key, int) and not isinstance(key, bool):
        if key < 0:
            raise IndexError(key)
        return of[key]
    raise TypeError(key)


def written(node: Node) -> str:
    """An expression as it is written, more or less."""
    if isinstance(node, Literal):
        return f"'{node.value}'" if isinstance(node.value, str) else text(node.value) or "null"
    if isinstance(node, Call):
        return f"{node.name}({', '.join(written(argument) for argument in node.arguments)})"
    mark = "?" if node.safe else ""
    if isinstance(node.key, Literal) and isinstance(node.key.value, str) and re.fullmatch(r"\w+", node.key.value):
        return f"{written(node.of)}{mark}.{node.key.value}"
    return f"{written(node.of)}{mark}[{written(node.key)}]"


def is_expression(given: Json) -> bool:
    return isinstance(given, dict) and given.get("type") == "Expression" and isinstance(given.get("value"), str)


def check_function(name: str) -> None:
    """Raises FunctionNotHere for a function of the service that is missing here, ExpressionError for one that nobody has."""
    lowered = name.lower()
    if lowered in functions.NOT_HERE:
        raise FunctionNotHere(name)
    if lowered not in functions.NAMES and lowered not in ROOTS:
        raise ExpressionError(f"The template function '{name}' is not defined or not valid.")


def check_functions(given: Json) -> None:
    """Raises FunctionNotHere when a part of a definition calls a function of the service that is missing here."""
    for one in _strings(given):
        try:
            for name in calls(one):
                check_function(name)
        except ExpressionError:
            continue


def _strings(given: Json) -> Iterator[str]:
    if isinstance(given, str):
        yield given
    elif isinstance(given, list):
        for one in given:
            yield from _strings(one)
    elif isinstance(given, dict):
        for one in given.values():
            yield from _strings(one)
