"""The factory's part of a switch: what it was before, and what changes, written down before anything does."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from slipway.domain.codec import Damaged, decode, load, to_bytes
from slipway.domain.factory.comparison import holds_secret
from slipway.domain.factory.export import Definition
from slipway.domain.factory.export_notebooks import RELEASE_FOLDER
from slipway.domain.factory.objects import FactoryObject, Key, Kind
from slipway.domain.factory.planning import Goal, Live, Plan

SNAPSHOTS = "archive/factory/"
ROLLED_BACK = (Kind.TRIGGERS, Kind.PIPELINES, Kind.DATAFLOWS, Kind.DATASETS, Kind.LINKED_SERVICES, Kind.CREDENTIALS)
"""What a rollback brings back. Runtimes, networks and private endpoints stay: machines and people depend on them."""


@dataclass(frozen=True, kw_only=True)
class ObjectName:
    kind: str
    name: str

    @property
    def key(self) -> Key:
        return Kind(self.kind), self.name.lower()


@dataclass(frozen=True, kw_only=True)
class KeptObject:
    """An object's JSON as the service gave it: secrets are not in it (an encryptedCredential stands for them)."""

    kind: str
    name: str
    properties: Mapping[str, Any]

    def __post_init__(self) -> None:
        try:
            Kind(self.kind)
        except ValueError:
            raise Damaged(f"{self.kind!r} is no kind of factory object") from None

    @property
    def object(self) -> FactoryObject:
        return FactoryObject(Kind(self.kind), self.name, self.properties, "as it was before")


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A factory as it was: every object that was looked at, triggers with their state, all global parameters. `meant`:
    which triggers the release that was live then meant to run, whatever people made of them."""

    objects: tuple[KeptObject, ...]
    global_parameters: Mapping[str, Any]
    meant: Mapping[str, bool] | None = None
    format: int = 1


@dataclass(frozen=True, kw_only=True)
class FactoryPart:
    """The factory's part of a journal. `before` is the snapshot's blob. `moved`: triggers that are stopped, started, or
    both; of these, `ran` did before and `runs` do in the end. `meant`: every trigger of the source, and whether it is
    to run. `removed` objects go after the switch. `pipelines`: all those of the source."""

    factory: str
    before: str
    updated: tuple[ObjectName, ...] = ()
    created: tuple[ObjectName, ...] = ()
    removed: tuple[ObjectName, ...] = ()
    global_parameters: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    ran: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    meant: Mapping[str, bool] | None = None
    pipelines: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing changes before the switch is complete."""
        return not (self.updated or self.created or self.global_parameters or self.moved)

    @property
    def interrupted(self) -> dict[str, bool]:
        """How the moved triggers ran before."""
        ran = {name.lower() for name in self.ran}
        return {name.lower(): name.lower() in ran for name in self.moved}


@dataclass(frozen=True, kw_only=True)
class FactoryRecord:
    """What the state knows of the factory: whether each trigger is meant to run."""

    triggers: Mapping[str, bool]


def snapshot_of(live: Live, meant: Mapping[str, bool] | None = None) -> Snapshot:
    """Without secure strings' values, should the service ever give one: see `can_be_put_back`."""
    ordered = sorted(live.objects, key=lambda item: (list(Kind).index(item.kind), item.name.lower()))
    return Snapshot(
        objects=tuple(KeptObject(kind=str(i.kind), name=i.name, properties=_hidden(i.properties)) for i in ordered),
        global_parameters=live.global_parameters,
        meant=meant,
    )


def _hidden(value: Any) -> Any:
    if isinstance(value, Mapping):
        secure = value.get("type") == "SecureString" and "value" in value
        return {"type": "SecureString", "value": ""} if secure else {key: _hidden(part) for key, part in value.items()}
    return [_hidden(part) for part in value] if isinstance(value, list) else value


def can_be_put_back(item: FactoryObject) -> bool:
    """Not where a secure string is written out in it (in a web activity, say): its value can't be read. A linked
    service's secrets stay in the factory, and its encryptedCredential leads to them."""
    return not holds_secret(item.properties)


