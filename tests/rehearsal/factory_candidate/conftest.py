"""One local Azure with a factory and a workspace, and a small project with a candidate to release to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rehearsal.data_factory.factories import Factories
from tests.rehearsal.gateway.local_cloud import use
from tests.unit.factory_candidate.conftest import Bench
from tests.unit.steps.conftest import World, project

__all__ = ["project"]


@pytest.fixture(scope="session")
def _factories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Factories]:
    with Factories(tmp_path_factory.mktemp("candidates")) as factories:
        yield factories


@pytest.fixture
def azure(_factories: Factories, monkeypatch: pytest.MonkeyPatch) -> Factories:
    use(_factories.cloud.exports(), monkeypatch)
    _factories.new_factory()
    return _factories


@pytest.fixture
def bench(project: Path) -> Bench:
    return Bench(World(project))
