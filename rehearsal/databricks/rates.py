"""How many requests a workspace answers in a while, when a rehearsal is asked to keep to the service's limits.

Numbers: Azure Databricks resource limits page; those of the Files API from databricks/cli `libs/filer/files_client.go`. How the
service counts is not published: here a limit is a bucket that fills up again evenly (unverified).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from rehearsal.databricks.errors import ApiError

RETRY_AFTER_SECONDS = 1


@dataclass(frozen=True)
class Limit:
    """At most `most` requests with these methods and paths in `seconds`."""

    methods: str
    path: str
    most: int
    seconds: int = 1

    def covers(self, method: str, path: str) -> bool:
        return re.fullmatch(self.methods, method) is not None and re.fullmatch(self.path, path) is not None


LIMITS = (
    Limit("GET|POST", "/dbfs/.*", 30),
    Limit("GET|HEAD|PUT|DELETE|POST", "/fs/.*", 100),
    Limit("POST", "/jobs/create", 20),
    Limit("POST", "/jobs/run-now", 20),
    Limit("GET", "/jobs/runs/get", 100),
    Limit("POST", "/jobs/runs/submit", 35),
    Limit("GET", "/permissions/.*", 100),
    Limit("PUT|PATCH", "/permissions/.*", 30),
    Limit("GET|POST", "/secrets/.*", 1100, 60),
    Limit("GET", "/workspace/export", 60),
    Limit("POST", "/workspace/import", 30),
    Limit("GET", "/preview/scim/v2/.*", 255, 60),
)


class LimitExceeded(ApiError):
    """429. The code as clients quote it (ucx issue 401); the text and the header Retry-After are unverified."""

    def __init__(self, workspace_id: str, limit: Limit) -> None:
        span = "second" if limit.seconds == 1 else f"{limit.seconds} seconds"
        text = f"Workspace {workspace_id} exceeded the limit of {limit.most} requests per {span}."
        super().__init__(429, "REQUEST_LIMIT_EXCEEDED", text)
        self.headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}


class Rates:
    """What each workspace has left of each limit."""

    def __init__(self, clock: Callable[[], float], limits: tuple[Limit, ...] = LIMITS) -> None:
        self._clock = clock
        self._limits = limits
        self._left: dict[tuple[str, Limit], tuple[float, float]] = {}

    def count(self, workspace_id: str, method: str, path: str) -> None:
        """One more request. Raises LimitExceeded, and does not count it, when there were too many."""
        limit = next((each for each in self._limits if each.covers(method, path)), None)
        if limit is None:
            return
        now = self._clock()
        left, then = self._left.get((workspace_id, limit), (float(limit.most), now))
        left = min(limit.most, left + (now - then) * limit.most / limit.seconds)
        if left < 1:
            self._left[workspace_id, limit] = (left, now)
            raise LimitExceeded(workspace_id, limit)
        self._left[workspace_id, limit] = (left - 1, now)
