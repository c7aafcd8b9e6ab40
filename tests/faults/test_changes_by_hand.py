"""What people do to deployed jobs between releases, in front of the real stand-ins: each is said, and none is in the way."""

from __future__ import annotations

import copy
import json
import shutil
from typing import Any

import pytest

from tests.faults.cloud import Cloud
from tests.faults.conftest import Stages
from tests.unit.steps.conftest import REPOSITORY

pytestmark = pytest.mark.faults


def to_next(cloud: Cloud, *arguments: str) -> str:
    """Releases 1.2 over the live 1.1. Returns what the switch said."""
    cloud.done("publish_slot", *arguments, version="1.2")
    cloud.done("run_integration_test", version="1.2")
    return cloud.done("switch_slot", *arguments, version="1.2").text


def test_a_release_stops_for_what_it_would_undo_and_goes_on_when_told(cloud: Cloud, stages: Stages) -> None:
    cloud.back_to(stages.to_publish)
    job_id = cloud.job_id("score")

    def edit(job: dict[str, Any]) -> None:
        job["settings"]["job_clusters"][0]["new_cluster"]["num_workers"] = 7
        job["settings"]["schedule"]["timezone_id"] = "Europe/Berlin"
        job["settings"]["email_notifications"] = {"on_failure": ["eve@example.org"]}

    cloud.change_job(job_id, edit)
    refused = cloud.step("publish_slot", "--drift", "stop", version="1.2")
    assert refused.code == 8
    assert "new_cluster.num_workers: was set to 1, is 7" in refused.text
    assert "--drift keep" in refused.text
    assert cloud.state.slots["blue"].version == "1.0" and cloud.state.claim is None
    said = to_next(cloud, "--drift", "keep")
    assert "num_workers: was set to 1, is 7; it is left so" in said
    kept = cloud.jobs()[job_id]
    assert kept["job_clusters"][0]["new_cluster"]["num_workers"] == 7
    assert kept["schedule"]["timezone_id"] == "Europe/Berlin"
    assert kept["email_notifications"] == {"on_failure": ["eve@example.org"]}
    assert cloud.slots_of_jobs()["score"] == ("blue", "PAUSED")
    assert kept["tasks"][0]["libraries"][0]["whl"].split("/")[-3] == "blue"


def build_with(cloud: Cloud, version: str, **more: Any) -> None:
    """Builds a release whose job score has more settings."""
    cloud.build(version, "score", "extra")
    path = cloud.root / "config" / "jobs" / "score.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))
    cloud.rebuild(version)


def test_what_the_service_itself_makes_of_settings_is_not_by_hand(cloud: Cloud, stages: Stages) -> None:
    """A field that the service does not know is dropped by it: said once, and never a reason to stop."""
    cloud.back_to(stages.to_publish)
    build_with(cloud, "1.3", colour="red")
    cloud.done("publish_slot", version="1.3")
    cloud.done("run_integration_test", version="1.3")
    assert "colour: was set to 'red', is nothing" in cloud.done("switch_slot", version="1.3").text
    again = cloud.done("publish_slot", "--drift", "stop", version="1.2")
    assert "Changed by hand" not in again.text


def test_the_samples_own_jobs_do_not_drift_by_themselves(cloud: Cloud, stages: Stages) -> None:
    """What the service makes of every field that the sample sets is what was set."""
    cloud.back_to(stages.to_publish)
    cloud.build("1.5", "score", "train")
    (cloud.root / "notebooks" / "prepare.py").write_text((cloud.root / "notebooks" / "train.py").read_text())
    for path in (REPOSITORY / "config" / "jobs").iterdir():
        shutil.copy(path, cloud.root / "config" / "jobs" / path.name)
    cloud.rebuild("1.5")
    cloud.release("1.5")
    (cloud.root / "notebooks" / "prepare.py").unlink()
    again = cloud.done("publish_slot", "--drift", "stop", version="1.2").text
    assert "by hand" not in again


def test_tags_taken_away_come_back_and_copies_stay_untouched(cloud: Cloud, stages: Stages) -> None:
    cloud.back_to(stages.to_publish)
    score, extra = cloud.job_id("score"), cloud.job_id("extra")

    def copy_of(job: dict[str, Any]) -> None:
        job["job_id"] = 900_001
        job["settings"]["name"] = "Copy of score"

    def namesake(job: dict[str, Any]) -> None:
        job["job_id"] = 900_002
        del job["settings"]["tags"]

    cloud.change_job(score, copy_of)
    cloud.change_job(extra, namesake)
    cloud.change_job(score, lambda job: job["settings"].pop("tags"))
    strangers = {key: copy.deepcopy(cloud.jobs()[key]) for key in (900_001, 900_002)}
    said = cloud.done("publish_slot", "--drift", "stop", version="1.2").text
    assert f"'Copy of score' (900001) has the tags of job score ({score}) and is not that job" in said
    assert f"(900002) has the name as job extra ({extra}) has, and is not Slipway's" in said
    assert "job score: tags" in said
    cloud.done("run_integration_test", version="1.2")
    cloud.done("switch_slot", "--drift", "stop", version="1.2")
    assert cloud.jobs()[score]["tags"]["slipway_job"] == "score"
    assert {key: cloud.jobs()[key] for key in strangers} == strangers


def test_a_definition_that_the_service_refuses_takes_the_switch_back(cloud: Cloud, stages: Stages) -> None:
    cloud.back_to(stages.to_publish)
    build_with(cloud, "1.4", max_concurrent_runs=5000)
    cloud.done("publish_slot", version="1.4")
    cloud.done("run_integration_test", version="1.4")
    jobs = cloud.jobs()
    refused = cloud.step("switch_slot", version="1.4")
    assert refused.code == 6
    assert "Job score" in refused.text and "max_concurrent_runs" in refused.text
    assert "taken back" in refused.text
    assert cloud.jobs() == jobs and cloud.state.live == "green" and cloud.state.switch is None
