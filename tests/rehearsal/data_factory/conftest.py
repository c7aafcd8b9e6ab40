"""One local Azure with a factory and a workspace, and the vendor's client for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rehearsal.data_factory.factories import Factories
from tests.rehearsal.gateway.local_cloud import use


@pytest.fixture(scope="session")
def _factories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Factories]:
    with Factories(tmp_path_factory.mktemp("data_factory")) as factories:
        yield factories


@pytest.fixture
def azure(_factories: Factories, monkeypatch: pytest.MonkeyPatch) -> Iterator[Factories]:
    """A fresh, empty factory in the local Azure; clients of this process go through its gateway."""
    use(_factories.cloud.exports(), monkeypatch)
    _factories.new_factory()
    yield _factories
    _factories.naps.clear()
