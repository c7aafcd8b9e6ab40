"""Jobs that are not as the last switch left them although none is open: they lead to the idle slot, start though they are of
no live release, or do not start any more. An agent did that which slept in the middle of a request and woke up when the claim
had long been another's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from slipway.domain.archive import SWITCHES, read_settings
from slipway.domain.codec import from_bytes
from slipway.domain.job import TAG_SLOT, TAG_VERSION, is_of_no_release, of_no_release, own_tags, pause_of, with_pause
from slipway.domain.state import Entry
from slipway.domain.switch import Journal
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
        session.log.info(f"Jobs are not as the last switch left them, and somebody is at work: {held.what}")
        return
    with audited(session, "revert"), session.claimed(despite_freeze=True):
        strays = _strays(session) if session.state.switch is None else {}
        for key, stray in strays.items():
            session.log.warning(
                f"Job {key} {stray.what}, and no switch is open: an agent that slept in the middle of a request left it so. "
                f"{stray.done}"
            )
            session.log.detail(f"pause status: {pause_of(stray.settings)}")
        what = f"jobs: {', '.join(strays)}"
        if strays:  # before the change, since the state does not change with it: a cut can't leave it untold
            begun = row(session, "revert", "begun", detail=what)
            session.update_ours(noted(session, lambda state: state, begun))
        jobs = session.state.jobs
        session.concurrently([partial(set_job, session, jobs[key].id, it.settings) for key, it in strays.items()])
        if strays:
            mended = row(session, "revert", "mended", detail=what)
            session.update_ours(noted(session, lambda state: without_claim(state, session.holder.id), mended))
        session.release_claim()


@dataclass(frozen=True)
class Stray:
    """What became of a job, what is done about it, and the settings that do it."""

    what: str
    done: str
    settings: Settings


def _strays(session: Session) -> dict[str, Stray]:
    """By key, what each stray job must be."""
    state = session.state
    entry = state.live_entry
    if state.live is None or entry is None or state.switch is not None:
        return {}
    now = read_jobs(session, {key: record.id for key, record in state.jobs.items() if record.slot is not None})
    there = {key: settings for key, settings in now.items() if settings is not None}
    gone = {key: settings for key, settings in there.items() if state.jobs[key].retired}
    ours = {key: settings for key, settings in there.items() if key not in gone and state.jobs[key].slot == state.live}
    away = f"led to {state.idle}, which is not live"
    left = f"was paused, as if {entry.version} had no such job"
    started = f"was started, which {entry.version} does not have"
    back = "It is set to what the live release means."
    return {
        **{key: Stray(away, back, it) for key, it in _led_away(session, entry, ours).items()},
        **{key: Stray(left, back, it) for key, it in _paused_as_if_they_left(session, entry, ours).items()},
        **{key: Stray(started, "It is paused.", of_no_release(it)) for key, it in gone.items() if _was_started(it)},
    }


def _led_away(session: Session, entry: Entry, ours: Mapping[str, Settings]) -> dict[str, Settings]:
    """As their release means them, and paused or not as they are now."""
    idle = session.state.idle
    wrong = {
        key: settings
        for key, settings in ours.items()
        if own_tags(settings).get(TAG_SLOT) == idle
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


def _paused_as_if_they_left(session: Session, entry: Entry, ours: Mapping[str, Settings]) -> dict[str, Settings]:
    """Jobs of the live release that a switch to one without them has paused, after it was taken back: they start again,
    where they did before that switch."""
    wrong = {
        key: settings
        for key, settings in ours.items()
        if is_of_no_release(settings) and own_tags(settings)[TAG_SLOT] == session.state.live
    }
    before: dict[str, str | None] = {}
    names = [name for name in session.store.list(SWITCHES) if name.endswith("-back.json")] if wrong else []
    for name in reversed(names):
        journal = session.document(name, lambda data: from_bytes(Journal, data))
        for action in journal.actions:
            if action.leaves and action.key in wrong:
                before.setdefault(action.key, pause_of(action.before or {}))
        if wrong.keys() <= before.keys():
            break
    result: dict[str, Settings] = {}
    for key, settings in wrong.items():
        tagged = {**settings, "tags": {**settings["tags"], TAG_VERSION: entry.version}}
        result[key] = with_pause(tagged, status) if (status := before.get(key)) else tagged
    return result


def _was_started(settings: Settings) -> bool:
    """By a switch: it says which release it is of. One that people start does not."""
    return pause_of(settings) == "UNPAUSED" and TAG_VERSION in own_tags(settings)
