"""Makes a live factory hold a definition: only what differs, in dependency order, triggers stopped as shortly as can be.

The factory resource itself is never written. Whatever fails in between, every trigger that was stopped runs again: at
once, or, after a crash, by the next run, from the journal in the state storage.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from slipway.domain.factory.comparison import (
    EVENT_TRIGGERS,
    Change,
    Deployed,
    Plan,
    TriggerMove,
    body,
    compare,
    digest,
    merge_global_parameters,
    trigger_moves,
)
from slipway.domain.factory.deletion import DELETED, implausible, removals
from slipway.domain.factory.export import Definition
from slipway.domain.factory.objects import FactoryObject, Key, Kind
from slipway.domain.factory.trigger_journal import JOURNAL_BLOB, TriggerJournal, journal_of, read_journal, write_journal
from slipway.errors import Conflict, NotPossible, ServiceError, SlipwayError
from slipway.log import Log

if TYPE_CHECKING:
    from slipway.services.data_factory import DataFactory
    from slipway.services.storage import StateStore

T = TypeVar("T")

DEPLOYED_BLOB = "factory/deployed.json"
_AT_ONCE = 8
_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Live:
    """A factory as it is. `deployed`: what Slipway put there last."""

    objects: tuple[FactoryObject, ...]
    global_parameters: Mapping[str, Any]
    deployed: Mapping[Key, Deployed]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What an environment allows (data_factory in its configuration)."""

    delete_removed: bool
    delete_limit_percent: int
    keep_stopped: bool


def read_live(factory: DataFactory, store: StateStore, definition: Definition, rules: Rules) -> Live:
    """Lists the kinds that matter: those in the definition, triggers and pipelines, and what may have to go."""
    kinds = {item.kind for item in definition.objects} | {Kind.TRIGGERS, Kind.PIPELINES}
    kinds |= set(DELETED) - {Kind.CREDENTIALS, Kind.CHANGE_DATA_CAPTURES} if rules.delete_removed else set()
    ordered = sorted(kinds, key=list(Kind).index)
    calls: list[Callable[[], list[FactoryObject]]] = [lambda kind=kind: factory.objects(kind) for kind in ordered]  # type: ignore[misc]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        stored = pool.submit(_deployed, store)
        globals_ = pool.submit(factory.global_parameters if definition.global_parameters else dict)
        found = [item for part in pool.map(lambda call: call(), calls) for item in part]
        return Live(objects=tuple(found), global_parameters=globals_.result(), deployed=stored.result())


def _deployed(store: StateStore) -> dict[Key, Deployed]:
    found = store.read(DEPLOYED_BLOB)
    if found is None:
        return {}
    try:
        items = json.loads(found[0])
        return {(Kind(kind), name): Deployed(**item) for kind, part in items.items() for name, item in part.items()}
    except (ValueError, TypeError, AttributeError):
        return {}  # only a short cut: without it objects are compared as they are


def make_plan(definition: Definition, live: Live, rules: Rules) -> Plan:
    """What must change. Raises NotPossible when the deletions are not believable."""
    changes = compare(definition.objects, live.objects, live.deployed)
    gone: list[Change] = []
    left = [change for change in changes if change.action == "leave"]
    if rules.delete_removed:
        gone, left = removals(changes)
        why = implausible(gone, definition.objects, live.objects, percent=rules.delete_limit_percent)
        if why:
            names = ", ".join(str(change.item) for change in gone[:10]) + (", …" if len(gone) > 10 else "")
            raise NotPossible(
                f"The deletions are refused: {why} ({names}).",
                changed="Nothing was changed.",
                next_step="Is it the right export, for the right factory? If it is, raise data_factory.delete_limit_percent "
                "for this release, or delete by hand.",
            )
    after, lines = merge_global_parameters(definition.global_parameters, live.global_parameters)
    return Plan(
        changes=tuple(change for change in changes if change.action != "leave"),
        removals=tuple(gone),
        left=tuple(left),
        triggers=tuple(trigger_moves(changes, gone, live.objects, keep_stopped=rules.keep_stopped)),
        global_parameters=after,
        global_changes=tuple(lines),
    )


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
        if move.stop:
            then = "goes" if move.after is None else "then runs again" if move.start else "stays stopped"
            log.info(f"! trigger {move.name} is stopped ({move.why}); it {then}")
        elif move.start:
            log.info(f"! trigger {move.name} is started")
    same = len(plan.changes) - len(plan.puts)
    log.info(f"= {same} of {len(plan.changes)} objects are the same and are not touched")


