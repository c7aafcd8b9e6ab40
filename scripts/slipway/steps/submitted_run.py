"""A run that was submitted by itself, belongs to no job, and is waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slipway.errors import TestFailed
from slipway.log import Log
from slipway.services.databricks import Workspace
from slipway.services.databricks.errors import DatabricksError

_FIRST_PAUSE, _LONGEST_PAUSE = 0.3, 10.0
_OVER = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")


def follow(
    workspace: Workspace,
    run_id: int,
    *,
    log: Log,
    now: Callable[[], float],
    sleep: Callable[[float], None],
    limit: float,
    guard: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Waits for the run's end and gives the run; one that is given up is cancelled. `guard` is asked before each look.

    Raises TestFailed after `limit` seconds.
    """
    until = now() + limit
    pause, told = _FIRST_PAUSE, ""
    try:
        while True:
            run: dict[str, Any] = workspace.get_run(run_id)
            state = (run.get("state") or {}).get("life_cycle_state", "")
            if state != told:
                log.info(f"run {run_id}: {state} {run.get('run_page_url', '')}".rstrip())
                told = state
            if state in _OVER:
                return run
            if now() > until:
                raise TestFailed(f"Run {run_id} did not end in time; it is cancelled.")
            guard()
            sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 1.3)
    except BaseException:
        workspace.cancel_run(run_id)
        raise


def output_of(workspace: Workspace, run: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The output of the run's one task, and the service's own words about its end. A refusal to give it is the output's
    error. Raises ServiceError where the service does not say which."""
    tasks = run.get("tasks") or [run]
    try:
        output = workspace.get_run_output(int(tasks[0]["run_id"]))
    except DatabricksError as error:
        if error.failure is None or error.failure.status == 429 or error.failure.status >= 500:
            raise
        output = {"error": f"no output: {error.what}"}
    message = (tasks[0].get("state") or {}).get("state_message") or (run.get("state") or {}).get("state_message") or ""
    return output, str(message)
