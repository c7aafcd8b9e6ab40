"""`display`, and how the result of a cell looks in a log: as plain text."""

from __future__ import annotations

from typing import Any

from rehearsal.notebooks.errors import NotInRehearsal

ROWS = 20  # Databricks' table shows up to 10,000 rows to scroll in; a log gets the first few


def display(value: Any = None, *_arguments: Any, **_options: Any) -> None:
    """Prints a table, or whatever it is given.

    Raises NotInRehearsal for a streaming DataFrame.
    """
    if hasattr(value, "isStreaming") and hasattr(value, "show"):
        if value.isStreaming:
            raise NotInRehearsal("display of a streaming DataFrame")
        value.show(ROWS, truncate=100)
    elif hasattr(value, "to_string") and hasattr(value, "head"):
        print(value.head(ROWS).to_string())
    else:
        print(value)


def display_html(html: str) -> None:
    """A log has no place for HTML: says that there was some."""
    print(f"[displayHTML: {len(html)} characters of HTML]")


def show_result(value: Any) -> None:
    """Prints the value of a cell's last expression, as a notebook does; None is not shown."""
    if value is None:
        return
    if hasattr(value, "to_string") and hasattr(value, "head"):
        display(value)
    else:
        print(repr(value))


class RefusedName:
    """Stands for a name that every notebook has and this rehearsal does not; any use is refused."""

    def __init__(self, name: str, instead: str) -> None:
        object.__setattr__(self, "_refusal", (name, instead))

    def __getattribute__(self, name: str) -> Any:
        if name in ("__class__", "__dict__", "__doc__", "__module__"):
            return object.__getattribute__(self, name)
        mine, instead = object.__getattribute__(self, "_refusal")
        raise NotInRehearsal(mine if name.startswith("__") else f"{mine}.{name}", instead)

    def __repr__(self) -> str:
        name, instead = object.__getattribute__(self, "_refusal")
        raise NotInRehearsal(name, instead)
