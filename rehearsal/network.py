"""Where the callers of a rehearsal are, for the firewalls of storage accounts and vaults.

https://learn.microsoft.com/azure/storage/common/storage-network-security and
https://learn.microsoft.com/azure/key-vault/general/network-security. All callers have one address, the pipeline's agent and the
notebooks alike; it is one that is reserved for documentation (RFC 5737), so that it is nobody's.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

ADDRESS = "203.0.113.10"


def lets_in(properties: Mapping[str, Any], address: str = ADDRESS) -> bool:
    """Whether a resource with these properties answers an address of the internet. Networks of Azure and trusted services are not
    simulated: nobody of a rehearsal is in one."""
    if str(properties.get("publicNetworkAccess", "")).lower() == "disabled":
        return False
    rules = properties.get("networkAcls") or {}
    if str(rules.get("defaultAction", "Allow")).lower() != "deny":
        return True
    return any(_holds(str(rule.get("value", "")), address) for rule in rules.get("ipRules") or [])


def _holds(value: str, address: str) -> bool:
    try:
        return ip_address(address) in ip_network(value, strict=False)
    except ValueError:
        return False
