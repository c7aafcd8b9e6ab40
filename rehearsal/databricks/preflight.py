"""What is checked before a task starts: whether the run's identity may read its code, and the libraries that it asks for."""

from __future__ import annotations

from typing import Any

from rehearsal.databricks import paths
from rehearsal.databricks.cluster_settings import installs_from_dbfs
from rehearsal.databricks.errors import ApiError
from rehearsal.databricks.members import Member
from rehearsal.databricks.tree import FILE, NOTEBOOK
from rehearsal.databricks.workspace import Workspace

NOTEBOOK_MISSING = (
    'Unable to access the notebook "{path}" in the workspace. Either it does not exist, or the identity used to run this job, '
    "{identity}, lacks the required permissions."
)
FILE_MISSING = (  # by analogy (unverified)
    "Cannot read the python file {path}. Either it does not exist, or the identity used to run this job, {identity}, lacks the "
    "required permissions."
)
# The beginning was seen in runs that clients quote (astronomer-providers issue 460); the rest is unverified.
LIBRARY_FAILED = "Library installation failed for library due to user error. Error messages:\n{library}: {reason}"


def problem(
    workspace: Workspace, identity: Member, settings: dict[str, Any], job: dict[str, Any]
) -> tuple[str, str] | None:
    """Termination code and message of what keeps a task from starting, or None. job: the settings of all."""
    if missing := _missing_code(workspace, identity, settings):
        return "RESOURCE_NOT_FOUND", missing
    for library in settings.get("libraries", []):
        for kind in ("whl", "jar", "requirements"):
            reason = _library(workspace, identity, library.get(kind), installs_from_dbfs(settings, job))
            if reason:
                message = LIBRARY_FAILED.format(library=library[kind], reason=reason)
                return "LIBRARY_INSTALLATION_ERROR", message
    return None


def _missing_code(workspace: Workspace, identity: Member, settings: dict[str, Any]) -> str:
    """Why the task's code can't be read; empty when it can, or when only the process will know."""
    if notebook := settings.get("notebook_task"):
        path = notebook["notebook_path"]
        # In the words of a recorded run.
        there = _readable(workspace, identity, path, NOTEBOOK)
        return "" if there else NOTEBOOK_MISSING.format(path=path, identity=identity.name)
    path = (settings.get("spark_python_task") or {}).get("python_file", "")
    if (
        not path.startswith("/")
        or path.startswith(("/Volumes/", "/dbfs/"))
        or _readable(workspace, identity, path, FILE)
    ):
        return ""
    return FILE_MISSING.format(path=path, identity=identity.name)


def _library(workspace: Workspace, identity: Member, path: Any, from_dbfs: bool) -> str:
    """Why a library that lies in the workspace or on DBFS can't be installed; empty when it can, or lies elsewhere."""
    if not isinstance(path, str) or path.startswith(("/Volumes/", "dbfs:/Volumes/")):
        return ""
    if path.startswith(("dbfs:", "/dbfs/")):
        return "" if from_dbfs else "libraries on the DBFS root are not supported from Databricks Runtime 15.1 on"
    if path.startswith("/") and not _readable(workspace, identity, path, FILE):
        return f"the file does not exist, or {identity.name} lacks the permission to read it"
    return ""


def _readable(workspace: Workspace, identity: Member, path: str, kind: str) -> bool:
    try:
        echo = paths.collapse(path)
        return workspace.tree.readable(identity, paths.key_of(echo), echo).kind == kind
    except ApiError:
        return False
