"""What counts as the first run of a release, and what is a breach, on runs that a model made."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from slipway.domain.environment import WatchPolicy
from slipway.domain.factory.part import FactoryPart
from slipway.domain.slot import Slot
from slipway.domain.switch import Action, Journal
from slipway.domain.watch import (
    Outcome,
    PipelineRun,
    Run,
    Sight,
    Watch,
    WatchedJob,
    begin,
    failures,
    is_breached,
    job_run,
    pipeline_run,
    sight_of_job,
    sight_of_pipeline,
)

PUBLISHED, SWITCH, UNTIL = 1000.0, 2000.0, 5000.0
WATCH = Watch(
    release="2",
    slot="green",
    published=PUBLISHED,
    since=SWITCH,
    until=UNTIL,
    max_failures=0,
    on_breach="rollback",
    jobs=(),
    pipelines=("daily",),
)
JOB = WatchedJob(key="score", id=7)
outcomes = st.sampled_from(["active", "succeeded", "failed", "none"])
times = st.floats(0, 6000)
FOLDERS: dict[Slot, str] = {"blue": "/Workspace/x/blue", "green": "/Workspace/x/green"}


def run(started: float, outcome: Outcome, *slots: Slot) -> Run:
    return Run(id=f"{started}", started=started, outcome=outcome, slots=frozenset(slots))


old_runs = st.builds(run, st.floats(0, SWITCH), outcomes, st.just("blue"))
earlier_runs = st.builds(run, st.floats(0, PUBLISHED, exclude_max=True), outcomes, st.just("green"))
repaired_runs = st.builds(run, st.floats(0, SWITCH), outcomes, st.just("blue"), st.just("green"))
new_runs = st.builds(run, st.floats(PUBLISHED, UNTIL), outcomes, st.just("green"))
late_runs = st.builds(run, st.floats(UNTIL, 6000, exclude_min=True), outcomes, st.just("green"))
not_ours = st.lists(old_runs | earlier_runs | repaired_runs | late_runs, max_size=8)


@given(not_ours, st.lists(new_runs, max_size=8), st.randoms())
def test_the_first_run_is_the_oldest_of_the_release_with_a_result_or_on_its_way(
    others: list[Run], ours: list[Run], random: Any
) -> None:
    runs = [*others, *ours]
    random.shuffle(runs)
    sight = sight_of_job(WATCH, JOB, runs)
    counted = sorted(each.started for each in ours if each.outcome != "none")
    assert (None if sight.run is None else sight.run.started) == (counted[0] if counted else None)


@given(not_ours, st.lists(new_runs, max_size=8))
def test_a_release_fails_only_where_what_was_before_did_not(others: list[Run], ours: list[Run]) -> None:
    assume(len({each.started for each in others}) == len(others))
    sight = sight_of_job(WATCH, JOB, [*others, *ours])
    results = ("succeeded", "failed")
    with_result = [r for r in others if r.outcome in results and r.started < SWITCH and len(r.slots) == 1]
    before = max(with_result, key=lambda each: each.started, default=None)
    assert sight.failed_before == (before is not None and before.outcome == "failed")
    if sight.counts:
        assert sight.run is not None
        assert sight.run.outcome == "failed"
        assert not sight.failed_before


@given(st.lists(st.builds(Sight, name=st.just("x"), run=st.none() | new_runs, failed_before=st.booleans())))
def test_a_breach_is_more_than_may_fail(sights: list[Sight]) -> None:
    failed = len(failures(sights))
    for most in range(len(sights) + 1):
        watch = Watch(**{**vars(WATCH), "max_failures": most})
        assert is_breached(watch, sights) == (failed > most)


@pytest.mark.parametrize(("started", "counts"), [(SWITCH - 1, False), (SWITCH, True), (UNTIL + 1, False)])
def test_a_run_that_reads_from_no_slot_is_told_by_its_time(started: float, counts: bool) -> None:
    assert sight_of_job(WATCH, JOB, [run(started, "failed")]).counts == counts


def pipeline(
    started: float, outcome: Outcome, name: str = "daily", *, own: str = "", group: str = "", child: bool = False
) -> PipelineRun:
    own = own or f"{started}"
    return PipelineRun(
        pipeline=name, group=group or own, child=child, run=Run(id=own, started=started, outcome=outcome)
    )


@pytest.mark.parametrize(
    ("runs", "before", "failed"),
    [
        ([], None, False),
        ([pipeline(2500, "failed")], None, True),
        ([pipeline(2500, "failed", "DAILY")], None, True),
        ([pipeline(2500, "failed")], "failed", False),
        ([pipeline(2500, "failed")], "succeeded", True),
        ([pipeline(2500, "failed", child=True)], None, False),
        ([pipeline(2500, "failed", "other")], None, False),
        ([pipeline(1900, "failed")], None, False),
        ([pipeline(5001, "failed")], None, False),
        ([pipeline(2500, "none"), pipeline(2600, "failed")], None, True),
        ([pipeline(2500, "succeeded"), pipeline(2600, "failed")], None, False),
        # a rerun replaces the result of what it repeats; one of what ran before the switch is nothing
        ([pipeline(2500, "failed", own="a"), pipeline(2600, "succeeded", group="a")], None, False),
        ([pipeline(2500, "failed", own="a"), pipeline(2600, "failed", group="a")], None, True),
        ([pipeline(2600, "failed", group="before")], None, False),
    ],
)
def test_the_first_run_of_a_pipeline(runs: list[PipelineRun], before: Outcome | None, failed: bool) -> None:
    assert sight_of_pipeline(WATCH, "daily", runs, before).counts == failed


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        ({"state": {"life_cycle_state": "QUEUED"}}, "active"),
        ({"state": {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}}, "succeeded"),
        ({"state": {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS_WITH_FAILURES"}}, "succeeded"),
        ({"state": {"life_cycle_state": "INTERNAL_ERROR", "result_state": "FAILED"}}, "failed"),
        ({"state": {"life_cycle_state": "INTERNAL_ERROR"}}, "failed"),
        ({"state": {"life_cycle_state": "TERMINATED", "result_state": "TIMEDOUT"}}, "failed"),
        ({"state": {"life_cycle_state": "TERMINATED", "result_state": "CANCELED"}}, "none"),
        ({"state": {"life_cycle_state": "SKIPPED", "result_state": "MAXIMUM_CONCURRENT_RUNS_REACHED"}}, "none"),
        ({"state": {"life_cycle_state": "SKIPPED"}}, "none"),
        ({"status": {"state": "RUNNING"}}, "active"),
        ({"status": {"state": "TERMINATED", "termination_details": {"code": "SUCCESS"}}}, "succeeded"),
        ({"status": {"state": "TERMINATED", "termination_details": {"code": "RUN_EXECUTION_ERROR"}}}, "failed"),
        ({"status": {"state": "TERMINATED", "termination_details": {"code": "USER_CANCELED"}}}, "none"),
    ],
)
def test_how_a_run_ended(data: dict[str, Any], outcome: str) -> None:
    assert job_run(data, FOLDERS).outcome == outcome


def test_a_run_says_where_it_reads_from_and_what_failed() -> None:
    task: dict[str, Any] = {"run_id": 5, "notebook_task": {"notebook_path": "/x/green/notebooks/a"}}
    failed: dict[str, Any] = {"state": {"life_cycle_state": "TERMINATED", "result_state": "FAILED"}}
    library = {"run_id": 6, "libraries": [{"whl": "/Workspace/x/blue/library/a.whl"}], **failed}
    found = job_run({"run_id": 4, "start_time": 2500500, "tasks": [task, library], **failed}, FOLDERS)
    assert (found.started, found.slots, found.part) == (2500.5, frozenset(FOLDERS), 6)


@pytest.mark.parametrize(
    ("start", "seconds"),
    [("2026-11-21T09:00:00.1234567Z", 0.123456), ("2026-11-21T09:00:00Z", 0.0), ("2026-11-21T09:00:00.5+00:00", 0.5)],
)
def test_the_times_of_a_factory(start: str, seconds: float) -> None:
    found = pipeline_run({"runId": "r", "runStart": start, "status": "InProgress", "invokedBy": {"name": "x"}}, "page")
    assert found.run.started == pytest.approx(1795251600 + seconds)
    assert (found.run.outcome, found.group, found.child) == ("active", "r", False)
    assert pipeline_run({"runId": "r", "status": "Queued", "runStart": None}, "").run.started == 0


def journal(**more: Any) -> Journal:
    def action(key: str, number: int | None, after: Any = None, **flags: Any) -> Action:
        return Action(key=key, id=number, before=None, after=after or {}, pause=None, **flags)

    continuous = {"continuous": {"pause_status": "UNPAUSED"}, "tags": {"slipway_on_switch": "restart"}}
    given: dict[str, Any] = {
        "kind": "release",
        "version": "2",
        "manifest": "m",
        "source": "blue",
        "target": "green",
        "actions": (
            action("score", 1),
            action("stream", 2, continuous),
            action("gone", 3, leaves=True),
            action("given_back", 4, returns=True),
        ),
        "settings": "s",
        "kept": None,
        "started": 1.0,
        "holder": "h",
        "number": 1,
        "factory": FactoryPart(factory="f", before="b", pipelines=("daily",)),
    }
    return Journal(**{**given, **more})


def test_what_a_switch_leaves_to_be_watched() -> None:
    policy = WatchPolicy(hours=2, max_failures=3, on_breach="rollback")
    watch = begin(policy, journal(), published=PUBLISHED, now=SWITCH)
    assert watch is not None
    assert watch.jobs == (WatchedJob(key="score", id=1), WatchedJob(key="stream", id=2, restarted=True))
    assert (watch.pipelines, watch.until, watch.max_failures) == (("daily",), SWITCH + 7200, 3)
    assert begin(WatchPolicy(), journal(), published=PUBLISHED, now=SWITCH) is None
    for kind in ("rollback", "import"):
        assert begin(policy, journal(kind=kind), published=PUBLISHED, now=SWITCH) is None
