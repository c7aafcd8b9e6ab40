"""Identities of resources: system-assigned ones, and Microsoft.ManagedIdentity/userAssignedIdentities.

learn.microsoft.com/entra/identity/managed-identities-azure-resources/overview
"""

from __future__ import annotations

from typing import Any

from rehearsal.resource_manager.providers.base import ResourceType, Write, check_location

Json = Any


def identity(write: Write) -> dict[str, Json] | None:
    """A resource's identity before it is made: what the body asks for, with the ids that are known already."""
    asked = write.body.get("identity")
    before = (write.existing or {}).get("identity")
    if asked is None:
        # A PUT without the section leaves the identity as it was (unverified for types other than factories).
        found: dict[str, Json] | None = before
        return found
    known = {key: before[key] for key in ("principalId", "tenantId") if before and key in before}
    return {**asked, **(known if "systemassigned" in str(asked.get("type", "")).lower() else {})}


def assigned(kind: ResourceType, write: Write, resource: dict[str, Json]) -> dict[str, Json]:
    """The resource with a principal in the directory behind its system-assigned identity."""
    wanted = resource.get("identity") or {}
    if "systemassigned" in str(wanted.get("type", "")).lower():
        tenant = kind.tenant(write)
        principal = kind.world.directory.add_managed_identity(
            tenant_id=tenant, resource_id=resource["id"], display_name=resource["name"]
        )
        resource["identity"] = {**wanted, "principalId": principal.object_id, "tenantId": tenant}
    return resource


class UserAssignedIdentity(ResourceType):
    name = "Microsoft.ManagedIdentity/userAssignedIdentities"
    tracked = True
    requests = ("GET", "LIST", "PUT", "PATCH", "DELETE")
    read_only = ("properties.principalId", "properties.clientId", "properties.tenantId")

    def check(self, write: Write) -> None:
        check_location(write)

    def build(self, write: Write) -> dict[str, Json]:
        resource = self.basis(write, (write.existing or {}).get("properties", {}))
        resource.setdefault("tags", {})
        return resource

    def put(self, write: Write) -> dict[str, Json]:
        resource = self.build(write)
        tenant = self.tenant(write)
        principal = self.world.directory.add_managed_identity(
            tenant_id=tenant, resource_id=resource["id"], display_name=resource["name"]
        )
        resource["properties"] = {
            "tenantId": tenant,
            "principalId": principal.object_id,
            "clientId": principal.app_id,
        }
        self.world.resources.put(resource)
        return resource


TYPES = (UserAssignedIdentity,)
