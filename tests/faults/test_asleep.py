"""An agent that falls asleep in the middle of a step, and wakes up an hour later when another run has the environment."""

from __future__ import annotations

import pytest

from slipway.domain.claim import LIFETIME
from tests.faults.cloud import LIMIT_SECONDS, Cloud, Memory
from tests.faults.conftest import Stages
from tests.faults.test_cut_anywhere import NEW, OLD, published, switched, whole_jobs

pytestmark = pytest.mark.faults

AT_ONCE = 16
HOUR = LIFETIME + 60
MANY = [f"many_{number:02}" for number in range(40)]
"""More than go out at once, so that some of a batch are not sent yet when the agent falls asleep."""


@pytest.fixture(scope="module")
def large(cloud: Cloud, stages: Stages) -> str:
    """A version with many notebooks."""
    for name in MANY:
        (cloud.root / "notebooks" / f"{name}.py").write_text(f"# Databricks notebook source\nprint('{name}')\n")
    cloud.build("1.3", "score", "extra")
    for name in MANY:
        (cloud.root / "notebooks" / f"{name}.py").unlink()
    return "1.3"


def fall_asleep(cloud: Cloud, start: Memory, step: str, version: str, path: str, **where: object) -> None:
    """Run 1, which the stages were made by, falls asleep at a request to `path`, and its claim runs out."""
    cloud.back_to(start)
    asleep = cloud.sleep_at(path, **where)  # type: ignore[arg-type]
    cloud.begin(step, version=version, run=1)
    if not asleep.wait(LIMIT_SECONDS):
        pytest.fail(f"It made no such request: {cloud.agent.end()[1]}")
    cloud.mend()


def wake_up(cloud: Cloud) -> None:
    """It is refused, in words for a person, and neither keeps nor gives back what is not its own any more."""
    claim = cloud.state.claim
    code, text = cloud.wake(after=HOUR)
    assert code == 8, text
    assert "The claim on this environment is lost" in text
    assert "Traceback" not in text
    assert cloud.state.claim == claim


@pytest.mark.parametrize("how", ["expired", "taken over"])
@pytest.mark.parametrize(
    ("path", "skip"), [("*/workspace/import", 0), ("*/workspace/mkdirs", 0), ("*/workspace/delete", 0)]
)
def test_asleep_while_publishing(cloud: Cloud, stages: Stages, large: str, how: str, path: str, skip: int) -> None:
    fall_asleep(cloud, stages.to_publish, "publish_slot", large, path, skip=skip)
    if how == "expired":
        cloud.age_claim(HOUR)
    words = ["--take-over"] if how == "taken over" else []
    done = cloud.step("publish_slot", *words, version="1.2", run=8, agent=cloud.other)
    assert done.code == 0, done.text
    holds = cloud.slot("blue")
    assert not [name for name in holds if "many_" in name]
    published(cloud)
    wake_up(cloud)
    after = cloud.slot("blue")
    late = {name for name in after.keys() | holds.keys() if holds.get(name) != after.get(name)}
    assert len(late) <= AT_ONCE, "only what was between the look and the wire when it fell asleep"
    go_on(cloud, late)
    assert cloud.state.live == "blue"
    assert cloud.slot("blue") == holds


def go_on(cloud: Cloud, late: set[str]) -> None:
    """The run that has the claim now: what was written late is found before the switch, and repaired by publishing."""
    steps = ["run_integration_test", "switch_slot"]
    outcomes = [cloud.step(step, version="1.2", run=8, agent=cloud.other) for step in steps]
    if not late:
        assert [outcome.code for outcome in outcomes] == [0, 0], [outcome.text for outcome in outcomes]
        return
    assert outcomes[-1].code == 9, outcomes[-1].text
    assert cloud.state.live == "green"
    for step in ["publish_slot", *steps]:
        after = cloud.step(step, version="1.2", run=8, agent=cloud.other)
        assert after.code == 0, after.text


@pytest.mark.parametrize("forward", [True, False], ids=["finished", "taken back"])
@pytest.mark.parametrize(
    ("path", "method", "skip"),
    [
        ("*/state.json", "PUT", 1),
        ("*/jobs/create", "POST", 0),
        ("*/jobs/reset", "POST", 0),
    ],
)
def test_asleep_while_switching(cloud: Cloud, stages: Stages, path: str, method: str, skip: int, forward: bool) -> None:
    fall_asleep(cloud, stages.to_switch, "switch_slot", "1.1", path, method=method, skip=skip, after=True)
    cloud.age_claim(HOUR)
    words = [] if forward else ["--revert"]
    done = cloud.step("switch_slot", *words, version="1.1", run=8, agent=cloud.other)
    assert done.code == 0, done.text
    wake_up(cloud)
    assert cloud.state.switch is None
    assert whole_jobs(cloud) == (NEW if forward else OLD)
    if not forward:
        again = cloud.step("switch_slot", version="1.1", run=9, agent=cloud.other)
        assert again.code == 0, again.text
    switched(cloud)


def test_asleep_while_testing_notes_no_result(cloud: Cloud, stages: Stages) -> None:
    fall_asleep(cloud, stages.to_test, "run_integration_test", "1.2", "*/jobs/runs/get-output", after=True)
    cloud.age_claim(HOUR)
    done = cloud.step("publish_slot", version="1.2", run=8, agent=cloud.other)
    assert done.code == 0, done.text
    wake_up(cloud)
    assert cloud.state.slots["blue"].test is None


def test_a_second_release_waits_for_the_first(cloud: Cloud, stages: Stages) -> None:
    """Each as a process of its own: the second says for whom it waits, and goes on when the first has ended."""
    fall_asleep(cloud, stages.to_switch, "switch_slot", "1.1", "*/jobs/reset", method="POST")
    waiting = cloud.watch("*/state.json", method="GET", skip=3)
    cloud.begin("publish_slot", "--wait", "60", version="1.2", run=8, agent=cloud.other)
    assert waiting.wait(LIMIT_SECONDS)
    code, text = cloud.wake(after=0.0)
    assert code == 0, text
    code, text = cloud.other.end()
    assert code == 0, text
    assert (
        "Waiting: Azure Pipelines is releasing 1.1 (https://dev.azure.com/slipway/Slipway/_build/results?buildId=1)"
        in text
    )
    published(cloud)
