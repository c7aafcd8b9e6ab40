"""Carrying out one pipeline run: its activities in the order of their dependencies, attempts, time limits, records."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rehearsal.data_factory.expressions.errors import ExpressionError, FunctionNotHere
from rehearsal.data_factory.outcome import ActivityFailed, Outcome, Result, conclude, may_run, seconds
from rehearsal.data_factory.places import Place
from rehearsal.data_factory.runs import Run, Runs

Json = Any
Activity = Mapping[str, Json]
Sleep = Callable[[float], Awaitable[None]]
# Gets the walk, the activity, its place and its record; gives the output. Raises ActivityFailed, ExpressionError.
Handler = Callable[["Walk", Activity, Place, Run], Awaitable[Json]]
# The policy's defaults: learn.microsoft.com/azure/data-factory/concepts-pipelines-activities#activity-policy
_TIMEOUT = "0.12:00:00"
_INTERVAL = 30


@dataclass(frozen=True)
class Walk:
    """What every activity of every run needs. handlers: by lower-case activity type; sleep: seconds."""

    runs: Runs
    handlers: Mapping[str, Handler]
    sleep: Sleep

    async def all_of(self, activities: Sequence[Activity], place: Place) -> Outcome:
        """Run a list of activities; those that wait for nothing start together."""
        ended = {str(activity["name"]).lower(): asyncio.Event() for activity in activities}
        own = place.results.maps[0]

        async def one(activity: Activity) -> None:
            for dependency in activity.get("dependsOn") or []:
                await ended[str(dependency["activity"]).lower()].wait()
            name = str(activity["name"]).lower()
            own[name] = await self._one(activity, place) if may_run(activity, own) else Result("Skipped")
            ended[name].set()

        async with asyncio.TaskGroup() as group:
            for activity in activities:
                group.create_task(one(activity))
        return conclude(activities, own)

    async def _one(self, activity: Activity, place: Place) -> Result:
        """Every attempt of one activity."""
        if activity.get("state") == "Inactive":
            return self._inactive(activity, place)
        policy = activity.get("policy") or {}
        attempt = retries = 0
        while True:
            record = self.runs.begin_activity(place.running.run, activity, attempt)
            try:
                retries = _count(place.value(policy.get("retry")), 0)
                output = await self._attempt(activity, place, record)
            except asyncio.CancelledError:
                self.runs.end_activity(record, "Cancelled")
                raise
            except (ExpressionError, FunctionNotHere) as wrong:
                return self._failed(activity, record, _unreadable(wrong))
            except ActivityFailed as failure:
                result = self._failed(activity, record, failure)
                if attempt >= retries or not failure.again:
                    return result
            else:
                record["output"] = {"secureOutput": True} if policy.get("secureOutput") else output
                self.runs.end_activity(record, "Succeeded")
                return Result("Succeeded", output=output, run_id=record["activityRunId"])
            attempt += 1
            await self.sleep(_count(policy.get("retryIntervalInSeconds"), _INTERVAL))

    async def _attempt(self, activity: Activity, place: Place, record: Run) -> Json:
        policy = activity.get("policy") or {}
        kind = str(activity["type"]).lower()
        handler, asked = self.handlers[kind], place.value(policy.get("timeout"))
        # Control flow has no time limit but its own.
        limit = seconds(asked or _TIMEOUT) if asked or kind.startswith("databricks") else None
        try:
            async with asyncio.timeout(limit):
                output = await handler(self, activity, place, record)
        except TimeoutError:
            # Code and text unverified.
            raise ActivityFailed(
                "ActivityTimedOut", f"The activity did not end within its time limit of {limit or 0:g} seconds."
            ) from None
        finally:
            if policy.get("secureInput"):
                record["input"] = {"secureInput": True}
        return output

    def _failed(self, activity: Activity, record: Run, failure: ActivityFailed) -> Result:
        error = {
            "errorCode": failure.code,
            "message": failure.message,
            "failureType": failure.kind,
            "target": activity["name"],
            "details": [],
        }
        record |= {"error": error, "output": failure.output or {}}
        self.runs.end_activity(record, "Failed")
        return Result("Failed", output=failure.output or {}, error=error, run_id=record["activityRunId"])

    def _inactive(self, activity: Activity, place: Place) -> Result:
        """An inactive activity does not run and ends as it is marked (…/data-factory/deactivate-activity)."""
        status = str(activity.get("onInactiveMarkAs") or "Succeeded")
        record = self.runs.begin_activity(place.running.run, activity, 0)
        record["output"] = {"inactive": True}
        self.runs.end_activity(record, status)
        error = {"errorCode": "Inactive", "message": "The activity is inactive and marked as failed."}
        return Result(status, error=error if status == "Failed" else {}, run_id=record["activityRunId"])


def _unreadable(wrong: Exception) -> ActivityFailed:
    if isinstance(wrong, FunctionNotHere):
        return ActivityFailed("NotImplementedInRehearsal", f"This rehearsal has no {wrong}.", again=False)
    # Data Factory shows these as InvalidTemplate (azure-docs issues quote it).
    return ActivityFailed("InvalidTemplate", str(wrong), again=False)


def _count(value: Json, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else default
