"""dev.azure.com behind a gateway, with one run in it."""

from __future__ import annotations

import shutil
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


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with nothing in it; a copy of it has no keys to make."""
    folder = tmp_path_factory.mktemp("empty") / "project"
    with pytest.MonkeyPatch.context() as patch, Project(folder, patch):
        return folder


@pytest.fixture(scope="session")
def with_identity(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a release identity, as after a bootstrap."""
    folder = copied(empty, tmp_path_factory.mktemp("identity") / "project")
    with pytest.MonkeyPatch.context() as patch, Project(folder, patch) as project:
        project.make_identity()
    return folder


@pytest.fixture(scope="session")
def set_up(with_identity: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With everything that setup_azure_devops makes."""
    folder = copied(with_identity, tmp_path_factory.mktemp("set-up") / "project")
    with pytest.MonkeyPatch.context() as patch, Project(folder, patch) as project:
        assert project.setup() == 0
    return folder


def copied(template: Path, folder: Path) -> Path:
    shutil.copytree(template, folder, symlinks=True)
    return folder


@pytest.fixture
def project(
    empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Project]:
    with Project(copied(empty, tmp_path / "azure-devops"), monkeypatch, capsys) as made:
        yield made


@pytest.fixture
def ready(
    with_identity: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Project]:
    """With a release identity."""
    with Project(copied(with_identity, tmp_path / "azure-devops"), monkeypatch, capsys) as made:
        yield made


@pytest.fixture
def done(
    set_up: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Project]:
    """With everything in it."""
    with Project(copied(set_up, tmp_path / "azure-devops"), monkeypatch, capsys) as made:
        yield made
