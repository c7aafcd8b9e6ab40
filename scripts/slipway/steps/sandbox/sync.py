"""Push and pull: what differs between a checkout and its sandbox, said, and brought over where only one side changed it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from slipway.domain.sandbox import (
    Comparison,
    Pair,
    Plan,
    Record,
    clashes,
    compare,
    is_made,
    local_path,
    plan,
    refreshed,
)
from slipway.domain.sandbox_text import readable_difference, shown
from slipway.errors import Conflict, UsageError
from slipway.steps.sandbox.place import Place, save
from slipway.steps.sandbox.reading import EXPORTED, Here, Left, There

Side = Literal["here", "there"]
_WHERE = {"here": "here", "there": "in the workspace"}
_MOST_NAMES = 10


@dataclass(kw_only=True)
class Sync:
    """One push or pull under way. `objects`: the record's, as they become; `late`: keys that somebody wrote meanwhile."""

    place: Place
    source: Side
    here: Here
    there: There
    comparisons: Mapping[str, Comparison]
    paths: Mapping[str, str]
    plan: Plan
    left: Sequence[Left]
    objects: dict[str, Pair]
    library: str
    late: list[str] = field(default_factory=list)

    @property
    def target(self) -> Side:
        return "there" if self.source == "here" else "here"

    def name(self, key: str) -> str:
        return shown(self.paths.get(key) or key)


def without_made(record: Record) -> Record:
    return replace(record, objects={key: pair for key, pair in record.objects.items() if not is_made(key)})


def prepare(place: Place, source: Side, here: Here, there: There, library: str) -> Sync:
    left = [*here.left, *there.left]
    before = place.record.objects if source == "here" else without_made(place.record).objects
    every = compare(here.items, there.items, before)
    without = {key for key in every if any(one.covers(key) for one in left)}
    comparisons = {key: one for key, one in every.items() if key not in without}
    paths = _paths(comparisons, here)
    found = clashes(comparisons, paths)
    for key, other in sorted(found.stuck.items()):
        left.append(Left(path=key, why=f"and {shown(paths[other])} would be one file, or stand in each other's way"))
    comparisons = {key: one for key, one in comparisons.items() if key not in found.stuck}
    return Sync(
        place=place,
        source=source,
        here=here,
        there=there,
        comparisons=comparisons,
        paths=paths,
        plan=plan(comparisons, source, forced=_forced(place, every, paths), replaces=found.replaces),
        left=left,
        objects=refreshed(place.record.objects, comparisons, paths, there.times),
        library=library,
    )


def _paths(comparisons: Mapping[str, Comparison], here: Here) -> dict[str, str]:
    """Each key's file here: where it lies, or where it would."""
    paths = {}
    for key, one in comparisons.items():
        if is_made(key):
            continue
        known = here.paths.get(key) or (one.before.path if one.before else "")
        item = one.here or one.there or (one.before.here if one.before else None)
        if item is not None:
            paths[key] = here.paths.get(key) or local_path(key, item, known)
    return paths


def _forced(place: Place, comparisons: Mapping[str, Comparison], paths: Mapping[str, str]) -> set[str]:
    asked = place.context.arguments.force
    if asked is None:
        return set()
    if not asked:
        return set(comparisons)
    chosen = set()
    for name in asked:
        wanted = name.removeprefix("./").rstrip("/")
        found = [key for key in comparisons if wanted in (key, paths.get(key))]
        if not found:
            raise UsageError(
                f"--force {name}: neither side has that.",
                changed="Nothing was changed.",
                next_step="Name a file of notebooks/.",
            )
        chosen |= {*found}
    return chosen


def announce(sync: Sync) -> bool:
    """Says what there is; True where that is all (--what-if)."""
    place, work = sync.place, sync.plan
    place.log.info(f"{place.folder} in {place.workspace.host}, and {place.root}")
    one_of = {"write": "+" if sync.source == "here" else "<", "delete": "-"}
    for key in work.write:
        target = sync.comparisons[key].there if sync.source == "here" else sync.comparisons[key].here
        place.log.info(f"  {one_of['write'] if target is None else '~'} {sync.name(key)}")
    for key in work.delete:
        place.log.info(f"  - {sync.name(key)} (gone {_WHERE[sync.source]})")
    for one in sync.left:
        place.log.warning(f"Left as it is: {shown(one.path)} {one.why}.")
    for key in work.conflicts:
        _show_conflict(sync, key)
    if work.waiting:
        other = "pull" if sync.source == "here" else "push"
        place.log.info(
            f"Changed {_WHERE[sync.target]} only, and left so ({other} brings it): {_names(sync, work.waiting)}"
        )
    if place.context.what_if:
        place.log.info(f"{_sum(sync, len(work.write), len(work.delete))} Nothing was changed (--what-if).")
        _raise_conflicts(sync, "Nothing was changed (--what-if).")
        return True
    return False


