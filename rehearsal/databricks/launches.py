"""Starting runs: what a request asks for becomes a kept run, started, queued or skipped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.databricks import parameters, paths
from rehearsal.databricks.access import JOB_LEVELS, highest, rank
from rehearsal.databricks.control_tasks import MOST_DEPTH, CanNotRunError
from rehearsal.databricks.engine import Engine
from rehearsal.databricks.errors import invalid, lacks, malformed, not_simulated
from rehearsal.databricks.job_settings import complete
from rehearsal.databricks.jobs import Job
from rehearsal.databricks.members import Member
from rehearsal.databricks.runs import PENDING, QUEUED, SKIPPED, Run, Task
from rehearsal.databricks.workspace import Workspace

LONGEST_TOKEN = 64
OTHER_PARAMETERS = (
    "jar_params",
    "spark_submit_params",
    "sql_params",
    "dbt_commands",
)
# What a notebook's permission allows with a submitted run of it: that there is such a rule is documented, the levels unverified.
AS_A_NOTEBOOK = {"CAN_VIEW": "CAN_READ", "CAN_MANAGE_RUN": "CAN_MANAGE", "CAN_MANAGE": "CAN_MANAGE"}
LIMIT_SKIPPED = "Skipping this run because the limit of {} maximum concurrent runs has been reached."
LIMIT_QUEUED = "Queued due to reaching maximum concurrent runs of {}."


def run_now(workspace: Workspace, engine: Engine, member: Member, values: dict[str, Any]) -> Run:
    """Start a run of a job with the settings it has now; a known idempotency token gives its run back, and starts nothing."""
    job = workspace.jobs.get(member, _job_id(values), "CAN_MANAGE_RUN")
    if known := _known(workspace, values):
        return known
    refuse_other_parameters(values, "run-now", "only", "pipeline_params")
    if workspace.runs.active(job["job_id"]) and job["settings"].get("continuous"):
        # Only the answer to two such requests at once is known (409, "already in progress").
        raise not_simulated("run-now of a continuous job that has an active run; cancel it and a new one starts")
    return start(workspace, engine, job, values, creator=member.name, token=values.get("idempotency_token"))


def start_for_task(workspace: Workspace, engine: Engine, run: Run, task: Task, identity: Member) -> Run:
    """The run that a run_job_task asks for, as whom the task's own run acts. Raises CanNotRunError, or ApiError as run-now does."""
    values = task["settings"]["run_job_task"]
    chain = [*run.get("chain", []), run["job_id"]]
    if values["job_id"] in chain:
        raise CanNotRunError(f"Job {values['job_id']} would run itself.")
    if len(chain) > MOST_DEPTH:
        raise CanNotRunError(f"Run Job tasks are nested more than {MOST_DEPTH} deep.")
    known = parameters.references(run, task, workspace.workspace_id, workspace.host)
    expanded = {name: _expanded(value, known) for name, value in values.items()}
    refuse_other_parameters(expanded, "run_job_task", "pipeline_params")
    job = workspace.jobs.get(identity, values["job_id"], "CAN_MANAGE_RUN")
    return start(workspace, engine, job, expanded, creator=identity.name, trigger="RUN_JOB_TASK", chain=chain)


def start_scheduled(workspace: Workspace, engine: Engine, job: Job) -> Run:
    """The run that a job's schedule asks for."""
    return start(workspace, engine, job, {}, creator=job["creator"], trigger="PERIODIC")


def start(workspace: Workspace, engine: Engine, job: Job, values: Mapping[str, Any], **fields: Any) -> Run:
    """A run of a job with these parameters, within the job's limit: started, queued or skipped."""
    given = parameters.text_map(values.get("job_parameters"), "job_parameters")
    settings = job["settings"]
    if not settings.get("tasks"):
        raise invalid(f"Job {job['job_id']} has no tasks.")  # text unverified
    queue = values.get("queue") or settings.get("queue") or {}
    if not isinstance(queue, dict):
        raise malformed("Could not parse request object: queue must be an object")
    most = settings["max_concurrent_runs"]
    active = workspace.runs.active(job["job_id"])
    full = len([run for run in active if run["phase"] != QUEUED]) >= most
    queued = full and bool(queue.get("enabled")) and most > 0
    run = workspace.runs.create(
        **_of_job(workspace, job),
        parameters={**parameters.given(values), "job": parameters.job_parameters(settings, given)},
        phase=QUEUED if queued else PENDING,
        queue_reason=LIMIT_QUEUED.format(most) if queued else "",
        **fields,
    )
    if full and not queued:
        _skip(workspace, run, most)
    elif not queued:
        engine.start(workspace, run)
    return run


def _expanded(value: Any, known: Mapping[str, str]) -> Any:
    """The value with the references in it replaced."""
    if isinstance(value, dict):
        return {name: _expanded(part, known) for name, part in value.items()}
    if isinstance(value, list):
        return [_expanded(part, known) for part in value]
    return parameters.expand(value, known) if isinstance(value, str) else value


