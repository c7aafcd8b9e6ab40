"""What can happen to a request of a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rehearsal.gateway.faults import Fault


class Killable(Protocol):
    def kill(self) -> None: ...


def _killed(cloud: Killable, at: int, *, sent: bool) -> list[Fault]:
    kill = Fault(kind="call", callback=cloud.kill, skip=at, after=sent)
    return [kill] if sent else [kill, Fault(kind="drop_before", skip=at)]


_REFUSED = '{"error_code": "PERMISSION_DENIED", "message": "no more"}'

CUTS: dict[str, Callable[[Killable, int], list[Fault]]] = {
    "killed before": lambda cloud, at: _killed(cloud, at, sent=False),
    "killed after": lambda cloud, at: _killed(cloud, at, sent=True),
    "not sent": lambda _, at: [Fault(kind="drop_before", skip=at)],
    "answer lost": lambda _, at: [Fault(kind="drop_after", skip=at)],
    "answer cut in half": lambda _, at: [Fault(kind="half_answer", skip=at)],
    "unavailable": lambda _, at: [Fault(kind="status", status=503, skip=at)],
    "throttled": lambda _, at: [Fault(kind="status", status=429, skip=at)],
    "refused": lambda _, at: [Fault(kind="status", status=403, skip=at, body=_REFUSED)],
    "gone for good": lambda _, at: [Fault(kind="drop_before", skip=at, times=None)],
}
"""What can happen to a request: killed: the process that sent it, before the service sees it or after it took effect; the
others happen to the connection alone."""
