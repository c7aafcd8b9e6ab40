"""`dbutils.library`."""

from __future__ import annotations

from typing import NoReturn

from rehearsal.notebooks.errors import NotInRehearsal, PythonRestarted


class Library:
    """Only restartPython is left of this utility (docs: "Library utility")."""

    def restartPython(self) -> NoReturn:  # noqa: N802
        """Starts Python anew: what was defined or imported is gone."""
        raise PythonRestarted

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotInRehearsal(f"dbutils.library.{name}", "use %pip")
