"""YAML with the line and column of everything in it, and nothing that Azure Pipelines does not take.

A scalar is text here, whatever it looks like; the place where it stands says what it must be.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rehearsal.pipelines.expressions import Value, to_text


@dataclass(frozen=True, order=True)
class Position:
    """A place in a file: its path from the repository's root, line and column from 1."""

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
    """Text as it stands in a file, or the value of an expression. `null` is a plain empty value or `null`."""

    value: Value
    position: Position

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


def read_yaml(path: Path, name: str) -> Node:
    """The one document of a file. Raises PipelineError for YAML that is broken or that Azure Pipelines does not take."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise PipelineError(Position(name, 1, 1), f"The file is not UTF-8: {error.reason}") from error
    return parse_yaml(text, name)


def parse_yaml(text: str, name: str) -> Node:
    """As read_yaml, from text."""
    try:
        events = [event for event in yaml.parse(text) if isinstance(event, yaml.AliasEvent | yaml.NodeEvent)]
        for event in events:
            if event.anchor is not None:
                # learn.microsoft.com/azure/devops/pipelines/yaml-schema: unsupported are anchors, complex keys and sets.
                raise PipelineError(_position(event.start_mark, name), "Anchors and aliases are not supported")
        document = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Position(name, mark.line + 1, mark.column + 1) if mark else Position(name, 1, 1)
        raise PipelineError(at, f"The YAML cannot be read: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise PipelineError(Position(name, 1, 1), f"The YAML cannot be read: {error}") from error
    if document is None:
        raise PipelineError(Position(name, 1, 1), "The file is empty")
    return _convert(document, name)


def _position(mark: Any, name: str) -> Position:
    return Position(name, mark.line + 1, mark.column + 1)


def _convert(node: yaml.Node, name: str) -> Node:
    position = _position(node.start_mark, name)
    if isinstance(node, yaml.ScalarNode):
        plain = node.style is None
        return Scalar(None if plain and node.value in ("", "~", "null", "Null", "NULL") else node.value, position)
    if isinstance(node, yaml.SequenceNode):
        return Sequence(tuple(_convert(item, name) for item in node.value), position)
    if not isinstance(node, yaml.MappingNode):
        raise PipelineError(position, "Expected text, a sequence or a mapping")
    pairs: list[tuple[Scalar, Node]] = []
    seen: set[str] = set()
    for key, value in node.value:
        converted = _convert(key, name)
        if not isinstance(converted, Scalar):
            raise PipelineError(converted.position, "A key must be text")
        text = converted.text
        if text in seen and not text.strip().startswith("${{"):
            raise PipelineError(converted.position, f"'{text}' is already defined")
        seen.add(text)
        pairs.append((converted, _convert(value, name)))
    return Mapping(tuple(pairs), position)


def to_value(node: Node) -> Value:
    """What a node holds, as plain data."""
    match node:
        case Scalar(value):
            return value
        case Sequence(items):
            return [to_value(item) for item in items]
        case Mapping(pairs):
            return {key.text: to_value(value) for key, value in pairs}


def from_value(value: Value, position: Position) -> Node:
    """Plain data as a node, all of it at one place: where the expression stands that gave it."""
    if isinstance(value, MappingOf):
        pairs = tuple((Scalar(str(key), position), from_value(item, position)) for key, item in value.items())
        return Mapping(pairs, position)
    if isinstance(value, list | tuple):
        return Sequence(tuple(from_value(item, position) for item in value), position)
    return Scalar(value, position)
