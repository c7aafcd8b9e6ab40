"""One gateway for these tests, with a host that answers as a test needs it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rehearsal.gateway.echo import echo
from tests.rehearsal.gateway.local_cloud import LocalCloud, use


@pytest.fixture(scope="session")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    folder = tmp_path_factory.mktemp("gateway")
    with LocalCloud(folder, more_apps=lambda _: [("management.azure.com", echo)]) as cloud:
        yield cloud


@pytest.fixture
def cloud(_cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCloud]:
    """The local cloud; every client of this process goes through its gateway."""
    use(_cloud.exports(), monkeypatch)
    yield _cloud
    _cloud.call(_cloud.faults.clear)
