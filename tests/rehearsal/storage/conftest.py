"""One Azurite for these tests, behind a gateway, with an account whose container `data` is there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure.storage.blob import BlobServiceClient

from tests.rehearsal.gateway.local_cloud import LocalCloud, use

ACCOUNT = "stslipwaytest"
ADDRESS = f"https://{ACCOUNT}.blob.core.windows.net"


@pytest.fixture(scope="session")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("storage"), storage=True) as cloud:
        cloud.put_account(ACCOUNT)
        with pytest.MonkeyPatch.context() as patch:
            use(cloud.exports(), patch)
            keys = cloud.call(lambda: cloud.world.storage_accounts.ensure(ACCOUNT))
            with BlobServiceClient(ADDRESS, credential=keys[0]) as service:
                service.create_container("data")
        yield cloud


@pytest.fixture
def cloud(_cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCloud]:
    """The local cloud; every client of this process goes through its gateway."""
    use(_cloud.exports(), monkeypatch)
    yield _cloud
    _cloud.call(_cloud.faults.clear)


@pytest.fixture
def key(cloud: LocalCloud) -> str:
    return cloud.call(lambda: cloud.world.storage_accounts.ensure(ACCOUNT))[0]
