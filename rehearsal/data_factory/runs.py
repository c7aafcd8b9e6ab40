"""What is kept of pipeline, activity and trigger runs, in the shape of the service's answers.

Fields: PipelineRun, ActivityRun, TriggerRun of azure-mgmt-datafactory 10.0.0.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rehearsal.resource_manager.identifiers import fold
from rehearsal.resource_manager.providers.base import timestamp
from rehearsal.world import World

Json = Any
Run = dict[str, Json]
ENDED = frozenset({"Succeeded", "Failed", "Cancelled"})
# Not part of any answer: which factory a run belongs to.
FACTORY = "_factory"


class Runs:
    """The runs of all factories."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._runs = world.store.collection("data_factory/pipeline_runs")
        self._activities = world.store.collection("data_factory/activity_runs")
        self._triggers = world.store.collection("data_factory/trigger_runs")

    # Pipeline runs

    def create(
        self,
        factory_id: str,
        pipeline: str,
        parameters: Mapping[str, Json],
        invoked_by: Mapping[str, Json],
        group: str | None = None,
    ) -> Run:
        run_id, now = str(uuid.uuid4()), self.now()
        run: Run = {
            FACTORY: fold(factory_id),
            "id": f"{factory_id}/pipelineruns/{run_id}",
            "runId": run_id,
            "runGroupId": group or run_id,
            "isLatest": True,
            "debugRunId": None,
            "pipelineName": pipeline,
            "parameters": {name: written(value) for name, value in parameters.items()},
            "invokedBy": dict(invoked_by),
            "runStart": now,
            "runEnd": None,
            "durationInMs": None,
            "status": "Queued",
            "message": "",
            "lastUpdated": now,
            "runDimension": {},
        }
        self.keep(run)
        return run

    def keep(self, run: Run) -> None:
        run["lastUpdated"] = self.now()
        self._runs[run["runId"]] = run

    def end(self, run: Run, status: str, message: str = "") -> None:
        now = self.now()
        run |= {"status": status, "message": message, "runEnd": now, "durationInMs": between(run["runStart"], now)}
        self.keep(run)

    def get(self, factory_id: str, run_id: str) -> Run | None:
        run: Run | None = self._runs.get(run_id)
        return run if run is not None and run[FACTORY] == fold(factory_id) else None

    def of_factory(self, factory_id: str) -> list[Run]:
        wanted = fold(factory_id)
        return [run for run in self._runs.values() if run[FACTORY] == wanted]

    def unfinished(self) -> list[Run]:
        return [run for run in self._runs.values() if run["status"] not in ENDED]

    # Activity runs

    def begin_activity(self, run: Run, activity: Mapping[str, Json], attempt: int) -> Run:
        linked = (activity.get("linkedServiceName") or {}).get("referenceName", "")
        made: Run = {
            "id": "",
            "activityRunId": str(uuid.uuid4()),
            "activityName": activity.get("name"),
            "activityType": activity.get("type"),
            "pipelineName": run["pipelineName"],
            "pipelineRunId": run["runId"],
            "linkedServiceName": linked,
            "activityRunStart": self.now(),
            "activityRunEnd": None,
            "durationInMs": None,
            "status": "InProgress",
            "retryAttempt": attempt,
            "input": {},
            "output": {},
            "error": {"errorCode": "", "message": "", "failureType": "", "target": activity.get("name"), "details": ""},
            "userProperties": {},
            "iterationHash": "",
        }
        self.keep_activity(made)
        return made

    def keep_activity(self, made: Run) -> None:
        made["_updated"] = self.now()
        self._activities[f"{made['pipelineRunId']}/{made['activityRunId']}"] = made

    def end_activity(self, made: Run, status: str) -> None:
        now = self.now()
        made |= {
            "status": status,
            "activityRunEnd": now,
            "durationInMs": between(made["activityRunStart"], now),
        }
        self.keep_activity(made)

    def activities(self, run_id: str) -> list[Run]:
        return [self._activities[key] for key in self._activities if key.startswith(f"{run_id}/")]

    # Trigger runs

    def add_trigger_run(self, factory_id: str, record: Run) -> None:
        self._triggers[record["triggerRunId"]] = {FACTORY: fold(factory_id), **record}

    def trigger_runs(self, factory_id: str) -> list[Run]:
        wanted = fold(factory_id)
        return [run for run in self._triggers.values() if run[FACTORY] == wanted]

    def now(self) -> str:
        return timestamp(self._world.clock())


def shown(record: Run) -> Run:
    """A record as it is answered."""
    return {key: value for key, value in record.items() if not key.startswith("_")}


def written(value: Json) -> str:
    """A parameter as runs show it: all are texts."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "True" if value else "False"
    return json.dumps(value)


def between(start: str, end: str) -> int:
    """Milliseconds between two of the service's timestamps."""
    moments = [datetime.fromisoformat(one[:26] + "+00:00") for one in (start, end)]
    return int((moments[1] - moments[0]).total_seconds() * 1000)