def write_snapshot(snapshot: Snapshot) -> tuple[str, bytes]:
    """Its blob's name (the same content has the same) and its bytes."""
    data = to_bytes(snapshot)
    return f"{SNAPSHOTS}{hashlib.sha256(data).hexdigest()}.json", data


def read_snapshot(data: bytes) -> Snapshot:
    """Raises Damaged."""
    snapshot: Snapshot = decode(Snapshot, load(data))
    return snapshot


def part_of(plan: Plan, *, factory: str, before: str, meant: Mapping[str, bool] | None = None) -> FactoryPart:
    """`meant`: what a release that is gone back to means its triggers to do, which is not what they did where people
    stopped or started them."""
    puts = plan.puts
    told = {move.name.lower(): move.wanted for move in plan.triggers if move.wanted is not None}
    return FactoryPart(
        factory=factory,
        before=before,
        updated=_names(change.item for change in puts if change.action == "update"),
        created=_names(change.item for change in puts if change.action == "create"),
        removed=_names(change.item for change in plan.removals),
        global_parameters=tuple(line[2:] for line in plan.global_changes),
        moved=tuple(move.name for move in plan.moves),
        ran=tuple(move.name for move in plan.moves if move.before),
        runs=tuple(move.name for move in plan.moves if move.after),
        meant={name: (meant or {}).get(name, runs) for name, runs in told.items()},
        pipelines=tuple(change.item.name for change in plan.changes if change.item.kind is Kind.PIPELINES),
    )


def _names(items: Iterable[FactoryObject]) -> tuple[ObjectName, ...]:
    return tuple(ObjectName(kind=str(item.kind), name=item.name) for item in items)


def goal_back(part: FactoryPart, before: Snapshot) -> Goal:
    """What taking the switch back brings the factory to: all that the switch touched, as it was, and nothing else."""
    touched = {name.key for name in (*part.updated, *part.removed)}
    objects = tuple(
        kept.object for kept in before.objects if kept.object.key in touched and can_be_put_back(kept.object)
    )
    there = {
        name: before.global_parameters[name] for name in part.global_parameters if name in before.global_parameters
    }
    return Goal(
        definition=Definition(objects, there),
        gone=frozenset(name.key for name in part.created),
        without=frozenset(name for name in part.global_parameters if name not in there),
    )


def goal_of_rollback(before: Snapshot | None, live: Live, *, root: str, folder: str) -> Goal:
    """What a rollback brings the factory to: the objects that it had when the release was last live (None: it is not
    known, so they stay), its pipelines led to `folder`, the slot below `root` that the release is in now. What Slipway
    made since goes."""
    wanted: dict[str, Any] = {}
    objects: tuple[FactoryObject, ...] = ()
    gone: frozenset[Key] = frozenset()
    known = before.global_parameters if before is not None else live.global_parameters
    if before is not None:
        kept = [item.object for item in before.objects if Kind(item.kind) in ROLLED_BACK]
        objects = tuple(_moved(item, root, folder) for item in kept if can_be_put_back(item))
        there = {item.key for item in kept}
        gone = frozenset(key for key in live.deployed if key[0] in ROLLED_BACK and key not in there)
        wanted = {name: value for name, value in before.global_parameters.items() if name != RELEASE_FOLDER}
    if RELEASE_FOLDER in known:
        wanted[RELEASE_FOLDER] = {**known[RELEASE_FOLDER], "value": folder}
    return Goal(definition=Definition(objects, wanted), gone=gone)


def _moved(item: FactoryObject, root: str, folder: str) -> FactoryObject:
    """With every text that leads into a slot leading into the one at `folder`."""
    slot = re.compile(re.escape(root) + r"/(?:blue|green)(?![\w.-])")

    def walk(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: walk(part) for key, part in value.items()}
        if isinstance(value, list):
            return [walk(part) for part in value]
        return slot.sub(lambda _: folder, value) if isinstance(value, str) else value

    return replace(item, properties=walk(item.properties))
