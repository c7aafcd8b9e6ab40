"""Schedules of jobs fire when the rehearsal's clock is moved, and at no other time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from rehearsal.databricks import launches, quartz
from rehearsal.databricks.engine import Engine
from rehearsal.databricks.job_settings import PERIODS
from rehearsal.databricks.jobs import Job
from rehearsal.databricks.workspace import Workspace

# One move of the clock fires a job so often at most: a run each second and a move of a year are a mistake.
MOST = 500
# "Azure Databricks enforces a minimum interval of 10 seconds between subsequent runs" (docs, schedules).
SHORTEST_INTERVAL = timedelta(seconds=10)


class Schedules:
    """The schedules of the jobs of all workspaces."""

    def __init__(self, engine: Engine, workspaces: Callable[[], Iterable[Workspace]]) -> None:
        self._engine = engine
        self._workspaces = workspaces

    async def advance(self, to: float) -> list[int]:
        """Fire every schedule that is not paused for each of its moments since it fired last, up to `to` (seconds since the epoch).

        Before a job is fired again, its run of the moment before has ended: between two moments lies more time than a rehearsal
        takes. Gives the ids of the runs, in the order of their moments.
        """
        due: list[tuple[datetime, Workspace, int]] = []
        for workspace in self._workspaces():
            for job in workspace.jobs.scheduled():
                due += [(moment, workspace, job["job_id"]) for moment in _moments(workspace, job, to)]
                workspace.jobs.fired_until(job, to)
            workspace.jobs.move(to)
        due.sort(key=lambda one: one[0])
        last: dict[tuple[str, int], int] = {}
        started = []
        for _, workspace, job_id in due:
            key = (workspace.host, job_id)
            if key in last:
                await self._engine.over(workspace, last[key])
            if found := workspace.jobs.find(job_id):
                last[key] = launches.start_scheduled(workspace, self._engine, found)["run_id"]
                started.append(last[key])
        return started


def _moments(workspace: Workspace, job: Job, to: float) -> list[datetime]:
    since = workspace.jobs.fires_since(job)
    if trigger := job["settings"].get("trigger"):
        return [
            datetime.fromtimestamp(moment, UTC) for moment in islice(_every(trigger["periodic"], job, since, to), MOST)
        ]
    schedule = job["settings"]["schedule"]
    begin, end = (datetime.fromtimestamp(moment, UTC) for moment in (since, to))
    expression, zone = quartz.parse(schedule["quartz_cron_expression"]), ZoneInfo(schedule["timezone_id"])
    return list(islice(_apart(expression.moments(zone, begin, end)), MOST))


def _every(periodic: Mapping[str, Any], job: Job, since: float, to: float) -> Iterator[float]:
    """The moments of a periodic trigger, counted from when it was set (unverified: the service may count from its first run)."""
    begun, seconds = float(job["begun"]), periodic["interval"] * PERIODS[periodic["unit"]]
    number = math.floor((since - begun) / seconds) + 1
    while (moment := begun + number * seconds) <= to:
        yield moment
        number += 1


def _apart(moments: Iterable[datetime]) -> Iterator[datetime]:
    last: datetime | None = None
    for moment in moments:
        if last is None or moment - last >= SHORTEST_INTERVAL:
            last = moment
            yield moment
