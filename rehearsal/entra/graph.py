"""graph.microsoft.com: the part of Microsoft Graph that `az role assignment` and `az ad sp show` ask.

Sources: https://learn.microsoft.com/graph/api/serviceprincipal-list, …/serviceprincipal-get, …/directoryobject-getbyids, and
azure-cli, `command_modules/role`. An application reads the directory only when an administrator let it (Directory.Read.All).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.entra.directory import InvalidToken, Principal
from rehearsal.world import World

AUDIENCES = frozenset(
    {"https://graph.microsoft.com", "https://graph.microsoft.com/", "00000003-0000-0000-c000-000000000000"}
)
MOST_IDS = 1000
_READERS = "entra/directory_readers"
_FILTERS: Mapping[str, Callable[[Principal, str], bool]] = {
    r"servicePrincipalNames/any\(\w+:\s*\w+ eq '([^']*)'\)": lambda one, value: one.app_id.lower() == value.lower(),
    r"appId eq '([^']*)'": lambda one, value: one.app_id.lower() == value.lower(),
    r"displayName eq '([^']*)'": lambda one, value: one.display_name.lower() == value.lower(),
    r"startswith\(displayName,\s*'([^']*)'\)": lambda one, value: one.display_name.lower().startswith(value.lower()),
}


class GraphError(Exception):
    """What Graph answers in place of a result."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def let_read(world: World, object_id: str) -> None:
    """What an administrator does who grants an application Directory.Read.All."""
    world.store.collection(_READERS)[object_id.lower()] = {}


def create_app(world: World) -> Starlette:
    """The directory of the caller's tenant."""
    readers = world.store.collection(_READERS)

    def guarded(handler: Callable[[Request, str], Any]) -> Callable[[Request], Any]:
        async def handle(request: Request) -> Response:
            try:
                await request.body()
                answer: Response = await handler(request, _tenant(request))
            except GraphError as error:
                return JSONResponse({"error": {"code": error.code, "message": error.message}}, error.status)
            return answer

        return handle

    def _tenant(request: Request) -> str:
        try:
            caller = world.directory.verify(request.headers.get("authorization"), AUDIENCES)
        except InvalidToken as invalid:
            text = {
                "missing": "Access token is empty.",
                "audience": "Access token validation failure. Invalid audience.",
                "expired": "Lifetime validation failed, the token is expired.",
            }.get(invalid.reason, "Access token validation failure.")
            raise GraphError(401, "InvalidAuthenticationToken", text) from None
        if caller.object_id.lower() not in readers:
            raise GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
        return world.directory.tenant_of(caller.object_id) or ""

    async def listed(request: Request, tenant: str) -> Response:
        fits = _filter(request.query_params.get("$filter"))
        found = [
            _shown(one) for one in world.directory.principals(tenant) if one.kind == "ServicePrincipal" and fits(one)
        ]
        return JSONResponse({"@odata.context": _context("servicePrincipals"), "value": found})

    def found(principal: Principal | None, tenant: str, asked: str) -> Response:
        if principal is None or world.directory.tenant_of(principal.object_id) != tenant:
            raise GraphError(
                404,
                "Request_ResourceNotFound",
                f"Resource '{asked}' does not exist or one of its queried reference-property objects are not present.",
            )
        return JSONResponse({"@odata.context": _context("servicePrincipals/$entity"), **_shown(principal)})

    async def one(request: Request, tenant: str) -> Response:
        asked = request.path_params["id"]
        return found(world.directory.by_object_id(asked), tenant, asked)

    async def one_by_application(request: Request, tenant: str) -> Response:
        asked = request.path_params["app_id"]
        return found(world.directory.by_app_id(asked, tenant), tenant, asked)

    async def by_ids(request: Request, tenant: str) -> Response:
        ids = _ids(await request.body())
        # Ids that nothing has are left out of the answer.
        principals = [
            principal
            for asked in ids
            if (principal := world.directory.by_object_id(asked)) and world.directory.tenant_of(asked) == tenant
        ]
        value = [
            {"@odata.type": f"#microsoft.graph.{principal.kind[0].lower()}{principal.kind[1:]}", **_shown(principal)}
            for principal in principals
        ]
        return JSONResponse({"@odata.context": _context("directoryObjects"), "value": value})

    async def unknown(request: Request) -> Response:
        text = f"This rehearsal has no {request.method} {request.url.path} on graph.microsoft.com."
        return JSONResponse({"error": {"code": "NotImplemented", "message": text}}, 501)

    return Starlette(
        routes=[
            Route("/v1.0/servicePrincipals", guarded(listed)),
            Route("/v1.0/servicePrincipals(appId='{app_id}')", guarded(one_by_application)),
            Route("/v1.0/servicePrincipals/{id}", guarded(one)),
            Route("/v1.0/directoryObjects/getByIds", guarded(by_ids), methods=["POST"]),
            Route("/{path:path}", unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ]
    )


def _filter(text: str | None) -> Callable[[Principal], bool]:
    if not text:
        return lambda _: True
    for pattern, fits in _FILTERS.items():
        match = re.fullmatch(pattern, text.strip(), re.IGNORECASE)
        if match is not None:
            value = match[1]
            return lambda principal: fits(principal, value)
    raise GraphError(501, "NotImplemented", f"This rehearsal has no $filter={text} on service principals.")


def _ids(body: bytes) -> list[str]:
    try:
        given = json.loads(body)["ids"]
    except (ValueError, KeyError, TypeError):
        given = None
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given) or len(given) > MOST_IDS:
        # The words are unverified.
        raise GraphError(400, "Request_BadRequest", f"'ids' must be a collection of at most {MOST_IDS} strings.")
    return given


def _context(what: str) -> str:
    return f"https://graph.microsoft.com/v1.0/$metadata#{what}"


def _shown(principal: Principal) -> dict[str, Any]:
    """The part of a service principal that is known here."""
    return {
        "id": principal.object_id,
        "appId": principal.app_id,
        "displayName": principal.display_name,
        "appDisplayName": principal.display_name,
        "accountEnabled": True,
        "servicePrincipalType": "Application",
        "servicePrincipalNames": [principal.app_id],
    }
