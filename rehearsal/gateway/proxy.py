"""The protocol on the gateway's port: CONNECT into TLS, the control door, and refusals."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

LARGEST_HEAD = 64 * 1024
LARGEST_PIECE = 256 * 1024  # what is read at once: a head may come with some of its body
HOSTNAME = re.compile(r"(?=.{1,253}:)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}:443")
QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux has it
SHUTDOWN_SECONDS = 2.0  # how long a closed connection waits for the client's farewell
_BAD, _FORBIDDEN = HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN
_TOO_LONG = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


@dataclass(kw_only=True)
class Doors:
    """What the protocol needs of the gateway.

    context: the TLS context for a hostname, None when no stand-in owns it. services, control: what serves a connection to a
    production hostname, and one to the control door, whose addresses begin with `control_prefix`.
    refused: is told what was refused. transports: every connection that is open.
    """

    context: Callable[[str], ssl.SSLContext | None]
    services: uvicorn.Config
    control: uvicorn.Config
    control_prefix: str
    refused: Callable[[str], None]
    state: ServerState = field(default_factory=ServerState)
    transports: set[asyncio.Transport] = field(default_factory=set)


class Connection(HttpToolsProtocol):
    """A connection of uvicorn's that knows which hostname it was opened for, and that a fault can cut."""

    def __init__(self, config: uvicorn.Config, state: ServerState, host: str) -> None:
        super().__init__(config, state, {})
        self._host = host
        self._head_size = self._told = 0
        self._in_head = True

    def data_received(self, data: bytes) -> None:
        if self._in_head:  # the parser itself has no bound
            self._head_size += len(data)
            if self._head_size > LARGEST_HEAD + LARGEST_PIECE:
                self.send_400_response("The head of the request is too long.")
                return
        super().data_received(data)
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and cycle.more_body and QUICK_ACK is not None and not self.transport.is_closing():
            # urllib3 holds back a body that it sends through a proxy until the head is acknowledged (Nagle), and the system
            # would take its time over that: 40 ms for each POST.
            self.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, QUICK_ACK, 1)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._told += len(name) + len(value) + 4  # with the colon and the end of the line
        if self._told > LARGEST_HEAD:
            raise ValueError("the head is too long")  # the parser answers 400
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._head_size = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head = True
        super().on_message_complete()

    def on_message_begin(self) -> None:
        self._told = 0
        super().on_message_begin()
        self.scope["slipway.transport"] = self.transport  # type: ignore[typeddict-unknown-key]
        self.scope["slipway.host"] = self._host  # type: ignore[typeddict-unknown-key]


class _Waiting(asyncio.Protocol):
    """Holds what a client sends between the end of the TLS handshake and the moment when HTTP takes over."""

    def __init__(self) -> None:
        self.early: list[bytes] = []
        self.lost = False

    def data_received(self, data: bytes) -> None:
        self.early.append(data)

    def connection_lost(self, _: Exception | None) -> None:
        self.lost = True


class Front(asyncio.Protocol):
    """Reads the head of a proxy request and decides."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._head = b""
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what a TCP server gives
        self._transport = transport
        self._doors.transports.add(transport)

    def connection_lost(self, _: Exception | None) -> None:
        if self._transport is not None:
            self._doors.transports.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._task is not None:
            return
        self._head += data
        if b"\r\n\r\n" not in self._head:
            if len(self._head) > LARGEST_HEAD:
                self._refuse(_TOO_LONG, "The head of the request is too long", "")
            return
        head, _, rest = self._head.partition(b"\r\n\r\n")
        method, target, *_ = [*head.partition(b"\r\n")[0].decode("latin-1").split(" "), "", ""]
        if method == "CONNECT" and rest:
            self._refuse(_BAD, "Something was sent after CONNECT, before it was answered", target)
        elif method == "CONNECT":
            self._connect(target, self._transport)
        elif target.startswith(self._doors.control_prefix):
            self._to_control(self._transport)
        else:
            where = target.partition("?")[0]
            self._doors.refused(f"plain HTTP: {method} {where}")
            self._refuse(_FORBIDDEN, "A rehearsal reaches nothing over plain HTTP", where)

    def _connect(self, target: str, transport: asyncio.Transport) -> None:
        # Only what can be a hostname: a pattern or a name with a dot at its end would fit a stand-in's pattern too.
        fits = HOSTNAME.fullmatch(target.lower())
        host = target.lower().removesuffix(":443")
        context = self._doors.context(host) if fits else None
        if context is None:
            self._doors.refused(target)
            self._refuse(
                _FORBIDDEN, "No stand-in of this rehearsal owns it, and a rehearsal reaches nothing else", target
            )
            return
        transport.pause_reading()
        transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self._task = asyncio.get_running_loop().create_task(self._secure(host, context, transport))

    async def _secure(self, host: str, context: ssl.SSLContext, transport: asyncio.Transport) -> None:
        waiting = _Waiting()
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport, waiting, context, server_side=True, ssl_shutdown_timeout=SHUTDOWN_SECONDS
            )
        except (OSError, EOFError):  # the client doesn't trust us or went away: its own log says which
            return
        finally:
            self._doors.transports.discard(transport)
        if secured is None or waiting.lost:
            return
        connection = Connection(self._doors.services, self._doors.state, host)
        secured.set_protocol(connection)
        connection.connection_made(secured)
        for data in waiting.early:
            connection.data_received(data)

    def _to_control(self, transport: asyncio.Transport) -> None:
        self._doors.transports.discard(transport)
        connection = Connection(self._doors.control, self._doors.state, "")
        transport.set_protocol(connection)
        connection.connection_made(transport)
        connection.data_received(self._head)

    def _refuse(self, status: HTTPStatus, text: str, what: str) -> None:
        """Answer and close. Python clients show the reason phrase alone, so it names what was refused."""
        if self._transport is None:
            return
        named = "".join(character if " " <= character <= "~" else "?" for character in what)[:200]
        body = f"Slipway rehearsal: {text}{': ' if named else ''}{named}\n".encode()
        reason = f"Refused by the rehearsal{' ' if named else ''}{named}"
        head = f"HTTP/1.1 {status.value} {reason}\r\ncontent-type: text/plain\r\ncontent-length: {len(body)}"
        self._transport.write(f"{head}\r\nconnection: close\r\n\r\n".encode() + body)
        self._transport.close()
