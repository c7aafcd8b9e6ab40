"""Let the rules strike: around the stand-ins, before a request reaches one and before its answer leaves."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from rehearsal.gateway import error_shapes
from rehearsal.gateway.clients import process_of
from rehearsal.gateway.faults import Fault, Faults, Strike
from rehearsal.gateway.former import Former

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Any]
Receive = Callable[[], Any]
STRUCK = "slipway.struck"


class ConnectionCut(Exception):
    """The connection was cut on purpose."""


def with_faults(app: Any, faults: Faults) -> Any:
    """An ASGI app that lets the rules strike. A cut raises ConnectionCut after the transport is gone.

    The kinds of what struck a request are added to the list in its scope, under STRUCK.
    """
    former = Former()

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        remembering = faults.remembering
        stale = former.before_last_write(scope) if remembering else None
        struck = faults.striking(scope["method"], scope["slipway.host"], scope["path"], stale=stale is not None)
        if (storm := faults.storm) is not None:
            passed = await storm.meet(scope, receive, send)
            if passed is None:
                return
            scope, send, drawn = passed
            struck = [*struck, *(Strike(fault, fault.seconds) for fault in drawn)]
        scope.setdefault(STRUCK, []).extend(strike.fault.kind for strike in struck)
        if await _answered(struck, stale, scope, receive, send):
            return
        if remembering:
            await former.look(app, scope)
        if struck:
            send = _afterwards(struck, scope, send)
        await app(scope, receive, former.noting(scope, send) if remembering else send)

    return guarded


async def _answered(
    struck: Sequence[Strike], stale: Sequence[dict[str, Any]] | None, scope: Scope, receive: Receive, send: Send
) -> bool:
    """What strikes before the service sees the request; whether that was its answer."""
    for strike in struck:
        fault = strike.fault
        if not fault.after:
            await _happen(strike, scope)
        if fault.kind == "drop_before":
            _cut(scope)
        if fault.kind == "status" and not fault.after:
            await _read(receive)
            for message in _answer(fault, scope):
                await send(message)
            return True
        if fault.kind == "stale" and stale is not None:
            await _read(receive)
            for message in stale:
                await send(message)
            return True
    return False


def _afterwards(struck: Sequence[Strike], scope: Scope, send: Send) -> Send:
    """A `send` for what strikes between the service's work and its reply."""
    replaced = next((strike.fault for strike in struck if strike.fault.kind == "status"), None)

    async def sending(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            for strike in struck:
                if strike.fault.after:
                    await _happen(strike, scope)
                if strike.fault.kind == "drop_after":
                    _cut(scope)
            if replaced is not None:
                for own in _answer(replaced, scope):
                    await send(own)
        if replaced is not None:
            return
        if message["type"] == "http.response.body" and any(strike.fault.kind == "half_answer" for strike in struck):
            body = message.get("body", b"")
            await send({**message, "body": body[: len(body) // 2], "more_body": True})
            _cut(scope, at_once=False)
        await send(message)

    return sending


async def _happen(strike: Strike, scope: Scope) -> None:
    fault, seconds = strike
    if fault.kind == "latency":
        await asyncio.sleep(seconds)
    elif fault.kind == "silence":
        await asyncio.sleep(seconds)
        _cut(scope)
    elif fault.kind == "call" and fault.callback is not None:
        fault.callback()
    elif fault.kind == "kill":
        pid = fault.pid if fault.pid is not None else process_of(scope.get("client"))
        if pid is not None and pid != os.getpid():
            with suppress(ProcessLookupError):  # it ended by itself
                os.kill(pid, signal.SIGKILL)
        if fault.pid is None and not fault.after:
            _cut(scope)  # what it asked for never reached the service


async def _read(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


def _answer(fault: Fault, scope: Scope) -> list[dict[str, Any]]:
    if fault.body is None:
        kind, text = error_shapes.own(scope["slipway.host"], fault.status)
    else:
        kind, text = "application/json" if fault.body[:1] in ("{", "[") else "text/plain", fault.body
    # These have no body (RFC 9110, 6.4.1): what follows their head would be taken for the next answer.
    bare = fault.status in (204, 304) or scope["method"] == "HEAD"
    body = b"" if bare else text.encode()
    headers = {
        b"content-type": kind.encode(),
        **{name.lower().encode(): value.encode() for name, value in fault.headers},
    }
    headers[b"content-length"] = str(len(body)).encode()
    return [
        {"type": "http.response.start", "status": fault.status, "headers": list(headers.items())},
        {"type": "http.response.body", "body": body},
    ]


def _cut(scope: Scope, *, at_once: bool = True) -> NoReturn:
    transport = scope["slipway.transport"]
    if at_once:
        transport.abort()
    else:
        transport.close()
    raise ConnectionCut
