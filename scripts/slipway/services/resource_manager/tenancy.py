"""What a sign-in can see: tenants, subscriptions, locations, Databricks workspaces.

https://learn.microsoft.com/rest/api/resources/subscriptions (a token shows the subscriptions of its own tenant),
https://learn.microsoft.com/rest/api/resources/resources/list
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from slipway.services.azure_errors import translated
from slipway.services.resource_manager.groups import Resources

_API = "2022-12-01"
_RESOURCES_API = "2021-04-01"
_WORKSPACES = "Microsoft.Databricks/workspaces"
_WORKSPACE_API = "2024-05-01"


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """`state`: Enabled, Disabled, Deleted, PastDue or Warned; only in the first and the last two can things be made."""

    id: str
    name: str
    tenant_id: str
    state: str = "Enabled"


@dataclass(frozen=True, kw_only=True)
class WorkspaceResource:
    """A Databricks workspace as Azure knows it; `host` is its address: https://…"""

    id: str
    name: str
    location: str
    host: str


def subscriptions(resources: Resources) -> list[Subscription]:
    """The subscriptions in which the sign-in has any role."""
    with translated("looking which subscriptions this sign-in sees"):
        return [
            Subscription(
                id=one["subscriptionId"],
                name=one["displayName"],
                tenant_id=one.get("tenantId", ""),
                state=one.get("state", "Enabled"),
            )
            for one in _pages(resources, f"/subscriptions?api-version={_API}")
        ]


def locations(resources: Resources) -> list[str]:
    """The short names of the places where the subscription may have resources."""
    url = f"/subscriptions/{resources.subscription_id}/locations?api-version={_API}"
    with translated(f"reading the locations of subscription {resources.subscription_id}"):
        return sorted(str(one["name"]) for one in _pages(resources, url))


def workspaces(resources: Resources) -> list[WorkspaceResource]:
    """The Databricks workspaces of the subscription that the sign-in may see."""
    wanted = quote(f"resourceType eq '{_WORKSPACES}'")
    url = f"/subscriptions/{resources.subscription_id}/resources?$filter={wanted}&api-version={_RESOURCES_API}"
    with translated(f"looking for the workspaces of subscription {resources.subscription_id}"):
        ids = [str(one["id"]) for one in _pages(resources, url)]
    found = (resources.get(one, _WORKSPACE_API) for one in ids)
    return [workspace_from(one) for one in found if one is not None]


def workspace_from(resource: dict[str, Any]) -> WorkspaceResource:
    """A workspace from the resource that Resource Manager shows."""
    return WorkspaceResource(
        id=resource["id"],
        name=resource["name"],
        location=str(resource.get("location", "")).replace(" ", "").lower(),
        host=f"https://{resource['properties']['workspaceUrl']}",
    )


def _pages(resources: Resources, url: str | None) -> Iterator[dict[str, Any]]:
    while url:
        answer = resources.send("GET", url)
        yield from answer.get("value") or []
        url = answer.get("nextLink")
