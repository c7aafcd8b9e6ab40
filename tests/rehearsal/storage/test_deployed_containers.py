"""A container that Resource Manager deployed is there for clients, as one that a client made."""

from __future__ import annotations

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobServiceClient

from tests.rehearsal.gateway.local_cloud import LocalCloud
from tests.rehearsal.storage.conftest import ACCOUNT, ADDRESS

TYPE = "Microsoft.Storage/storageAccounts"


def test_a_deployed_container_can_be_written_to(cloud: LocalCloud, key: str) -> None:
    def deploy() -> None:
        account = cloud.world.resources.find(TYPE, ACCOUNT)
        assert account is not None
        place = f"{account['id']}/blobServices/default/containers/deployed"
        container = f"{TYPE}/blobServices/containers"
        cloud.world.resources.put(
            {"id": place, "type": container, "name": f"{ACCOUNT}/default/deployed", "properties": {}}
        )

    cloud.call(deploy)
    with BlobServiceClient(ADDRESS, credential=key) as service:
        service.get_blob_client("deployed", "a.json").upload_blob(b"{}")
        assert service.get_blob_client("deployed", "a.json").download_blob().readall() == b"{}"


def test_one_that_nobody_deployed_is_missing(cloud: LocalCloud, key: str) -> None:
    with (
        BlobServiceClient(ADDRESS, credential=key) as service,
        pytest.raises(ResourceNotFoundError, match="ContainerNotFound"),
    ):
        service.get_blob_client("nobody", "a.json").upload_blob(b"{}")
