"""What Resource Manager writes into a vault: secrets, which the data plane then has, and access policies.

Sources: learn.microsoft.com/rest/api/keyvault/keyvault/secrets/create-or-update and …/vaults/update-access-policy.
"""

# ruff: noqa: ARG002 - every type answers to the same calls, whether it needs their arguments or not

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rehearsal.resource_manager.errors import ServiceError, not_here
from rehearsal.resource_manager.identifiers import parse
from rehearsal.resource_manager.providers.base import POLICIES_SHAPE, ResourceType, Write
from rehearsal.resource_manager.template.evaluate import Pending
from rehearsal.world import Recovery, VaultRefusal, VaultSecrets

Json = Any
_SECRET = re.compile(r"[0-9A-Za-z-]{1,127}")
_KINDS = ("keys", "secrets", "certificates", "storage")


class Secret(ResourceType):
    """A secret of a vault. Its value goes in and never comes out here; each write makes a version (unverified: also where
    the value is the same as before).
    """

    name = "Microsoft.KeyVault/vaults/secrets"
    requests = ("GET", "LIST", "PUT")
    shape: ClassVar[Mapping[str, type]] = {
        "properties.value": str,
        "properties.contentType": str,
        "properties.attributes": dict,
        "properties.attributes.enabled": bool,
        "properties.attributes.exp": int,
        "properties.attributes.nbf": int,
    }
    partial = True
    write_only = ("properties.value",)
    read_only = (
        "location",
        "properties.value",
        "properties.attributes.created",
        "properties.attributes.updated",
        "properties.secretUri",
        "properties.secretUriWithVersion",
    )

    @property
    def _secrets(self) -> VaultSecrets | None:
        return self.world.vault_secrets

    def get(self, resource_id: str) -> dict[str, Json] | None:
        if self._secrets is None:
            return super().get(resource_id)
        parsed = parse(resource_id)
        vault = self.world.resources.get(str(parsed.parent))
        found = None if vault is None else self._secrets.latest(str(vault["name"]), parsed.name)
        return None if vault is None or found is None else self._shown(resource_id, vault, found)

    def list(self, scope: str) -> list[dict[str, Json]]:
        vault = self.world.resources.get(scope)
        if self._secrets is None or vault is None:
            return super().list(scope)
        names = [str(one["id"]).rsplit("/", 1)[-1] for one in self._secrets.list_live(str(vault["name"]))]
        found = (self.get(f"{scope}/secrets/{name}") for name in names)
        return [one for one in found if one is not None]

    def check(self, write: Write) -> None:
        if not _SECRET.fullmatch(write.id.name):
            raise ServiceError(400, "BadRequest", f"The secret name '{write.id.name}' is not valid.")  # unverified
        value = write.properties.get("value")
        if not value and not isinstance(value, Pending):
            raise ServiceError(400, "BadRequest", 'The parameter "properties.value" is required.')  # unverified

    def build(self, write: Write) -> dict[str, Json]:
        before = (write.existing or {}).get("properties", {})
        given = write.properties
        attributes = {"enabled": True, **(given.get("attributes") or {})}
        vault = parse(str(write.id.parent)).name.lower()
        address = f"https://{vault}.vault.azure.net/secrets/{write.id.name}"
        resource = self.basis(write, {"attributes": attributes, "secretUri": address})
        if given.get("contentType"):
            resource["properties"]["contentType"] = given["contentType"]
        if "secretUriWithVersion" in before:
            resource["properties"]["secretUriWithVersion"] = before["secretUriWithVersion"]
        return resource

    def put(self, write: Write) -> dict[str, Json]:
        vault = self.world.resources.get(str(write.id.parent))
        if self._secrets is None or vault is None:
            return super().put(write)
        body = {**write.properties, "tags": write.body.get("tags") or {}}
        try:
            self._secrets.set(str(vault["name"]), write.id.name, body, Recovery.of(vault))
        except VaultRefusal as error:
            raise ServiceError(error.status, error.code, str(error)) from error
        found = self.get(str(write.id))
        if found is None:
            raise AssertionError(f"{write.id} was just written")
        return found

    def delete(self, resource_id: str) -> None:
        # learn.microsoft.com/rest/api/keyvault/keyvault/secrets has no delete: the data plane does that.
        raise not_here(f"operation {self.name}/delete: delete it in the vault itself")

    def _shown(self, resource_id: str, vault: Mapping[str, Json], secret: Mapping[str, Json]) -> dict[str, Json]:
        kept = secret["attributes"]
        properties: dict[str, Json] = {
            "attributes": {key: kept[key] for key in ("enabled", "nbf", "exp", "created", "updated") if key in kept},
            "secretUri": str(secret["id"]).rsplit("/", 1)[0],
            "secretUriWithVersion": secret["id"],
        }
        if secret.get("contentType"):
            properties["contentType"] = secret["contentType"]
        found: dict[str, Json] = {
            "id": resource_id,
            "name": parse(resource_id).name,
            "type": self.name,
            "location": vault.get("location"),
            "properties": properties,
        }
        return {**found, "tags": secret["tags"]} if secret.get("tags") else found


