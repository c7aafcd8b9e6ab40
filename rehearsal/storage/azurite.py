"""Azurite as a child process: Microsoft's own storage emulator, blob service only, on loopback.

It starts with the first request. It reads its accounts when it starts, so it is started again when an account comes; requests that
it is serving then are waited for. Its data stays in the folder.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import trustme

from rehearsal.storage.accounts import StorageAccounts

PROGRAM = Path(__file__).resolve().parent.parent / "azurite/node_modules/azurite/dist/src/blob/main.js"
GUARD = Path(__file__).resolve().parent / "end_with_parent.cjs"
LOOPBACK = "127.0.0.1"
START_LIMIT_SECONDS = 60.0
STOP_LIMIT_SECONDS = 15.0
DRAIN_LIMIT_SECONDS = 60.0
FAILED_SECONDS = 30.0
TIMEOUT = httpx.Timeout(300, connect=10)
# Azurite closes a connection that was idle for 5 seconds; ours go earlier, so that none is closed under a request.
LIMITS = httpx.Limits(max_connections=128, max_keepalive_connections=64, keepalive_expiry=2.0)
_LOOK_SECONDS = 0.02


class AzuriteFailed(Exception):
    """Azurite did not come up; the text says why and where its log is."""


class Azurite:
    """Serves the accounts of `accounts`. Use `serving` for each request."""

    def __init__(self, folder: Path, accounts: StorageAccounts) -> None:
        self._folder = folder.absolute()
        self._accounts = accounts
        self._process: asyncio.subprocess.Process | None = None
        self._served: dict[str, tuple[str, str]] = {}
        self._changing = asyncio.Lock()
        self._in_use = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._client: httpx.AsyncClient | None = None
        self._failed: tuple[float, AzuriteFailed] | None = None
        self.log = self._folder / "azurite.log"
        self.starts = 0
        self.on_failure: Callable[[str], None] = lambda _: None
        """Is told why it did not start: the client that asked first may try again for minutes before it says so."""

    def check(self) -> None:
        """Raises AzuriteFailed when it is not installed."""
        _node()

    async def start(self) -> None:
        """Start it with the accounts that exist. Raises AzuriteFailed."""
        await self._ready()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client of it, for as long as the block runs; every account that exists is served. Raises AzuriteFailed."""
        await self._ready()
        if self._client is None:
            raise AzuriteFailed("Azurite was stopped")
        self._in_use += 1
        self._idle.clear()
        try:
            yield self._client
        finally:
            self._in_use -= 1
            if self._in_use == 0:
                self._idle.set()

    async def stop(self) -> None:
        async with self._changing:
            await self._stop()

    async def _ready(self) -> None:
        if self._current():
            return
        async with self._changing:
            if not self._current():
                self._refuse_while_failed()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._idle.wait(), DRAIN_LIMIT_SECONDS)
                await self._stop()
                try:
                    await self._start_on_a_free_port()
                except AzuriteFailed as failed:
                    self._failed = (asyncio.get_running_loop().time(), failed)
                    self.on_failure(str(failed))
                    raise

    def _refuse_while_failed(self) -> None:
        """Every retry of every client would otherwise wait for one more start that fails."""
        if self._failed is not None:
            since, failed = self._failed
            if asyncio.get_running_loop().time() < since + FAILED_SECONDS:
                raise failed
            self._failed = None

    def _current(self) -> bool:
        alive = self._process is not None and self._process.returncode is None
        return alive and self._served == self._accounts.all_keys()

    async def _start_on_a_free_port(self) -> None:
        """Another program, such as a second rehearsal, may take the port between our look and Azurite's."""
        for last in (False, False, True):
            try:
                await self._start()
                return
            except AzuriteFailed as failed:
                if last or "EADDRINUSE" not in str(failed):
                    raise

    async def _start(self) -> None:
        node = _node()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self._predecessor_gone()
        accounts, port = self._accounts.all_keys(), _free_port()
        words, trust = self._certificate()
        command = [
            node,
            "--require",
            str(GUARD),
            str(PROGRAM),
            "--blobHost",
            LOOPBACK,
            "--blobPort",
            str(port),
            "--location",
            str(self._folder),
        ]
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                *words,
                "--skipApiVersionCheck",
                "--disableTelemetry",
                "--silent",
                env={"PATH": os.environ.get("PATH", ""), "AZURITE_ACCOUNTS": self._account_list(accounts)},
                stdin=asyncio.subprocess.PIPE,  # its end tells Azurite that this process ended
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
            )
        self._pid_file.write_text(str(self._process.pid))
        await self._listening(self._process, port, trust)
        self._client = httpx.AsyncClient(
            base_url=f"https://{LOOPBACK}:{port}", timeout=TIMEOUT, limits=LIMITS, verify=trust, trust_env=False
        )
        self._served = accounts
        self.starts += 1

    async def _listening(self, process: asyncio.subprocess.Process, port: int, trust: ssl.SSLContext) -> None:
        """Returns when this Azurite, known by its certificate, takes connections."""
        deadline = asyncio.get_running_loop().time() + START_LIMIT_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            if process.returncode is not None:
                code, said = process.returncode, _last_line(self.log)
                raise AzuriteFailed(f"Azurite ended at its start with code {code}{said}; its log is {self.log}")
            try:
                _, writer = await asyncio.open_connection(LOOPBACK, port, ssl=trust, ssl_handshake_timeout=1.0)
            except OSError:
                await asyncio.sleep(_LOOK_SECONDS)
                continue
            writer.close()
            return
        raise AzuriteFailed(f"Azurite did not listen within {START_LIMIT_SECONDS:.0f} s; its log is {self.log}")

    async def _stop(self) -> None:
        process, client, self._served, self._client = self._process, self._client, {}, None
        if client is not None:
            await client.aclose()
        if process is None or process.returncode is not None:
            return
        process.terminate()  # it writes what it holds in memory, then ends
        try:
            await asyncio.wait_for(process.wait(), STOP_LIMIT_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
        self._pid_file.unlink(missing_ok=True)

    @property
    def _pid_file(self) -> Path:
        return self._folder / "azurite.pid"

    async def _predecessor_gone(self) -> None:
        """Wait for the Azurite of a rehearsal that was killed: it may still be writing into this folder."""
        text = self._pid_file.read_text() if self._pid_file.exists() else ""
        pid = int(text) if text.isdecimal() else 0
        deadline = asyncio.get_running_loop().time() + STOP_LIMIT_SECONDS
        while pid and _is_azurite_in(pid, self._folder):
            if asyncio.get_running_loop().time() > deadline:
                raise AzuriteFailed(
                    f"another rehearsal's Azurite (process {pid}) is still using {self._folder}: end it"
                )
            await asyncio.sleep(_LOOK_SECONDS)

    def _certificate(self) -> tuple[list[str], ssl.SSLContext]:
        """The words that make Azurite speak TLS (a signature made for https only is refused without it), and whom to trust."""
        authority = trustme.CA(organization_name="Slipway rehearsal")
        leaf = authority.issue_cert(LOOPBACK)
        certificate, key = self._folder / "tls.pem", self._folder / "tls.key"
        key.unlink(missing_ok=True)
        with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(leaf.private_key_pem.bytes())
        certificate.write_bytes(leaf.cert_chain_pems[0].bytes())
        trust = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
        return ["--cert", str(certificate), "--key", str(key)], trust

    def _account_list(self, accounts: Mapping[str, tuple[str, str]]) -> str:
        # With no list Azurite serves devstoreaccount1, which exists nowhere in Azure.
        pairs = [f"{name}:{':'.join(keys)}" for name, keys in accounts.items()]
        return ";".join(pairs) or f"none:{'A' * 86}=="


def _node() -> str:
    """Raises AzuriteFailed when there is no Node, or no Azurite."""
    node = shutil.which("node") or shutil.which("node", path=str(Path(sys.executable).parent))
    if node is None or not PROGRAM.is_file():
        raise AzuriteFailed("Azurite is not installed here: make setup installs it, and Node where there is none")
    return node


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")[-50:] if log.exists() else []
    # Of what Node says of an exception, the line with its name and text; its trace and its version follow.
    said = [line.strip() for line in lines if line.strip() and not line.startswith(("Node.js v", "    at "))]
    return f" ({said[-1][:300]})" if said else ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _is_azurite_in(pid: int, folder: Path) -> bool:
    """Whether that process is an Azurite over that folder; False where the system has no /proc to look into."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return str(PROGRAM).encode() in words and str(folder).encode() in words
