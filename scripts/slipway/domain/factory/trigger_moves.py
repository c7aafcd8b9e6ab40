"""Which triggers a change of a factory stops and starts: no other, and no longer than it takes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from slipway.domain.factory.comparison import Change
from slipway.domain.factory.objects import FactoryObject, Key, Kind
from slipway.domain.factory.references import references

EVENT_TRIGGERS = frozenset({"blobeventstrigger", "customeventstrigger"})
DEAF = "Started, not subscribed"
"""The state, in a list of what is live, of an event trigger that was about to be stopped or started."""


@dataclass(frozen=True)
class TriggerMove:
    """A trigger's way: running `before` and `after`; `stop`: it must not run in between; `events`: what is
    live is subscribed to events. `after` is None where it goes; `wanted` is what the source says (None: it says
    nothing of this trigger)."""

    name: str
    before: bool
    after: bool | None
    stop: bool
    events: bool
    why: str = ""
    wanted: bool | None = None

    @property
    def start(self) -> bool:
        return bool(self.after) and (self.stop or not self.before)

    @property
    def moves(self) -> bool:
        return self.stop or self.start


@dataclass(frozen=True, kw_only=True)
class TriggerRules:
    """`keep_stopped`: none runs in the end, whatever the source says. `meant`: what Slipway last made of each trigger;
    one that is otherwise now was started or stopped by hand, and stays so. `interrupted`: how triggers ran before a
    change of the factory that was cut short."""

    keep_stopped: bool = False
    meant: Mapping[str, bool] | None = None
    interrupted: Mapping[str, bool] | None = None

    def ran(self, trigger: FactoryObject | None) -> bool:
        """Whether it ran, a change that was cut short apart."""
        if trigger is None:
            return False
        return (self.interrupted or {}).get(trigger.name.lower(), _runs(trigger))

    def after(self, wanted: bool, now: FactoryObject | None) -> bool:
        if now is None:
            return wanted
        meant = (self.meant or {}).get(now.name.lower())
        ran = self.ran(now)
        return wanted if meant is None or ran == meant else ran


def trigger_moves(
    changes: Sequence[Change], removals: Sequence[Change], live: Iterable[FactoryObject], rules: TriggerRules
) -> list[TriggerMove]:
    """What happens to each trigger: it is stopped only when it changes or goes, or a pipeline that it starts does."""
    objects = list(live)
    there = {item.key: item for item in objects if item.kind is Kind.TRIGGERS}
    touched = {change.key for change in changes if change.action == "update"} | {change.key for change in removals}
    pipelines = changed_pipelines(touched, [*objects, *(change.item for change in changes)])
    gone = {change.key for change in removals}
    moves = []
    for change in changes:
        if change.item.kind is Kind.TRIGGERS:
            now = there.get(change.key)
            wanted = None
            if change.action != "leave":
                wanted = _runs(change.item) and bool(_pipelines(change.item)) and not rules.keep_stopped
            after = rules.ran(now) if wanted is None else rules.after(wanted, now)
            moves.append(_move(change, now, after, wanted, pipelines, gone))
    return moves


def changed_pipelines(changed: Collection[Key], objects: Iterable[FactoryObject]) -> set[Key]:
    """The pipelines among `changed`, and every pipeline that calls one of them, through others too."""
    callers: dict[Key, set[Key]] = {}
    for item in objects:
        if item.kind is Kind.PIPELINES:
            for reference in references(item):
                if reference.kind is Kind.PIPELINES:
                    callers.setdefault(reference.key, set()).add(item.key)
    pending = [key for key in changed if key[0] is Kind.PIPELINES]
    found = set(pending)
    while pending:
        for caller in callers.get(pending.pop(), ()):
            if caller not in found:
                found.add(caller)
                pending.append(caller)
    return found


def _move(
    change: Change, now: FactoryObject | None, after: bool, wanted: bool | None, pipelines: set[Key], gone: set[Key]
) -> TriggerMove:
    before = now is not None and _runs(now)
    deaf = now is not None and now.properties.get("runtimeState") == DEAF
    starts = _pipelines(change.item) | (_pipelines(now) if now is not None else set())
    why = ""
    if change.key in gone:
        why = "it goes"
    elif change.action == "update":
        why = "it changes"
    elif starts & pipelines:
        why = "a pipeline that it starts changes"
    elif not after:
        why = "it is to be stopped"
    kind = "" if now is None else str(now.properties.get("type", "")).lower()
    return TriggerMove(
        name=change.item.name if now is None else now.name,
        before=before,
        after=None if change.key in gone else after,
        stop=(before or deaf) and bool(why),
        events=kind in EVENT_TRIGGERS,
        why=why if before else "",
        wanted=wanted,
    )


def _runs(trigger: FactoryObject) -> bool:
    return str(trigger.properties.get("runtimeState", "")).lower() == "started"


def _pipelines(trigger: FactoryObject) -> set[Key]:
    return {reference.key for reference in references(trigger) if reference.kind is Kind.PIPELINES}
