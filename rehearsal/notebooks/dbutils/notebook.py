"""`dbutils.notebook`: run another notebook, end this one, know where one is (docs: "Run a notebook from another
notebook").
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from rehearsal.notebooks.errors import NotebookExit, NotInRehearsal

# What runs a child: path as given, seconds (0: no limit), arguments; gives the child's exit value.
RunChild = Callable[[str, int, Mapping[str, str]], str | None]


@dataclass(frozen=True)
class Facts:
    """What a notebook can find out about its run. path: of the notebook, without the leading /Workspace."""

    path: str
    workspace_host: str
    workspace_id: str
    run_id: int
    job_id: int | None
    task_key: str

    def tags(self) -> dict[str, str]:
        """The tags of the notebook's context that a job's notebooks use (names as seen on the service, unverified)."""
        tags = {
            "orgId": self.workspace_id,
            "browserHostName": self.workspace_host,
            "runId": str(self.run_id),
            "multitaskParentRunId": str(self.run_id),
            "taskKey": self.task_key,
            "notebookPath": self.path,
        }
        return tags if self.job_id is None else {**tags, "jobId": str(self.job_id)}


class Option:
    """Scala's Option, as py4j shows it."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def get(self) -> Any:
        if self._value is None:
            raise NotInRehearsal("None.get")
        return self._value

    def getOrElse(self, default: Any) -> Any:  # noqa: N802
        return default if self._value is None else self._value

    def isDefined(self) -> bool:  # noqa: N802
        return self._value is not None

    def isEmpty(self) -> bool:  # noqa: N802
        return self._value is None

    def toString(self) -> str:  # noqa: N802
        return "None" if self._value is None else f"Some({self._value})"


class Tags:
    """Scala's Map of tags."""

    def __init__(self, tags: Mapping[str, str]) -> None:
        self._tags = tags

    def get(self, name: str) -> Option:
        return Option(self._tags.get(name))

    def apply(self, name: str) -> str:
        if name not in self._tags:
            raise NotInRehearsal(f"the notebook context's tag {name}")
        return self._tags[name]

    def contains(self, name: str) -> bool:
        return name in self._tags


class Context:
    """`getContext()`; an unknown part is refused by name."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def notebookPath(self) -> Option:  # noqa: N802
        return Option(self._facts.path)

    def browserHostName(self) -> Option:  # noqa: N802
        return Option(self._facts.workspace_host)

    def workspaceId(self) -> Option:  # noqa: N802
        return Option(self._facts.workspace_id)

    def jobId(self) -> Option:  # noqa: N802
        return Option(None if self._facts.job_id is None else str(self._facts.job_id))

    def currentRunId(self) -> Option:  # noqa: N802
        return Option(self._facts.run_id)

    def apiUrl(self) -> Option:  # noqa: N802
        return Option(f"https://{self._facts.workspace_host}")

    def tags(self) -> Tags:
        return Tags(self._facts.tags())

    def toJson(self) -> str:  # noqa: N802
        return self.safeToJson()

    def safeToJson(self) -> str:  # noqa: N802
        attributes = {"notebook_path": self._facts.path}
        return json.dumps(
            {"tags": self._facts.tags(), "attributes": attributes, "extraContext": attributes, "currentRunId": None}
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotInRehearsal(f"the notebook context's {name}")


class EntryPoint:
    """The way to the context that most notebooks know: entry_point.getDbutils().notebook().getContext()."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def getDbutils(self) -> EntryPoint:  # noqa: N802
        return self

    def notebook(self) -> EntryPoint:
        return self

    def getContext(self) -> Context:  # noqa: N802
        return self._context

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotInRehearsal(f"dbutils.notebook.entry_point.{name}")


class NotebookUtility:
    """`dbutils.notebook` of one notebook."""

    def __init__(self, facts: Facts, run_child: RunChild) -> None:
        self._run_child = run_child
        self._context = Context(facts)
        self.entry_point = EntryPoint(self._context)

    def exit(self, value: str) -> NoReturn:
        """Ends the notebook successfully with a text as its result."""
        if not isinstance(value, str):
            # The service's method takes a Java String only (py4j: "Method exit([class …]) does not exist").
            raise TypeError(f"dbutils.notebook.exit takes a text, not {type(value).__name__}")
        raise NotebookExit(value)

    def run(self, path: str, timeout_seconds: int = 0, arguments: Mapping[str, str] | None = None) -> str | None:
        """Runs another notebook with widgets of its own and gives its exit value.

        timeout_seconds: 0 is no limit. Raises WorkflowException when it fails or takes longer.
        """
        given = dict(arguments or {})
        if not all(isinstance(each, str) for pair in given.items() for each in pair):
            raise TypeError("dbutils.notebook.run takes arguments that are texts by name")
        return self._run_child(path, timeout_seconds, given)

    def getContext(self) -> Context:  # noqa: N802
        """The notebook's context."""
        return self._context

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotInRehearsal(f"dbutils.notebook.{name}")
