"""What is there in a subscription, as plain data: for whoever only looks (azure-mgmt-resource's pipeline, REST shapes)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.rest import HttpRequest
from azure.mgmt.resource.resources import ResourceManagementClient

from slipway.errors import AuthenticationError
from slipway.services.azure_errors import REPEATABLE, TRANSPORT, readable, reason

if TYPE_CHECKING:
    from slipway.services.credentials import Credential

# The versions that each kind of resource is read with.
SUBSCRIPTIONS = "2022-12-01"
GROUPS = "2021-04-01"
LOCKS = "2020-05-01"
ROLES = "2022-04-01"
STORAGE = "2023-05-01"
VAULTS = "2023-07-01"
FACTORIES = "2018-06-01"
IDENTITIES = "2023-01-31"
WORKSPACES = "2024-05-01"
USAGES = "2024-07-01"


class NotLetIn(AuthenticationError):
    """Resource Manager does not know the caller (401) or does not let it look (403); `code` is the service's own."""

    def __init__(self, error: AuthenticationError, status: int, code: str) -> None:
        super().__init__(error.what, changed=error.changed, next_step=error.next_step)
        self.status = status
        self.code = code


class Reader:
    """One verb, one request (lists: one for each page). Safe to use from several threads.

    Raises NotLetIn, ServiceError, SignInFailed, SignInUnreachable.
    """

    def __init__(self, credential: Credential, subscription_id: str, *, clock: Callable[[], float] = time.time) -> None:
        self._client = ResourceManagementClient(credential, subscription_id, **TRANSPORT)
        self._clock = clock
        self.subscription = f"/subscriptions/{subscription_id}"
        self.ahead: float | None = None
        """Seconds that the service's clock was ahead of this machine's when it last answered; None before it did."""

    def get(self, resource_id: str, api_version: str) -> dict[str, Any] | None:
        """The resource; None where there is none (or no group, or no subscription, that it could be in)."""
        return self._send("GET", f"{quote(resource_id)}?api-version={api_version}", f"reading {resource_id}")

    def every(self, path: str, api_version: str, *, where: str = "") -> list[dict[str, Any]] | None:
        """A list, from every page; `where` is its $filter. None where what it is asked of is not there."""
        url = f"{quote(path)}?api-version={api_version}" + (f"&$filter={quote(where)}" if where else "")
        found: list[dict[str, Any]] = []
        while url:
            answer = self._send("GET", url, f"listing {path}")
            if answer is None:
                return None
            found += answer.get("value") or []
            url = str(answer.get("nextLink") or "")
        return found

    def name_available(self, kind: str, name: str, api_version: str) -> Mapping[str, Any]:
        """What the provider says of a name that must be free in all of Azure: `nameAvailable`, `reason`, `message`.

        kind: `Microsoft.Storage/storageAccounts` (Storage Accounts - Check Name Availability) or
        `Microsoft.KeyVault/vaults` (Vaults - Check Name Availability). Data Factory has no such operation.
        """
        provider = kind.partition("/")[0]
        url = f"{self.subscription}/providers/{provider}/checkNameAvailability?api-version={api_version}"
        answer = self._send("POST", url, f"asking whether {name} is free", {"name": name, "type": kind})
        return answer or {}

    def _send(self, method: str, url: str, doing: str, body: Any = None) -> dict[str, Any] | None:
        try:
            response = self._client.send_request(HttpRequest(method, url, json=body), **REPEATABLE)
            self._note_time(str(response.headers.get("Date", "")))
            if response.status_code == 404:
                return None
            if response.status_code >= 400:
                raise HttpResponseError(response=response)
            parsed = response.json()
        except AzureError as error:
            raise _refused(error, doing) from error
        return parsed if isinstance(parsed, dict) else {}

    def _note_time(self, said: str) -> None:
        """Every answer has a Date, a refusal too (RFC 9110, 6.6.1)."""
        with suppress(ValueError):
            self.ahead = parsedate_to_datetime(said).timestamp() - self._clock()


def _refused(error: AzureError, doing: str) -> Exception:
    """The error for a person; NotLetIn where it is about who asks."""
    told = readable(error, doing)
    status = getattr(error, "status_code", None)
    if isinstance(told, AuthenticationError) and status in (401, 403):
        return NotLetIn(told, int(status), reason(error)[0])
    return told
