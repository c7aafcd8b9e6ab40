"""Who is at the other end of a connection on loopback, where the system says so (Linux)."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ESTABLISHED = "01"
Client = Sequence[object] | None
"""Address and port of the other end, as ASGI has it."""


def can_be_found() -> bool:
    """Whether clients can be found here at all."""
    return _TABLES[0].is_file()


def process_of(client: Client) -> int | None:
    """The process that opened the connection; None when it is not to be seen, being another user's for example."""
    entry = _entry(client)
    return _holder(f"socket:[{entry[9]}]") if entry is not None and entry[3] == _ESTABLISHED else None


def is_another_users(client: Client) -> bool:
    """Whether the connection is known to be of another user of this machine. One that nobody holds any more counts as root's."""
    entry = _entry(client)
    return entry is not None and int(entry[7]) != os.geteuid()


def _entry(client: Client) -> list[str] | None:
    """The client's side of the connection: sl, local address, remote address, state, queues, timer, retransmits, uid, timeout,
    inode (proc(5)). A program may have opened it as IPv6, with the IPv4 address inside."""
    if client is None:
        return None
    loopback = int.from_bytes(bytes((127, 0, 0, 1)), sys.byteorder)
    inside = int.from_bytes(b"\0\0\xff\xff", sys.byteorder)
    port = int(str(client[1]))
    addresses = (f"{loopback:08X}:{port:04X}", f"{0:016X}{inside:08X}{loopback:08X}:{port:04X}")
    for table, address in zip(_TABLES, addresses, strict=True):
        try:
            lines = table.read_text().splitlines()[1:]
        except OSError:
            continue
        entries = [fields for fields in map(str.split, lines) if fields[1] == address]
        if entries:  # beside one that is open there may be older ones of the same port, in TIME_WAIT
            return next((fields for fields in entries if fields[3] == _ESTABLISHED), entries[0])
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
