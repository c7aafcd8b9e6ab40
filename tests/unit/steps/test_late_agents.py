"""An agent that slept through the loss of its claim must not go on writing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slipway.errors import Conflict, NotPossible, ServiceError
from tests.unit.steps.conftest import World
from tests.unit.steps.fakes import Crash
from tests.unit.steps.test_crash_safety import copied, crash


@pytest.mark.parametrize("method", ["import_notebook", "mkdirs"])
def test_one_that_wakes_up_after_the_claim_was_taken_over_writes_no_manifest(
    world: World, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """It stops before its next change: the slot that another release holds now gets no manifest from it."""
    world.build("1.0")
    original = getattr(world.workspace, method)

    def paused(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(world.workspace, method, original)
        world.variables = {**world.variables, "USER": "grace"}
        world.session("1.1", take_over=True).take_claim()
        world.time += 60
        return original(*arguments, **named)

    monkeypatch.setattr(world.workspace, method, paused)
    with pytest.raises(Conflict, match="grace has taken it over"):
        world.publish()
    assert not [path for path in world.workspace.objects if path.endswith("manifest.json")]
    assert world.state.claim is not None
    assert world.state.claim.who == "grace"


@pytest.mark.parametrize("late", ["notebooks/score", "manifest.json", "library/sample-1.0-py3-none-any.whl"])
def test_what_a_late_agent_wrote_into_the_slot_is_found_and_written_again(
    world: World, monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    """Its request was under way when its claim was taken, and took effect in the middle of the other's publishing."""
    world.build("1.0")
    world.session("0.9").take_claim()
    world.variables = {**world.variables, "USER": "grace"}
    put = world.workspace.import_notebook
    path = f"/Workspace/Slipway/bikeshare/prod/blue/{late}"

    def then_the_late_one(*arguments: Any) -> None:
        put(*arguments)
        if not arguments[0].endswith("train"):  # the last of the batch
            return
        monkeypatch.setattr(world.workspace, "import_notebook", put)
        kind = "NOTEBOOK" if late.startswith("notebooks") else "FILE"
        world.workspace.objects[path] = (kind, b"# Databricks notebook source\nprint('of 0.9')\n")

    monkeypatch.setattr(world.workspace, "import_notebook", then_the_late_one)
    world.publish(take_over=True)
    assert b"of 0.9" not in world.workspace.objects[path][1]
    said = "An agent that lost its claim still wrote into blue"
    assert (said in world.output.getvalue()) == (late != "manifest.json"), "the manifest is written last anyway"
    world.test()
    world.switch()
    assert world.state.live == "blue"


@pytest.mark.parametrize(
    ("late", "kind"),
    [
        ("notebooks/score", "NOTEBOOK"),
        ("notebooks/of_another_release", "NOTEBOOK"),
        ("config/environment.json", "FILE"),
    ],
)
def test_what_a_late_agent_wrote_after_the_manifest_is_found_before_the_switch(
    world: World, late: str, kind: str
) -> None:
    """And publishing again repairs it."""
    world.deploy("1.0")
    world.build("1.1")
    world.session("0.9").take_claim()
    world.variables = {**world.variables, "USER": "grace"}
    world.publish(take_over=True)
    world.test()
    path = f"/Workspace/Slipway/bikeshare/prod/green/{late}"
    world.workspace.objects[path] = (kind, b"# Databricks notebook source\nprint('of 0.9')\n")
    with pytest.raises(NotPossible, match="somebody wrote into the slot"):
        world.switch()
    assert world.state.live == "blue"
    world.publish()
    world.test()
    world.switch()
    assert world.state.live == "green"
    assert b"of 0.9" not in world.workspace.objects.get(path, ("", b""))[1]


def test_white_space_of_a_notebook_is_the_services_own(world: World) -> None:
    world.build("1.0")
    world.session("0.9").take_claim()
    world.variables = {**world.variables, "USER": "grace"}
    world.publish(take_over=True)
    world.test()
    path = "/Workspace/Slipway/bikeshare/prod/blue/notebooks/score"
    kind, source = world.workspace.objects[path]
    world.workspace.objects[path] = (kind, source.rstrip() + b"\n\n")
    world.switch()
    assert world.state.live == "blue"


def test_a_slot_that_a_late_agent_keeps_writing_into_gets_no_manifest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.build("1.0")
    world.session("0.9").take_claim()
    world.variables = {**world.variables, "USER": "grace"}
    put = world.workspace.import_notebook

    def spoilt(path: str, language: str, source: bytes) -> None:
        put(path, language, b"# Databricks notebook source\nprint('of 0.9')\n")

    monkeypatch.setattr(world.workspace, "import_notebook", spoilt)
    with pytest.raises(ServiceError, match="does not keep what is uploaded"):
        world.publish(take_over=True)
    assert not [path for path in world.workspace.objects if path.endswith("manifest.json")]


def test_a_run_that_took_nobodys_claim_reads_nothing_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.build("1.0")
    read: list[str] = []
    export = world.workspace.export_file

    def noting(path: str) -> bytes | None:
        read.append(path)
        return export(path)

    monkeypatch.setattr(world.workspace, "export_file", noting)
    world.publish()
    assert {path.rpartition("/")[2] for path in read} <= {"manifest.json"}


