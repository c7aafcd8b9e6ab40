"""Which process is at the other end of a connection, where the system says so (Linux, for processes of the same user)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

_TABLE = Path("/proc/net/tcp")
_ESTABLISHED = "01"


def can_be_found() -> bool:
    """Whether clients can be found here at all."""
    return _TABLE.is_file()


def process_of(client: Sequence[object] | None) -> int | None:
    """The process that opened the connection which comes from this (address, port) of loopback; None when it is not to be seen."""
    inode = _socket(int(str(client[1]))) if client is not None else None
    return _holder(f"socket:[{inode}]") if inode else None


def _socket(port: int) -> str | None:
    try:
        lines = _TABLE.read_text().splitlines()[1:]
    except OSError:
        return None
    # sl, local address, remote address, state, queues, timer, retransmits, uid, timeout, inode (proc(5)).
    for fields in map(str.split, lines):
        if fields[1] == f"0100007F:{port:04X}" and fields[3] == _ESTABLISHED:
            return fields[9]
    return None


def _holder(socket: str) -> int | None:
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if any(os.readlink(each) == socket for each in (process / "fd").iterdir()):  # noqa: PTH115 - a link to no path
                return int(process.name)
        except OSError:  # another user's, or it has just ended
            continue
    return None
