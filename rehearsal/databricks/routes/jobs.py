"""`/api/2.0|2.1|2.2/jobs/*` without runs."""

from __future__ import annotations

import base64
from typing import Any

from rehearsal.databricks.call import Answer, Call, Operation
from rehearsal.databricks.errors import invalid
from rehearsal.databricks.jobs import Job, owner_of
from rehearsal.databricks.members import Member
from rehearsal.databricks.task_settings import LEGACY_TASK_FIELDS

VERSIONS = ("2.0", "2.1", "2.2")
PAGE = 100  # tasks, parameters, job_clusters and environments per answer in 2.2 (docs, jobs-api-2-2-updates)
FARTHEST = 10**12
# And the iterations of a loop (databricks-sdk-py, `mixins/jobs.py`).
PAGED = ("tasks", "parameters", "job_clusters", "environments", "iterations")


async def create(call: Call) -> Answer:
    return {"job_id": call.workspace.jobs.create(call.caller, call.values, call.version)}


async def reset(call: Call) -> Answer:
    call.workspace.jobs.reset(call.caller, call.number("job_id"), call.values.get("new_settings"), call.version)
    return {}


async def update(call: Call) -> Answer:
    changed, removed = call.values.get("new_settings"), call.values.get("fields_to_remove")
    call.workspace.jobs.update(call.caller, call.number("job_id"), changed, removed)
    return {}


async def delete(call: Call) -> Answer:
    call.workspace.jobs.delete(call.caller, call.number("job_id"))
    return {}


async def get(call: Call) -> Answer:
    job = call.workspace.jobs.get(call.caller, call.number("job_id"))
    shown = show(call, job, tasks=True)
    if call.version == "2.2":
        return paged(shown, shown["settings"], call.text("page_token"))
    return shown


def paged(shown: dict[str, Any], holder: dict[str, Any], token: str) -> dict[str, Any]:
    """One page of an answer whose `holder` has arrays of more than PAGE entries; later pages hold only what is left of them."""
    start = read_token(token)
    more = False
    for field in PAGED:
        if field in holder:
            whole = holder[field]
            holder[field] = whole[start : start + PAGE]
            more = more or len(whole) > start + PAGE
            if start and not holder[field]:
                del holder[field]
    if more:
        shown |= {"has_more": True, "next_page_token": make_token(start + PAGE)}
    return shown


def make_token(start: int) -> str:
    return base64.urlsafe_b64encode(f"from:{start}".encode()).decode()


def read_token(token: str) -> int:
    """Where a page begins. Raises ApiError 400 for a token that was never given."""
    if not token:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        if word == "from" and number.isdigit():
            return int(number)
    except ValueError:
        pass
    raise invalid("Invalid page token")


def start_of(call: Call) -> int:
    """Where the page of a list begins. Raises ApiError 400."""
    start = read_token(call.text("page_token")) or call.number("offset", 0)
    if not 0 <= start <= FARTHEST:
        raise invalid(f"offset must be between 0 and {FARTHEST}, was {start}")
    return start


def show(call: Call, job: Job, *, tasks: bool) -> dict[str, Any]:
    """A job as get and list answer. `run_as_user_name` tells whom runs act as; settings never hold run_as."""
    identity: Member | None = call.workspace.jobs.run_identity(job)
    settings = dict(job["settings"])
    single = settings.get("format") == "SINGLE_TASK"
    if call.version == "2.0":
        held = settings.pop("tasks", [])
        if single and held:
            settings |= {name: value for name, value in held[0].items() if name in LEGACY_TASK_FIELDS}
    else:
        settings["format"] = "MULTI_TASK"  # "when using 2.1 this value is always MULTI_TASK" (SDK docstring)
        if not tasks:
            for field in ("tasks", "job_clusters", "environments", "parameters"):
                settings.pop(field, None)
    return {
        "job_id": job["job_id"],
        "creator_user_name": job["creator"],
        "run_as_user_name": identity.name if identity else owner_of(job["acl"]).partition(":")[2],
        "created_time": job["created"],
        "settings": settings,
    }


async def list_jobs(call: Call) -> Answer:
    jobs = call.workspace.jobs.list(call.caller, call.text("name"))
    if call.version == "2.0":
        return {"jobs": [show(call, job, tasks=True) for job in jobs]} if jobs else {}
    limit = call.number("limit", 20)
    most = 25 if call.version == "2.1" else 100
    if not 1 <= limit <= most:
        raise invalid(f"limit must be between 1 and {most}, was {limit}")
    start = start_of(call)
    page = jobs[start : start + limit]
    answer: dict[str, Any] = {"has_more": len(jobs) > start + limit}
    if page:
        answer["jobs"] = [_listed(call, job) for job in page]
    if answer["has_more"]:
        answer["next_page_token"] = make_token(start + limit)
    if start:
        answer["prev_page_token"] = make_token(max(0, start - limit))
    return answer


def _listed(call: Call, job: Job) -> dict[str, Any]:
    """One entry of a list; a job with more than a page of tasks says so itself in 2.2."""
    shown = show(call, job, tasks=call.flag("expand_tasks"))
    if call.version != "2.2":
        return shown
    shown = paged(shown, shown["settings"], "")
    shown.pop("next_page_token", None)
    return shown


OPERATIONS = [
    Operation("POST", "/jobs/create", create, VERSIONS),
    Operation("POST", "/jobs/reset", reset, VERSIONS),
    Operation("POST", "/jobs/update", update, VERSIONS),
    Operation("POST", "/jobs/delete", delete, VERSIONS),
    Operation("GET", "/jobs/get", get, VERSIONS),
    Operation("GET", "/jobs/list", list_jobs, VERSIONS),
]
