"""Python script and Python wheel tasks: programs in place of a notebook.

Both run inside the notebook's kind of interpreter on the service, so `sys.exit(0)` fails a task there too, and a script has no
`__file__` (databrickslabs/dbx issue 680).
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rehearsal.notebooks.errors import NotInRehearsal
from rehearsal.notebooks.paths import Folders, LocalPlace
from rehearsal.notebooks.specification import PythonFile, PythonWheel
from rehearsal.notebooks.trace import CellCode, Cells


def run_file(program: PythonFile, folders: Folders, cells: Cells, names: dict[str, Any]) -> None:
    """Runs a script with its folder first on sys.path. Raises FileNotFoundError, or whatever the script raises."""
    place = folders.local(program.path) or folders.place(program.path)
    if not isinstance(place, LocalPlace):
        raise NotInRehearsal(f"Python files in {place.shown}", "use workspace files or volumes")
    text = place.real.read_text(encoding="utf-8")
    code = CellCode(program.path, 0, 1)
    cells.add(code, text)
    sys.argv = [program.path, *program.arguments]
    sys.path.insert(0, str(Path(place.real).parent))
    exec(compile(text, code.filename, "exec", dont_inherit=True), names)  # noqa: S102 - this is what it is for


def run_wheel(program: PythonWheel) -> None:
    """Calls an entry point of a package; one that its metadata does not have is looked up as `package.entry_point` (SDK,
    PythonWheelTask). Raises whatever it raises."""
    sys.argv = [program.package, *program.arguments]
    entry_point(program.package, program.entry_point)()


def entry_point(package: str, name: str) -> Callable[[], Any]:
    """The function that a name means. Raises PackageNotFoundError, ImportError or AttributeError."""
    try:
        for point in importlib.metadata.distribution(package).entry_points:
            if point.name == name:
                loaded: Callable[[], Any] = point.load()
                return loaded
    except importlib.metadata.PackageNotFoundError:
        if importlib.util.find_spec(package.replace("-", "_")) is None:
            raise
    found: Callable[[], Any] = getattr(importlib.import_module(package.replace("-", "_")), name)
    return found
