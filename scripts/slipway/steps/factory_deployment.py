"""Makes a live factory hold a definition: only what differs, in dependency order, triggers stopped as shortly as can be.

The factory resource itself is never written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from slipway.domain.factory.candidate import is_candidate
from slipway.domain.factory.comparison import Deployed, body, digest, merge_global_parameters
from slipway.domain.factory.deletion import DELETED
from slipway.domain.factory.export import Definition
from slipway.domain.factory.objects import FactoryObject, Key, Kind
from slipway.domain.factory.planning import Live, Plan, Rules
from slipway.domain.factory.trigger_moves import DEAF, EVENT_TRIGGERS, TriggerMove
from slipway.errors import ServiceError, SlipwayError
from slipway.log import Log

if TYPE_CHECKING:
    from slipway.services.data_factory import DataFactory
    from slipway.services.storage import StateStore
    from slipway.steps.session import Session

DEPLOYED_BLOB = "factory/deployed.json"
_AT_ONCE = 8


def kinds_of(definition: Definition, rules: Rules) -> set[Kind]:
    """The kinds that matter: those in the definition, triggers and pipelines, and what may have to go."""
    kinds = {item.kind for item in definition.objects} | {Kind.TRIGGERS, Kind.PIPELINES}
    return kinds | (set(DELETED) - {Kind.CREDENTIALS, Kind.CHANGE_DATA_CAPTURES} if rules.delete_removed else set())


def read_live(
    factory: DataFactory,
    store: StateStore,
    kinds: set[Kind],
    *,
    resource: Mapping[str, Any] | None = None,
    deployed: Mapping[Key, Deployed] | None = None,
    interrupted: Collection[str] = (),
) -> Live:
    """The factory as it is. `resource`: its own JSON, where that was just read; the global parameters are in it.
    `deployed`: what was put there, where that is known. `interrupted`: triggers that a change which was cut short may
    have left started without their events (in lower case)."""
    ordered = sorted(kinds, key=list(Kind).index)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        stored = pool.submit(lambda: _deployed(store) if deployed is None else deployed)
        globals_ = pool.submit(factory.global_parameters) if resource is None else None
        found = [item for part in pool.map(factory.objects, ordered) for item in part]
        known = globals_.result() if globals_ else (resource or {}).get("properties", {}).get("globalParameters")
        objects = tuple(
            _heard(factory, item) if item.name.lower() in interrupted else item
            for item in found
            if not is_candidate(item)
        )
        return Live(objects=objects, global_parameters=known or {}, deployed=stored.result())


def _heard(factory: DataFactory, item: FactoryObject) -> FactoryObject:
    """An event trigger that says that it runs, and gets no events, is DEAF."""
    properties = item.properties
    if item.kind is not Kind.TRIGGERS or str(properties.get("type", "")).lower() not in EVENT_TRIGGERS:
        return item
    if properties.get("runtimeState") != "Started" or factory.subscription(item.name) == "Enabled":
        return item
    return replace(item, properties={**properties, "runtimeState": DEAF})


def _deployed(store: StateStore) -> dict[Key, Deployed]:
    found = store.read(DEPLOYED_BLOB)
    if found is None:
        return {}
    try:
        items = json.loads(found[0])
        return {(Kind(kind), name): Deployed(**item) for kind, part in items.items() for name, item in part.items()}
    except (ValueError, TypeError, AttributeError):
        return {}  # only a short cut: without it objects are compared as they are


def say_plan(log: Log, plan: Plan) -> None:
    """The plan in lines, values left out."""
    for change in plan.puts:
        log.info(
            f"{'+' if change.action == 'create' else '~'} {change.item}" + (f": {change.why}" if change.why else "")
        )
    for line in plan.global_changes:
        log.info(f"{line[0]} global parameter {line[2:]}")
    for change in plan.removals:
        log.info(f"- {change.item}: {change.why}")
    for change in plan.left:
        log.info(f"· {change.item} is not in the source, and stays")
    for move in plan.triggers:
        _say_move(log, move)
    same = len(plan.changes) - len(plan.puts)
    log.info(f"= {same} of {len(plan.changes)} objects are the same and are not touched")


def _say_move(log: Log, move: TriggerMove) -> None:
    if move.stop:
        then = "goes" if move.after is None else "then runs again" if move.start else "stays stopped"
        log.info(f"! trigger {move.name} is stopped ({move.why}); it {then}")
    elif move.start:
        log.info(f"! trigger {move.name} is started")
    if move.wanted is not None and move.after is not None and move.wanted != move.after:
        state = "started" if move.after else "stopped"
        log.warning(f"Trigger {move.name} was {state} by hand since the last release; it stays {state}.")


def _known(plan: Plan, live: Live) -> dict[Key, Deployed]:
    """What Slipway has put there, objects included that a run which was cut short did not note."""
    there = {item.key: str(item.extra.get("etag") or "") for item in live.objects}
    same = [change.item for change in plan.changes if change.action == "unchanged"]
    return {**{item.key: Deployed(there[item.key], digest(item)) for item in same}, **live.deployed}


class Deployment:
    """Carries out plans for one factory. Raises what stopped it, and leaves the rest to the journal of the switch."""

    def __init__(self, session: Session, factory: DataFactory) -> None:
        self._session, self._factory = session, factory
        self._log = session.log
        self.written: frozenset[Key] = frozenset()
        self.deployed: Mapping[Key, Deployed] = {}

    def run(self, plan: Plan, filled: Mapping[Key, FactoryObject], live: Live) -> None:
        """Deploys all of `plan` but the removals; `filled` are the wanted objects with their secrets."""
        deployed = _known(plan, live)
        try:
            self._stop(plan.triggers)
            self._put(plan, filled, deployed)
            self._set_global_parameters(plan, live)
        finally:
            self.deployed = deployed
            self._keep_deployed(deployed, live)
        self._start_all([move.name for move in plan.triggers if move.start])

    def remove(self, plan: Plan, live: Live) -> list[str]:
        """Deletes what goes; returns why some stay. What somebody uses by hand, the service keeps."""
        failed, deployed = [], dict(live.deployed)
        for change in plan.removals:
            self._session.guard()
            try:
                self._factory.delete(change.item.kind, change.item.name)
            except ServiceError as error:
                failed.append(f"{change.item}: {error.what}")
                continue
            deployed.pop(change.key, None)
            self._log.info(f"deleted {change.item}")
        self._keep_deployed(deployed, live)
        return failed

    def _stop(self, moves: Sequence[TriggerMove]) -> None:
        """One after the other: the service refuses some trigger operations that overlap."""
        for move in moves:
            if move.stop:
                self._session.guard()
                if move.events:
                    self._factory.unsubscribe(move.name)
                    self._session.guard()
                self._factory.stop(move.name)
                self._log.info(f"stopped trigger {move.name}")

    def _start_all(self, names: Sequence[str]) -> None:
        """Tries each, so that one which will not start keeps no other waiting."""
        failed = []
        for name in names:
            self._session.guard()
            try:
                self._start(name)
            except ServiceError as error:
                failed.append(f"{name}: {error.what}")
        if failed:
            raise ServiceError(
                f"{len(failed)} triggers of data factory {self._factory.name} do not run: {'; '.join(failed)}",
                next_step="Mend what is named, then run again.",
            )

    def _start(self, name: str) -> None:
        now = self._factory.trigger(name)
        if now is None:
            self._log.warning(f"Trigger {name} is gone; it can't be started.")
            return
        properties = now.get("properties") or {}
        if str(properties.get("type", "")).lower() in EVENT_TRIGGERS and self._factory.subscription(name) != "Enabled":
            self._session.guard()
            self._factory.subscribe(name)
        if properties.get("runtimeState") != "Started":
            self._session.guard()
            self._factory.start(name)
            self._log.info(f"started trigger {name}")

    def _put(self, plan: Plan, filled: Mapping[Key, FactoryObject], deployed: dict[Key, Deployed]) -> None:
        def put(item: FactoryObject) -> None:
            etag = self._factory.put(item.kind, item.name, body(item))
            deployed[item.key] = Deployed(etag, digest(item))

        for level in plan.levels():
            calls: list[Callable[[], None]] = [partial(put, filled[item.key]) for item in level]
            self._session.concurrently(calls, "factory objects")
        self.written |= {change.key for change in plan.puts}

    def _set_global_parameters(self, plan: Plan, live: Live) -> None:
        """Read, merge, write, read back: the service takes no condition, so what somebody else wrote meanwhile shows
        only afterwards."""
        if plan.global_parameters is None:
            return
        without = [line[2:] for line in plan.global_changes if line.startswith("-")]
        names = [line[2:] for line in plan.global_changes]
        wanted = {name: plan.global_parameters[name] for name in names if name not in without}
        now = live.global_parameters if not plan.puts else self._factory.global_parameters()
        for _ in range(3):
            merged, _lines = merge_global_parameters(wanted, now, without)
            if merged is None:
                return
            self._session.guard()
            self._factory.put_global_parameters(merged)
            now = self._factory.global_parameters()
        if merge_global_parameters(wanted, now, without)[0] is not None:
            raise ServiceError(
                f"The global parameters of data factory {self._factory.name} do not stay as they were written "
                f"({', '.join(names)}).",
                next_step="Somebody else writes them at the same time, or the service changes them; then run again.",
            )

    def _keep_deployed(self, deployed: Mapping[Key, Deployed], live: Live) -> None:
        if deployed == live.deployed:
            return
        items: dict[str, dict[str, Any]] = {}
        for (kind, name), item in sorted(deployed.items()):
            items.setdefault(str(kind), {})[name] = asdict(item)
        try:
            self._session.keep(DEPLOYED_BLOB, json.dumps(items, indent=1).encode())
        except SlipwayError as error:  # only a short cut for the next run
            self._log.warning(f"What was deployed could not be noted: {error.what}")
