"""The firewall of a vault, as every caller of a rehearsal meets it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.keyvault.secrets import SecretClient

from rehearsal.network import ADDRESS
from tests.rehearsal.gateway.local_cloud import LocalCloud
from tests.rehearsal.key_vault.conftest import VAULT


def refusal(cloud: LocalCloud, client: SecretClient, **properties: Any) -> HttpResponseError | None:
    """What a client meets while the vault has these properties."""
    before = cloud.call(lambda: cloud.world.resources.find("Microsoft.KeyVault/vaults", VAULT))
    assert before is not None
    changed = {**before, "properties": {**before["properties"], **properties}}
    cloud.call(partial(cloud.world.resources.put, changed))
    try:
        list(client.list_properties_of_secrets())
    except HttpResponseError as error:
        return error
    finally:
        cloud.call(partial(cloud.world.resources.put, before))
    return None


def test_an_address_in_no_rule_is_refused(cloud: LocalCloud, client: SecretClient) -> None:
    error = refusal(cloud, client, networkAcls={"defaultAction": "Deny", "ipRules": []})
    assert error is not None
    assert error.status_code == 403
    assert f"Client address: {ADDRESS}" in str(error)
    assert error.error is not None
    assert error.error.innererror["code"] == "ForbiddenByFirewall"


def test_a_vault_that_is_closed_to_the_internet(cloud: LocalCloud, client: SecretClient) -> None:
    error = refusal(cloud, client, publicNetworkAccess="Disabled")
    assert error is not None
    assert "Public network access is disabled" in str(error)


@pytest.mark.parametrize("rule", [ADDRESS, "203.0.113.0/28"])
def test_an_address_in_a_rule_is_let_in(cloud: LocalCloud, client: SecretClient, rule: str) -> None:
    rules = {"defaultAction": "Deny", "ipRules": [{"value": rule}]}
    assert refusal(cloud, client, networkAcls=rules) is None
