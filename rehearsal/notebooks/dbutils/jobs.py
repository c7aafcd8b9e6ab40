"""`dbutils.jobs.taskValues`: small JSON values from one task to later ones (docs: "Use task values")."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rehearsal.notebooks.errors import NotInRehearsal

LIMIT = 48 * 1024  # bytes of one value's JSON


class TaskValues:
    """given: values that earlier tasks set, by task and key; None outside a job. set_here: what this run sets.

    A notebook that another one started is not the task's own notebook: there it is as outside a job (unverified).
    """

    def __init__(self, given: Mapping[str, Mapping[str, Any]] | None) -> None:
        self._given = given
        self.set_here: dict[str, Any] = {}

    def set(self, key: str, value: Any) -> None:
        """Keeps a value for later tasks. Raises ValueError when it is no JSON or longer than 48 KiB."""
        try:
            text = json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"The task value {key} can't be written as JSON: {error}") from None
        if len(text.encode()) > LIMIT:
            raise ValueError(f"The JSON of the task value {key} is longer than 48 KiB")
        self.set_here[key] = json.loads(text)

    def get(self, taskKey: str, key: str, default: Any = None, debugValue: Any = None) -> Any:  # noqa: N803
        """A value that an earlier task set.

        Raises ValueError when there is none and no default. Outside a job it gives debugValue, TypeError when that is None.
        """
        if self._given is None:
            if debugValue is None:
                raise TypeError(
                    "Must pass debugValue when calling get outside of a job context. debugValue cannot be None."
                )
            return debugValue
        values = self._given.get(taskKey, {})
        if key in values:
            return values[key]
        if default is None:
            raise ValueError(f"No task value found for task {taskKey} with key {key}, and no default was given")
        return default

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotInRehearsal(f"dbutils.jobs.taskValues.{name}")


class Jobs:
    """`dbutils.jobs`."""

    def __init__(self, task_values: TaskValues) -> None:
        self.taskValues = task_values

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotInRehearsal(f"dbutils.jobs.{name}")
