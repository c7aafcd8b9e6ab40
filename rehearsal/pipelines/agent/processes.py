"""A step's process: its own process group, its output line by line, and nothing left of it afterwards."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Literal

_LONGEST_LINE = 64 * 1024
_LOOK = 0.1
# [agent] ProcessInvoker: SIGINT, after 7.5 s SIGTERM, after 2.5 s more the end.
_INTERRUPT_SECONDS = 7.5
_TERMINATE_SECONDS = 2.5
_DRAIN_SECONDS = 1.0


@dataclass(frozen=True)
class Ended:
    """How a process ended: by itself with an exit code, or stopped because time was up or somebody cancelled.

    wrote_errors: something came on its standard error, as far as that was read apart.
    """

    how: Literal["exited", "timeout", "canceled"]
    code: int
    wrote_errors: bool = False


def run_process(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    on_line: Callable[[str], None],
    steady: Callable[[], float],
    deadline: float | None,
    cancel: Event,
    errors_apart: bool = False,
) -> Ended:
    """Run a program to its end and give each line of its output to `on_line`.

    deadline: by `steady`, when the program is stopped. Whatever happens, the process group is gone on return.
    errors_apart: read the standard error by itself. Its lines may then move a little against the others.
    """
    process = subprocess.Popen(
        arguments,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if errors_apart else subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        return _follow(process, on_line, steady, deadline, cancel)
    finally:
        _kill_group(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _follow(
    process: subprocess.Popen[bytes],
    on_line: Callable[[str], None],
    steady: Callable[[], float],
    deadline: float | None,
    cancel: Event,
) -> Ended:
    pipes = {pipe: _Lines(on_line) for pipe in (process.stdout, process.stderr) if pipe is not None}
    stopping: Literal["timeout", "canceled"] | None = None
    stopped_at = 0.0
    exited_at: float | None = None
    with selectors.DefaultSelector() as selector:
        for pipe, lines in pipes.items():
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_READ, lines)
        while True:
            for key, _ in selector.select(_LOOK):
                if key.data.read(key.fd):
                    selector.unregister(key.fileobj)
            closed = not selector.get_map()
            now = steady()
            if process.poll() is not None and exited_at is None:
                exited_at = now
            # A child in the background may keep the pipe open: it is not waited for, and ends with the group.
            if closed or (exited_at is not None and now - exited_at > _DRAIN_SECONDS):
                break
            if stopping is None and (cancel.is_set() or (deadline is not None and now >= deadline)):
                stopping, stopped_at = ("canceled" if cancel.is_set() else "timeout"), now
                _kill_group(process.pid, signal.SIGINT)
            elif stopping is not None and now - stopped_at > _INTERRUPT_SECONDS + _TERMINATE_SECONDS:
                break
            elif stopping is not None and now - stopped_at > _INTERRUPT_SECONDS:
                _kill_group(process.pid, signal.SIGTERM)
    for lines in pipes.values():
        lines.finish()
    wrote_errors = process.stderr is not None and pipes[process.stderr].any
    if stopping is not None:
        return Ended(stopping, -1, wrote_errors)
    return Ended("exited", process.wait(), wrote_errors)


class _Lines:
    """Bytes to lines; a line without end is cut, so that no output fills the memory."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = b""
        self.any = False

    def read(self, descriptor: int) -> bool:
        """Read what is there; true at the end of the output."""
        try:
            chunk = os.read(descriptor, _LONGEST_LINE)
        except BlockingIOError:
            return False
        if not chunk:
            return True
        self.any = True
        *complete, self._rest = (self._rest + chunk).split(b"\n")
        for line in complete:
            self._tell(line)
        while len(self._rest) > _LONGEST_LINE:
            self._tell(self._rest[:_LONGEST_LINE])
            self._rest = self._rest[_LONGEST_LINE:]
        return False

    def finish(self) -> None:
        if self._rest:
            self._tell(self._rest)
            self._rest = b""

    def _tell(self, line: bytes) -> None:
        # A carriage return rewrites a line in a terminal: only what it ends up as is kept.
        text = line.decode("utf-8", errors="replace").rstrip("\r")
        self._on_line(text.rpartition("\r")[2] if "\r" in text else text)


def _kill_group(leader: int, number: signal.Signals) -> None:
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        # ESRCH: nobody is left. EPERM on macOS: only zombies are left.
        return
