"""Continuous jobs: there is always one run of a job that is not paused.

Rules: product docs, "Run jobs continuously" and "Trigger types for Lakeflow jobs". The times are of the service's own choosing:
documented is only that a new run comes less than 60 seconds after the last one, and that the pause grows with failures in a row,
up to a limit. The numbers here are unverified.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from rehearsal.databricks import launches
from rehearsal.databricks.engine import Engine
from rehearsal.databricks.jobs import Job
from rehearsal.databricks.runs import Run
from rehearsal.databricks.workspace import Workspace

RESTART_SECONDS = 5.0
FAILURES_ALLOWED = 3  # in a row, before the pauses grow
FIRST_BACK_OFF, LONGEST_BACK_OFF = 30.0, 3600.0
HEALTHY_SECONDS = 3600.0  # a run that went on for so long before it failed begins a new count


class Continuous:
    """Starts the runs that are due. `tick` is called before each request, after each end of a run, and by its own timers, so a
    clock that is moved by hand does as well as one that goes by itself."""

    def __init__(self, engine: Engine, find: Callable[[str], Workspace | None]) -> None:
        self._engine = engine
        self._find = find
        self._timers: dict[tuple[str, int], asyncio.TimerHandle] = {}
        engine.ended = self.tick

    def tick(self, workspace: Workspace) -> None:
        """Start the run of every continuous job that has none and whose pause is over. Must be called on the event loop."""
        if self._engine.closed:
            return
        for job in workspace.jobs.continuous():
            if workspace.runs.active(job["job_id"]):
                continue
            left = due(workspace.runs.of_job(job["job_id"])) - workspace.runs.now() / 1000
            if left <= 0:
                launches.start_continuous(workspace, self._engine, job)
            else:
                self._later(workspace, job, left)

    def _later(self, workspace: Workspace, job: Job, seconds: float) -> None:
        key = (workspace.host, job["job_id"])
        if key in self._timers:
            self._timers[key].cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(seconds, self._due, key)

    def _due(self, key: tuple[str, int]) -> None:
        self._timers.pop(key, None)
        if workspace := self._find(key[0]):
            self.tick(workspace)


def due(runs: Iterable[Run]) -> float:
    """When the next run may start, seconds since the epoch; `runs` of the job, newest first, all of them ended."""
    failures, last = 0, 0.0
    for run in runs:
        last = last or run["end_time"] / 1000
        if not _failed(run):
            break
        failures += 1
        if run["end_time"] - run["start_time"] >= HEALTHY_SECONDS * 1000:
            break
    if not last:
        return 0.0
    if failures <= FAILURES_ALLOWED:
        return last + RESTART_SECONDS
    return last + min(LONGEST_BACK_OFF, FIRST_BACK_OFF * 2.0 ** min(failures - FAILURES_ALLOWED - 1, 20))


def _failed(run: Run) -> bool:
    """A run that somebody cancelled did not fail: the docs tell people to cancel it so that a new one starts."""
    return run["result"] not in ("SUCCESS", "SUCCESS_WITH_FAILURES", "CANCELED")
