"""The plan: everything that must change so that a factory is what it is meant to be, and in which order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from slipway.domain.factory.comparison import Change, Deployed, compare, merge_global_parameters
from slipway.domain.factory.deletion import implausible, removals
from slipway.domain.factory.export import Definition
from slipway.domain.factory.objects import FactoryObject, Key
from slipway.domain.factory.references import graph, levels
from slipway.domain.factory.trigger_moves import TriggerMove, TriggerRules, trigger_moves
from slipway.errors import NotPossible


@dataclass(frozen=True, kw_only=True)
class Live:
    """A factory as it is, copies of candidates left out. `deployed`: what Slipway put there last."""

    objects: tuple[FactoryObject, ...] = field(repr=False)
    global_parameters: Mapping[str, Any] = field(repr=False)
    deployed: Mapping[Key, Deployed] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What an environment allows (data_factory in its configuration), and what is known of the triggers."""

    delete_removed: bool = False
    delete_limit_percent: int = 30
    triggers: TriggerRules = field(default_factory=TriggerRules)


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What a factory is to be brought to. `gone` and `without`: objects and global parameters that must not be there;
    with `gone` None the rules say what goes of what the definition has not got."""

    definition: Definition
    gone: frozenset[Key] | None = None
    without: frozenset[str] = frozenset()


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

    @property
    def puts(self) -> list[Change]:
        return [change for change in self.changes if change.action != "unchanged"]

    @property
    def moves(self) -> list[TriggerMove]:
        return [move for move in self.triggers if move.moves]

    @property
    def empty(self) -> bool:
        return not (self.puts or self.removals or self.moves or self.global_parameters is not None)

    def levels(self) -> list[list[FactoryObject]]:
        """What is to be put, level by level: each needs only what is live or in a level before."""
        return levels(graph(change.item for change in self.puts))

    def without_removals(self) -> Plan:
        return replace(self, removals=())


def make_plan(goal: Goal, live: Live, rules: Rules, written: frozenset[Key] = frozenset()) -> Plan:
    """What must change; `written`: what this run has put already. Raises NotPossible when the deletions are not
    believable."""
    wanted = goal.definition
    changes = compare(wanted.objects, live.objects, live.deployed, written)
    gone: list[Change] = []
    left = [change for change in changes if change.action == "leave"]
    if goal.gone is not None:
        gone, left = removals(changes, goal.gone)
    elif rules.delete_removed:
        gone, left = removals(changes)
        _refuse_implausible(gone, wanted, live, rules)
    after, lines = merge_global_parameters(wanted.global_parameters, live.global_parameters, goal.without)
    return Plan(
        changes=tuple(change for change in changes if change.action != "leave"),
        removals=tuple(gone),
        left=tuple(left),
        triggers=tuple(trigger_moves(changes, gone, live.objects, rules.triggers)),
        global_parameters=after,
        global_changes=tuple(lines),
    )


def _refuse_implausible(gone: list[Change], wanted: Definition, live: Live, rules: Rules) -> None:
    why = implausible(gone, wanted.objects, live.objects, percent=rules.delete_limit_percent)
    if why:
        names = ", ".join(str(change.item) for change in gone[:10]) + (", …" if len(gone) > 10 else "")
        raise NotPossible(
            f"The deletions are refused: {why} ({names}).",
            changed="Nothing was changed.",
            next_step="Is it the right export, for the right factory? If it is, raise data_factory.delete_limit_percent "
            "for this release, or delete by hand.",
        )
