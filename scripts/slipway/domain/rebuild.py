"""A lost state, made anew: the archived switches played again, compared with what slots and jobs are now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from slipway.domain.archive import ArchivedRelease
from slipway.domain.job import TAG_VERSION, move, pause_of, with_pause
from slipway.domain.slot import SLOTS, Slot, other
from slipway.domain.state import Entry, JobRecord, SlotRecord, State
from slipway.domain.switch import Action, Journal
from slipway.domain.transition import opened, switched, taken_back

_MARGIN = 1000
"""How much higher the next claim's number is than any that the archive knows of."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job with this environment's tags: its id, its settings now, and the slot that its first notebook lies in."""

    id: int
    settings: Mapping[str, Any]
    slot: Slot | None


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is left. `releases` by the hash of their manifest in either slot: the archive's name and document; `manifests`:
    the hashes of those in the slots; `journals`: the archived switches, oldest first."""

    releases: Mapping[str, tuple[str, ArchivedRelease]]
    archived: tuple[str, ...]
    manifests: Mapping[Slot, str]
    journals: tuple[Journal, ...]
    jobs: Mapping[str, Job]


def replay(state: State, found: Found, files: Mapping[str, Mapping[str, str]]) -> State:
    """The state after the archived switches, without those whose release the archive does not have any more. `files`:
    what a release's slot holds (path -> SHA-256), by manifest hash."""
    undone = {(journal.number, journal.version) for journal in found.journals if journal.direction == "back"}
    for journal in found.journals:
        if journal.kind == "import" or journal.manifest not in found.releases:
            continue
        archive, document = found.releases[journal.manifest]
        record = SlotRecord(
            version=document.version,
            commit=document.commit,
            release=document.release,
            manifest=journal.manifest,
            complete=True,
            candidate=True,
            files=files[journal.manifest],
            archive=archive,
            settings=journal.settings,
            published=journal.started,
        )
        state = state.with_slot(journal.target, record)
        if journal.direction == "back":
            state = taken_back(state, journal)
        elif (journal.number, journal.version) not in undone:
            state = switched(state, _placed(state, journal), now=journal.started, run="", readers=())
    return replace(state, fence=max((j.number for j in found.journals), default=0) + _MARGIN, archived=found.archived)


def _placed(state: State, journal: Journal) -> Journal:
    """The journal with its place in this history, which may lack older releases; without one it is a release."""
    places = [i for i, entry in enumerate(state.history) if entry.version == journal.version]
    if journal.kind != "rollback" or not places:
        return replace(journal, kind="release", entry=None)
    return replace(journal, entry=places[-1])


def live_slot(state: State, found: Found) -> tuple[Slot | None, str]:
    """The slot that every job of the release leads to, or why that can't be told. `state` as replayed."""
    retired = {key for key, record in state.jobs.items() if record.retired}
    by_slot = {
        slot: sorted(k for k, job in found.jobs.items() if job.slot == slot and k not in retired) for slot in SLOTS
    }
    led = [slot for slot in SLOTS if by_slot[slot]]
    if len(led) == 2:
        said = "; ".join(f"{slot}: {', '.join(_described(found, key) for key in by_slot[slot])}" for slot in led)
        return None, f"jobs lead to both slots ({said}), as in the middle of a switch"
    if not led:
        return state.live, ""
    if state.live is not None and state.live != led[0]:
        return None, f"the last archived switch made {state.live} live, and all jobs lead to {led[0]}"
    return led[0], ""


def _described(found: Found, key: str) -> str:
    """A job with what tells people whether it is of the live release."""
    settings = found.jobs[key].settings
    version = (settings.get("tags") or {}).get(TAG_VERSION)
    remarks = [str(version)] * bool(version) + ["paused"] * (pause_of(settings) == "PAUSED")
    return f"{key} ({', '.join(remarks)})" if remarks else key


