"""Changes single values in a YAML text, so that comments, order and spelling of all else stay as a person wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from slipway.domain.configuration import look_up, parse, show
from slipway.errors import NotPossible

_INDENT = 2


def set_value(text: str, path: Sequence[str], value: Any) -> str:
    """The text with `value` at the key path, which is made where it is missing; lists and mappings go on one line.

    Raises NotPossible where the text can't be read, or something on the way is no mapping.
    """
    edited = _edited(text, tuple(path), value)
    found, _, wrong = parse(edited, "the file")
    if wrong or look_up(found, ".".join(path)) != (True, value):
        raise _by_hand(path, value)
    return edited


def _edited(text: str, path: tuple[str, ...], value: Any) -> str:
    try:
        node = yaml.compose(text)
    except yaml.YAMLError as error:
        raise _by_hand(path, value) from error
    if node is None:  # nothing but comments
        return _with_line_end(text) + _block(path, value, 0)
    name = node
    for depth, key in enumerate(path):
        if not isinstance(node, yaml.MappingNode):
            raise _by_hand(path, value)
        name, below = next(((name, child) for name, child in node.value if name.value == key), (name, None))
        if below is None or (_is_empty(below) and depth < len(path) - 1):
            return _insert(text, node, path[depth:], value, replaces=below)
        node = below
    return _replace(text, name, node, path, value)


def _replace(text: str, name: yaml.Node, node: yaml.Node, path: tuple[str, ...], value: Any) -> str:
    """`node`, the value of the key `name`, becomes `value`; a block becomes one line, where nobody wrote a comment into it."""
    start, end = node.start_mark.index, _end(node)
    if not isinstance(node, yaml.ScalarNode) and not getattr(node, "flow_style", False):
        colon = text.index(":", name.end_mark.index) + 1
        if any(mark in text[colon:end] for mark in ("#", "&", "*", "!")):
            raise _by_hand(path, value)
        return f"{text[:colon]} {_inline(value)}{text[end:]}"
    if text[start : start + 1] in ("|", ">", "&", "*", "!"):
        raise _by_hand(path, value)
    gap = " " if start == end and text[start - 1 : start] == ":" else ""
    return text[:start] + gap + _inline(value) + text[end:]


def _insert(text: str, node: yaml.MappingNode, path: tuple[str, ...], value: Any, *, replaces: yaml.Node | None) -> str:
    """New keys at the end of a mapping; `replaces`: a key of it that has no value yet."""
    if replaces is not None:
        indent = _column(node) + _INDENT
        at = text.find("\n", replaces.start_mark.index)
        at = len(text) if at < 0 else at + 1
        return _with_line_end(text[:at]) + _block(path[1:], value, indent) + text[at:]
    if node.flow_style:
        last = _end(node) - 1
        comma = ", " if node.value else ""
        nested = _inline(value)
        for key in reversed(path[1:]):
            nested = f"{{{key}: {nested}}}"
        return text[:last].rstrip() + f"{comma}{path[0]}: {nested}" + text[last:]
    end = _end(node)
    at = end if text[:end].endswith("\n") else text.find("\n", end) + 1
    at = len(text) if at == 0 else at
    return _with_line_end(text[:at]) + _block(path, value, _column(node)) + text[at:]


def _end(node: yaml.Node) -> int:
    """Where a node's own text ends: that of a block goes on, for the parser, to the next thing."""
    if isinstance(node, yaml.ScalarNode) or getattr(node, "flow_style", False):
        return int(node.end_mark.index)
    inner = [child for pair in node.value for child in (pair if isinstance(pair, tuple) else (pair,))]
    return max((_end(child) for child in inner), default=int(node.end_mark.index))


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.start_mark.index == node.end_mark.index


def _column(node: yaml.MappingNode) -> int:
    return int(node.value[0][0].start_mark.column) if node.value else int(node.start_mark.column)


def _block(path: Sequence[str], value: Any, indent: int) -> str:
    lines = [" " * (indent + _INDENT * depth) + f"{key}:" for depth, key in enumerate(path)]
    return "\n".join(lines) + f" {_inline(value)}\n"


def _inline(value: Any) -> str:
    """The value on one line, quoted where YAML would read it as something else."""
    dumped = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)
    return dumped.removesuffix("...\n").strip()


def _with_line_end(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"


def _by_hand(path: Sequence[str], value: Any) -> NotPossible:
    return NotPossible(
        f"{show(tuple(path))} can't be written without touching other things in the file.",
        changed="The file was not changed.",
        next_step=f"Write it by hand: {show(tuple(path))}: {_inline(value)}",
    )
