"""Which versions an environment can be rolled back to, from its slot or from the archive, and which not and why."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from slipway.domain.archive import ARCHIVE, FILES, ArchivedRelease, read_archived
from slipway.domain.codec import instant_to_text
from slipway.domain.state import Entry, State
from slipway.errors import NotPossible
from slipway.steps.slot_reading import difference
from slipway.steps.text_table import text_table

if TYPE_CHECKING:
    from slipway.steps.session import Session

_HOW = {"switch": "switch: seconds", "archive": "published again from the archive", None: "can't"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A version that was released here. `how` it is reached: None where it can't be, for the `reason`. `slot`: where it
    is, or would be. `factory`: whether its data factory was kept; None where the environment releases none."""

    version: str
    since: str | None
    outcome: str
    slot: str | None = None
    how: str | None = None
    factory: bool | None = None
    reason: str = ""


def show(session: Session) -> None:
    """--list: reads only."""
    session.load()
    found = places(session)
    if session.context.arguments.json:
        session.log.result(json.dumps(as_data(session, found), indent=1, sort_keys=True, ensure_ascii=False))
        return
    session.log.result("\n".join([f"{session.environment.name} can go back to:", "", *as_lines(found)]))
    if session.state.switch is not None:
        session.log.info(f"A switch to {session.state.switch.version} is open; a rollback ends it first.")


def as_data(session: Session, found: list[Place]) -> dict[str, Any]:
    journal = session.state.switch
    return {
        "environment": session.environment.name,
        "open_switch": None if journal is None else journal.version,
        "versions": [asdict(place) for place in found],
    }


def as_lines(found: list[Place]) -> list[str]:
    """A table for a person."""
    if not found:
        return ["nothing was ever released here"]
    rows = [["version", "live since", "", "how", "slot", "data factory", ""]]
    factory = {None: "", True: "as it was then", False: "stays as it is"}
    for place in found:
        how = _HOW[place.how] if place.outcome != "live" else ""
        kept = "" if place.how is None else factory[place.factory]
        rows.append([place.version, place.since or "", place.outcome, how, place.slot or "", kept, place.reason])
    return text_table(rows)


def places(session: Session) -> list[Place]:
    """Every version that the state or the archive knows, newest first. Reads only: the archive's names, a document for
    each version, and the idle slot."""
    state, kept = session.state, set(session.store.list(ARCHIVE))
    live = state.live_entry
    newest: dict[str, Entry] = {}
    for entry in state.history:
        if entry is not live and (live is None or entry.version != live.version):
            newest[entry.version] = entry
    asked = [partial(_place, session, entry, kept) for entry in reversed(newest.values())]
    found = session.workspace.concurrently(asked)
    if live is not None:
        now = Place(version=live.version, since=instant_to_text(live.since), outcome="live", slot=state.live)
        found.insert(0, now)
    return found + _never_live(state)


def _place(session: Session, entry: Entry, kept: Collection[str]) -> Place:
    state = session.state
    why_not = difference(session, state.idle, entry.manifest)
    reason = _missing(session, entry, kept, whole=not why_not)
    return Place(
        version=entry.version,
        since=instant_to_text(entry.since),
        outcome=entry.outcome.replace("_", " "),
        slot=state.idle,
        how=None if reason else "archive" if why_not else "switch",
        factory=None if session.environment.data_factory.source == "none" else entry.factory in kept,
        reason=reason,
    )


def _missing(session: Session, entry: Entry, kept: Collection[str], *, whole: bool) -> str:
    """Why it can't be reached; empty where it can."""
    if entry.settings not in kept:
        return "the archive lacks its jobs' settings"
    if session.environment.data_factory.source != "none" and entry.factory is not None and entry.factory not in kept:
        return "the archive lacks its data factory"
    if whole:
        return ""
    if entry.archive not in kept:
        return "the archive lacks it"
    try:
        lacking = lacking_files(session.document(entry.archive, read_archived), kept)
    except NotPossible as error:
        return error.what
    return f"the archive lacks {len(lacking)} of its files ({lacking[0]})" if lacking else ""


def lacking_files(document: ArchivedRelease, kept: Collection[str]) -> list[str]:
    """Paths of an archived release whose content the archive does not have any more."""
    return [content.path for content in document.contents if FILES + content.sha256 not in kept]


def _never_live(state: State) -> list[Place]:
    """Candidates that are in a slot and were never switched to: a rollback does not go to them."""
    known = {entry.version for entry in state.history}
    return [
        Place(
            version=record.version,
            since=None,
            outcome="candidate",
            slot=slot,
            reason="never live here: it is released, not gone back to",
        )
        for slot, record in sorted(state.slots.items())
        if record.candidate and record.version not in known
    ]
