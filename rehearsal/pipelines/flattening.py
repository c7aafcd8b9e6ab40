"""Directives and expressions worked out in mappings, sequences and text.

Nothing here knows what a stage or a step is. A value is left unexpanded together with the scope that it must be expanded in,
because the variables of a stage must be known before its jobs are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field, replace

from rehearsal.pipelines.expressions import CastError, Context, ExpressionError, Value, evaluate, to_text, truth
from rehearsal.pipelines.expressions import Node as ExpressionNode
from rehearsal.pipelines.expressions.values import fold
from rehearsal.pipelines.template_text import Directive, directive, split
from rehearsal.pipelines.yaml_nodes import Mapping, Node, PipelineError, Position, Scalar, Sequence, from_value


@dataclass(frozen=True)
class Scope:
    """What expressions in a part of a file see. `literal`: the part came out of an expression and holds none itself."""

    file: str
    parameters: MappingOf[str, Value] = field(default_factory=dict)
    variables: MappingOf[str, Value] = field(default_factory=dict)
    loops: MappingOf[str, Value] = field(default_factory=dict)
    literal: bool = False

    def context(self) -> Context:
        return Context({"parameters": self.parameters, "variables": self.variables, **self.loops})

    def in_loop(self, name: str, value: Value) -> Scope:
        return replace(self, loops={**self.loops, name: value})

    def with_variables(self, more: MappingOf[str, Value]) -> Scope:
        return replace(self, variables={**self.variables, **more})

    def as_literal(self) -> Scope:
        return replace(self, literal=True)


@dataclass(frozen=True)
class Entry:
    """A key of a mapping whose value still has to be expanded, in `scope`."""

    key: Scalar
    value: Node
    scope: Scope


class _Chain:
    """Which branch of if / elseif / else is taken."""

    def __init__(self) -> None:
        self._open = False
        self._taken = False

    def takes(self, found: Directive, scope: Scope, at: Position) -> bool:
        if found.keyword == "if":
            self._open, self._taken = True, False
        elif not self._open:
            raise PipelineError(at, f"'{found.keyword}' must follow 'if' or 'elseif'")
        wanted = not self._taken and (found.expression is None or _truth(found.expression, scope, at))
        # The condition of a branch that is not reached is not evaluated; its form was checked when the file was read.
        self._taken = self._taken or wanted
        if found.keyword == "else":
            self._open = False
        return wanted

    def interrupt(self) -> None:
        self._open = False


def expand(node: Node, scope: Scope) -> Node:
    """Everything in a node worked out. Raises PipelineError."""
    if scope.literal:
        return node
    match node:
        case Scalar():
            return expand_scalar(node, scope)
        case Sequence():
            return Sequence(tuple(expand(item, inner) for item, inner in flatten_sequence(node, scope)), node.position)
        case Mapping():
            entries = flatten_mapping(node, scope)
            return Mapping(tuple((entry.key, expand(entry.value, entry.scope)) for entry in entries), node.position)


def expand_scalar(node: Scalar, scope: Scope) -> Node:
    """Text with its expressions; a text that is one expression keeps the value's type. Raises PipelineError."""
    if scope.literal or not isinstance(node.value, str) or "${{" not in node.value:
        return node
    try:
        parts = split(node.value)
        values = [part if isinstance(part, str) else evaluate(part.node, scope.context()) for part in parts]
    except ExpressionError as error:
        raise PipelineError(node.position, f"{error}") from error
    if len(parts) == 1:
        return from_value(values[0], node.position)
    try:
        return Scalar("".join(to_text(value) for value in values), node.position)
    except CastError as error:
        raise PipelineError(node.position, f"{error} Text can not hold an array or an object.") from error


def flatten_mapping(node: Mapping, scope: Scope) -> list[Entry]:
    """The keys of a mapping after its directives. Raises PipelineError, also for a key that comes out twice."""
    entries = _entries(node, scope)
    seen: set[str] = set()
    for entry in entries:
        if entry.key.text in seen:
            raise PipelineError(entry.key.position, f"'{entry.key.text}' is already defined")
        seen.add(entry.key.text)
    return entries


