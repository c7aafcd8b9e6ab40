"""Archives of folders: DBC, which is a zip of notebooks as JSON, and zips of source files.

DBC: one entry per notebook, `<folder>/<name>.<language>`, a JSON document of version NotebookV1 with its commands (seen in
archives that people keep in public repositories). Which parts a reader needs is known, that they are all is not; what else the
service writes, and that files are left out, is unverified.
"""

from __future__ import annotations

import io
import json
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.databricks import formats, paths
from rehearsal.databricks.errors import ApiError, invalid
from rehearsal.databricks.formats import Cell

MOST_ENTRIES = 10_000
LARGEST_ENTRY = 10 * 1024 * 1024
LARGEST_CONTENT = 500 * 1024 * 1024
UNREADABLE = (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, OSError, EOFError)


@dataclass(frozen=True)
class Item:
    """What an archive holds at a path relative to the folder: a notebook in a language, or a file (language empty)."""

    path: str
    language: str
    content: bytes
    jupyter: bool = False


def read_zip(archive: Path) -> list[Item]:
    """A zip of source files. Notebooks are told by their extension, everything else is a file (unverified)."""
    return [_source_item(path, content) for path, content in _entries(archive)]


def _source_item(path: str, content: bytes) -> Item:
    stem, dot, extension = path.rpartition(".")
    if dot and not stem.endswith("/") and extension.lower() in formats.LANGUAGE_OF:
        language = formats.LANGUAGE_OF[extension.lower()]
        return Item(stem, language, formats.with_header(language, content))
    if dot and extension.lower() == "ipynb":
        language, source = formats.from_jupyter(content)
        return Item(stem, language, source, jupyter=True)
    return Item(path, "", content)


def read_dbc(archive: Path) -> list[Item]:
    """The notebooks of a DBC archive. Raises ApiError 400 when it is none."""
    items = []
    for path, content in _entries(archive):
        stem, _, extension = path.rpartition(".")
        if not stem or extension.upper() not in formats.EXTENSIONS:
            continue  # a manifest, or what a notebook showed
        language, cells = _read_notebook(path, content)
        items.append(Item(stem, language, formats.source_of(language, cells)))
    if not items:
        raise invalid("The archive contains no notebooks.")
    return items


def _read_notebook(path: str, content: bytes) -> tuple[str, list[Cell]]:
    try:
        document = json.loads(content)
        language = str(document["language"]).upper()
        commands = sorted(document["commands"], key=lambda command: float(command.get("position", 0)))
        cells = [Cell(str(each["command"]), str(each.get("commandTitle") or "")) for each in commands]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise invalid(f"The archive's notebook {path} can not be read") from None
    if language not in formats.EXTENSIONS:
        raise invalid(f"The language of the notebook {path} is not supported: {language}")
    return language, cells


def _entries(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of a zip with its content. Raises ApiError 400 for what is none, too much, or leads outside."""
    try:
        with zipfile.ZipFile(archive) as content:
            found = [entry for entry in content.infolist() if not entry.is_dir()]
            if len(found) > MOST_ENTRIES or sum(entry.file_size for entry in found) > LARGEST_CONTENT:
                raise ApiError(400, "MAX_NOTEBOOK_SIZE_EXCEEDED", "The archive holds too much")
            for entry in found:
                paths.collapse("/" + entry.filename)
                with content.open(entry) as file:
                    data = file.read(LARGEST_ENTRY + 1)
                if len(data) > LARGEST_ENTRY:
                    raise ApiError(400, "MAX_NOTEBOOK_SIZE_EXCEEDED", f"{entry.filename} is too large")
                yield entry.filename, data
    except UNREADABLE:
        raise invalid("The archive can not be read.") from None


def to_dbc(notebooks: list[tuple[str, str, bytes]]) -> bytes:
    """A DBC archive of notebooks: path in the archive without extension, language, source text."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, language, source in notebooks:
            # The same notebooks give the same bytes: no time, ids by name.
            entry = zipfile.ZipInfo(f"{path}.{language.lower()}")
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, json.dumps(_notebook(path, language, source)))
    return target.getvalue()


def _notebook(path: str, language: str, source: bytes) -> dict[str, Any]:
    commands = []
    for number, cell in enumerate(formats.cells_of(language, source), 1):
        commands.append(
            {
                "version": "CommandV1",
                "guid": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{path}/{number}")),
                "subtype": "command",
                "commandType": "auto",
                "position": float(number),
                "command": cell.text,
                "commandTitle": cell.title,
                "showCommandTitle": bool(cell.title),
                "state": "input",
            }
        )
    named = {"version": "NotebookV1", "name": paths.name_of("/" + path), "language": language.lower()}
    return named | {"guid": str(uuid.uuid5(uuid.NAMESPACE_OID, path)), "commands": commands}
