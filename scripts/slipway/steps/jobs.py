"""The deployed jobs of an environment: reading them, finding them by their tags."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from slipway.domain import job_permissions
from slipway.domain.archive import read_settings
from slipway.domain.job import TAG_SLOT, is_of_no_release, is_ours, own_tags, pause_of
from slipway.domain.switch import Known
from slipway.errors import AuthenticationError, NotPossible

if TYPE_CHECKING:
    from slipway.steps.session import Session

Settings = Mapping[str, Any]


def some(names: Sequence[str], most: int = 2) -> str:
    """The first few of many names, for one line."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def read_jobs(
    session: Session, ids: Mapping[str, int], *, permissions: Collection[str] = ()
) -> dict[str, Settings | None]:
    """The settings that the jobs have now, by key; None for one that is gone. With those of them, by key, whose
    permissions are the release's too, a request more each."""
    keys = sorted(ids)
    answers = session.workspace.concurrently([partial(_look_at, session, ids[key], key in permissions) for key in keys])
    for key, answer in zip(keys, answers, strict=True):
        if isinstance(answer, AuthenticationError) and is_listed(session, ids[key]):
            raise answer
    return {
        key: None if job is None or isinstance(job, AuthenticationError) else job
        for key, job in zip(keys, answers, strict=True)
    }


def _look_at(session: Session, job_id: int, permissions: bool) -> Settings | AuthenticationError | None:
    try:
        job = session.workspace.get_job(job_id)
        if job is None:
            return None
        if not permissions:
            return settings_of(job)
        answer = session.workspace.get_permissions("jobs", job_id)
        return {**settings_of(job), job_permissions.FIELD: job_permissions.direct(answer, _identity(session))}
    except AuthenticationError as error:
        return error


def set_job(session: Session, job_id: int, settings: Settings) -> None:
    """Gives a job these settings, and its permissions where they are part of them."""
    session.workspace.reset_job(job_id, job_permissions.without(settings))
    if job_permissions.FIELD not in settings:
        return
    answer, wanted = session.workspace.get_permissions("jobs", job_id), settings[job_permissions.FIELD]
    if job_permissions.direct(answer, _identity(session)) != wanted:
        whole = job_permissions.to_put(answer, wanted, _identity(session))
        session.workspace.set_permissions("jobs", job_id, whole)


def _identity(session: Session) -> str:
    return session.environment.azure.release_identity.client_id


def is_listed(session: Session, job_id: int) -> bool:
    """Whether the workspace shows the job. To who is no admin it refuses a deleted job as it does another's: permission is
    checked before existence (databricks/terraform-provider-databricks, comments on measured answers). The release identity
    made its jobs and owns them, so one that it can't even see in the list is gone."""
    return any(int(job["job_id"]) == job_id for job in session.workspace.list_jobs())


def settings_of(job: Mapping[str, Any]) -> Settings:
    """The settings in an answer of jobs/get, with run_as: that is said beside them (run_as_user_name), and a reset that
    does not name it leaves it as it is."""
    settings: dict[str, Any] = dict(job.get("settings") or {})
    name = job.get("run_as_user_name")
    if name and "run_as" not in settings:
        settings["run_as"] = {"user_name" if "@" in name else "service_principal_name": name}
    return settings


def find_by_tags(session: Session, keys: Iterable[str]) -> dict[str, int]:
    """Ids of this environment's jobs that the state does not know, by the tags that Slipway gave them.

    The oldest wins where there are several: it is the one that people know.
    """
    wanted = set(keys)
    if not wanted:
        return {}
    known = {job.id for job in session.state.jobs.values()}
    found: dict[str, dict[int, str]] = {}
    for job in session.workspace.list_jobs():
        settings, job_id = job.get("settings") or {}, int(job["job_id"])
        key = is_ours(settings, session.environment.app, session.environment.name)
        if key is not None and key in wanted and job_id not in known:
            found.setdefault(key, {})[job_id] = str(settings.get("name", ""))
    for key, jobs in found.items():
        if len(jobs) > 1:
            others = ", ".join(f"{name!r} ({i})" for i, name in sorted(jobs.items()) if i != min(jobs))
            session.log.warning(
                f"{len(jobs)} jobs have the tags of job {key}: {min(jobs)} is taken, the oldest. Never touched: {others}."
            )
    return {key: min(jobs) for key, jobs in found.items()}


def known_jobs(session: Session, wanted: Mapping[str, Settings]) -> dict[str, Known]:
    """Every job that the state knows, as it is now; wanted ones that it does not know are looked for by their tags."""
    records = session.state.jobs
    ids = {key: record.id for key, record in records.items()}
    ids.update(find_by_tags(session, set(wanted) - ids.keys()))
    meant = meant_settings(session)
    listed = {key for key in ids for by in (wanted, meant) if job_permissions.FIELD in by.get(key, {})}
    now = read_jobs(session, ids, permissions=listed)
    result = {key: _known(session, key, ids[key], settings, meant.get(key)) for key, settings in now.items()}
    forgotten = {key: status for key, status in session.state.by_hand.items() if key in wanted and key not in result}
    return result | {key: Known(id=0, pause=None, settings=None, by_hand=it) for key, it in forgotten.items()}


def _known(session: Session, key: str, job_id: int, settings: Settings | None, meant: Settings | None) -> Known:
    record = session.state.jobs.get(key)
    if record is None:
        # Found by its tags: adopting it was cut before the state knew, or an agent that was late has made it.
        adopted = settings is not None and TAG_SLOT not in own_tags(settings)
        by_hand = pause_of(settings) if adopted and settings else session.state.by_hand.get(key)
        return Known(id=job_id, pause=None, settings=settings, by_hand=by_hand, waiting=adopted, retired=not adopted)
    return Known(
        id=job_id,
        pause=record.pause,
        settings=settings,
        retired=record.retired or (settings is not None and is_of_no_release(settings)),
        by_hand=None if settings is None else record.by_hand,
        base=None if record.retired else meant,
        left=None if record.left is None or settings is None else _left(session, key, record.left),
        waiting=record.slot is None,
    )


def _left(session: Session, key: str, name: str) -> Settings | None:
    try:
        return session.document(name, read_settings).get(key)
    except NotPossible as error:
        session.log.warning(
            f"Whether people changed the schedule of job {key} before it left is not known: {error.what}"
        )
        return None


def with_originals(session: Session, known: Mapping[str, Known], wanted: Iterable[str]) -> dict[str, Known]:
    """The known jobs, those that are to leave with what they were before they were adopted, where they were."""
    result = dict(known)
    for key in known.keys() - set(wanted):
        record = session.state.jobs.get(key)
        if record is not None and record.adopted and record.slot is not None and not record.retired:
            try:
                result[key] = replace(known[key], original=session.document(record.adopted, read_settings).get(key))
            except NotPossible as error:
                session.log.warning(
                    f"Job {key} is paused, and can't be what it was before it was adopted: {error.what}"
                )
    return result


def meant_settings(session: Session) -> dict[str, dict[str, Any]]:
    """The jobs' settings as the live release itself means them, by key; none where the archive lost them."""
    entry = session.state.live_entry
    if entry is None:
        return {}
    try:
        return session.document(entry.definitions or entry.settings, read_settings)
    except NotPossible as error:
        session.log.warning(f"Changes by hand can't be looked for: {error.what}")
        return {}
