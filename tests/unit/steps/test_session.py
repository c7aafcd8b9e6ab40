"""The claim and the compare-and-swap, with two agents at work on one state."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from slipway.domain.claim import LIFETIME, LOOK_AFTER, RENEW_AFTER, SWITCH_LIFETIME
from slipway.domain.state import STATE_BLOB
from slipway.errors import Conflict, NotPossible, ServiceError
from slipway.steps.session import Session, holder_of
from tests.unit.steps.conftest import World


def two(world: World) -> tuple[Session, Session]:
    world.variables["USER"] = "ada"
    one = world.session("1.0")
    world.variables = {**world.variables, "USER": "grace"}
    return one, world.session("1.1")


def test_of_two_at_once_one_wins(world: World) -> None:
    one, other = two(world)
    one.load()
    other.load()
    one.take_claim()
    with pytest.raises(Conflict, match=r"ada is releasing 1\.0"):
        other.take_claim()


def test_a_write_that_lost_is_made_again_on_what_the_other_wrote(world: World) -> None:
    one, other = two(world)
    one.take_claim()
    other.load()
    one.update(lambda state: replace(state, archived=("a",)))
    other.update(lambda state: replace(state, archived=(*state.archived, "b")))
    assert world.state.archived == ("a", "b")


@pytest.mark.parametrize("goes_back", [False, True])
def test_a_switch_goes_on_when_another_writes_to_the_state_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch, goes_back: bool
) -> None:
    """As the former release does, which takes the rows of the audit out that it has written: the journal is the same."""
    world.deploy("1.0")
    world.deploy("1.1")
    world.build("1.2")
    world.publish()
    world.test()
    world.time += 0.0001234
    reset = world.workspace.reset_job

    def meanwhile(*arguments: Any) -> None:
        monkeypatch.setattr(world.workspace, "reset_job", reset)
        world.session("1.1").update(lambda state: replace(state, archived=("another",)))
        reset(*arguments)

    monkeypatch.setattr(world.workspace, "reset_job", meanwhile)
    if goes_back:
        world.rollback(take_over=True)
    else:
        world.switch()
    assert world.state.switch is None
    assert "another" in world.state.archived


def test_a_claim_taken_over_is_noticed_before_the_next_change(world: World) -> None:
    one, _ = two(world)
    one.take_claim()
    one.guard()
    before = world.time
    world.session("1.1", take_over=True).take_claim()
    assert world.time - before > LOOK_AFTER  # the taker waits until the other must have looked
    with pytest.raises(Conflict, match="grace has taken it over"):
        one.guard()
    with pytest.raises(Conflict, match="grace has taken it over"):
        one.update_ours(lambda state: state)
    one.release_claim()
    assert world.state.claim.who == "grace"


@pytest.mark.parametrize("method", ["read", "write"])
def test_an_agent_asleep_while_it_looks_at_the_claim_looks_again(
    world: World, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """What it was answered is as old as its question; and the answer tells nothing of the time that passed since."""
    one, other = two(world)
    one.take_claim()
    world.time += LOOK_AFTER + 1 if method == "read" else RENEW_AFTER + 1
    original = getattr(world.store, method)

    def asleep(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(world.store, method, original)
        answer = original(*arguments, **named)
        world.time += LIFETIME + 60
        other.take_claim()
        return answer

    monkeypatch.setattr(world.store, method, asleep)
    with pytest.raises(Conflict, match="grace has taken it over"):
        one.guard()


def test_a_state_that_is_too_slow_to_look_at_stops_the_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = two(world)
    one.take_claim()
    read = world.store.read

    def slow(name: str) -> Any:
        world.time += LOOK_AFTER + 1
        return read(name)

    monkeypatch.setattr(world.store, "read", slow)
    world.time += LOOK_AFTER + 1
    with pytest.raises(ServiceError, match="can't be known whether the claim is still held"):
        one.guard()


def test_an_agent_asleep_in_the_middle_of_a_batch_sends_nothing_more(world: World) -> None:
    one, _ = two(world)
    one.take_claim()
    sent: list[int] = []

    def send(number: int) -> None:
        sent.append(number)
        if number == 3:  # here it falls asleep, and wakes up when another release has the environment
            world.session("1.1", take_over=True).take_claim()

    with pytest.raises(Conflict, match="grace has taken it over"):
        one.concurrently([partial(send, number) for number in range(10)])
    assert sent == [0, 1, 2, 3]


def test_a_claim_that_ended_by_itself_is_taken_without_waiting(world: World) -> None:
    one, other = two(world)
    one.take_claim()
    world.time += LIFETIME + 1
    before = world.time
    other.take_claim()
    assert world.time - before < 1


def test_an_earlier_step_of_the_same_run_does_not_give_back_what_a_later_one_holds(world: World) -> None:
    lost, again = world.session("1.0"), world.session("1.0")
    lost.take_claim()
    again.take_claim()
    world.time += 21
    with pytest.raises(Conflict, match="another step of the same run"):
        lost.guard()
    lost.release_claim()
    again.guard()


def test_signs_of_life_are_given_and_keep_the_claim(world: World) -> None:
    one, other = two(world)
    one.take_claim()
    for _ in range(30):
        world.time += LIFETIME / 10
        one.guard()
    with pytest.raises(Conflict, match="ada"):
        other.take_claim()


def test_while_a_switch_is_open_silence_ends_the_claim_sooner(world: World) -> None:
    from slipway.domain.switch import Journal

    one, other = two(world)
    one.take_claim()
    journal = Journal(
        kind="release",
        version="1",
        manifest="",
        source=None,
        target="blue",
        actions=(),
        settings="",
        kept=None,
        started=0,
        holder="",
        number=1,
    )
    one.update_ours(lambda state: replace(state, switch=journal))
    world.time += SWITCH_LIFETIME - 60
    with pytest.raises(Conflict):
        other.take_claim()
    world.time += 61
    other.take_claim()
    assert world.state.claim.number == 2


def test_a_damaged_state_stops_every_step_and_is_left_alone(world: World) -> None:
    world.deploy("1.0")
    world.store.blobs[STATE_BLOB] = world.store.blobs[STATE_BLOB][:-20]
    before = dict(world.store.blobs)
    for step in (world.publish, world.test, world.switch, world.revert, world.rollback):
        with pytest.raises(NotPossible, match="is damaged"):
            step()
    assert world.store.blobs == before


def test_a_pipeline_run_is_one_holder_in_all_its_jobs() -> None:
    variables = {
        "TF_BUILD": "True",
        "BUILD_BUILDID": "42",
        "SYSTEM_COLLECTIONURI": "https://dev.azure.com/org/",
        "SYSTEM_TEAMPROJECT": "My Project",
        "BUILD_REQUESTEDFOR": "Ada",
        "AGENT_JOBNAME": "deploy",
    }
    holder = holder_of(variables, "1.0")
    assert holder == holder_of({**variables, "AGENT_JOBNAME": "routeTraffic"}, "1.0")
    assert holder.run == "https://dev.azure.com/org/My%20Project/_build/results?buildId=42"
    assert holder != holder_of({**variables, "BUILD_BUILDID": "43"}, "1.0")


def test_the_test_run_is_what_jobs_runs_submit_takes(world: World) -> None:
    assert world.build("1.0") == 0
    world.publish()
    world.test()
    (body,) = world.workspace.submitted
    manifest = world.state.slots["blue"].manifest
    root = "/Workspace/Slipway/bikeshare/prod/blue"
    assert body["run_as"] == {"service_principal_name": "4e1b2a3c-0d5f-4a6b-8c7d-9e8f7a6b5c4d"}
    (task,) = body["tasks"]
    assert task["notebook_task"] == {
        "notebook_path": f"{root}/notebooks/integration_test",
        "source": "WORKSPACE",
        "base_parameters": {"rows": "2000", "output_prefix": f"candidate/{manifest[:16]}"},
    }
    assert task["libraries"] == [{"whl": f"{root}/library/sample-1.0-py3-none-any.whl"}]
    assert task["new_cluster"]["num_workers"] == 2 and task["timeout_seconds"] == 1800
