"""What is deployed: subscriptions, resource groups and resources, found by id or by name, without regard to case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.resource_manager.identifiers import contains, fold, group_id, group_of, parse, subscription_of
from rehearsal.store import Store

# What subscriptions of a rehearsal may have in each region: plenty. New ones of Azure begin with 10, or 4 of a trial.
USUAL_CORES = 350
GROUP_TYPE = "Microsoft.Resources/resourceGroups"


def subscription_of_tenant(subscription_id: str, tenant_id: str, display_name: str = "Rehearsal") -> dict[str, Any]:
    """A subscription as GET returns it."""
    return {
        "id": f"/subscriptions/{subscription_id}",
        "subscriptionId": subscription_id,
        "tenantId": tenant_id,
        "displayName": display_name,
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
    }


def new_group(subscription_id: str, name: str, *, location: str, tags: dict[str, str] | None) -> dict[str, Any]:
    """A resource group as GET returns it."""
    return {
        "id": group_id(subscription_id, name),
        "type": GROUP_TYPE,
        "name": name,
        "location": location,
        **({"tags": tags} if tags is not None else {}),
        "properties": {"provisioningState": "Succeeded"},
    }


class Resources:
    """Resources as GET returns them, in one store. Reading gives copies: put a resource back to change it."""

    def __init__(self, store: Store) -> None:
        self._resources = store.collection("resource_manager/resources")
        self._subscriptions = store.collection("resource_manager/subscriptions")
        self._registrations = store.collection("resource_manager/registrations")
        self._quotas = store.collection("resource_manager/quotas")
        self._by_name: dict[tuple[str, str], list[str]] = {}
        for key in self._resources:
            self._index(self._resources[key])

    def add_subscription(self, subscription_id: str, *, tenant_id: str, display_name: str = "Rehearsal") -> None:
        """Make a subscription known; Resource Manager answers SubscriptionNotFound for any other. Idempotent."""
        before = self._subscriptions.get(subscription_id.lower()) or {}
        self._subscriptions[subscription_id.lower()] = {
            **subscription_of_tenant(subscription_id, tenant_id, display_name),
            **{key: before[key] for key in ("tags", "state") if key in before},
        }

    def subscription(self, subscription_id: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._subscriptions.get(subscription_id.lower())
        return found

    def tenant_of(self, resource_id: str) -> str | None:
        """The tenant of the subscription that a path is in; None when it is in none that is known."""
        words = resource_id.split("/")
        found = self.subscription(words[2]) if len(words) > 2 and words[1].lower() == "subscriptions" else None
        return str(found["tenantId"]) if found else None

    def subscriptions(self) -> list[dict[str, Any]]:
        return list(self._subscriptions.values())

    def set_subscription_state(self, subscription_id: str, state: str) -> None:
        """state: Enabled, Disabled, PastDue, Warned, Deleted (rest/api/resources/subscriptions/get, SubscriptionState)."""
        key = subscription_id.lower()
        self._subscriptions[key] = {**self._subscriptions[key], "state": state}

    def tag_subscription(self, subscription_id: str, tags: Mapping[str, str]) -> None:
        self._subscriptions[subscription_id.lower()] = {
            **self._subscriptions[subscription_id.lower()],
            "tags": dict(tags),
        }

    def registration(self, subscription_id: str, namespace: str) -> str:
        """Registered, or what was set; a subscription of a rehearsal has every provider from the start."""
        return str(self._registrations.get(f"{subscription_id}/{namespace}".lower()) or "Registered")

    def set_registration(self, subscription_id: str, namespace: str, state: str) -> None:
        """state: Registered, NotRegistered, Unregistered, …"""
        self._registrations[f"{subscription_id}/{namespace}".lower()] = state

    def cores(self, subscription_id: str) -> tuple[int, int]:
        """How many processor cores of a region's quota are in use, and how many there may be."""
        used, limit = self._quotas.get(subscription_id.lower()) or (0, USUAL_CORES)
        return int(used), int(limit)

    def set_cores(self, subscription_id: str, *, used: int, limit: int) -> None:
        self._quotas[subscription_id.lower()] = [used, limit]

    def get(self, resource_id: str) -> dict[str, Any] | None:
        """The full resource (or resource group) JSON as GET returns it, or None."""
        found: dict[str, Any] | None = self._resources.get(fold(resource_id))
        return found

    def find(self, resource_type: str, name: str) -> dict[str, Any] | None:
        """A resource by type and last name, for names unique in all of Azure: ("Microsoft.KeyVault/vaults", "kv-x")."""
        keys = self._by_name.get((resource_type.lower(), name.lower()))
        return None if not keys else self._resources[keys[0]]

    def put(self, resource: dict[str, Any]) -> None:
        """Write a resource; it has at least id, name and type."""
        self._resources[fold(resource["id"])] = resource
        self._index(resource)

    def delete(self, resource_id: str) -> dict[str, Any] | None:
        """Take a resource away, with everything inside it, and return it; None when there is none."""
        found = self.get(resource_id)
        for inside in [key for key in self._resources if contains(resource_id, key)]:
            resource = self._resources[inside]
            self._by_name[(resource["type"].lower(), resource["name"].rsplit("/", 1)[-1].lower())].remove(inside)
            del self._resources[inside]
        return found

    def below(self, scope: str, resource_type: str | None = None) -> list[dict[str, Any]]:
        """Resources inside `scope` (not the scope itself), of one type when given, oldest first."""
        wanted = None if resource_type is None else resource_type.lower()
        inside = (self._resources[key] for key in self._resources if contains(scope, key) and key != fold(scope))
        return [resource for resource in inside if wanted in (None, resource["type"].lower())]

    def group(self, subscription_id: str, name: str) -> dict[str, Any] | None:
        return self.get(group_id(subscription_id, name))

    def put_group(
        self, subscription_id: str, name: str, *, location: str, tags: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Make a resource group, or set the tags of one that is there; the group as GET returns it."""
        group = new_group(subscription_id, name, location=location, tags=tags)
        self.put(group)
        return group

    def add_databricks_workspace(
        self, resource_id: str, *, host: str, location: str, workspace_id: str | None = None, sku: str = "premium"
    ) -> dict[str, Any]:
        """Seed a workspace that exists before any release, with its group. host: without "https://". Idempotent."""
        parsed = parse(resource_id)
        subscription, group = subscription_of(resource_id), group_of(resource_id)
        if subscription is None or group is None:
            raise ValueError(f"{resource_id!r} is not in a resource group")
        if self.group(subscription, group) is None:
            self.put_group(subscription, group, location=location)
        workspace = {
            "id": resource_id,
            "type": "Microsoft.Databricks/workspaces",
            "name": parsed.name,
            "location": location,
            "sku": {"name": sku},
            "properties": {
                "managedResourceGroupId": group_id(subscription, f"databricks-rg-{parsed.name}"),
                "provisioningState": "Succeeded",
                "workspaceUrl": host,
                "workspaceId": workspace_id or host.removeprefix("adb-").split(".")[0],
            },
        }
        self.put(workspace)
        return workspace

    def _index(self, resource: dict[str, Any]) -> None:
        place = self._by_name.setdefault((resource["type"].lower(), resource["name"].rsplit("/", 1)[-1].lower()), [])
        if fold(resource["id"]) not in place:
            place.append(fold(resource["id"]))
