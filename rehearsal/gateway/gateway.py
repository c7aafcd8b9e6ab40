"""The proxy: CONNECT to a production hostname ends, TLS and all, at the stand-in that owns it; everything else is refused."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import ssl
import time
from collections import Counter
from collections.abc import Callable, Sequence
from email.utils import formatdate
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import uvicorn
from starlette.requests import ClientDisconnect

from rehearsal.gateway import control
from rehearsal.gateway.certificates import Certificates
from rehearsal.gateway.faults import Faults
from rehearsal.gateway.proxy import Doors, Front
from rehearsal.gateway.request_log import RequestLog
from rehearsal.gateway.strikes import STRUCK, ConnectionCut, with_faults

LOOPBACK = "127.0.0.1"
STOP_SECONDS = 5.0
KEEP_ALIVE_SECONDS = 120


class PortInUse(Exception):
    """The port that was asked for is taken."""


class Gateway:
    """Owns the loopback port of a rehearsal.

    apps: (pattern of hostnames, ASGI app), the first that matches owns a hostname. folder: for the authority's certificate and
    the request log. port: 0 = a free one. clock: seconds since the epoch. aged: for storms that are begun by the control address,
    an Authorization header with a token that has expired in place of the one that it has; None: it holds no such token.
    """

    def __init__(
        self,
        apps: Sequence[tuple[str, Any]],
        folder: Path,
        *,
        port: int = 0,
        faults: Faults | None = None,
        clock: Callable[[], float] = time.time,
        aged: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self.folder = folder.absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = port
        self.aged = aged
        self.faults = faults if faults is not None else Faults()
        self.log = RequestLog(self.folder, clock)
        self._apps = list(apps)
        self._clock = clock
        self._certificates = Certificates(self.folder)
        self._server: asyncio.Server | None = None
        self._doors = Doors(
            context=self._context,
            services=_loaded(self._recorded(with_faults(self._routed, self.faults))),
            control=_loaded(control.create_app(self)),
            control_prefix=control.PREFIX,
            refused=self.log.refuse,
        )

    @property
    def apps(self) -> list[tuple[str, Any]]:
        """Who owns which hostnames: (pattern, ASGI app)."""
        return list(self._apps)

    @property
    def requests(self) -> Counter[str]:
        """How many requests arrived for each hostname."""
        return self.log.requests

    @property
    def served(self) -> Counter[str]:
        """How many of them a stand-in handled: a fault may have come first."""
        return self.log.served

    @property
    def refused(self) -> Counter[str]:
        """What was asked for and no stand-in owns."""
        return self.log.refused

    @property
    def failures(self) -> Counter[str]:
        """Exceptions of stand-ins, by hostname; their text is in `errors.log`."""
        return self.log.failures

    @property
    def unimplemented(self) -> Counter[str]:
        """Requests that a stand-in answered with 501."""
        return self.log.unimplemented

    async def start(self) -> None:
        """Listen. Raises PortInUse."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: Front(self._doors), LOOPBACK, self.port, backlog=512)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(
                    f"Port {self.port} on {LOOPBACK} is in use by another program, perhaps by another rehearsal. Nothing was "
                    "started. End that program, or choose another port."
                ) from error
            raise
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port, cut every connection, and wait for what was being handled to end."""
        if self._server is not None:
            self._server.close()
        state = self._doors.state
        for transport in [*self._doors.transports, *(connection.transport for connection in state.connections)]:
            if transport is not None:
                transport.abort()
        tasks = list(state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)
        self.log.close()

    @property
    def control_address(self) -> str:
        """Where programs on this machine set faults and read the record of requests. The gateway must have started."""
        return f"http://{LOOPBACK}:{self.port}{control.PREFIX}"

    def exports(self) -> dict[str, str]:
        """What a process needs so that its clients come here, with production hostnames. The gateway must have started.

        Lower case wins in requests, and gRPC reads only lower case.
        """
        proxy = f"http://{LOOPBACK}:{self.port}"
        direct = "localhost,127.0.0.1,::1"
        authority = str(self._certificates.ca_file)
        exports = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), proxy)
        exports |= dict.fromkeys(("NO_PROXY", "no_proxy"), direct)
        exports |= dict.fromkeys(
            ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"), authority
        )
        return exports | {
            "AZURE_CONFIG_DIR": str(self.folder / "azure"),
            "AZURE_CORE_COLLECT_TELEMETRY": "false",
            "DATABRICKS_CONFIG_FILE": str(self.folder / "databrickscfg"),
        }

    def _app(self, host: str) -> Any:
        return next((app for pattern, app in self._apps if fnmatchcase(host, pattern)), None)

    def _context(self, host: str) -> ssl.SSLContext | None:
        return self._certificates.context(host) if self._app(host) is not None else None

    async def _routed(self, scope: Any, receive: Any, send: Any) -> None:
        asked = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
        host = scope["slipway.host"]
        if asked.lower() not in (host, f"{host}:443"):
            # A connection belongs to the name on its certificate; any other is misdirected (RFC 9110, 15.5.20).
            await _answer(send, 421, {"error": {"code": "MisdirectedRequest", "message": f"This is {host}."}})
            return
        self.served[host] += 1
        await self._app(host)(scope, receive, send)

    def _recorded(self, app: Any) -> Any:
        async def recorded(scope: Any, receive: Any, send: Any) -> None:
            method, host, path = scope["method"], scope["slipway.host"], scope["path"]
            started, status = time.monotonic(), 0
            struck: list[str] = []
            scope[STRUCK] = struck

            async def noting(message: Any) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    message = {**message, "headers": self._dated(message.get("headers") or [])}
                await send(message)

            self.requests[host] += 1
            try:
                await app(scope, receive, noting)
            except ConnectionCut:
                await _gone(receive)
            except ClientDisconnect:
                pass  # it went away in the middle of its request
            except Exception as error:
                self.log.fail(method, host, path, error)
                await self._failed(scope, noting, begun=status != 0)
            finally:
                self.log.answered(scope, status, time.monotonic() - started, struck)

        return recorded

    async def _failed(self, scope: Any, send: Any, *, begun: bool) -> None:
        if begun:
            scope["slipway.transport"].abort()
            return
        text = f"A stand-in of this rehearsal has a bug; the details are in {self.folder / 'errors.log'}."
        await _answer(send, 500, {"error": {"code": "InternalServerError", "message": text}})

    def _dated(self, given: Any) -> list[tuple[bytes, bytes]]:
        headers: list[tuple[bytes, bytes]] = list(given)
        if not any(name == b"date" for name, _ in headers):
            headers.append((b"date", formatdate(self._clock(), usegmt=True).encode()))
        return headers


async def _answer(send: Any, status: int, body: dict[str, Any]) -> None:
    content = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _loaded(app: Any) -> uvicorn.Config:
    protocol_log = logging.getLogger("uvicorn.error")
    if not protocol_log.handlers:  # what a broken client sends is answered with 400, and is no line in the terminal
        protocol_log.addHandler(logging.NullHandler())
    config = uvicorn.Config(
        app,
        interface="asgi3",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    config.load()
    return config
