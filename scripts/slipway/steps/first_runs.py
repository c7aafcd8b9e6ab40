"""Looks at the first runs under a release: of the jobs that its switch repointed, and of its factory's pipelines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from slipway.domain.slot import SLOTS, Slot
from slipway.domain.watch import (
    Outcome,
    Run,
    Sight,
    Watch,
    WatchedJob,
    job_run,
    pipeline_run,
    sight_of_job,
    sight_of_pipeline,
)
from slipway.errors import AuthenticationError, SlipwayError
from slipway.services.azure_errors import scrub
from slipway.services.data_factory_runs import PipelineRuns
from slipway.services.databricks.errors import NotFound

if TYPE_CHECKING:
    from slipway.steps.session import Session

_MOST_RUNS = 1000
"""Runs of one job since the switch that are looked at, at most."""
_OLDER = 20
"""Runs before the switch that are looked at for one with a result."""
_MESSAGE = 300


def look(session: Session, watch: Watch) -> list[Sight]:
    """What is to be seen now. One request for each job, as a rule; its runs come newest first, so more only where it had
    many since the switch. One for the factory, and more only for what failed."""
    jobs = session.workspace.concurrently([partial(_job, session, watch, job) for job in watch.jobs])
    return [*jobs, *_pipelines(session, watch)]


def _job(session: Session, watch: Watch, job: WatchedJob) -> Sight:
    folders: dict[Slot, str] = {slot: session.slot_folder(slot) for slot in SLOTS}
    listed = session.workspace.list_runs(active_only=False, job_id=job.id, expand_tasks=True)
    try:
        runs = list(_until_before(watch, (job_run(run, folders) for run in listed)))
    except NotFound:
        return Sight(name=f"job {job.key}", unknown=f"the job ({job.id}) is gone")
    except AuthenticationError as error:
        return Sight(name=f"job {job.key}", unknown=error.what)
    sight = sight_of_job(watch, job, runs)
    if sight.counts and sight.run is not None:
        return replace(sight, run=_explained(session, sight.run))
    return sight


def _until_before(watch: Watch, runs: Iterator[Run]) -> Iterator[Run]:
    """Down to the last run with a result from before the slot held the release."""
    older = 0
    for count, run in enumerate(runs, 1):
        yield run
        if run.started < watch.published:
            older += 1
            if older >= _OLDER or run.is_result:
                return
        if count >= _MOST_RUNS:
            return


def _explained(session: Session, run: Run) -> Run:
    """The run with what its failed task said, where it said anything."""
    said = ""
    if run.part is not None:
        try:
            said = str(session.workspace.get_run_output(run.part).get("error") or "")
        except SlipwayError as error:
            session.log.detail(f"no output of run {run.id}: {error.what}")
    return replace(run, message=_line(said or run.message))


def _line(text: str) -> str:
    line = " ".join(scrub(text).split())
    return line if len(line) <= _MESSAGE else line[: _MESSAGE - 1] + "…"


def _pipelines(session: Session, watch: Watch) -> list[Sight]:
    if not watch.pipelines:
        return []
    runs = PipelineRuns(session.factory)
    found = [
        pipeline_run(run, runs.page(str(run.get("runId"))))
        for run in runs.since(watch.since, now=session.service_time())
    ]
    return [_pipeline(runs, watch, name, found) for name in watch.pipelines]


def _pipeline(runs: PipelineRuns, watch: Watch, name: str, found: Sequence[Any]) -> Sight:
    sight = sight_of_pipeline(watch, name, found, None)
    if not sight.failed or sight.run is None:
        return sight
    sight = sight_of_pipeline(watch, name, found, _before(runs, watch, name))
    return replace(sight, run=replace(sight.run, message=_line(sight.run.message))) if sight.run else sight


def _before(runs: PipelineRuns, watch: Watch, name: str) -> Outcome | None:
    """How the pipeline's last run with a result before the switch ended."""
    for data in runs.last_before(name, watch.since):
        run = pipeline_run(data, "")
        if not run.child and run.run.outcome in ("succeeded", "failed"):
            return run.run.outcome
    return None
