"""An existing job is taken over, explicitly, by name or id; what it was comes back with a rollback."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.cloud import Cloud
from tests.faults.conftest import Stages

pytestmark = pytest.mark.faults

NIGHTLY = 900_003
NOTEBOOK = "/Users/eve@example.org/nightly"


def make_by_hand(cloud: Cloud, job_id: int = NIGHTLY, **settings: Any) -> None:
    """A job that Eve made; the release identity may manage it."""
    identity = f"sp:{cloud.environment.azure.release_identity.client_id}"

    def change(job: dict[str, Any]) -> None:
        job |= {"job_id": job_id, "acl": {"user:eve@example.org": "IS_OWNER", identity: "CAN_MANAGE"}}
        made = job["settings"]
        made |= {"name": "Eve's nightly", "tags": {"team": "eve"}, "timeout_seconds": 77, **settings}
        made["tasks"][0]["notebook_task"]["notebook_path"] = NOTEBOOK
        made["schedule"]["pause_status"] = "UNPAUSED"

    cloud.change_job(cloud.job_id("score"), change)


def build(cloud: Cloud, version: str, *keys: str) -> None:
    """Builds a release that has these jobs besides score and extra."""
    cloud.build(version, "score", "extra")
    jobs = cloud.root / "config" / "jobs"
    for key in keys:
        definition = json.loads((jobs / "score.json").read_text())
        definition["name"] = definition["name"].replace("score", key)
        (jobs / f"{key}.json").write_text(json.dumps(definition))
    cloud.rebuild(version)


def test_the_next_switch_sets_an_adopted_job_and_a_rollback_gives_it_back(cloud: Cloud, stages: Stages) -> None:
    cloud.back_to(stages.to_publish)
    build(cloud, "1.6", "nightly")
    make_by_hand(cloud)
    before = copy.deepcopy(cloud.jobs()[NIGHTLY])
    number = len(cloud.jobs())
    adopt = ("adopt_job", "--job", "nightly", "--name", "Eve's nightly")
    assert "Would take job" in cloud.done(*adopt, "--what-if").text
    assert cloud.jobs()[NIGHTLY] == before
    cloud.done(*adopt)
    tags = {"team": "eve", "slipway_app": "bikeshare", "slipway_environment": "dev", "slipway_job": "nightly"}
    adopted = {**before, "tags": tags}
    assert cloud.jobs()[NIGHTLY] == adopted
    assert cloud.state.claim is None

    cloud.done("publish_slot", version="1.6")
    cloud.done("run_integration_test", version="1.6")
    said = cloud.done("switch_slot", version="1.6").text
    assert "job nightly: goes to blue, adopted: set for the first time" in said and NOTEBOOK in said
    job = cloud.jobs()[NIGHTLY]
    assert job["tasks"][0]["notebook_task"]["notebook_path"].endswith("/blue/notebooks/score")
    assert job["timeout_seconds"] == 0 and job["tags"]["slipway_slot"] == "blue"
    assert job["schedule"]["pause_status"] == "UNPAUSED", "people's own starting survives"
    assert len(cloud.jobs()) <= number, "no second job was made"

    cloud.done("rollback")
    assert cloud.jobs()[NIGHTLY] == adopted
    assert cloud.state.jobs["nightly"].slot is None
    cloud.release("1.2")
    assert cloud.jobs()[NIGHTLY] == adopted, "a release that does not have it leaves it alone"


def test_taking_an_adoption_switch_back_restores_the_job(cloud: Cloud, stages: Stages) -> None:
    cloud.back_to(stages.to_publish)
    build(cloud, "1.6", "nightly")
    make_by_hand(cloud)
    cloud.done("adopt_job", "--job", "nightly", "--id", str(NIGHTLY))
    adopted = copy.deepcopy(cloud.jobs()[NIGHTLY])
    cloud.done("publish_slot", version="1.6")
    cloud.done("run_integration_test", version="1.6")
    cloud.cut("killed after", 0, path="*/archive/switches/*")  # all jobs are set by then
    assert cloud.step("switch_slot", version="1.6").code != 0
    assert cloud.state.switch is not None and cloud.jobs()[NIGHTLY] != adopted
    cloud.mend()
    cloud.done("switch_slot", "--revert", version="1.6")
    assert cloud.jobs()[NIGHTLY] == adopted


def nothing(cloud: Cloud) -> None:
    make_by_hand(cloud)


def two(cloud: Cloud) -> None:
    make_by_hand(cloud)
    make_by_hand(cloud, NIGHTLY + 1)


def elsewhere(cloud: Cloud) -> None:
    make_by_hand(cloud, tags={"slipway_app": "other", "slipway_environment": "dev", "slipway_job": "nightly"})


def no_permission(cloud: Cloud) -> None:
    make_by_hand(cloud)
    identity = f"sp:{cloud.environment.azure.release_identity.client_id}"
    cloud.change_job(NIGHTLY, lambda job: job["acl"].update({identity: "CAN_VIEW"}))


@pytest.mark.parametrize(
    ("prepare", "arguments", "code", "says"),
    [
        (nothing, ("--job", "nigtly", "--name", "Eve's nightly"), 2, "there are: extra, nightly, score"),
        (nothing, ("--job", "nightly", "--name", "eve's nightly"), 9, 'is named "eve\'s nightly"'),
        (nothing, ("--job", "nightly", "--id", "12345"), 5, "12345"),
        (nothing, ("--job", "score", "--id", str(NIGHTLY)), 9, "Job score of dev is there already"),
        (two, ("--job", "nightly", "--name", "Eve's nightly"), 9, f"{NIGHTLY}, {NIGHTLY + 1}"),
        (elsewhere, ("--job", "nightly", "--id", str(NIGHTLY)), 9, "slipway_app: other"),
        (no_permission, ("--job", "nightly", "--id", str(NIGHTLY)), 5, "may not manage job 900003"),
    ],
)
def test_what_can_not_be_taken(
    cloud: Cloud, stages: Stages, prepare: Callable[[Cloud], None], arguments: tuple[str, ...], code: int, says: str
) -> None:
    cloud.back_to(stages.to_publish)
    build(cloud, "1.6", "nightly")
    prepare(cloud)
    jobs, known = cloud.jobs(), cloud.state.jobs
    refused = cloud.step("adopt_job", *arguments)
    assert refused.code == code, refused.text
    assert says in refused.text and "Nothing was changed." in refused.text
    assert cloud.jobs() == jobs and cloud.state.jobs == known and cloud.state.claim is None


def test_nobody_adopts_during_a_release(cloud: Cloud, stages: Stages) -> None:
    cloud.back_to(stages.to_switch)
    make_by_hand(cloud)
    refused = cloud.step("adopt_job", "--job", "extra", "--id", str(NIGHTLY), run=9)
    assert refused.code == 8
