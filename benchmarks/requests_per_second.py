"""How many requests a second the Databricks stand-in answers through the gateway: TLS, token, permissions and record included.

    PYTHONPATH=scripts:. .venv/bin/python benchmarks/requests_per_second.py [--profile]         (Linux)

The stand-ins run in a process of their own, on one core; the client is this process, on the other, with a few connections that
stay open and one request at a time on each. Prints requests per second by the clock, and per second of the stand-ins' processor
time: on a machine that does other things the second is what an idle one would give. --profile shows where that time goes.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CONNECTIONS = 8
REQUESTS = 4000
ROUNDS = 5
HOST = "adb-7405612345678901.1.azuredatabricks.net"


def serve(folder: Path, profiled: bool) -> None:
    """The stand-ins' process: says where they are, and ends when its input does."""
    import cProfile
    import pstats

    from rehearsal.command import _releases
    from rehearsal.compose import compose
    from rehearsal.entra.directory import AZURE_DATABRICKS_APP
    from rehearsal.setup import ROOT

    _pin(0)

    async def run() -> None:
        azure = compose(folder, _releases(ROOT), datasets=folder, clock=time.time, role_delay_seconds=0)
        await azure.gateway.start()
        admin = next(iter(azure.admins.values()))
        token = azure.world.directory.issue_token(
            tenant_id=admin.tenant_id, app_id=admin.client_id, audience=AZURE_DATABRICKS_APP
        )
        said = {"port": azure.gateway.port, "ca": azure.gateway.exports()["SSL_CERT_FILE"], "token": token}
        print(json.dumps(said), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await azure.gateway.stop()
        for close in azure.closing:
            await close()

    profile = cProfile.Profile(time.process_time) if profiled else None
    if profile is not None:
        profile.enable()
    asyncio.run(run())
    if profile is not None:
        profile.disable()
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(35)


class Client:
    """A few connections through the proxy that stay open."""

    def __init__(self, server: dict[str, Any]) -> None:
        self._server = server
        self._context = ssl.create_default_context(cafile=server["ca"])

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._server["port"])
        writer.write(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        await writer.start_tls(self._context, server_hostname=HOST)
        return reader, writer

    def head(self, method: str, path: str, body: bytes = b"") -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", f"Authorization: Bearer {self._server['token']}"]
        lines += [f"Content-Length: {len(body)}", "Content-Type: application/json"] if body else []
        return "\r\n".join([*lines, "", ""]).encode() + body

    @staticmethod
    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"{head.decode()}{body.decode()}")
        return body

    async def prepare(self) -> list[bytes]:
        """Two notebooks and a job; what is asked of them afterwards."""
        reader, writer = await self.open()
        content = base64.b64encode(b"# Databricks notebook source\n1").decode()
        for path in ("/one", "/two"):
            notebook = {"path": path, "content": content, "language": "PYTHON", "overwrite": True}
            await self.ask(
                reader, writer, self.head("POST", "/api/2.0/workspace/import", json.dumps(notebook).encode())
            )
        cluster = {"spark_version": "16.4.x-scala2.12", "node_type_id": "Standard_D4ds_v5", "num_workers": 1}
        task = {"task_key": "t", "notebook_task": {"notebook_path": "/one"}, "new_cluster": cluster}
        job = json.dumps({"name": "measured", "tasks": [task]}).encode()
        made = json.loads(await self.ask(reader, writer, self.head("POST", "/api/2.1/jobs/create", job)))
        writer.close()
        paths = (
            "/api/2.0/workspace/get-status?path=%2Fone",
            f"/api/2.1/jobs/get?job_id={made['job_id']}",
            "/api/2.0/workspace/list?path=%2F",
            "/api/2.0/preview/scim/v2/Me",
        )
        return [self.head("GET", path) for path in paths]

    async def round(self, requests: list[bytes]) -> float:
        """Seconds for REQUESTS requests over CONNECTIONS connections."""
        connections = [await self.open() for _ in range(CONNECTIONS)]

        async def work(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for number in range(REQUESTS // CONNECTIONS):
                await self.ask(reader, writer, requests[number % len(requests)])

        began = time.perf_counter()
        await asyncio.gather(*(work(*connection) for connection in connections))
        seconds = time.perf_counter() - began
        for _, writer in connections:
            writer.close()
        return seconds


async def measure(server: dict[str, Any], pid: int) -> None:
    client = Client(server)
    requests = await client.prepare()
    await client.round(requests)  # warm
    clock, processor = [], []
    for _ in range(ROUNDS):
        before = _processor(pid)
        clock.append(REQUESTS / await client.round(requests))
        processor.append(REQUESTS / (_processor(pid) - before))
    print(f"{CONNECTIONS} connections, {ROUNDS} rounds of {REQUESTS} requests, load {os.getloadavg()[0]:.1f}:")
    print(f"{statistics.median(clock):,.0f} requests/s by the clock (best {max(clock):,.0f})")
    print(f"{statistics.median(processor):,.0f} requests per second of the stand-ins' processor")


def _processor(pid: int) -> float:
    """Seconds of the processor that a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _pin(core: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[core % len(cores)]})


def main() -> int:
    if sys.argv[1:2] == ["serve"]:
        serve(Path(sys.argv[2]), "--profile" in sys.argv)
        return 0
    _pin(1)
    more = ["--profile"] if "--profile" in sys.argv else []
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "serve", folder, *more]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            if process.stdin is None or process.stdout is None:
                raise SystemExit("the stand-ins have no pipes")
            line = process.stdout.readline()
            if line:
                asyncio.run(measure(json.loads(line), process.pid))
            process.stdin.close()
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
