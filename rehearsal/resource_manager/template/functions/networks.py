"""Functions on address ranges (learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-cidr)."""

from __future__ import annotations

import ipaddress
from typing import Any

from rehearsal.resource_manager.template.functions.function import integer, invalid, plain, text

Json = Any


def _network(name: str, value: Json) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text(name, value), strict=False)
    except ValueError as error:
        raise invalid(name, f"expects an address range: '{value}' is none.") from error


def _parse(value: Json) -> dict[str, Json]:
    network = _network("parseCidr", value)
    found: dict[str, Json] = {"network": str(network.network_address), "netmask": str(network.netmask)}
    if isinstance(network, ipaddress.IPv4Network):
        hosts = list(network.hosts()) if network.prefixlen >= 31 else []
        first = hosts[0] if hosts else network.network_address + 1
        last = hosts[-1] if hosts else network.broadcast_address - 1
        found |= {"broadcast": str(network.broadcast_address), "firstUsable": str(first), "lastUsable": str(last)}
    else:
        # No broadcast, and every address is usable.
        found |= {"firstUsable": str(network.network_address), "lastUsable": str(network.broadcast_address)}
    return {**found, "cidr": network.prefixlen}


def _subnet(value: Json, prefix: Json, index: Json) -> str:
    network, size, number = _network("cidrSubnet", value), integer("cidrSubnet", prefix), integer("cidrSubnet", index)
    if not network.prefixlen <= size <= network.max_prefixlen or not 0 <= number < 2 ** (size - network.prefixlen):
        raise invalid("cidrSubnet", f"can't make subnet {number} with prefix {size} of '{value}'.")
    first = int(network.network_address) + number * 2 ** (network.max_prefixlen - size)
    return f"{ipaddress.ip_address(first) if network.version == 4 else ipaddress.IPv6Address(first)}/{size}"


def _host(value: Json, index: Json) -> str:
    network, number = _network("cidrHost", value), integer("cidrHost", index)
    if not 0 <= number < network.num_addresses - 1:
        raise invalid("cidrHost", f"can't give host {number} of '{value}'.")
    return str(network.network_address + number + 1)


FUNCTIONS = (
    plain("parseCidr", 1, 1, _parse),
    plain("cidrSubnet", 3, 3, _subnet),
    plain("cidrHost", 2, 2, _host),
)
