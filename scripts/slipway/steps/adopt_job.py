"""Takes an existing job into Slipway as the job KEY of config/jobs, by its name or id: the next switch sets it, instead of
making a second one. Until then only three tags of it change."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from slipway.command import Context, run_step
from slipway.domain.archive import archive_settings
from slipway.domain.job import TAG_APP, TAG_ENVIRONMENT, TAG_JOB, Settings, parse_definition, pause_of
from slipway.domain.state import JobRecord
from slipway.domain.transition import adopted
from slipway.errors import AuthenticationError, NotPossible, ReleaseError, UsageError, saying
from slipway.steps.auditing import audited, noted, row
from slipway.steps.claiming import claim_options
from slipway.steps.jobs import read_jobs, settings_of
from slipway.steps.session import Session, open_session

_NOTHING = "Nothing was changed."


def main() -> int:
    return run_step(run, description=__doc__ or "", options=_options)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--job", required=True, metavar="KEY", help="its key: config/jobs/KEY.json")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--name", help="the name that the job has in the workspace now")
    which.add_argument("--id", type=int, help="its id, where several jobs have that name")
    claim_options(parser)


def run(context: Context) -> None:
    arguments = context.arguments
    adopt(open_session(context, f"adopt {arguments.job}"), arguments.job, arguments.name, arguments.id)


def adopt(session: Session, key: str, name: str | None, job_id: int | None) -> None:
    """Tags the job and notes it in the state; with --what-if says what that would do.

    Raises UsageError (no such definition), NotPossible (which job is not clear, or it is somebody else's),
    AuthenticationError (it may not be managed), Conflict.
    """
    definition = _definition(session, key)
    if session.context.what_if:
        session.load()
        _adopt(session, key, definition, name, job_id)
        return
    with audited(session, "adopt"), session.claimed():
        with saying(_NOTHING):
            session.refuse_open_switch()
        _adopt(session, key, definition, name, job_id)
        session.release_claim()


def _adopt(session: Session, key: str, definition: Settings, name: str | None, job_id: int | None) -> None:
    with saying(_NOTHING):
        job = _find(session, name, job_id)
        found, settings = int(job["job_id"]), settings_of(job)
        _refuse(session, key, found, settings)
        _may_manage(session, found, settings)
    environment = session.environment
    tags = {TAG_APP: environment.app, TAG_ENVIRONMENT: environment.name, TAG_JOB: key}
    tags = {**(settings.get("tags") or {}), **tags}
    title = f"{settings.get('name')!r} ({found})"
    meant = pause_of(definition)
    if meant is not None and environment.jobs.schedules == "paused":
        meant = "PAUSED"
    if session.context.what_if:
        session.log.info(f"Would take job {title} as job {key}: its tags become {tags}, all else stays as it is.")
        return
    blob, data = archive_settings({key: {**settings, "tags": tags}})
    session.keep(blob, data)
    session.guard()
    session.workspace.update_job(found, {"tags": tags})
    record = JobRecord(id=found, slot=None, pause=meant, adopted=blob)
    with saying("The job was tagged; run the same command again."):
        told = row(session, "adopt", "done", detail=f"job {key}: {title}")
        session.update_ours(noted(session, lambda state: adopted(state, key, record), told))
    session.log.info(f"Job {title} is job {key} of {environment.app}, {environment.name}. Only its tags were changed.")
    session.log.info(
        "The next switch gives it the definition's settings; what it has till then is kept in the journal."
    )
    now = pause_of(settings)
    if now != meant and now is not None and meant is not None:
        session.log.info(
            f"It is {now} and the definition says {meant}: it stays {now}, as it does for changes by hand."
        )


def _definition(session: Session, key: str) -> Settings:
    folder = session.context.root / "config" / "jobs"
    path = folder / f"{key}.json"
    keys = sorted(file.stem for file in folder.glob("*.json"))
    if key not in keys:
        raise UsageError(
            f"There is no job {key!r} in config/jobs; there are: {', '.join(keys) or 'none'}.",
            changed=_NOTHING,
            next_step="Write its definition first: without one, the next release would pause the job.",
        )
    definition, findings = parse_definition(path.read_text(encoding="utf-8"), f"config/jobs/{key}.json")
    if definition is None:
        raise ReleaseError(f"The definition of job {key} can't be read.", findings, changed=_NOTHING)
    return definition


def _find(session: Session, name: str | None, job_id: int | None) -> Mapping[str, Any]:
    """The job as jobs/get shows it."""
    where = session.environment.databricks.host
    if job_id is None:
        # The service compares without regard to case; a job's name has to be said exactly.
        ids = [
            int(job["job_id"])
            for job in session.workspace.list_jobs(name=name)
            if (job.get("settings") or {}).get("name") == name
        ]
        if len(ids) > 1:
            listed = ", ".join(str(i) for i in sorted(ids))
            raise NotPossible(f"{len(ids)} jobs in {where} are named {name!r}: {listed}.", next_step="Say which: --id.")
        if not ids:
            raise NotPossible(
                f"No job in {where} is named {name!r}, or the release identity may not see it.",
                next_step="Say the name exactly as the workspace shows it, or give the release identity Can Manage on it.",
            )
        job_id = ids[0]
    job: Mapping[str, Any] | None = session.workspace.get_job(job_id)
    if job is None:
        raise NotPossible(f"There is no job {job_id} in {where}.")
    return job


def _refuse(session: Session, key: str, job_id: int, settings: Settings) -> None:
    """What can't be taken: another environment's or another key's job, or a second one under a key."""
    environment, records = session.environment, session.state.jobs
    tags = settings.get("tags") or {}
    ours = {TAG_APP: environment.app, TAG_ENVIRONMENT: environment.name, TAG_JOB: key}
    wrong = {tag: tags[tag] for tag, value in ours.items() if tag in tags and tags[tag] != value}
    if wrong:
        said = ", ".join(f"{tag}: {value}" for tag, value in wrong.items())
        raise NotPossible(
            f"Job {job_id} ({settings.get('name')!r}) belongs to another release of Slipway ({said}).",
            next_step="Take those tags away by hand first, if that is no longer so.",
        )
    other = next((name for name, record in records.items() if record.id == job_id), None)
    if other is not None:
        raise NotPossible(f"Job {job_id} is job {other} of {environment.name} already.")
    record = records.get(key)
    if record is not None and read_jobs(session, {key: record.id})[key] is not None:
        raise NotPossible(
            f"Job {key} of {environment.name} is there already: {record.id}.",
            next_step="Delete that one in the workspace first, if the other one is to take its place.",
        )


def _may_manage(session: Session, job_id: int, settings: Settings) -> None:
    """Reading a job's permissions needs the right to manage it, so that is known before anything is changed."""
    try:
        session.workspace.get_permissions("jobs", job_id)
    except AuthenticationError as error:
        raise AuthenticationError(
            f"The release identity may not manage job {job_id} ({settings.get('name')!r}): {error.what}",
            next_step="Give the service principal of azure.release_identity Can Manage on that job, then run again.",
        ) from error
