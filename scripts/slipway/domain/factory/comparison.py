"""What must change so that a live factory holds a definition: a local comparison, object by object.

Resource Manager's what-if says nothing dependable about factory objects, so the plan is made here, from lists of what
is live. Objects that are the same are not deployed again. Nothing here holds or shows a value: differences are places.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from slipway.domain.factory.export_parameters import Secret
from slipway.domain.factory.objects import FactoryObject, Key, Kind
from slipway.domain.factory.references import graph, levels, path_text, references

Path = tuple[str | int, ...]

# What the service adds when it is asked, by kind: no part of a definition (azure-mgmt-datafactory 10.0.0, read-only
# fields; lastPublishTime also stands in exports).
_FILLED_IN: Mapping[Kind, frozenset[str]] = {
    Kind.PIPELINES: frozenset({"lastPublishTime"}),
    Kind.TRIGGERS: frozenset({"runtimeState"}),
    Kind.INTEGRATION_RUNTIMES: frozenset({"state"}),
    Kind.MANAGED_VIRTUAL_NETWORKS: frozenset({"vNetId", "alias"}),
    Kind.MANAGED_PRIVATE_ENDPOINTS: frozenset({"provisioningState", "connectionState", "isReserved"}),
}
# Empty, these mean the same as absent: Studio adds them to an export or leaves them out (measured).
_EMPTY_IS_ABSENT = frozenset(
    {"annotations", "parameters", "headers", "typeProperties", "datasetParameters", "staging", "policy", "variables"}
    | {"elapsedTimeMetric", "cancelAfter", "dependsOn", "userProperties", "additionalProperties"}
)
_SECRET_PLACES = frozenset({"encryptedCredential"})

EVENT_TRIGGERS = frozenset({"blobeventstrigger", "customeventstrigger"})


def body(item: FactoryObject) -> dict[str, Any]:
    """The properties to send: without what the service itself fills in (a trigger starts by its own request)."""
    return {key: value for key, value in item.properties.items() if key not in _FILLED_IN.get(item.kind, frozenset())}


def holds_secret(value: Any) -> bool:
    """Whether a rendered value has a secure parameter's value in it, or a secure string that is written out."""
    if isinstance(value, Mapping):
        return _secure(value) or any(holds_secret(item) for item in value.values())
    if isinstance(value, list):
        return any(holds_secret(item) for item in value)
    return isinstance(value, Secret)


def digest(item: FactoryObject) -> str:
    """A fingerprint of what is sent, secrets left out (nothing derived from a secret is kept anywhere)."""

    def shown(value: Any) -> Any:
        if isinstance(value, Mapping):
            return "***" if _secure(value) else {key: shown(part) for key, part in value.items()}
        if isinstance(value, list):
            return [shown(part) for part in value]
        return "***" if isinstance(value, Secret) else value

    return hashlib.sha256(json.dumps(shown(body(item)), sort_keys=True).encode()).hexdigest()


def differences(wanted: FactoryObject, live: FactoryObject) -> list[str]:
    """The places in which the definitions differ, secrets apart: those can't be read back."""
    filled = _FILLED_IN.get(wanted.kind, frozenset())
    there = {key: value for key, value in live.properties.items() if key not in filled}
    return [
        path_text(path) for path in _differences(body(wanted), there, ("properties",), holds_secret(wanted.properties))
    ]


def _differences(wanted: Any, live: Any, path: Path, lenient: bool) -> Iterator[Path]:
    if isinstance(wanted, Secret) or (isinstance(wanted, Mapping) and _secure(wanted)):
        return
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        for key in [*wanted, *(key for key in live if key not in wanted)]:
            if lenient and key in _SECRET_PLACES:
                continue
            a, b = wanted.get(key), live.get(key)
            if key in _EMPTY_IS_ABSENT and _empty(a) and _empty(b):
                continue
            if a is None and b is None:
                continue
            yield from _differences(a, b, (*path, key), lenient)
    elif isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        for index, (a, b) in enumerate(zip(wanted, live, strict=True)):
            yield from _differences(a, b, (*path, index), lenient)
    elif isinstance(wanted, bool) != isinstance(live, bool) or wanted != live:
        yield path


def _secure(value: Mapping[str, Any]) -> bool:
    """{"type": "SecureString", "value": …}: is taken in and never given out (an encryptedCredential stands for it)."""
    return value.get("type") == "SecureString" and "value" in value


def _empty(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_empty(item) for item in value.values())
    return value is None or value == []


@dataclass(frozen=True)
class Deployed:
    """What Slipway itself put there last: the service's ETag then, and the fingerprint of what was sent."""

    etag: str
    digest: str


@dataclass(frozen=True)
class Change:
    """One object. `item` is what is wanted; for "remove" and "leave", what is live and not in the source."""

    action: Literal["create", "update", "unchanged", "remove", "leave"]
    item: FactoryObject = field(repr=False)
    why: str = ""

    @property
    def key(self) -> Key:
        return self.item.key


