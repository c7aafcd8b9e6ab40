"""`make rehearse ARGS="--without PIECE"`: a rehearsal whose release stops in its first step."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.steps.conftest import REPOSITORY

pytestmark = pytest.mark.first_hour


def test_a_release_without_a_piece_stops_at_the_doctor(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rehearsal", "--folder", str(tmp_path / "kept"), "--only", "dev"]
    done = subprocess.run(
        [*command, "--without", "root-manage"],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1, done.stdout[-4000:]
    assert "Taken away from dev: CAN_MANAGE of the release identity" in done.stdout
    told, _, released = done.stdout.partition("Release to dev")
    for text in (told, released):
        assert "root.manage" in text
        assert "python scripts/bootstrap_environment.py --environment dev" in text
    assert "Deploy resources  (its condition is false" in released
