"""A container that Resource Manager deployed is there for clients, as one that a client made."""

from __future__ import annotations

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobServiceClient

from tests.rehearsal.gateway.local_cloud import LocalCloud
from tests.rehearsal.storage.conftest import ACCOUNT, ADDRESS

TYPE = "Microsoft.Storage/storageAccounts"


def deployed(cloud: LocalCloud, name: str) -> str:
    """The id of a container that Resource Manager makes."""

    def deploy() -> str:
        account = cloud.world.resources.find(TYPE, ACCOUNT)
        assert account is not None
        place = f"{account['id']}/blobServices/default/containers/{name}"
        container = f"{TYPE}/blobServices/containers"
        resource = {"id": place, "type": container, "name": f"{ACCOUNT}/default/{name}", "properties": {}}
        cloud.world.resources.put(resource)
        return place

    return cloud.call(deploy)


def test_a_deployed_container_can_be_written_to(cloud: LocalCloud, key: str) -> None:
    deployed(cloud, "deployed")
    with BlobServiceClient(ADDRESS, credential=key) as service:
        service.get_blob_client("deployed", "a.json").upload_blob(b"{}")
        assert service.get_blob_client("deployed", "a.json").download_blob().readall() == b"{}"


def test_one_that_nobody_deployed_is_missing(cloud: LocalCloud, key: str) -> None:
    with (
        BlobServiceClient(ADDRESS, credential=key) as service,
        pytest.raises(ResourceNotFoundError, match="ContainerNotFound"),
    ):
        service.get_blob_client("nobody", "a.json").upload_blob(b"{}")


def test_one_that_is_deleted_there_is_gone_here_with_its_blobs(cloud: LocalCloud, key: str) -> None:
    place = deployed(cloud, "first")
    with BlobServiceClient(ADDRESS, credential=key) as service:
        blob = service.get_blob_client("first", "a.json")
        blob.upload_blob(b"{}")
        cloud.call(lambda: cloud.world.resources.delete(place))
        with pytest.raises(ResourceNotFoundError, match="ContainerNotFound"):
            blob.download_blob()
        deployed(cloud, "first")
        with pytest.raises(ResourceNotFoundError, match="BlobNotFound"):
            blob.download_blob()


def test_one_that_is_deleted_here_is_gone_there(cloud: LocalCloud, key: str) -> None:
    place = deployed(cloud, "second")
    with BlobServiceClient(ADDRESS, credential=key) as service:
        service.get_blob_client("second", "a.json").upload_blob(b"{}")
        service.get_blob_client("second", "a.json").delete_blob()
        assert cloud.call(lambda: cloud.world.resources.get(place)) is not None
        service.delete_container("second")
    assert cloud.call(lambda: cloud.world.resources.get(place)) is None
