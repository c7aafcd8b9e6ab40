"""Finding notebooks in the workspace tree."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import Path

from rehearsal.notebooks.errors import NotebookNotFound, NotInRehearsal
from rehearsal.notebooks.source import EXTENSIONS, Cell, parse


@dataclass(frozen=True)
class Notebook:
    """A notebook. path: with /Workspace in front, without an extension."""

    path: str
    language: str
    cells: list[Cell]

    @property
    def folder(self) -> str:
        return posixpath.dirname(self.path)


class NotebookTree:
    """The NOTEBOOK objects of a workspace, as source files under a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, path: str) -> Notebook:
        """The notebook at an absolute path, with or without /Workspace.

        Raises NotebookNotFound; NotInRehearsal when its language can't run here.
        """
        path = full_path(path)
        for extension, language in EXTENSIONS.items():
            source = self._folder / (path.removeprefix("/Workspace/") + extension)
            if source.is_file():
                if language not in ("python", "sql"):
                    raise NotInRehearsal(f"{language} notebooks ({path})", "Sail runs Python and SQL")
                return Notebook(path, language, parse(source.read_text(encoding="utf-8"), language))
        raise NotebookNotFound(path)


def full_path(path: str) -> str:
    """An absolute workspace path, normal, with /Workspace in front: `/Users/x` and `/Workspace/Users/x` are one
    place.
    """
    path = posixpath.normpath("/" + path.lstrip("/"))
    return path if path == "/Workspace" or path.startswith("/Workspace/") else f"/Workspace{path}"


def seen_from(folder: str, path: str) -> str:
    """A path as a notebook in a folder means it; only `./x`, `../x` and `x` are relative (docs: notebook workflows)."""
    return full_path(path if path.startswith("/") else posixpath.join(folder, path))
