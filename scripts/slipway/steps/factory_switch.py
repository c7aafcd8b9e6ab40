"""The factory's part of a switch: kept before anything changes, carried out, read back, or taken back.

A switch that was cut short anywhere is finished or taken back from its journal; what is already as it should be is not
touched again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from slipway.domain.factory.comparison import holds_secret
from slipway.domain.factory.objects import FactoryObject, Key, Kind
from slipway.domain.factory.part import (
    FactoryPart,
    Snapshot,
    can_be_put_back,
    goal_back,
    part_of,
    read_snapshot,
    snapshot_of,
    write_snapshot,
)
from slipway.domain.factory.planning import Goal, Live, Plan, Rules, make_plan
from slipway.domain.factory.trigger_moves import TriggerRules
from slipway.errors import NotPossible, ServiceError
from slipway.steps.factory_deployment import Deployment, kinds_of, read_live, say_plan

if TYPE_CHECKING:
    from slipway.services.data_factory import DataFactory
    from slipway.steps.session import Session

_ROUNDS = 3
"""How often a factory is brought to its goal and read back before it is given up."""


@dataclass(frozen=True)
class Target:
    """What a factory is to be brought to, once it is known what is there. `filled` gives the objects with their secrets;
    `meant`: which triggers the release means to run, where that is not what the goal says."""

    goal: Callable[[Live], Goal]
    rules: Rules
    kinds: set[Kind]
    filled: Callable[[], Iterable[FactoryObject]] | None = field(default=None, repr=False)
    meant: Mapping[str, bool] | None = None


class FactoryWork:
    """One target for one factory, in one process: `begin` before the journal is opened (or not at all, where it was
    open already), then `forward`, then `clean_up` when the switch is complete."""

    def __init__(self, session: Session, factory: DataFactory, target: Target) -> None:
        self.session, self.factory, self.target = session, factory, target
        self._planned: tuple[Plan, Live] | None = None

    def plan(self) -> tuple[Plan, Live]:
        """What would change. Reads only. Raises NotPossible where this factory can't be released to."""
        resource = require_factory(self.session, self.factory)
        live = read_live(self.factory, self.session.store, self.target.kinds, resource=resource)
        return self._plan(live, None, frozenset()), live

    def begin(self, *, even_if_empty: bool = True) -> FactoryPart | None:
        """Plans, says the plan, and keeps what is there; unless `even_if_empty`, None where nothing is to be done."""
        plan, live = self._planned = self.plan()
        with self.session.log.section(f"Data factory {self.factory.name}"):
            say_plan(self.session.log, plan)
        if plan.empty and not even_if_empty:
            return None
        record = self.session.state.factory
        name, data = write_snapshot(snapshot_of(live, record.triggers if record is not None else None))
        self.session.keep(name, data)
        return part_of(plan, factory=self.factory.name, before=name, meant=self.target.meant)

    def forward(self, part: FactoryPart) -> None:
        """Brings the factory to the target, and reads it back. Raises ServiceError when it does not stay so."""
        planned, self._planned = self._planned, None
        if planned is None:
            live = read_live(self.factory, self.session.store, self.target.kinds, interrupted=part.interrupted.keys())
            planned = self._plan(live, part, frozenset()), live
        _carry_out(self.session, self.factory, part, planned, self._filled, lambda live, w: self._plan(live, part, w))

    def clean_up(self, part: FactoryPart) -> None:
        """Deletes what left the source; what the service keeps is named."""
        if not part.removed:
            return
        live = read_live(self.factory, self.session.store, self.target.kinds)
        gone = {name.key for name in part.removed}
        plan = self._plan(live, None, frozenset())
        chosen = replace(plan, removals=tuple(change for change in plan.removals if change.key in gone))
        for failure in Deployment(self.session, self.factory).remove(chosen, live):
            self.session.log.warning(f"It left the release, and stays in the factory: {failure}")

    def _filled(self, plan: Plan) -> Mapping[Key, FactoryObject]:
        wanted = [change.item for change in plan.puts]
        if self.target.filled is not None and any(holds_secret(item.properties) for item in wanted):
            return {item.key: item for item in self.target.filled()}
        return {item.key: item for item in wanted}

    def _plan(self, live: Live, part: FactoryPart | None, written: frozenset[Key]) -> Plan:
        rules = self.target.rules
        if part is not None:
            made = {name.name.lower() for name in part.created if name.kind == Kind.TRIGGERS}
            meant = {name: runs for name, runs in (rules.triggers.meant or {}).items() if name not in made}
            rules = replace(rules, triggers=replace(rules.triggers, interrupted=part.interrupted, meant=meant))
        return make_plan(self.target.goal(live), live, rules, written)


