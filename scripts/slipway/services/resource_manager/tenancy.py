"""What a sign-in can see: tenants, subscriptions, locations, Databricks workspaces.

https://learn.microsoft.com/rest/api/resources/subscriptions (a token shows the subscriptions of its own tenant),
https://learn.microsoft.com/rest/api/resources/resources/list
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from azure.core.exceptions import AzureError, HttpResponseError

from slipway.errors import NotPossible
from slipway.services.azure_errors import readable, reason, translated
from slipway.services.credentials import SignInFailed
from slipway.services.resource_manager.groups import Resources

_API = "2022-12-01"
_RESOURCES_API = "2021-04-01"
_WORKSPACES = "Microsoft.Databricks/workspaces"
_WORKSPACE_API = "2024-05-01"


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """`state`: Enabled, Disabled, Deleted, PastDue or Warned
    (https://learn.microsoft.com/azure/cost-management-billing/manage/subscription-states)."""

    id: str
    name: str
    tenant_id: str
    state: str = "Enabled"

    @property
    def usable(self) -> bool:
        """Whether things can be made in it."""
        return self.state in ("Enabled", "PastDue", "Warned")


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


def own_subscription(resources: Resources, tenant_id: str) -> Subscription | None:
    """The subscription that is worked on; None where the sign-in may not read it, though it may do other things.

    Raises SignInFailed where the sign-in is of another tenant than the subscription (401,
    InvalidAuthenticationTokenTenant: https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-invalid-token),
    NotPossible where there is no such subscription.
    """
    subscription = resources.subscription_id
    try:
        found = resources.send("GET", f"/subscriptions/{subscription}?api-version={_API}")
    except HttpResponseError as error:
        if error.status_code == 401:
            raise SignInFailed(
                f"This sign-in is not of the tenant of subscription {subscription}: {reason(error)[1]}",
                changed="Nothing was changed.",
                next_step=f"az login --tenant {tenant_id}; or put the right tenant into azure.tenant_id (configure.py).",
            ) from error
        if error.status_code == 404:
            raise NotPossible(
                f"There is no subscription {subscription}, or this sign-in has no role in it.",
                changed="Nothing was changed.",
                next_step="az account list says what it sees; python scripts/configure.py writes it into the configuration.",
            ) from error
        if error.status_code == 403:
            return None
        raise readable(error, f"looking for subscription {subscription}") from error
    except AzureError as error:
        raise readable(error, f"looking for subscription {subscription}") from error
    return Subscription(
        id=found["subscriptionId"],
        name=found["displayName"],
        tenant_id=found.get("tenantId", ""),
        state=found.get("state", "Enabled"),
    )


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
