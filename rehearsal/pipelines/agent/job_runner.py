"""One agent job: an empty workspace, a token of its own, its steps one after the other."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from rehearsal.pipelines import tasks
from rehearsal.pipelines.agent import pip_shim
from rehearsal.pipelines.agent.job_state import JobState
from rehearsal.pipelines.agent.step_state import StepState
from rehearsal.pipelines.agent.task_runners import RUNNERS, TaskFailedError, TimedOutError
from rehearsal.pipelines.agent.variables import ReadOnlyVariableError
from rehearsal.pipelines.conditions import GOOD, RESULT_NAMES, decide, step_status
from rehearsal.pipelines.events import Result, StepFinished, StepStarted
from rehearsal.pipelines.expressions import ExpressionError
from rehearsal.pipelines.model import Step
from rehearsal.pipelines.results import StepResult

# [agent] RetryHelper: 1, 4, 9 … seconds, ten times at most.
RETRY_SECONDS = 1.0
_MOST_RETRIES = 10


@contextlib.contextmanager
def agent_job(job: JobState, job_id: str) -> Iterator[None]:
    """The workspace and the token of a job, both gone afterwards."""
    job.workspace.make()
    token, oidc_uri = job.host.open_job(job_id)
    try:
        job.variables.assign("System.AccessToken", token, secret=True)
        job.variables.assign("System.OidcRequestUri", oidc_uri)
        _put_shims(job)
        yield
    finally:
        job.host.close_job(job_id)
        job.workspace.remove()


def _put_shims(job: JobState) -> None:
    config = job.workspace.temp / ".shims.json"
    shim = Path(pip_shim.__file__).resolve()
    installed = {digest: str(environment) for digest, environment in job.host.installed.items()}
    content = {
        "folder": str(job.workspace.shims),
        "base_python": str(job.host.base_python),
        "shim": str(shim),
        "installed": installed,
    }
    config.write_text(json.dumps(content))
    pip_shim.write_shims(config, None)


def run_steps(job: JobState, steps: Sequence[Step]) -> tuple[StepResult, ...]:
    """Run steps in order, each by its condition. `job.status` says afterwards how the job ended."""
    results: list[StepResult] = []
    for step in steps:
        if step.inputs.get("repository") == "none" or (
            step.task == tasks.DOWNLOAD_SHORTCUT and step.inputs.get("source") == "none"
        ):
            continue
        if job.cancel.is_set():
            job.begin_cancellation()
        results.append(_run_step(job, step))
    return tuple(results)


def _run_step(job: JobState, step: Step) -> StepResult:
    started = job.host.steady()
    title = job.reporter.mask(job.variables.expand(step.display_name))
    reporter = job.reporter.in_step(title)
    job.variables.assign("Agent.JobStatus", RESULT_NAMES[job.status])
    reporter.emit(StepStarted(where=reporter.where, title=title, task=step.task))
    reason = ""
    try:
        if not step.enabled:
            result: Result = "skipped"
            reason = "not enabled"
        elif not decide(step.condition, {"variables": job.variables.plain()}, step_status(job.status)):
            result, reason = "skipped", f"its condition is false: {step.condition or 'succeeded()'}"
        else:
            result, reason = _attempt(StepState(job, step, reporter, _deadline(job, step)))
    except ExpressionError as error:
        reporter.issue("error", f"The condition can not be evaluated: {error}")
        result = "failed"
    if result == "failed" and step.continue_on_error:
        result = "succeededWithIssues"
    _count(job, result)
    seconds = job.host.steady() - started
    reason = reporter.mask(reason)
    if reason:
        reporter.line(f"{result}: {reason}" if result != "skipped" else f"Skipped: {reason}", "section")
    done = StepFinished(
        where=reporter.where, title=title, task=step.task, result=result, seconds=seconds, reason=reason
    )
    reporter.emit(done)
    return StepResult(title=title, task=step.task, result=result, seconds=seconds)


def _attempt(step: StepState) -> tuple[Result, str]:
    """Run a step, again after a failure as often as it says. Returns the result and, for a skipped one, why."""
    retries = min(step.step.retries, _MOST_RETRIES)
    result: Result = "failed"
    reason = ""
    for attempt in range(retries + 1):
        step.completed = None
        try:
            result, reason = RUNNERS[step.step.task](step), ""
        except TimedOutError as error:
            step.reporter.issue("error", str(error))
            return "failed", ""
        except (TaskFailedError, ReadOnlyVariableError, OSError) as error:
            step.reporter.issue("error", str(error))
            result, reason = "failed", ""
        if step.completed is not None and result in GOOD:
            result, reason = step.completed
        if result != "failed" or attempt == retries or not _wait(step, attempt):
            break
    if step.wrong_command and result in GOOD:
        return "failed", step.wrong_command
    return result, reason


def _wait(step: StepState, attempt: int) -> bool:
    """Before a step is tried again. False: it is too late for that, or somebody cancelled."""
    seconds = RETRY_SECONDS * (attempt + 1) ** 2
    text = f"RetryHelper encountered task failure, will retry (attempt {attempt + 1}) after {seconds:g} seconds"
    step.reporter.issue("warning", text)
    late = step.deadline is not None and step.job.host.steady() + seconds >= step.deadline
    return not step.job.cancel.wait(seconds) and not late


def _deadline(job: JobState, step: Step) -> float | None:
    if not step.timeout_minutes:
        return job.deadline
    own = job.host.steady() + step.timeout_minutes * 60
    return own if job.deadline is None else min(own, job.deadline)


def _count(job: JobState, result: Result) -> None:
    """What a step's result makes of the job's: the worst counts."""
    late = result == "failed" and job.deadline is not None and job.host.steady() >= job.deadline
    if late:
        job.reporter.issue("error", "The job ran longer than its maximum time and was canceled.")
    if job.status != "canceled" and (late or job.cancel.is_set()):
        job.begin_cancellation()
    elif (result in ("failed", "canceled") and job.status in GOOD) or (
        result == "succeededWithIssues" and job.status == "succeeded"
    ):
        job.status = result