def start_continuous(workspace: Workspace, engine: Engine, job: Job) -> Run:
    """The next run of a continuous job, with the settings that it has now."""
    run = workspace.runs.create(
        **_of_job(workspace, job),
        creator=job["creator"],
        trigger="CONTINUOUS",
        parameters={**parameters.given({}), "job": parameters.job_parameters(job["settings"], {})},
    )
    engine.start(workspace, run)
    return run


def _of_job(workspace: Workspace, job: Job) -> dict[str, Any]:
    """What every run of a job has from it."""
    identity, settings = workspace.jobs.run_identity(job), job["settings"]
    return {
        "job_id": job["job_id"],
        "run_type": "JOB_RUN",
        "run_name": settings["name"],
        "run_as": identity.key if identity else "",
        "acl": {},
        "settings": settings,
        "single": settings.get("format") == "SINGLE_TASK",
    }


def refuse_other_parameters(values: Mapping[str, Any], operation: str, *more: str) -> None:
    """Refuses parameters of tasks that don't run here."""
    if refused := [name for name in (*OTHER_PARAMETERS, *more) if values.get(name)]:
        raise not_simulated(f"{refused[0]} in {operation}")


def _skip(workspace: Workspace, run: Run, most: int) -> None:
    message = LIMIT_SKIPPED.format(most)
    code = "MAX_CONCURRENT_RUNS_EXCEEDED"
    for thing in [*run["tasks"], run]:
        workspace.runs.end(thing, SKIPPED, "MAXIMUM_CONCURRENT_RUNS_REACHED", code, "CLIENT_ERROR", message)
    workspace.runs.keep(run)


def submit(workspace: Workspace, engine: Engine, member: Member, values: dict[str, Any], version: str) -> Run:
    """Start a one-time run that belongs to no job; it acts as the caller unless an admin names another."""
    if known := _known(workspace, values):
        return known
    name = str(values.get("run_name") or "Untitled")
    settings = complete({**values, "name": name}, version)
    if not settings.get("tasks"):
        raise invalid("Missing required field: tasks")
    run_as = workspace.jobs.take_run_as(member, settings) or member.key
    acl, listed = {member.key: "IS_OWNER"}, values.get("access_control_list")
    if listed:
        acl = workspace.jobs.checked_acl(listed) | acl
    run = workspace.runs.create(
        job_id=0,
        run_type="SUBMIT_RUN",
        run_name=name,
        creator=member.name,
        run_as=run_as,
        acl=acl,
        bundled=not listed,
        settings=settings,
        single=settings["format"] == "SINGLE_TASK",
        parameters={**parameters.given({}), "job": []},
        token=values.get("idempotency_token"),
    )
    engine.start(workspace, run)
    return run


def allowed(workspace: Workspace, member: Member, run: Run, level: str) -> bool:
    """Whether the member may do that with a run: as with its job. A submitted run has a list of its own, and unless the
    request gave one, the permissions of its notebooks count as well (docs, jobs access control)."""
    if member.admin:
        return True
    acl = run["acl"]
    if run["job_id"]:
        job = workspace.jobs.find(run["job_id"])
        acl = job["acl"] if job else {}
    if highest(JOB_LEVELS, [acl], member) >= rank(JOB_LEVELS, level):
        return True
    tasks = run["settings"].get("tasks", [])
    paths_of = [task["notebook_task"]["notebook_path"] for task in tasks if "notebook_task" in task]
    only_notebooks = bool(run.get("bundled")) and len(paths_of) == len(tasks)
    return only_notebooks and all(
        workspace.tree.may(member, paths.key_of(paths.collapse(path)), AS_A_NOTEBOOK[level]) for path in paths_of
    )


def visible(workspace: Workspace, member: Member, run_id: int, level: str = "CAN_VIEW") -> Run:
    """The run with that id. Raises ApiError 400 when there is none, 403 when the member may not do that with it."""
    run = workspace.runs.get(run_id)
    if run is None:
        # 400 as with jobs/get: both SDKs' override tables name this message for jobs/runs/get.
        raise invalid(f"Run {run_id} does not exist.")
    if not allowed(workspace, member, run, level):
        word = {"CAN_VIEW": "View", "CAN_MANAGE_RUN": "Manage Run"}.get(level, "Manage")
        raise lacks(member.name, word, f"run {run_id}")  # text by analogy (unverified)
    return run


def _known(workspace: Workspace, values: dict[str, Any]) -> Run | None:
    token = values.get("idempotency_token")
    if not token:
        return None
    if not isinstance(token, str) or len(token) > LONGEST_TOKEN:
        raise invalid(f"idempotency_token must be text of at most {LONGEST_TOKEN} characters")
    run_id = workspace.runs.known_token(token)
    if run_id is None:
        return None
    run = workspace.runs.get(run_id)
    if run is None:
        # That it is an error is documented, code and text are not (unverified).
        raise invalid(f"The run of the idempotency token {token} was deleted.")
    return run


def _job_id(values: dict[str, Any]) -> int:
    value = values.get("job_id")
    if isinstance(value, bool) or not str(value).isdigit():
        raise invalid("Missing required field: job_id")
    return int(str(value))