@dataclass(frozen=True)
class TriggerMove:
    """A trigger's way: running `before` and `after`; `stop`: it must not run in between; `events`: what is
    live is subscribed to events. `after` is None where it goes."""

    name: str
    before: bool
    after: bool | None
    stop: bool
    events: bool
    why: str = ""

    @property
    def start(self) -> bool:
        return bool(self.after) and (self.stop or not self.before)

    @property
    def moves(self) -> bool:
        return self.stop or self.start


@dataclass(frozen=True)
class Plan:
    """Everything that a deployment changes. `changes` are in dependency order, `removals` in the order of deletion;
    `global_parameters` is the whole map to write, or None when it is right already."""

    changes: tuple[Change, ...] = ()
    removals: tuple[Change, ...] = ()
    left: tuple[Change, ...] = ()
    triggers: tuple[TriggerMove, ...] = ()
    global_parameters: Mapping[str, Any] | None = field(default=None, repr=False)
    global_changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def puts(self) -> list[Change]:
        return [change for change in self.changes if change.action != "unchanged"]

    @property
    def empty(self) -> bool:
        moves = any(move.moves for move in self.triggers)
        return not (self.puts or self.removals or moves or self.global_parameters is not None)

    def levels(self) -> list[list[FactoryObject]]:
        """What is to be put, level by level: each needs only what is live or in a level before."""
        return levels(graph(change.item for change in self.puts))


def compare(
    wanted: Iterable[FactoryObject], live: Iterable[FactoryObject], deployed: Mapping[Key, Deployed]
) -> list[Change]:
    """A change for each wanted object, in dependency order, then "leave" for each live one that is not wanted."""
    there = {item.key: item for item in live}
    changes = []
    for level in levels(graph(wanted)):
        for item in level:
            changes.append(_change(item, there.get(item.key), deployed.get(item.key)))
    known = {change.key for change in changes}
    return changes + [Change("leave", item) for key, item in there.items() if key not in known]


def _change(item: FactoryObject, live: FactoryObject | None, deployed: Deployed | None) -> Change:
    if live is None:
        return Change("create", item)
    secret = holds_secret(item.properties)
    ours = deployed is not None and deployed.etag == live.extra.get("etag") and deployed.digest == digest(item)
    found = [] if ours else differences(item, live)
    if found:
        more = f" and {len(found) - 3} more places" if len(found) > 3 else ""
        return Change("update", item, ", ".join(found[:3]) + more)
    if secret:
        return Change("update", item, "holds a secret, which can't be read back and compared")
    return Change("unchanged", item)


def merge_global_parameters(
    wanted: Mapping[str, Any], live: Mapping[str, Any]
) -> tuple[Mapping[str, Any] | None, list[str]]:
    """The whole map to write (None: it is right already) and what changes in it. Those made by hand stay.

    Names are compared as they are, types without regard to case.
    """
    lines = []
    for name, item in wanted.items():
        now = live.get(name)
        if now is None:
            lines.append(f"+ {name}")
        elif not _same_parameter(item, now):
            lines.append(f"~ {name}")
    return ({**live, **wanted} if lines else None), lines


def _same_parameter(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    same_type = str(wanted.get("type")).lower() == str(live.get("type")).lower()
    return same_type and not list(_differences(wanted.get("value"), live.get("value"), (), False))


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


def trigger_moves(
    changes: Sequence[Change], removals: Sequence[Change], live: Iterable[FactoryObject], *, keep_stopped: bool
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
            wanted = _runs(change.item) and bool(_pipelines(change.item)) and not keep_stopped
            now = there.get(change.key)
            if change.action == "leave":
                wanted = now is not None and _runs(now)
            moves.append(_move(change, now, wanted, pipelines, gone))
    return moves


def _move(change: Change, now: FactoryObject | None, wanted: bool, pipelines: set[Key], gone: set[Key]) -> TriggerMove:
    before = now is not None and _runs(now)
    starts = _pipelines(change.item) | (_pipelines(now) if now is not None else set())
    why = ""
    if change.key in gone:
        why = "it goes"
    elif change.action == "update":
        why = "it changes"
    elif starts & pipelines:
        why = "a pipeline that it starts changes"
    elif not wanted:
        why = "it is to be stopped"
    kind = "" if now is None else str(now.properties.get("type", "")).lower()
    return TriggerMove(
        name=change.item.name if now is None else now.name,
        before=before,
        after=None if change.key in gone else wanted,
        stop=before and bool(why),
        events=kind in EVENT_TRIGGERS,
        why=why if before else "",
    )


def _runs(trigger: FactoryObject) -> bool:
    return str(trigger.properties.get("runtimeState", "")).lower() == "started"


def _pipelines(trigger: FactoryObject) -> set[Key]:
    return {reference.key for reference in references(trigger) if reference.kind is Kind.PIPELINES}
