# ruff: noqa: N803, ARG002 - the names and arguments are the service's
"""`dbutils.widgets`: a notebook's parameters (docs: "Databricks widgets")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rehearsal.notebooks.errors import NotInRehearsal, Py4JJavaError, widget_not_defined

MOST_CHOICES = 1024  # docs: "The number of choices must not exceed 1024"


class Widgets:
    """The widgets of one notebook.

    values: what the task or the calling notebook passes; a passed value wins over a widget's default, also when no
    widget of that name is ever made.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)
        self._defaults: dict[str, str] = {}

    def text(self, name: str, defaultValue: str, label: str | None = None) -> None:
        """Makes a text widget."""
        self._make(name, defaultValue)

    def dropdown(self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None) -> None:
        """Makes a widget with one of several values; the default must be one of them."""
        self._choose(name, [defaultValue], choices)
        self._make(name, defaultValue)

    def combobox(self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None) -> None:
        """Makes a widget with a text or one of several values."""
        self._choose(name, [], choices)
        self._make(name, defaultValue)

    def multiselect(self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None) -> None:
        """Makes a widget with some of several values; its value is a text with commas between."""
        self._choose(name, defaultValue.split(","), choices)
        self._make(name, defaultValue)

    def get(self, name: str) -> str:
        """A widget's value, always a text. Raises the service's InputWidgetNotDefined for an unknown name."""
        if name in self._values:
            return self._values[name]
        if name in self._defaults:
            return self._defaults[name]
        raise widget_not_defined(name)

    def getAll(self) -> dict[str, str]:  # noqa: N802
        """All values by name (DBR 13.3 and above)."""
        return {**self._defaults, **self._values}

    def getArgument(self, name: str, defaultValue: str | None = None) -> str:  # noqa: N802
        """The older spelling of get, with a value for an unknown name."""
        if defaultValue is not None and name not in self.getAll():
            return defaultValue
        return self.get(name)

    def remove(self, name: str) -> None:
        """Takes a widget away."""
        if name not in self.getAll():
            raise widget_not_defined(name)
        self._defaults.pop(name, None)
        self._values.pop(name, None)

    def removeAll(self) -> None:  # noqa: N802
        """Takes all widgets away."""
        self._defaults.clear()
        self._values.clear()

    def pass_values(self, values: Mapping[str, str]) -> None:
        """Values that a `%run` passes to the notebook it includes."""
        self._values.update(values)

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotInRehearsal(f"dbutils.widgets.{name}")

    def _make(self, name: str, default: str) -> None:
        if not all(isinstance(each, str) for each in (name, default)):
            raise TypeError("a widget's name and default must be texts")
        self._defaults[name] = default

    def _choose(self, name: str, chosen: Sequence[str], choices: Sequence[str]) -> None:
        if len(choices) > MOST_CHOICES:
            raise _requirement(f"The number of choices of widget {name} exceeds {MOST_CHOICES}")
        wrong = [value for value in chosen if value not in choices]
        if wrong:
            raise _requirement(f"The default value {wrong[0]!r} of widget {name} is not one of its choices")


def _requirement(text: str) -> Py4JJavaError:
    # The service's wording is unverified; the class is what Scala's `require` throws.
    return Py4JJavaError("widgets", "java.lang.IllegalArgumentException", f"requirement failed: {text}")
