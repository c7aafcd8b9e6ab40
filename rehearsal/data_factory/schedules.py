"""Schedule triggers fire when the rehearsal's clock is moved, and at no other time."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from rehearsal.data_factory.engine import Engine
from rehearsal.data_factory.expressions.errors import ExpressionError, FunctionNotHere
from rehearsal.data_factory.expressions.evaluation import Evaluator
from rehearsal.data_factory.recurrence import NoRecurrence, occurrences
from rehearsal.data_factory.runs import Run, Runs
from rehearsal.data_factory.trigger_states import TriggerStates
from rehearsal.resource_manager.errors import ServiceError
from rehearsal.resource_manager.providers.base import timestamp
from rehearsal.world import World

Json = Any
log = logging.getLogger(__name__)
# One move of the clock fires a trigger so often at most: a trigger for each minute and a move of a year are a mistake.
MOST = 500


class Schedules:
    """The schedule triggers of all factories."""

    def __init__(self, world: World, engine: Engine, runs: Runs) -> None:
        self._world, self._engine, self._runs = world, engine, runs
        self._states = TriggerStates(world.store)

    def advance(self, to: float) -> list[str]:
        """Fire every started schedule trigger for each of its moments since it fired last, up to `to` (seconds since the epoch).

        Gives the ids of the pipeline runs that it started, in the order of their moments. Must be called on the event loop.
        """
        due: list[tuple[datetime, dict[str, Json]]] = []
        for trigger in self._world.resources.below("", "Microsoft.DataFactory/factories/triggers"):
            properties = trigger["properties"]
            if properties.get("type") == "ScheduleTrigger" and properties.get("runtimeState") == "Started":
                due += [(moment, trigger) for moment in self._due(trigger, to)]
        self._states.move(to)
        due.sort(key=lambda one: one[0])
        return [run_id for moment, trigger in due for run_id in self._fire(trigger, moment)]

    def _due(self, trigger: dict[str, Json], to: float) -> list[datetime]:
        since = self._states.fired_until(trigger["id"])
        recurrence = (trigger["properties"].get("typeProperties") or {}).get("recurrence") or {}
        begin = datetime.fromtimestamp(self._world.clock() if since is None else since, UTC)
        end = datetime.fromtimestamp(to, UTC)
        try:
            found = list(islice(occurrences(recurrence, begin, end), MOST))
        except NoRecurrence as wrong:
            log.warning("trigger %s can't fire: %s", trigger["name"], wrong)
            return []
        self._states.set_fired_until(trigger["id"], max(begin, end).timestamp())
        return found

    def _fire(self, trigger: dict[str, Json], moment: datetime) -> list[str]:
        factory = self._world.resources.get(trigger["id"].rsplit("/triggers/", 1)[0])
        if factory is None:
            return []
        trigger_run_id, scheduled = str(uuid.uuid4()), timestamp(moment.timestamp())
        invoked_by = {"id": trigger_run_id, "name": trigger["name"], "invokedByType": "ScheduleTrigger"}
        roots = {"name": trigger["name"], "scheduledTime": scheduled, "startTime": scheduled}
        started: dict[str, str] = {}
        refusals: list[str] = []
        for one in trigger["properties"].get("pipelines") or []:
            name = str((one.get("pipelineReference") or {}).get("referenceName"))
            try:
                parameters = self._parameters(one.get("parameters") or {}, roots)
                run = self._engine.create(factory, name, parameters, invoked_by, trigger=roots)
                started[name] = run["runId"]
            except (ExpressionError, FunctionNotHere, ServiceError) as wrong:
                refusals.append(f"{name}: {wrong}")
        self._runs.add_trigger_run(factory["id"], self._record(trigger, invoked_by, scheduled, started, refusals))
        return list(started.values())

    def _parameters(self, given: Mapping[str, Json], roots: Mapping[str, Json]) -> dict[str, Json]:
        evaluator = Evaluator({"trigger": lambda: dict(roots)}, self._world.clock)
        return {name: evaluator.value(value) for name, value in given.items()}

    def _record(
        self,
        trigger: dict[str, Json],
        invoked_by: Mapping[str, Json],
        scheduled: str,
        started: Mapping[str, str],
        refusals: list[str],
    ) -> Run:
        return {
            "triggerRunId": invoked_by["id"],
            "triggerName": trigger["name"],
            "triggerType": "ScheduleTrigger",
            "triggerRunTimestamp": scheduled,
            "status": "Failed" if refusals else "Succeeded",
            "message": "; ".join(refusals) or None,
            "properties": {"TriggerTime": scheduled, "ScheduleTime": scheduled},
            "triggeredPipelines": dict(started),
            "runDimension": {},
            "dependencyStatus": {},
        }
