"""A slot whose files somebody changed by hand: not tested, not switched to, not gone back to as it is."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from slipway.domain.state import STATE_BLOB
from slipway.errors import Conflict, NotPossible
from slipway.steps import reach, status
from tests.unit.steps.conftest import World
from tests.unit.steps.test_rollback import deploy, live_text

HEADER = b"# Databricks notebook source\n"


def put(world: World, slot: str, path: str, data: bytes, kind: str = "NOTEBOOK") -> None:
    """As somebody would by hand."""
    world.workspace.objects[f"/Workspace/Slipway/bikeshare/prod/{slot}/{path}"] = (kind, data)


def delete(world: World, slot: str, path: str) -> None:
    del world.workspace.objects[f"/Workspace/Slipway/bikeshare/prod/{slot}/{path}"]


CHANGES: dict[str, Any] = {
    "a notebook": lambda world, slot: put(world, slot, "notebooks/score", HEADER + b"print('by hand')\n"),
    "a file": lambda world, slot: put(world, slot, "config/environment.json", b"{}", "FILE"),
    "one more": lambda world, slot: put(world, slot, "notebooks/extra", HEADER),
    "one less": lambda world, slot: delete(world, slot, "notebooks/train"),
    "another kind": lambda world, slot: put(world, slot, "notebooks/train", b"", "FILE"),
}


@pytest.fixture
def candidate(world: World) -> World:
    """1.0 is live in blue, 1.1 published in green."""
    deploy(world, "1.0")
    world.change_notebook("text of 1.1")
    assert world.build("1.1") == 0
    world.publish()
    return world


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_candidate_is_neither_tested_nor_switched_to(candidate: World, change: str) -> None:
    world = candidate
    world.test()
    CHANGES[change](world, "green")
    with pytest.raises(NotPossible, match="somebody wrote into the slot"):
        world.switch()
    with pytest.raises(NotPossible, match="Nothing is tested: green does not hold what was published"):
        world.test()
    assert world.state.live == "blue"
    wrong = [path for path in world.state.slots["green"].files if path not in world.slot_objects("green")]
    world.publish()
    world.test()
    world.switch()
    objects = world.slot_objects("green")
    assert b"text of 1.1" in objects["notebooks/score"]
    assert "notebooks/extra" not in objects
    assert not wrong or wrong[0] in objects


@pytest.mark.parametrize("change", CHANGES)
def test_a_rollback_to_a_changed_slot_publishes_again(world: World, change: str) -> None:
    deploy(world, "1.0")
    wanted = dict(world.slot_objects("blue"))
    deploy(world, "1.1")
    CHANGES[change](world, "blue")
    session = world.session("rollback")
    session.load()
    assert {place.version: place.how for place in reach.places(session)} == {"1.1": None, "1.0": "archive"}
    world.rollback()
    assert "It is published again from the archive: blue does not hold what was published" in world.output.getvalue()
    assert world.slot_objects("blue") == wanted
    assert "text of 1.0" in live_text(world)


def test_a_notebook_that_was_only_opened_and_saved_is_not_changed(world: World) -> None:
    deploy(world, "1.0")
    deploy(world, "1.1")
    put(world, "blue", "notebooks/score", world.slot_objects("blue")["notebooks/score"] + b"\n")
    before = len(world.changes.log)
    world.rollback()
    assert not [line for line in world.changes.log[before:] if line.startswith("import")]


def test_only_what_was_modified_later_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(world, "1.0")
    deploy(world, "1.1")
    put(world, "blue", "notebooks/score", world.slot_objects("blue")["notebooks/score"])
    read: list[str] = []
    export = world.workspace.export_file

    def counted(path: str) -> bytes | None:
        read.append(path.rpartition("/blue/")[2])
        return export(path)

    monkeypatch.setattr(world.workspace, "export_file", counted)
    world.rollback()
    assert read == ["manifest.json", "notebooks/score"]


def test_where_the_service_does_not_say_when_everything_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(world, "1.0")
    deploy(world, "1.1")
    listing = world.workspace.list
    monkeypatch.setattr(world.workspace, "list", lambda path: [replace(i, modified_at=None) for i in listing(path)])
    world.rollback()
    assert "It is published again" not in world.output.getvalue()
    put(world, "green", "notebooks/score", HEADER + b"print('by hand')\n")
    world.rollback(to="1.1")
    assert "It is published again" in world.output.getvalue()


def test_status_says_it_of_the_live_slot_too(world: World) -> None:
    deploy(world, "1.0")
    assert "changed by hand" not in status.as_text(status.describe(world.session("status")))
    put(world, "blue", "notebooks/score", HEADER + b"print('mended in a hurry')\n")
    assert "changed by hand: blue does not hold what was published" in status.as_text(
        status.describe(world.session("status"))
    )


def test_an_edit_while_runs_are_waited_for_is_undone(candidate: World) -> None:
    world = candidate
    path = "/Workspace/Slipway/bikeshare/prod/green/notebooks/score"
    task = {"task_key": "main", "notebook_task": {"notebook_path": path}}
    world.workspace.active = [{"run_id": 7, "state": {"life_cycle_state": "RUNNING"}, "tasks": [task]}]
    world.change_notebook("text of 1.2")
    assert world.build("1.2") == 0

    def edited() -> None:
        put(world, "green", "notebooks/train", HEADER + b"print('by hand')\n")
        world.workspace.active = []

    world.on_sleep.append(edited)
    world.publish()
    assert b"by hand" not in world.slot_objects("green")["notebooks/train"]


def test_an_edit_while_the_slot_is_published_is_undone(candidate: World) -> None:
    """It comes before the manifest, so later nothing tells of it."""
    world = candidate
    world.change_notebook("text of 1.2")
    assert world.build("1.2") == 0

    def react(what: str) -> None:
        if what.startswith("import") and what.endswith("/score"):
            world.changes.watch = lambda _: None
            put(world, "green", "notebooks/train", HEADER + b"print('by hand')\n")

    world.changes.watch = react
    world.publish()
    assert b"by hand" not in world.slot_objects("green")["notebooks/train"]
    assert "Somebody wrote into green meanwhile; written again: notebooks/train." in world.output.getvalue()


def test_a_slot_that_a_live_job_leads_to_is_not_overwritten(candidate: World) -> None:
    """By hand, or by a late agent: it would run what nobody has tested."""
    world = candidate
    record = world.state.jobs["score"]
    led = copy.deepcopy(world.workspace.jobs[record.id])
    task = led["tasks"][0]["notebook_task"]
    task["notebook_path"] = task["notebook_path"].replace("/blue/", "/green/")
    world.workspace.jobs[record.id] = led
    before = dict(world.slot_objects("green"))
    world.change_notebook("text of 1.2")
    assert world.build("1.2") == 0
    with pytest.raises(Conflict, match=r"job score \(\d+\) lead to /Workspace/Slipway/bikeshare/prod/green") as refused:
        world.publish()
    assert "--revert --if-free" in refused.value.next_step
    assert world.slot_objects("green") == before


def test_an_earlier_state_that_was_put_back_does_not_overwrite_what_is_live(candidate: World) -> None:
    world = candidate
    earlier = world.store.blobs[STATE_BLOB]
    world.test()
    world.switch()
    world.store.blobs[STATE_BLOB] = earlier
    world.change_notebook("text of 1.2")
    assert world.build("1.2") == 0
    before = dict(world.slot_objects("green"))
    with pytest.raises(Conflict, match="which is not live") as refused:
        world.publish()
    assert "an earlier state.json was put back" in refused.value.next_step
    assert world.slot_objects("green") == before
