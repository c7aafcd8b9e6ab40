"""<account>.blob.core.windows.net and .dfs.: who may, then Azurite.

A Shared Key or a SAS passes as it is: Azurite checks it. A bearer token is checked here, with the role that it needs, and the
request is signed with the account's key instead. Bodies stream both ways.
"""

from __future__ import annotations

from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Mount

from rehearsal.storage.admission import HOP_BY_HOP, admitted
from rehearsal.storage.azurite import Azurite, AzuriteFailed
from rehearsal.storage.containers import DeployedContainers
from rehearsal.storage.listing import from_name_on, starts_from
from rehearsal.storage.refusals import Refused
from rehearsal.world import World

WRONG_SIGNATURE = (
    "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including "
    "the signature."
)


def create_app(world: World, azurite: Azurite) -> Starlette:
    """The blob service of every account that Resource Manager has deployed."""
    return Starlette(routes=[Mount("/", app=_Front(world, azurite))])


class _Front:
    """The ASGI app itself."""

    def __init__(self, world: World, azurite: Azurite) -> None:
        self._world = world
        self._azurite = azurite
        self._containers = DeployedContainers(world)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        account = (request.url.hostname or "").partition(".")[0]
        container, _, blob = request.url.path.strip("/").partition("/")
        begun = False

        async def noting(message: Any) -> None:
            nonlocal begun
            begun = True
            if message.get("status") == 202 and request.method == "DELETE" and not blob:
                self._containers.deleted(account, container)
            await send(message)

        try:
            headers = admitted(self._world, request)
            async with self._azurite.serving() as client:
                await self._containers.ensure(client, account, container)
                await _pass_on(client, request, headers, noting)
        except Refused as refused:
            await refused.response(self._world.clock())(scope, receive, send)
        except ClientDisconnect:
            return
        except (AzuriteFailed, httpx.TransportError) as error:
            if begun:
                raise
            sentence = f"The rehearsal's storage is not there: {str(error) or type(error).__name__}"
            await Refused(503, "ServerBusy", sentence).response(self._world.clock())(scope, receive, send)


async def _pass_on(client: httpx.AsyncClient, request: Request, headers: dict[str, str], send: Any) -> None:
    query = request.scope["query_string"].decode("ascii")
    url = request.scope["raw_path"].decode("ascii") + (f"?{query}" if query else "")
    chunked = "chunked" in request.headers.get("transfer-encoding", "")
    has_body = chunked or headers.get("content-length", "0") != "0"
    content = request.stream() if has_body else None
    async with client.stream(request.method, url, headers=headers, content=content) as answer:
        if answer.status_code == 403 and answer.headers.get("x-ms-error-code") == "AuthorizationFailure":
            # Azurite's word for a wrong key or signature; the service says that only of firewalls and the like.
            raise Refused(403, "AuthenticationFailed", WRONG_SIGNATURE)
        kept = [
            (name.lower(), value)
            for name, value in answer.headers.raw
            if name.lower().decode("latin-1") not in HOP_BY_HOP
        ]
        first = starts_from(request)
        if first is not None and answer.status_code == 200:
            body = from_name_on(await answer.aread(), first)
            changed = (b"content-length", b"content-encoding", b"content-md5")
            kept = [(name, value) for name, value in kept if name not in changed]
            kept.append((b"content-length", str(len(body)).encode()))
            await send({"type": "http.response.start", "status": 200, "headers": kept})
            await send({"type": "http.response.body", "body": body})
            return
        await send({"type": "http.response.start", "status": answer.status_code, "headers": kept})
        async for chunk in answer.aiter_raw():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
