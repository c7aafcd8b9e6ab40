"""Blob storage: the state of an environment, its archive, and the keys of an account.

Client: azure-storage-blob with an Entra token (no account key), azure-mgmt-storage for the keys. A container's blobs
are read and written by the release identity as Storage Blob Data Contributor.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
    ServiceRequestError,
)

from slipway.errors import NotBootstrapped, NotPossible, ServiceError, StateMoved
from slipway.services.azure_errors import REPEATABLE, TRANSPORT, readable, translated

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

    from slipway.services.credentials import Credential

# Larger blobs go in blocks of this size, so memory does not grow with them (bytes).
_BLOCK = 4 * 1024 * 1024
_CONNECTIONS = 16
# Of an RFC 1123 date; a proxy on the way may have joined its own.
_DATE_LENGTH = 29


class StateStore:
    """One container: small blobs changed by compare-and-swap, and files.

    Every method is one request (files in blocks: several). Raises AuthenticationError, ServiceError, and NotPossible
    when the container does not exist. `clock`: this machine's, in seconds since the epoch.
    """

    def __init__(
        self,
        account: str,
        container: str,
        credential: Credential,
        *,
        url: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        from azure.storage.blob import BlobServiceClient

        self.account = account
        self.container = container
        self.ahead = 0.0
        """Seconds that the service's clock was ahead of this machine's when it last answered: of whole seconds, less
        the way. All agents share that clock, and not each other's."""
        self._clock = clock
        service = BlobServiceClient(
            url or f"https://{account}.blob.core.windows.net",
            credential=credential,
            max_single_put_size=_BLOCK,
            max_block_size=_BLOCK,
            max_single_get_size=_BLOCK,
            max_chunk_get_size=_BLOCK,
            transport=_transport(),
            # This client's own retries start at 15 seconds and know no Retry-After (azure-storage-blob, ExponentialRetry).
            initial_backoff=1,
            increment_base=2,
            random_jitter_range=1,
            raw_response_hook=self._note_time,
            **TRANSPORT,
        )
        self._client: ContainerClient = service.get_container_client(container)

    def read(self, name: str) -> tuple[bytes, str] | None:
        """Content and ETag, or None when there is no such blob."""
        doing = f"reading {self._place(name)}"
        try:
            answer = self._client.download_blob(name)
            return bytes(answer.readall()), str(answer.properties.etag)
        except ResourceNotFoundError as error:
            self._refuse_missing_container(error)
            return None
        except AzureError as error:
            raise readable(error, doing) from error

    def write(self, name: str, data: bytes, *, etag: str | None) -> str:
        """Replaces the blob whose ETag is `etag`, or makes it (None: it must not exist). Returns the new ETag.

        Raises StateMoved when somebody else wrote it. A write whose answer was lost and was sent again by the client
        meets its own ETag; it is recognised by its content, so `data` should be unique to its writer.
        """
        conditions: dict[str, Any] = {"overwrite": False}
        if etag is not None:
            conditions = {"overwrite": True, "etag": etag, "match_condition": MatchConditions.IfNotModified}
        doing = f"writing {self._place(name)}"
        try:
            return str(self._client.get_blob_client(name).upload_blob(data, **conditions)["etag"])
        except (ResourceExistsError, ResourceModifiedError) as error:
            found = self.read(name)
            if found is not None and found[0] == data:
                return found[1]
            raise StateMoved(
                f"{self._place(name)} was changed by somebody else in the meantime.",
                changed="It was left as the other one wrote it.",
                next_step="Look at who is releasing now (scripts/status.py), then run again.",
            ) from error
        except ResourceNotFoundError as error:
            self._refuse_missing_container(error)
            raise readable(error, doing) from error
        except AzureError as error:
            raise readable(error, doing) from error

    def _note_time(self, answer: Any) -> None:
        """Every answer of the service has a Date, a refusal too (Blob Storage REST, common response headers)."""
        said = answer.http_response.headers.get("Date", "")[:_DATE_LENGTH]
        with suppress(ValueError):
            self.ahead = parsedate_to_datetime(said).timestamp() - self._clock()

    def put_file(self, name: str, path: Path) -> None:
        """Stores the file, replacing a blob of that name; read in blocks."""
        with self._doing(f"storing {self._place(name)}"), path.open("rb") as stream:
            self._client.upload_blob(name, stream, length=path.stat().st_size, overwrite=True)

    def put_bytes(self, name: str, data: bytes) -> None:
        """Stores `data`, replacing a blob of that name."""
        with self._doing(f"storing {self._place(name)}"):
            self._client.upload_blob(name, data, overwrite=True)

    def get_bytes(self, name: str) -> bytes:
        """The content. Raises NotPossible when there is no such blob."""
        found = self.read(name)
        if found is None:
            raise self._missing(name)
        return found[0]

    def get_file(self, name: str, path: Path) -> None:
        """Writes the blob to `path`, whole or not at all. Raises NotPossible when there is no such blob."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                self._client.download_blob(name).readinto(stream)
            Path(temporary).replace(path)
        except ResourceNotFoundError as error:
            self._refuse_missing_container(error)
            raise self._missing(name) from error
        except AzureError as error:
            raise readable(error, f"reading {self._place(name)}") from error
        finally:
            Path(temporary).unlink(missing_ok=True)

    def list(self, prefix: str = "") -> list[str]:
        """Names that begin with `prefix`, sorted, to the last page."""
        with self._doing(f"listing {self._place(prefix)}"):
            return sorted(self._client.list_blob_names(name_starts_with=prefix or None))

    def delete(self, name: str) -> None:
        """Removes the blob; a missing one is fine."""
        with self._doing(f"deleting {self._place(name)}"):
            try:
                self._client.delete_blob(name)
            except ResourceNotFoundError as error:
                self._refuse_missing_container(error)

    def delete_container(self) -> None:
        """Removes the container with all that is in it; a missing one is fine. Where the account keeps deleted containers for
        some days, it can be brought back (https://learn.microsoft.com/azure/storage/blobs/soft-delete-container-overview)."""
        with self._doing(f"deleting container {self.container} of {self.account}"):
            try:
                self._client.delete_container()
            except ResourceNotFoundError:
                return

    def _doing(self, doing: str) -> Any:
        return translated(doing)

    def _place(self, name: str) -> str:
        return f"blob {name or '*'} in {self.account}/{self.container}"

    def _missing(self, name: str) -> NotPossible:
        return NotPossible(f"There is no {self._place(name)}.", changed="Nothing was changed.")

    def _refuse_missing_container(self, error: ResourceNotFoundError) -> None:
        """Only BlobNotFound is about the blob; other 404s say that the container or the account is not there."""
        if getattr(error, "error_code", "") != "BlobNotFound":
            raise NotBootstrapped(
                f"There is no storage account {self.account} with a container {self.container}.",
                changed="Nothing was changed.",
                next_step="Run scripts/bootstrap_environment.py for this environment once.",
            ) from error


def _transport() -> Any:
    """One connection per thread that works on the archive; the client's own pool keeps ten, and drops the rest."""
    import requests
    from azure.core.pipeline.transport import RequestsTransport
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    session.mount("https://", HTTPAdapter(pool_maxsize=_CONNECTIONS, pool_block=True, max_retries=0))
    return RequestsTransport(session=session, session_owner=False, **TRANSPORT)


Reach = Literal["there", "no container", "no account", "no role", "no way"]


def reach(account: str, container: str, credential: Credential) -> Reach:
    """How far this identity gets with the blobs of a container, by one request for one that need not be there.

    "no account": its name leads nowhere. "no way": its network rules shut this machine out (AuthorizationFailure; a
    missing role is AuthorizationPermissionMismatch:
    https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes). Raises AuthenticationError, ServiceError.
    """
    from azure.storage.blob import BlobServiceClient

    url = f"https://{account}.blob.core.windows.net"
    client = BlobServiceClient(url, credential=credential, retry_total=1, connection_timeout=5, read_timeout=20)
    try:
        client.get_blob_client(container, "state.json").get_blob_properties()
    except ServiceRequestError as error:
        if not _NO_SUCH_HOST.search(str(error)):
            raise readable(error, f"reaching storage account {account}") from error
        return "no account"
    except HttpResponseError as error:
        code = getattr(error, "error_code", None)
        code = str(getattr(code, "value", code) or "")
        if code in _REACHED:
            return _REACHED[code]
        raise readable(error, f"reaching container {container} of {account}") from error
    return "there"


_NO_SUCH_HOST = re.compile(r"NameResolutionError|Failed to resolve|Name or service not known|getaddrinfo")
_REACHED: Mapping[str, Reach] = {
    "BlobNotFound": "there",
    "ContainerNotFound": "no container",
    "ResourceNotFound": "no account",
    "AuthorizationPermissionMismatch": "no role",
    "AuthorizationFailure": "no way",
}


def account_keys(credential: Credential, subscription_id: str, group: str, account: str) -> str:
    """The first key of a storage account (azure-mgmt-storage, listKeys). Never log it."""
    from azure.mgmt.storage import StorageManagementClient

    client = StorageManagementClient(credential, subscription_id, **TRANSPORT)
    with translated(f"reading the keys of storage account {account} in {group}"):
        keys = client.storage_accounts.list_keys(group, account, **REPEATABLE).keys_property
    if not keys or not keys[0].value:
        raise ServiceError(f"Storage account {account} in {group} gave no key.")
    return str(keys[0].value)
