"""What people changed by hand, carried into a release's settings: a three-way merge of a job.

The base is what the last release meant, `ours` what the new one means, `theirs` what the job is now. A field that only
people changed stays theirs; one that the definition changes too is the definition's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from slipway.domain.drift import Difference, by_name, differences, is_empty, same
from slipway.domain.job import STARTERS, Settings, move, pause_of, reads_from, with_pause

Policy = Literal["keep", "overwrite", "stop"]
Outcome = Literal["stays", "overwritten", "defined", "released already", "of the release"]

_NOTHING: Any = object()

# What a task runs, and on what, is always the release's: it leads to the slot, or past it.
_OF_THE_RELEASE = frozenset(
    {"notebook_path", "libraries", "source", "dependencies", "git_source", "format", "depends_on"}
    | {"existing_cluster_id", "job_cluster_key", "environment_key"}
)
# Taken away by hand, a job would not be whole.
_NEEDED = frozenset({"name", "run_as", "tasks", "job_clusters", "environments", "new_cluster"})


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that people changed by hand, and what a release makes of it."""

    difference: Difference
    outcome: Outcome

    @property
    def lost(self) -> bool:
        """Whether a release undoes it."""
        return self.outcome in ("overwritten", "defined")

    def __str__(self) -> str:
        return f"{self.difference}; {_SAYS[self.outcome]}"


_SAYS: dict[Outcome, str] = {
    "stays": "it is left so",
    "overwritten": "it is set again",
    "defined": "the release changes it as well, and its definition is what counts",
    "released already": "the release sets the same",
    "of the release": "it belongs to Slipway and is set again",
}


def carry(ours: Settings, base: Settings | None, theirs: Settings, policy: Policy, root: str) -> Settings:
    """The new settings with what stays of people's own changes: schedules always, the rest where `policy` is keep.

    `root` is the folder of both slots: nothing that leads there is kept. Without a base nothing is known to be by hand.
    """
    if base is None:
        return ours
    kept = _merge(base, ours, theirs, root) if policy == "keep" else ours
    return _with_starter(kept, ours, base, theirs)


def changes(ours: Settings, base: Settings, theirs: Settings, result: Settings, root: str) -> list[Change]:
    """Everything that was changed by hand since `base` was set, except pausing, and what `result` makes of it."""
    status = pause_of(theirs)
    base, ours, result = (_in_one_place(item, status, root) for item in (base, ours, result))
    theirs = _in_one_place(theirs, status, root)
    anew, left, defined = _between(ours, theirs), _between(result, theirs), _between(base, ours)

    def outcome(path: str) -> Outcome:
        if path.startswith("tags.slipway_") or path == "tags":
            return "of the release"
        if path.split(".")[0] in STARTERS:
            return "defined" if _differ(starter_of(result), starter_of(theirs)) else "stays"
        if not _touches(path, anew):
            return "released already"
        if not _touches(path, left):
            return "stays"
        return "defined" if _touches(path, defined) else "overwritten"

    found = list(differences(base, theirs))
    if starter_of(theirs) and not starter_of(base):
        found += [Difference(name, None, value) for name, value in starter_of(theirs).items()]
    return [Change(difference=item, outcome=outcome(item.path)) for item in found]


def stops(found: list[Change]) -> bool:
    """Whether a release would undo what people did; their schedules do not count, even where the definition wins."""
    return any(change.lost and change.difference.path.split(".")[0] not in STARTERS for change in found)


def as_kept(meant: Any, given: Any, answered: Any) -> Any:
    """`meant` with what the service made of the settings that it was `given`: what it leaves out or says otherwise at
    once was not changed by hand. Where other than what is meant was given, that is left as it is."""
    if isinstance(meant, Mapping):
        if not (isinstance(given, Mapping) and isinstance(answered, Mapping)):
            return meant
        return {
            key: as_kept(value, given[key], answered[key]) if key in given and key in answered else value
            for key, value in meant.items()
            if key in answered or key not in given or key == "run_as"
        }
    if isinstance(meant, list) and isinstance(given, list) and isinstance(answered, list):
        named = by_name(meant, given, answered)
        if named is not None:
            before, after = named[1:]
            return [
                as_kept(item, before.get(name, item), after.get(name, item))
                for name, item in named[0].items()
                if name in after or name not in before
            ]
    return answered if same(meant, given) and not same(given, answered) else meant


def starter_of(settings: Settings) -> dict[str, Any]:
    """When a job starts by itself (schedule, trigger or continuous), whatever its pause status."""
    return {
        name: {key: value for key, value in settings[name].items() if key != "pause_status"}
        for name in STARTERS
        if isinstance(settings.get(name), Mapping)
    }


