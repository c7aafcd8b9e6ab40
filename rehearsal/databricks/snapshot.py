"""What a workspace holds, as plain data for a report. Reads only, holds no secret."""

from __future__ import annotations

from typing import Any

from rehearsal.databricks import paths, run_views
from rehearsal.databricks.workspace import Workspace


def snapshot(workspace: Workspace) -> dict[str, Any]:
    """See Workspaces.snapshot."""
    jobs = []
    for key in workspace.jobs.ids():
        job = workspace.jobs.find(key)
        if job:
            settings = job["settings"]
            entry = {"job_id": key, "name": settings["name"], "tags": settings.get("tags", {}), "settings": settings}
            identity = workspace.jobs.run_identity(job)
            jobs.append(entry | {"acl": job["acl"], "run_as": identity.name if identity else ""})
    runs = [run_views.run(workspace, run, "2.2", tasks=True) for run in workspace.runs.newest()]
    tree = [
        {"path": paths.echo_of(node.path, paths.PREFIX), "type": node.kind, "size": node.size, "id": node.id}
        for node in workspace.tree.walk(paths.ROOT)
    ]
    scopes = [
        {
            "name": scope["name"],
            "backend": scope["backend"],
            "keys": sorted(e["key"] for e in scope["secrets"].values()),
        }
        for scope in workspace.secrets.scopes()
    ]
    return {"host": workspace.host, "jobs": jobs, "runs": runs, "tree": tree, "scopes": scopes}
