"""Azurite at production hostnames: behind a small proxy that leads every CONNECT to it, with certificates made for it."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

PROGRAM = Path(__file__).parents[3] / "rehearsal/azurite/node_modules/azurite/dist/src/blob/main.js"
KEYS = {"stone": base64.b64encode(b"1" * 64).decode(), "sttwo": base64.b64encode(b"2" * 64).decode()}


@dataclass(frozen=True)
class Storage:
    """environment: what makes a process reach it."""

    environment: dict[str, str]


def available() -> bool:
    return PROGRAM.is_file() and _node() is not None


def _node() -> str | None:
    return shutil.which("node") or shutil.which("node", path=str(Path(sys.executable).parent))


@contextmanager
def serving(folder: Path) -> Iterator[Storage]:
    """Azurite with two accounts (KEYS), until the end of the block."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    leaf = authority.issue_cert("*.blob.core.windows.net", "*.dfs.core.windows.net")
    leaf.private_key_pem.write_to_path(folder / "key.pem")
    leaf.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    command = [
        _node() or "node",
        str(PROGRAM),
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        "0",
        "--cert",
        str(folder / "cert.pem"),
    ]
    azurite = subprocess.Popen(
        [
            *command,
            "--key",
            str(folder / "key.pem"),
            "--skipApiVersionCheck",
            "--disableTelemetry",
            "--inMemoryPersistence",
        ],
        env={"PATH": os.environ["PATH"], "AZURITE_ACCOUNTS": ";".join(f"{name}:{key}" for name, key in KEYS.items())},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert azurite.stdout is not None
        port = next(int(line.rsplit(":", 1)[1]) for line in azurite.stdout if "successfully listens" in line)
        with _tunnel(port) as proxy:
            certificate = str(folder / "ca.pem")
            names = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
            yield Storage(
                {**dict.fromkeys(names, proxy), "REQUESTS_CA_BUNDLE": certificate, "SSL_CERT_FILE": certificate}
            )
    finally:
        azurite.kill()
        azurite.communicate()


@contextmanager
def _tunnel(port: int) -> Iterator[str]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(lambda reader, writer: _connect(reader, writer, port), "127.0.0.1", 0)

    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _stop(server: asyncio.Server) -> None:
    server.close()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    request = await reader.readuntil(b"\r\n\r\n")
    if not request.split()[1].endswith(b".core.windows.net:443"):
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        return
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer), return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
