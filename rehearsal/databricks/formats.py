"""Notebook source text: languages, the header line, cells, what AUTO makes of a file, and a minimal Jupyter conversion.

Rules: databricks/cli `libs/notebook/detect.go` and its integration tests; databricks-sdk-py `mixins/workspace.py`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rehearsal.databricks.errors import invalid

EXTENSIONS = {"PYTHON": "py", "SQL": "sql", "SCALA": "scala", "R": "r"}
COMMENTS = {"PYTHON": "#", "SQL": "--", "SCALA": "//", "R": "#"}
LANGUAGE_OF = {extension: language for language, extension in EXTENSIONS.items()}
HEADER = "Databricks notebook source"
# Which formats workspace/import and workspace/export name (SDK ImportFormat, ExportFormat).
FORMATS = ("SOURCE", "AUTO", "RAW", "JUPYTER", "DBC", "HTML", "R_MARKDOWN")
CELL_METADATA = "application/vnd.databricks.v1+cell"


@dataclass(frozen=True)
class Cell:
    """One cell: its text as a notebook shows it (magic commands without their comments), and its title."""

    text: str
    title: str = ""


def header(language: str) -> bytes:
    return f"{COMMENTS[language]} {HEADER}".encode()


def has_header(language: str, head: bytes) -> bool:
    first = head.split(b"\n", 1)[0].removesuffix(b"\r")
    return first == header(language)


def with_header(language: str, source: bytes) -> bytes:
    """The source as the workspace exports it: the header is added when missing, never doubled."""
    return source if has_header(language, source) else header(language) + b"\n" + source


def cells_of(language: str, source: bytes) -> list[Cell]:
    """The cells of a notebook's source text."""
    comment = COMMENTS[language]
    text = source.decode("utf-8", "replace").replace("\r\n", "\n")
    if has_header(language, source):
        text = text.partition("\n")[2]
    return [_cell(piece, comment) for piece in f"\n{text}".split(f"\n{comment} COMMAND ----------\n")]


def _cell(piece: str, comment: str) -> Cell:
    lines, title = piece.strip("\n").split("\n"), ""
    if lines[0].startswith(f"{comment} DBTITLE "):
        # `DBTITLE <show>,<title>` (product docs, notebook export).
        title = lines.pop(0).partition(",")[2]
    magic = f"{comment} MAGIC"
    if lines and lines[0].startswith(magic):
        lines = [line.removeprefix(magic).removeprefix(" ") for line in lines]
    return Cell("\n".join(lines), title)


def source_of(language: str, cells: Sequence[Cell]) -> bytes:
    """The source text of a notebook with these cells."""
    comment = COMMENTS[language]
    pieces = []
    for cell in cells:
        text = cell.text
        if text.startswith("%"):
            text = "\n".join(f"{comment} MAGIC {line}".rstrip() for line in text.split("\n"))
        pieces.append(f"{comment} DBTITLE 1,{cell.title}\n{text}" if cell.title else text)
    return with_header(language, f"\n\n{comment} COMMAND ----------\n\n".join(pieces).encode())


def detect(name: str, head: bytes) -> tuple[str, str] | None:
    """What AUTO makes of a file, from its name and first bytes: the name and language of a notebook, or None for a file.

    `.ipynb` answers the language "" (it is in the metadata).
    """
    stem, dot, extension = name.rpartition(".")
    if not (stem and dot):
        return None
    extension = extension.lower()
    if extension == "ipynb":
        return stem, ""
    language = LANGUAGE_OF.get(extension)
    return (stem, language) if language and has_header(language, head) else None


def from_jupyter(data: bytes) -> tuple[str, bytes]:
    """Language and source text of a Jupyter notebook. Raises ApiError 400 when it is none."""
    try:
        document = json.loads(data)
        language = str(document.get("metadata", {}).get("language_info", {}).get("name", "python")).upper()
        if language not in COMMENTS:
            raise invalid(f"The language of the notebook is not supported: {language}")
        cells = [_from_cell(cell) for cell in document["cells"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise invalid("The notebook content is not a valid Jupyter notebook") from error
    return language, source_of(language, cells)


def _from_cell(cell: dict[str, Any]) -> Cell:
    text = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        text = "%md\n" + text
    shown = cell.get("metadata", {}).get(CELL_METADATA, {})
    return Cell(text, str(shown.get("title") or ""))


def to_jupyter(language: str, source: bytes) -> bytes:
    """A source notebook as Jupyter (nbformat 4); not a byte-preserving round trip, as in the real workspace."""
    cells = []
    for cell in cells_of(language, source):
        metadata = {CELL_METADATA: {"title": cell.title, "showTitle": True}} if cell.title else {}
        shown = {"cell_type": "code", "metadata": metadata, "source": [cell.text], "outputs": [], "execution_count": 0}
        cells.append(shown)
    document = {
        "cells": cells,
        "metadata": {
            "application/vnd.databricks.v1+notebook": {"language": language.lower(), "widgets": {}},
            "language_info": {"name": language.lower()},
        },
        "nbformat": 4,
        "nbformat_minor": 0,
    }
    return json.dumps(document).encode()
