"""What an account has beside blobs: file, queue and table services with what is in them, and the rules of blobs' lives.

Source: learn.microsoft.com/rest/api/storagerp (file services and shares, queue services and queues, table services and
tables, management policies). No data plane of theirs is in this rehearsal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from rehearsal.resource_manager.errors import ServiceError
from rehearsal.resource_manager.identifiers import parse
from rehearsal.resource_manager.providers.base import ResourceType, Write

Json = Any
_ACCOUNT = "Microsoft.Storage/storageAccounts"
_DASHED = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
_TABLE = re.compile(r"[A-Za-z][A-Za-z0-9]{2,62}")
_CORS: dict[str, Json] = {"cors": {"corsRules": []}}


class _Service(ResourceType):
    """The one service of its kind in an account: there from the start, and called `default`."""

    created_status = 200
    requests = ("GET", "LIST", "PUT")
    defaults: ClassVar[dict[str, Json]] = _CORS
    what = ""

    def get(self, resource_id: str) -> dict[str, Json] | None:
        found = super().get(resource_id)
        parsed = parse(resource_id)
        if found is not None or parsed.name.lower() != "default":
            return found
        if self.world.resources.get(str(parsed.parent)) is None:
            return None
        return {"id": resource_id, "name": "default", "type": self.name, "properties": dict(self.defaults)}

    def check(self, write: Write) -> None:
        if write.id.name.lower() != "default":
            raise ServiceError(
                400, "InvalidServiceName", f"The {self.what} service '{write.id.name}' must be named 'default'."
            )

    def build(self, write: Write) -> dict[str, Json]:
        before = (write.existing or {}).get("properties") or self.defaults
        return self.basis(write, {**before, **write.properties})


class FileService(_Service):
    name = f"{_ACCOUNT}/fileServices"
    what = "file"
    defaults: ClassVar[dict[str, Json]] = {
        **_CORS,
        "protocolSettings": {"smb": {}},
        "shareDeleteRetentionPolicy": {"enabled": True, "days": 7},
    }


class QueueService(_Service):
    name = f"{_ACCOUNT}/queueServices"
    what = "queue"


class TableService(_Service):
    name = f"{_ACCOUNT}/tableServices"
    what = "table"


class _Inside(ResourceType):
    """A share, queue or table."""

    names = _DASHED
    refusal = "ContainerOperationFailure"

    def check(self, write: Write) -> None:
        if not self.names.fullmatch(write.id.name):
            raise ServiceError(
                400,
                self.refusal,
                f"The specified resource name '{write.id.name}' contains invalid characters or has an invalid length.",
            )  # unverified for the others than containers


class Share(_Inside):
    name = f"{_ACCOUNT}/fileServices/shares"
    shape: ClassVar[Mapping[str, type]] = {"properties.shareQuota": int, "properties.enabledProtocols": str}
    read_only = (
        "etag",
        "properties.accessTierChangeTime",
        "properties.lastModifiedTime",
        "properties.leaseState",
        "properties.leaseStatus",
    )

    def check(self, write: Write) -> None:
        super().check(write)
        quota = write.properties.get("shareQuota")
        # …/file-shares/create: at least 1, at most 102400 GiB.
        if isinstance(quota, int) and not 1 <= quota <= 102_400:
            raise ServiceError(
                400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format."
            )

    def build(self, write: Write) -> dict[str, Json]:
        before = (write.existing or {}).get("properties") or {}
        resource = self.basis(
            write,
            {
                "accessTier": "TransactionOptimized",
                "enabledProtocols": "SMB",
                "shareQuota": 102_400,
                "leaseStatus": "Unlocked",
                "leaseState": "Available",
                "accessTierChangeTime": self.moment(),
                "lastModifiedTime": self.moment(),
                **before,
                **write.properties,
            },
        )
        resource["etag"] = (write.existing or {}).get("etag", f'"0x{int(self.world.clock() * 1e7):X}"')
        return resource


class Queue(_Inside):
    name = f"{_ACCOUNT}/queueServices/queues"
    created_status, deleted_status = 200, 204  # azure-mgmt-storage, queue.create and delete
    read_only = ("properties.approximateMessageCount",)

    def build(self, write: Write) -> dict[str, Json]:
        before = (write.existing or {}).get("properties") or {}
        return self.basis(write, {"metadata": {}, **before, **write.properties})


class Table(_Inside):
    name = f"{_ACCOUNT}/tableServices/tables"
    created_status, deleted_status = 200, 204  # azure-mgmt-storage, table.create, whose body is optional, and delete
    bodiless = True
    names = _TABLE
    read_only = ("properties.tableName",)

    def build(self, write: Write) -> dict[str, Json]:
        return self.basis(write, {**write.properties, "tableName": write.id.name})


class ManagementPolicy(ResourceType):
    """The life cycle of blobs, kept and not carried out."""

    name = f"{_ACCOUNT}/managementPolicies"
    requests = ("GET", "PUT", "DELETE")
    created_status = 200
    read_only = ("properties.lastModifiedTime",)
    shape: ClassVar[Mapping[str, type]] = {"properties.policy": dict, "properties.policy.rules": list}

    def check(self, write: Write) -> None:
        if write.id.name.lower() != "default":
            raise ServiceError(400, "InvalidManagementPolicyName", "The management policy must be named 'default'.")
        if not (write.properties.get("policy") or {}).get("rules"):
            raise ServiceError(
                400, "InvalidValuesForRequestParameters", "Values for request parameters are invalid: rules."
            )

    def build(self, write: Write) -> dict[str, Json]:
        return self.basis(write, {**write.properties, "lastModifiedTime": self.moment()})


TYPES = (FileService, QueueService, TableService, Share, Queue, Table, ManagementPolicy)
