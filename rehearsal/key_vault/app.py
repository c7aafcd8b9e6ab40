"""<vault>.vault.azure.net: the secrets API, with the challenge that its clients wait for, and the roles on the vault.

Source: https://learn.microsoft.com/rest/api/keyvault/secrets and
https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.key_vault.access import Challenge, admitted
from rehearsal.key_vault.secrets import Secrets, VaultError
from rehearsal.world import World

PAGE = 25


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """An admitted call: of which vault, which secret, with what."""

    vault: str
    protected: bool
    request: Request
    body: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.request.path_params["name"])

    @property
    def version(self) -> str:
        return str(self.request.path_params.get("version", ""))


Call = Callable[[Secrets, _Asked], Any]
# Method, path, data action below Microsoft.KeyVault/vaults/, what is done.
# https://learn.microsoft.com/azure/key-vault/general/rbac-guide and the permissions of Key Vault Secrets Officer.
CALLS: tuple[tuple[str, str, str, Call], ...] = (
    ("GET", "/secrets", "secrets/readMetadata/action", lambda s, a: _page(a.request, s.list_live(a.vault))),
    (
        "PUT",
        "/secrets/{name}",
        "secrets/setSecret/action",
        lambda s, a: s.set(a.vault, a.name, a.body, protected=a.protected),
    ),
    ("DELETE", "/secrets/{name}", "secrets/delete", lambda s, a: s.delete(a.vault, a.name)),
    ("GET", "/secrets/{name}", "secrets/getSecret/action", lambda s, a: s.get(a.vault, a.name)),
    ("GET", "/secrets/{name}/", "secrets/getSecret/action", lambda s, a: s.get(a.vault, a.name)),
    ("PATCH", "/secrets/{name}", "secrets/update/action", lambda s, a: s.update(a.vault, a.name, "", a.body)),
    ("PATCH", "/secrets/{name}/", "secrets/update/action", lambda s, a: s.update(a.vault, a.name, "", a.body)),
    (
        "GET",
        "/secrets/{name}/versions",
        "secrets/readMetadata/action",
        lambda s, a: _page(a.request, s.versions(a.vault, a.name)),
    ),
    ("GET", "/secrets/{name}/{version}", "secrets/getSecret/action", lambda s, a: s.get(a.vault, a.name, a.version)),
    (
        "PATCH",
        "/secrets/{name}/{version}",
        "secrets/update/action",
        lambda s, a: s.update(a.vault, a.name, a.version, a.body),
    ),
    ("GET", "/deletedsecrets", "secrets/readMetadata/action", lambda s, a: _page(a.request, s.list_deleted(a.vault))),
    ("GET", "/deletedsecrets/{name}", "secrets/readMetadata/action", lambda s, a: s.deleted(a.vault, a.name)),
    (
        "DELETE",
        "/deletedsecrets/{name}",
        "secrets/purge/action",
        lambda s, a: s.purge(a.vault, a.name, protected=a.protected),
    ),
    ("POST", "/deletedsecrets/{name}/recover", "secrets/recover/action", lambda s, a: s.recover(a.vault, a.name)),
)


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

    def route(method: str, path: str, action: str, call: Call) -> Route:
        async def handle(request: Request) -> Response:
            name = (request.url.hostname or "").split(".")[0]
            try:
                vault = admitted(world, name, action, request)
                protected = bool(vault["properties"].get("enablePurgeProtection"))
                body = await _body(request)
                answer = call(
                    secrets, _Asked(vault=str(vault["name"]), protected=protected, request=request, body=body)
                )
            except Challenge as challenge:
                return _challenged(challenge)
            except VaultError as error:
                return _error(error)
            return Response(status_code=204) if answer is None else JSONResponse(answer)

        return Route(path, handle, methods=[method])

    async def unknown(request: Request) -> Response:
        what = f"{request.method} {request.url.path}"
        return _error(VaultError(501, "NotImplemented", f"This rehearsal's Key Vault has no {what}."))

    return Starlette(
        routes=[
            *(route(*call) for call in CALLS),
            Route("/{path:path}", unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ]
    )


def _challenged(challenge: Challenge) -> Response:
    authority = f"https://login.microsoftonline.com/{challenge.tenant}"
    headers = {"WWW-Authenticate": f'Bearer authorization="{authority}", resource="https://vault.azure.net"'}
    body = {"error": {"code": "Unauthorized", "message": challenge.text}}
    return JSONResponse(body, status_code=401, headers=headers)


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
