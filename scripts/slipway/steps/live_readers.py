"""What is live and leads to the idle slot all the same: it would run a candidate that nobody has tested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from slipway.domain.factory.export_notebooks import RELEASE_FOLDER
from slipway.domain.job import reads_from
from slipway.domain.switch import Known
from slipway.errors import Conflict

if TYPE_CHECKING:
    from slipway.steps.session import Session


def refuse_live_readers(session: Session, known: Mapping[str, Known]) -> None:
    """Raises Conflict where a job of the live release, or the factory, leads to the idle slot: by hand, by an agent that
    woke up late, or because an earlier state was put back. One request more, where the environment releases a factory."""
    state = session.state
    if state.live is None:
        return
    folder = session.slot_folder(state.idle)
    found = [
        f"job {key} ({job.id})"
        for key, job in sorted(known.items())
        if not job.retired and not job.waiting and job.settings is not None and reads_from(job.settings, folder)
    ]
    if session.environment.data_factory.source != "none":
        shared = session.factory.global_parameters().get(RELEASE_FOLDER) or {}
        if reads_from({"value": shared.get("value")}, folder):
            found.append(f"{RELEASE_FOLDER} of data factory {session.factory.name}")
    if found:
        raise Conflict(
            f"{', '.join(found)} lead to {folder}, which is not live ({state.live} is) and would be overwritten.",
            changed="The slot was not touched.",
            next_step="Where an agent that woke up late did it, scripts/switch_slot.py --revert --if-free leads jobs back. "
            f"Else lead them to {session.slot_folder(state.live)} by hand; or, where {state.idle} is what should be live, an "
            "earlier state.json was put back: put the right version of the blob back.",
        )
