"""The control address: faults, storms and the record of requests, for programs on this machine. docs/faults.md shows its use.

It is on the proxy's own port, addressed directly, and speaks plain HTTP on loopback. A page in a browser of this machine can send
requests there too: it gets nowhere, because such a request says where it comes from (Origin, Sec-Fetch-Site), because a name of
the page's own that leads to loopback is not ours (Host; DNS rebinding), and because what changes anything must be JSON, which a
page may not send to another origin before it has asked; and nobody answers that. Where the system says whose a connection is
(Linux), another user's is refused too.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.gateway import clients
from rehearsal.gateway.control_rules import fault_from, shown, storm_from

if TYPE_CHECKING:
    from rehearsal.gateway.gateway import Gateway

PREFIX = "/__rehearsal__/"
LARGEST_BODY = 1024 * 1024
HELP = {
    "GET requests": "counters and the latest requests; ?after=NUMBER&limit=NUMBER for those that came after one, "
    "and method, host, path (patterns) for some of them",
    "DELETE requests": "forget them (requests.log stays)",
    "GET faults": "the rules in force",
    "POST faults": "add a rule, or a list of rules",
    "DELETE faults": "take all rules back, and the storm",
    "PUT storm": "trouble by chance for a share of all requests",
    "DELETE storm": "end it",
    "POST reset": "all of this as it was at the start",
}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def create_app(gateway: Gateway) -> Any:
    """The app behind PREFIX. Refusals are JSON: {"error": "…"}."""
    doors = _Doors(gateway)
    app = Starlette(
        routes=[
            Route(PREFIX, doors.help),
            Route(f"{PREFIX}requests", doors.requests),
            Route(f"{PREFIX}requests", doors.forget, methods=["DELETE"]),
            Route(f"{PREFIX}faults", doors.faults),
            Route(f"{PREFIX}faults", doors.add, methods=["POST"]),
            Route(f"{PREFIX}faults", doors.clear, methods=["DELETE"]),
            Route(f"{PREFIX}storm", doors.storm, methods=["PUT"]),
            Route(f"{PREFIX}storm", doors.calm, methods=["DELETE"]),
            Route(f"{PREFIX}reset", doors.reset, methods=["POST"]),
            Route("/{path:path}", doors.unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ]
    )

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        refusal = _refusal(Request(scope), gateway.port)
        await (app if refusal is None else refusal)(scope, receive, send)

    return guarded


def _refusal(request: Request, port: int) -> Response | None:
    headers = request.headers
    if clients.is_another_users(request.scope.get("client")):
        return _said("the control address is for the user who started this rehearsal", 403)
    if headers.get("host", "") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
        return _said("this is the control address of a rehearsal: http://127.0.0.1:PORT, by no other name", 403)
    if "origin" in headers or headers.get("sec-fetch-site", "none") != "none":
        return _said("the control address is for programs on this machine, not for pages in a browser", 403)
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method in ("POST", "PUT", "PATCH") and content_type != "application/json":
        return _said("send JSON, with the header Content-Type: application/json", 415)
    return None


class _Doors:
    """The handlers."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def help(self, _: Request) -> Response:
        return _answer({name.replace(" ", f" {PREFIX}"): text for name, text in HELP.items()})

    async def requests(self, request: Request) -> Response:
        log, query = self._gateway.log, request.query_params
        after, limit = query.get("after", ""), query.get("limit", "500")
        if not (limit.isdecimal() and (after.isdecimal() or not after)):
            return _said("after and limit are whole numbers", 400)
        kept = list(log.recent)
        wanted = {name: query[name] for name in ("method", "host", "path") if name in query}
        recent = [entry for entry in kept if entry["number"] > int(after or 0) and _fits(entry, wanted)]
        recent = recent[: int(limit)] if after else recent[-int(limit) or len(recent) :]
        counters = {name: dict(getattr(log, name)) for name in log.COUNTERS}
        oldest = kept[0]["number"] if kept else log.number + 1
        return _answer({**counters, "number": log.number, "oldest": oldest, "recent": recent, "file": str(log.file)})

    async def forget(self, _: Request) -> Response:
        self._gateway.log.forget()
        return _answer({})

    async def faults(self, _: Request) -> Response:
        faults = self._gateway.faults
        storm = faults.storm
        blowing = None if storm is None else {"share": storm.share, "seed": storm.seed, "struck": dict(storm.struck)}
        return _answer({"faults": [shown(fault) for fault in faults.rules()], "storm": blowing})

    async def add(self, request: Request) -> Response:
        try:
            given = await _json(request)
            rules = [fault_from(rule) for rule in (given if isinstance(given, list) else [given])]
        except ValueError as error:
            return _said(str(error), 400)
        for rule in rules:
            self._gateway.faults.add(rule)
        return _answer({"added": len(rules)})

    async def clear(self, _: Request) -> Response:
        self._gateway.faults.clear()
        return _answer({})

    async def storm(self, request: Request) -> Response:
        try:
            self._gateway.faults.storm = storm_from(await _json(request), self._gateway.aged)
        except ValueError as error:
            return _said(str(error), 400)
        return _answer({})

    async def calm(self, _: Request) -> Response:
        self._gateway.faults.storm = None
        return _answer({})

    async def reset(self, _: Request) -> Response:
        self._gateway.faults.clear()
        self._gateway.log.forget()
        return _answer({})

    async def unknown(self, request: Request) -> Response:
        return _said(f"there is no {request.method} {request.url.path} here; GET {PREFIX} says what there is", 404)


def _fits(entry: dict[str, Any], wanted: dict[str, str]) -> bool:
    return all(fnmatchcase(entry.get(name, ""), pattern) for name, pattern in wanted.items())


async def _json(request: Request) -> Any:
    """Raises ValueError."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise ValueError(f"the body is larger than {LARGEST_BODY} bytes")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("the body is no JSON") from error


def _answer(body: dict[str, Any]) -> Response:
    return _json_response(body, 200)


def _said(text: str, status: int) -> Response:
    return _json_response({"error": text}, status)


def _json_response(body: dict[str, Any], status: int) -> Response:
    # With a line's end: curl adds none.
    return Response(json.dumps(body) + "\n", status, headers=_HEADERS, media_type="application/json")
