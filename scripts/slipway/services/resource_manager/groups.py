"""Resource groups, single resources and role assignments (azure-mgmt-resource)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.rest import HttpRequest
from azure.mgmt.resource.resources import ResourceManagementClient

from slipway.services.azure_errors import TRANSPORT, translated

if TYPE_CHECKING:
    from slipway.services.credentials import Credential

# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
ROLES = {
    "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Role Based Access Control Administrator": "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
}
# The namespace of the template function guid(), so that names agree with assignments made by templates.
_GUID_NAMESPACE = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")
_ROLES_API = "2022-04-01"
_IDENTITY_API = "2023-01-31"
_RESOURCES_API = "2021-04-01"


class Resources:
    """What is there in one subscription. One verb, one request."""

    def __init__(self, credential: Credential, subscription_id: str) -> None:
        self._client = ResourceManagementClient(credential, subscription_id, **TRANSPORT)
        self.subscription_id = subscription_id

    def group_exists(self, name: str) -> bool:
        # A GET, for its refusal says why; that of check_existence (HEAD) has no body.
        with translated(
            f"looking for resource group {name}", changed="Nothing was changed by this request.", next_step=_NO_GROUP
        ):
            try:
                self._client.resource_groups.get(name)
            except ResourceNotFoundError:
                return False
            return True

    def create_group(self, name: str, location: str, tags: Mapping[str, str]) -> None:
        """Makes the group, or says again what it is."""
        with translated(
            f"creating resource group {name}", changed="Nothing was changed by this request.", next_step=_NO_GROUP
        ):
            self._client.resource_groups.create_or_update(name, {"location": location, "tags": dict(tags)})

    def group(self, name: str) -> dict[str, Any] | None:
        """The group as Resource Manager shows it (location, tags), or None."""
        with translated(
            f"looking for resource group {name}", changed="Nothing was changed by this request.", next_step=_NO_GROUP
        ):
            try:
                return self.send("GET", f"{self._group(name)}?api-version={_RESOURCES_API}")
            except HttpResponseError as error:
                if error.status_code == 404:
                    return None
                raise

    def delete_group(self, name: str) -> None:
        """Deletes the group with all that is in it, and waits for the end."""
        with translated(f"deleting resource group {name}", changed="Some of what is in it may be gone already."):
            try:
                self._client.resource_groups.begin_delete(name, polling_interval=5).result()
            except ResourceNotFoundError:
                return

    def inside(self, group: str) -> list[dict[str, Any]]:
        """What lies in a group (REST shape: id, name, type, tags; every page); empty where there is no such group."""
        with translated(f"reading what is in resource group {group}"):
            return self._pages(f"{self._group(group)}/resources?api-version={_RESOURCES_API}")

    def every(self, path: str, api_version: str) -> list[dict[str, Any]]:
        """A list, from every page; empty where what it is asked of is not there."""
        with translated(f"listing {path}"):
            return self._pages(f"{path}?api-version={api_version}")

    def _pages(self, first: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        url: str | None = first
        try:
            while url:
                answer = self.send("GET", url)
                found += answer.get("value") or []
                url = answer.get("nextLink")
        except HttpResponseError as error:
            if error.status_code != 404:
                raise
        return found

    def get(self, resource_id: str, api_version: str) -> dict[str, Any] | None:
        """A resource as its provider shows it, or None."""
        with translated(f"looking for {resource_id}"):
            try:
                return self.send("GET", f"{resource_id}?api-version={api_version}")
            except HttpResponseError as error:
                if error.status_code == 404:
                    return None
                raise

    def delete(self, resource_id: str, api_version: str) -> None:
        """Deletes a resource; a missing one is fine."""
        with translated(f"deleting {resource_id}"):
            self.send("DELETE", f"{resource_id}?api-version={api_version}")

    def delete_and_wait(self, resource_id: str, api_version: str) -> None:
        """Deletes a resource that takes its time, and waits for the end; a missing one is fine."""
        with translated(f"deleting {resource_id}"):
            try:
                self._client.resources.begin_delete_by_id(
                    resource_id, api_version=api_version, polling_interval=5
                ).result()
            except ResourceNotFoundError:
                return

    def unassign(self, assignment: dict[str, Any]) -> None:
        """Takes a role assignment away, as `assignments` gives it; a missing one is fine."""
        with translated(f"removing the role assignment {assignment['id']}", next_step=_NO_ASSIGN):
            self.send("DELETE", f"{assignment['id']}?api-version={_ROLES_API}")

    def _group(self, name: str) -> str:
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{name}"

    def identity_of(self, resource_id: str, api_version: str) -> str | None:
        """The object id of a resource's system-assigned identity, "" where it has none; None when there is no such resource."""
        with translated(f"looking for {resource_id}"):
            try:
                found = self._client.resources.get_by_id(resource_id, api_version=api_version)
            except ResourceNotFoundError:
                return None
            return (found.identity.principal_id or "") if found.identity else ""

    def application_of(self, resource_id: str) -> str | None:
        """The application (client) id of a resource's system-assigned identity; None where it is not known.

        The resource itself names the object id only. SystemAssignedIdentities_GetByScope of Microsoft.ManagedIdentity
        (https://learn.microsoft.com/rest/api/managedidentity/system-assigned-identities/get-by-scope).
        """
        url = f"{resource_id}/providers/Microsoft.ManagedIdentity/identities/default?api-version={_IDENTITY_API}"
        with translated(f"looking for the identity of {resource_id}"):
            try:
                found = self.send("GET", url)
            except HttpResponseError as error:
                if error.status_code == 404:
                    return None
                raise
        return (found.get("properties") or {}).get("clientId") or None

    def assignments(self, scope: str, principal_id: str) -> list[dict[str, Any]]:
        """The principal's role assignments at this very scope (REST shape, every page)."""
        found: list[dict[str, Any]] = []
        url: str | None = (
            f"{scope}/providers/Microsoft.Authorization/roleAssignments"
            f"?api-version={_ROLES_API}&$filter=principalId%20eq%20'{principal_id}'"
        )
        with translated(f"reading role assignments of {scope}"):
            while url:
                answer = self.send("GET", url)
                found += answer.get("value") or []
                url = answer.get("nextLink")
        return [
            one
            for one in found
            if one["properties"].get("principalId", "").lower() == principal_id.lower()
            and one["properties"].get("scope", scope).lower() == scope.lower()
        ]

    def assign(self, scope: str, principal_id: str, role: str) -> None:
        """Gives a service principal a role at a scope; having it under another name is fine."""
        definition = self.role_id(role)
        name = assignment_name(scope, principal_id, ROLES[role])
        body = {
            "properties": {
                "roleDefinitionId": definition,
                "principalId": principal_id,
                "principalType": "ServicePrincipal",
            }
        }
        url = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}?api-version={_ROLES_API}"
        with translated(f"giving {principal_id} the role {role} on {scope}", next_step=_NO_ASSIGN):
            try:
                self.send("PUT", url, body)
            except HttpResponseError as error:
                if error.status_code != 409 or "RoleAssignmentExists" not in str(error):
                    raise

    def role_id(self, role: str) -> str:
        return f"/subscriptions/{self.subscription_id}/providers/Microsoft.Authorization/roleDefinitions/{ROLES[role]}"

    def send(self, method: str, url: str, body: Any = None) -> dict[str, Any]:
        """One request to Resource Manager, its path as `url`. Raises HttpResponseError; {} where the answer has no object."""
        response = self._client.send_request(HttpRequest(method, url, json=body))
        if response.status_code >= 400:
            raise HttpResponseError(response=response)
        parsed = response.json() if response.content else {}
        return parsed if isinstance(parsed, dict) else {}


_NO_GROUP = (
    "A platform admin runs scripts/bootstrap_environment.py once, which makes the group and gives the roles; new roles "
    "take up to 10 minutes to work."
)
_NO_ASSIGN = "Giving roles takes Owner, User Access Administrator or Role Based Access Control Administrator there."


def assignment_name(scope: str, principal_id: str, role_definition: str) -> str:
    """The name of a role assignment, as guid(scope, principal, role) in a template gives it."""
    return str(uuid.uuid5(_GUID_NAMESPACE, "-".join((scope, principal_id, role_definition))))


def has_role(assignments: list[dict[str, Any]], role: str) -> bool:
    """Whether one of the assignments gives the role."""
    return any(one["properties"].get("roleDefinitionId", "").lower().endswith(ROLES[role]) for one in assignments)


def newest(assignments: list[dict[str, Any]]) -> float | None:
    """When the latest of the assignments was made (seconds since the epoch), or None."""
    times = []
    for one in assignments:
        text = str(one["properties"].get("createdOn") or "")
        try:
            made = datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            continue
        times.append((made if made.tzinfo else made.replace(tzinfo=UTC)).timestamp())
    return max(times, default=None)
