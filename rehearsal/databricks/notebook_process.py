"""One notebook as a process of its own: started with a specification on its standard input, ended by killing its group.

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
    """Run the command to its end. Cancelling kills the process and everything that it started in its group."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=REPOSITORY,
        env=dict(environment),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_die_with_parent if _LIBC else None,
    )
    try:
        words = asyncio.ensure_future(_last_words(process))
        await _send(process, json.dumps(specification).encode())
        await process.wait()
        said = await words
    finally:
        await _kill(process)
    return Ended(_result(scratch), process.returncode or 0, _without_secrets(said, specification))


def _die_with_parent() -> None:
    """In the child: a rehearsal that is killed takes its notebooks along, as a lost cluster does."""
    if _LIBC:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


async def _send(process: asyncio.subprocess.Process, data: bytes) -> None:
    if process.stdin is None:
        return
    # A process that ends before it read everything is told apart by its missing result.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()


async def _last_words(process: asyncio.subprocess.Process) -> str:
    lines: deque[bytes] = deque(maxlen=KEPT_LINES)
    pending = b""
    if process.stderr:
        while piece := await process.stderr.read(65536):
            *whole, pending = (pending + piece).split(b"\n")
            lines.extend(whole)
            pending = pending[-65536:]
    return b"\n".join([*lines, pending]).decode("utf-8", "replace").strip()


async def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.returncode is None:
        await process.wait()


def _result(scratch: Path) -> dict[str, Any] | None:
    try:
        result = json.loads((scratch / "result.json").read_text())
    except (OSError, ValueError):
        return None
    return result if isinstance(result, dict) and result.get("state") in ("SUCCESS", "FAILED") else None


def _without_secrets(text: str, specification: Mapping[str, Any]) -> str:
    values = {value for scope in specification.get("secrets", {}).values() for value in scope.values() if value}
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "[REDACTED]")
    return text
