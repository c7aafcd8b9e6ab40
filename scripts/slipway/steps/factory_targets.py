"""What a release, a rollback or an import brings an environment's factory to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from slipway.domain.environment import Environment
from slipway.domain.factory.export import Definition, Export, render
from slipway.domain.factory.export_notebooks import RELEASE_FOLDER, map_notebooks
from slipway.domain.factory.export_parameters import Values
from slipway.domain.factory.objects import FactoryObject
from slipway.domain.factory.part import ROLLED_BACK, goal_of_rollback
from slipway.domain.factory.planning import Goal, Live, Rules
from slipway.domain.factory.trigger_moves import TriggerRules
from slipway.domain.slot import Slot
from slipway.domain.state import Entry, State
from slipway.errors import NotPossible, ReleaseError
from slipway.steps.factory_candidate_source import read_wanted
from slipway.steps.factory_deployment import kinds_of
from slipway.steps.factory_switch import Target, snapshot, warn_of_secrets
from slipway.steps.factory_values import with_secrets

if TYPE_CHECKING:
    from slipway.steps.session import Session


def release_target(session: Session, slot: Slot) -> Target:
    """The definitions in the release, led to `slot`. Raises ReleaseError with every mistake in them."""
    wanted = read_wanted(session.context)
    return definition_target(session, wanted.export, wanted.values, slot)


def definition_target(session: Session, export: Export, values: Values, slot: Slot | None) -> Target:
    """The definitions of an export with the environment's values, led to `slot` (None: to no slot).

    Raises ReleaseError, and NotPossible where they need a slot and there is none.
    """
    definition = _definition(session, export, values, slot, say=True)
    rules = rules_of(session.environment, session.state)

    def filled() -> Iterable[FactoryObject]:
        return _definition(session, export, with_secrets(session.context, values), slot, say=False).objects

    return Target(lambda _: Goal(definition=definition), rules, kinds_of(definition, rules), filled)


def rollback_target(session: Session, entry: Entry, slot: Slot) -> Target:
    """The factory as it was when the release of `entry` was last live, led to `slot`, which holds that release now."""
    before = snapshot(session, entry.factory) if entry.factory is not None else None
    if before is not None:
        warn_of_secrets(session, before, {kept.object.key for kept in before.objects})
    else:
        session.log.info(f"What the factory was under {entry.version} was not kept: its objects stay as they are.")
    root, folder = session.environment.databricks.root, session.slot_folder(slot)

    def goal(live: Live) -> Goal:
        return goal_of_rollback(before, live, root=root, folder=folder)

    rules = rules_of(session.environment, session.state)
    meant = before.meant if before is not None else None
    return Target(goal, Rules(triggers=TriggerRules(meant=rules.triggers.meant)), set(ROLLED_BACK), meant=meant)


def rules_of(environment: Environment, state: State) -> Rules:
    policy = environment.data_factory
    return Rules(
        delete_removed=policy.delete_removed,
        delete_limit_percent=policy.delete_limit_percent,
        triggers=TriggerRules(
            keep_stopped=policy.triggers == "stopped", meant=state.factory.triggers if state.factory else None
        ),
    )


def _definition(session: Session, export: Export, values: Values, slot: Slot | None, *, say: bool) -> Definition:
    """The objects for this environment: rendered, notebook paths mapped, the release folder set."""
    environment = session.environment
    definition, findings = render(export, values, factory=environment.resources.data_factory)
    if findings:
        raise ReleaseError(f"{export.where} can't be rendered.", findings)
    paths = environment.data_factory.notebook_paths
    if slot is None and ("slot" in paths.values() or RELEASE_FOLDER in definition.global_parameters):
        raise NotPossible(
            f"No slot is live in {environment.name}, so notebook paths can lead to none.",
            changed="Nothing was changed.",
            next_step="Release the notebooks first, or name the slot with --slot.",
        )
    folder = session.slot_folder(slot) if slot is not None else ""
    objects, mapped, left = map_notebooks(definition.objects, paths, folder)
    if say:
        for line in mapped:
            session.log.info(line)
        for line in left:
            session.log.warning(f"Not blue/green: {line} is written in the pipeline (data_factory.notebook_paths).")
    globals_ = dict(definition.global_parameters)
    if RELEASE_FOLDER in globals_:
        globals_[RELEASE_FOLDER] = {**globals_[RELEASE_FOLDER], "value": folder}
    return Definition(tuple(objects), globals_)
