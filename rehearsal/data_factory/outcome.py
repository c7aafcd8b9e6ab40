"""How activities end, and what that means for those after them and for the pipeline."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = Any
_TIMESPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.\d+)?)?")


class ActivityFailed(Exception):
    """An activity that failed, as its error shows it. kind: failureType, "UserError" or "SystemError"."""

    def __init__(
        self, code: str, message: str, *, kind: str = "UserError", output: Json = None, again: bool = True
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.kind, self.output = code, message, kind, output
        # Whether another attempt could end otherwise.
        self.again = again


@dataclass
class Result:
    """What an activity that ended leaves to the others. status: Succeeded, Failed, Skipped."""

    status: str
    output: Json = field(default_factory=dict)
    error: dict[str, Json] = field(default_factory=dict)
    run_id: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a list of activities ended. failed, message: the first activity that made it fail, with its error."""

    failed: str = ""
    message: str = ""


def may_run(activity: Mapping[str, Json], results: Mapping[str, Result]) -> bool:
    """Whether what the activity depends on ended as it wants; conditions of one dependency are alternatives.

    learn.microsoft.com/azure/data-factory/concepts-pipelines-activities#activity-dependency
    """
    for dependency in activity.get("dependsOn") or []:
        status = results[str(dependency["activity"]).lower()].status
        wanted = dependency.get("dependencyConditions") or ["Succeeded"]
        fits = status in wanted or ("Completed" in wanted and status in ("Succeeded", "Failed"))
        if not fits:
            return False
    return True


def conclude(activities: Sequence[Mapping[str, Json]], results: Mapping[str, Result]) -> Outcome:
    """The leaves decide; a leaf that was skipped hands over to what it depends on.

    learn.microsoft.com/azure/data-factory/tutorial-pipeline-failure-error-handling
    """
    by_name = {str(activity["name"]).lower(): activity for activity in activities}
    needed = {str(dependency["activity"]).lower() for one in activities for dependency in one.get("dependsOn") or []}
    waiting = [name for name in by_name if name not in needed]
    seen: set[str] = set()
    failures: list[str] = []
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        status = results[name].status
        if status == "Skipped":
            waiting += [str(one["activity"]).lower() for one in by_name[name].get("dependsOn") or []]
        elif status == "Failed":
            failures.append(name)
    if not failures:
        return Outcome()
    first = next(name for name in by_name if name in failures)
    return Outcome(str(by_name[first]["name"]), str(results[first].error.get("message", "")))


def seconds(timespan: Json) -> float:
    """`d.hh:mm:ss` in seconds. Raises ActivityFailed for anything else."""
    match = _TIMESPAN.fullmatch(str(timespan).strip())
    if match is None:
        raise ActivityFailed("InvalidTimeSpan", f"'{timespan}' is no time span of the form d.hh:mm:ss.", again=False)
    days, hours, minutes, rest = (int(part or 0) for part in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + rest)
