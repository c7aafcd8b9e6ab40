"""Databricks' source format: what a notebook looks like as a text file, cut into cells.

Source: docs "Export and import Databricks notebooks" (header, `COMMAND ----------`, `MAGIC`, `DBTITLE`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

COMMENT = {"python": "#", "sql": "--", "scala": "//", "r": "#"}
EXTENSIONS = {".py": "python", ".sql": "sql", ".scala": "scala", ".r": "r"}
# The magics that choose what a whole cell is; any other name after % is one of IPython's, in a Python cell.
CELL_MAGICS = frozenset(
    {"python", "sql", "scala", "r", "sh", "fs", "md", "md-sandbox", "pip", "run", "conda", "script"}
)


@dataclass(frozen=True)
class Cell:
    """One cell.

    number: counted from 1, as the notebook shows it. kind: a language, or the name of a cell magic. text: without the
    comment marks; for a magic, what follows its name (also the rest of that line). line: line of the source file, from
    1, where the text begins.
    """

    number: int
    kind: str
    text: str
    line: int
    title: str = ""


def parse(text: str, language: str) -> list[Cell]:
    """The cells of a notebook, in order; cells with nothing in them are counted and left out.

    language: "python", "sql", "scala" or "r", the notebook's default.
    """
    mark = re.escape(COMMENT[language])
    lines = text.replace("\r\n", "\n").removeprefix("\ufeff").split("\n")
    start = 0
    if lines and re.fullmatch(mark + r" Databricks notebook source\s*", lines[0]):
        start = 1
    separator = re.compile(mark + r" COMMAND ----------\s*")
    cells: list[Cell] = []
    number, first = 1, start
    for index in range(start, len(lines) + 1):
        if index == len(lines) or separator.fullmatch(lines[index]):
            cell = _cell(number, lines[first:index], first + 1, language)
            if cell is not None:
                cells.append(cell)
            number, first = number + 1, index + 1
    return cells


def _cell(number: int, lines: list[str], line: int, language: str) -> Cell | None:
    mark = COMMENT[language]
    title = ""
    while lines and (not lines[0].strip() or lines[0].startswith(f"{mark} DBTITLE ")):
        if lines[0].strip():
            title = lines[0].partition(",")[2].strip()
        lines, line = lines[1:], line + 1
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    if not lines:
        return None
    if not lines[0].startswith(f"{mark} MAGIC"):
        return Cell(number, language, "\n".join(lines), line, title)
    return _magic_cell(number, [_without_mark(each, mark) for each in lines], line, language, title)


def _without_mark(line: str, mark: str) -> str:
    stripped = re.match(re.escape(mark) + r" MAGIC( |$)", line)
    return line[stripped.end() :] if stripped else line


def _magic_cell(number: int, lines: list[str], line: int, language: str, title: str) -> Cell | None:
    while lines and not lines[0].strip():
        lines, line = lines[1:], line + 1
    if not lines:
        return None
    magic = re.match(r"%([A-Za-z][\w-]*)(?:\s+|$)", lines[0])
    if magic is None or magic[1] not in CELL_MAGICS:
        return Cell(number, language, "\n".join(lines), line, title)
    return Cell(number, magic[1], "\n".join([lines[0][magic.end() :], *lines[1:]]), line, title)


@dataclass(frozen=True)
class RunCommand:
    """What a `%run` cell asks for: a notebook, and widget values for it."""

    path: str
    arguments: dict[str, str]


def parse_run(text: str) -> RunCommand:
    """The target of a `%run` cell; the path may be quoted, `$name="value"` pairs may follow.

    Raises ValueError when there is no path, or when the cell holds anything else ("%run must be in a cell by itself",
    docs: notebook workflows).
    """
    rows = [row for row in text.split("\n") if row.strip() and not row.lstrip().startswith("#")]
    if not rows:
        raise ValueError("%run needs the path of a notebook")
    if len(rows) > 1:
        raise ValueError("%run must be in a cell by itself, because it runs the entire notebook inline")
    match = re.match(r"""\s*(?:"([^"]+)"|'([^']+)'|(.+?))\s*((?:\$\w+\s*=\s*(?:"[^"]*"|'[^']*'|\S+)\s*)*)$""", rows[0])
    if match is None:
        raise ValueError(f"%run: cannot read {rows[0].strip()!r}")
    path = match[1] or match[2] or match[3]
    pairs = re.findall(r"""\$(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)'|(\S+))""", match[4])
    return RunCommand(path.strip(), {name: double or single or bare for name, double, single, bare in pairs})


def split_sql(text: str) -> list[str]:
    """The statements of a SQL cell: cut at semicolons that are not in a literal, a quoted name or a comment."""
    token = re.compile(
        r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|`[^`]*`|--[^\n]*|/\*.*?\*/|;|[^'"`;/-]+|.""", re.DOTALL
    )
    statements, current, meaningful = [], "", False
    for piece in token.findall(text):
        if piece == ";":
            if meaningful:
                statements.append(current.strip())
            current, meaningful = "", False
            continue
        current += piece
        meaningful = meaningful or (bool(piece.strip()) and not piece.startswith(("--", "/*")))
    if meaningful:
        statements.append(current.strip())
    return statements
