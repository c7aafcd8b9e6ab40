"""Notebooks that behave badly, run for real behind the workspace: each ends as on the service, and nothing of it stays."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.databricks import notebook_process
from tests.rehearsal.databricks.workbench import ADMIN, CLUSTER, HOST, Site

pytestmark = pytest.mark.release


class RealSite(Site):
    runner = None
    looks = 100_000


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = RealSite(tmp_path_factory.mktemp("real"))
    yield site
    site.close()


def marked(site: Site) -> list[str]:
    """Processes of runs that are still there."""
    mark = f"{notebook_process.MARK}={site.folder}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text())
        except OSError:
            continue
    return found


def run(site: Site, text: str, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A run of a notebook with this text, and its output."""
    site.notebook("/Shared/bad", text)
    task = {"task_key": "main", "notebook_task": {"notebook_path": "/Shared/bad"}, "new_cluster": CLUSTER, **more}
    run_id = site.ok(ADMIN, "POST", "/jobs/runs/submit", {"tasks": [task]}, "2.2")["run_id"]
    ended = site.wait(run_id)
    return ended, site.ok(ADMIN, "GET", "/jobs/runs/get-output", {"run_id": ended["tasks"][0]["run_id"]}, "2.2")


@pytest.mark.parametrize(
    ("text", "result", "code", "error"),
    [
        ("import os\nos._exit(3)", "FAILED", "DRIVER_ERROR", "exited with exit code 3"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "FAILED", "DRIVER_ERROR", "exit code -9"),
        ("import ctypes\nctypes.string_at(0)", "FAILED", "DRIVER_ERROR", "exit code -11"),
        ("import sys\nsys.exit(0)", "FAILED", "RUN_EXECUTION_ERROR", "SystemExit: 0"),
        ("raise SystemExit('bye')", "FAILED", "RUN_EXECUTION_ERROR", "SystemExit: bye"),
        ("x = = 1", "FAILED", "RUN_EXECUTION_ERROR", "SyntaxError: invalid syntax"),
        ("while True:\n    print('x' * 100_000)", "FAILED", "RUN_EXECUTION_ERROR", "OutputTooLarge"),
        ("import os\nfor _ in range(1000):\n    os.write(2, b'x' * 1_000_000)", "SUCCESS", "SUCCESS", ""),
        ("open('/Workspace/Shared/new', 'w')", "FAILED", "RUN_EXECUTION_ERROR", "PermissionError"),
        ("open('/dbfs/../../../etc/hostname')", "FAILED", "RUN_EXECUTION_ERROR", "FileNotFoundError"),
        ("# MAGIC %scala\n# MAGIC val x = 1", "FAILED", "RUN_EXECUTION_ERROR", "%scala cells"),
        ("# MAGIC %sh\n# MAGIC setsid sleep 300 &\n# MAGIC exit 1", "SUCCESS", "SUCCESS", ""),
        (
            "import os, subprocess\nsubprocess.Popen(['sleep', '300'], start_new_session=True)\n"
            "if os.fork() == 0:\n    os.setsid()\n    os.fork()\n    import time\n    time.sleep(300)",
            "SUCCESS",
            "SUCCESS",
            "",
        ),
    ],
)
def test_how_it_ends(real: Site, text: str, result: str, code: str, error: str) -> None:
    ended, output = run(real, text)
    details = ended["tasks"][0]["status"]["termination_details"]
    assert (ended["state"]["result_state"], details["code"]) == (result, code), output
    assert error in output.get("error", "")
    assert marked(real) == []
    folder = real.folder / "databricks" / HOST / "runs" / str(ended["tasks"][0]["run_id"])
    assert {path.name for path in folder.iterdir()} <= {"log.txt", "executor.txt"}


def test_one_that_never_ends_is_stopped_with_its_children(real: Site) -> None:
    text = "import subprocess\nsubprocess.Popen(['sleep', '300'], start_new_session=True)\nwhile True:\n    pass"
    ended, _ = run(real, text, timeout_seconds=3)
    assert (ended["state"]["result_state"], marked(real)) == ("TIMEDOUT", [])


def test_the_workspace_does_not_grow_with_what_notebooks_say(real: Site) -> None:
    status = Path(f"/proc/{os.getpid()}/status")
    if not status.exists():
        pytest.skip("needs /proc")

    def memory() -> int:
        return int(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmRSS")))

    before = memory()
    run(real, "import os\nwhile True:\n    os.write(2, b'x' * 1_000_000)", timeout_seconds=5)
    assert memory() - before < 50_000
