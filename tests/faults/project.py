"""A small repository to release: one environment, three notebooks, jobs, and a wheel."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.unit.steps.conftest import NOTEBOOK, REPOSITORY, job, write_wheel

NAME = "dev"
STREAMS = {"follows": "restart", "stays": "leave"}
"""Continuous jobs, by what becomes of their runs at a switch."""


def make_project(root: Path) -> Path:
    """A small repository with one environment, three notebooks, two jobs, and a wheel."""
    shutil.copytree(REPOSITORY / "arm", root / "arm")
    shutil.copytree(REPOSITORY / "config" / "environments", root / "config" / "environments")
    for path in (root / "config" / "environments").glob("*.yml"):
        if path.stem != NAME:
            path.unlink()
    shutil.copy(REPOSITORY / "config" / "defaults.yml", root / "config" / "defaults.yml")
    for name in ("train", "score", "integration_test"):
        path = root / "notebooks" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(NOTEBOOK.format(name))
    for name in ("train", "score"):
        write_job(root, name)
    write_wheel(root / "dist" / "wheel" / "sample-1.0-py3-none-any.whl")
    return root


def write_job(root: Path, name: str) -> None:
    cluster = {"spark_version": "{{ spark_version }}", "node_type_id": "{{ node_type_id }}", "num_workers": 1}
    notebook = name if name in ("train", "score") else "score"
    settings = job(notebook, job_clusters=[{"job_cluster_key": "small", "new_cluster": cluster}])
    if name in STREAMS:
        del settings["schedule"]
        settings |= {"continuous": {"pause_status": "UNPAUSED"}, "slipway": {"on_switch": STREAMS[name]}}
        settings["tasks"][0]["notebook_task"]["base_parameters"] = {"stream": "yes"}
    path = root / "config" / "jobs" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**settings, "name": f"{{{{ app }}}} {{{{ environment }}}}: {name}"}, indent=2))
