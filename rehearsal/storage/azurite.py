"""Azurite as a child process: Microsoft's own storage emulator, blob service only, on loopback.

It reads its accounts when it starts, so it is started again when an account comes. Its data stays in the folder.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
import socket
import sys
from pathlib import Path

from rehearsal.storage.accounts import StorageAccounts

PROGRAM = Path(__file__).resolve().parent.parent / "azurite/node_modules/azurite/dist/src/blob/main.js"
LOOPBACK = "127.0.0.1"
START_LIMIT_SECONDS = 60.0
STOP_LIMIT_SECONDS = 15.0
_PR_SET_PDEATHSIG = 1


class AzuriteFailed(Exception):
    """Azurite did not come up; the text says why and where its log is."""


class Azurite:
    """Serves the accounts of `accounts`; `base_url` is where, once `ready` has returned."""

    def __init__(self, folder: Path, accounts: StorageAccounts) -> None:
        self._folder = folder
        self._accounts = accounts
        self._process: asyncio.subprocess.Process | None = None
        self._served: list[str] = []
        self._changing = asyncio.Lock()
        self.log = folder / "azurite.log"
        self.base_url = ""

    async def start(self) -> None:
        """Start it with the accounts that exist. Raises AzuriteFailed."""
        async with self._changing:
            await self._start()

    async def ready(self) -> None:
        """Return when it serves every account that exists; starts it again for a new one. Raises AzuriteFailed."""
        if self._served == self._accounts.names() and self._alive():
            return
        async with self._changing:
            if self._served != self._accounts.names() or not self._alive():
                await self._stop()
                await self._start()

    async def stop(self) -> None:
        async with self._changing:
            await self._stop()

    def _alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def _start(self) -> None:
        node = shutil.which("node") or shutil.which("node", path=str(Path(sys.executable).parent))
        if node is None or not PROGRAM.is_file():
            raise AzuriteFailed("Azurite is not installed here: make setup installs it, and Node where there is none")
        self._folder.mkdir(parents=True, exist_ok=True)
        names, port = self._accounts.names(), _free_port()
        command = [node, str(PROGRAM), "--blobHost", LOOPBACK, "--blobPort", str(port), "--location", str(self._folder)]
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                "--skipApiVersionCheck",
                "--disableTelemetry",
                "--silent",
                env={"PATH": os.environ.get("PATH", ""), "AZURITE_ACCOUNTS": self._account_list(names)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        await self._listening(port)
        self.base_url = f"http://{LOOPBACK}:{port}"
        self._served = names

    async def _listening(self, port: int) -> None:
        deadline = asyncio.get_running_loop().time() + START_LIMIT_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            if not self._alive():
                raise AzuriteFailed(f"Azurite ended at its start; its log is {self.log}")
            try:
                _, writer = await asyncio.open_connection(LOOPBACK, port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
        raise AzuriteFailed(f"Azurite did not listen within {START_LIMIT_SECONDS:.0f} s; its log is {self.log}")

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_LIMIT_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()

    def _account_list(self, names: list[str]) -> str:
        # With no list Azurite serves devstoreaccount1, which exists nowhere in Azure.
        pairs = [f"{name}:{':'.join(self._accounts.ensure(name))}" for name in names]
        return ";".join(pairs) or f"none:{'A' * 86}=="


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _end_with_parent() -> None:
    """Ask Linux to end the child when this process is killed; SIGTERM lets Azurite write what it holds."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
