"""Carrying runs out: tasks in the order of their dependencies, attempts, timeouts, cancellation, queues.

A stand-in for clusters, so without their start-up: a task waits (PENDING) until one of a few places for processes is free.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from rehearsal.databricks import control_tasks, parameters, preflight, task_process
from rehearsal.databricks.errors import ApiError
from rehearsal.databricks.jobs import Job
from rehearsal.databricks.members import Member
from rehearsal.databricks.outcomes import End, end_of_run, seen_by, verdict
from rehearsal.databricks.runs import (
    ENDED,
    INTERNAL_ERROR,
    PENDING,
    QUEUED,
    RUNNING,
    SKIPPED,
    TERMINATED,
    TERMINATING,
    WAITING_FOR_RETRY,
    Run,
    Task,
    tasks_by_key,
    unfinished,
)
from rehearsal.databricks.task_kinds import CONTROL_KINDS, kind_of
from rehearsal.databricks.task_process import Tools
from rehearsal.databricks.workspace import Workspace

MOST_PROCESSES = 2
DISABLED = End(SKIPPED, "DISABLED", "DISABLED", "SUCCESS", "The task is disabled.")  # life cycle and text unverified
log = logging.getLogger(__name__)


# Of tasks in continuous jobs; that there are a limit and growing pauses is documented, the numbers are unverified.
TASK_RETRY_SECONDS, MOST_TASK_RETRIES = 5.0, 3
# Starts a job's run for a run_job_task: of which run, by which task, as whom.
StartJob = Callable[[Workspace, Run, Task, Member], Run]


class Engine:
    """Carries out the runs of all workspaces."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._places = asyncio.Semaphore(MOST_PROCESSES)
        self._work: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._workspaces: dict[str, Workspace] = {}
        # Of runs that go on: the time limit, and when it began.
        self._limits: dict[tuple[str, int], tuple[asyncio.Timeout, float]] = {}
        self.closed = False
        # Told when a run is over.
        self.ended: Callable[[Workspace], None] = lambda _: None
        self.start_job: StartJob
        # Set when a run is over that a task waits for.
        self._awaited: dict[tuple[str, int], asyncio.Event] = {}
        # Runs that somebody asked to cancel. Not in the run itself: the work may write its own view of the run once more.
        self._cancelling: set[tuple[str, int]] = set()

    def start(self, workspace: Workspace, run: Run) -> None:
        """Carry a kept run out from now on. Must be called on the event loop."""
        work = asyncio.get_running_loop().create_task(self._carry_out(workspace, run["run_id"]))
        key = (workspace.host, run["run_id"])
        self._work[key] = work
        self._workspaces[workspace.host] = workspace
        workspace.jobs.limit_changed = functools.partial(self._limit_again, workspace)
        work.add_done_callback(lambda done: self._done(workspace, run["run_id"], done))

    async def close(self) -> None:
        """Kill every process; the runs stay as they are, and are lost at the next start."""
        self.closed = True
        for workspace in self._workspaces.values():
            workspace.runs.write()
        work = list(self._work.values())
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)

    def cancel(self, workspace: Workspace, run: Run) -> None:
        """Ask for the end of a run: it is TERMINATING at once and CANCELED soon; nothing happens to one that has ended."""
        if run["phase"] in ENDED:
            return
        key = (workspace.host, run["run_id"])
        work = self._work.get(key)
        if run["phase"] == QUEUED or work is None:
            self._finish_cancelled(workspace, run)
            return
        self._cancelling.add(key)
        run["phase"] = TERMINATING
        workspace.runs.keep(run)
        work.cancel()

    async def _carry_out(self, workspace: Workspace, run_id: int) -> None:
        run = workspace.runs.get(run_id)
        if run is None:
            return
        run["phase"] = RUNNING
        workspace.runs.keep(run)
        key = (workspace.host, run_id)
        try:
            async with asyncio.timeout(run["settings"].get("timeout_seconds") or None) as limit:
                self._limits[key] = limit, asyncio.get_running_loop().time()
                await self._all_tasks(workspace, run)
        except TimeoutError:
            message = f"Run timed out after {run['settings']['timeout_seconds']} seconds."  # text unverified
            for task in unfinished(run):
                workspace.runs.end(task, TERMINATED, "TIMEDOUT", "CANCELED", "CLIENT_ERROR", message)
            workspace.runs.end(run, TERMINATED, "TIMEDOUT", "CANCELED", "CLIENT_ERROR", message)
        else:
            end = end_of_run(run)
            workspace.runs.end(run, end.phase, end.result, end.code, end.kind, end.message)
        workspace.runs.keep(run)

    def _limit_again(self, workspace: Workspace, job: Job) -> None:
        """The one field of a job that also changes its active runs (SDK docstring of UpdateJob.new_settings)."""
        seconds = job["settings"]["timeout_seconds"]
        for run in workspace.runs.active(job["job_id"]):
            run["settings"]["timeout_seconds"] = seconds
            workspace.runs.keep(run)
            if found := self._limits.get((workspace.host, run["run_id"])):
                limit, begun = found
                limit.reschedule(begun + seconds if seconds else None)

    async def _all_tasks(self, workspace: Workspace, run: Run) -> None:
        ended = {task["task_key"]: asyncio.Event() for task in run["tasks"]}
        over = {task["task_key"] for task in run["tasks"] if task["phase"] in ENDED}  # what a repair leaves as it is

        async def one(key: str) -> None:
            if key not in over:
                for dependency in tasks_by_key(run["tasks"])[key]["settings"].get("depends_on", []):
                    await ended[dependency["task_key"]].wait()
                await self._task(workspace, run, key)
            ended[key].set()

        try:
            async with asyncio.TaskGroup() as group:
                for key in ended:
                    group.create_task(one(key))
        except* GiveUpError:
            for task in unfinished(run):
                workspace.runs.end(task, TERMINATED, "CANCELED", "CANCELED", "SUCCESS", "Run cancelled.")

    async def _task(self, workspace: Workspace, run: Run, key: str) -> None:
        """Every attempt of one task whose dependencies have ended."""
        by_key = tasks_by_key(run["tasks"])
        task = by_key[key]
        left_out = verdict(task["settings"]["run_if"], seen_by(task, by_key))
        if task["settings"].get("disabled"):
            left_out = DISABLED
        if left_out:
            workspace.runs.end(task, left_out.phase, left_out.result, left_out.code, left_out.kind, left_out.message)
            workspace.runs.keep(run)
            return
        await self._until_good(workspace, run, task)

    async def _until_good(self, workspace: Workspace, run: Run, task: Task) -> Task:
        """Attempt after attempt, as long as the task's settings ask for it; the last one."""
        while True:
            await self._attempt(workspace, run, task)
            if retries_beside_others(run):
                if task["result"] == "SUCCESS":
                    return task
                if not others_go_on(run, task):
                    raise GiveUpError
                wait = TASK_RETRY_SECONDS * 2.0 ** task["attempt"]
            elif _again(task):
                wait = task["settings"].get("min_retry_interval_millis", 0) / 1000
            else:
                return task
            task = workspace.runs.next_attempt(run, task)
            task["phase"] = WAITING_FOR_RETRY
            workspace.runs.keep(run)
            await asyncio.sleep(wait)

    async def _attempt(self, workspace: Workspace, run: Run, task: Task) -> None:
        task["phase"] = PENDING
        workspace.runs.keep(run)
        async with self._place(run, task):
            timeout = task["settings"]["timeout_seconds"] or None
            try:
                async with asyncio.timeout(timeout):
                    await self._work_on(workspace, run, task)
            except TimeoutError:
                message = f"Task timed out after {timeout} seconds."  # text unverified
                workspace.runs.end(task, TERMINATED, "TIMEDOUT", "CANCELED", "CLIENT_ERROR", message)
            workspace.runs.keep(run)

    def _place(self, run: Run, task: Task) -> AbstractAsyncContextManager[Any]:
        # The run of a continuous job would keep its place for ever, and others would never get one.
        free = run.get("trigger") == "CONTINUOUS" or kind_of(task["settings"]) in CONTROL_KINDS
        return nullcontext() if free else self._places

    async def _work_on(self, workspace: Workspace, run: Run, task: Task) -> None:
        identity = workspace.members.by_key(run["run_as"])
        if identity is None:
            message = f"{run['run_as']} is not in the workspace."
            workspace.runs.end(task, INTERNAL_ERROR, "FAILED", "UNAUTHORIZED_ERROR", "CLIENT_ERROR", message)
            return
        if kind_of(task["settings"]) in CONTROL_KINDS:
            await self._control(workspace, run, task, identity)
            return
        if problem := preflight.problem(workspace, identity, task["settings"], run["settings"]):
            workspace.runs.end(task, INTERNAL_ERROR, "FAILED", problem[0], "CLIENT_ERROR", problem[1])
            return
        self._running(workspace, run, task)
        await task_process.carry_out(self._tools, workspace, run, task, identity)

    def _running(self, workspace: Workspace, run: Run, task: Task) -> None:
        known = parameters.references(run, task, workspace.workspace_id, workspace.host)
        task |= {"phase": RUNNING, "run_start": workspace.runs.now(), "resolved": parameters.resolved(run, task, known)}
        workspace.runs.keep(run)

    async def _control(self, workspace: Workspace, run: Run, task: Task, identity: Member) -> None:
        kind = kind_of(task["settings"])
        self._running(workspace, run, task)

        def start() -> Run:
            return self.start_job(workspace, run, task, identity)

        try:
            if kind == "condition_task":
                control_tasks.decide(workspace, run, task)
            elif kind == "for_each_task":
                await control_tasks.loop(workspace, run, task, lambda one: self._until_good(workspace, run, one))
            else:
                over = functools.partial(self.over, workspace)
                await control_tasks.run_job(workspace, task, start, over, lambda child: self.cancel(workspace, child))
        except control_tasks.CanNotRunError as problem:
            control_tasks.fail(workspace, task, str(problem), "INVALID_RUN_CONFIGURATION")
        except ApiError as refusal:
            control_tasks.fail(workspace, task, refusal.message, "INVALID_RUN_CONFIGURATION")

    # -- ends ------------------------------------------------------------------------------------------------------

    def _done(self, workspace: Workspace, run_id: int, work: asyncio.Task[None]) -> None:
        """The work is over: by itself, by a caller's cancel, or because the rehearsal ends (then the run is left to be lost)."""
        key = (workspace.host, run_id)
        self._work.pop(key, None)
        self._limits.pop(key, None)
        asked = key in self._cancelling
        self._cancelling.discard(key)
        run = workspace.runs.get(run_id)
        if run is None or (work.cancelled() and not asked):
            return
        if asked and run["phase"] not in ENDED:
            self._finish_cancelled(workspace, run)
        elif not work.cancelled() and (error := work.exception()):
            log.error("run %s of %s broke off", run_id, workspace.host, exc_info=error)
            message = f"The rehearsal's own engine failed ({_reason(error)})."
            for thing in [*unfinished(run), run]:
                workspace.runs.end(thing, INTERNAL_ERROR, "FAILED", "INTERNAL_ERROR", "INTERNAL_ERROR", message)
            workspace.runs.keep(run)
        self._tell(workspace, run_id)
        self._start_queued(workspace, run["job_id"])
        self.ended(workspace)

    async def over(self, workspace: Workspace, run_id: int) -> Run | None:
        """A run when it has ended; None when it was deleted."""
        run = workspace.runs.get(run_id)
        if run is not None and run["phase"] not in ENDED:
            await self._awaited.setdefault((workspace.host, run_id), asyncio.Event()).wait()
        return workspace.runs.get(run_id)

    def _tell(self, workspace: Workspace, run_id: int) -> None:
        if event := self._awaited.pop((workspace.host, run_id), None):
            event.set()

    def _finish_cancelled(self, workspace: Workspace, run: Run) -> None:
        for task in unfinished(run):
            workspace.runs.end(task, TERMINATED, "CANCELED", "USER_CANCELED", "SUCCESS", "Run cancelled.")
        workspace.runs.end(run, TERMINATED, "CANCELED", "USER_CANCELED", "SUCCESS", "Run cancelled.")
        workspace.runs.keep(run)
        self._tell(workspace, run["run_id"])

    def _start_queued(self, workspace: Workspace, job_id: int) -> None:
        """A place of the job is free: start the run that has waited longest."""
        if not job_id:
            return
        active = workspace.runs.active(job_id)
        waiting = [run for run in active if run["phase"] == QUEUED]
        if waiting and len(active) - len(waiting) < waiting[0]["settings"]["max_concurrent_runs"]:
            run = waiting[0] | {"phase": PENDING, "queue_reason": ""}
            workspace.runs.keep(run)
            self.start(workspace, run)


