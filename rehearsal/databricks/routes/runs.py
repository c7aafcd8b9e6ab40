"""`/api/2.0|2.1|2.2/jobs/run-now` and `/jobs/runs/*`."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Any

from rehearsal.databricks import launches, repairs, run_views, task_process
from rehearsal.databricks.call import Answer, Call, Operation
from rehearsal.databricks.engine import Engine
from rehearsal.databricks.errors import ApiError, invalid
from rehearsal.databricks.routes.jobs import VERSIONS, make_token, paged, start_of
from rehearsal.databricks.runs import ENDED, Entry, Run

SEVERAL_TASKS = (
    "Retrieving the output of runs with multiple tasks is not supported."
    " Please retrieve the output of each individual task run instead."
)
MOST_LISTED = 26  # "limit < 25" is what the docstring says, 26 what clients got away with; 0 means the most


def operations(engine: Engine) -> list[Operation]:
    """The operations; those that start or end something need the engine."""

    async def run_now(call: Call) -> Answer:
        run = launches.run_now(call.workspace, engine, call.caller, call.values)
        return {"run_id": run["run_id"], "number_in_job": run["run_id"]}

    async def submit(call: Call) -> Answer:
        run = launches.submit(call.workspace, engine, call.caller, call.values, call.version)
        return {"run_id": run["run_id"]}

    async def cancel(call: Call) -> Answer:
        run = launches.visible(call.workspace, call.caller, call.number("run_id"), "CAN_MANAGE_RUN")
        engine.cancel(call.workspace, run)
        return {}

    async def cancel_all(call: Call) -> Answer:
        job_id = call.number("job_id", 0)
        if job_id:
            call.workspace.jobs.get(call.caller, job_id, "CAN_MANAGE_RUN")
        elif not call.flag("all_queued_runs"):
            raise invalid("Missing required field: job_id")
        for run in call.workspace.runs.active(job_id or None):
            queued_only = call.flag("all_queued_runs") and run["phase"] != "QUEUED"
            if not queued_only and launches.allowed(call.workspace, call.caller, run, "CAN_MANAGE_RUN"):
                engine.cancel(call.workspace, run)
        return {}

    async def repair(call: Call) -> Answer:
        run = launches.visible(call.workspace, call.caller, call.number("run_id"), "CAN_MANAGE_RUN")
        return {"repair_id": repairs.repair(call.workspace, engine, call.caller, run, call.values)}

    return [
        Operation("POST", "/jobs/run-now", run_now, VERSIONS),
        Operation("POST", "/jobs/runs/submit", submit, VERSIONS),
        Operation("POST", "/jobs/runs/repair", repair, VERSIONS),
        Operation("POST", "/jobs/runs/cancel", cancel, VERSIONS),
        Operation("POST", "/jobs/runs/cancel-all", cancel_all, VERSIONS),
        Operation("POST", "/jobs/runs/delete", delete, VERSIONS),
        Operation("GET", "/jobs/runs/get", get, VERSIONS),
        Operation("GET", "/jobs/runs/list", list_runs, VERSIONS),
        Operation("GET", "/jobs/runs/get-output", get_output, VERSIONS),
    ]


async def get(call: Call) -> Answer:
    run_id = call.number("run_id")
    of_task = call.workspace.runs.of_task(run_id)
    if of_task and not of_task[0]["single"]:
        run, task = of_task
        launches.visible(call.workspace, call.caller, run["run_id"])
        shown = run_views.run_of_task(call.workspace, run, task)
    else:
        run = launches.visible(call.workspace, call.caller, run_id)
        shown = run_views.run(call.workspace, run, call.version, tasks=True)
        if call.flag("include_history"):
            shown["repair_history"] = run_views.repair_history(run)
    if call.flag("include_resolved_values"):
        run_views.with_resolved_values(run, shown)
    return paged(shown, shown, call.text("page_token")) if call.version == "2.2" else shown


async def list_runs(call: Call) -> Answer:
    """Newest first. A job that is named must be visible; without one, only visible runs are listed."""
    job_id = call.number("job_id", 0)
    active, completed = call.flag("active_only"), call.flag("completed_only")
    if active and completed:
        raise invalid("active_only and completed_only can not both be true")
    if job_id:
        call.workspace.jobs.get(call.caller, job_id)
    limit = call.number("limit", 20) or MOST_LISTED
    if not 1 <= limit <= MOST_LISTED and call.version != "2.0":
        raise invalid(f"limit must be between 1 and {MOST_LISTED}, was {limit}")
    since, until = call.number("start_time_from", 0), call.number("start_time_to", 2**62)
    kind = call.text("run_type")

    def wanted(entry: Entry) -> bool:
        of_kind = (not job_id or entry.job_id == job_id) and (not kind or entry.run_type == kind)
        return (
            of_kind and since <= entry.start_time <= until and (not active or call.workspace.runs.goes_on(entry.run_id))
        )

    found = (
        run
        for run in call.workspace.runs.newest(wanted)
        if (not completed or run["phase"] in ENDED) and launches.allowed(call.workspace, call.caller, run, "CAN_VIEW")
    )
    start = start_of(call)
    page = list(islice(found, start, start + limit + 1))
    more = len(page) > limit
    answer: dict[str, Any] = {"has_more": more}
    if page:
        answer["runs"] = [_listed(call, run) for run in page[:limit]]
    if more:
        answer["next_page_token"] = make_token(start + limit)
    if start:
        answer["prev_page_token"] = make_token(max(0, start - limit))
    return answer


def _listed(call: Call, run: Run) -> dict[str, Any]:
    """One entry of a list; a run with more than a page of tasks says so itself in 2.2."""
    shown = run_views.run(call.workspace, run, call.version, tasks=call.flag("expand_tasks"))
    if call.version == "2.2":
        shown = paged(shown, shown, "")
        shown.pop("next_page_token", None)
    return shown


async def get_output(call: Call) -> Answer:
    run_id = call.number("run_id")
    found = call.workspace.runs.of_task(run_id)
    if found is None:
        launches.visible(call.workspace, call.caller, run_id)
        raise invalid(SEVERAL_TASKS)
    run, task = found
    launches.visible(call.workspace, call.caller, run["run_id"])
    return run_views.output(call.workspace, run, task)


async def delete(call: Call) -> Answer:
    run = launches.visible(call.workspace, call.caller, call.number("run_id"), "CAN_MANAGE")
    if run["phase"] not in ENDED:
        raise ApiError(
            400, "INVALID_STATE", f"Run {run['run_id']} is still active and can not be deleted."
        )  # text unverified
    call.workspace.runs.delete(run)
    await asyncio.to_thread(task_process.forget, call.workspace, run)
    return {}