class Deployment:
    """Carries out a plan. `guard` is called before each change (it raises when the claim is lost)."""

    def __init__(
        self,
        factory: DataFactory,
        store: StateStore,
        log: Log,
        *,
        guard: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._factory, self._store, self._log = factory, store, log
        self._guard, self._clock = guard, clock
        self._journal: TriggerJournal | None = None

    def repair(self) -> None:
        """Starts what an earlier run has left stopped. Raises ServiceError when a trigger still won't start."""
        found = self._store.read(JOURNAL_BLOB)
        if found is None:
            return
        self._journal = read_journal(found[0])
        with self._log.section("Starting triggers that an earlier run left stopped"):
            self._guard()
            self._start_due()

    def run(self, plan: Plan, filled: Mapping[Key, FactoryObject], live: Live) -> None:
        """Deploys `plan`; `filled` are the wanted objects with their secrets. Raises what stopped it, after every
        trigger that ran before runs again."""
        if plan.empty:
            return
        if any(move.moves for move in plan.triggers):
            self._journal = journal_of(plan.triggers, factory=self._factory.name, now=self._clock())
            self._keep_journal()
        deployed = dict(live.deployed)
        try:
            self._stop(plan.triggers)
            self._put(plan, filled, deployed)
            self._set_global_parameters(plan)
            if self._journal is not None:
                self._journal = replace(self._journal, phase="starting")
                self._keep_journal()
        except Conflict:
            raise  # whoever has the claim now starts the triggers first, from the journal
        except BaseException as error:
            self._recover(error)
            raise
        finally:
            self._keep_deployed(deployed, live)
        self._start_due()
        self._delete(plan, deployed, live)

    def _recover(self, error: BaseException) -> None:
        if self._journal is None:
            return
        self._log.warning("That failed; starting again the triggers that ran before.")
        try:
            self._start_due()
        except SlipwayError as also:
            self._log.error(f"{also.what} {also.next_step}")
            error.add_note("Some triggers could not be started again; the next run tries it again first.")

    def _keep_journal(self) -> None:
        if self._journal is not None:
            self._store.put_bytes(JOURNAL_BLOB, write_journal(self._journal))

    def _stop(self, moves: Sequence[TriggerMove]) -> None:
        """One after the other: the service refuses some trigger operations that overlap."""
        for move in moves:
            if move.stop:
                self._guard()
                if move.events:
                    self._factory.unsubscribe(move.name)
                self._factory.stop(move.name)
                self._log.info(f"stopped trigger {move.name}")

    def _start_due(self) -> None:
        """Starts what the journal says must run; takes the journal away when all do."""
        journal, failed = self._journal, []
        for name in journal.due if journal is not None else ():
            try:
                self._start(name)
            except SlipwayError as error:
                failed.append(f"{name}: {error.what}")
        if failed:
            raise ServiceError(
                f"{len(failed)} triggers of data factory {self._factory.name} do not run: {'; '.join(failed)}",
                changed="All others run. The definitions were not taken back.",
                next_step="Mend what is named; the next run starts them first.",
            )
        if journal is not None:
            self._store.delete(JOURNAL_BLOB)
            self._journal = None

    def _start(self, name: str) -> None:
        now = self._factory.trigger(name)
        if now is None:
            self._log.warning(f"Trigger {name} is gone; it can't be started.")
            return
        properties = now.get("properties") or {}
        if str(properties.get("type", "")).lower() in EVENT_TRIGGERS and self._factory.subscription(name) != "Enabled":
            self._factory.subscribe(name)
        if properties.get("runtimeState") != "Started":
            self._factory.start(name)
            self._log.info(f"started trigger {name}")

    def _put(self, plan: Plan, filled: Mapping[Key, FactoryObject], deployed: dict[Key, Deployed]) -> None:
        def put(item: FactoryObject) -> None:
            etag = self._factory.put(item.kind, item.name, body(item))
            deployed[item.key] = Deployed(etag, digest(item))

        done, total = 0, len(plan.puts)
        for level in plan.levels():
            items = [filled[item.key] for item in level]
            for start in range(0, len(items), _BATCH):
                self._guard()
                done += _all(put, items[start : start + _BATCH])
                self._log.progress(done, total, "factory objects")

    def _set_global_parameters(self, plan: Plan) -> None:
        """Read, merge, write, read back: the service takes no condition, so what somebody else wrote meanwhile shows
        only afterwards."""
        if plan.global_parameters is None:
            return
        names = [line[2:] for line in plan.global_changes]
        wanted = {name: plan.global_parameters[name] for name in names}
        for _ in range(3):
            self._guard()
            merged, _lines = merge_global_parameters(wanted, self._factory.global_parameters())
            if merged is None:
                return
            self._factory.put_global_parameters(merged)
        merged, _lines = merge_global_parameters(wanted, self._factory.global_parameters())
        if merged is not None:
            raise ServiceError(
                f"The global parameters of data factory {self._factory.name} do not stay as they were written "
                f"({', '.join(names)}).",
                changed="The definitions are deployed.",
                next_step="Somebody else writes them at the same time, or the service changes them; then run again.",
            )

    def _delete(self, plan: Plan, deployed: dict[Key, Deployed], live: Live) -> None:
        for change in plan.removals:
            self._guard()
            self._factory.delete(change.item.kind, change.item.name)
            deployed.pop(change.key, None)
            self._log.info(f"deleted {change.item}")
        if plan.removals:
            self._keep_deployed(deployed, live, always=True)

    def _keep_deployed(self, deployed: Mapping[Key, Deployed], live: Live, *, always: bool = False) -> None:
        if not always and deployed == live.deployed:
            return
        items: dict[str, dict[str, Any]] = {}
        for (kind, name), item in sorted(deployed.items()):
            items.setdefault(str(kind), {})[name] = asdict(item)
        try:
            self._store.put_bytes(DEPLOYED_BLOB, json.dumps(items, indent=1).encode())
        except SlipwayError as error:  # only a short cut for the next run
            self._log.warning(f"What was deployed could not be noted: {error.what}")


def _all(work: Callable[[FactoryObject], None], items: Iterable[FactoryObject]) -> int:
    """Runs `work` for each, several at a time; waits for all that were begun, then raises the first error."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in futures:
                future.result()
        except BaseException:
            for future in futures:
                future.cancel()
            raise
    return len(futures)
