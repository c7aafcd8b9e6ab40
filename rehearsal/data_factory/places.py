"""Where an activity stands in a run: what it can name in expressions."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.data_factory.expressions.errors import ExpressionError
from rehearsal.data_factory.expressions.evaluation import Evaluator
from rehearsal.data_factory.outcome import Result
from rehearsal.data_factory.runs import Run

Json = Any


@dataclass
class Running:
    """One pipeline run that is going on.

    factory: the factory's resource; definition: the pipeline's properties as they were at the start; trigger: what
    trigger() gives, with the scheduled time; variables: by lower-case name; depth: how many pipelines called each other
    to get here.
    """

    run: Run
    factory: dict[str, Json]
    definition: Mapping[str, Json]
    parameters: Mapping[str, Json]
    trigger: Mapping[str, Json]
    variables: dict[str, Json]
    depth: int = 0
    returned: dict[str, Json] = field(default_factory=dict)
    children: list[str] = field(default_factory=list)

    def declared(self, name: str) -> Mapping[str, Json] | None:
        """The declaration of a variable, without regard to case."""
        for known, declaration in (self.definition.get("variables") or {}).items():
            if known.lower() == name.lower():
                found: Mapping[str, Json] = declaration
                return found
        return None


@dataclass(frozen=True)
class Place:
    """A list of activities in a run. results: of this list and of those around it; item: of the loop around it."""

    running: Running
    results: ChainMap[str, Result]
    now: Callable[[], float]
    item: tuple[Json] | None = None

    def inside(self, item: tuple[Json] | None = None) -> Place:
        """A list inside one of this list's activities."""
        return Place(self.running, self.results.new_child(), self.now, self.item if item is None else item)

    def evaluator(self) -> Evaluator:
        return Evaluator(
            {
                "pipeline": lambda: _pipeline(self.running),
                "activity": self._activity,
                "variables": self._variable,
                "item": self._item,
                "trigger": lambda: dict(self.running.trigger),
                "triggerbody": lambda: self.running.trigger.get("body"),
            },
            self.now,
        )

    def value(self, given: Json) -> Json:
        """A part of the definition, evaluated here. Raises ExpressionError, FunctionNotHere."""
        return self.evaluator().value(given)

    def _activity(self, name: Json) -> Json:
        result = self.results.get(str(name).lower())
        if result is None:
            raise ExpressionError(
                f"The activity '{name}' has not run before this one, or is not in the same list of activities or around it."
            )
        return {
            "output": result.output,
            "status": result.status,
            "error": result.error,
            "ActivityRunId": result.run_id,
        }

    def _variable(self, name: Json) -> Json:
        if str(name).lower() not in self.running.variables:
            raise ExpressionError(f"The variable '{name}' is not defined in the pipeline.")
        return self.running.variables[str(name).lower()]

    def _item(self) -> Json:
        if self.item is None:
            raise ExpressionError("item() can only be used inside ForEach and Filter.")
        return self.item[0]


def _pipeline(running: Running) -> dict[str, Json]:
    """System variables (learn.microsoft.com/azure/data-factory/control-flow-system-variables)."""
    by, trigger = running.run["invokedBy"], running.trigger
    shared = running.factory["properties"].get("globalParameters") or {}
    return {
        "DataFactory": running.factory["name"],
        "Pipeline": running.run["pipelineName"],
        "RunId": running.run["runId"],
        "GroupId": running.run["runGroupId"],
        "TriggerType": by["invokedByType"],
        "TriggerId": by["id"],
        "TriggerName": by["name"],
        "TriggerTime": trigger.get("startTime") or running.run["runStart"],
        "TriggeredByPipelineName": by.get("pipelineName"),
        "TriggeredByPipelineRunId": by.get("pipelineRunId"),
        "parameters": dict(running.parameters),
        "globalParameters": {name: one.get("value") for name, one in shared.items()},
    }
