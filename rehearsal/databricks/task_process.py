"""A task that runs as a process: what it is told, and what it leaves behind."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.databricks import notebook_process, parameters, paths
from rehearsal.databricks import scratch as scratches
from rehearsal.databricks.cluster_settings import installs_from_dbfs
from rehearsal.databricks.members import Member
from rehearsal.databricks.outcomes import WORKLOAD_FAILED
from rehearsal.databricks.runs import INTERNAL_ERROR, TERMINATED, Run, Task, attempts
from rehearsal.databricks.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What tasks run with. `command` is what a specification is sent to."""

    command: list[str]
    environment: Callable[[], Mapping[str, str]]
    datasets: Path
    wheelhouse: Path | None


def folder_of(workspace: Workspace, task_run_id: int) -> Path:
    """A task run's own folder; what it printed stays there."""
    return workspace.folder / "runs" / str(task_run_id)


async def carry_out(tools: Tools, workspace: Workspace, run: Run, task: Task, identity: Member) -> None:
    """Run the task's process to its end and take over what it left. However it ends, nothing of it stays but what it printed."""
    scratch = folder_of(workspace, task["run_id"])
    (scratch / "tmp").mkdir(parents=True, exist_ok=True)
    environment = {**tools.environment(), "HOME": str(scratch), "TMPDIR": str(scratch / "tmp")}
    try:
        specification = specify(tools, workspace, run, task, identity, scratch)
        take_over(workspace, task, await notebook_process.run(tools.command, specification, scratch, environment))
    finally:
        await asyncio.to_thread(scratches.tidy, scratch)


def forget(workspace: Workspace, run: Run) -> None:
    """Remove what the tasks of a run printed."""
    for task in attempts(run):
        shutil.rmtree(folder_of(workspace, task["run_id"]), ignore_errors=True)


def specify(
    tools: Tools, workspace: Workspace, run: Run, task: Task, identity: Member, scratch: Path
) -> dict[str, Any]:
    """The specification that the process reads."""
    known = parameters.references(run, task, workspace.workspace_id, workspace.host)
    return {
        "run_id": task["run_id"],
        "job_id": run["job_id"],
        "task_key": task["task_key"],
        "workspace_host": workspace.host,
        "workspace_id": workspace.workspace_id,
        **_code(run, task, known),
        "workspace": str(workspace.folder / "workspace"),
        "dbfs": str(workspace.folder / "dbfs"),
        "volumes": str(workspace.folder / "volumes"),
        "datasets": str(tools.datasets),
        "libraries": task["settings"].get("libraries", []),
        "dbfs_libraries": installs_from_dbfs(task["settings"], run["settings"]),
        "wheelhouse": str(tools.wheelhouse) if tools.wheelhouse else None,
        "secrets": workspace.secrets.readable_by(identity),
        "task_values": {other["task_key"]: other["values"] for other in run["tasks"] if other["values"]},
        "job_parameters": {p["name"]: p["value"] for p in run["parameters"]["job"]},
        "scratch": str(scratch),
    }


def _code(run: Run, task: Task, known: Mapping[str, str]) -> dict[str, Any]:
    """Which notebook, script or package, with its parameters."""
    settings = task["settings"]
    if notebook := settings.get("notebook_task"):
        path = paths.PREFIX + paths.key_of(paths.collapse(notebook["notebook_path"]))
        return {"notebook_path": path, "parameters": parameters.for_task(run, task, known)}
    arguments = parameters.command_line(run, task, known)
    if wheel := settings.get("python_wheel_task"):
        program = {"package": wheel["package_name"], "entry_point": wheel["entry_point"], "arguments": arguments}
        return {"program": program}
    path = settings["spark_python_task"]["python_file"]
    if path.startswith("/") and not path.startswith(("/Volumes/", "/dbfs/")):
        path = paths.PREFIX + paths.key_of(paths.collapse(path))
    return {"program": {"path": path, "arguments": arguments}}


def take_over(workspace: Workspace, task: Task, ended: notebook_process.Ended) -> None:
    """What the process left becomes the task's end and output."""
    if ended.result is None:
        message = f"The Python process exited with exit code {ended.exit_code} and left no result."
        task["output"] = {"error": message, "error_trace": ended.last_words}
        workspace.runs.end(task, INTERNAL_ERROR, "FAILED", "DRIVER_ERROR", "INTERNAL_ERROR", message)
        return
    result = ended.result
    task["output"] = {name: result.get(name) for name in ("result", "truncated", "error", "error_trace")}
    task["values"] = result.get("task_values") or {}
    if result["state"] == "SUCCESS":
        workspace.runs.end(task, TERMINATED, "SUCCESS", "SUCCESS", "SUCCESS", "")
    elif code := result.get("code"):
        workspace.runs.end(task, INTERNAL_ERROR, "FAILED", code, "CLIENT_ERROR", str(result["error"]))
    else:
        workspace.runs.end(task, TERMINATED, "FAILED", "RUN_EXECUTION_ERROR", "CLIENT_ERROR", WORKLOAD_FAILED)
