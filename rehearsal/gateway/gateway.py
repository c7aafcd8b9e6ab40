"""The proxy: CONNECT to a production hostname ends, TLS and all, at the stand-in that owns it; everything else is refused."""

from __future__ import annotations

import asyncio
import errno
import json
import time
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from rehearsal.gateway import control
from rehearsal.gateway.certificates import Certificates
from rehearsal.gateway.faults import ConnectionCut, Faults, header, with_faults

LARGEST_HEAD = 64 * 1024
LOOPBACK = "127.0.0.1"


class PortInUse(Exception):
    """The port that was asked for is taken."""


class Gateway:
    """Owns the loopback port of a rehearsal.

    apps: (pattern of hostnames, ASGI app). folder: for the authority's certificate and the request log. port: 0 = a free one.
    `requests` counts what reached a stand-in, by hostname; `refused` what had none.
    """

    def __init__(
        self, apps: Sequence[tuple[str, Any]], folder: Path, *, port: int = 0, faults: Faults | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = port
        self.faults = faults or Faults()
        self.requests: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self._apps = list(apps)
        self._certificates = Certificates(folder)
        self._log = (folder / "requests.log").open("a", encoding="utf-8")
        self._server: asyncio.Server | None = None
        self.state = ServerState()
        self.config = _loaded(with_faults(self._routed, self.faults), self._recorded)
        self.control_config = _loaded(control.create_app(self))

    async def start(self) -> None:
        """Listen. Raises PortInUse."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Front(self), LOOPBACK, self.port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(f"port {self.port} on {LOOPBACK} is in use by another program") from error
            raise
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for connection in list(self.state.connections):
                connection.transport.abort()
        self._log.close()

    def exports(self) -> dict[str, str]:
        """What a process needs so that its clients come here, with their production hostnames."""
        proxy, direct, authority = (
            f"http://{LOOPBACK}:{self.port}",
            "localhost,127.0.0.1,::1",
            str(self._certificates.ca_file),
        )
        exports = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), proxy)
        exports |= {"NO_PROXY": direct, "no_proxy": direct}
        exports |= dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"), authority)
        return exports | {
            "AZURE_CONFIG_DIR": str(self.folder / "azure"),
            "AZURE_CORE_COLLECT_TELEMETRY": "false",
            "DATABRICKS_CONFIG_FILE": str(self.folder / "databrickscfg"),
        }

    def owns(self, host: str) -> bool:
        return any(fnmatchcase(host, pattern) for pattern, _ in self._apps)

    def context(self, host: str) -> Any:
        return self._certificates.context(host)

    def refuse(self, what: str) -> None:
        self.refused[what] += 1
        self._write({"time": time.time(), "refused": what})

    async def _routed(self, scope: Any, receive: Any, send: Any) -> None:
        host = header(scope, b"host")
        for pattern, app in self._apps:
            if fnmatchcase(host, pattern):
                await app(scope, receive, send)
                return
        # A connection belongs to one host; a request for another one on it is misdirected (RFC 9110, 15.5.20).
        await send({"type": "http.response.start", "status": 421, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def _recorded(self, app: Any) -> Any:
        async def recorded(scope: Any, receive: Any, send: Any) -> None:
            host, started, status = header(scope, b"host"), time.monotonic(), 0

            async def noting(message: Any) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            self.requests[host] += 1
            try:
                await app(scope, receive, noting)
            except ConnectionCut:
                pass
            finally:
                milliseconds = round((time.monotonic() - started) * 1000, 1)
                # The query stays out: a storage signature or a code can stand there.
                self._write(
                    {
                        "time": time.time(),
                        "method": scope["method"],
                        "host": host,
                        "path": scope["path"],
                        "status": status,
                        "ms": milliseconds,
                    }
                )

        return recorded

    def _write(self, entry: dict[str, Any]) -> None:
        if not self._log.closed:
            self._log.write(json.dumps(entry) + "\n")
            self._log.flush()


def _loaded(app: Any, around: Any = None) -> uvicorn.Config:
    config = uvicorn.Config(
        around(app) if around else app,
        interface="asgi3",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="error",
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=120,
    )
    config.load()
    return config


class _Connection(HttpToolsProtocol):
    """A connection of uvicorn's that lets a fault cut it."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["slipway.transport"] = self.transport  # type: ignore[typeddict-unknown-key]


class _Waiting(asyncio.Protocol):
    """Holds what a client sends between the end of the TLS handshake and the moment when HTTP takes over."""

    def __init__(self) -> None:
        self.early: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self.early.append(data)


class _Front(asyncio.Protocol):
    """Reads the head of a proxy request and decides."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._head = b""
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what a TCP server gives
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._head += data
        if b"\r\n\r\n" not in self._head:
            if len(self._head) > LARGEST_HEAD:
                self._refuse(431, "the head of the request is too long")
            return
        method, target, *_ = [*self._head.partition(b"\r\n")[0].decode("latin-1").split(" "), "", ""]
        if method == "CONNECT":
            self._connect(target)
        elif target.startswith(control.PREFIX):
            self._hand_over(_Connection, self._gateway.control_config)
        else:
            self._gateway.refuse(f"http {target.split('?')[0]}")
            self._refuse(403, f"a rehearsal reaches nothing over plain HTTP; asked for: {target.split('?')[0]}")

    def _connect(self, target: str) -> None:
        host, _, port = target.lower().rpartition(":")
        if port != "443" or not self._gateway.owns(host):
            self._gateway.refuse(target)
            self._refuse(403, f"no stand-in of this rehearsal owns {target}, and a rehearsal reaches nothing else")
            return
        if self._transport is not None:
            self._transport.pause_reading()
            self._transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self._task = asyncio.get_running_loop().create_task(self._secure(host, self._transport))

    async def _secure(self, host: str, transport: asyncio.Transport) -> None:
        waiting = _Waiting()
        loop = asyncio.get_running_loop()
        try:
            secured = await loop.start_tls(transport, waiting, self._gateway.context(host), server_side=True)
        except (OSError, EOFError):  # the client doesn't trust us or went away: its own log says which
            return
        if secured is None:
            return
        connection = _Connection(self._gateway.config, self._gateway.state, {})
        secured.set_protocol(connection)
        connection.connection_made(secured)
        for data in waiting.early:
            connection.data_received(data)

    def _hand_over(self, protocol: type[_Connection], config: uvicorn.Config) -> None:
        if self._transport is not None:
            connection = protocol(config, self._gateway.state, {})
            self._transport.set_protocol(connection)
            connection.connection_made(self._transport)
            connection.data_received(self._head)

    def _refuse(self, status: int, text: str) -> None:
        if self._transport is not None:
            body = f"Slipway rehearsal: {text}.\n".encode()
            head = (
                f"HTTP/1.1 {status} Refused by the rehearsal\r\ncontent-type: text/plain\r\ncontent-length: {len(body)}"
            )
            self._transport.write(f"{head}\r\nconnection: close\r\n\r\n".encode() + body)
            self._transport.close()
