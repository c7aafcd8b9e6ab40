"""The firewall of a storage account, as every caller of a rehearsal meets it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import ContainerClient

from rehearsal.network import ADDRESS as CALLER
from tests.rehearsal.gateway.local_cloud import LocalCloud
from tests.rehearsal.storage.conftest import ACCOUNT, ADDRESS

KIND = "Microsoft.Storage/storageAccounts"


@pytest.fixture
def account(cloud: LocalCloud) -> Iterator[dict[str, Any]]:
    """The account's properties; what it was comes back afterwards."""
    before = cloud.call(lambda: cloud.world.resources.find(KIND, ACCOUNT))
    assert before is not None
    yield before
    cloud.call(lambda: cloud.world.resources.put(before))


def with_rules(cloud: LocalCloud, account: dict[str, Any], **properties: Any) -> None:
    changed = {**account, "properties": {**account.get("properties", {}), **properties}}
    cloud.call(partial(cloud.world.resources.put, changed))


@pytest.mark.parametrize(
    ("properties", "let_in"),
    [
        ({"networkAcls": {"defaultAction": "Deny", "ipRules": []}}, False),
        ({"networkAcls": {"defaultAction": "Deny", "ipRules": [{"value": "198.51.100.0/24"}]}}, False),
        ({"networkAcls": {"defaultAction": "Deny", "ipRules": [{"value": CALLER}]}}, True),
        ({"networkAcls": {"defaultAction": "Deny", "ipRules": [{"value": "203.0.113.0/24"}]}}, True),
        ({"networkAcls": {"defaultAction": "Allow", "ipRules": []}}, True),
        ({"publicNetworkAccess": "Disabled"}, False),
    ],
)
def test_who_is_let_in(
    cloud: LocalCloud, key: str, account: dict[str, Any], properties: dict[str, Any], let_in: bool
) -> None:
    with_rules(cloud, account, **properties)
    with ContainerClient(ADDRESS, "data", credential=key, retry_total=0) as container:
        if let_in:
            assert container.exists()
            return
        with pytest.raises(HttpResponseError) as caught:
            container.get_container_properties()
    assert caught.value.status_code == 403
    assert "AuthorizationFailure" in str(caught.value)
