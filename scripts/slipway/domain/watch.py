"""The watch after a switch: first runs of what was released, and how many of them may fail.

What counts is the first run of each job, and of each pipeline of the factory, that began under the new release and has a
result. One that failed before the switch too says nothing about the release.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from slipway.domain.codec import Instant
from slipway.domain.environment import OnBreach, WatchPolicy
from slipway.domain.job import reads_from, restarts
from slipway.domain.slot import Slot
from slipway.domain.switch import Journal

Outcome = Literal["active", "succeeded", "failed", "none"]
GRACE = 60 * 60.0
"""Seconds after its end in which a watch is still acted on: the schedule looks twice an hour. Later it only reports."""

_FAILED = frozenset({"FAILED", "TIMEDOUT", "UPSTREAM_FAILED"})
_SUCCEEDED = frozenset({"SUCCESS", "SUCCESS_WITH_FAILURES"})
_ENDED = frozenset({"TERMINATED", "SKIPPED", "INTERNAL_ERROR"})


@dataclass(frozen=True, kw_only=True)
class WatchedJob:
    """A job that the switch led to the new slot. `restarted`: it is continuous, and the switch ended its run so that the
    service begins another."""

    key: str
    id: int
    restarted: bool = False


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What is watched, and until when. `published`: since when the slot holds the release, so a run that reads from it
    and began later is the release's. `since` is the switch. `breached`: when that was first noticed."""

    release: str
    slot: Slot
    published: Instant
    since: Instant
    until: Instant
    max_failures: int
    on_breach: OnBreach
    jobs: tuple[WatchedJob, ...]
    pipelines: tuple[str, ...] = ()
    breached: Instant | None = None

    def same(self, other: Watch | None) -> bool:
        """Whether `other` is the watch over the same switch."""
        return other is not None and (self.release, self.since) == (other.release, other.since)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as far as a watch looks at it. `slots`: those that it reads from. `part` is the id of what failed in it."""

    id: str
    started: float
    outcome: Outcome
    slots: frozenset[Slot] = frozenset()
    page: str = ""
    message: str = ""
    part: int | None = None

    @property
    def is_result(self) -> bool:
        """Whether it says how one release did. A repair may run tasks of another than the run began with."""
        return self.outcome in ("succeeded", "failed") and len(self.slots) < 2


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What was seen of one job or pipeline. `run` is its first run under the release; `failed_before`: its last run with
    a result before the switch failed. `unknown`: why it could not be looked at."""

    name: str
    run: Run | None = None
    failed_before: bool = False
    restarted: bool = False
    unknown: str = ""

    @property
    def failed(self) -> bool:
        return self.run is not None and self.run.outcome == "failed"

    @property
    def counts(self) -> bool:
        """Whether it is a failure of the release."""
        return self.failed and not self.failed_before

    @property
    def settled(self) -> bool:
        """Whether all that the switch itself started can be seen: of a continuous job, that its new run works."""
        if not self.restarted or self.unknown:
            return True
        return self.run is not None and (self.run.outcome != "active" or self.run.message == "RUNNING")

    def __str__(self) -> str:
        if self.unknown:
            return f"{self.name}: not known: {self.unknown}"
        if self.run is None:
            return f"{self.name}: no run yet"
        state = {"active": "running", "succeeded": "succeeded", "failed": "failed", "none": ""}[self.run.outcome]
        if self.failed and self.failed_before:
            state += ", as before the switch"
        why = f": {self.run.message}" if self.failed and self.run.message else ""
        return f"{self.name}: {state} {self.run.page}".rstrip() + why


def begin(policy: WatchPolicy, journal: Journal, *, published: float, now: float) -> Watch | None:
    """The watch over what this switch made live; None where there is to be none: a way back is not watched."""
    if journal.kind != "release" or not policy.hours:
        return None
    jobs = tuple(
        WatchedJob(key=action.key, id=action.id, restarted=restarts(action.after))
        for action in journal.actions
        if action.id is not None and not action.leaves and not action.returns
    )
    return Watch(
        release=journal.version,
        slot=journal.target,
        published=published,
        since=now,
        until=now + policy.hours * 3600,
        max_failures=policy.max_failures,
        on_breach=policy.on_breach,
        jobs=jobs,
        pipelines=journal.factory.pipelines if journal.factory is not None else (),
    )


def failures(sights: Iterable[Sight]) -> list[Sight]:
    """The first runs that failed where none had failed before."""
    return [sight for sight in sights if sight.counts]


def is_breached(watch: Watch, sights: Iterable[Sight]) -> bool:
    return len(failures(sights)) > watch.max_failures


def is_over(watch: Watch, now: float) -> bool:
    return now >= watch.until


def sight_of_job(watch: Watch, job: WatchedJob, runs: Sequence[Run]) -> Sight:
    """What the runs of a job, in any order, say about the release."""
    ours = [run for run in runs if _is_first(watch, run)]
    others = [run for run in runs if run.started < watch.since and run not in ours]
    return _sight(f"job {job.key}", ours, others, restarted=job.restarted)


