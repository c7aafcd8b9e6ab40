"""A developer's loop in a rehearsal, as docs/sandbox.md prints it: push, run, change in the browser, pull."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.rehearsal.release.conftest import ROOT, Project

pytestmark = pytest.mark.release
# What somebody does in the browser: another last cell of a notebook.
_EDIT = """
import base64, os, requests
host = "https://adb-7405612345678901.1.azuredatabricks.net"
headers = {"Authorization": "Bearer " + os.environ["DATABRICKS_TOKEN"]}
path = "/Workspace/Users/developer@example.org/bikeshare/notebooks/prepare"
found = requests.get(host + "/api/2.0/workspace/export", params={"path": path, "format": "SOURCE"}, headers=headers).json()
text = base64.b64decode(found["content"]) + b"\\n\\n# COMMAND ----------\\n\\nprint('from the browser')\\n"
body = {"path": path, "language": "PYTHON", "overwrite": True, "content": base64.b64encode(text).decode()}
requests.post(host + "/api/2.0/workspace/import", json=body, headers=headers).raise_for_status()
"""


def test_the_loop_as_it_is_printed(project: Project, tmp_path: Path) -> None:
    assert project.rehearse("--only", "dev").code == 0
    page = (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")
    printed = re.search(r"```\n(\. \.rehearsal/exports\.sh\n.*?)```", page, re.DOTALL)
    assert printed is not None
    lines = [line for line in printed[1].splitlines() if not line.startswith(". ")]  # `--run` has read it in already
    (tmp_path / "edit.py").write_text(_EDIT, encoding="utf-8")
    python = f"{ROOT}/.venv/bin/python"
    script = [
        "set -ex",
        *(line.replace(".venv/bin/python", python) for line in lines),
        f"{python} {tmp_path}/edit.py",
        f"{python} scripts/sandbox.py pull",
        f"{python} scripts/sandbox.py push",
    ]
    (tmp_path / "loop.sh").write_text("\n".join(script) + "\n", encoding="utf-8")
    outcome = project.run(f"bash {tmp_path}/loop.sh")
    assert outcome.code == 0, outcome.text
    assert "/Workspace/Users/developer@example.org/bikeshare" in outcome.text
    assert "output_prefix=sandbox/developer" in outcome.text
    assert "from the browser" in (project.folder / "notebooks" / "prepare.py").read_text(encoding="utf-8")
    assert outcome.text.rstrip().endswith("in step.") or "0 to the workspace" in outcome.text
