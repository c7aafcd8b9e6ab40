"""The control door: faults and counters for tests in other processes. Only on the proxy's own port, addressed directly."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_args

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.gateway.faults import Fault, Kind

if TYPE_CHECKING:
    from rehearsal.gateway.gateway import Gateway

PREFIX = "/__rehearsal__/"
_SETTABLE = {field.name for field in fields(Fault)} - {"callback", "struck"}
_TEXTS = ("method", "host", "path", "body")
_NUMBERS = {"skip": (0, None), "times": (1, None), "seconds": (0, 600), "status": (200, 599), "pid": (2, None)}


def create_app(gateway: Gateway) -> Starlette:
    """GET requests: counters and the latest requests. GET, POST (a rule's fields as JSON) and DELETE faults."""

    async def requests(_: Request) -> Response:
        log = gateway.log
        counters = ("requests", "served", "failures", "unimplemented", "refused")
        return JSONResponse({**{name: dict(getattr(log, name)) for name in counters}, "recent": list(log.recent)})

    async def listed(_: Request) -> Response:
        return JSONResponse({"faults": [_shown(fault) for fault in gateway.faults.rules()]})

    async def add(request: Request) -> Response:
        try:
            gateway.faults.add(fault_from(json.loads(await request.body())))
        except ValueError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse({})

    async def clear(_: Request) -> Response:
        gateway.faults.clear()
        return JSONResponse({})

    def guarded(handler: Any) -> Any:
        async def handle(request: Request) -> Response:
            # A page in a browser may not get here, be it through a name of its own that leads to loopback.
            if request.url.hostname not in ("127.0.0.1", "localhost") or "origin" in request.headers:
                return JSONResponse({"error": "the control door is for programs on this machine"}, status_code=403)
            answer: Response = await handler(request)
            return answer

        return handle

    return Starlette(
        routes=[
            Route(f"{PREFIX}requests", guarded(requests)),
            Route(f"{PREFIX}faults", guarded(listed)),
            Route(f"{PREFIX}faults", guarded(add), methods=["POST"]),
            Route(f"{PREFIX}faults", guarded(clear), methods=["DELETE"]),
        ]
    )


def fault_from(rule: Any) -> Fault:
    """A fault from JSON. Raises ValueError, with a text that names the field."""
    if not isinstance(rule, dict):
        raise ValueError("a fault is an object")
    if unknown := set(rule) - _SETTABLE:
        raise ValueError(f"a fault has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(_SETTABLE))}")
    if rule.get("kind") not in get_args(Kind):
        raise ValueError(f"kind is one of {', '.join(get_args(Kind))}")
    for name in _TEXTS:
        if not isinstance(rule.get(name, ""), str):
            raise ValueError(f"{name} is a string")
    for name, (least, most) in _NUMBERS.items():
        value = rule.get(name)
        if value is not None and not _within(value, least, most, whole=name != "seconds"):
            raise ValueError(f"{name} is a number from {least}{f' to {most}' if most else ''}")
    headers = rule.get("headers", {})
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise ValueError("headers is an object of strings")
    fields_given = {name: value for name, value in rule.items() if value is not None or name == "times"}
    return Fault(**{**fields_given, "headers": tuple(headers.items())})


def _within(value: object, least: float, most: float | None, *, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        return False
    return least <= value and (most is None or value <= most)


def _shown(fault: Fault) -> dict[str, Any]:
    shown = {name: getattr(fault, name) for name in (*_SETTABLE, "struck")}
    return {**shown, "headers": dict(fault.headers)}
