"""How many requests go to one workspace at once: as many as it takes gladly, fewer as soon as it says no."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

MOST = 16


class Budget:
    """Additive increase, multiplicative decrease: a throttled answer halves the number of requests in flight, a round
    of good ones allows one more. One per workspace, shared by its threads; `clock` in seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float], most: int = MOST) -> None:
        self._clock = clock
        self._most = most
        self._allowed = float(most)
        self._active = 0
        self._not_before = 0.0
        self._lowered_at = -1.0
        self._changed = threading.Condition()

    @property
    def allowed(self) -> int:
        """How many may be in flight now."""
        return max(1, int(self._allowed))

    @contextmanager
    def one(self) -> Iterator[float]:
        """Holds one place while a request is out. Gives the seconds to wait before sending, as others were told."""
        with self._changed:
            self._changed.wait_for(lambda: self._active < self.allowed)
            self._active += 1
            delay = max(0.0, self._not_before - self._clock())
        try:
            yield delay
        finally:
            with self._changed:
                self._active -= 1
                self._changed.notify_all()

    def succeeded(self) -> None:
        with self._changed:
            self._allowed = min(float(self._most), self._allowed + 1 / self._allowed)

    def throttled(self, sent_at: float, wait: float | None) -> None:
        """A request sent at `sent_at` was refused; `wait` seconds were asked for (None: not said).

        Answers to requests that went out before the last decrease do not lower it again.
        """
        with self._changed:
            now = self._clock()
            if wait is not None:
                self._not_before = max(self._not_before, now + wait)
            if sent_at >= self._lowered_at:
                self._allowed = max(1.0, self._allowed / 2)
                self._lowered_at = now


def concurrently(calls: Iterable[Callable[[], T]], limit: int = MOST) -> list[T]:
    """Runs the calls on up to `limit` threads; results in the order given.

    After the first failure nothing new is started; what is under way ends, then the earliest call's failure is raised.
    """
    work = list(calls)
    if len(work) <= 1 or limit <= 1:
        return [call() for call in work]
    failed = threading.Event()

    def guarded(call: Callable[[], T]) -> T | None:
        if failed.is_set():
            return None  # not started; the failure that stopped it is raised below
        try:
            return call()
        except BaseException:
            failed.set()
            raise

    with ThreadPoolExecutor(max_workers=min(limit, len(work)), thread_name_prefix="slipway") as pool:
        futures = [pool.submit(guarded, call) for call in work]
        try:
            for future in futures:
                future.exception()
        except BaseException:  # Ctrl+C here, in the waiting thread
            failed.set()
            raise
    # A call that was not started gives None, but then some other future raises here.
    return [future.result() for future in futures]  # type: ignore[misc]
