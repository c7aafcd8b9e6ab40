"""`resources:` of a pipeline: which repositories it names, and what may be worked out in it."""

from __future__ import annotations

from collections.abc import Iterator

from rehearsal.pipelines.flattening import Scope, expand, plain_values
from rehearsal.pipelines.yaml_nodes import Mapping, Node, PipelineError, Scalar, Sequence

_NOT_HERE = "A template expression is not allowed in this context"
# [schema] repositoryResource: of a repository the ref alone may hold an expression.
_WORKED_OUT = ("ref",)
_JOINED = ("variables", "resources")


def repositories(root: Mapping) -> Iterator[tuple[str, str]]:
    """Alias and name of every repository that a file names."""
    resources = root.get("resources")
    listed = resources.get("repositories") if isinstance(resources, Mapping) else None
    for item in listed.items if isinstance(listed, Sequence) else ():
        if isinstance(item, Mapping):
            alias, name = item.get("repository"), item.get("name")
            if isinstance(alias, Scalar) and alias.text:
                yield alias.text, name.text if isinstance(name, Scalar) else "no name given"


def expand_resources(node: Node, scope: Scope) -> Node:
    """Resources with their expressions worked out. Raises PipelineError for one in a repository."""
    if not isinstance(node, Mapping):
        return expand(node, scope)
    pairs: list[tuple[Scalar, Node]] = []
    for key, value in node.pairs:
        if key.text == "repositories" and isinstance(value, Sequence):
            items = tuple(_repository(item, scope) for item in value.items)
            pairs.append((key, Sequence(items, value.position)))
        else:
            pairs.append((key, expand(value, scope)))
    return Mapping(tuple(pairs), node.position)


def _repository(node: Node, scope: Scope) -> Node:
    if not isinstance(node, Mapping):
        return plain_values(node, scope)
    pairs = []
    for key, value in node.pairs:
        if "${{" in key.text:
            raise PipelineError(key.position, _NOT_HERE)
        if isinstance(value, Scalar) and "${{" in value.text and key.text not in _WORKED_OUT:
            raise PipelineError(value.position, _NOT_HERE)
        pairs.append((key, plain_values(value, scope)))
    return Mapping(tuple(pairs), node.position)


def merged(pipeline: Mapping, extended: Mapping) -> Mapping:
    """A pipeline with what its `extends` template gave, in the place of `extends`. Its own keys win; lists are joined."""
    own = {key.text: value for key, value in pipeline.pairs}
    given = {key.text: value for key, value in extended.pairs if key.text != "parameters"}
    pairs: list[tuple[Scalar, Node]] = []
    for key, value in pipeline.pairs:
        if key.text == "extends":
            pairs += [pair for pair in extended.pairs if pair[0].text in given and pair[0].text not in own]
        elif key.text in _JOINED and key.text in given:
            pairs.append((key, _joined(value, given[key.text])))
        else:
            pairs.append((key, value))
    return Mapping(tuple(pairs), pipeline.position)


def _joined(first: Node, second: Node) -> Node:
    match first, second:
        case Sequence(items, position), Sequence(more):
            return Sequence((*items, *more), position)
        case Mapping(pairs, position), Mapping():
            joined = tuple(
                (key, _joined(value, other) if (other := second.get(key.text)) else value) for key, value in pairs
            )
            names = {key.text for key, _ in pairs}
            return Mapping((*joined, *(pair for pair in second.pairs if pair[0].text not in names)), position)
    return first
