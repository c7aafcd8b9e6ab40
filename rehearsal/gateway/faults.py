"""Troubles on request: what a release must survive, as rules over the requests that pass the gateway."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal, NoReturn

if TYPE_CHECKING:
    from rehearsal.gateway.storm import Storm

Kind = Literal["latency", "status", "drop_before", "drop_after", "half_answer", "call", "kill"]


@dataclass(kw_only=True)
class Fault:
    """One rule.

    kind: `latency` waits `seconds`; `status` answers `status`, `headers`, `body` instead of the service; `drop_before` cuts the
    connection before the service sees the request; `drop_after` after it took effect (the reply is lost); `half_answer` cuts it
    in the middle of the first piece of the body; `call` calls `callback`; `kill` kills process `pid` (SIGKILL).
    after: `latency`, `call` and `kill` come when the service has done its work and before the reply is sent.
    method, host, path: shell patterns. skip: let so many matching requests pass first. times: how often it strikes, None = always.
    struck: how often it did.
    """

    kind: Kind
    method: str = "*"
    host: str = "*"
    path: str = "*"
    skip: int = 0
    times: int | None = 1
    after: bool = False
    seconds: float = 0.0
    status: int = 503
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    callback: Callable[[], None] | None = None
    pid: int | None = None
    struck: int = 0

    def __post_init__(self) -> None:
        for kind, field in (("call", "callback"), ("kill", "pid")):
            if self.kind == kind and getattr(self, field) is None:
                raise ValueError(f"a fault of kind {kind} needs a {field}")

    def strikes(self, method: str, host: str, path: str) -> bool:
        """Whether it strikes this request; counts the request when it matches."""
        if not (fnmatchcase(method, self.method) and fnmatchcase(host, self.host) and fnmatchcase(path, self.path)):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None and self.struck >= self.times:
            return False
        self.struck += 1
        return True

    @property
    def used_up(self) -> bool:
        return self.times is not None and self.struck >= self.times


class Faults:
    """The rules in force, asked in the order in which they were added."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self.storm: Storm | None = None
        """Beside the rules: troubles by chance. A cut of the rules goes first."""

    def add(self, fault: Fault) -> Fault:
        self._rules.append(fault)
        return fault

    def rules(self) -> list[Fault]:
        return list(self._rules)

    def clear(self) -> None:
        self._rules.clear()
        self.storm = None

    def striking(self, method: str, host: str, path: str) -> list[Fault]:
        """The rules that strike this request; those that are used up go."""
        if not self._rules:
            return []
        struck = [rule for rule in self._rules if rule.strikes(method, host, path)]
        self._rules = [rule for rule in self._rules if not rule.used_up]
        return struck


Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Any]
Receive = Callable[[], Any]


class ConnectionCut(Exception):
    """The connection was cut on purpose."""


def with_faults(app: Any, faults: Faults) -> Any:
    """An ASGI app that lets the rules strike. A cut raises ConnectionCut after the transport is gone."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        struck = faults.striking(scope["method"], scope["slipway.host"], scope["path"])
        if (storm := faults.storm) is not None:
            passed = await storm.meet(scope, receive, send)
            if passed is None:
                return
            scope, send, drawn = passed
            struck = [*struck, *drawn]
        for fault in struck:
            if not fault.after:
                await _happen(fault)
            if fault.kind == "drop_before":
                _cut(scope)
            if fault.kind == "status":
                await _answer(fault, receive, send)
                return
        await app(scope, receive, _afterwards(struck, scope, send) if struck else send)

    return guarded


def _afterwards(struck: list[Fault], scope: Scope, send: Send) -> Send:
    """A `send` for what strikes between the service's work and its reply."""

    async def sending(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            for fault in struck:
                if fault.after:
                    await _happen(fault)
                if fault.kind == "drop_after":
                    _cut(scope)
        elif any(fault.kind == "half_answer" for fault in struck):
            body = message.get("body", b"")
            await send({**message, "body": body[: len(body) // 2], "more_body": True})
            _cut(scope, at_once=False)
        await send(message)

    return sending


async def _happen(fault: Fault) -> None:
    if fault.kind == "latency":
        await asyncio.sleep(fault.seconds)
    elif fault.kind == "call" and fault.callback is not None:
        fault.callback()
    elif fault.kind == "kill" and fault.pid is not None:
        with suppress(ProcessLookupError):  # it ended by itself
            os.kill(fault.pid, signal.SIGKILL)


async def _answer(fault: Fault, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    body = fault.body.encode()
    kind = b"application/json" if fault.body[:1] in ("{", "[") else b"text/plain"
    headers = {b"content-type": kind, **{name.lower().encode(): value.encode() for name, value in fault.headers}}
    headers[b"content-length"] = str(len(body)).encode()
    await send({"type": "http.response.start", "status": fault.status, "headers": list(headers.items())})
    await send({"type": "http.response.body", "body": body})


def _cut(scope: Scope, *, at_once: bool = True) -> NoReturn:
    transport = scope["slipway.transport"]
    if at_once:
        transport.abort()
    else:
        transport.close()
    raise ConnectionCut
