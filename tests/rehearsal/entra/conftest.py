"""Sign-in and the pipeline's OIDC tokens, behind a gateway."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rehearsal.gateway.local_cloud import LocalCloud, use


@pytest.fixture(scope="session")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("entra")) as cloud:
        yield cloud


@pytest.fixture
def cloud(_cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCloud]:
    """The local cloud at the present time; every client of this process goes through its gateway."""
    use(_cloud.exports(), monkeypatch)
    yield _cloud
    _cloud.clock.ahead = 0.0
