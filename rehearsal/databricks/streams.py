"""Streamed uploads to DBFS: `create` opens one, `add-block` adds up to 1 MB, `close` puts the file in place.

Rules: DBFS API docs (a handle that nobody used for ten minutes is closed; a block is at most 1 MB, decoded).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rehearsal.databricks.dbfs import BLOCK
from rehearsal.databricks.errors import ApiError, missing

IDLE_SECONDS = 600


@dataclass
class Stream:
    """An upload that is going on. `owner`: who opened it; a handle is of no use to others (unverified)."""

    owner: str
    part: Path
    target: Path
    used: float


class Streams:
    """The open uploads of one workspace. A restart closes them all, as it loses the service's own handles."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock
        self._open: dict[int, Stream] = {}

    def open(self, owner: str, target: Path) -> int:
        """A handle for a new file. It is there from now on, empty (unverified), so that another `create` finds it."""
        self._forget_idle()
        handle = secrets.randbits(52)
        part = self._folder / f"stream-{handle}"
        part.touch()
        target.touch()
        self._open[handle] = Stream(owner, part, target, self._clock())
        return handle

    def add(self, owner: str, handle: int, block: bytes) -> None:
        stream = self._get(owner, handle)
        if len(block) > BLOCK:
            raise ApiError(400, "MAX_BLOCK_SIZE_EXCEEDED", f"The block is larger than the limit of {BLOCK} bytes")
        with stream.part.open("ab") as file:
            file.write(block)
        stream.used = self._clock()

    def close(self, owner: str, handle: int) -> None:
        stream = self._get(owner, handle)
        stream.target.parent.mkdir(parents=True, exist_ok=True)
        stream.part.replace(stream.target)
        del self._open[handle]

    def _get(self, owner: str, handle: int) -> Stream:
        self._forget_idle()
        stream = self._open.get(handle)
        if stream is None or stream.owner != owner:
            raise missing(f"No open stream with handle {handle} exists")  # code documented, text unverified
        return stream

    def _forget_idle(self) -> None:
        now = self._clock()
        for handle, stream in list(self._open.items()):
            if now - stream.used > IDLE_SECONDS:
                stream.part.unlink(missing_ok=True)
                del self._open[handle]
