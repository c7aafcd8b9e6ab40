# ruff: noqa: TID251 - dbutils.fs is a client of Azure storage
"""Files in Azure storage for dbutils.fs and for looking whether a path is there, over the Blob service.

The rehearsal's storage has no hierarchical namespace behind it: a folder is there when a blob lies in it, or when it
was made as a marker (`hdi_isfolder`, as Hadoop's clients mark folders in a flat namespace).
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from rehearsal.notebooks.errors import ExecutionError
from rehearsal.notebooks.paths import WILDCARD, AzurePlace, glob_pattern
from rehearsal.notebooks.spark_settings import ServicePrincipal

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

MARKER = {"hdi_isfolder": "true"}


P = ParamSpec("P")
T = TypeVar("T")


def _as_on_databricks(method: Callable[P, T]) -> Callable[P, T]:
    """An error of the storage service as dbutils.fs shows it; its text is the service's own."""

    @functools.wraps(method)
    def call(*arguments: P.args, **options: P.kwargs) -> T:
        from azure.core.exceptions import AzureError

        try:
            return method(*arguments, **options)
        except AzureError as error:
            kind = "org.apache.hadoop.fs.azurebfs.contracts.exceptions.AbfsRestOperationException"
            text = f"Operation failed: {error.message}, {getattr(error, 'status_code', None) or 'no answer'}"
            raise ExecutionError(method.__name__, kind, text) from None

    return call


@dataclass(frozen=True)
class Listed:
    """One file or folder in a listing. name: without its folder. modified: milliseconds since the epoch."""

    name: str
    folder: bool
    size: int
    modified: int


class AzureFiles:
    """credential: what opens a storage account, by the account's name; may raise when the notebook has set none."""

    def __init__(self, credential: Callable[[str], Any]) -> None:
        self._credential = credential
        self._clients: dict[tuple[str, str, int], ContainerClient] = {}
        # The client's own warnings are no part of a notebook's output.
        logging.getLogger("azure").addHandler(logging.NullHandler())

    def _container(self, place: AzurePlace) -> ContainerClient:
        from azure.storage.blob import ContainerClient

        credential = self._credential(place.account)
        known = (place.account, place.container, hash(credential) if isinstance(credential, str) else id(credential))
        if known not in self._clients:
            self._clients[known] = ContainerClient(
                f"https://{place.account}.blob.core.windows.net", place.container, credential=credential
            )
        return self._clients[known]

    def kind_with_wildcards(self, place: AzurePlace) -> str | None:
        """As kind; the path may hold the wildcards of Hadoop (`*`, `?`, `[…]`, `{a,b}`), then what matches is a folder."""
        if WILDCARD.search(place.path):
            return "folder" if self._matches(place) else None
        return self.kind(place)

    @_as_on_databricks
    def kind(self, place: AzurePlace) -> str | None:
        """ "file", "folder", or None when nothing is there. The container's root is a folder."""
        container = self._container(place)
        if not place.path:
            return "folder" if container.exists() else None
        blob = container.get_blob_client(place.path)
        if blob.exists():
            return "folder" if blob.get_blob_properties().metadata.get("hdi_isfolder") else "file"
        page = container.list_blob_names(name_starts_with=place.path + "/", results_per_page=1)
        return "folder" if next(iter(page), None) is not None else None

    @_as_on_databricks
    def _matches(self, place: AzurePlace) -> bool:
        fixed = WILDCARD.split(place.path)[0].rpartition("/")[0]
        pattern = glob_pattern(place.path)
        names = self._container(place).list_blob_names(name_starts_with=fixed + "/" if fixed else None)
        return any(pattern.match(name) for name in names)

    @_as_on_databricks
    def list(self, place: AzurePlace) -> list[Listed]:
        """What lies directly in a folder."""
        from azure.storage.blob import BlobPrefix

        prefix = place.path + "/" if place.path else ""
        found: dict[str, Listed] = {}
        for item in self._container(place).walk_blobs(name_starts_with=prefix, include=["metadata"]):
            name = item.name[len(prefix) :].rstrip("/")
            if isinstance(item, BlobPrefix) or (item.metadata or {}).get("hdi_isfolder"):
                found[name] = Listed(name, True, 0, 0)
            elif name not in found:
                found[name] = Listed(name, False, item.size, int(item.last_modified.timestamp() * 1000))
        return [found[name] for name in sorted(found) if name]

    @_as_on_databricks
    def names(self, place: AzurePlace) -> Sequence[str]:
        """The paths of all blobs below a folder, and of the file, or the marker of the folder, itself."""
        container = self._container(place)
        itself = [place.path] if place.path and container.get_blob_client(place.path).exists() else []
        return [*itself, *container.list_blob_names(name_starts_with=place.path + "/" if place.path else None)]

    @_as_on_databricks
    def properties(self, place: AzurePlace) -> Listed:
        """A file's size and time."""
        found = self._container(place).get_blob_client(place.path).get_blob_properties()
        return Listed(place.path.rpartition("/")[2], False, found.size, int(found.last_modified.timestamp() * 1000))

    @_as_on_databricks
    def read(self, place: AzurePlace, most: int | None = None) -> bytes:
        """A file's content, or its first bytes."""
        blob = self._container(place).get_blob_client(place.path)
        if most is not None and blob.get_blob_properties().size == 0:
            return b""
        content: bytes = blob.download_blob(offset=0, length=most).readall()
        return content

    @_as_on_databricks
    def write(self, place: AzurePlace, content: bytes) -> None:
        """Writes a file, over what is there."""
        self._container(place).get_blob_client(place.path).upload_blob(content, overwrite=True)

    @_as_on_databricks
    def make_folder(self, place: AzurePlace) -> None:
        """Marks a folder, when nothing is there."""
        if place.path and self.kind(place) is None:
            self._container(place).get_blob_client(place.path).upload_blob(b"", metadata=MARKER)

    @_as_on_databricks
    def remove(self, place: AzurePlace) -> None:
        """Removes a file, or a folder with all that is in it."""
        container = self._container(place)
        for name in self.names(place):
            container.delete_blob(name)


def client_credential(credential: str | ServicePrincipal) -> Any:
    """The same credential for the vendor's Python client."""
    if isinstance(credential, str):
        return credential
    from azure.identity import ClientSecretCredential

    return ClientSecretCredential(credential.tenant_id, credential.client_id, credential.client_secret)
