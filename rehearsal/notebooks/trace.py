"""A notebook's error as its user should see it: where in which notebook, with the frames of the user's code only."""

from __future__ import annotations

import linecache
import traceback
from dataclasses import dataclass
from pathlib import Path

_RUNNER = str(Path(__file__).parent)
# How a session talks to its server tells a notebook's author nothing.
_PLUMBING = "/pyspark/sql/connect/client/"


@dataclass(frozen=True)
class CellCode:
    """A cell that is being run: its notebook (workspace path), its number, and the source file's line where it
    begins. Number 0 stands for a whole Python file.
    """

    notebook: str
    number: int
    line: int

    @property
    def filename(self) -> str:
        """What Python knows the cell's code by."""
        return f"{self.notebook} (cell {self.number})" if self.number else self.notebook


class Cells:
    """All cells that were run, so that tracebacks show their lines and errors find their place."""

    def __init__(self) -> None:
        self._by_filename: dict[str, CellCode] = {}

    def add(self, cell: CellCode, text: str) -> None:
        """Makes a cell's text known to tracebacks."""
        self._by_filename[cell.filename] = cell
        linecache.cache[cell.filename] = (len(text), None, text.splitlines(keepends=True), cell.filename)

    def place(self, error: BaseException) -> str:
        """Where an error happened: notebook, cell and line of the innermost cell it passed through; "" when none
        did.
        """
        found = ""
        for frame in traceback.extract_tb(error.__traceback__):
            found = self._place(frame.filename, frame.lineno) or found
        if isinstance(error, SyntaxError) and error.filename:
            found = self._place(error.filename, error.lineno) or found
        return found

    def _place(self, filename: str, line: int | None) -> str:
        cell = self._by_filename.get(filename)
        if cell is None or line is None:
            return ""
        if not cell.number:
            return f"{cell.notebook}, line {line}"
        return f"{cell.notebook}, cell {cell.number}, line {line} (line {cell.line + line - 1} of the source file)"


def one_line(error: BaseException) -> str:
    """`ValueError: text`, as the service reports an error (SyntaxError and others without their frames)."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}"
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def user_trace(error: BaseException) -> str:
    """The traceback without frames of the runner, also in what caused the error."""
    captured = traceback.TracebackException.from_exception(error)
    for part in _chain(captured):
        part.stack = traceback.StackSummary.from_list([frame for frame in part.stack if not _hidden(frame.filename)])
    return "".join(captured.format()).rstrip("\n")


def of_a_library(error: BaseException, folder: Path) -> bool:
    """Whether an error passed through code that lies below a folder."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(frame.filename.startswith(f"{folder}/") for frame in frames)


def _hidden(filename: str) -> bool:
    return filename.startswith((_RUNNER, "<frozen runpy>")) or _PLUMBING in filename


def _chain(captured: traceback.TracebackException) -> list[traceback.TracebackException]:
    """It, its causes and contexts, and the parts of exception groups."""
    todo, seen = [captured], []
    while todo:
        part = todo.pop()
        seen.append(part)
        todo.extend(each for each in (part.__cause__, part.__context__) if each is not None)
        todo.extend(getattr(part, "exceptions", None) or [])
    return seen


def hide_places(text: str, real: dict[str, str]) -> str:
    """A text with this machine's folders spelled as Databricks' roots. real: root by folder."""
    for folder in sorted(real, key=len, reverse=True):
        text = text.replace(folder, real[folder])
    return text
