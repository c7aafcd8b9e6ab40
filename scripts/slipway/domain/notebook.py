"""Notebooks in Databricks' source format: which file is one, and what may not be in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

# First line of a notebook in source format, by extension; what lacks it is an ordinary file that keeps its name
# (databricks/cli libs/notebook/detect.go).
HEADERS = {
    ".py": ("PYTHON", b"# Databricks notebook source"),
    ".sql": ("SQL", b"-- Databricks notebook source"),
    ".scala": ("SCALA", b"// Databricks notebook source"),
    ".r": ("R", b"# Databricks notebook source"),
}
COMMENTS = {"PYTHON": "#", "SQL": "--", "SCALA": "//", "R": "#"}
"""How a line that is no code begins in each language: the header, and the lines that part cells."""


def notebook_language(name: str, start: bytes) -> str | None:
    """PYTHON, SQL, SCALA or R when a file with this name and beginning is a notebook, else None."""
    extension = "." + name.rpartition(".")[2].lower() if "." in name else ""
    language, header = HEADERS.get(extension, ("", b""))
    first = start.split(b"\n", 1)[0].rstrip(b"\r")
    return language if language and first == header else None


def slot_paths(roots: Iterable[str]) -> re.Pattern[str]:
    """Matches a path into a slot of these roots, with or without /Workspace, all below /Slipway, and ../../blue.

    A slot must be closed: what a candidate's test runs is what is switched to, and nothing of the other slot.
    """
    bare = sorted({re.escape(root.removeprefix("/Workspace")) for root in roots})
    named = "".join(rf"|{root}/(?:blue|green)\b" for root in bare)
    return re.compile(rf"(?<![\w.])(?:(?:/Workspace)?(?:/Slipway/{named})|(?:\.\./)+(?:blue|green)\b)")


def find_slot_paths(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    """Line (from 1) and the path found, for each line that has one."""
    for number, line in enumerate(text.splitlines(), 1):
        match = pattern.search(line)
        if match:
            yield number, re.split(r"[\s\"'`)\]}]", line[match.start() :], maxsplit=1)[0]
