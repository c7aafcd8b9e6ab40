from __future__ import annotations

import shutil
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with the repository's own defaults, and one environment, `dev`."""
    folder = tmp_path / "config" / "environments"
    folder.mkdir(parents=True)
    shutil.copy(REPOSITORY / "config" / "defaults.yml", tmp_path / "config" / "defaults.yml")
    (folder / "dev.yml").write_text("production: false\n")
    return tmp_path
