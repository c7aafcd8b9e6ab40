"""azure-mgmt-storage: what an account has beside blobs, its keys, its policies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.mgmt.storage import StorageManagementClient

from tests.contract.place import Place

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def storage(place: Place) -> Any:
    return StorageManagementClient(DefaultAzureCredential(), place.subscription)


@pytest.fixture(scope="module")
def where(storage: Any, group: str, place: Place) -> Iterator[tuple[str, str]]:
    name = place.name("services", dashes=False)
    body = {"location": place.location, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}
    storage.storage_accounts.begin_create(group, name, body).result()
    yield group, name
    storage.storage_accounts.delete(group, name)


def test_keys_are_renewed(storage: Any, where: tuple[str, str]) -> None:
    before = {key.key_name: key.value for key in storage.storage_accounts.list_keys(*where).keys_property}
    after = storage.storage_accounts.regenerate_key(*where, {"keyName": "key1"}).keys_property
    renewed = {key.key_name: key.value for key in after}
    assert renewed["key1"] != before["key1"]
    assert renewed["key2"] == before["key2"]
    shared = {"signedServices": "b", "signedResourceTypes": "sco", "signedPermission": "rl",
              "signedExpiry": "2035-01-01T00:00:00Z"}  # fmt: skip
    assert "sig=" in storage.storage_accounts.list_account_sas(*where, shared).account_sas_token


@pytest.mark.parametrize("kind", ["file", "queue", "table"])
def test_the_services(storage: Any, where: tuple[str, str], kind: str) -> None:
    services = getattr(storage, f"{kind}_services")
    asked = "get_service_properties"
    assert getattr(services, asked)(*where).name == "default"
    services.set_service_properties(*where, {"properties": {"cors": {"corsRules": []}}})
    listed = services.list(*where)
    assert [one.name for one in getattr(listed, "value", listed)] == ["default"]


def test_shares(storage: Any, where: tuple[str, str]) -> None:
    shares = storage.file_shares
    shares.create(*where, "share", {"properties": {"shareQuota": 5}})
    assert shares.get(*where, "share").share_quota == 5
    assert [one.name for one in shares.list(*where)] == ["share"]
    shares.delete(*where, "share")


def test_queues(storage: Any, where: tuple[str, str]) -> None:
    storage.queue.create(*where, "queue", {})
    assert storage.queue.get(*where, "queue").name == "queue"
    assert [one.name for one in storage.queue.list(*where)] == ["queue"]
    storage.queue.delete(*where, "queue")


def test_tables(storage: Any, where: tuple[str, str]) -> None:
    storage.table.create(*where, "things")
    assert storage.table.get(*where, "things").name == "things"
    assert [one.name for one in storage.table.list(*where)] == ["things"]
    storage.table.delete(*where, "things")


def test_the_policy_that_deletes_old_blobs(storage: Any, where: tuple[str, str]) -> None:
    old = {"baseBlob": {"delete": {"daysAfterModificationGreaterThan": 90}}}
    rule = {
        "name": "old",
        "type": "Lifecycle",
        "enabled": True,
        "definition": {"actions": old, "filters": {"blobTypes": ["blockBlob"]}},
    }
    storage.management_policies.create_or_update(*where, "default", {"properties": {"policy": {"rules": [rule]}}})
    assert storage.management_policies.get(*where, "default").policy.rules[0].name == "old"
    storage.management_policies.delete(*where, "default")
    with pytest.raises(ResourceNotFoundError):
        storage.management_policies.get(*where, "default")
