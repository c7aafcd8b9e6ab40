"""Microsoft.KeyVault: vaults with roles, soft delete and purge protection (learn.microsoft.com/rest/api/keyvault/keyvault/vaults).

A PUT of a vault replaces it, except for what can't be taken back: soft delete, purge protection, the retention.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from rehearsal.resource_manager.errors import ServiceError
from rehearsal.resource_manager.identifiers import fold, parse
from rehearsal.resource_manager.providers.base import (
    NETWORK_SHAPE,
    POLICIES_SHAPE,
    ResourceType,
    Write,
    check_location,
    timestamp,
)
from rehearsal.resource_manager.template.evaluate import Pending

Json = Any
_NAME = re.compile(r"(?=.{3,24}$)[A-Za-z](-?[A-Za-z0-9])*")
_RETENTION = 90
_DAY = 86_400


class Vault(ResourceType):
    name = "Microsoft.KeyVault/vaults"
    tracked = True
    requests = ("GET", "LIST", "PUT", "PATCH", "DELETE")
    shape: ClassVar[Mapping[str, type]] = {
        **NETWORK_SHAPE,
        "properties.sku": dict,
        "properties.tenantId": str,
        **POLICIES_SHAPE,
        "properties.enableRbacAuthorization": bool,
        "properties.enablePurgeProtection": bool,
        "properties.softDeleteRetentionInDays": int,
    }
    words = (
        "properties.createMode",
        "properties.enabledForDeployment",
        "properties.enabledForDiskEncryption",
        "properties.enabledForTemplateDeployment",
        "properties.enableSoftDelete",
        "properties.publicNetworkAccess",
        "properties.sku.family",
        "properties.sku.name",
    )
    read_only = ("properties.vaultUri", "properties.provisioningState", "systemData")

    def check(self, write: Write) -> None:
        check_location(write)
        name, given = write.id.name, write.properties
        if not _NAME.fullmatch(name):
            raise ServiceError(
                400,
                "VaultNameNotValid",
                f"The vault name '{name}' is invalid. A vault's name must be between 3-24 alphanumeric characters. The name "
                "must begin with a letter, end with a letter or digit, and not contain consecutive hyphens. Follow this "
                "link for more information: https://go.microsoft.com/fwlink/?linkid=2147742",
            )
        self._check_required(given)
        self._check_one_way(write)
        if write.existing is None:
            self._check_free(write)

    def _check_required(self, given: Any) -> None:
        for key in ("tenantId", "sku"):
            if given.get(key) is None:
                raise ServiceError(400, "BadRequest", f'The parameter "properties.{key}" is required.')
        sku = given["sku"] if isinstance(given["sku"], dict) else {}
        if not isinstance(sku.get("name"), Pending) and str(sku.get("name")).lower() not in ("standard", "premium"):
            raise ServiceError(
                400, "BadRequest", f"The value '{sku.get('name')}' is not valid for property \"sku.name\"."
            )

    def _check_one_way(self, write: Write) -> None:
        given, before = write.properties, (write.existing or {}).get("properties", {})
        if given.get("enablePurgeProtection") is False:
            raise ServiceError(
                400,
                "BadRequest",
                'The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a vault is '
                "an irreversible action.",
            )
        if given.get("enableSoftDelete") is False:
            raise ServiceError(
                400,
                "BadRequest",
                "The property \"enableSoftDelete\" cannot be set to false. Enabling the 'soft delete' functionality is an "
                "irreversible action.",
            )
        days = given.get("softDeleteRetentionInDays")
        if isinstance(days, int) and not 7 <= days <= _RETENTION:
            raise ServiceError(
                400, "BadRequest", 'The property "softDeleteRetentionInDays" must be a number between 7 and 90.'
            )
        kept = before.get("softDeleteRetentionInDays")
        if isinstance(days, int) and kept is not None and days != kept:
            raise ServiceError(
                400,
                "BadRequest",
                'The property "softDeleteRetentionInDays" has been set already and it can\'t be modified.',
            )

    def _check_free(self, write: Write) -> None:
        name = write.id.name
        if self.world.resources.find(self.name, name) is not None:
            raise ServiceError(
                409,
                "VaultAlreadyExists",
                f"The vault name '{name}' is already in use. Vault names are globally unique so it is possible that the "
                "name is already taken. If you are sure that the vault name was not taken then it is possible that a vault "
                "with the same name was recently deleted but not purged after being placed in a recoverable state. If the "
                "vault is in a recoverable state then the vault will need to be purged before reusing the name. For more "
                "information about VaultAlreadyExists, soft delete and purging a vault follow this link "
                "https://go.microsoft.com/fwlink/?linkid=2147740.",
            )
        if DeletedVaults(self).get(name) is not None and write.properties.get("createMode") != "recover":
            raise ServiceError(
                409,
                "ConflictError",
                "A vault with the same name already exists in deleted state. You need to either recover or purge existing "
                "key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft "
                "delete.",
            )

    def build(self, write: Write) -> dict[str, Json]:
        before = (write.existing or {}).get("properties", {})
        given = {key: value for key, value in write.properties.items() if key != "createMode" and value is not None}
        properties: dict[str, Json] = {
            "accessPolicies": [],
            "enabledForDeployment": False,
            "enableRbacAuthorization": before.get("enableRbacAuthorization", False),
            "publicNetworkAccess": "Enabled",
            **given,
            "enableSoftDelete": True,
            "softDeleteRetentionInDays": before.get(
                "softDeleteRetentionInDays", given.get("softDeleteRetentionInDays", _RETENTION)
            ),
            "vaultUri": f"https://{write.id.name.lower()}.vault.azure.net/",
            "provisioningState": "Succeeded",
        }
        sku = given.get("sku") or {}
        properties["sku"] = {"family": sku.get("family", "A"), "name": sku.get("name", "standard")}
        if given.get("enablePurgeProtection") or before.get("enablePurgeProtection"):
            properties["enablePurgeProtection"] = True
        if "networkAcls" in given:
            properties["networkAcls"] = _network(given["networkAcls"])
        return self.basis(write, properties)

    def put(self, write: Write) -> dict[str, Json]:
        deleted = DeletedVaults(self)
        if write.existing is None and write.properties.get("createMode") == "recover":
            return deleted.recover(write.id.name)
        if write.existing is None and self.world.vault_secrets is not None:
            self.world.vault_secrets.forget(write.id.name)  # one of that name may have been there
        return super().put(write)

    def delete(self, resource_id: str) -> None:
        resource = self.get(resource_id)
        super().delete(resource_id)
        if resource is not None:
            DeletedVaults(self).add(resource)


class DeletedVaults:
    """Vaults that were deleted and can come back until they are purged, or their retention has passed."""

    def __init__(self, vaults: ResourceType) -> None:
        self._world = vaults.world
        self._kept = vaults.world.store.collection("resource_manager/deleted_vaults")

    def add(self, vault: dict[str, Json]) -> None:
        now = self._world.clock()
        days = vault["properties"]["softDeleteRetentionInDays"]
        self._kept[vault["name"].lower()] = {"vault": vault, "deleted": now, "purge": now + days * _DAY}

    def get(self, name: str) -> dict[str, Json] | None:
        """The deleted vault as GET returns it."""
        record = self._kept.get(name.lower())
        if record is None or record["purge"] <= self._world.clock():
            return None
        vault = record["vault"]
        parsed = parse(vault["id"])
        subscription = "/".join(vault["id"].split("/")[:3])
        place = f"{subscription}/providers/Microsoft.KeyVault/locations/{vault['location']}"
        protected = vault["properties"].get("enablePurgeProtection")
        return {
            "id": f"{place}/deletedVaults/{parsed.name}",
            "name": parsed.name,
            "type": "Microsoft.KeyVault/deletedVaults",
            "properties": {
                "vaultId": vault["id"],
                "location": vault["location"],
                "tags": vault.get("tags") or {},
                "deletionDate": timestamp(record["deleted"]),
                "scheduledPurgeDate": timestamp(record["purge"]),
                **({"purgeProtectionEnabled": True} if protected else {}),
            },
        }

    def list(self, subscription_id: str) -> list[dict[str, Json]]:
        found = (self.get(name) for name in self._kept)
        inside = f"/subscriptions/{subscription_id}/".lower()
        return [vault for vault in found if vault is not None and fold(vault["id"]).startswith(inside)]

    def recover(self, name: str) -> dict[str, Json]:
        """Bring a vault back where it was. Raises ServiceError."""
        if self.get(name) is None:
            raise ServiceError(404, "DeletedVaultNotFound", f"The specified deleted vault '{name}' does not exist.")
        vault: dict[str, Json] = self._kept.pop(name.lower())["vault"]
        self._world.resources.put(vault)
        return vault

    def purge(self, name: str) -> None:
        """Take a deleted vault away for good. Raises ServiceError."""
        found = self.get(name)
        if found is None:
            raise ServiceError(404, "DeletedVaultNotFound", f"The specified deleted vault '{name}' does not exist.")
        if found["properties"].get("purgeProtectionEnabled"):
            raise ServiceError(
                409,
                "DeletedVaultPurge",
                f"Operation DeletedVaultPurge is not allowed on vault '{name}' because purge protection is enabled.",
            )
        del self._kept[name.lower()]
        if self._world.vault_secrets is not None:
            self._world.vault_secrets.forget(name)


def _network(given: Json) -> dict[str, Json]:
    return {
        "bypass": given.get("bypass", "AzureServices"),
        "defaultAction": given.get("defaultAction", "Allow"),
        # The service keeps single addresses as ranges.
        "ipRules": [{"value": _range(rule.get("value"))} for rule in given.get("ipRules") or []],
        "virtualNetworkRules": given.get("virtualNetworkRules") or [],
    }


def _range(address: Json) -> Json:
    if isinstance(address, Pending) or not isinstance(address, str) or "/" in address:
        return address
    return f"{address}/32"


TYPES = (Vault,)
