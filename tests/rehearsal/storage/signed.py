"""A request to Azurite itself under an account's key."""

from __future__ import annotations

import time
from email.utils import formatdate

import httpx

from rehearsal.storage.signature import authorization


async def signed(client: httpx.AsyncClient, key: str, method: str, address: str, body: bytes = b"") -> httpx.Response:
    """To account `stkept`; a body makes a block blob."""
    path, _, query = address.partition("?")
    headers = {
        "host": "stkept.blob.core.windows.net",
        "x-ms-date": formatdate(time.time(), usegmt=True),
        "x-ms-version": "2024-11-04",
        "content-length": str(len(body)),
    }
    if body:
        headers["x-ms-blob-type"] = "BlockBlob"
    pairs = [tuple(pair.split("=", 1)) for pair in query.split("&") if pair]
    headers["authorization"] = authorization(
        account="stkept", key=key, method=method, path=path, query=[(p[0], p[1]) for p in pairs], headers=headers
    )
    return await client.request(method, address, headers=headers, content=body)