def take_back_factory(session: Session, factory: DataFactory, part: FactoryPart) -> list[str]:
    """Undoes the factory's part of an open switch. Returns the names of the objects that were put back."""
    if part.empty:
        return []
    before = snapshot(session, part.before)
    goal = goal_back(part, before)
    warn_of_secrets(session, before, {name.key for name in part.updated})
    rules = Rules(triggers=TriggerRules(interrupted=part.interrupted))
    kinds = kinds_of(goal.definition, rules) | {Kind(name.kind) for name in (*part.created, *part.updated)}

    def plan(live: Live, written: frozenset[Key]) -> Plan:
        return make_plan(goal, live, rules, written)

    live = read_live(factory, session.store, kinds, interrupted=part.interrupted.keys())
    first = plan(live, frozenset())
    if first.empty:
        return []
    with session.log.section(f"Data factory {factory.name}, as it was before"):
        say_plan(session.log, first)
        _carry_out(session, factory, part, (first, live), _as_they_are, plan)
        if first.removals:
            live = read_live(factory, session.store, kinds)
            for failure in Deployment(session, factory).remove(plan(live, frozenset()), live):
                session.log.warning(f"It was made by the release that is taken back, and stays: {failure}")
    return [str(change.item) for change in first.puts] + [line[2:] for line in first.global_changes]


def snapshot(session: Session, name: str) -> Snapshot:
    """What a factory was before a switch. Raises NotPossible when it is missing or damaged."""
    return session.document(name, read_snapshot)


def warn_of_secrets(session: Session, before: Snapshot, keys: Collection[Key]) -> None:
    """Names the objects among `keys` that can't be put back."""
    for kept in before.objects:
        if kept.object.key in keys and not can_be_put_back(kept.object):
            session.log.warning(
                f"{kept.object} stays as the release made it: it holds a secret, which can't be read back. Put it right by hand."
            )


def require_factory(session: Session, factory: DataFactory) -> dict[str, Any]:
    """The factory's own JSON. Raises NotPossible: no factory, or one that a release must not write to."""
    environment, name = session.environment, factory.name
    found = factory.get()
    if found is None:
        raise NotPossible(
            f"There is no data factory {name} in {factory.resource_group}.",
            changed="Nothing was changed.",
            next_step=f"Run scripts/deploy_resources.py --environment {environment.name} first; it makes the factory.",
        )
    git = (found.get("properties") or {}).get("repoConfiguration")
    development = environment.name == "dev"
    if git and not development:
        raise NotPossible(
            f"Data factory {name} of {environment.name} is linked to Git "
            f"({git.get('accountName', '')}/{git.get('repositoryName', '')}): whoever publishes there overwrites "
            "what a release deploys, and Studio does not show it.",
            changed="Nothing was changed.",
            next_step="Disconnect the repository in Studio (Manage, Git configuration): only DEV's factory has one.",
        )
    if git:
        session.log.warning(f"{name} is linked to Git: Studio shows what is there, not what is deployed.")
    if development and not git and environment.data_factory.delete_removed:
        raise NotPossible(
            f"Data factory {name} is DEV's and not linked to Git: what is in it may be nowhere else, so nothing "
            "is deleted from it.",
            changed="Nothing was changed.",
            next_step=f"Set data_factory.delete_removed: false for {environment.name}, or link the factory to Git.",
        )
    return found


def _as_they_are(plan: Plan) -> Mapping[Key, FactoryObject]:
    return {change.key: change.item for change in plan.puts}


def _carry_out(
    session: Session,
    factory: DataFactory,
    part: FactoryPart,
    planned: tuple[Plan, Live],
    filled: Callable[[Plan], Mapping[Key, FactoryObject]],
    again: Callable[[Live, frozenset[Key]], Plan],
) -> None:
    """Deploys all but the removals until reading back finds nothing left to do."""
    deployment = Deployment(session, factory)
    plan, live = planned
    kinds = {item.kind for item in live.objects} | {change.item.kind for change in plan.changes} | {Kind.TRIGGERS}
    for _ in range(_ROUNDS):
        if plan.without_removals().empty:
            return
        deployment.run(plan, filled(plan), live)
        if not plan.puts and not plan.moves:
            return  # global parameters are read back as they are written
        live = read_live(
            factory, session.store, kinds, deployed=deployment.deployed, interrupted=part.interrupted.keys()
        )
        plan = again(live, deployment.written)
    if plan.without_removals().empty:
        return
    names = [str(change.item) for change in plan.puts] + [f"trigger {move.name}" for move in plan.moves]
    raise ServiceError(
        f"Objects of data factory {factory.name} do not stay as they are written: "
        f"{', '.join(names + list(plan.global_changes))}.",
        next_step="Somebody else is changing them, or the service keeps them otherwise. Run the step again when that "
        "has stopped.",
    )
