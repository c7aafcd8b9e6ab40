"""Each step of a release, cut at every request that it makes: run again it ends whole, and nothing in between is a mixture."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.faults.cloud import Cloud, Memory, Outcome
from tests.faults.conftest import Stages
from tests.faults.cuts import CUTS

KILLED = -9
TROUBLES = [kind for kind in CUTS if not kind.startswith("killed")]
SAID = (0, 5, 6, 8, 9)
"""Exit codes that a step may end with when a connection fails: the documented ones, and never a bug."""
OLD = {"score": ("blue", "PAUSED"), "train": ("blue", "PAUSED")}
NEW = {"score": ("green", "PAUSED"), "extra": ("green", "PAUSED")}


@dataclass(frozen=True)
class Work:
    """A step to be cut: where it starts, what it is, and what must hold when it has been run to its end."""

    start: Memory
    step: str
    version: str
    ended: Callable[[Cloud], None]
    untouched: str
    """The slot that no cut may change."""


def whole_jobs(cloud: Cloud) -> dict[str, tuple[str, str]]:
    """The jobs of the release that is live; none of them was made twice."""
    jobs = cloud.jobs()
    keys = [settings["tags"]["slipway_job"] for settings in jobs.values()]
    assert len(keys) == len(set(keys)), "a job was made twice"
    retired = {key for key, record in cloud.state.jobs.items() if record.retired}
    return {key: place for key, place in cloud.slots_of_jobs().items() if key not in retired}


def check_between(cloud: Cloud, outcome: Outcome, kind: str, live: dict[str, bytes], slot: str) -> None:
    """What holds at every moment: the live slot is what it was, and jobs of two releases only under an open journal."""
    if kind.startswith("killed"):
        assert outcome.code == KILLED, outcome.text
    else:
        assert outcome.code in SAID, outcome.text
        assert "Traceback" not in outcome.text
        if outcome.code:
            assert "[dev]" in outcome.text
            assert re.search(
                r"(was|were) (not )?(changed|touched)|still is|stays|taken back|both releases", outcome.text
            ), outcome.text
    assert cloud.slot(slot) == live
    state = cloud.state
    if state.switch is None:
        assert whole_jobs(cloud) in (OLD, NEW)
        assert {place[0] for place in whole_jobs(cloud).values()} == {state.live}


def cut_and_go_on(cloud: Cloud, work: Work, kind: str, at: int) -> bool:
    """False when the step made no so many requests: how many the audit's table costs depends on its length."""
    cloud.back_to(work.start)
    untouched = cloud.slot(work.untouched)
    cloud.cut(kind, at)
    outcome = cloud.step(work.step, version=work.version)
    met = cloud.met() or kind == "gone for good"
    cloud.mend()
    check_between(cloud, outcome, kind if met else "", untouched, work.untouched)
    if not (outcome.code == 0 and work.step == "rollback"):  # done is done: once more would go back once more
        again = cloud.step(work.step, version=work.version)
        assert again.code == 0 or _was_over(again), again.text
    work.ended(cloud)
    assert cloud.slot(work.untouched) == untouched
    return met


def _was_over(outcome: Outcome) -> bool:
    """A rollback that was killed when all was done has nothing more to go back to."""
    return outcome.code == 9 and "no stable release came before it" in outcome.text


def switched(cloud: Cloud) -> None:
    state = cloud.state
    assert (state.live, state.switch, state.claim) == ("green", None, None)
    assert whole_jobs(cloud) == NEW
    assert [(entry.version, entry.outcome) for entry in state.history] == [("1.0", "stable"), ("1.1", "live")]


def published(cloud: Cloud) -> None:
    state = cloud.state
    record = state.slots["blue"]
    assert (record.version, record.complete, record.candidate) == ("1.2", True, True)
    assert "1.2" in cloud.slot("blue")["notebooks/score.py"].decode()
    assert whole_jobs(cloud) == NEW
    assert len(cloud.jobs()) == 2, "the job that left is deleted with its slot"


def noted(cloud: Cloud) -> None:
    record = cloud.state.slots["blue"]
    assert record.test is not None
    assert record.test.passed
    assert cloud.active_runs() == []