def _is_first(watch: Watch, run: Run) -> bool:
    """A run keeps the settings that it began with, so its own paths say which release it is of. A repaired one may read
    from both slots: then it began before. One that reads from no slot is told by its time."""
    if run.started > watch.until or not run.slots <= {watch.slot}:
        return False
    return run.started >= (watch.published if run.slots else watch.since)


def sight_of_pipeline(watch: Watch, name: str, runs: Sequence[PipelineRun], before: Outcome | None) -> Sight:
    """What the runs of a factory's pipeline since the switch say; `before`: how its last run before the switch ended.

    Runs of one group are one run and its reruns: the last of them has the result. A rerun of what ran before the switch
    is no first run, and one that another pipeline started is a part of that.
    """
    groups: dict[str, list[PipelineRun]] = {}
    for run in runs:
        if run.pipeline.lower() == name.lower() and not run.child:
            groups.setdefault(run.group, []).append(run)
    ours = []
    for group, members in groups.items():
        first = next((run for run in members if run.run.id == group), None)
        if first is not None and watch.since <= first.run.started <= watch.until:
            ours.append(max(members, key=lambda run: run.run.started).run)
    return _sight(f"pipeline {name}", ours, [], failed_before=before == "failed")


def _sight(
    name: str, ours: Sequence[Run], others: Sequence[Run], *, restarted: bool = False, failed_before: bool = False
) -> Sight:
    first = min((run for run in ours if run.outcome != "none"), key=lambda run: run.started, default=None)
    last = max((run for run in others if run.is_result), key=lambda run: run.started, default=None)
    failed_before = failed_before or (last is not None and last.outcome == "failed")
    return Sight(name=name, run=first, failed_before=failed_before, restarted=restarted)


def job_run(data: Mapping[str, Any], folders: Mapping[Slot, str]) -> Run:
    """A run of the Jobs API, with its tasks; `folders` are the slots'. While it is active, `message` is its life cycle
    state."""
    outcome = _outcome(data)
    failed = [task for task in data.get("tasks") or [] if _outcome(task) == "failed"]
    state = data.get("state") or {}
    message = str(
        state.get("state_message") or ((data.get("status") or {}).get("termination_details") or {}).get("message") or ""
    )
    if outcome == "active":
        message = str(state.get("life_cycle_state") or (data.get("status") or {}).get("state") or "")
    return Run(
        id=str(data.get("run_id")),
        started=float(data.get("start_time") or 0) / 1000,
        outcome=outcome,
        slots=frozenset(slot for slot, folder in folders.items() if reads_from(data, folder)),
        page=str(data.get("run_page_url") or ""),
        message=message,
        part=int(failed[-1]["run_id"]) if failed and failed[-1].get("run_id") else None,
    )


def _outcome(data: Mapping[str, Any]) -> Outcome:
    """Of a run or a task. What a person cancelled, and what was skipped, is no result. The older `state` where the service
    gives it, else `status` (SDK docstrings of RunState, RunStatus)."""
    state, status = data.get("state") or {}, data.get("status") or {}
    cycle = str(state.get("life_cycle_state") or status.get("state") or "")
    if cycle not in _ENDED:
        return "active"
    details = status.get("termination_details") or {}
    result = str(state.get("result_state") or "")
    if not result and details:
        result = {"SUCCESS": "SUCCESS", "USER_CANCELED": "CANCELED", "CANCELED": "CANCELED", "SKIPPED": "CANCELED"}.get(
            str(details.get("code")), "FAILED"
        )
    if result in _SUCCEEDED:
        return "succeeded"
    if result in _FAILED or (cycle == "INTERNAL_ERROR" and not result):
        return "failed"
    return "none"


@dataclass(frozen=True, kw_only=True)
class PipelineRun:
    """A run of a factory's pipeline; `group` is the id of the run that it repeats, its own for the first."""

    pipeline: str
    group: str
    child: bool
    run: Run


def pipeline_run(data: Mapping[str, Any], page: str) -> PipelineRun:
    """A PipelineRun of Data Factory (api-version 2018-06-01)."""
    run_id = str(data.get("runId") or "")
    status = str(data.get("status") or "")
    outcomes: dict[str, Outcome] = {
        "Succeeded": "succeeded",
        "Failed": "failed",
        "TimedOut": "failed",
        "Cancelled": "none",
    }
    return PipelineRun(
        pipeline=str(data.get("pipelineName") or ""),
        group=str(data.get("runGroupId") or run_id),
        child=bool((data.get("invokedBy") or {}).get("pipelineRunId")),
        run=Run(
            id=run_id,
            started=_moment(data.get("runStart")),
            outcome=outcomes.get(status, "active"),
            page=page,
            message=str(data.get("message") or ""),
        ),
    )


def _moment(text: object) -> float:
    """The service writes seven decimals, which datetime does not read everywhere. 0.0 where there is none."""
    if not isinstance(text, str) or not text:
        return 0.0
    whole, _, fraction = text.removesuffix("Z").removesuffix("+00:00").partition(".")
    moment = datetime.fromisoformat(whole)
    seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return seconds + (float(f"0.{fraction[:6]}") if fraction.isdigit() else 0.0)
