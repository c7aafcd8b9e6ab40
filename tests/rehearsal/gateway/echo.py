"""A host that says what it was asked, counts, and takes and gives large bodies piece by piece."""

from __future__ import annotations

import hashlib
import json
from typing import Any

ASKED = {"count": 0}
PIECE = bytes(64 * 1024)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """GET /count: how often that was asked. GET /bytes/<n>: n bytes. /fail: an exception. Anything else: what it was asked."""
    path = scope["path"]
    if path == "/fail":
        raise RuntimeError("a stand-in has a bug")
    size, digest = 0, hashlib.sha256()
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        digest.update(message.get("body", b""))
        if not message.get("more_body"):
            break
    if path.startswith("/bytes/"):
        await _give(int(path.removeprefix("/bytes/")), send)
        return
    if path == "/count":
        ASKED["count"] += 1
    said = {
        "count": ASKED["count"],
        "method": scope["method"],
        "path": path,
        "size": size,
        "sha256": digest.hexdigest(),
    }
    body = json.dumps(said).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _give(size: int, send: Any) -> None:
    headers = [(b"content-length", str(size).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    while size > 0:
        piece = PIECE[:size]
        size -= len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": size > 0})