def test_a_job_that_a_late_agent_led_to_the_idle_slot_is_found_by_the_schedule(world: World) -> None:
    """A reset that was on the wire when its agent fell asleep takes effect after everything was over."""
    world.deploy("1")
    world.change_notebook("2")
    world.deploy("2")
    job_id = world.state.jobs["score"].id
    late = json.loads(json.dumps(world.workspace.jobs[job_id]).replace("/green/", "/blue/"))
    late["tags"]["slipway_slot"] = "blue"
    late["schedule"]["pause_status"] = "PAUSED"
    meant = world.workspace.jobs[job_id]
    world.workspace.jobs[job_id] = late
    world.revert(what_if=True, if_free=True)
    assert world.workspace.jobs[job_id] == late
    world.revert(if_free=True)
    assert world.slots_of_jobs() == {"score": "green", "train": "green"}
    assert world.workspace.jobs[job_id]["tags"] == meant["tags"]
    assert world.workspace.jobs[job_id]["schedule"]["pause_status"] == "PAUSED", "as people, or the late agent, left it"
    assert world.state.claim is None
    assert "Job score led to blue, which is not live" in world.output.getvalue()
    count = len(world.changes.log)
    world.revert(if_free=True)
    assert len(world.changes.log) == count


def test_strays_are_left_to_who_is_at_work(world: World) -> None:
    world.deploy("1")
    job_id = world.state.jobs["score"].id
    world.workspace.jobs[job_id]["tags"]["slipway_slot"] = "green"
    world.change_notebook("2")
    assert world.build("2") == 0
    world.publish()
    world.variables["USER"] = "grace"
    count = len(world.changes.log)
    world.revert(if_free=True)
    assert len(world.changes.log) == count
    assert "somebody is at work" in world.output.getvalue()


def led_astray(world: World) -> None:
    """score is of 1.0 again, in blue, as a late request left it."""
    world.deploy("1.0")
    old = json.loads(json.dumps(world.jobs()["score"]))
    world.change_notebook("1.1")
    world.deploy("1.1")
    world.workspace.jobs[world.state.jobs["score"].id] = old


def test_mending_is_told_though_its_agent_dies(world: World) -> None:
    led_astray(world)
    whole = copied(world)
    whole.revert(if_free=True)
    assert [row.result for row in whole.audit.rows if row.action == "revert"] == ["begun", "mended"]
    for at in range(len(whole.changes.log)):
        for after in (False, True):
            other = copied(world)
            crash(other, lambda other=other: other.revert(if_free=True), at, after)
            done = other.slots_of_jobs()["score"] == "green"
            told = [row.result for row in (*other.audit.rows, *other.state.audit) if row.action == "revert"]
            assert told or not done, at


def test_mending_gives_a_job_its_permissions_as_well(world: World) -> None:
    path = world.root / "config" / "jobs" / "score.json"
    allowed = [{"group_name": "ops", "permission_level": "CAN_MANAGE_RUN"}]
    path.write_text(json.dumps({**json.loads(path.read_text()), "access_control_list": allowed}))
    led_astray(world)
    job_id = world.state.jobs["score"].id
    world.workspace.acls.clear()
    world.revert(if_free=True)
    assert world.slots_of_jobs()["score"] == "green"
    assert "access_control_list" not in world.workspace.jobs[job_id], "jobs/reset does not know it"
    assert {entry.get("group_name") for entry in world.workspace.acls[job_id]} >= {"ops"}


@pytest.mark.parametrize("key", ["train", "extra"])
def test_what_a_late_request_did_to_a_job_that_is_new_or_leaves_is_found_too(world: World, key: str) -> None:
    """It was on the wire when its agent fell asleep, and lands after the switch was taken back."""
    world.deploy("1")
    folder = world.root / "config" / "jobs"
    (folder / "extra.json").write_text((folder / "train.json").read_text().replace(": train", ": extra"))
    (folder / "train.json").unlink()
    world.change_notebook("2")
    assert world.build("2") == 0
    world.publish()
    world.test()
    sent = asleep_at(world, key)
    world.time += 4000
    world.variables["USER"] = "grace"
    world.revert()
    before = {key: settings["schedule"]["pause_status"] for key, settings in world.jobs().items()}
    assert before == {"score": "UNPAUSED", "train": "UNPAUSED", "extra": "PAUSED"}
    world.workspace.reset_job(*sent)
    assert {key: settings["schedule"]["pause_status"] for key, settings in world.jobs().items()} != before
    world.revert(if_free=True)
    assert {key: settings["schedule"]["pause_status"] for key, settings in world.jobs().items()} == before
    assert f"Job {key} was " in world.output.getvalue()
    count = len(world.changes.log)
    world.revert(if_free=True)
    assert len(world.changes.log) == count


def test_a_job_of_no_release_that_people_start_is_left_to_them(world: World) -> None:
    world.deploy("1")
    (world.root / "config" / "jobs" / "train.json").unlink()
    world.change_notebook("2")
    world.deploy("2")
    world.jobs()["train"]["schedule"]["pause_status"] = "UNPAUSED"
    count = len(world.changes.log)
    world.revert(if_free=True)
    assert len(world.changes.log) == count


def asleep_at(world: World, key: str) -> tuple[int, Any]:
    """The switch stops when it is about to set that job; what it would have sent."""
    sent: list[tuple[int, Any]] = []
    real = world.workspace.reset_job

    def reset(job_id: int, settings: Any) -> None:
        if settings["tags"]["slipway_job"] == key:
            sent.append((job_id, settings))
            raise Crash
        real(job_id, settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.workspace, "reset_job", reset)
        with pytest.raises(Crash):
            world.switch()
    return sent[0]