def witnessed(
    state: State, found: Found, slot: Slot, document: ArchivedRelease, *, archive: str, settings: str, now: float
) -> State:
    """The state with a live release that no archived switch tells of, only its slot's manifest and the jobs: since when
    is not known.

    Paused jobs of another version that lead to the other slot have left it: with the archive, nothing else tells so.
    """
    manifest = found.manifests[slot]
    files = {content.path: content.sha256 for content in document.contents}
    record = SlotRecord(
        version=document.version,
        commit=document.commit,
        release=document.release,
        manifest=manifest,
        complete=True,
        candidate=False,
        files=files,
        archive=archive,
        settings=settings,
        published=now,
    )
    entry = Entry(
        version=document.version,
        commit=document.commit,
        slot=slot,
        manifest=manifest,
        archive=archive,
        settings=settings,
        since=now,
        outcome="live",
    )
    left = {
        key: JobRecord(id=job.id, slot=job.slot, pause="PAUSED", retired=True)
        for key, job in found.jobs.items()
        if job.slot == other(slot)
        and pause_of(job.settings) == "PAUSED"
        and (job.settings.get("tags") or {}).get(TAG_VERSION) != document.version
    }
    return replace(
        state.with_slot(slot, record),
        live=slot,
        jobs={**state.jobs, **left},
        history=(*(_stepped_down(each) for each in state.history), entry),
        archived=(*(name for name in state.archived if name != archive), archive),
    )


def _stepped_down(entry: Entry) -> Entry:
    return replace(entry, outcome="stable") if entry.outcome == "live" else entry


def rebuilt(state: State, found: Found, live: Slot | None, settings: Mapping[str, Mapping[str, Any]]) -> State:
    """The replayed state, brought to what is there: `live`, slots that hold what their manifests say, jobs by their
    tags. Jobs that do not lead to the live slot become an open switch that is to be taken back. `settings`: the live
    release's jobs."""
    whole = set(found.manifests.items())
    slots = {
        slot: replace(record, candidate=False, complete=(slot, record.manifest) in whole)
        for slot, record in state.slots.items()
        if slot == live or any(entry.manifest == record.manifest for entry in state.history)
    }
    state = replace(_made_live(state, live), live=live, slots=slots)
    jobs = {key: record for key, record in state.jobs.items() if record.retired and key in found.jobs}
    for key, job in found.jobs.items():
        if key not in jobs:
            pause = pause_of(settings[key]) if key in settings else pause_of(job.settings)
            before = state.jobs.get(key)
            adopted = before.adopted if before is not None and before.id == job.id else None
            jobs[key] = JobRecord(id=job.id, slot=live or job.slot, pause=pause, adopted=adopted)
    return replace(state, jobs=jobs)


def _made_live(state: State, live: Slot | None) -> State:
    """The newest release that was in this slot is the live one; those after it were gone back from."""
    places = [i for i, entry in enumerate(state.history) if entry.slot == live]
    if not places or live == state.live:
        return state
    history = []
    for index, entry in enumerate(state.history):
        outcome = "live" if index == places[-1] else "rolled_back" if index > places[-1] else entry.outcome
        history.append(replace(entry, outcome="stable" if outcome == "live" and index != places[-1] else outcome))
    return replace(state, history=tuple(history))


def open_rest(state: State, found: Found, settings: Mapping[str, Mapping[str, Any]], root: str, now: float) -> State:
    """The state with an open switch, to be taken back, for the jobs that do not lead to the live slot."""
    live = state.live
    wrong = {k: job for k, job in found.jobs.items() if job.slot not in (live, None) and not state.jobs[k].retired}
    if live is None or not wrong:
        return state
    target = other(live)
    actions = tuple(
        Action(
            key=key,
            id=job.id,
            before=with_pause(move(settings[key], root=root, to=live), pause_of(job.settings) or "PAUSED")
            if key in settings
            else None,
            after=job.settings,
            pause=state.jobs[key].pause,
        )
        for key, job in sorted(wrong.items())
    )
    tags = next(iter(wrong.values())).settings.get("tags") or {}
    journal = Journal(
        kind="release",
        version=str(tags.get(TAG_VERSION, "a lost release")),
        manifest=found.manifests.get(target, ""),
        source=live,
        target=target,
        actions=actions,
        settings="",
        kept=None,
        started=now,
        holder="",
        number=state.fence,
        direction="back",
    )
    return opened(state, journal)
