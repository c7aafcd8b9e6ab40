"""The specification of one task run, as the Databricks stand-in writes it to standard input."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rehearsal.notebooks.errors import InvalidSpecification
from rehearsal.notebooks.workspace import full_path

Json = Any


@dataclass(frozen=True)
class PythonFile:
    """A Python script task: a file of the workspace, a volume or DBFS, and its command line."""

    path: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class PythonWheel:
    """A Python wheel task: an entry point of an installed package, and its command line."""

    package: str
    entry_point: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Specification:
    """One run of one task.

    notebook_path: workspace path, with or without the leading `/Workspace`; program: what runs in place of a notebook. workspace: folder with `files/` (FILE
    objects) and `notebooks/` (NOTEBOOK objects as source); dbfs, volumes, datasets: folders that stand for `dbfs:/`,
    `/Volumes` and `/databricks-datasets`. dbfs_libraries: whether the runtime installs from the DBFS root. secrets: by scope and key; in memory only. scratch: the run's own folder, for
    its log and result.
    """

    run_id: int
    job_id: int | None
    task_key: str
    workspace_host: str
    workspace_id: str
    notebook_path: str
    program: PythonFile | PythonWheel | None = None
    workspace: Path
    dbfs: Path
    volumes: Path
    datasets: Path | None
    scratch: Path
    parameters: Mapping[str, str] = field(default_factory=dict)
    job_parameters: Mapping[str, str] = field(default_factory=dict)
    libraries: tuple[Mapping[str, Json], ...] = ()
    dbfs_libraries: bool = False
    wheelhouse: Path | None = None
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    task_values: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The folder that the task's code lies in, as Databricks spells it; the root for a package."""
        if isinstance(self.program, PythonFile):
            path = self.program.path
            return posixpath.dirname(f"/dbfs/{path[5:].lstrip('/')}" if path.startswith("dbfs:") else path)
        return posixpath.dirname(full_path(self.notebook_path)) if self.notebook_path else "/"


def read_specification(text: str) -> Specification:
    """The specification in a JSON text.

    Raises InvalidSpecification when it is not JSON, or a part is missing or of the wrong type.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidSpecification(f"not JSON (line {error.lineno}, column {error.colno})") from None
    if not isinstance(document, dict):
        raise InvalidSpecification("not an object")

    def part(name: str, kind: type | tuple[type, ...], *default: Json) -> Json:
        value = document.get(name)
        if value is None and default:
            return default[0]
        if not isinstance(value, kind):
            raise InvalidSpecification(f"{name} is missing or has the wrong type")
        return value

    datasets, wheelhouse = part("datasets", str, None), part("wheelhouse", str, None)
    return Specification(
        run_id=part("run_id", int),
        job_id=part("job_id", int, None),
        task_key=part("task_key", str, "main"),
        workspace_host=part("workspace_host", str),
        workspace_id=str(part("workspace_id", (str, int))),
        notebook_path=part("notebook_path", str, ""),
        program=_program(part("program", dict, {})),
        parameters=_texts("parameters", part("parameters", dict, {})),
        job_parameters=_texts("job_parameters", part("job_parameters", dict, {})),
        workspace=Path(part("workspace", str)).absolute(),
        dbfs=Path(part("dbfs", str)).absolute(),
        volumes=Path(part("volumes", str)).absolute(),
        datasets=Path(datasets).absolute() if datasets else None,
        scratch=Path(part("scratch", str)).absolute(),
        libraries=tuple(part("libraries", list, [])),
        dbfs_libraries=part("dbfs_libraries", bool, False),
        wheelhouse=Path(wheelhouse).absolute() if wheelhouse else None,
        secrets=part("secrets", dict, {}),
        task_values=part("task_values", dict, {}),
    )


def _program(given: Mapping[str, Json]) -> PythonFile | PythonWheel | None:
    arguments = tuple(str(each) for each in given.get("arguments", []))
    if "path" in given:
        return PythonFile(str(given["path"]), arguments)
    if "package" in given:
        return PythonWheel(str(given["package"]), str(given.get("entry_point", "")), arguments)
    return None


def _texts(name: str, values: Mapping[str, Json]) -> dict[str, str]:
    if not all(isinstance(value, str) for value in values.values()):
        raise InvalidSpecification(f"{name} must be texts by name")
    return dict(values)