def rolled_back(cloud: Cloud) -> None:
    state = cloud.state
    assert (state.live, state.switch, state.claim) == ("blue", None, None)
    assert whole_jobs(cloud) == OLD
    assert [(entry.version, entry.outcome) for entry in state.history] == [("1.0", "live"), ("1.1", "rolled_back")]
    assert "1.0" in cloud.slot("blue")["notebooks/score.py"].decode()


def works(stages: Stages) -> dict[str, Work]:
    return {
        "switch": Work(stages.to_switch, "switch_slot", "1.1", switched, "blue"),
        "publish": Work(stages.to_publish, "publish_slot", "1.2", published, "green"),
        "test": Work(stages.to_test, "run_integration_test", "1.2", noted, "green"),
        "rollback": Work(stages.to_publish, "rollback", "", rolled_back, "green"),
        "rollback from the archive": Work(stages.to_test, "rollback", "", rolled_back, "green"),
    }


def requests_of(cloud: Cloud, work: Work) -> int:
    """How many requests the step makes when nothing happens."""
    cloud.back_to(work.start)
    outcome = cloud.step(work.step, version=work.version)
    assert outcome.code == 0, outcome.text
    work.ended(cloud)
    return outcome.requests


@pytest.mark.faults
def test_the_test_killed_after_any_request(cloud: Cloud, stages: Stages) -> None:
    """The other steps: test_every_request."""
    at = 0
    while cut_and_go_on(cloud, works(stages)["test"], "killed after", at):
        at += 1
    assert at > 20


@pytest.mark.faults
@pytest.mark.parametrize(("name", "every"), [("switch", 2), ("publish", 3), ("test", 3), ("rollback", 3)])
def test_a_step_whose_connections_fail(cloud: Cloud, stages: Stages, name: str, every: int) -> None:
    work = works(stages)[name]
    for turn, at in enumerate(range(0, requests_of(cloud, work), every)):
        cut_and_go_on(cloud, work, TROUBLES[turn % len(TROUBLES)], at)


@pytest.mark.faults
def test_a_rollback_from_the_archive_whose_connections_fail(cloud: Cloud, stages: Stages) -> None:
    work = works(stages)["rollback from the archive"]
    for turn, at in enumerate(range(0, requests_of(cloud, work), 3)):
        cut_and_go_on(cloud, work, TROUBLES[turn % len(TROUBLES)], at)


@pytest.mark.parametrize("name", ["switch", "publish", "rollback"])
def test_a_step_killed_in_its_middle(cloud: Cloud, stages: Stages, name: str) -> None:
    work = works(stages)[name]
    middle = requests_of(cloud, work) // 2
    for kind, at in (("killed after", middle), ("answer lost", middle + 1)):
        cut_and_go_on(cloud, work, kind, at)


def test_a_job_deleted_by_hand_is_made_again(cloud: Cloud, stages: Stages) -> None:
    """To the release identity, which is no admin, the workspace refuses a deleted job as it does another's."""
    cloud.back_to(stages.to_publish)
    gone = cloud.delete_job("score")
    for step in ("publish_slot", "run_integration_test", "switch_slot"):
        done = cloud.done(step, version="1.2")
        if step == "publish_slot":
            assert f"job score ({gone}) was deleted" in done.text
    assert gone not in cloud.jobs()
    assert whole_jobs(cloud) == {"score": ("blue", "PAUSED"), "extra": ("blue", "PAUSED")}


def test_two_agents_at_one_environment(cloud: Cloud, stages: Stages) -> None:
    """The second is told who is releasing, until it says that the first is dead."""
    cloud.back_to(stages.to_publish)
    cloud.cut("killed after", 25)
    assert cloud.step("publish_slot", version="1.2", run=7).code == KILLED
    cloud.mend()
    refused = cloud.step("publish_slot", version="1.2", run=8)
    assert refused.code == 8
    assert "buildId=7" in refused.text
    cloud.done("publish_slot", "--take-over", version="1.2", run=8)
    published(cloud)


def test_what_a_lost_permission_leaves_is_said(cloud: Cloud, stages: Stages) -> None:
    cloud.back_to(stages.to_publish)
    cloud.cut("refused", 20)
    refused = cloud.step("publish_slot", version="1.2")
    assert refused.code == 5
    assert (
        "blue, the idle slot, is not complete: nothing can be switched to it. What is live was not touched."
        in refused.text
    )
    assert cloud.state.claim is None
