"""Microsoft.Storage: accounts, blob services, containers (learn.microsoft.com/rest/api/storagerp).

A PUT of an account that exists keeps what it is not given (Storage Accounts - Create).
"""

# ruff: noqa: ARG002 - every type answers to the same calls, whether it needs their arguments or not

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from rehearsal.entra.directory import Principal
from rehearsal.resource_manager.errors import ServiceError, not_found, not_here
from rehearsal.resource_manager.identifiers import fold, group_of, parse
from rehearsal.resource_manager.providers.account_sas import account_sas
from rehearsal.resource_manager.providers.base import NETWORK_SHAPE, ResourceType, Write, check_location, chosen
from rehearsal.resource_manager.template.evaluate import Pending

Json = Any
_NAME = re.compile(r"[a-z0-9]{3,24}")
# learn.microsoft.com/rest/api/storagerp/containers: 3 to 63 letters, digits and single dashes.
_CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*|\$(root|web|logs)")
_SKUS = {
    f"{tier}_{copies}"
    for tier, kinds in {
        "Standard": ("LRS", "ZRS", "GRS", "GZRS", "RAGRS", "RAGZRS"),
        "Premium": ("LRS", "ZRS"),
        "StandardV2": ("LRS", "ZRS", "GRS", "GZRS"),
        "PremiumV2": ("LRS", "ZRS"),
    }.items()
    for copies in kinds
}
# learn.microsoft.com/rest/api/storagerp/storage-accounts/create: MinimumTlsVersion.
_TLS_VERSIONS = ("TLS1_0", "TLS1_1", "TLS1_2", "TLS1_3")
_KINDS = ("Storage", "StorageV2", "BlobStorage", "FileStorage", "BlockBlobStorage")
# Written in any case, kept in this one.
_SPELLING = {word.lower(): word for word in (*_SKUS, *_KINDS)}
_FIXED = ("isHnsEnabled", "isNfsV3Enabled")
_DEFAULTS: dict[str, Json] = {
    "minimumTlsVersion": "TLS1_2",
    "allowBlobPublicAccess": False,
    "supportsHttpsTrafficOnly": True,
    "accessTier": "Hot",
}


