"""The operations of the blob service that foreign clients have tried here. Azurite does them; this front lets callers in.

Names: https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["account", "container", "blob"]
_PATHS: dict[Level, str] = {"account": "/", "container": "/{container}", "blob": "/{container}/{blob}"}


@dataclass(frozen=True)
class BlobOperation:
    """query: what of `restype` and `comp` a request has, as the gateway's log writes it."""

    name: str
    method: str
    level: Level
    query: str = ""

    @property
    def address(self) -> str:
        return _PATHS[self.level] + (f"?{self.query}" if self.query else "")

    def fits(self, method: str, path: str, query: str) -> bool:
        depth = len([part for part in path.split("/") if part])
        level = "account" if depth == 0 else "blob" if depth > 1 else "container"
        return (self.method, self.level, self.query) == (method, level, query)


OPERATIONS = (
    BlobOperation("List Containers", "GET", "account", "comp=list"),
    BlobOperation("Get Blob Service Properties", "GET", "account", "restype=service&comp=properties"),
    BlobOperation("Create Container", "PUT", "container", "restype=container"),
    BlobOperation("Get Container Properties", "GET", "container", "restype=container"),
    BlobOperation("Set Container Metadata", "PUT", "container", "restype=container&comp=metadata"),
    BlobOperation("List Blobs", "GET", "container", "restype=container&comp=list"),
    BlobOperation("Lease Container", "PUT", "container", "restype=container&comp=lease"),
    BlobOperation("Delete Container", "DELETE", "container", "restype=container"),
    BlobOperation("Put Blob", "PUT", "blob"),
    BlobOperation("Get Blob", "GET", "blob"),
    BlobOperation("Get Blob Properties", "HEAD", "blob"),
    BlobOperation("Set Blob Properties", "PUT", "blob", "comp=properties"),
    BlobOperation("Set Blob Metadata", "PUT", "blob", "comp=metadata"),
    BlobOperation("Put Block", "PUT", "blob", "comp=block"),
    BlobOperation("Put Block List", "PUT", "blob", "comp=blocklist"),
    BlobOperation("Get Block List", "GET", "blob", "comp=blocklist"),
    BlobOperation("Append Block", "PUT", "blob", "comp=appendblock"),
    BlobOperation("Lease Blob", "PUT", "blob", "comp=lease"),
    BlobOperation("Snapshot Blob", "PUT", "blob", "comp=snapshot"),
    BlobOperation("Delete Blob", "DELETE", "blob"),
)
