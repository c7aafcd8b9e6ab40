"""The YAML files of a repository: found by the path that a template gives, read once, their expressions checked when read."""

from __future__ import annotations

import posixpath
from pathlib import Path

from rehearsal.pipelines.expressions import ExpressionError
from rehearsal.pipelines.template_text import directive, split
from rehearsal.pipelines.yaml_nodes import Mapping, Node, PipelineError, Position, Scalar, Sequence, read_yaml


class Files:
    """Reads the files of the repository at `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read: dict[str, Mapping] = {}

    @property
    def root(self) -> Path:
        return self._root

    @property
    def read_so_far(self) -> frozenset[str]:
        """Paths from the root of every file that something asked for."""
        return frozenset(self._read)

    def resolve(self, template: str, including: str, at: Position) -> str:
        """The path from the root that `template:` means. Raises PipelineError."""
        path, _, alias = template.partition("@")
        if alias not in ("", "self"):
            raise PipelineError(at, f"'{template}': this rehearsal has no templates of another repository")
        path = path.strip().replace("\\", "/")
        joined = path.lstrip("/") if path.startswith("/") else posixpath.join(posixpath.dirname(including), path)
        normal = posixpath.normpath(joined)
        if normal.startswith("../") or not (self._root / normal).is_file():
            raise PipelineError(at, f"File /{normal} not found")
        return normal

    def read(self, name: str, at: Position | None = None) -> Mapping:
        """The root mapping of a file. Raises PipelineError, also for a bad expression in a branch that nobody takes."""
        if name not in self._read:
            if not (self._root / name).is_file():
                raise PipelineError(at or Position(name, 1, 1), f"File /{name} not found")
            node = read_yaml(self._root / name, name)
            if not isinstance(node, Mapping):
                raise PipelineError(node.position, "Expected a mapping")
            check_expressions(node)
            self._read[name] = node
        return self._read[name]


def check_expressions(node: Node) -> None:
    """Raises PipelineError for the first `${{ }}` whose form is wrong: fatal in Azure Pipelines in untaken branches too."""
    match node:
        case Scalar(str(text)) if "${{" in text:
            _check(node, text, key=False)
        case Sequence(items):
            for item in items:
                check_expressions(item)
        case Mapping(pairs):
            for key, value in pairs:
                if isinstance(key.value, str) and "${{" in key.value:
                    _check(key, key.value, key=True)
                check_expressions(value)


def _check(node: Scalar, text: str, *, key: bool) -> None:
    try:
        if not (key and directive(text) is not None):
            split(text)
    except ExpressionError as error:
        raise PipelineError(node.position, str(error)) from error