class StorageAccount(ResourceType):
    name = "Microsoft.Storage/storageAccounts"
    tracked = True
    slow = True
    requests = ("GET", "LIST", "PUT", "PATCH", "DELETE")
    posts = ("listKeys", "regenerateKey", "ListAccountSas")
    shape: ClassVar[Mapping[str, type]] = {
        **NETWORK_SHAPE,
        "properties.encryption": dict,
        "properties.isHnsEnabled": bool,
        "properties.allowBlobPublicAccess": bool,
        "properties.supportsHttpsTrafficOnly": bool,
        "properties.minimumTlsVersion": str,
    }
    words = (
        "properties.accessTier",
        "properties.publicNetworkAccess",
        "properties.accountType",
    )
    read_only = (
        "sku.tier",
        "properties.creationTime",
        "properties.encryption",
        "properties.keyCreationTime",
        "properties.primaryEndpoints",
        "properties.primaryLocation",
        "properties.privateEndpointConnections",
        "properties.provisioningState",
        "properties.statusOfPrimary",
    )

    def read(self, body: Mapping[str, Json], api_version: str) -> Mapping[str, Json]:
        if api_version >= "2016":
            return body
        # Until 2015-06-15 the SKU was a property, and there was one kind.
        properties = dict(body.get("properties") or {})
        sku = {"name": properties.pop("accountType", None)}
        return {**body, "sku": sku, "kind": "Storage", "properties": properties}

    def check(self, write: Write) -> None:
        check_location(write)
        name = write.id.name
        if not _NAME.fullmatch(name):
            raise ServiceError(
                400,
                "AccountNameInvalid",
                f"{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in "
                "length and use numbers and lower-case letters only.",
            )
        other = self.world.resources.find(self.name, name)
        if other is not None and fold(other["id"]) != fold(str(write.id)):
            raise ServiceError(409, "StorageAccountAlreadyTaken", f"The storage account named {name} is already taken.")
        self._check_sku(write)
        self._check_fixed(write)

    def _check_sku(self, write: Write) -> None:
        sku = (write.body.get("sku") or {}).get("name")
        if not isinstance(sku, Pending) and _spelled(sku) not in _SKUS:
            raise ServiceError(
                400,
                "InvalidValuesForRequestParameters",
                "Values for request parameters are invalid: skuName. For more information, see - "
                "https://aka.ms/storageaccountskuconstraints",
            )
        kind, tls = write.body.get("kind"), write.properties.get("minimumTlsVersion", "TLS1_2")
        wrong = "kind" if not isinstance(kind, Pending) and _spelled(kind) not in _KINDS else ""
        if not isinstance(tls, Pending) and tls not in _TLS_VERSIONS:
            wrong = "minimumTlsVersion"  # the sentence is that of the other values, for this one unverified
        if wrong:
            raise ServiceError(
                400, "InvalidValuesForRequestParameters", f"Values for request parameters are invalid: {wrong}."
            )

    def _check_fixed(self, write: Write) -> None:
        if write.existing is None:
            return
        for key in _FIXED:
            if key in write.properties and write.properties[key] != write.existing["properties"].get(key, False):
                raise ServiceError(
                    409,
                    "AccountPropertyCannotBeUpdated",
                    f"The property '{key}' was specified in the input, but it cannot be updated as it is read-only. For "
                    "more information, see - https://aka.ms/storageaccountupdate",
                )

    def build(self, write: Write) -> dict[str, Json]:
        account = write.id.name
        before = (write.existing or {}).get("properties", {})
        properties = {**before, **_DEFAULTS, **{k: v for k, v in before.items() if k in _DEFAULTS}, **write.properties}
        properties["networkAcls"] = self._network(chosen(write, "networkAcls", {}))
        resource = self.basis(write, properties)
        if write.existing is not None and "tags" not in resource and "tags" in write.existing:
            resource["tags"] = write.existing["tags"]
        name = _spelled((write.body.get("sku") or {}).get("name"))
        resource["sku"] = {"name": name, "tier": name.split("_")[0]}
        resource["kind"] = _spelled(write.body.get("kind"))
        made = before.get("creationTime") or self.moment()
        resource["properties"] |= {
            "creationTime": made,
            "keyCreationTime": before.get("keyCreationTime") or {"key1": made, "key2": made},
            "encryption": {
                **(before.get("encryption") or _encryption(made)),
                **(write.properties.get("encryption") or {}),
            },
            "primaryEndpoints": {
                service: f"https://{account}.{service}.core.windows.net/"
                for service in ("dfs", "blob", "queue", "table", "file")
            },
            "primaryLocation": resource.get("location"),
            "privateEndpointConnections": [],
            "statusOfPrimary": "available",
            "provisioningState": "Succeeded",
        }
        return resource

    @staticmethod
    def _network(given: Json) -> dict[str, Json]:
        rules = [
            {"value": rule.get("value"), "action": rule.get("action", "Allow")} if isinstance(rule, dict) else rule
            for rule in given.get("ipRules") or []
        ]
        return {
            "resourceAccessRules": given.get("resourceAccessRules") or [],
            "bypass": given.get("bypass", "AzureServices"),
            "virtualNetworkRules": given.get("virtualNetworkRules") or [],
            "ipRules": rules,
            "defaultAction": given.get("defaultAction", "Allow"),
        }

    def put(self, write: Write) -> dict[str, Json]:
        resource = super().put(write)
        self.world.storage_accounts.ensure(write.id.name)
        service = f"{resource['id']}/blobServices/default"
        if self.world.resources.get(service) is None:
            self.world.resources.put(_blob_service(service))
        return resource

    def delete(self, resource_id: str) -> None:
        super().delete(resource_id)
        self.world.storage_accounts.remove(parse(resource_id).name)

    def action(self, name: str, resource_id: str, body: Json, caller: Principal) -> Json:
        resource = self.get(resource_id)
        if resource is None:
            raise not_found(self.name, parse(resource_id).name, group_of(resource_id))
        if name.lower() == "regeneratekey":
            return self._regenerate(resource, body)
        if name.lower() == "listaccountsas":
            return {"accountSasToken": account_sas(resource["name"], self._key(resource, body), body or {})}
        if name.lower() != "listkeys":
            raise not_here(f"operation {self.name}/{name}")
        return self._keys(resource)

    def _keys(self, resource: Mapping[str, Json]) -> dict[str, Json]:
        made = resource["properties"]["keyCreationTime"]
        keys = self.world.storage_accounts.ensure(resource["name"])
        return {
            "keys": [
                {"creationTime": made[f"key{number}"], "keyName": f"key{number}", "value": value, "permissions": "FULL"}
                for number, value in enumerate(keys, start=1)
            ]
        }

    def _regenerate(self, resource: dict[str, Json], body: Json) -> dict[str, Json]:
        """…/storage-accounts/regenerate-key: a new key in the place of one of the two."""
        wanted = str((body if isinstance(body, dict) else {}).get("keyName", "")).lower()
        if wanted not in ("key1", "key2"):
            raise ServiceError(
                400, "InvalidValuesForRequestParameters", "Values for request parameters are invalid: keyName."
            )
        self.world.storage_accounts.renew(resource["name"], int(wanted[-1]) - 1)
        resource["properties"]["keyCreationTime"][wanted] = self.moment()
        self.world.resources.put(resource)
        return self._keys(resource)

    def _key(self, resource: Mapping[str, Json], body: Json) -> str:
        """The key that a SAS is to be signed with."""
        wanted = str((body if isinstance(body, dict) else {}).get("keyToSign") or "key1").lower()
        return self.world.storage_accounts.ensure(resource["name"])[1 if wanted == "key2" else 0]


