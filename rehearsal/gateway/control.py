"""The control door: faults and counters for tests in other processes. Only on the proxy's own port, addressed directly."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.gateway.faults import Fault

if TYPE_CHECKING:
    from rehearsal.gateway.gateway import Gateway

PREFIX = "/__rehearsal__/"
_SETTABLE = {field.name for field in fields(Fault)} - {"callback"}


def create_app(gateway: Gateway) -> Starlette:
    """GET requests; POST faults with a rule's fields as JSON; DELETE faults."""

    async def requests(_: Request) -> Response:
        return JSONResponse({"requests": dict(gateway.requests), "refused": dict(gateway.refused)})

    async def add(request: Request) -> Response:
        rule = await request.json()
        unknown = set(rule) - _SETTABLE
        if unknown:
            return JSONResponse({"error": f"a fault has no {', '.join(sorted(unknown))}"}, status_code=400)
        gateway.faults.add(Fault(**{**rule, "headers": tuple((rule.get("headers") or {}).items())}))
        return JSONResponse({})

    async def clear(_: Request) -> Response:
        gateway.faults.clear()
        return JSONResponse({})

    return Starlette(
        routes=[
            Route(f"{PREFIX}requests", requests),
            Route(f"{PREFIX}faults", add, methods=["POST"]),
            Route(f"{PREFIX}faults", clear, methods=["DELETE"]),
        ]
    )