def _entries(node: Mapping, scope: Scope) -> list[Entry]:
    if scope.literal:
        return [Entry(key, value, scope) for key, value in node.pairs]
    entries: list[Entry] = []
    chain = _Chain()
    for key, value in node.pairs:
        found = _directive(key)
        if found is None:
            chain.interrupt()
            entries.append(Entry(_key(key, scope), value, scope))
        elif found.keyword == "insert":
            chain.interrupt()
            entries.extend(_inner_mapping(value, scope))
        elif found.keyword == "each":
            chain.interrupt()
            for inner in _iterations(found, scope, key.position):
                entries.extend(_inner_mapping(value, inner))
        elif chain.takes(found, scope, key.position):
            entries.extend(_inner_mapping(value, scope))
    return entries


def _inner_mapping(value: Node, scope: Scope) -> list[Entry]:
    if isinstance(value, Scalar):
        value, scope = expand_scalar(value, scope), scope.as_literal()
        if isinstance(value, Scalar) and value.value in (None, ""):
            return []
    if not isinstance(value, Mapping):
        raise PipelineError(value.position, "Expected a mapping: this directive stands inside a mapping")
    return _entries(value, scope)


def flatten_sequence(node: Sequence, scope: Scope) -> list[tuple[Node, Scope]]:
    """The items of a sequence after its directives, each with the scope to expand it in. Raises PipelineError."""
    if scope.literal:
        return [(item, scope) for item in node.items]
    items: list[tuple[Node, Scope]] = []
    chain = _Chain()
    for item in node.items:
        key, value = item.pairs[0] if isinstance(item, Mapping) and len(item.pairs) == 1 else (None, item)
        found = _directive(key) if key is not None else None
        if key is None or found is None or found.keyword == "insert":
            chain.interrupt()
            items.extend(_item(item, scope))
            continue
        if found.keyword == "each":
            chain.interrupt()
            if isinstance(value, Mapping):
                items.append((item, scope))
                continue
            for inner in _iterations(found, scope, key.position):
                items.extend(_inner_sequence(value, inner))
        elif chain.takes(found, scope, key.position):
            items.extend([(value, scope)] if isinstance(value, Mapping) else _inner_sequence(value, scope))
    return items


def _inner_sequence(value: Node, scope: Scope) -> list[tuple[Node, Scope]]:
    if isinstance(value, Scalar):
        value, scope = expand_scalar(value, scope), scope.as_literal()
        if isinstance(value, Scalar) and value.value in (None, ""):
            return []
    if not isinstance(value, Sequence):
        raise PipelineError(value.position, "Expected a sequence: this directive stands inside a sequence")
    return flatten_sequence(value, scope)


def _item(item: Node, scope: Scope) -> SequenceOf[tuple[Node, Scope]]:
    if not isinstance(item, Scalar):
        return [(item, scope)]
    expanded = expand_scalar(item, scope)
    if isinstance(expanded, Sequence):
        return [(inner, scope.as_literal()) for inner in expanded.items]
    return [(expanded, scope.as_literal())]


def _iterations(found: Directive, scope: Scope, at: Position) -> list[Scope]:
    if any(fold(name) == fold(found.variable) for name in scope.context().names):
        raise PipelineError(at, f"The name '{found.variable}' is already in use")
    collection = None if found.expression is None else _evaluate(found.expression, scope, at)
    if collection is None or collection == "":
        return []
    if isinstance(collection, MappingOf):
        items: list[Value] = [{"key": key, "value": value} for key, value in collection.items()]
    elif isinstance(collection, list | tuple):
        items = list(collection)
    else:
        raise PipelineError(at, "Expected a sequence or a mapping to go through with 'each'")
    return [scope.in_loop(found.variable, item) for item in items]


def _key(key: Scalar, scope: Scope) -> Scalar:
    expanded = expand_scalar(key, scope)
    if not isinstance(expanded, Scalar) or not isinstance(expanded.value, str):
        raise PipelineError(key.position, "The expression of a key must give text")
    return expanded


def _directive(key: Scalar) -> Directive | None:
    try:
        return directive(key.text)
    except ExpressionError as error:
        raise PipelineError(key.position, str(error)) from error


def _evaluate(node: ExpressionNode, scope: Scope, at: Position) -> Value:
    try:
        return evaluate(node, scope.context())
    except ExpressionError as error:
        raise PipelineError(at, str(error)) from error


def _truth(node: ExpressionNode, scope: Scope, at: Position) -> bool:
    try:
        return truth(node, scope.context())
    except ExpressionError as error:
        raise PipelineError(at, str(error)) from error
