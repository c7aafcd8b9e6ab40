"""Jobs that lead to the idle slot although no switch is open: what an agent did that slept in the middle of a request and woke
up when the claim had long been another's."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from slipway.domain.archive import read_settings
from slipway.domain.job import TAG_SLOT, is_of_no_release, pause_of, with_pause
from slipway.domain.slot import other
from slipway.errors import Conflict
from slipway.steps.auditing import audited, noted, row
from slipway.steps.jobs import Settings, read_jobs, set_job
from slipway.steps.session import without_claim

if TYPE_CHECKING:
    from slipway.steps.session import Session


def mend_strays(session: Session) -> None:
    """Sets such jobs to what the live release means them to be; does nothing while somebody else holds the claim.

    Raises what the workspace refuses.
    """
    if not _strays(session):
        return
    try:
        session.take_claim(despite_freeze=True)
    except Conflict as held:
        session.log.info(f"Jobs lead to a slot that is not live, and somebody is at work: {held.what}")
        return
    with audited(session, "revert"), session.claimed(despite_freeze=True):
        strays = _strays(session) if session.state.switch is None else {}
        for key, settings in strays.items():
            session.log.warning(
                f"Job {key} led to {other(session.state.live or 'green')}, which is not live, and no switch is open: an agent "
                "that slept in the middle of a request left it so. It is set to what the live release means."
            )
            session.log.detail(f"pause status: {pause_of(settings)}")
        what = f"jobs of the idle slot: {', '.join(strays)}"
        if strays:  # before the change, since the state does not change with it: a cut can't leave it untold
            begun = row(session, "revert", "begun", detail=what)
            session.update_ours(noted(session, lambda state: state, begun))
        session.concurrently([partial(set_job, session, session.state.jobs[key].id, it) for key, it in strays.items()])
        if strays:
            mended = row(session, "revert", "mended", detail=what)
            session.update_ours(noted(session, lambda state: without_claim(state, session.holder.id), mended))
        session.release_claim()


def _strays(session: Session) -> dict[str, Settings]:
    """By key, what each stray job must be: as its release means it, and paused or not as it is now."""
    state = session.state
    entry = state.live_entry
    if state.live is None or entry is None or state.switch is not None:
        return {}
    ids = {key: record.id for key, record in state.jobs.items() if not record.retired and record.slot == state.live}
    now = read_jobs(session, ids)
    wrong = {
        key: settings
        for key, settings in now.items()
        if settings is not None
        and (settings.get("tags") or {}).get(TAG_SLOT) == other(state.live)
        and not is_of_no_release(settings)  # deleted by hand, and made by a switch that was taken back
    }
    if not wrong:
        return {}
    meant = session.document(entry.settings, read_settings)
    return {
        key: with_pause(meant[key], pause) if (pause := pause_of(settings)) else meant[key]
        for key, settings in wrong.items()
        if key in meant
    }
