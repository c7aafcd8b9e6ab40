"""A pipeline after expansion as text, as the service's preview writes it.

Sequences are not indented below their key; what stood in quotes in a file stays in quotes; no line is folded; an empty line ends
the text. Read off the service's answers by PGielniak/azdo-pipeline-emulator, research/E03-template-engine.md. Where the service
folds a text of several lines that an expression made, this writes it line by line: it means the same.
"""

from __future__ import annotations

import yaml

from rehearsal.pipelines.yaml_nodes import Mapping, Node, Scalar, Sequence

_TEXT, _LIST, _MAP = "tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"
_NEVER = 1 << 30


def final_yaml(pipeline: Mapping) -> str:
    """The text of the final YAML."""
    # A dumper that resolves nothing quotes no text for what it looks like: the service writes `true` and 0123 plain.
    text = yaml.serialize(_written(pipeline), Dumper=yaml.BaseDumper, width=_NEVER, allow_unicode=True)
    return f"{text}\n"


def _written(node: Node) -> yaml.Node:
    match node:
        case Scalar():
            return _scalar(node)
        case Sequence(items):
            return yaml.SequenceNode(_LIST, [_written(item) for item in items], flow_style=not items)
        case Mapping(pairs):
            written = [(_scalar(key), _written(value)) for key, value in pairs]
            return yaml.MappingNode(_MAP, written, flow_style=not pairs)


def _scalar(node: Scalar) -> yaml.ScalarNode:
    text = node.text
    style: str | None = node.style or None
    if "\n" in text and style != '"':
        style = "|"
    elif not text:
        style = "'"
    return yaml.ScalarNode(_TEXT, text, style=style)
