"""Permissions in a job's definition are part of the switch: given, compared, taken back, rolled back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.faults.cloud import Cloud
from tests.faults.conftest import Stages

pytestmark = pytest.mark.faults

RUN = [{"group_name": "users", "permission_level": "CAN_MANAGE_RUN"}]


def build(cloud: Cloud, version: str, entries: list[dict[str, str]] = RUN) -> None:
    """Builds a release whose jobs, a new one among them, say who may do what with them."""
    cloud.build(version, "score", "extra", "train")
    for path in (cloud.root / "config" / "jobs").iterdir():
        definition: dict[str, Any] = json.loads(path.read_text())
        path.write_text(json.dumps({**definition, "access_control_list": entries}))
    cloud.rebuild(version)


def by_hand(cloud: Cloud, key: str, **levels: str) -> None:
    cloud.change_job(
        cloud.job_id(key), lambda job: job["acl"].update({f"group:{name}": level for name, level in levels.items()})
    )


def owner(cloud: Cloud) -> dict[str, str]:
    return {f"sp:{cloud.environment.azure.release_identity.client_id}": "IS_OWNER"}


def test_permissions_follow_the_definition_and_come_back_with_a_rollback(cloud: Cloud, stages: Stages) -> None:
    cloud.back_to(stages.to_publish)
    before = cloud.permissions("score")
    assert before == owner(cloud) | {"group:users": "CAN_VIEW"}
    build(cloud, "1.7")
    cloud.release("1.7")
    given = owner(cloud) | {"group:users": "CAN_MANAGE_RUN"}
    assert [cloud.permissions(key) for key in ("score", "extra", "train")] == [given] * 3

    by_hand(cloud, "score", users="CAN_MANAGE", admins="CAN_VIEW")
    build(cloud, "1.8")
    refused = cloud.step("publish_slot", "--drift", "stop", version="1.8")
    assert refused.code == 8
    assert "access_control_list[users].permission_level: was set to 'CAN_MANAGE_RUN', is 'CAN_MANAGE'" in refused.text
    assert "access_control_list[admins]: was set to nothing" in refused.text
    cloud.release("1.8")
    assert cloud.permissions("score") == given
    cloud.done("rollback")
    assert cloud.permissions("score") == owner(cloud) | {"group:users": "CAN_MANAGE", "group:admins": "CAN_VIEW"}
    cloud.done("rollback", "--to", "1.1")
    assert cloud.permissions("score") == before


def test_what_people_granted_is_kept_where_the_policy_says_so(cloud: Cloud, stages: Stages) -> None:
    cloud.back_to(stages.to_publish)
    build(cloud, "1.7")
    cloud.release("1.7")
    by_hand(cloud, "extra", admins="CAN_VIEW")
    build(cloud, "1.8", [*RUN])
    cloud.done("publish_slot", "--drift", "keep", version="1.8")
    cloud.done("run_integration_test", version="1.8")
    cloud.done("switch_slot", "--drift", "keep", version="1.8")
    assert cloud.permissions("extra")["group:admins"] == "CAN_VIEW"


def test_permissions_that_the_service_refuses_take_the_switch_back(cloud: Cloud, stages: Stages) -> None:
    cloud.back_to(stages.to_publish)
    build(cloud, "1.9", [{"user_name": "nobody@example.org", "permission_level": "CAN_MANAGE"}])
    cloud.done("publish_slot", version="1.9")
    cloud.done("run_integration_test", version="1.9")
    before, jobs = cloud.permissions("score"), cloud.jobs()
    refused = cloud.step("switch_slot", version="1.9")
    assert refused.code in (5, 6) and "nobody@example.org" in refused.text and "taken back" in refused.text
    assert cloud.permissions("score") == before and cloud.jobs() == jobs


def test_cut_between_settings_and_permissions_it_is_taken_back_whole(cloud: Cloud, stages: Stages) -> None:
    cloud.back_to(stages.to_publish)
    build(cloud, "1.7")
    cloud.done("publish_slot", version="1.7")
    cloud.done("run_integration_test", version="1.7")
    before, permissions = cloud.jobs(), {key: cloud.permissions(key) for key in ("score", "extra")}
    tested = cloud.remember()
    seen = set()
    for at in range(20, 44, 2):
        cloud.back_to(tested)
        cloud.cut("killed after", at)
        cloud.step("switch_slot", version="1.7")
        cloud.mend()
        seen.add(tuple(sorted(cloud.permissions(key)["group:users"] for key in permissions)))
        if cloud.state.switch is None:
            continue
        cloud.done("switch_slot", "--revert", version="1.7")
        assert {key: cloud.permissions(key) for key in permissions} == permissions
        assert {key: settings for key, settings in cloud.jobs().items() if key in before} == before
    assert len(seen) > 1, "no cut came between the first and the last permission"
