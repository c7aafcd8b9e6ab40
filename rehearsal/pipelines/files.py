"""The YAML files of a repository: found by the path that a template gives, read once, their expressions checked when read.

A file of another repository is named `path@alias`. How paths are resolved was measured with the service's preview by
PGielniak/azdo-pipeline-emulator, research/E03-template-engine.md (reference resolution).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from collections.abc import Mapping as MappingOf
from pathlib import Path

from rehearsal.pipelines.expressions import ExpressionError
from rehearsal.pipelines.template_text import directive, split
from rehearsal.pipelines.yaml_nodes import Mapping, Node, PipelineError, Position, Scalar, Sequence, read_yaml


class Files:
    """Reads the files of the repository at `root`, and of the others for which `repositories` has a folder, by alias."""

    def __init__(self, root: Path, repositories: MappingOf[str, Path] | None = None) -> None:
        self._root = root
        self._folders = {alias.lower(): folder for alias, folder in (repositories or {}).items()}
        self._declared: dict[str, str] = {}
        self._read: dict[str, Mapping] = {}
        self._found: dict[tuple[str, str], str] = {}
        self.also_wrong: list[PipelineError] = []

    @property
    def root(self) -> Path:
        return self._root

    @property
    def read_so_far(self) -> frozenset[str]:
        """Names of every file that something asked for."""
        return frozenset(self._read)

    def declare(self, alias: str, name: str) -> None:
        """`resources` names a repository: `@alias` may be used from here on."""
        self._declared.setdefault(alias.lower(), name)

    def resolve(self, template: str, including: str, at: Position) -> str:
        """The name of the file that `template:` means. Raises PipelineError."""
        found = self._found.get((template, including))
        if found is None:
            found = self._found[template, including] = self._resolve(template, including, at)
        return found

    def _resolve(self, template: str, including: str, at: Position) -> str:
        path, marked, alias = template.partition("@")
        path = path.replace("\\", "/")
        base, _, here = including.partition("@")
        there = "" if alias.lower() in ("", "self") else alias.lower()
        if not marked:
            there = here
        folder = posixpath.dirname(base) if there == here else ""
        joined = path if path.startswith("/") else posixpath.join("/", folder, path)
        if _leaves_the_root(joined):
            raise PipelineError(at, f"The file path {joined} is invalid: it leads out of the repository")
        normal = posixpath.normpath(joined).lstrip("/")
        name = f"{normal}@{there}" if there else normal
        if not _is_there(self._folder(there, alias or there, at), normal):
            raise PipelineError(at, f"File /{normal} not found in {self._described(there)}")
        return name

    def _folder(self, alias: str, written: str, at: Position) -> Path:
        if not alias:
            return self._root
        if alias not in self._declared:
            raise PipelineError(at, f"No repository found by name {written}")
        if alias not in self._folders:
            text = (
                f"The templates of the repository '{written}' ({self._declared[alias]}) are not here. Clone it, and name the "
                f"folder: --repository {written}=FOLDER"
            )
            raise PipelineError(at, text)
        return self._folders[alias]

    def _described(self, alias: str) -> str:
        return f"the repository '{alias}', {self._folders[alias]}" if alias else f"the repository {self._root}"

    def read(self, name: str, at: Position | None = None) -> Mapping:
        """The root mapping of a file. Raises PipelineError, also for a bad expression in a branch that nobody takes.

        That is the first; all others of the file are in `also_wrong`.
        """
        if name not in self._read:
            path, _, alias = name.partition("@")
            where = at or Position(name, 1, 1)
            folder = self._folder(alias, alias, where)
            if not (folder / path).is_file():
                raise PipelineError(where, f"File /{path} not found in {self._described(alias)}")
            node = read_yaml(folder / path, name)
            if not isinstance(node, Mapping):
                raise PipelineError(node.position, "Expected a mapping")
            wrong = list(wrong_expressions(node))
            self.also_wrong += wrong[1:]
            if wrong:
                raise wrong[0]
            self._read[name] = node
        return self._read[name]


def _leaves_the_root(path: str) -> bool:
    depth = 0
    for part in path.split("/"):
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 0:
            return True
    return False


def _is_there(folder: Path, path: str) -> bool:
    """Whether a folder holds a file under exactly this path: case counts, as in a Git tree; links may not lead out."""
    at = folder
    for part in path.split("/"):
        try:
            if part not in {entry.name for entry in at.iterdir()}:
                return False
        except OSError:
            return False
        at = at / part
    return at.is_file() and at.resolve().is_relative_to(folder.resolve())


def wrong_expressions(node: Node) -> Iterator[PipelineError]:
    """Every `${{ }}` whose form is wrong: fatal in Azure Pipelines in untaken branches too."""
    match node:
        case Scalar(str(text)) if "${{" in text:
            yield from _wrong(node, text, key=False)
        case Sequence(items):
            for item in items:
                yield from wrong_expressions(item)
        case Mapping(pairs):
            for key, value in pairs:
                if isinstance(key.value, str) and "${{" in key.value:
                    yield from _wrong(key, key.value, key=True)
                yield from wrong_expressions(value)


def _wrong(node: Scalar, text: str, *, key: bool) -> Iterator[PipelineError]:
    try:
        if not (key and directive(text) is not None):
            split(text)
    except ExpressionError as error:
        yield PipelineError(node.position, str(error))
