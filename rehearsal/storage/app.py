"""<account>.blob.core.windows.net and .dfs.: who may, then Azurite.

A Shared Key or a SAS passes as it is: Azurite checks it. A bearer token is checked here, with the role that it needs, and the
request is signed with the account's key instead, because Azurite knows no roles and takes unsigned tokens.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.utils import formatdate
from xml.sax.saxutils import escape

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from rehearsal.entra.directory import InvalidToken
from rehearsal.storage.azurite import Azurite
from rehearsal.storage.containers import DeployedContainers
from rehearsal.storage.permissions import needed
from rehearsal.storage.signature import authorization
from rehearsal.world import World

AUDIENCES = frozenset({"https://storage.azure.com", "https://storage.azure.com/"})
ACCOUNTS = "Microsoft.Storage/storageAccounts"
METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"]
_HOP = {"connection", "keep-alive", "transfer-encoding", "proxy-connection", "te", "upgrade", "expect"}


class _Refused(Exception):
    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}


def create_app(world: World, azurite: Azurite) -> Starlette:
    """The blob service of every account that Resource Manager has deployed."""
    client = httpx.AsyncClient(
        timeout=httpx.Timeout(300, connect=10), trust_env=False, limits=httpx.Limits(max_connections=64)
    )

    containers = DeployedContainers(world, client)

    async def handle(request: Request) -> Response:
        account = request.url.hostname.split(".")[0] if request.url.hostname else ""
        try:
            headers = _admitted(world, account, request)
        except _Refused as refused:
            return _answer(refused)
        await azurite.ready()
        resource = world.resources.find(ACCOUNTS, account) or {}
        container = request.url.path.strip("/").partition("/")[0]
        await containers.ensure(azurite.base_url, account, str(resource.get("id")), container)
        return await _passed_on(client, azurite.base_url, request, headers)

    return Starlette(routes=[Route("/{path:path}", handle, methods=METHODS)])


def _admitted(world: World, account: str, request: Request) -> dict[str, str]:
    """The headers to go to Azurite with. Raises _Refused."""
    resource = world.resources.find(ACCOUNTS, account)
    if resource is None:
        # Unverified: the name of an account that does not exist resolves to nothing, so a real client sees no answer at all.
        raise _Refused(404, "ResourceNotFound", f"There is no storage account {account} in this rehearsal.")
    headers = {name: value for name, value in request.headers.items() if name not in _HOP}
    scheme = headers.get("authorization", "").partition(" ")[0].lower()
    if scheme in ("sharedkey", "sharedkeylite") or "sig" in request.query_params:
        if resource.get("properties", {}).get("allowSharedKeyAccess") is False:
            raise _Refused(
                403,
                "KeyBasedAuthenticationNotPermitted",
                "Key based authentication is not permitted on this storage account.",
            )
        return headers
    if scheme != "bearer":
        raise _Refused(401, "NoAuthenticationInformation", "Server failed to authenticate the request.", _challenge())
    _authorise(world, str(resource["id"]), request, headers["authorization"])
    return _signed(world, account, request, headers)


def _authorise(world: World, resource_id: str, request: Request, header: str) -> None:
    try:
        principal = world.directory.verify(header, AUDIENCES)
    except InvalidToken as invalid:
        raise _Refused(
            401, "InvalidAuthenticationInfo", f"Server failed to authenticate the request: {invalid}.", _challenge()
        ) from None
    need = needed(request.method, request.url.path, request.query_params)
    scope = f"{resource_id}/blobServices/default" + (f"/containers/{need.container}" if need.container else "")
    if not any(world.roles.allowed(principal.object_id, scope, action, data=need.data) for action in need.actions):
        raise _Refused(
            403,
            "AuthorizationPermissionMismatch",
            "This request is not authorized to perform this operation using this permission.",
        )


def _signed(world: World, account: str, request: Request, headers: dict[str, str]) -> dict[str, str]:
    keys = world.storage_accounts.ensure(account)
    headers = {name: value for name, value in headers.items() if name not in ("authorization", "date")}
    headers["x-ms-date"] = formatdate(world.clock(), usegmt=True)
    headers["authorization"] = authorization(
        account=account,
        key=keys[0],
        method=request.method,
        path=request.scope["raw_path"].decode("ascii"),
        query=request.query_params.multi_items(),
        headers=headers,
    )
    return headers


async def _passed_on(client: httpx.AsyncClient, base_url: str, request: Request, headers: dict[str, str]) -> Response:
    has_body = int(headers.get("content-length") or 0) > 0 or "chunked" in request.headers.get("transfer-encoding", "")
    query = request.scope["query_string"].decode("ascii")
    url = base_url + request.scope["raw_path"].decode("ascii") + (f"?{query}" if query else "")
    outgoing = client.build_request(
        request.method, url, headers=headers, content=request.stream() if has_body else None
    )
    if not has_body and request.method in ("PUT", "POST"):
        outgoing.headers["content-length"] = "0"
    answer = await client.send(outgoing, stream=True)

    async def body() -> AsyncIterator[bytes]:
        try:
            async for chunk in answer.aiter_raw():
                yield chunk
        finally:
            await answer.aclose()

    response = StreamingResponse(body(), status_code=answer.status_code)
    response.raw_headers = [
        (name.lower(), value) for name, value in answer.headers.raw if name.decode("latin-1").lower() not in _HOP
    ]
    return response


def _challenge() -> dict[str, str]:
    return {
        "WWW-Authenticate": "Bearer authorization_uri=https://login.microsoftonline.com/common/oauth2/authorize "
        "resource_id=https://storage.azure.com"
    }


def _answer(refused: _Refused) -> Response:
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{refused.code}</Code><Message>{escape(refused.message)}</Message></Error>'
    headers = {**refused.headers, "x-ms-error-code": refused.code}
    return Response(body, refused.status, headers, media_type="application/xml")
