"""YAML with the line and column of everything in it, and nothing that Azure Pipelines does not take.

A scalar is text here, whatever it looks like; the place where it stands says what it must be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping as MappingOf
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from rehearsal.pipelines.expressions import Value, to_text
from rehearsal.pipelines.expressions.values import fold

# [learn] process/templates: 20 MB of memory while the YAML is read.
LARGEST_BYTES = 20 * 1024 * 1024
# The service says this of templates that include themselves; how deep it lets one file's YAML be is unverified.
DEEPEST = 100
TOO_DEEP = "Maximum object depth exceeded"
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(frozen=True, order=True)
class Position:
    """A place in a file: its path from the repository's root (`path@alias` in another one), line and column from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"/{self.file} (Line: {self.line}, Col: {self.column})"


class PipelineError(Exception):
    """A mistake in YAML, with its place. `message` is the text without the place."""

    def __init__(self, position: Position, message: str) -> None:
        super().__init__(f"{position}: {message}")
        self.position = position
        self.message = message


class PipelineErrors(Exception):
    """All mistakes that were found in a pipeline's YAML."""

    def __init__(self, errors: SequenceOf[PipelineError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = tuple(errors)


@dataclass(frozen=True)
class Scalar:
    """Text as it stands in a file, or the value of an expression. `null` is a plain empty value or `null`.

    style: how the file writes it: "" plain, ' " | or >.
    """

    value: Value
    position: Position
    style: str = field(default="", compare=False)

    @property
    def text(self) -> str:
        return to_text(self.value)


@dataclass(frozen=True)
class Sequence:
    items: tuple[Node, ...]
    position: Position


@dataclass(frozen=True)
class Mapping:
    pairs: tuple[tuple[Scalar, Node], ...]
    position: Position

    def get(self, key: str) -> Node | None:
        return next((value for name, value in self.pairs if name.text == key), None)

    def keys(self) -> list[str]:
        return [name.text for name, _ in self.pairs]


Node = Scalar | Sequence | Mapping


class MappingValue(dict[str, Value]):
    """A mapping of a file as a value of the expression language: its keys keep their case, and their places."""

    exact = True

    def __init__(self, pairs: SequenceOf[tuple[str, Value, Position]], position: Position) -> None:
        super().__init__((key, value) for key, value, _ in pairs)
        self.position = position
        self.places = {key: place for key, _, place in pairs}


class SequenceValue(list[Value]):
    """A sequence of a file as a value, with the place of each item."""

    def __init__(self, items: SequenceOf[tuple[Value, Position]], position: Position) -> None:
        super().__init__(item for item, _ in items)
        self.position = position
        self.places = [place for _, place in items]


def read_yaml(path: Path, name: str) -> Node:
    """The one document of a file. Raises PipelineError for YAML that is broken or that Azure Pipelines does not take."""
    start = Position(name, 1, 1)
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise PipelineError(start, f"The file is larger than {LARGEST_BYTES // 1024 // 1024} MB")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise PipelineError(start, f"The file is not UTF-8: {error.reason}") from error
    except OSError as error:
        raise PipelineError(start, f"The file cannot be read: {error.strerror}") from error
    return parse_yaml(text, name)


def parse_yaml(text: str, name: str) -> Node:
    """As read_yaml, from text."""
    try:
        return _Composer(yaml.parse(text, Loader=_LOADER), name).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Position(name, mark.line + 1, mark.column + 1) if mark else Position(name, 1, 1)
        raise PipelineError(at, f"The YAML cannot be read: {error.problem or error.context}") from error
    except yaml.reader.ReaderError as error:
        before = text[: max(text.find(chr(error.character)), 0)]
        at = Position(name, before.count("\n") + 1, len(before) - before.rfind("\n"))
        wrong = f"the character U+{error.character:04X} is not allowed"
        raise PipelineError(at, f"The YAML cannot be read: {wrong}") from error


class _Composer:
    """Events to nodes. Anchors, sets, complex keys and a second document are refused, as by the service."""

    def __init__(self, events: Iterator[Any], name: str) -> None:
        self._events = events
        self._name = name

    def document(self) -> Node:
        found: Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if found is not None:
                    raise PipelineError(self._at(event), "Expected stream end parse event: a file is one document")
                found = self._node(next(self._events), 1)
        if found is None or (isinstance(found, Scalar) and found.value is None):
            raise PipelineError(Position(self._name, 1, 1), "The file is empty")
        return found

    def _at(self, event: Any) -> Position:
        return Position(self._name, event.start_mark.line + 1, event.start_mark.column + 1)

    def _node(self, event: Any, depth: int) -> Node:
        position = self._at(event)
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            # learn.microsoft.com/azure/devops/pipelines/yaml-schema: unsupported are anchors, complex keys and sets.
            text = f"Anchors are not currently supported. Remove the anchor '{event.anchor}'"
            raise PipelineError(position, text)
        if depth > DEEPEST:
            raise PipelineError(position, TOO_DEEP)
        if isinstance(event, yaml.ScalarEvent):
            style = event.style or ""
            empty = not style and event.value in ("", "~", "null", "Null", "NULL")
            return Scalar(None if empty else event.value, position, style)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
                items.append(self._node(item, depth + 1))
            return Sequence(tuple(items), position)
        return self._mapping(position, depth)

    def _mapping(self, position: Position, depth: int) -> Mapping:
        pairs: list[tuple[Scalar, Node]] = []
        seen: set[str] = set()
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key, Scalar):
                raise PipelineError(key.position, "A key must be text")
            # The service compares keys without regard to case, and lets directives repeat.
            folded = fold(key.text)
            if folded in seen and not key.text.strip().startswith("${{"):
                raise PipelineError(key.position, f"'{key.text}' is already defined")
            seen.add(folded)
            pairs.append((key, self._node(next(self._events), depth + 1)))
        return Mapping(tuple(pairs), position)


_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)")