def with_starter(settings: Settings, other: Settings) -> Settings:
    """The settings, starting when `other` does; their pause status stays."""
    rest = {key: value for key, value in settings.items() if key not in STARTERS}
    result = rest | {name: other[name] for name in STARTERS if isinstance(other.get(name), Mapping)}
    status = pause_of(settings)
    return result if status is None else with_pause(result, status)


def as_meant(wanted: Settings, meant: Settings, base: Settings) -> Settings:
    """The settings of a release that is gone back to, with the schedule that it meant instead of the one that people gave
    its job then, where the live release (`base`) means the same: what people made of it last is carried over that."""
    return wanted if _differ(starter_of(meant), starter_of(base)) else with_starter(wanted, meant)


def _with_starter(settings: Settings, ours: Settings, base: Settings, theirs: Settings) -> Settings:
    """People's own schedule, unless the definition changes it. Its pause status is the definition's, where it has one."""
    meant, now, wanted = starter_of(base), starter_of(theirs), starter_of(ours)
    by_hand = not _differ(meant, wanted) and _differ(meant, now)
    chosen = theirs if by_hand else ours
    result = {key: value for key, value in settings.items() if key not in STARTERS}
    result |= {name: chosen[name] for name in STARTERS if isinstance(chosen.get(name), Mapping)}
    status = pause_of(ours)
    return with_pause(result, status) if by_hand and status is not None else result


def _differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.keys() != other.keys() or not same(one, other)


def _merge(base: Settings, ours: Settings, theirs: Settings, root: str) -> dict[str, Any]:
    def leads(value: Any) -> bool:
        return reads_from(value, root)

    return _mapping(base, ours, theirs, leads)


def _mapping(base: Any, ours: Settings, theirs: Settings, leads: Callable[[Any], bool]) -> dict[str, Any]:
    known = base if isinstance(base, Mapping) else {}
    merged = {
        key: _field(key, known.get(key, _NOTHING), ours.get(key, _NOTHING), theirs.get(key, _NOTHING), leads)
        for key in [*ours, *(key for key in theirs if key not in ours)]
    }
    return {key: value for key, value in merged.items() if value is not _NOTHING}


def _field(key: str, base: Any, ours: Any, theirs: Any, leads: Callable[[Any], bool]) -> Any:
    if key in _OF_THE_RELEASE or key in STARTERS or key.startswith("slipway_"):
        return ours
    if key == "tags" and isinstance(ours, Mapping) and theirs is _NOTHING:
        theirs = {}
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return _mapping(base, ours, theirs, leads)
    if isinstance(ours, list) and isinstance(theirs, list):
        named = by_name(base if isinstance(base, list) else [], ours, theirs)
        if named is not None:
            return _entries(key, named, leads)
    if not _changed(base, theirs) or _changed(base, ours) or _changed(ours, base):
        return ours
    if theirs is _NOTHING:
        return ours if key in _NEEDED or key.endswith("_task") else _NOTHING
    added_task = ours is _NOTHING and key.endswith("_task")
    return ours if added_task or leads(theirs) else theirs


def _entries(key: str, named: list[dict[str, Any]], leads: Callable[[Any], bool]) -> list[Any]:
    """A list whose entries have names: what the release has stays, changed as people changed it; what they added comes
    after it, but no tasks: which ones there are is the release's."""
    base, ours, theirs = named
    merged = [
        _mapping(base.get(name), entry, theirs[name], leads) if name in theirs else entry
        for name, entry in ours.items()
        if name in theirs or not _revoked(key, base.get(name), entry)
    ]
    if key == "tasks":
        return merged
    added = [entry for name, entry in theirs.items() if name not in ours and name not in base]
    return merged + [entry for entry in added if not leads(entry)]


def _revoked(key: str, base: Any, ours: Any) -> bool:
    """A permission that people took away; other entries may be needed by name elsewhere and come back."""
    return key == "access_control_list" and base is not None and not _changed(base, ours)


def _changed(base: Any, value: Any) -> bool:
    if base is _NOTHING or value is _NOTHING:
        there = value if base is _NOTHING else base
        return not (there is _NOTHING or is_empty(there))
    return not same(base, value)


def _in_one_place(settings: Settings, status: str | None, root: str) -> Settings:
    """The settings as they would be in one slot, with one pause status: so that neither counts as a difference."""
    moved: Settings = move(settings, root=root, to="blue")
    return moved if status is None else with_pause(moved, status)


def _between(one: Settings, other: Settings) -> list[str]:
    """Where two jobs' settings differ, whichever of them sets it."""
    return [item.path for item in [*differences(one, other), *differences(other, one)]]


def _touches(path: str, others: list[str]) -> bool:
    """Whether one of the places is this one, within it, or around it."""
    return any(_within(path, other) or _within(other, path) for other in others)


def _within(path: str, around: str) -> bool:
    return path == around or path.startswith((around + ".", around + "["))
