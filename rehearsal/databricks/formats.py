"""Notebook source text: languages, the header line, what AUTO makes of a file, and a minimal Jupyter conversion.

Rules: databricks/cli `libs/notebook/detect.go` and its integration tests; databricks-sdk-py `mixins/workspace.py`.
"""

from __future__ import annotations

import json
from typing import Any

from rehearsal.databricks.errors import invalid

EXTENSIONS = {"PYTHON": "py", "SQL": "sql", "SCALA": "scala", "R": "r"}
COMMENTS = {"PYTHON": "#", "SQL": "--", "SCALA": "//", "R": "#"}
LANGUAGE_OF = {extension: language for language, extension in EXTENSIONS.items()}
HEADER = "Databricks notebook source"
# Which formats workspace/import and workspace/export name (SDK ImportFormat, ExportFormat).
FORMATS = ("SOURCE", "AUTO", "RAW", "JUPYTER", "DBC", "HTML", "R_MARKDOWN")


def header(language: str) -> bytes:
    return f"{COMMENTS[language]} {HEADER}".encode()


def has_header(language: str, head: bytes) -> bool:
    first = head.split(b"\n", 1)[0].removesuffix(b"\r")
    return first == header(language)


def with_header(language: str, source: bytes) -> bytes:
    """The source as the workspace exports it: the header is added when missing, never doubled."""
    return source if has_header(language, source) else header(language) + b"\n" + source


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
        cells = [_from_cell(cell, COMMENTS[language]) for cell in document["cells"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise invalid("The notebook content is not a valid Jupyter notebook") from error
    separator = f"\n\n{COMMENTS[language]} COMMAND ----------\n\n"
    return language, with_header(language, separator.join(cells).encode())


def _from_cell(cell: dict[str, Any], comment: str) -> str:
    text = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        text = "%md\n" + text
    if text.startswith("%"):
        return "\n".join(f"{comment} MAGIC {line}".rstrip() for line in text.split("\n"))
    return text


def to_jupyter(language: str, source: bytes) -> bytes:
    """A source notebook as Jupyter (nbformat 4); not a byte-preserving round trip, as in the real workspace."""
    comment = COMMENTS[language]
    text = source.decode("utf-8", "replace").replace("\r\n", "\n")
    body = text.split("\n", 1)[1] if has_header(language, source) and "\n" in text else ""
    cells = []
    for cell in body.split(f"\n{comment} COMMAND ----------\n"):
        lines = cell.strip("\n").split("\n")
        magic = f"{comment} MAGIC"
        if lines and lines[0].startswith(magic):
            lines = [line.removeprefix(magic).removeprefix(" ") for line in lines]
        content = "\n".join(lines)
        cells.append({"cell_type": "code", "metadata": {}, "source": [content], "outputs": [], "execution_count": 0})
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