class GiveUpError(Exception):
    """A continuous job's run is not worth going on with: it ends, and a new one starts."""


def retries_beside_others(run: Run) -> bool:
    """Whether failed tasks are retried as `task_retry_mode: ON_FAILURE` says (SDK docstring of TaskRetryMode)."""
    continuous = run["settings"].get("continuous") or {}
    return run.get("trigger") == "CONTINUOUS" and continuous.get("task_retry_mode") == "ON_FAILURE"


def others_go_on(run: Run, task: Task) -> bool:
    """ "Retry a failed task if at least one other task in the job is still running its first attempt", up to a limit."""
    first = [other for other in run["tasks"] if other is not task and other["attempt"] == 0]
    return task["attempt"] < MOST_TASK_RETRIES and any(other["phase"] not in ENDED for other in first)


def _reason(error: BaseException) -> str:
    """The first error of a group of tasks; its kind alone when it says nothing."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _again(task: Task) -> bool:
    """Whether a failed attempt is followed by another: max_retries (-1: for ever), after a timeout only when asked for."""
    most = task["settings"].get("max_retries", 0)
    if task["result"] == "SUCCESS" or (most >= 0 and task["attempt"] - task.get("first_attempt", 0) >= most):
        return False
    return task["result"] != "TIMEDOUT" or bool(task["settings"].get("retry_on_timeout"))
