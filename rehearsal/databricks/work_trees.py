"""Between a Git folder's objects and the files of its work tree: which file is which object, and what changed on either side."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.databricks import formats, paths
from rehearsal.databricks.errors import ApiError
from rehearsal.databricks.members import Member
from rehearsal.databricks.tree import DIRECTORY, FILE, FOLDERS, NOTEBOOK, Node, Tree

# Resource limits page: files of a Git folder, notebooks among them, and the size of a branch.
MOST_FILES = 10_000
MOST_NOTEBOOKS = 5_000
LARGEST = 500 * 1024 * 1024

# What is kept of a checkout: path of each object below the folder -> its file's name in the work tree, and a hash of its bytes.
State = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Entry:
    """A file of the work tree, and what it is as an object: `path` below the folder, without a notebook's extension."""

    file: str
    path: str
    language: str
    jupyter: bool

    @property
    def kind(self) -> str:
        return NOTEBOOK if self.language or self.jupyter else FILE


def scan(work: Path) -> list[Entry]:
    """Every file of the work tree. Raises ApiError for names that can't be objects beside each other, and for too much."""
    entries: list[Entry] = []
    size = 0
    folders: list[str] = []
    for file in _files(work):
        name, size = file.as_posix(), size + (work / file).stat().st_size
        paths.collapse(f"/{name}")
        entry = _entry(work, file)
        entries.append(entry)
        folders += [above for above in paths.ancestors(f"/{name}") if above != paths.ROOT]
    notebooks = sum(entry.kind == NOTEBOOK for entry in entries)
    if len(entries) > MOST_FILES or notebooks > MOST_NOTEBOOKS or size > LARGEST:
        text = f"The Git folder would hold {len(entries)} files, {notebooks} notebooks and {size} bytes"
        limits = f"{MOST_FILES}, {MOST_NOTEBOOKS} and {LARGEST}"
        raise ApiError(
            400, "RESOURCE_LIMIT_EXCEEDED", f"{text}; at most {limits} are allowed"
        )  # code and text unverified
    _check_names(entries, {folder[1:] for folder in folders})
    return entries


def _entry(work: Path, file: Path) -> Entry:
    name = file.as_posix()
    with (work / file).open("rb") as content:
        found = formats.detect(file.name, content.read(64))
    if found is None:
        return Entry(name, name, "", False)
    stem, language = found
    if not language:
        try:
            formats.from_jupyter((work / file).read_bytes())
        except ApiError:
            return Entry(name, name, "", False)  # unverified: what is no notebook is a file
    return Entry(name, (file.parent / stem).as_posix(), language, not language)


def _files(work: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(work):
        if Path(folder) == work:
            folders.remove(".git")
        folders.sort()
        yield from (Path(folder, name).relative_to(work) for name in sorted(names))


def _check_names(entries: list[Entry], folders: set[str]) -> None:
    """A notebook's name is taken for everything beside it, extensions aside (a message that a user quotes, see below)."""
    notebooks = {entry.path: entry.file for entry in entries if entry.kind == NOTEBOOK}
    for entry in entries:
        stem = entry.path if entry.kind == NOTEBOOK else _stem(entry.path)
        first = notebooks.get(stem)
        if first and first != entry.file:
            raise _conflict(first, entry.file)
    for path in sorted(folders & notebooks.keys()):
        raise _conflict(path, notebooks[path])


def _stem(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return folder + slash + (name.rpartition(".")[0] or name)


def _conflict(first: str, second: str) -> ApiError:
    # The text of amesar/mlflow-export-import issue 57; status and code are unverified.
    text = f"Cannot perform git operation due to conflicting names: {first} and {second}. "
    text += "A folder cannot contain a notebook with the same name as another notebook, file, or folder "
    text += "(excluding file extensions). Please change the name of one of your notebooks, files, or folders."
    return ApiError(400, "BAD_REQUEST", text)


def write_back(tree: Tree, root: str, work: Path, state: State) -> None:
    """Bring the work tree to what was changed in the workspace since the last checkout."""
    now = {node.path[len(root) + 1 :]: node for node in tree.walk(root) if node.kind in (NOTEBOOK, FILE)}
    for path, kept in state.items():
        if path not in now:
            (work / kept["file"]).unlink(missing_ok=True)
    for path, node in now.items():
        content = tree.bytes_of(node).read_bytes()
        before = state.get(path)
        if before and before["hash"] == _hash(content):
            continue
        file = work / _file_of(path, node)
        if before and before["file"] != _file_of(path, node):
            (work / before["file"]).unlink(missing_ok=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(formats.to_jupyter(node.language, content) if node.jupyter else content)


def _file_of(path: str, node: Node) -> str:
    if node.kind == FILE:
        return path
    return f"{path}.{'ipynb' if node.jupyter else formats.EXTENSIONS[node.language]}"


def take_over(
    tree: Tree, member: Member, root: str, work: Path, entries: list[Entry], before: State, spare: Path
) -> State:
    """Bring the workspace to what the work tree holds; what is the same already is left alone. `spare` names a file to use."""
    state: State = {}
    wanted = {paths.join(root, entry.path): entry for entry in entries}
    for node in reversed(list(tree.walk(root))):
        entry = wanted.get(node.path)
        stays = entry is None if node.kind in FOLDERS else entry is not None and entry.kind == node.kind
        if not stays:
            tree.remove(node)
    for path, entry in wanted.items():
        language, content = _content(work, entry)
        state[entry.path] = {"file": entry.file, "hash": _hash(content)}
        if not _is_there(tree, path, language, content, before.get(entry.path)):
            tree.make_folders(paths.parent_of(path))
            spare.write_bytes(content)
            tree.put(member, path, entry.kind, language, spare, len(content), jupyter=entry.jupyter)
    _drop_empty_folders(tree, root)
    return state


def _is_there(tree: Tree, path: str, language: str, content: bytes, known: dict[str, Any] | None) -> bool:
    """Whether the object is as the work tree has it. The hash alone would miss what was changed in the workspace."""
    node = tree.at(path)
    if node is None or node.language != language or known is None or known["hash"] != _hash(content):
        return False
    return tree.bytes_of(node).read_bytes() == content


def _content(work: Path, entry: Entry) -> tuple[str, bytes]:
    content = (work / entry.file).read_bytes()
    if entry.jupyter:
        return formats.from_jupyter(content)
    return entry.language, content


def _drop_empty_folders(tree: Tree, root: str) -> None:
    """Git knows no empty folders."""
    for node in reversed(list(tree.walk(root))):
        if node.kind == DIRECTORY and not tree.has_children(node.path):
            tree.remove(node)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
