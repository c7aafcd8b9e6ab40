"""One data factory's definitions and triggers (azure-mgmt-datafactory, api-version 2018-06-01).

Definitions pass as plain JSON through the vendor's client: its typed models know fewer properties than the service.
The factory resource itself is only read: a PUT of it replaces global parameters and the Git link.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.rest import HttpRequest, HttpResponse

from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.errors import ServiceError
from slipway.services.azure_errors import REPEATABLE, TRANSPORT, readable

if TYPE_CHECKING:
    from slipway.services.credentials import Credential

API_VERSION = "2018-06-01"
# Seconds that a trigger's start or stop, and an event subscription, may take.
LONGEST = 300.0
_POLL = 3.0

# The kinds as the client spells them in paths.
_SEGMENT = {Kind.LINKED_SERVICES: "linkedservices"}


class DataFactory:
    """Every method is one request (lists: one for each page; start and stop: until they are done).

    Raises AuthenticationError and ServiceError, which name the factory and the object.
    """

    def __init__(
        self,
        credential: Credential,
        subscription_id: str,
        resource_group: str,
        name: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        from azure.mgmt.datafactory import DataFactoryManagementClient

        self.name = name
        self.resource_group = resource_group
        self._client = DataFactoryManagementClient(credential, subscription_id, **TRANSPORT)
        self.id = (
            f"/subscriptions/{subscription_id}/resourceGroups/{resource_group}"
            f"/providers/Microsoft.DataFactory/factories/{name}"
        )
        self._base = quote(self.id)
        self._sleep = sleep

    def get(self) -> dict[str, Any] | None:
        """The factory resource, or None when there is none."""
        return self._read("", f"reading data factory {self.name} in {self.resource_group}")

    def objects(self, kind: Kind) -> list[FactoryObject]:
        """All objects of a kind, to the last page; `extra` has the service's "etag". Private endpoints are asked for
        network by network."""
        if kind is Kind.MANAGED_PRIVATE_ENDPOINTS:
            networks = self.objects(Kind.MANAGED_VIRTUAL_NETWORKS)
            return [item for network in networks for item in self.endpoints(network.name)]
        return [_object(kind, item) for item in self._pages(f"/{_segment(kind)}", f"listing {kind}")]

    def endpoints(self, network: str) -> list[FactoryObject]:
        """The managed private endpoints of one managed network; their names begin with it: "default/kv-x"."""
        path = f"/managedVirtualNetworks/{quote(network, safe='')}/managedPrivateEndpoints"
        items = self._pages(path, f"listing private endpoints of {network}")
        return [_object(Kind.MANAGED_PRIVATE_ENDPOINTS, item, f"{network}/") for item in items]

    def put(self, kind: Kind, name: str, properties: Mapping[str, Any]) -> str:
        """Creates or replaces an object; returns its new ETag ("" when the service names none)."""
        answer = self._send("PUT", _path(kind, name), f"deploying {kind}/{name}", {"properties": properties})
        return str(answer.json().get("etag") or "")

    def delete(self, kind: Kind, name: str) -> None:
        """Deletes an object; a missing one is fine."""
        self._send("DELETE", _path(kind, name), f"deleting {kind}/{name}", missing=True)

    def global_parameters(self) -> dict[str, Any]:
        """The factory's global parameters by name; {} where it has none (the resource is absent then)."""
        found = self._read("/globalParameters/default", "reading the global parameters")
        return dict((found or {}).get("properties") or {})

    def put_global_parameters(self, values: Mapping[str, Any]) -> None:
        """Replaces the whole map; the service takes no condition."""
        self._send("PUT", "/globalParameters/default", "writing the global parameters", {"properties": values})

    def trigger(self, name: str) -> dict[str, Any] | None:
        """One trigger's JSON, or None."""
        return self._read(_path(Kind.TRIGGERS, name), f"reading trigger {name}")

    def start(self, trigger: str) -> None:
        """Starts a trigger and waits until it runs. Starting one that runs does nothing."""
        self._operate("start", trigger)

    def stop(self, trigger: str) -> None:
        """Stops a trigger and waits until it has stopped."""
        self._operate("stop", trigger)

    def subscribe(self, trigger: str) -> None:
        """Subscribes an event trigger to its events, and waits until the service says so."""
        self._operate("subscribe_to_events", trigger)
        self._await_subscription(trigger, "Enabled")

    def unsubscribe(self, trigger: str) -> None:
        """Ends an event trigger's subscription, and waits until the service says so."""
        self._operate("unsubscribe_from_events", trigger)
        self._await_subscription(trigger, "Disabled")

    def subscription(self, trigger: str) -> str:
        """Enabled, Provisioning, Deprovisioning, Disabled or Unknown."""
        try:
            answer = self._client.triggers.get_event_subscription_status(
                self.resource_group, self.name, trigger, **REPEATABLE
            )
        except AzureError as error:
            raise readable(error, self._doing(f"asking for the event subscription of trigger {trigger}")) from error
        return str(getattr(answer.status, "value", answer.status) or "Unknown")

    def ask(
        self, method: str, path: str, doing: str, json: Any = None, *, missing: bool = False, repeatable: bool = False
    ) -> dict[str, Any] | None:
        """One request below the factory; `path` may have a query. None: no answer, or (with `missing`) no such object.
        `repeatable`: a POST that may be sent twice."""
        answer = self._request(method, self._url(path), doing, json, missing=missing, repeatable=repeatable)
        if answer.status_code == 404 or not answer.content:
            return None
        found: dict[str, Any] = answer.json()
        return found

    def _await_subscription(self, trigger: str, wanted: str) -> None:
        found = ""
        for _ in range(int(LONGEST / _POLL)):
            found = self.subscription(trigger)
            if found == wanted:
                return
            self._sleep(_POLL)
        raise ServiceError(
            f"The event subscription of trigger {trigger} of data factory {self.name} is {found} after "
            f"{LONGEST:.0f} s; {wanted} was waited for.",
            next_step="Look at the trigger in Data Factory Studio and at Event Grid's registration, then run again.",
        )

    def _operate(self, verb: str, trigger: str) -> None:
        doing = self._doing(f"{verb.replace('_', ' ')} of trigger {trigger}")
        try:
            begin = getattr(self._client.triggers, f"begin_{verb}")
            poller = begin(self.resource_group, self.name, trigger, polling_interval=_POLL, **REPEATABLE)
            poller.wait(LONGEST)
            if not poller.done():
                raise ServiceError(f"{doing} has not ended after {LONGEST:.0f} s.", next_step="Run again.")
            poller.result()
        except AzureError as error:
            raise readable(error, doing) from error

    def _pages(self, path: str, doing: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        url = self._url(path)
        seen: set[str] = set()
        while url and url not in seen:
            seen.add(url)
            page = self._request("GET", url, doing).json()
            items += page.get("value") or []
            url = page.get("nextLink") or ""
        return items

    def _read(self, path: str, doing: str) -> dict[str, Any] | None:
        answer = self._send("GET", path, doing, missing=True)
        if answer.status_code == 404:
            return None
        found: dict[str, Any] = answer.json()
        return found

    def _send(self, method: str, path: str, doing: str, json: Any = None, *, missing: bool = False) -> HttpResponse:
        return self._request(method, self._url(path), doing, json, missing=missing)

    def _request(
        self,
        method: str,
        url: str,
        doing: str,
        json: Any = None,
        *,
        missing: bool = False,
        repeatable: bool = False,
    ) -> HttpResponse:
        try:
            options = REPEATABLE if repeatable else {}
            answer = self._client.send_request(HttpRequest(method, url, json=json), **options)
            if not (missing and answer.status_code == 404 and _is_about_object(answer)):
                answer.raise_for_status()
            return answer
        except AzureError as error:
            raise readable(error, self._doing(doing)) from error

    def _url(self, path: str) -> str:
        return f"{self._base}{path}{'&' if '?' in path else '?'}api-version={API_VERSION}"

    def _doing(self, doing: str) -> str:
        return doing if self.name in doing else f"{doing} of data factory {self.name}"


def _is_about_object(answer: HttpResponse) -> bool:
    """Whether a 404 says that the object is absent, and not the group or the subscription."""
    try:
        code = str(answer.json()["error"]["code"])
    except (ValueError, KeyError, TypeError, HttpResponseError):
        return True
    return code not in ("ResourceGroupNotFound", "SubscriptionNotFound")


def _segment(kind: Kind) -> str:
    return _SEGMENT.get(kind, str(kind))


def _path(kind: Kind, name: str) -> str:
    if kind is Kind.MANAGED_PRIVATE_ENDPOINTS:
        network, _, endpoint = name.partition("/")
        return f"/managedVirtualNetworks/{quote(network, safe='')}/managedPrivateEndpoints/{quote(endpoint, safe='')}"
    return f"/{_segment(kind)}/{quote(name, safe='')}"


def _object(kind: Kind, item: Mapping[str, Any], prefix: str = "") -> FactoryObject:
    name = prefix + str(item.get("name", ""))
    return FactoryObject(kind, name, item.get("properties") or {}, "live", {"etag": str(item.get("etag") or "")})
