"""A release through its steps: published, tested, switched; and what each step refuses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest

from slipway.errors import Conflict, NotPossible, ServiceError, TestFailed
from slipway.services.databricks.errors import DatabricksError, Failure
from tests.unit.steps.conftest import World
from tests.unit.steps.fakes import failing_test


def test_first_release_goes_to_blue_and_starts_its_jobs(world: World) -> None:
    world.deploy("1.0")
    assert world.state.live == "blue"
    assert world.slots_of_jobs() == {"score": "blue", "train": "blue"}
    jobs = world.jobs()
    assert jobs["score"]["schedule"]["pause_status"] == "UNPAUSED"
    assert jobs["score"]["run_as"] == {"service_principal_name": "4e1b2a3c-0d5f-4a6b-8c7d-9e8f7a6b5c4d"}
    assert jobs["score"]["tags"]["slipway_environment"] == "prod"
    library = "/Workspace/Slipway/bikeshare/prod/blue/library/sample-1.0-py3-none-any.whl"
    assert jobs["score"]["tasks"][0]["libraries"] == [{"whl": library}]
    assert world.state.claim is None
    assert set(world.workspace.acls) == set(world.workspace.jobs)


def test_jobs_are_made_paused_and_start_only_after_all_are_there(world: World) -> None:
    assert world.build("1.0") == 0
    world.publish()
    world.test()
    seen: list[str] = []
    create = world.workspace.create_job

    def noting(settings: Mapping[str, Any]) -> int:
        seen.append(settings["schedule"]["pause_status"])
        return create(settings)

    world.workspace.create_job = noting  # type: ignore[method-assign]
    world.switch()
    assert seen == ["PAUSED", "PAUSED"]
    names = [entry.split()[0] for entry in world.changes.log]
    assert names.index("reset") > max(i for i, name in enumerate(names) if name == "create")


def test_the_same_release_again_goes_to_the_other_slot(world: World) -> None:
    world.deploy("1.0")
    world.deploy("1.0")
    assert world.state.live == "green"
    assert set(world.slots_of_jobs().values()) == {"green"}
    world.deploy("1.0")
    assert world.state.live == "blue"


def test_a_release_that_changes_nothing_uploads_nothing(world: World) -> None:
    for _ in range(2):
        world.deploy("1.0")
    before = len(world.changes.log)
    world.publish()
    assert not [line for line in world.changes.log[before:] if line.startswith(("import", "delete", "mkdirs"))]


def test_only_what_differs_is_uploaded_and_strangers_go(world: World) -> None:
    world.deploy("1.0")
    world.deploy("1.1")
    world.change_notebook("new")
    assert world.build("1.2") == 0
    folder = "/Workspace/Slipway/bikeshare/prod/blue"
    world.workspace.objects[f"{folder}/notebooks/stranger"] = ("NOTEBOOK", b"x")
    before = len(world.changes.log)
    world.publish()
    uploaded = [line.rpartition("/")[2] for line in world.changes.log[before:] if line.startswith("import")]
    assert uploaded == ["environment.json", "score", "manifest.json"]
    assert "notebooks/stranger" not in world.slot_objects("blue")


def test_a_slot_whose_manifest_was_changed_is_uploaded_whole(world: World) -> None:
    world.deploy("1.0")
    world.deploy("1.1")
    world.workspace.objects["/Workspace/Slipway/bikeshare/prod/blue/manifest.json"] = ("FILE", b"{}")
    before = len(world.changes.log)
    world.publish()
    uploaded = [line for line in world.changes.log[before:] if line.startswith("import")]
    assert len(uploaded) == 6  # three notebooks, wheel, environment.json, manifest


def test_the_manifest_is_taken_away_first(world: World) -> None:
    for version in ("1.0", "1.1"):
        world.change_notebook(version)
        world.deploy(version)
    world.change_notebook("1.2")
    assert world.build("1.2") == 0
    seen: list[bool] = []

    def look(what: str) -> None:
        if what.startswith("import ") and "/notebooks/" in what:
            seen.append("manifest.json" in world.slot_objects("blue"))

    world.changes.watch = look
    world.publish()
    assert seen == [False]


def test_the_manifest_is_written_last_and_describes_the_slot(world: World) -> None:
    assert world.build("1.0") == 0
    world.publish()
    imports = [line for line in world.changes.log if line.startswith("import")]
    assert imports[-1].endswith("/manifest.json")
    held = world.slot_objects("blue")
    manifest = json.loads(held["manifest.json"])
    assert set(manifest["files"]) == set(held) - {"manifest.json"}
    assert manifest["files"]["notebooks/score"]["sha256"] == hashlib.sha256(held["notebooks/score"]).hexdigest()
    values = json.loads(held["config/environment.json"])
    assert (values["slot"], values["environment"], values["version"]) == ("blue", "prod", "1.0")


def test_an_untested_candidate_is_not_switched_to(world: World) -> None:
    assert world.build("1.0") == 0
    world.publish()
    with pytest.raises(NotPossible, match="not tested"):
        world.switch()
    assert not world.workspace.jobs


def test_a_failing_test_leaves_jobs_and_live_slot_untouched(world: World) -> None:
    world.deploy("1.0")
    before = json.dumps(world.workspace.jobs)
    world.change_notebook("bad")
    assert world.build("1.1") == 0
    world.publish()
    world.workspace.answer = failing_test
    with pytest.raises(TestFailed, match=r"rows: 0 rows \| expected 2000"):
        world.test()
    with pytest.raises(NotPossible, match=r"the integration test of 1\.1 failed"):
        world.switch()
    assert json.dumps(world.workspace.jobs) == before
    assert world.state.live == "blue"
    assert world.state.claim is None
    xml = (world.root.parent / "results" / "TEST-integration-prod.xml").read_text()
    assert 'failures="1"' in xml and "0 rows | expected 2000" in xml


def test_a_result_for_another_manifest_does_not_count(world: World) -> None:
    assert world.build("1.0") == 0
    world.publish()
    from tests.unit.steps.fakes import exit_value

    world.workspace.answer = lambda workspace, body: exit_value(workspace, body, manifest="0" * 64)
    with pytest.raises(TestFailed, match="read manifest 000000000000"):
        world.test()


def test_a_slot_written_into_after_the_test_is_not_switched_to(world: World) -> None:
    assert world.build("1.0") == 0
    world.publish()
    world.test()
    world.workspace.objects["/Workspace/Slipway/bikeshare/prod/blue/manifest.json"] = ("FILE", b"{}")
    with pytest.raises(NotPossible, match="somebody wrote into the slot"):
        world.switch()


def test_pauses_by_hand_survive_a_release_and_drift_is_reported(world: World) -> None:
    world.deploy("1.0")
    (job_id,) = [i for i, s in world.workspace.jobs.items() if s["tags"]["slipway_job"] == "score"]
    world.workspace.jobs[job_id]["schedule"]["pause_status"] = "PAUSED"
    world.workspace.jobs[job_id]["tasks"][0]["timeout_seconds"] = 5  # not ours: no drift
    world.workspace.jobs[job_id]["job_clusters"][0]["new_cluster"]["num_workers"] = 9
    world.deploy("1.1", drift="overwrite")
    jobs = world.jobs()
    assert jobs["score"]["schedule"]["pause_status"] == "PAUSED"
    assert jobs["train"]["schedule"]["pause_status"] == "UNPAUSED"
    assert jobs["score"]["job_clusters"][0]["new_cluster"]["num_workers"] == 1
    assert "num_workers: was set to 1, is 9; it is set again" in world.output.getvalue()
    kept = [name for name in world.store.blobs if name.startswith("archive/switches/") and "1.1" in name]
    assert b"is 9" in world.store.blobs[kept[0]]
    world.deploy("1.2")
    assert world.jobs()["score"]["schedule"]["pause_status"] == "PAUSED"
    world.workspace.jobs[job_id]["schedule"]["pause_status"] = "UNPAUSED"
    world.deploy("1.3")
    assert world.jobs()["score"]["schedule"]["pause_status"] == "UNPAUSED"


def test_drift_stops_a_release_until_somebody_decides(world: World) -> None:
    world.deploy("1.0")
    job_id = world.state.jobs["score"].id
    cluster = world.workspace.jobs[job_id]["job_clusters"][0]["new_cluster"]
    cluster["num_workers"] = 9
    assert world.build("1.1") == 0
    before = list(world.changes.log)
    with pytest.raises(Conflict, match=r"num_workers: was set to 1, is 9") as refused:
        world.publish()
    assert "--drift keep" in refused.value.next_step and "Nothing was changed" in refused.value.changed
    assert [line for line in world.changes.log[len(before) :] if not line.startswith(("state", "audit"))] == []
    assert world.state.claim is None
    world.publish(what_if=True)
    assert "A release would end here" in world.output.getvalue()
    world.publish(drift="keep")
    world.test()
    with pytest.raises(Conflict, match="num_workers"):
        world.switch()
    assert world.state.live == "blue" and set(world.slots_of_jobs().values()) == {"blue"}
    world.switch(drift="keep")
    assert world.jobs()["score"]["job_clusters"][0]["new_cluster"]["num_workers"] == 9
    assert set(world.slots_of_jobs().values()) == {"green"}
    # It is still not in the definition, so the next release asks again; once it is, nothing is in the way.
    assert world.build("1.2") == 0
    with pytest.raises(Conflict):
        world.publish()
    path = world.root / "config" / "jobs" / "score.json"
    path.write_text(path.read_text().replace('"num_workers": 1', '"num_workers": 9'))
    world.deploy("1.2")
    assert world.jobs()["score"]["job_clusters"][0]["new_cluster"]["num_workers"] == 9
    world.deploy("1.3")


def test_a_schedule_changed_by_hand_survives_a_release_and_a_rollback(world: World) -> None:
    world.deploy("1.0")
    schedule = world.workspace.jobs[world.state.jobs["score"].id]["schedule"]
    schedule |= {"quartz_cron_expression": "0 0 9 * * ?", "pause_status": "PAUSED"}
    world.deploy("1.1")
    assert world.jobs()["score"]["schedule"] == schedule
    world.deploy("1.2")
    assert world.jobs()["score"]["schedule"] == schedule
    world.rollback()
    assert world.jobs()["score"]["schedule"] == schedule
    path = world.root / "config" / "jobs" / "score.json"
    path.write_text(path.read_text().replace("0 0 6 * * ?", "0 0 7 * * ?"))
    world.deploy("1.3")
    assert world.jobs()["score"]["schedule"] == {**schedule, "quartz_cron_expression": "0 0 7 * * ?"}


def test_schedules_stay_paused_where_the_environment_says_so(project: object) -> None:
    world = World(project, "dev")  # type: ignore[arg-type]
    world.deploy("1.0")
    assert {job["schedule"]["pause_status"] for job in world.jobs().values()} == {"PAUSED"}


def test_a_job_that_left_is_paused_then_deleted_when_its_slot_is_overwritten(world: World) -> None:
    world.deploy("1.0")
    (world.root / "config" / "jobs" / "train.json").unlink()
    world.deploy("1.1")
    assert world.jobs()["train"]["schedule"]["pause_status"] == "PAUSED"
    assert world.slots_of_jobs() == {"score": "green", "train": "blue"}
    world.deploy("1.2")
    assert set(world.jobs()) == {"score"}
    assert set(world.state.jobs) == {"score"}


def test_a_job_deleted_by_hand_is_made_again(world: World) -> None:
    world.deploy("1.0")
    job_id = world.state.jobs["score"].id
    del world.workspace.jobs[job_id]
    world.deploy("1.1")
    assert world.slots_of_jobs() == {"score": "green", "train": "green"}
    assert world.state.jobs["score"].id != job_id


def test_another_release_is_kept_out_and_named(world: World) -> None:
    assert world.build("1.0") == 0
    world.publish()
    world.variables["USER"] = "grace"
    with pytest.raises(Conflict, match=r"ada is releasing 1\.0"):
        world.publish()
    world.publish(take_over=True)
    assert world.state.claim.who == "grace"
    world.variables["USER"] = "ada"
    with pytest.raises(Conflict, match="grace"):
        world.test()


def test_an_expired_claim_is_taken(world: World) -> None:
    assert world.build("1.0") == 0
    world.publish()
    world.variables["USER"] = "grace"
    world.time += 60 * 60 + 1
    world.publish()
    assert world.state.claim.who == "grace" and world.state.claim.number == 2


def test_the_slot_is_not_overwritten_under_a_run(world: World) -> None:
    world.deploy("1.0")
    world.deploy("1.1")
    path = "/Workspace/Slipway/bikeshare/prod/blue/notebooks/score"
    run = {"run_id": 7, "run_name": "score", "tasks": [{"task_key": "main", "notebook_task": {"notebook_path": path}}]}
    other = {"run_id": 8, "run_name": "x", "tasks": [{"notebook_task": {"notebook_path": "/Users/x"}}]}
    world.workspace.active = [run, other]
    world.change_notebook("new")
    assert world.build("1.2") == 0
    before = dict(world.slot_objects("blue"))
    with pytest.raises(Conflict, match="run 7"):
        world.publish(wait_for_runs=1.0)
    assert world.slot_objects("blue") == before
    world.on_sleep.append(world.workspace.active.clear)
    world.publish()
    assert world.slot_objects("blue") != before


def test_what_if_changes_nothing(world: World) -> None:
    world.deploy("1.0")
    world.change_notebook("new")
    assert world.build("1.1") == 0
    before = len(world.changes.log)
    world.publish(what_if=True)
    assert "notebooks/score" in world.output.getvalue()
    assert len(world.changes.log) == before
    world.publish()
    world.test(what_if=True)
    world.test()
    before = len(world.changes.log)
    world.switch(what_if=True)
    world.rollback(what_if=True, to="1.0") if len(world.state.history) > 1 else None
    world.revert(what_if=True)
    assert len(world.changes.log) == before


def test_a_refused_job_is_taken_back(world: World) -> None:
    world.deploy("1.0")
    before = json.dumps(world.workspace.jobs, sort_keys=True)
    world.change_notebook("new")
    assert world.build("1.1") == 0
    world.publish()
    world.test()
    job_id = world.state.jobs["train"].id
    refused = [0]

    def refuse(what: str) -> bool:
        refused[0] += what == f"reset {job_id}"
        return what == f"reset {job_id}" and refused[0] == 1

    world.changes.refuse = refuse
    with pytest.raises(ServiceError) as caught:
        world.switch()
    assert f"Job train ({job_id}) could not be set" in caught.value.what
    assert "taken back" in caught.value.changed and "score" in caught.value.changed
    assert json.dumps(world.workspace.jobs, sort_keys=True) == before
    state = world.state
    assert (state.live, state.switch, state.claim) == ("blue", None, None)
    world.switch()
    assert world.state.live == "green"


def test_switching_again_after_success_changes_nothing(world: World) -> None:
    world.deploy("1.0")
    world.deploy("1.1")
    before = json.dumps(world.workspace.jobs)
    world.switch()
    assert json.dumps(world.workspace.jobs) == before and world.state.live == "green"


def test_revert_does_nothing_when_no_switch_is_open(world: World) -> None:
    world.deploy("1.0")
    before = json.dumps(world.workspace.jobs)
    world.revert()
    assert json.dumps(world.workspace.jobs) == before and world.state.live == "blue"


def test_the_archive_keeps_a_set_number_of_releases(world: World) -> None:
    text = (world.root / "config" / "defaults.yml").read_text().replace("keep: 10", "keep: 3")
    (world.root / "config" / "defaults.yml").write_text(text)
    for number in range(5):
        world.change_notebook(f"text {number}")
        world.deploy(f"1.{number}")
    kept = [name for name in world.store.blobs if name.startswith("archive/releases/")]
    assert [name.split("/")[-1][:3] for name in kept] == ["1.2", "1.3", "1.4"]
    files = {data for name, data in world.store.blobs.items() if name.startswith("archive/files/")}
    assert not [data for data in files if b"text 0" in data]
    assert [data for data in files if b"text 3" in data]


def test_a_field_that_the_service_drops_is_said_and_does_not_stop_the_switch(world: World) -> None:
    path = world.root / "config" / "jobs" / "score.json"
    path.write_text(path.read_text().replace('"name"', '"descriptionn": "x",\n  "name"', 1))
    reset = world.workspace.reset_job
    world.workspace.reset_job = lambda job_id, settings: reset(  # type: ignore[method-assign]
        job_id, {key: value for key, value in settings.items() if key != "descriptionn"}
    )
    world.deploy("1.0")
    assert world.state.live == "blue"
    assert "job score: descriptionn: was set to 'x', is nothing" in world.output.getvalue()


def test_a_job_that_is_changed_back_at_once_stops_the_switch(world: World) -> None:
    world.deploy("1.0")
    assert world.build("1.1") == 0
    world.publish()
    world.test()
    before = json.dumps(world.workspace.jobs, sort_keys=True)
    world.workspace.reset_job = lambda job_id, settings: None  # type: ignore[method-assign]
    with pytest.raises(ServiceError, match="do not keep the settings"):
        world.switch()
    assert json.dumps(world.workspace.jobs, sort_keys=True) == before
    assert world.state.live == "blue" and world.state.switch is None


def test_who_a_job_runs_as_is_compared_though_the_service_says_it_elsewhere(world: World) -> None:
    get = world.workspace.get_job

    def like_the_service(job_id: int) -> dict[str, Any] | None:
        job = get(job_id)
        if job is not None:
            run_as = job["settings"].pop("run_as")
            job["run_as_user_name"] = next(iter(run_as.values()))
        return job

    world.workspace.get_job = like_the_service  # type: ignore[method-assign]
    world.deploy("1.0")
    assert "by hand" not in world.output.getvalue()
    job_id = world.state.jobs["score"].id
    world.workspace.jobs[job_id]["run_as"] = {"user_name": "eve@example.org"}
    world.deploy("1.1", drift="overwrite")
    assert "run_as: was set to" in world.output.getvalue()
    world.rollback()
    assert world.workspace.jobs[job_id]["run_as"] == {"user_name": "eve@example.org"}


def test_cancelling_gives_the_claim_back_and_ends_the_test_run(world: World) -> None:
    assert world.build("1.0") == 0
    world.publish()
    assert world.state.claim is not None

    def interrupted(run_id: int) -> dict[str, Any]:
        raise KeyboardInterrupt

    world.workspace.get_run = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        world.test()
    assert "cancel 1001" in world.changes.log
    assert world.state.claim is None


def test_a_continuous_job_is_restarted_where_it_says_so(world: World) -> None:
    path = world.root / "config" / "jobs" / "score.json"
    definition = json.loads(path.read_text())
    del definition["schedule"]
    path.write_text(json.dumps({**definition, "continuous": {"pause_status": "UNPAUSED"}}))
    assert world.build("1.0") == 4
    path.write_text(
        json.dumps({**definition, "continuous": {"pause_status": "UNPAUSED"}, "slipway": {"on_switch": "restart"}})
    )
    world.deploy("1.0")
    job_id = world.state.jobs["score"].id

    def run(number: int, slot: str) -> dict[str, Any]:
        path = f"/Workspace/Slipway/bikeshare/prod/{slot}/notebooks/score"
        return {"run_id": number, "job_id": job_id, "tasks": [{"notebook_task": {"notebook_path": path}}]}

    world.workspace.active = [run(1, "blue"), run(2, "green"), {**run(3, "blue"), "job_id": 999}]
    world.on_sleep.append(lambda: world.workspace.active.pop(1))  # the one that reads from the idle slot ends
    world.deploy("1.1")
    assert [entry for entry in world.changes.log if entry.startswith("cancel")] == ["cancel 1"]
    assert "slipway" not in world.jobs()["score"]
    world.workspace.active = [run(4, "green")]
    world.rollback()
    assert world.changes.log.count("cancel 4") == 1


def test_a_job_that_comes_back_keeps_its_id(world: World) -> None:
    train = world.root / "config" / "jobs" / "train.json"
    text = train.read_text()
    world.deploy("1.0")
    job_id = world.state.jobs["train"].id
    train.unlink()
    world.deploy("1.1")
    train.write_text(text)
    world.deploy("1.2")
    assert world.state.jobs["train"].id == job_id and not world.state.jobs["train"].retired
    assert world.jobs()["train"]["schedule"]["pause_status"] == "UNPAUSED"


def test_a_run_of_the_test_that_nobody_waits_for_is_cancelled_first(world: World) -> None:
    assert world.build("1.0") == 0
    world.publish()
    world.test()
    body = world.workspace.submitted[-1]
    lost = {"run_id": 77, "run_name": body["run_name"], "tasks": body["tasks"], "has_more": False}
    other = {**lost, "run_id": 78, "run_name": "of somebody else"}
    world.workspace.active = [lost, other]
    world.test()
    assert "cancel 77" in world.changes.log
    assert "cancel 78" not in world.changes.log


@pytest.mark.parametrize("failure", [None, Failure(503, "TEMPORARILY_UNAVAILABLE", "later"), Failure(429, "", "later")])
def test_a_result_that_the_service_does_not_give_is_no_failed_test(
    world: World, monkeypatch: pytest.MonkeyPatch, failure: Failure | None
) -> None:
    """Nobody knows whether it passed: that is noted nowhere, and the step can be run again."""
    world.build("1.0")
    world.publish()

    def unavailable(_: int) -> dict[str, Any]:
        error = DatabricksError("no answer")
        error.failure = failure
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(world.workspace, "get_run_output", unavailable)
        with pytest.raises(ServiceError, match="no answer"):
            world.test()
    assert world.state.slots["blue"].test is None
    world.test()
    record = world.state.slots["blue"].test
    assert record is not None
    assert record.passed