class BlobService(ResourceType):
    """The one blob service of an account, `default`."""

    name = "Microsoft.Storage/storageAccounts/blobServices"
    requests = ("GET", "LIST", "PUT")
    created_status = 200

    def check(self, write: Write) -> None:
        if write.id.name.lower() != "default":
            raise ServiceError(
                400, "InvalidServiceName", f"The blob service '{write.id.name}' must be named 'default'."
            )

    def build(self, write: Write) -> dict[str, Json]:
        before = (write.existing or {}).get("properties") or _blob_service("")["properties"]
        return self.basis(write, {**before, **write.properties})


class Container(ResourceType):
    name = "Microsoft.Storage/storageAccounts/blobServices/containers"
    requests = ("GET", "LIST", "PUT", "PATCH", "DELETE")
    read_only = (
        "etag",
        "properties.deleted",
        "properties.defaultEncryptionScope",
        "properties.denyEncryptionScopeOverride",
        "properties.hasImmutabilityPolicy",
        "properties.hasLegalHold",
        "properties.lastModifiedTime",
        "properties.leaseState",
        "properties.leaseStatus",
        "properties.remainingRetentionDays",
    )

    def check(self, write: Write) -> None:
        if not _CONTAINER.fullmatch(write.id.name):
            raise ServiceError(
                400,
                "ContainerOperationFailure",
                f"The specified resource name '{write.id.name}' contains invalid characters or has an invalid length.",
            )

    def build(self, write: Write) -> dict[str, Json]:
        before = (write.existing or {}).get("properties")
        resource = self.basis(
            write,
            {
                "deleted": False,
                "remainingRetentionDays": 0,
                "defaultEncryptionScope": "$account-encryption-key",
                "denyEncryptionScopeOverride": False,
                "publicAccess": "None",
                "leaseStatus": "Unlocked",
                "leaseState": "Available",
                "lastModifiedTime": self.moment(),
                "hasImmutabilityPolicy": False,
                "hasLegalHold": False,
                **(before or {}),
                **write.properties,
            },
        )
        resource["etag"] = (write.existing or {}).get("etag", f'"0x{int(self.world.clock() * 1e7):X}"')
        return resource


def _spelled(word: Json) -> str:
    return _SPELLING.get(str(word).lower(), str(word))


def _encryption(made: str) -> dict[str, Json]:
    service = {"keyType": "Account", "enabled": True, "lastEnabledTime": made}
    return {"services": {"file": service, "blob": service}, "keySource": "Microsoft.Storage"}


def _blob_service(resource_id: str) -> dict[str, Json]:
    return {
        "id": resource_id,
        "name": "default",
        "type": BlobService.name,
        "properties": {
            "cors": {"corsRules": []},
            "deleteRetentionPolicy": {"allowPermanentDelete": False, "enabled": False},
        },
    }


TYPES = (StorageAccount, BlobService, Container)
