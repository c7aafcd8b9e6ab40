"""Runs of the factory's pipelines that may still start something from a slot, also while none of their activities runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slipway.domain.factory.candidate import is_candidate_name
from slipway.domain.factory.databricks_use import using_databricks
from slipway.domain.factory.objects import Kind
from slipway.domain.watch import PipelineRun, pipeline_run
from slipway.services.data_factory_runs import PipelineRuns
from slipway.steps.runs import Reader, since_text

if TYPE_CHECKING:
    from slipway.domain.slot import Slot
    from slipway.steps.session import Session


def pipeline_runs_reading(session: Session, slot: Slot) -> list[Reader]:
    """Active runs of the environment's factory that may yet run something from `slot`; none where it releases no factory.

    A run keeps the definitions and global parameters that it began with (unverified of the latter, so it is taken for
    so): one from before the last switch goes on with the other slot, activity after activity, and between two of them
    the workspace shows nothing. Copies of a candidate always lead to the idle slot. One request, and one for the
    pipelines where there is an older run.
    """
    if session.environment.data_factory.source == "none" or session.state.live == slot:
        return []
    runs = PipelineRuns(session.factory)
    active = [pipeline_run(run, runs.page(str(run.get("runId")))) for run in runs.active(now=session.service_time())]
    copies = [run for run in active if is_candidate_name(run.pipeline)]
    entry = session.state.live_entry
    older = [run for run in active if run not in copies and entry is not None and run.run.started < entry.since]
    if older:
        pipelines = session.factory.objects(Kind.PIPELINES)
        there, using = {item.name.lower() for item in pipelines}, using_databricks(pipelines)
        # What is no longer there may have run anything.
        older = [run for run in older if run.pipeline.lower() in using or run.pipeline.lower() not in there]
    return [_reader(run) for run in (*copies, *older)]


def _reader(run: PipelineRun) -> Reader:
    since = since_text(run.run.started)
    return Reader(run.run.id, f"run {run.run.id} of the factory's pipeline {run.pipeline}{since} {run.run.page}")
