"""dev.azure.com behind a gateway, with one run in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rehearsal.azure_devops.project import Project
from tests.rehearsal.gateway.local_cloud import LocalCloud, use


@pytest.fixture(scope="session")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("devops")) as cloud:
        yield cloud


@pytest.fixture
def cloud(_cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> LocalCloud:
    use(_cloud.exports(), monkeypatch)
    return _cloud


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Project]:
    with Project(tmp_path, monkeypatch, capsys) as made:
        yield made


@pytest.fixture
def ready(project: Project) -> Project:
    """With a release identity, as after a bootstrap."""
    project.make_identity()
    return project
