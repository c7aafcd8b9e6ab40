"""dev.azure.com behind a gateway, with one run in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rehearsal.gateway.local_cloud import LocalCloud, use


@pytest.fixture(scope="session")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("devops")) as cloud:
        yield cloud


@pytest.fixture
def cloud(_cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> LocalCloud:
    use(_cloud.exports(), monkeypatch)
    return _cloud
