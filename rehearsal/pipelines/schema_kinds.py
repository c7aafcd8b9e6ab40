"""What a part of a pipeline's YAML may be made of, and the check of a node against it, with the service's own words."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field

from rehearsal.pipelines.expressions.values import parse_number
from rehearsal.pipelines.yaml_nodes import Mapping, Node, PipelineError, Scalar, Sequence

# [schema] content/boolean.md
BOOLEANS = ("true", "y", "yes", "on", "false", "n", "no", "off")


@dataclass(frozen=True)
class Text:
    """One text. values: those that are allowed, in any case; kind says which check it gets besides."""

    values: tuple[str, ...] = ()
    kind: str = "text"


@dataclass(frozen=True)
class Anything:
    pass


@dataclass(frozen=True)
class Items:
    item: Kind


@dataclass(frozen=True)
class Named:
    """A mapping with any keys. empty: it may be left empty."""

    value: Kind
    empty: bool = False


@dataclass(frozen=True)
class Record:
    """A mapping with known keys; `more` is what any other key may hold."""

    keys: MappingOf[str, Kind]
    required: tuple[str, ...] = ()
    more: Kind | None = None


@dataclass(frozen=True)
class Choice:
    """A mapping that its main key makes one of several: a step is `script`, `task`…"""

    what: str
    records: MappingOf[str, Record]


@dataclass(frozen=True)
class Either:
    """One of several shapes; None is a shape that is not allowed."""

    text: Text | None = None
    sequence: Items | None = None
    mapping: Named | Record | Anything | None = None


Kind = Text | Anything | Items | Named | Record | Choice | Either


@dataclass
class Findings:
    """errors: what the service refuses. warnings: what it takes and documents otherwise."""

    errors: list[PipelineError] = field(default_factory=list)
    warnings: list[PipelineError] = field(default_factory=list)


def check(kind: Kind, node: Node, found: Findings) -> None:
    """Add everything that is wrong with a node."""
    match kind:
        case Anything():
            return
        case Either():
            _check_either(kind, node, found)
        case Text():
            _check_text(kind, node, found)
        case Items(item):
            for one in _items(node, found):
                check(item, one, found)
        case Named(value, empty):
            if not (empty and isinstance(node, Scalar) and node.value in (None, "")):
                for _, inner in _pairs(node, found):
                    check(value, inner, found)
        case Record():
            _check_record(kind, node, found)
        case Choice():
            _check_choice(kind, node, found)


def _wrong(node: Node, message: str, found: Findings) -> None:
    found.errors.append(PipelineError(node.position, message))


def _shape(node: Node) -> str:
    return "mapping" if isinstance(node, Mapping) else "sequence"


def _check_either(kind: Either, node: Node, found: Findings) -> None:
    inner: Kind | None = kind.mapping
    if isinstance(node, Scalar):
        inner = kind.text
    elif isinstance(node, Sequence):
        inner = kind.sequence
    if inner is not None:
        check(inner, node, found)
    elif isinstance(node, Scalar):
        _wrong(node, f"Unexpected value '{node.text}'", found)
    else:
        _wrong(node, f"A {_shape(node)} was not expected", found)


def _check_text(kind: Text, node: Node, found: Findings) -> None:
    if not isinstance(node, Scalar):
        _wrong(node, f"A {_shape(node)} was not expected", found)
        return
    text = node.text.strip()
    known_later = "$(" in text or "$[" in text
    if kind.values and text.lower() not in [value.lower() for value in kind.values]:
        _wrong(node, f"Unexpected value '{text}': it is one of {', '.join(kind.values)}", found)
    elif kind.kind == "boolean" and text and not known_later and text.lower() not in BOOLEANS:
        _wrong(node, f"Unexpected value '{text}': it is true or false", found)
    elif kind.kind == "number" and not known_later and not _counts(text):
        _wrong(node, f"Unexpected value '{text}': it is a number, 0 or more", found)
    elif kind.kind == "needed" and not text:
        _wrong(node, "Unexpected value ''", found)
    elif kind.kind == "task" and not all(text.partition("@")):
        _wrong(
            node, f"Unexpected value '{text}': a task is written as its name, @ and its version, as in CmdLine@2", found
        )
    elif kind.kind == "cron" and len(text.split()) != 5:
        _wrong(node, "'cron' has five parts: minute, hour, day of month, month, day of week", found)


def _counts(text: str) -> bool:
    number = parse_number(text) if text else None
    return number is not None and number >= 0


def _items(node: Node, found: Findings) -> tuple[Node, ...]:
    if isinstance(node, Sequence):
        return node.items
    said = f"Unexpected value '{node.text}': expected a sequence" if isinstance(node, Scalar) else "Expected a sequence"
    _wrong(node, said, found)
    return ()


def _pairs(node: Node, found: Findings) -> tuple[tuple[Scalar, Node], ...]:
    if isinstance(node, Mapping):
        return node.pairs
    said = f"Unexpected value '{node.text}': expected a mapping" if isinstance(node, Scalar) else "Expected a mapping"
    _wrong(node, said, found)
    return ()


def _check_record(kind: Record, node: Node, found: Findings) -> None:
    pairs = _pairs(node, found)
    for key, value in pairs:
        inner = kind.keys.get(key.text, kind.more)
        if inner is None:
            found.errors.append(PipelineError(key.position, f"Unexpected value '{key.text}'"))
        else:
            check(inner, value, found)
    if isinstance(node, Mapping):
        for name in kind.required:
            if node.get(name) is None:
                _wrong(node, f"Required value '{name}' is missing", found)


def _check_choice(kind: Choice, node: Node, found: Findings) -> None:
    pairs = _pairs(node, found)
    if not isinstance(node, Mapping):
        return
    main = next((key for key, _ in pairs if key.text in kind.records), None)
    if main is None:
        first = pairs[0][0] if pairs else None
        at = first.position if first is not None else node.position
        names = ", ".join(f"'{name}'" for name in kind.records)
        text = f"Unexpected value '{first.text if first is not None else ''}': {kind.what} begins with {names}"
        found.errors.append(PipelineError(at, text))
        return
    if pairs[0][0] is not main:
        # [schema] says "required as first property"; whether the service insists was seen both ways.
        first = pairs[0][0]
        text = f"'{main.text}' should be the first key of {kind.what}; the service may say: Unexpected value '{first.text}'"
        found.warnings.append(PipelineError(first.position, text))
    _check_record(kind.records[main.text], node, found)