def to_value(node: Node) -> Value:
    """What a node holds, as plain data; every scalar as its text."""
    match node:
        case Scalar(value):
            return value
        case Sequence(items, position):
            return SequenceValue([(to_value(item), item.position) for item in items], position)
        case Mapping(pairs, position):
            return MappingValue([(key.text, to_value(value), value.position) for key, value in pairs], position)


def to_typed_value(node: Node) -> Value:
    """As to_value, but plain scalars are what they look like: a parameter of type `object` keeps numbers and booleans.

    null becomes '' there. Measured with the service's preview by PGielniak/azdo-pipeline-emulator, research/E03.
    """
    match node:
        case Scalar(None):
            return ""
        case Scalar(str(text), _, "") if text.lower() in ("true", "false"):
            return text.lower() == "true"
        case Scalar(str(text), _, "") if _NUMBER.fullmatch(text):
            return Decimal(text)
        case Scalar(value):
            return value
        case Sequence(items, position):
            return SequenceValue([(to_typed_value(item), item.position) for item in items], position)
        case Mapping(pairs, position):
            return MappingValue([(key.text, to_typed_value(value), value.position) for key, value in pairs], position)


def from_value(value: Value, position: Position) -> Node:
    """Plain data as a node. What came out of a file stands where it stood there; all else where the expression stands."""
    if isinstance(value, MappingValue):
        return Mapping(
            tuple((Scalar(key, value.places[key]), from_value(item, value.places[key])) for key, item in value.items()),
            value.position,
        )
    if isinstance(value, SequenceValue):
        items = tuple(from_value(item, place) for item, place in zip(value, value.places, strict=True))
        return Sequence(items, value.position)
    if isinstance(value, MappingOf):
        pairs = tuple((Scalar(str(key), position), from_value(item, position)) for key, item in value.items())
        return Mapping(pairs, position)
    if isinstance(value, list | tuple):
        return Sequence(tuple(from_value(item, position) for item in value), position)
    return Scalar(value, position)
