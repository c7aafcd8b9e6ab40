"""Directives and expressions worked out in mappings, sequences and text.

Nothing here knows what a stage or a step is. A value is left unexpanded together with the scope that it must be expanded in,
because the variables of a stage must be known before its jobs are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingOf
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field, replace

from rehearsal.pipelines.expressions import CastError, Context, ExpressionError, Value, evaluate, to_text, truth
from rehearsal.pipelines.expressions import Node as ExpressionNode
from rehearsal.pipelines.expressions.values import fold
from rehearsal.pipelines.template_text import Directive, directive, split
from rehearsal.pipelines.yaml_nodes import (
    DEEPEST,
    LARGEST_BYTES,
    TOO_DEEP,
    Mapping,
    Node,
    PipelineError,
    Position,
    Scalar,
    Sequence,
    from_value,
)


class Budget:
    """What one expansion may still use of memory: [learn] process/templates, 20 MB."""

    def __init__(self, characters: int = LARGEST_BYTES) -> None:
        self._left = characters

    def spend(self, characters: int, at: Position) -> None:
        self._left -= characters
        if self._left < 0:
            raise PipelineError(
                at, f"Maximum object size exceeded: more than {LARGEST_BYTES // 1024 // 1024} MB of YAML"
            )


# What a node costs besides its text, roughly.
_NODE = 32


@dataclass(frozen=True)
class Scope:
    """What expressions in a part of a file see. `literal`: the part came out of an expression and holds none itself."""

    parameters: MappingOf[str, Value] = field(default_factory=dict)
    variables: MappingOf[str, Value] = field(default_factory=dict)
    loops: MappingOf[str, Value] = field(default_factory=dict)
    literal: bool = False
    budget: Budget = field(default_factory=Budget, compare=False)

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
    """Which branch of if / elseif / else is taken.

    What stands between the branches does not end a chain; another directive does. Measured with the service's preview by
    PGielniak/azdo-pipeline-emulator, research/E03-template-engine.md.
    """

    def __init__(self) -> None:
        self._open = False
        self._taken = False

    def takes(self, found: Directive, scope: Scope, at: Position) -> bool:
        if found.keyword == "if":
            self._open, self._taken = True, False
        elif not self._open:
            text = (
                f"The expression directive '{found.keyword}' is not supported in this context: no 'if' comes before it"
            )
            raise PipelineError(at, text)
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
    scope.budget.spend(_NODE, node.position)
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
        scope.budget.spend(len(node.value) if isinstance(node.value, str) else 0, node.position)
        return node
    try:
        parts = split(node.value)
        values = [part if isinstance(part, str) else evaluate(part.node, scope.context()) for part in parts]
    except ExpressionError as error:
        raise PipelineError(node.position, f"{error}") from error
    if len(parts) == 1:
        scope.budget.spend(_size(values[0], node.position), node.position)
        return from_value(values[0], node.position)
    try:
        texts = [to_text(value) for value in values]
    except CastError as error:
        raise PipelineError(node.position, f"{error} Text can not hold an array or an object.") from error
    scope.budget.spend(sum(map(len, texts)), node.position)
    return Scalar("".join(texts), node.position)


def _size(value: Value, at: Position, depth: int = 1) -> int:
    """About how much memory a value takes. Raises PipelineError when it is nested too deep."""
    if depth > DEEPEST:
        raise PipelineError(at, TOO_DEEP)
    if isinstance(value, MappingOf):
        return sum(_NODE + len(str(key)) + _size(item, at, depth + 1) for key, item in value.items())
    if isinstance(value, list | tuple):
        return sum(_NODE + _size(item, at, depth + 1) for item in value)
    return len(value) if isinstance(value, str) else _NODE


def flatten_mapping(node: Mapping, scope: Scope) -> list[Entry]:
    """The keys of a mapping after its directives. Raises PipelineError, also for a key that comes out twice."""
    entries = list(lazy_entries(node, scope))
    seen: set[str] = set()
    for entry in entries:
        if fold(entry.key.text) in seen:
            raise PipelineError(entry.key.position, f"'{entry.key.text}' is already defined")
        seen.add(fold(entry.key.text))
    return entries


def lazy_entries(node: Mapping, scope: Scope) -> Iterator[Entry]:
    """The keys of a mapping after its directives, one by one: what is done with one may change what the next sees."""
    if scope.literal:
        yield from (Entry(key, value, scope) for key, value in node.pairs)
        return
    chain = _Chain()
    for key, value in node.pairs:
        found = _directive(key)
        if found is None:
            yield Entry(_key(key, scope), value, scope)
        elif found.keyword == "insert":
            chain.interrupt()
            if isinstance(value, Scalar) and value.value is None:
                raise PipelineError(value.position, "Expected a mapping")
            yield from _inner_mapping(value, scope)
        elif found.keyword == "each":
            chain.interrupt()
            for inner in _iterations(found, scope, key.position):
                yield from _inner_mapping(value, inner)
        elif chain.takes(found, scope, key.position):
            yield from _inner_mapping(value, scope)


def _inner_mapping(value: Node, scope: Scope) -> Iterator[Entry]:
    if isinstance(value, Scalar):
        value, scope = expand_scalar(value, scope), scope.as_literal()
        if isinstance(value, Scalar) and value.value in (None, ""):
            return
    if not isinstance(value, Mapping):
        raise PipelineError(value.position, "Expected a mapping: this directive stands inside a mapping")
    yield from lazy_entries(value, scope)


def flatten_sequence(node: Sequence, scope: Scope) -> Iterator[tuple[Node, Scope]]:
    """The items of a sequence after its directives, each with the scope to expand it in. Raises PipelineError."""
    if scope.literal:
        yield from ((item, scope) for item in node.items)
        return
    chain = _Chain()
    for item in node.items:
        key, value = item.pairs[0] if isinstance(item, Mapping) and len(item.pairs) == 1 else (None, item)
        found = _directive(key) if key is not None else None
        if key is None or found is None or found.keyword == "insert":
            if found is not None:
                chain.interrupt()
            yield from _item(item, scope)
        elif found.keyword == "each":
            chain.interrupt()
            if isinstance(value, Mapping):
                yield item, scope
                continue
            for inner in _iterations(found, scope, key.position):
                yield from _inner_sequence(value, inner)
        elif chain.takes(found, scope, key.position):
            yield from [(value, scope)] if isinstance(value, Mapping) else _inner_sequence(value, scope)


def _inner_sequence(value: Node, scope: Scope) -> Iterator[tuple[Node, Scope]]:
    if isinstance(value, Scalar):
        value, scope = expand_scalar(value, scope), scope.as_literal()
        if isinstance(value, Scalar) and value.value in (None, ""):
            return
    if not isinstance(value, Sequence):
        raise PipelineError(value.position, "Expected a sequence: this directive stands inside a sequence")
    yield from flatten_sequence(value, scope)


def _item(item: Node, scope: Scope) -> SequenceOf[tuple[Node, Scope]]:
    if not isinstance(item, Scalar):
        return [(item, scope)]
    expanded = expand_scalar(item, scope)
    if isinstance(expanded, Sequence):
        return [(inner, scope.as_literal()) for inner in expanded.items]
    return [(expanded, scope.as_literal())]


def plain_values(node: Node, scope: Scope) -> Node:
    """Expressions worked out in values alone: where the service takes no directives, as in triggers. Raises PipelineError."""
    match node:
        case Scalar():
            return expand_scalar(node, scope)
        case Sequence(items):
            found = [inner for item in items for inner in _spliced(plain_values(item, scope))]
            return Sequence(tuple(found), node.position)
    for key, _ in node.pairs:
        if "${{" in key.text:
            raise PipelineError(key.position, "A template expression is not allowed in this context")
    return Mapping(tuple((key, plain_values(value, scope)) for key, value in node.pairs), node.position)


def _spliced(node: Node) -> SequenceOf[Node]:
    return node.items if isinstance(node, Sequence) else (node,)


def _iterations(found: Directive, scope: Scope, at: Position) -> list[Scope]:
    if any(fold(name) == fold(found.variable) for name in scope.context().names):
        raise PipelineError(at, f"The identifier '{found.variable}' has already been defined within the current scope")
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
    if not isinstance(expanded, Scalar):
        raise PipelineError(key.position, "Expected a scalar value: the expression of a key must give text")
    return Scalar(expanded.text, key.position, key.style)


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
