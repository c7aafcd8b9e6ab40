"""Runs the cells of one notebook."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType
from typing import Any

from rehearsal.notebooks.dbutils.widgets import Widgets
from rehearsal.notebooks.display import display, show_result
from rehearsal.notebooks.errors import NotebookNotFound, NotInRehearsal, PythonRestarted
from rehearsal.notebooks.source import Cell, parse_run, split_sql
from rehearsal.notebooks.trace import CellCode, Cells
from rehearsal.notebooks.workspace import Notebook, NotebookTree, seen_from

_HARMLESS_MAGIC = re.compile(r"\s*%matplotlib\s+inline\s*$")
_LINE_MAGIC = re.compile(r"\s*(%%?[A-Za-z]\w*|![\w./]+)")
_SQL_PARAMETER = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)")
_SQL_ARGUMENT = re.compile(r"\$\{(\w+)\}")


@dataclass
class Tools:
    """What cells need besides their names. pip: runs a %pip line, seen from a folder; shell: runs a %sh cell; restart:
    forgets what was imported.
    """

    tree: NotebookTree
    cells: Cells
    pip: Callable[[str, str], None]
    shell: Callable[[str], None]
    restart: Callable[[], None]


class Interpreter:
    """One notebook's names and the way its cells run.

    fresh: gives the names that every notebook starts with. names: the dictionary that cells run in; it stays the same
    one.
    """

    def __init__(
        self, tools: Tools, names: dict[str, Any], fresh: Callable[[], dict[str, Any]], widgets: Widgets
    ) -> None:
        self._tools = tools
        self._names = names
        self._fresh = fresh
        self._widgets = widgets
        self._restart()

    def _restart(self) -> None:
        self._names.clear()
        self._names.update(self._fresh())

    def run(self, notebook: Notebook, including: tuple[str, ...] = ()) -> None:
        """Runs a notebook's cells in order. including: the notebooks whose %run led here.

        Raises whatever a cell raises.
        """
        for cell in notebook.cells:
            code = CellCode(notebook.path, cell.number, cell.line)
            self._tools.cells.add(code, cell.text)
            try:
                self._run_cell(notebook, cell, code, (*including, notebook.path))
            except PythonRestarted:
                self._tools.restart()
                self._restart()

    def _run_cell(self, notebook: Notebook, cell: Cell, code: CellCode, including: tuple[str, ...]) -> None:
        if cell.kind == "python":
            self._run_python(cell.text, code)
        elif cell.kind == "sql":
            self._run_sql(cell.text, code)
        elif cell.kind == "run":
            self._at(code, lambda: self._include(notebook, cell.text, including))
        elif cell.kind == "pip":
            self._at(code, lambda: self._tools.pip(cell.text, notebook.folder))
        elif cell.kind == "sh":
            self._at(code, lambda: self._tools.shell(cell.text))
        elif cell.kind == "fs":
            self._at(code, lambda: self._file_system(cell.text))
        elif cell.kind not in ("md", "md-sandbox"):
            self._at(code, lambda: _refuse(f"%{cell.kind} cells"))

    def _run_python(self, text: str, code: CellCode) -> None:
        text = "\n".join("" if _HARMLESS_MAGIC.match(line) else line for line in text.split("\n"))
        try:
            tree = ast.parse(text, code.filename)
        except SyntaxError:
            self._at_magic(text, code)
            raise
        last: ast.Expression | None = None
        if tree.body and isinstance(tree.body[-1], ast.Expr) and not text.rstrip().endswith(";"):
            last = ast.Expression(tree.body.pop().value)  # type: ignore[attr-defined] # it is an Expr
        exec(compile(tree, code.filename, "exec", dont_inherit=True), self._names)  # noqa: S102 - this is what it is for
        if last is not None:
            show_result(eval(compile(last, code.filename, "eval", dont_inherit=True), self._names))  # noqa: S307

    def _at_magic(self, text: str, code: CellCode) -> None:
        for number, line in enumerate(text.split("\n"), 1):
            magic = _LINE_MAGIC.match(line)
            if magic:
                self._at(code, lambda name=magic[1]: _refuse(f"{name} in a Python cell"), number)  # type: ignore[misc]

    def _run_sql(self, text: str, code: CellCode) -> None:
        statements = split_sql(text)

        def run() -> None:
            result = None
            for statement in statements:
                statement = _SQL_ARGUMENT.sub(lambda match: self._widgets.get(match[1]), statement)
                known = self._widgets.getAll()
                named = {
                    name: known[name] for name in _SQL_PARAMETER.findall(_without_literals(statement)) if name in known
                }
                result = self._names["spark"].sql(statement, named) if named else self._names["spark"].sql(statement)
            # docs: "results from a SQL cell are available as the DataFrame _sqldf"
            if result is not None:
                self._names["_sqldf"] = result
                if result.columns:
                    display(result)

        self._at(code, run)

    def _file_system(self, text: str) -> None:
        """`%fs ls /x` is `dbutils.fs.ls('/x')` (docs: magic commands), `-r` is its `recurse`; one command in a cell."""
        words = shlex.split(text, comments=True)
        options: dict[str, Any] = {"recurse": True} if "-r" in words[1:] else {}
        if unknown := [word for word in words[1:] if word.startswith("-") and word != "-r"]:
            _refuse(f"%fs {words[0]} {unknown[0]}")
        if words:
            command = getattr(self._names["dbutils"].fs, words[0])
            show_result(command(*(word for word in words[1:] if word != "-r"), **options))

    def _include(self, notebook: Notebook, text: str, including: tuple[str, ...]) -> None:
        command = parse_run(text)
        path = seen_from(notebook.folder, command.path)
        if path in including:
            chain = " -> ".join([*including, path])
            raise RecursionError(f"%run includes a notebook in itself: {chain}")
        try:
            included = self._tools.tree.read(path)
        except NotebookNotFound:
            # The service's wording, from memory.
            raise NotebookNotFound(
                f"Notebook not found: {path.removeprefix('/Workspace/')}. Notebooks can be specified via a relative "
                "path (./Notebook or ../folder/Notebook) or via an absolute path (/Abs/Path/to/Notebook). "
                "Make sure you are specifying the path correctly."
            ) from None
        self._widgets.pass_values(command.arguments)
        self.run(included, including)

    def _at(self, code: CellCode, action: Callable[[], None], line: int = 1) -> None:
        """Runs what a magic cell asks for, so that an error in it has the cell's place in its traceback."""
        exec(_call_at(code.filename, line), {"action": action})  # noqa: S102


def _call_at(filename: str, line: int) -> CodeType:
    return compile("\n" * (line - 1) + "action()", filename, "exec", dont_inherit=True)


def _refuse(name: str) -> None:
    raise NotInRehearsal(name)


def _without_literals(statement: str) -> str:
    return re.sub(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|--[^\n]*|/\*.*?\*/", " ", statement, flags=re.DOTALL)
