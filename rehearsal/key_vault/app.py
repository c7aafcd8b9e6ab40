"""<vault>.vault.azure.net: the secrets API, with the challenge that its clients wait for, and the roles on the vault.

Source: https://learn.microsoft.com/rest/api/keyvault/secrets and
https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.key_vault.access import Challenge, admitted
from rehearsal.key_vault.rules import VaultError
from rehearsal.key_vault.secrets import Secrets
from rehearsal.world import Recovery, World

PAGE = 25
LARGEST_BODY = 256 * 1024


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """An admitted call: of which vault, which secret, with what."""

    vault: str
    recovery: Recovery
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
        lambda s, a: s.set(a.vault, a.name, a.body, a.recovery),
    ),
    ("DELETE", "/secrets/{name}", "secrets/delete", lambda s, a: s.delete(a.vault, a.name, a.recovery)),
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
        lambda s, a: s.purge(a.vault, a.name, a.recovery),
    ),
    ("POST", "/secrets/restore", "secrets/restore/action", lambda s, a: s.restore(a.vault, a.body)),
    ("POST", "/secrets/{name}/backup", "secrets/backup/action", lambda s, a: s.backup(a.vault, a.name)),
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
                body = await _body(request)
                asked = _Asked(vault=str(vault["name"]), recovery=Recovery.of(vault), request=request, body=body)
                answer = call(secrets, asked)
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
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > LARGEST_BODY:  # unverified: the service's own bound
            raise VaultError(413, "RequestEntityTooLarge", "The request body is too large.")
    if not raw:
        return {}
    try:
        body = json.loads(raw)
        json.dumps(
            body, ensure_ascii=False
        ).encode()  # half a surrogate pair is no character and could not be sent back
    except (ValueError, RecursionError) as error:
        raise VaultError(400, "BadParameter", "The request body is no JSON.") from error
    if not isinstance(body, dict):
        raise VaultError(400, "BadParameter", "The request body is no JSON object.")
    return body


def _page(request: Request, items: list[dict[str, Any]]) -> dict[str, Any]:
    """A page of a list, with the address of the next one. It goes on behind the last item that was shown, so that what is
    added or deleted in the meantime neither hides nor repeats another."""
    query = request.query_params
    size = query.get("maxresults", str(PAGE))
    if not (size.isascii() and size.isdecimal() and 1 <= int(size[:9]) <= PAGE):
        raise VaultError(400, "BadParameter", f"maxresults must be between 1 and {PAGE}.")
    items = sorted(items, key=_order)
    first = 0
    if (token := query.get("$skiptoken")) is not None:
        last = _place(token)
        first = next((number for number, item in enumerate(items) if _order(item) > last), len(items))
    end = first + int(size)
    following = None
    if end < len(items):
        version, place = query["api-version"], base64.urlsafe_b64encode(_order(items[end - 1]).encode()).decode()
        address = f"https://{request.url.hostname}{request.url.path}"
        following = f"{address}?api-version={version}&$skiptoken={quote(place)}&maxresults={size}"
    return {"value": items[first:end], "nextLink": following}


def _order(item: dict[str, Any]) -> str:
    """What lists are sorted by: names of secrets; versions by their time, then their number."""
    name, _, version = str(item["id"]).partition("/secrets/")[2].partition("/")
    return f"{name.lower()}\0{item['attributes']['created']:012}\0{version}"


def _place(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise VaultError(400, "BadParameter", "$skiptoken has an invalid value.") from error
