"""A vault behind a gateway, on which the tests' application is Key Vault Secrets Officer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure.keyvault.secrets import SecretClient

from tests.rehearsal.gateway.local_cloud import LocalCloud, use

VAULT = "kv-slipway-test"


@pytest.fixture(scope="session")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("key_vault")) as cloud:
        cloud.assign(cloud.put_vault(VAULT), "Key Vault Secrets Officer")
        yield cloud


@pytest.fixture
def cloud(_cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> LocalCloud:
    """The local cloud; every client of this process goes through its gateway."""
    use(_cloud.exports(), monkeypatch)
    return _cloud


@pytest.fixture
def client(cloud: LocalCloud) -> Iterator[SecretClient]:
    with SecretClient(f"https://{VAULT}.vault.azure.net", cloud.credential(), retry_total=0) as client:
        yield client
