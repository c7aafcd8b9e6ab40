"""What the tests of the pipelines share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rehearsal.pipelines.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "repository"
    root.mkdir()
    return Project(root, tmp_path / "work")