def _sum(sync: Sync, written: int, deleted: int) -> str:
    verb = "to the workspace" if sync.source == "here" else "to the checkout"
    return f"{written} {verb}, {deleted} removed, {len(sync.plan.same)} in step."


def _names(sync: Sync, keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _MOST_NAMES} more" if len(keys) > _MOST_NAMES else ""
    return ", ".join(sync.name(key) for key in keys[:_MOST_NAMES]) + more


def _show_conflict(sync: Sync, key: str) -> None:
    one, log = sync.comparisons[key], sync.place.log
    if one.here is None or one.there is None:
        gone = "here" if one.here is None else "in the workspace"
        kept = "in the workspace" if one.here is None else "here"
        log.warning(f"Conflict: {sync.name(key)} was deleted {gone} and changed {kept}.")
        return
    log.warning(f"Conflict: {sync.name(key)} was changed on both sides.")
    source = content_of(sync, key)
    data = source if isinstance(source, bytes) else (source.read_bytes() if one.here.size <= EXPORTED else None)
    log.info(readable_difference(sync.there.data.get(key), data, sync.name(key)))


def content_of(sync: Sync, key: str) -> Path | bytes:
    made = sync.here.content.get(key)
    return made() if made is not None else sync.place.root / sync.here.paths[key]


def decided(look: Callable[[], Sync]) -> tuple[Sync, frozenset[str]] | None:
    """Looks, says what there is, asks for deletions: the sync, and those that may be done; None with --what-if.

    Whoever was asked may have thought for long, so then everything is looked at again."""
    sync = look()
    if announce(sync):
        return None
    made = {key for key in sync.plan.delete if is_made(key)}  # goes with what it was made of
    asked = [key for key in sync.plan.delete if key not in made]
    place = sync.place
    if not asked or place.context.arguments.delete:
        return sync, frozenset(sync.plan.delete)
    where = "in the workspace" if sync.source == "here" else "in the checkout"
    if place.ask is None or not place.ask(f"Delete {len(asked)} {where} ({_names(sync, asked)})?"):
        place.log.info(f"Not deleted {where}: {_names(sync, asked)}. --delete does it without asking.")
        allowed = frozenset(made)
    else:
        allowed = frozenset(sync.plan.delete)
    if place.ask is not None:
        again = look()
        if again.plan != sync.plan:
            place.log.warning("Something was changed meanwhile.")
            announce(again)
        sync = again
    return sync, allowed & frozenset(sync.plan.delete)


def writable(sync: Sync, delete: Iterable[str]) -> list[str]:
    """What is written: not what would take the place of something that stays."""
    blocked = [key for key in sync.plan.write if sync.plan.replaces.get(key, "") not in {"", *delete}]
    for key in blocked:
        sync.place.log.warning(
            f"Left as it is: {sync.name(key)} takes the place of {shown(sync.plan.replaces[key])}, which stays."
        )
    return [key for key in sync.plan.write if key not in blocked]


def close(sync: Sync, delete: frozenset[str]) -> None:
    """Keeps the record, says what was done. Raises Conflict."""
    place, record = sync.place, sync.place.record
    library = sync.library
    if any(key in sync.late or key in sync.plan.conflicts for key in sync.here.content):
        library = record.library if sync.source == "here" else library
    save(place, replace(record, objects=dict(sorted(sync.objects.items())), library=library))
    written = len([key for key in _written(sync, delete) if key not in sync.late])
    done = _sum(sync, written, len(delete - {*sync.late}))
    place.log.info(done)
    _raise_conflicts(sync, f"They were not touched. Besides them: {done}")


def _written(sync: Sync, delete: frozenset[str]) -> list[str]:
    return [key for key in sync.plan.write if sync.plan.replaces.get(key, "") in {"", *delete}]


def _raise_conflicts(sync: Sync, changed: str) -> None:
    stuck = [*sync.plan.conflicts, *sync.late]
    if not stuck:
        return
    verb = "push" if sync.source == "here" else "pull"
    names = _names(sync, stuck)
    if sync.plan.conflicts:
        raise Conflict(
            f"Changed on both sides since the last sync: {_names(sync, sync.plan.conflicts)}.",
            changed=changed,
            next_step="The differences are shown above. To keep yours: python scripts/sandbox.py push --force FILE. To take the "
            "workspace's: python scripts/sandbox.py pull --force FILE. Without a FILE all of them.",
        )
    raise Conflict(
        f"Not brought over, for it was written meanwhile or can't be written: {names}.",
        changed=changed,
        next_step=f"Look at it, then {verb} again.",
    )
