"""One request and its answer: what handlers get, and how they answer."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from rehearsal.entra.directory import Principal
from rehearsal.resource_manager.deployments.service import Deployments
from rehearsal.resource_manager.errors import ServiceError
from rehearsal.resource_manager.operations import Operations
from rehearsal.resource_manager.template.json_reader import JsonError, parse
from rehearsal.world import World

Json = Any
# Clients of the Azure SDKs read the milliseconds where Retry-After is missing; `az` waits 30 s for "0" or none.
POLL = {"Retry-After": "1", "retry-after-ms": "50"}
_FILTER = re.compile(r"(\w+)(?:\(\))?\s+eq\s+'([^']*)'|(\w+)\('([^']*)'\)|(\w+)\(\)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """path: without a slash at the end. values: what the route's pattern found in it. text: the body as it came."""

    request: Request
    path: str
    values: Mapping[str, str]
    caller: Principal
    operations: Operations
    deployments: Deployments
    text: str

    @property
    def world(self) -> World:
        return self.operations.world

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def api_version(self) -> str:
        return self.query("api-version") or ""

    def query(self, name: str) -> str | None:
        """A query parameter, without regard to case."""
        wanted = name.lower()
        return next((value for key, value in self.request.query_params.items() if key.lower() == wanted), None)

    def body(self) -> Json:
        """Raises ServiceError 400 when the body can't be read."""
        if not self.text.strip():
            return None
        try:
            return parse(self.text)
        except JsonError as error:
            raise ServiceError(
                400,
                "InvalidRequestContent",
                f"The request content was invalid and could not be deserialized: '{error}'.",
            ) from error

    def object(self) -> dict[str, Json]:
        """The body as an object. Raises ServiceError 400 when it is none."""
        body = self.body()
        if not isinstance(body, dict):
            raise ServiceError(400, "InvalidRequestContent", "The request content was invalid: it must be an object.")
        return body

    def filters(self) -> dict[str, str]:
        """What `$filter` asks for, by lower-case name: equalities, and functions such as assignedTo('…')."""
        found: dict[str, str] = {}
        for match in _FILTER.finditer(self.query("$filter") or ""):
            name, value, function, argument, bare = match.groups()
            found[(name or function or bare).lower()] = value or argument or ""
        return found

    def address(self, path: str) -> str:
        """An absolute address of this service."""
        host = self.request.headers.get("host", "management.azure.com")
        scheme = "https" if host == "management.azure.com" else self.request.url.scheme
        return f"{scheme}://{host}{path}?api-version={self.api_version}"


Handler = Callable[[Exchange], Awaitable[Response]]


@dataclass(frozen=True)
class Rule:
    """Which requests a handler is for: methods, and a pattern over the whole path, without regard to case.

    done: not when the handler refuses every request by name."""

    methods: frozenset[str]
    pattern: re.Pattern[str]
    handler: Handler
    done: bool = True


def rule(methods: str, pattern: str, handler: Handler, *, done: bool = True) -> Rule:
    return Rule(frozenset(methods.split()), re.compile(pattern, re.IGNORECASE), handler, done)


def answer(body: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(body, status, headers=dict(headers or {}))


def nothing(status: int, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status_code=status, headers=dict(headers or {}))


def failure(error: ServiceError) -> Response:
    return JSONResponse({"error": error.as_json()}, error.status, headers=error.headers)


def page(exchange: Exchange, items: list[dict[str, Json]]) -> Response:
    """A list; `$top` shortens it to its first items."""
    top = exchange.query("$top")
    if top is not None and top.isdigit():
        items = items[: int(top)]
    return answer({"value": items})


class Later:
    """Answers that a client fetches at a Location: the work is done, the answer waits for it."""

    def __init__(self, world: World) -> None:
        self._kept = world.store.collection("resource_manager/later")

    def keep(self, exchange: Exchange, status: int, body: Json) -> Response:
        """202 with the Location where `status` and `body` are to be had."""
        number = str(uuid.uuid4())
        self._kept[number] = {"status": status, "body": body}
        subscription = exchange.path.split("/")[2]
        place = exchange.address(f"/subscriptions/{subscription}/operationresults/{number}")
        return nothing(202, {"Location": place, **POLL})

    async def fetch(self, exchange: Exchange) -> Response:
        found = self._kept.get(exchange.values["number"])
        if found is None:
            raise ServiceError(404, "OperationNotFound", "The operation could not be found.")
        return nothing(found["status"]) if found["body"] is None else answer(found["body"], found["status"])
