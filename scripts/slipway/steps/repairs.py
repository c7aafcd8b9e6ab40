"""Failed runs that somebody may repair after a switch: a repair takes the job's settings of now, not those of the run."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from slipway.errors import SlipwayError

if TYPE_CHECKING:
    from slipway.steps.session import Session

_RECENT = 24 * 60 * 60.0
_AT_ONCE = 16
_PATIENCE = 10.0
"""Seconds after which no more jobs are asked about: the switch is complete, and nobody should wait for this."""
_SHOWN = 10
_SUCCESS = ("SUCCESS", "SUCCESS_WITH_FAILURES", "EXCLUDED")


def warn_of_repairs(session: Session) -> None:
    """Names the runs of the last day that failed, of jobs that were just set. One request for each job; what can't be
    asked is left out. Never fails."""
    entry = session.state.live_entry
    if entry is None:
        return
    jobs = [(key, job.id) for key, job in sorted(session.state.jobs.items()) if job.slot == session.state.live]
    failed: list[tuple[str, dict[str, Any]]] = []
    began = session.now()
    for start in range(0, len(jobs), _AT_ONCE):
        if session.now() - began > _PATIENCE:
            session.log.info(f"Failed runs of {len(jobs) - start} jobs were not looked for: the service is slow.")
            break
        chunk = jobs[start : start + _AT_ONCE]
        answers = session.workspace.concurrently([partial(_failed, session, job_id) for _, job_id in chunk])
        failed += [(key, run) for (key, _), runs in zip(chunk, answers, strict=True) for run in runs]
    if not failed:
        return
    failed.sort(key=lambda item: -_ended(item[1]))
    lines = [f"\n  {_line(key, run)}" for key, run in failed[:_SHOWN]]
    more = f"\n  and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    session.log.warning(
        f"A repair of a run that failed before would now run the settings of {entry.version}: a repair takes the job's "
        f"current ones. Start the job anew instead, where that is not meant. Failed in the last 24 hours:{''.join(lines)}{more}"
    )


def _failed(session: Session, job_id: int) -> list[dict[str, Any]]:
    try:
        runs = session.workspace.ended_runs(job_id, session.service_time() - _RECENT)
    except SlipwayError as error:
        session.log.detail(f"Failed runs of job {job_id} can't be looked for: {error.what}")
        return []
    return [run for run in runs if _result(run) not in _SUCCESS]


def _result(run: dict[str, Any]) -> str:
    """How it ended; a run that was skipped never began, so there is nothing to repair."""
    state = run.get("state") or {}
    if state.get("life_cycle_state") == "SKIPPED":
        return "EXCLUDED"
    return str(state.get("result_state") or "FAILED")


def _ended(run: dict[str, Any]) -> float:
    return float(run.get("end_time") or run.get("start_time") or 0) / 1000


def _line(key: str, run: dict[str, Any]) -> str:
    since = datetime.fromtimestamp(_ended(run), UTC)
    link = run.get("run_page_url") or ""
    return f"run {run.get('run_id')} ({key}), {_result(run)} since {since:%Y-%m-%d %H:%M} UTC {link}".rstrip()
