"""One task as a process of its own: started with a specification on its standard input, ended by killing its group and whatever
else it started.

Nothing secret touches the disk or a message: the specification goes through a pipe, and what the process says on its error
output is kept in memory, with the secrets' values taken out.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEPT_LINES = 60
# Every process of a run has it from its start, also one that left the group: it says which run it belongs to.
MARK = "SLIPWAY_REHEARSAL_RUN"
LONGEST_RESULT = 64 * 1024 * 1024
PATIENCE_SECONDS = 5.0  # for the last words of a process that has ended
REPOSITORY = Path(__file__).resolve().parents[2]
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Ended:
    """How the process ended: its result, or None when it left none, with its exit code and last words."""

    result: dict[str, Any] | None
    exit_code: int
    last_words: str


async def run(
    command: list[str], specification: dict[str, Any], scratch: Path, environment: Mapping[str, str]
) -> Ended:
    """Run the command to its end. Whatever it started ends with it; cancelling ends all of it too."""
    mark = str(scratch)
    heard, said = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=REPOSITORY,
            env={**environment, MARK: mark},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            # Not asyncio's own pipe: a child that holds on to it would keep `wait` from seeing that the process has ended.
            stderr=said,
            start_new_session=True,
            preexec_fn=_begin if _LIBC else None,
        )
    except BaseException:
        os.close(heard)
        raise
    finally:
        os.close(said)
    words = LastWords()
    listening = asyncio.ensure_future(words.hear(heard))
    try:
        await _send(process, json.dumps(specification).encode())
        await process.wait()
    finally:
        await _kill(process, mark)
        # A process that got away may hold the other end of the pipe.
        await asyncio.wait([listening], timeout=PATIENCE_SECONDS)
        listening.cancel()
    return Ended(_result(scratch), process.returncode or 0, _without_secrets(words.text(), specification))


def _begin() -> None:
    """In the child: a rehearsal that is killed takes its notebooks along, as a lost cluster does; and when memory runs out, the
    system ends the notebook and not the rehearsal."""
    if _LIBC:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("900")


async def _send(process: asyncio.subprocess.Process, data: bytes) -> None:
    if process.stdin is None:
        return
    # A process that ends before it read everything is told apart by its missing result.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()


class LastWords:
    """The last lines of a pipe, however much it says."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque(maxlen=KEPT_LINES)
        self._pending = b""

    async def hear(self, pipe: int) -> None:
        """Listen until every writer is gone; the pipe is closed then, or when this is cancelled."""
        stream = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(pipe, "rb", buffering=0)
        )
        try:
            while piece := await stream.read(65536):
                *whole, pending = (self._pending + piece).split(b"\n")
                self._lines.extend(line[-65536:] for line in whole)
                self._pending = pending[-65536:]
        finally:
            transport.close()

    def text(self) -> str:
        return b"\n".join([*self._lines, self._pending]).decode("utf-8", "replace").strip()


async def _kill(process: asyncio.subprocess.Process, mark: str) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    kill_marked(mark)
    if process.returncode is None:
        await process.wait()


def kill_marked(mark: str) -> None:
    """End every process that carries the mark of a run, or of any run below that folder; one that forks while this goes on as well.

    Linux only: elsewhere a process that leaves the run's group outlives it.
    """
    for _ in range(20):
        found = _marked(mark)
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            return


def _marked(mark: str) -> list[int]:
    wanted = f"{MARK}={mark}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            variables = (folder / "environ").read_bytes().split(b"\0")
            if any(each == wanted or each.startswith(wanted + b"/") for each in variables):
                found.append(int(folder.name))
    return found


def _result(scratch: Path) -> dict[str, Any] | None:
    path = scratch / "result.json"
    try:
        if path.stat().st_size > LONGEST_RESULT:
            return None
        result = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return result if isinstance(result, dict) and result.get("state") in ("SUCCESS", "FAILED") else None


def _without_secrets(text: str, specification: Mapping[str, Any]) -> str:
    values = {value for scope in specification.get("secrets", {}).values() for value in scope.values() if value}
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "[REDACTED]")
    return text
