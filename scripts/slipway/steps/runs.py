"""Runs under way that still read from a slot: it may not be overwritten under them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from slipway.domain.job import jobs_started_by, reads_from
from slipway.errors import AuthenticationError, Conflict, ServiceError

if TYPE_CHECKING:
    from slipway.steps.session import Session

_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 30.0
_SAY_AGAIN = 120.0
"""Seconds between two lines of the same content while it waits."""
_ADMINS = "admins"
"""The group of a workspace's admins, who alone can view all jobs and their runs
(https://learn.microsoft.com/azure/databricks/security/auth/access-control/, jobs)."""


@dataclass(frozen=True)
class Reader:
    """A run that reads from a slot, or may yet; `text` says what it is, its state, since when and where to look at it.
    `lasting`: it does not end by itself; `leaving`: its job left the release, so no other run comes after it."""

    id: str
    text: str
    lasting: bool = False
    leaving: bool = False


def wait_for_runs(session: Session, folder: str, *, limit: float, others: Callable[[], list[Reader]] = list) -> bool:
    """Returns when no active run reads from `folder`: whether one was waited for. `others` looks for those that the
    workspace does not know. Raises Conflict with the list after `limit` seconds.

    A run keeps the settings that it started with (Jobs API, reset), so its own tasks say where it reads from.
    """
    started = session.now()
    pause = _FIRST_PAUSE
    said: tuple[set[str], float] = (set(), 0.0)
    while readers := [*_of_workspace(session, folder), *others()]:
        waited = session.now() - started
        if not waited < limit:
            raise _still_reading(readers, folder, waited)
        said = _say(session, readers, limit - waited, said)
        session.guard()
        session.context.sleep(min(pause, max(0.0, limit - waited)))
        pause = min(_LONGEST_PAUSE, pause * 1.5)
    return pause != _FIRST_PAUSE


def _of_workspace(session: Session, folder: str) -> list[Reader]:
    left = {record.id for record in session.state.jobs.values() if record.retired}
    return [
        Reader(str(run["run_id"]), describe(run), run.get("trigger") == "CONTINUOUS", run.get("job_id") in left)
        for run in runs_reading(session, folder)
    ]


def check_sight(session: Session, folder: str) -> None:
    """Says where it can't be proven that no run reads from `folder`, or stops there (`drain.unseen_runs`).

    The service lists only runs that the identity may view: those of jobs that it has a permission on, and submitted
    runs of notebooks that it may read. Only an admin of the workspace sees all; nothing tells others what they miss.
    """
    groups = session.workspace.me().get("groups") or []
    if any(group.get("display") == _ADMINS for group in groups):
        return
    text = (
        f"It can't be proven that no run reads from {folder}: the release identity is no admin of the workspace, "
        "so it does not see runs of other people's jobs."
    )
    if session.environment.drain.unseen_runs == "stop":
        raise Conflict(
            text,
            changed="The slot was not touched.",
            next_step="Make the release identity an admin of the workspace, or look at the workspace's active runs as one "
            "and set drain.unseen_runs to warn.",
        )
    session.log.warning(text)


def runs_reading(session: Session, folder: str, job_id: int | None = None) -> list[dict[str, Any]]:
    """Active runs (of one job, or all) with a task that reads from `folder`, or that starts a job which does; from
    every page of the list."""
    active = list(session.workspace.list_runs(active_only=True, job_id=job_id))
    whole = session.workspace.concurrently([lambda run=run: _whole(session, run) for run in active])  # type: ignore[misc]
    starts: dict[int, bool] = {}
    return [
        run
        for run in whole
        if run is not None
        and (reads_from(run, folder) or any(_starts(session, job, folder, starts) for job in jobs_started_by(run)))
    ]


def _starts(session: Session, job_id: int, folder: str, known: dict[int, bool]) -> bool:
    """Whether a run of this job, which a task of an active run starts, would read from `folder`."""
    if job_id not in known:
        known[job_id] = False  # jobs may start each other in a circle
        try:
            job = session.workspace.get_job(job_id) or {}
        except AuthenticationError as error:
            raise Conflict(
                f"An active run starts job {job_id}, which may not be looked at, so it can't be known whether it reads "
                f"from the slot: {error.what}",
                changed="The slot was not touched.",
                next_step="Give the release identity the right to view the job, or wait until the run has ended.",
            ) from error
        below = any(_starts(session, other, folder, known) for other in jobs_started_by(job))
        known[job_id] = below or reads_from(job, folder)
    return known[job_id]


def _whole(session: Session, run: dict[str, Any]) -> dict[str, Any] | None:
    """The run with its tasks; None when it has ended meanwhile. Raises Conflict for one that may not be seen."""
    if run.get("tasks") and not run.get("has_more"):
        return run
    try:
        found: dict[str, Any] = session.workspace.get_run(int(run["run_id"]))
    except AuthenticationError as error:
        raise Conflict(
            f"{describe(run)} is active and may not be looked at, so it can't be known whether it reads from the slot: "
            f"{error.what}",
            changed="The slot was not touched.",
            next_step="Give the release identity the right to view it, or wait until it has ended.",
        ) from error
    except ServiceError:
        if any(other["run_id"] == run["run_id"] for other in session.workspace.list_runs(active_only=True)):
            raise
        return None
    return found


def _say(session: Session, readers: list[Reader], left: float, said: tuple[set[str], float]) -> tuple[set[str], float]:
    """One line, when there is something new to say or after a while; returns what was said last, and when."""
    ids, now = {reader.id for reader in readers}, session.now()
    if ids == said[0] and now - said[1] < _SAY_AGAIN:
        return said
    more = f" and {len(readers) - 1} more" if len(readers) > 1 else ""
    session.log.info(f"Waiting, {_minutes(left)} at most, for {readers[0].text}{more}")
    return ids, now


def _still_reading(readers: list[Reader], folder: str, waited: float) -> Conflict:
    listed = "".join(f"\n  {reader.text}" for reader in readers)
    lasting = {reader.leaving for reader in readers if reader.lasting}
    return Conflict(
        f"{len(readers)} active runs still read from {folder}, after {_minutes(waited)} of waiting:{listed}",
        changed="The slot was not touched.",
        next_step="Let them end or cancel them, then run again; --wait-for-runs MINUTES waits longer."
        + " The run of a continuous job does not end by itself: cancel it." * bool(lasting)
        + " The next reads from the live slot." * (False in lasting)
        + " Where the job left the release, it is paused, and none comes after it." * (True in lasting),
    )


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"


def describe(run: dict[str, Any]) -> str:
    """A run in one line: what it is, its job, its state, since when, where to look at it."""
    name = run.get("run_name") or "a run"
    state = (run.get("state") or {}).get("life_cycle_state") or (run.get("status") or {}).get("state") or ""
    # A submitted run belongs to no job; the service shows its own id in place of one.
    job = f" of job {run['job_id']}" if run.get("job_id") not in (None, run.get("run_id")) else ""
    since = since_text((run.get("start_time") or 0) / 1000)
    return f"run {run.get('run_id')} ({name}{job}) {state}{since} {run.get('run_page_url') or ''}".rstrip()


def since_text(begun: float) -> str:
    """The time of a run's start (seconds since the epoch) for a list; empty where it is not known."""
    return f" since {datetime.fromtimestamp(begun, UTC):%Y-%m-%d %H:%M} UTC" if begun else ""