class AccessPolicies(ResourceType):
    """`add`, `replace` and `remove`: what a write does to the policies of its vault."""

    name = "Microsoft.KeyVault/vaults/accessPolicies"
    requests = ("PUT",)
    created_status = 200
    shape: ClassVar[Mapping[str, type]] = {
        **POLICIES_SHAPE,
    }

    def get(self, resource_id: str) -> dict[str, Json] | None:
        parsed = parse(resource_id)
        vault = self.world.resources.get(str(parsed.parent))
        if vault is None:
            return None
        policies = [one for one in vault["properties"].get("accessPolicies") or [] if isinstance(one, dict)]
        return {"id": resource_id, "name": parsed.name, "type": self.name, "properties": {"accessPolicies": policies}}

    def check(self, write: Write) -> None:
        if write.id.name.lower() not in ("add", "replace", "remove"):
            raise ServiceError(
                400, "BadRequest", f"The access policy operation '{write.id.name}' is not add, replace or remove."
            )  # unverified
        for policy in write.properties.get("accessPolicies") or []:
            for key in ("tenantId", "objectId", "permissions"):
                if not policy.get(key):
                    raise ServiceError(400, "BadRequest", f'The parameter "accessPolicies.{key}" is required.')

    def build(self, write: Write) -> dict[str, Json]:
        before = ((write.existing or {}).get("properties") or {}).get("accessPolicies", [])
        asked = write.properties.get("accessPolicies") or []
        merged = _merged(before, asked, write.id.name.lower())
        return {"id": str(write.id), "name": write.id.name, "type": self.name, "properties": {"accessPolicies": merged}}

    def put(self, write: Write) -> dict[str, Json]:
        resource = self.build(write)
        vault = self.world.resources.get(str(write.id.parent))
        if vault is not None:
            vault["properties"]["accessPolicies"] = resource["properties"]["accessPolicies"]
            self.world.resources.put(vault)
        return resource

    def delete(self, resource_id: str) -> None:
        raise not_here(f"operation {self.name}/delete: write `remove` with the policies")


def _merged(before: Sequence[Json], asked: Sequence[Json], operation: str) -> list[Json]:
    found = {_whose(policy): dict(policy) for policy in before}
    for policy in asked:
        key = _whose(policy)
        if operation == "remove":
            left = _permissions(found.get(key, {}), policy, keep=lambda had, named: had and not named)
            if key in found and any(left.values()):
                found[key]["permissions"] = left
            else:
                found.pop(key, None)
        elif operation == "add" and key in found:
            found[key]["permissions"] = _permissions(found[key], policy, keep=lambda had, named: had or named)
        else:
            found[key] = dict(policy)
    return list(found.values())


def _permissions(before: Mapping[str, Json], asked: Mapping[str, Json], *, keep: Any) -> dict[str, list[Json]]:
    """Permissions of two policies put together; words are compared without regard to case."""
    old, new = before.get("permissions") or {}, asked.get("permissions") or {}
    result: dict[str, list[Json]] = {}
    for kind in _KINDS:
        had, named = old.get(kind) or [], new.get(kind) or []
        words = {str(word).lower(): word for word in (*had, *named)}
        held, called = ({str(word).lower() for word in some} for some in (had, named))
        kept = [word for low, word in words.items() if keep(low in held, low in called)]
        if kept or kind in old or kind in new:
            result[kind] = kept
    return result


def _whose(policy: Mapping[str, Json]) -> tuple[str, ...]:
    return tuple(str(policy.get(key, "")).lower() for key in ("tenantId", "objectId", "applicationId"))


TYPES = (Secret, AccessPolicies)
