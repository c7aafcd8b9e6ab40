"""A release of twelve jobs and a factory, cut at every single request: what is left is finished or taken back, never a mixture."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from rehearsal.databricks import continuous
from tests.faults.big_cloud import NEW_FACTORY, NEW_JOBS, OLD_FACTORY, OLD_JOBS, STEADY, BigCloud, Objects
from tests.faults.cloud import Memory, Outcome

pytestmark = pytest.mark.faults

KILLED = -9
CUTS = ("killed after", "answer lost")
PAUSED_BY_HAND, CHANGED_BY_HAND = STEADY[0], "drifted"
SAID = (0, 5, 6, 8, 9)
EVERY = int(os.environ.get("SLIPWAY_CUT_EVERY", "16"))
"""1: every request, which takes an hour; the default leaves the two kinds of cuts at different requests."""
LEFT = {key.lower() for key in (OLD_FACTORY.keys() ^ NEW_FACTORY.keys())}


@dataclass(frozen=True)
class Stages:
    """The environment at several times of its life."""

    to_publish: Memory
    """1.0 is live in blue, and people have changed a job and paused another; green is empty."""
    to_switch: Memory
    """1.1 is tested in green."""
    to_roll_back: Memory
    """1.1 is live in green; 1.0 is whole in blue."""
    to_republish: Memory
    """1.1 is live in green; a candidate has overwritten 1.0."""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BigCloud]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(continuous, "RESTART_SECONDS", 0.05)
        with BigCloud(tmp_path_factory.mktemp("big"), patch) as cloud:
            yield cloud


@pytest.fixture(scope="module")
def stages(cloud: BigCloud) -> Stages:
    cloud.build_with("1.0", OLD_JOBS, OLD_FACTORY)
    cloud.build_with("1.1", NEW_JOBS, NEW_FACTORY)
    cloud.build_with("1.2", NEW_JOBS, NEW_FACTORY)
    cloud.done("deploy_resources", version="1.0")
    cloud.link_factory()
    cloud.release("1.0")
    cloud.change_job(cloud.job_id(CHANGED_BY_HAND), lambda job: job["settings"].update(timeout_seconds=7200))
    cloud.change_job(
        cloud.job_id(PAUSED_BY_HAND), lambda job: job["settings"]["schedule"].update(pause_status="PAUSED")
    )
    to_publish = cloud.remember()
    cloud.done("publish_slot", version="1.1")
    cloud.done("run_integration_test", version="1.1")
    to_switch = cloud.remember()
    cloud.done("switch_slot", version="1.1")
    to_roll_back = cloud.remember()
    cloud.done("publish_slot", version="1.2")
    return Stages(to_publish, to_switch, to_roll_back, cloud.remember())


def is_release(cloud: BigCloud, slot: str, jobs: tuple[str, ...], factory: Objects) -> None:
    """All of the environment is this release, in this slot, and nothing of another; schedules and triggers as they were."""
    state = cloud.state
    assert (state.live, state.switch, state.claim) == (slot, None, None)
    assert state.slots[slot].complete
    places = cloud.live_jobs()
    assert {key: place for key, (place, _) in places.items()} == dict.fromkeys(jobs, slot)
    assert {key for key, (_, pause) in places.items() if pause == "PAUSED"} == {PAUSED_BY_HAND}
    is_factory(cloud, slot, factory)


def is_factory(cloud: BigCloud, slot: str, wanted: Objects) -> None:
    """What left may still be there after an agent died between the switch and its clean-up: the next release takes it."""
    there = cloud.factory()
    assert {key.lower() for key in there} - {key.lower() for key in wanted} <= LEFT
    assert cloud.release_folder() == slot
    assert cloud.running() == {key.partition("/")[2] for key in wanted if key.startswith("triggers/")}
    for key, properties in wanted.items():
        given = {name: there[_found(there, key)].get(name) for name in properties}
        assert given == dict(properties), key


def _found(there: dict[str, Any], key: str) -> str:
    return next(name for name in there if name.lower() == key.lower())


def new(cloud: BigCloud) -> None:
    is_release(cloud, "green", NEW_JOBS, NEW_FACTORY)


def old(cloud: BigCloud) -> None:
    is_release(cloud, "blue", OLD_JOBS, OLD_FACTORY)


def published(cloud: BigCloud) -> None:
    state = cloud.state
    assert (state.live, state.switch) == ("blue", None)
    record = state.slots["green"]
    assert (record.version, record.complete, record.candidate) == ("1.1", True, True)
    assert "1.1" in cloud.slot("green")["notebooks/score.py"].decode()
    places = cloud.live_jobs()
    assert {key: place for key, (place, _) in places.items()} == dict.fromkeys(OLD_JOBS, "blue")
    is_factory(cloud, "blue", OLD_FACTORY)


@dataclass(frozen=True)
class Work:
    """A step that is cut: where it starts, and what must hold when it was run to its end."""

    start: Memory
    step: str
    version: str
    ended: Callable[[BigCloud], None]
    arguments: tuple[str, ...] = ()


def works(stages: Stages) -> dict[str, Work]:
    return {
        "publish": Work(stages.to_publish, "publish_slot", "1.1", published),
        "switch": Work(stages.to_switch, "switch_slot", "1.1", new),
        "rollback": Work(stages.to_roll_back, "rollback", "", old),
        "rollback from the archive": Work(stages.to_republish, "rollback", "", old),
    }


def between(cloud: BigCloud, outcome: Outcome) -> None:
    """At every moment: an open journal, or one release."""
    assert outcome.code in (KILLED, *SAID), outcome.text
    assert "Traceback" not in outcome.text
    state = cloud.state
    if state.switch is None and state.live is not None:
        jobs = OLD_JOBS if state.live == "blue" else NEW_JOBS
        assert {place for place, _ in cloud.live_jobs().values()} == {state.live}, outcome.text
        assert set(cloud.live_jobs()) == set(jobs)


def cut(cloud: BigCloud, work: Work, kind: str, at: int) -> bool:
    """Cuts the step at request `at`, and runs it again by a clean agent. False when it made no so many requests."""
    cloud.back_to(work.start)
    cloud.cut(kind, at)
    outcome = cloud.step(work.step, *work.arguments, version=work.version)
    met = cloud.met()
    cloud.mend()
    between(cloud, outcome)
    if outcome.code != 0 and not _is_over(cloud, work):
        again = cloud.step(work.step, *work.arguments, version=work.version)
        assert again.code == 0, f"{kind} at {at}: {outcome.text}\n{again.text}"
    work.ended(cloud)
    return met


def _is_over(cloud: BigCloud, work: Work) -> bool:
    """A rollback that was killed when all was done: once more would go back once more, or find nothing."""
    return work.step == "rollback" and cloud.state.live == "blue"


def sweep(cloud: BigCloud, work: Work, kind: str) -> int:
    """Cuts at each request (or each EVERY-th); returns how many cuts there were."""
    at = CUTS.index(kind) % EVERY
    count = 0
    while cut(cloud, work, kind, at):
        at += EVERY
        count += 1
    return count


@pytest.mark.parametrize("kind", CUTS)
@pytest.mark.parametrize("name", ["publish", "switch", "rollback", "rollback from the archive"])
def test_cut_at_every_request(
    cloud: BigCloud, stages: Stages, name: str, kind: str, figure: Callable[[str], None]
) -> None:
    count = sweep(cloud, works(stages)[name], kind)
    figure(f"{name}, {kind}: cut at {count} requests, all recovered")
    assert count > 60 / EVERY


@pytest.mark.parametrize("name", ["switch", "rollback"])
def test_cut_in_the_middle(cloud: BigCloud, stages: Stages, name: str) -> None:
    work = works(stages)[name]
    for at in (30, 45):
        assert cut(cloud, work, CUTS[at % 2], at)


def test_a_switch_in_which_no_object_of_the_factory_changed(cloud: BigCloud, stages: Stages) -> None:
    cloud.back_to(stages.to_republish)
    cloud.done("run_integration_test", version="1.2")
    cloud.factory_requests()
    cloud.done("switch_slot", version="1.2")
    asked = cloud.factory_requests()
    assert 0 < len(asked) <= 8, asked
    assert not any(each.partition("?")[0].endswith("/stop") for each in asked), "no trigger is stopped for a moment"
    is_factory(cloud, "blue", NEW_FACTORY)


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("publish", "run again"),
        ("switch", "run again"),
        ("switch", "taken back"),
        ("rollback", "run again"),
        ("rollback", "taken back"),
        ("rollback from the archive", "run again"),
    ],
)
def test_the_recovery_is_itself_cut_at_every_request(
    cloud: BigCloud, stages: Stages, name: str, way: str, figure: Callable[[str], None]
) -> None:
    """What finishes or takes back the work of an agent that was killed half-way, killed at each of its own requests."""
    work = works(stages)[name]
    recovery = work if way == "run again" else Work(work.start, "switch_slot", "", taken_back(work), ("--revert",))
    half = leave_half_done(cloud, work)
    count = sweep(cloud, replace(recovery, start=half), "killed after")
    figure(f"{name}, {way}: the recovery was cut at {count} requests, all recovered")
    assert count > 40 / EVERY


def leave_half_done(cloud: BigCloud, work: Work) -> Memory:
    """Killed in the middle of its requests: of a switch and a rollback, where the journal is open."""
    cloud.back_to(work.start)
    requests = cloud.done(work.step, version=work.version).requests
    cloud.back_to(work.start)
    cloud.cut("killed after", requests // 2)
    assert cloud.step(work.step, version=work.version).code == KILLED
    cloud.mend()
    state = cloud.state
    assert state.switch is not None or work.step == "publish_slot" or not state.slots[state.idle].complete
    return cloud.remember()


def taken_back(work: Work) -> Callable[[BigCloud], None]:
    return new if work.step == "rollback" else old
