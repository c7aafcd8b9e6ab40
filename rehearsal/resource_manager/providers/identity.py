"""Identities of resources: system-assigned ones, and Microsoft.ManagedIdentity/userAssignedIdentities.

learn.microsoft.com/entra/identity/managed-identities-azure-resources/overview
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from rehearsal.resource_manager.errors import ServiceError
from rehearsal.resource_manager.identifiers import fold, parse
from rehearsal.resource_manager.providers.base import ResourceType, Write, check_location

Json = Any
_CREDENTIAL = re.compile(r"[A-Za-z0-9][-\w]{2,119}", re.ASCII)
_MOST_CREDENTIALS = 20


def identity(write: Write) -> dict[str, Json] | None:
    """A resource's identity before it is made: what the body asks for, with the ids that are known already."""
    asked = write.body.get("identity")
    before = (write.existing or {}).get("identity")
    if asked is None:
        # A PUT without the section leaves the identity as it was (unverified for types other than factories).
        found: dict[str, Json] | None = before
        return found
    known = {key: before[key] for key in ("principalId", "tenantId") if before and key in before}
    found = {**asked, **(known if "systemassigned" in str(asked.get("type", "")).lower() else {})}
    users = asked.get("userAssignedIdentities")
    if isinstance(users, dict):
        there = {fold(key): value for key, value in ((before or {}).get("userAssignedIdentities") or {}).items()}
        found["userAssignedIdentities"] = {key: there.get(fold(key)) or value or {} for key, value in users.items()}
    return found


def assigned(kind: ResourceType, write: Write, resource: dict[str, Json]) -> dict[str, Json]:
    """The resource with a principal in the directory behind its system-assigned identity."""
    wanted = resource.get("identity") or {}
    if "systemassigned" in str(wanted.get("type", "")).lower():
        tenant = kind.tenant(write)
        principal = kind.world.directory.add_managed_identity(
            tenant_id=tenant, resource_id=resource["id"], display_name=resource["name"]
        )
        resource["identity"] = wanted = {**wanted, "principalId": principal.object_id, "tenantId": tenant}
    users = wanted.get("userAssignedIdentities")
    if isinstance(users, dict):
        resource["identity"] = {**wanted, "userAssignedIdentities": {key: _user(kind, key) for key in users}}
    return resource


def _user(kind: ResourceType, identity_id: str) -> dict[str, Json]:
    """What a resource shows of a user-assigned identity. Raises ServiceError."""
    found = kind.world.resources.get(identity_id)
    if found is None or found["type"].lower() != UserAssignedIdentity.name.lower():
        # The code is that of public issues, the sentence is unverified.
        raise ServiceError(
            400, "FailedIdentityOperation", f"The user assigned identity '{identity_id}' could not be found."
        )
    return {key: found["properties"][key] for key in ("principalId", "clientId")}


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

    def delete(self, resource_id: str) -> None:
        """The service principal goes with it; role assignments stay, of nobody
        (learn.microsoft.com/entra/identity/managed-identities-azure-resources/managed-identities-faq)."""
        resource = self.get(resource_id)
        super().delete(resource_id)
        if resource is not None:
            self.world.directory.remove_principal(resource["properties"]["principalId"])


class FederatedCredential(ResourceType):
    """Lets tokens of another issuer sign in as a user-assigned identity.

    learn.microsoft.com/rest/api/managedidentity/federated-identity-credentials; limits: …/entra/workload-id/
    workload-identity-federation-considerations. Codes and sentences of the refusals are unverified.
    """

    name = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials"
    shape: ClassVar[Mapping[str, type]] = {
        "properties.issuer": str,
        "properties.subject": str,
        "properties.audiences": list,
        "properties.audiences[]": str,
    }

    def check(self, write: Write) -> None:
        if not _CREDENTIAL.fullmatch(write.id.name):
            raise ServiceError(
                400, "BadRequest", f"The name '{write.id.name}' of the federated identity credential is not valid."
            )
        for key in ("issuer", "subject", "audiences"):
            if not write.properties.get(key):
                raise ServiceError(
                    400, "BadRequest", f"The property '{key}' of a federated identity credential is required."
                )
        others = [one for one in self.list(str(write.id.parent)) if fold(one["id"]) != fold(str(write.id))]
        same = ("issuer", "subject")
        if any(all(one["properties"][key] == write.properties[key] for key in same) for one in others):
            raise ServiceError(
                409, "Conflict", "Issuer and subject combination already exists for this Managed Identity."
            )
        if write.existing is None and len(others) >= _MOST_CREDENTIALS:
            raise ServiceError(
                400, "BadRequest", f"A managed identity has at most {_MOST_CREDENTIALS} federated credentials."
            )

    def put(self, write: Write) -> dict[str, Json]:
        if write.existing is not None:
            self._withdraw(write.existing)
        resource = super().put(write)
        app_id = self._identity(resource["id"])
        for audience in resource["properties"]["audiences"]:
            self.world.directory.add_federation(
                app_id=app_id,
                issuer=resource["properties"]["issuer"],
                subject=resource["properties"]["subject"],
                audience=audience,
            )
        return resource

    def delete(self, resource_id: str) -> None:
        resource = self.get(resource_id)
        if resource is not None:
            self._withdraw(resource)
        super().delete(resource_id)

    def _withdraw(self, resource: dict[str, Json]) -> None:
        properties = resource["properties"]
        self.world.directory.remove_federation(
            app_id=self._identity(resource["id"]), issuer=properties["issuer"], subject=properties["subject"]
        )

    def _identity(self, resource_id: str) -> str:
        found = self.world.resources.get(str(parse(resource_id).parent)) or {}
        return str((found.get("properties") or {}).get("clientId", ""))


TYPES = (UserAssignedIdentity, FederatedCredential)
