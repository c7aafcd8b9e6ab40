"""Runs under way that still read from a slot: it may not be overwritten under them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slipway.domain.job import reads_from
from slipway.errors import AuthenticationError, Conflict, ServiceError

if TYPE_CHECKING:
    from slipway.steps.session import Session

_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 30.0


def wait_for_runs(session: Session, folder: str, *, limit: float) -> None:
    """Returns when no active run reads from `folder`. Raises Conflict with the list after `limit` seconds.

    A run keeps the settings that it started with (Jobs API, reset), so its own tasks say where it reads from.
    """
    started = session.now()
    pause = _FIRST_PAUSE
    while True:
        runs = runs_reading(session, folder)
        if not runs:
            return
        waited = session.now() - started
        if waited >= limit:
            listed = "".join(f"\n  {describe(run)}" for run in runs)
            raise Conflict(
                f"{len(runs)} active runs still read from {folder}, after {waited / 60:.0f} minutes of waiting:{listed}",
                changed="The slot was not touched.",
                next_step="Let them end or cancel them, then run again; --wait-for-runs MINUTES waits longer.",
            )
        session.log.info(f"Waiting for {len(runs)} active runs that read from {folder}: {describe(runs[0])}")
        session.guard()
        session.context.sleep(min(pause, max(0.0, limit - waited)))
        pause = min(_LONGEST_PAUSE, pause * 1.5)


def runs_reading(session: Session, folder: str, job_id: int | None = None) -> list[dict[str, Any]]:
    """Active runs (of one job, or all) with a task that reads from `folder`, from every page of the list."""
    active = list(session.workspace.list_runs(active_only=True, job_id=job_id))
    whole = session.workspace.concurrently([lambda run=run: _whole(session, run) for run in active])  # type: ignore[misc]
    return [run for run in whole if run is not None and reads_from(run, folder)]


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


def describe(run: dict[str, Any]) -> str:
    """A run in one line."""
    name = run.get("run_name") or "a run"
    page = run.get("run_page_url")
    state = (run.get("state") or {}).get("life_cycle_state") or (run.get("status") or {}).get("state") or ""
    job = f" of job {run['job_id']}" if run.get("job_id") else ""
    return f"run {run.get('run_id')} ({name}{job}) {state} {page or ''}".rstrip()
