"""Troubles on request: what a release must survive, as rules over the requests that pass the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

Kind = Literal["latency", "status", "drop_before", "drop_after", "half_answer", "call"]


@dataclass(kw_only=True)
class Fault:
    """One rule.

    kind: `latency` waits `seconds`; `status` answers `status`, `headers`, `body` instead of the service; `drop_before` cuts the
    connection before the service sees the request; `drop_after` after it took effect (the reply is lost); `half_answer` cuts it
    in the middle of the body; `call` calls `callback` and goes on.
    method, host, path: shell patterns. skip: let so many matching requests pass first. times: how often it strikes, None = always.
    """

    kind: Kind
    method: str = "*"
    host: str = "*"
    path: str = "*"
    skip: int = 0
    times: int | None = 1
    seconds: float = 0.0
    status: int = 503
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    callback: Callable[[], None] | None = None

    def strikes(self, method: str, host: str, path: str) -> bool:
        """Whether it strikes this request; counts the request when it matches."""
        if not (fnmatchcase(method, self.method) and fnmatchcase(host, self.host) and fnmatchcase(path, self.path)):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is None:
            return True
        self.times -= 1
        return self.times >= 0


class Faults:
    """The rules in force, asked in the order in which they were added."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        self._rules.append(fault)
        return fault

    def clear(self) -> None:
        self._rules.clear()

    def striking(self, method: str, host: str, path: str) -> list[Fault]:
        """The rules that strike this request; those that are used up go."""
        struck = [rule for rule in self._rules if rule.strikes(method, host, path)]
        self._rules = [rule for rule in self._rules if rule.times is None or rule.times > 0]
        return struck


Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Any]
Receive = Callable[[], Any]


class ConnectionCut(Exception):
    """The connection was cut on purpose."""


def with_faults(app: Any, faults: Faults) -> Any:
    """An ASGI app that lets the rules strike. A cut raises ConnectionCut after the transport is gone."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        host = header(scope, b"host")
        struck = faults.striking(scope["method"], host, scope["path"])
        for fault in struck:
            match fault.kind:
                case "latency":
                    await asyncio.sleep(fault.seconds)
                case "call" if fault.callback is not None:
                    fault.callback()
                case "drop_before":
                    _cut(scope)
                case "status":
                    await _answer(fault, receive, send)
                    return
        kinds = {fault.kind for fault in struck}
        if "drop_after" in kinds:
            await app(scope, receive, _swallow)
            _cut(scope)
        await app(scope, receive, _half(scope, send) if "half_answer" in kinds else send)

    return guarded


def header(scope: Scope, name: bytes) -> str:
    """A request header of an ASGI scope, "" when it is not there; a port is taken off the host."""
    value = next((value for key, value in scope["headers"] if key == name), b"").decode("latin-1")
    return value.partition(":")[0].lower() if name == b"host" else value


async def _answer(fault: Fault, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    headers = [(name.lower().encode(), value.encode()) for name, value in fault.headers]
    body = fault.body.encode()
    await send(
        {
            "type": "http.response.start",
            "status": fault.status,
            "headers": [*headers, (b"content-length", str(len(body)).encode())],
        }
    )
    await send({"type": "http.response.body", "body": body})


def _half(scope: Scope, send: Send) -> Send:
    async def half(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            body = message.get("body", b"")
            await send({**message, "body": body[: len(body) // 2], "more_body": True})
            _cut(scope, at_once=False)
        await send(message)

    return half


async def _swallow(_: dict[str, Any]) -> None:
    return None


def _cut(scope: Scope, *, at_once: bool = True) -> None:
    transport = scope["slipway.transport"]
    if at_once:
        transport.abort()
    else:
        transport.close()
    raise ConnectionCut
