"""An environment without a state that was released to before: its state was lost, so it is no new environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slipway.domain.archive import RELEASES
from slipway.domain.factory.export_notebooks import RELEASE_FOLDER
from slipway.domain.job import is_ours, reads_from
from slipway.domain.slot import SLOTS
from slipway.domain.state import REPAIR, STATE_BLOB
from slipway.errors import StateDamaged
from slipway.steps.jobs import some

if TYPE_CHECKING:
    from slipway.steps.session import Session


def refuse_lost(session: Session) -> None:
    """Raises StateDamaged where the archive holds a release: each publishing puts one there. One request, only where there
    is no state; the workspace is not asked, for the first steps of an environment come before it can be reached."""
    kept = session.store.list(RELEASES)
    if kept:
        where = session.environment.azure.state
        raise StateDamaged(
            f"The state of {session.environment.name} is lost: there is no {STATE_BLOB} in {where.storage_account}/"
            f"{where.container}, but there are {len(kept)} archived releases.",
            changed="Nothing was changed.",
            next_step=REPAIR,
        )


def refuse_forgotten(session: Session) -> None:
    """Raises StateDamaged where the state knows of no release, and a job with this environment's tags reads from a slot, or
    the factory's releaseFolder leads to one: archive and state went together, and a release would overwrite what is live.
    Nothing but a switch makes such jobs, or leads the factory there.

    Only for a state that knows nothing: one request for each 100 jobs, and one for each of those that are found.
    """
    if not session.state.knows_nothing:
        return
    app, name = session.environment.app, session.environment.name
    ours = [
        int(job["job_id"]) for job in session.workspace.list_jobs() if is_ours(job.get("settings") or {}, app, name)
    ]
    folders = [session.slot_folder(slot) for slot in SLOTS]
    jobs = [session.workspace.get_job(job_id) for job_id in ours]
    there = [
        f"job {(job.get('settings') or {}).get('name')!r} ({job['job_id']})"
        for job in jobs
        if job is not None and any(reads_from(job, folder) for folder in folders)
    ]
    if session.environment.data_factory.source != "none":
        value = (session.factory.global_parameters().get(RELEASE_FOLDER) or {}).get("value")
        if any(reads_from({"value": value}, folder) for folder in folders):
            there.append(f"{RELEASE_FOLDER} of data factory {session.factory.name}")
    if there:
        raise StateDamaged(
            f"The state of {name} is lost: it knows of no release, but something that only a release makes leads to its "
            f"slots: {some(there)}.",
            changed="Nothing was changed.",
            next_step=REPAIR,
        )
