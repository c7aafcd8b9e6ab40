"""<vault>.vault.azure.net: the secrets API, with the challenge that its clients wait for, and the roles on the vault.

Source: https://learn.microsoft.com/rest/api/keyvault/secrets and
https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.entra.directory import InvalidToken, Principal
from rehearsal.key_vault.secrets import Secrets, VaultError
from rehearsal.world import World

AUDIENCES = frozenset({"https://vault.azure.net", "https://vault.azure.net/"})
VAULTS = "Microsoft.KeyVault/vaults"
PAGE = 25

Call = Callable[[Secrets, str, Request, dict[str, Any]], Any]


class _Challenge(Exception):
    def __init__(self, text: str, tenant: str) -> None:
        super().__init__(text)
        self.text, self.tenant = text, tenant


def read_secret(world: World, vault_resource_id: str, name: str) -> str | None:
    """The value that a Key Vault-backed secret scope shows; None when vault or secret is not there."""
    vault = world.resources.get(vault_resource_id)
    return Secrets(world.store, world.clock).value(str(vault["name"]), name) if vault else None


def secret_names(world: World, vault_resource_id: str) -> list[str]:
    """The names of a vault's secrets, for the same scopes."""
    vault = world.resources.get(vault_resource_id)
    if vault is None:
        return []
    listed = Secrets(world.store, world.clock).list_live(str(vault["name"]))
    return [str(secret["id"]).rsplit("/", 1)[-1] for secret in listed]


def create_app(world: World) -> Starlette:
    """Every vault that Resource Manager has deployed."""
    secrets = Secrets(world.store, world.clock)

    def route(path: str, method: str, action: str, call: Call) -> Route:
        async def handle(request: Request) -> Response:
            name = (request.url.hostname or "").split(".")[0]
            try:
                vault = _admitted(world, name, action, request)
                answer = call(secrets, str(vault["name"]), request, await _body(request))
            except _Challenge as challenge:
                return _challenged(challenge)
            except VaultError as error:
                return _error(error)
            return Response(status_code=204) if answer is None else JSONResponse(answer)

        return Route(path, handle, methods=[method])

    async def unknown(request: Request) -> Response:
        what = f"{request.method} {request.url.path}"
        return _error(VaultError(501, "NotImplemented", f"This rehearsal's Key Vault has no {what}."))

    one, deleted = "/secrets/{name}", "/deletedsecrets/{name}"
    return Starlette(
        routes=[
            route("/secrets", "GET", "secrets/readMetadata/action", lambda s, v, r, b: _page(r, s.list_live(v))),
            route(one, "PUT", "secrets/setSecret/action", lambda s, v, r, b: s.set(v, _name(r), b)),
            route(one, "DELETE", "secrets/delete", lambda s, v, r, b: s.delete(v, _name(r))),
            route(one, "GET", "secrets/getSecret/action", lambda s, v, r, b: s.get(v, _name(r))),
            route(one, "PATCH", "secrets/update/action", lambda s, v, r, b: s.update(v, _name(r), "", b)),
            route(one + "/", "GET", "secrets/getSecret/action", lambda s, v, r, b: s.get(v, _name(r))),
            route(
                one + "/versions",
                "GET",
                "secrets/readMetadata/action",
                lambda s, v, r, b: _page(r, s.versions(v, _name(r))),
            ),
            route(
                one + "/{version}",
                "GET",
                "secrets/getSecret/action",
                lambda s, v, r, b: s.get(v, _name(r), r.path_params["version"]),
            ),
            route(
                one + "/{version}",
                "PATCH",
                "secrets/update/action",
                lambda s, v, r, b: s.update(v, _name(r), r.path_params["version"], b),
            ),
            route(
                "/deletedsecrets", "GET", "secrets/readMetadata/action", lambda s, v, r, b: _page(r, s.list_deleted(v))
            ),
            route(deleted, "GET", "secrets/readMetadata/action", lambda s, v, r, b: s.deleted(v, _name(r))),
            route(deleted, "DELETE", "secrets/purge/action", lambda s, v, r, b: s.purge(v, _name(r))),
            route(deleted + "/recover", "POST", "secrets/recover/action", lambda s, v, r, b: s.recover(v, _name(r))),
            Route("/{path:path}", unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ]
    )


def _admitted(world: World, name: str, action: str, request: Request) -> dict[str, Any]:
    """The vault's resource, when the caller may do this on it. Raises _Challenge or VaultError."""
    vault = world.resources.find(VAULTS, name)
    if vault is None:
        # Unverified: the name of a vault that does not exist resolves to nothing, so a real client sees no answer at all.
        raise VaultError(404, "VaultNotFound", f"There is no key vault {name} in this rehearsal.")
    tenant = str(vault["properties"].get("tenantId", ""))
    try:
        caller = world.directory.verify(request.headers.get("authorization"), AUDIENCES)
    except InvalidToken as invalid:
        raise _Challenge(_why(invalid), tenant) from None
    if not world.roles.allowed(caller.object_id, str(vault["id"]), f"{VAULTS}/{action}", data=True):
        raise _forbidden(caller, vault, action)
    return vault


def _why(invalid: InvalidToken) -> str:
    if invalid.reason == "missing":
        return "AKV10000: Request is missing a Bearer or PoP token."
    return f"AKV10032: Invalid token: {invalid}."


def _challenged(challenge: _Challenge) -> Response:
    authority = f"https://login.microsoftonline.com/{challenge.tenant}"
    headers = {"WWW-Authenticate": f'Bearer authorization="{authority}", resource="https://vault.azure.net"'}
    body = {"error": {"code": "Unauthorized", "message": challenge.text}}
    return JSONResponse(body, status_code=401, headers=headers)


def _forbidden(caller: Principal, vault: dict[str, Any], action: str) -> VaultError:
    operation = f"{VAULTS}/{action}"
    error = VaultError(
        403,
        "Forbidden",
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions "
        f"were changed recently, please observe propagation time.\r\nCaller: appid={caller.app_id};oid={caller.object_id}\r\n"
        f"Action: '{operation}'\r\nResource: '{str(vault['id']).lower()}'\r\nAssignment: (not found)\r\n"
        f"DenyAssignmentId: null\r\nDecisionReason: null \r\nVault: {vault['name']};location={vault.get('location')}\r\n",
    )
    error.inner = "ForbiddenByRbac"
    return error


def _error(error: VaultError) -> Response:
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.inner:
        body["innererror"] = {"code": error.inner}
    return JSONResponse({"error": body}, status_code=error.status)


async def _body(request: Request) -> dict[str, Any]:
    raw = await request.body()
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise VaultError(400, "BadParameter", "The request body is no JSON.") from error
    if not isinstance(body, dict):
        raise VaultError(400, "BadParameter", "The request body is no JSON object.")
    return body


def _name(request: Request) -> str:
    return str(request.path_params["name"])


def _page(request: Request, items: list[dict[str, Any]]) -> dict[str, Any]:
    """A page of a list, with the address of the next one."""
    query = request.query_params
    size = query.get("maxresults", str(PAGE))
    start = query.get("$skiptoken", "0")
    if not (size.isdecimal() and start.isdecimal() and 1 <= int(size) <= PAGE):
        raise VaultError(400, "BadParameter", f"maxresults must be between 1 and {PAGE}.")
    first, end = int(start), int(start) + int(size)
    following = None
    if end < len(items):
        version = query.get("api-version", "7.4")
        following = (
            f"https://{request.url.hostname}{request.url.path}?api-version={version}&$skiptoken={end}&maxresults={size}"
        )
    return {"value": items[first:end], "nextLink": following}
