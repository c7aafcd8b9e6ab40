"""Which permission a call on the blob service needs.

Source: https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory, permissions for blob
operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"
SERVICES = "Microsoft.Storage/storageAccounts/blobServices"


@dataclass(frozen=True)
class Need:
    """One of `actions` is enough; data: a data action. container: "" for the account itself."""

    actions: tuple[str, ...]
    data: bool
    container: str


def needed(method: str, path: str, query: Mapping[str, str]) -> Need:
    """What a request needs. path: decoded, as in the address."""
    container, _, blob = path.strip("/").partition("/")
    if not container:
        return Need((f"{CONTAINERS}/read",) if query.get("comp") == "list" else (f"{SERVICES}/read",), False, "")
    if not blob and query.get("restype") == "container":
        return _for_container(method, container, query)
    return _for_blob(method, container, query)


def _for_container(method: str, container: str, query: Mapping[str, str]) -> Need:
    if query.get("comp") == "list":
        return Need((f"{CONTAINERS}/blobs/read",), True, container)
    if method in ("GET", "HEAD"):
        return Need((f"{CONTAINERS}/read",), False, container)
    return Need((f"{CONTAINERS}/{'delete' if method == 'DELETE' else 'write'}",), False, container)


def _for_blob(method: str, container: str, query: Mapping[str, str]) -> Need:
    blobs = f"{CONTAINERS}/blobs"
    if query.get("comp") == "tags":
        return Need((f"{blobs}/tags/{'read' if method in ('GET', 'HEAD') else 'write'}",), True, container)
    if method in ("GET", "HEAD"):
        return Need((f"{blobs}/read",), True, container)
    if method == "DELETE":
        return Need((f"{blobs}/delete",), True, container)
    if query.get("comp") == "appendblock":
        return Need((f"{blobs}/add/action", f"{blobs}/write"), True, container)
    return Need(
        (f"{blobs}/write", f"{blobs}/add/action") if "comp" not in query else (f"{blobs}/write",), True, container
    )
