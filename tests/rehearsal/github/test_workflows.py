"""What every workflow of ours must have: a form that GitHub takes, pinned actions, few rights, no text of people in a script."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.rehearsal.github.recording import ROOT
from tests.rehearsal.github.runner import CHECKOUT, DOWNLOAD, LOGIN, PYTHON, UPLOAD, read

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
KNOWN = {CHECKOUT, PYTHON, UPLOAD, DOWNLOAD, LOGIN}


def steps(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in document["jobs"].values():
        yield from job.get("steps") or []


def test_the_published_schema_agrees() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    checked = subprocess.run([*command, *map(str, WORKFLOWS)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout[-3000:]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_known_and_pinned_to_a_commit_with_their_version_beside(path: Any) -> None:
    pins = re.findall(r"uses: (\S+)(.*)", path.read_text(encoding="utf-8"))
    for uses, rest in pins:
        if uses.startswith("./"):
            assert (ROOT / uses).is_file()
            continue
        name, _, commit = uses.partition("@")
        assert name in KNOWN
        assert re.fullmatch(r"[0-9a-f]{40}", commit), uses
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", rest), uses


def test_an_action_has_one_version_in_all_workflows() -> None:
    found = {
        uses for path in WORKFLOWS for uses in re.findall(r"uses: (\w\S+ # \S+)", path.read_text(encoding="utf-8"))
    }
    assert len({uses.partition("@")[0] for uses in found}) == len(found) == len(KNOWN)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_expression_reaches_a_shell_as_text(path: Any) -> None:
    for step in steps(read(path)):
        assert "${{" not in step.get("run", ""), "a value goes to a script as an environment variable"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_rights_are_said_and_few(path: Any) -> None:
    document = read(path)
    assert document["permissions"].items() <= {"contents": "read", "id-token": "write"}.items()
    for job in document["jobs"].values():
        assert (job.get("permissions") or {}).items() <= {"contents": "read", "id-token": "write"}.items()
        if "uses" not in job:
            assert job["timeout-minutes"]
    for step in steps(document):
        if str(step.get("uses")).startswith(CHECKOUT):
            assert step["with"]["persist-credentials"] is False


def test_a_pull_request_can_sign_in_nowhere() -> None:
    for name in ("pull-request.yml", "build.yml"):
        assert "id-token" not in (ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8")


def test_releases_to_one_environment_wait_for_each_other_and_none_is_skipped() -> None:
    job = read(ROOT / ".github/workflows/release-environment.yml")["jobs"]["release"]
    assert job["concurrency"] == {"group": "slipway-${{ inputs.environment }}", "queue": "max"}
    assert job["environment"] == "${{ inputs.environment }}"
