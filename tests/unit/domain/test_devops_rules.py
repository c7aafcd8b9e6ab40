"""What a project of Azure DevOps must have, compared with what is there: rules without a service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slipway.domain import devops as rules
from slipway.domain.environment import load_environment
from slipway.errors import NotPossible

REPOSITORY = Path(__file__).resolve().parents[3]
PROJECT = {"id": "1", "name": "Slipway"}
LIST = "parameters: [{name: environments, default: [{name: uat, serviceConnection: sc-uat%s}]}]"


def listed(tmp_path: Path, more: str) -> rules.Listed:
    (tmp_path / "templates").mkdir(exist_ok=True)
    (tmp_path / "templates" / "environments.yml").write_text(LIST % more)
    return rules.listed_environments(tmp_path)[0]


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        ("", None),
        (", pool: {vmImage: ubuntu-24.04}", None),
        (", pool: {name: Azure Pipelines, vmImage: ubuntu-24.04}", None),
        (", pool: {name: ours, demands: [docker]}", "ours"),
        (", pool: ours", "ours"),
    ],
)
def test_agents_of_ones_own_are_told_from_microsofts(tmp_path: Path, pool: str, expected: str | None) -> None:
    assert listed(tmp_path, pool).pool == expected


def test_variables_of_secrets(tmp_path: Path) -> None:
    one = listed(tmp_path, ", secrets: {A: $(a), B: 'x-$(b)-$(c.d)', C: plain, D: '$[variables.e]'}")
    assert rules.secret_variables(one) == {"a": "A", "b": "B", "c.d": "B"}


@pytest.mark.parametrize("text", ["", "parameters: []", "parameters: [{name: environments}]", "a: [", "- 1"])
def test_a_list_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "environments.yml").write_text(text)
    with pytest.raises(NotPossible, match="with a list of environments"):
        rules.listed_environments(tmp_path)


def test_no_list_at_all(tmp_path: Path) -> None:
    with pytest.raises(NotPossible, match="is missing"):
        rules.listed_environments(tmp_path)


def test_our_own_pipelines_and_environments() -> None:
    assert [(one.name, one.connection) for one in rules.listed_environments(REPOSITORY)] == [
        ("dev", "slipway-dev"),
        ("test", "slipway-test"),
        ("prod", "slipway-prod"),
    ]
    wanted = rules.wanted_pipelines(REPOSITORY, "bikeshare")
    assert wanted[0] == rules.Wanted(name="bikeshare-release", file="azure-pipelines.yml")
    assert rules.Wanted(name="bikeshare-rollback", file="templates/pipelines/rollback.yml") in wanted
    assert not rules.uses_groups(REPOSITORY)


def test_a_new_connection_is_right_and_holds_no_secret() -> None:
    environment = load_environment(REPOSITORY, "dev")
    body = rules.connection_body(environment, "sc", PROJECT)
    assert rules.connection_differences(body, environment) == []
    assert rules.is_federated(body)
    assert set(body["authorization"]["parameters"]) == {"tenantid", "serviceprincipalid"}


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("Releases bikeshare to dev", ""),
        ("Releases bike to dev", "Releases bike to dev"),
        ("Releases bikeshare to test", "Releases bikeshare to test"),
        ("Made by Ann", ""),
        (None, ""),
    ],
)
def test_a_connection_says_whether_another_app_has_it(description: str | None, expected: str) -> None:
    environment = load_environment(REPOSITORY, "dev")
    assert rules.made_for_others({"name": "sc", "description": description}, environment) == expected


def test_what_a_connection_is_for_is_compared_without_case_and_corrected_without_loss() -> None:
    environment = load_environment(REPOSITORY, "dev")
    body = rules.connection_body(environment, "sc", PROJECT)
    there: dict[str, Any] = {**body, "id": "7", "description": "Mine", "data": {**body["data"], "extra": "kept"}}
    shared = [
        *body["serviceEndpointProjectReferences"],
        {"name": "sc-of-b", "projectReference": {"id": "B", "name": "B"}},
    ]
    there["serviceEndpointProjectReferences"] = shared
    there["authorization"] = {
        "scheme": "WorkloadIdentityFederation",
        "parameters": {"TenantId": environment.azure.tenant_id.upper(), "servicePrincipalId": "other", "scope": "s"},
    }
    assert rules.connection_differences(there, environment) == [
        f"application other, not {environment.azure.release_identity.client_id}"
    ]
    corrected = rules.corrected(there, environment, PROJECT)
    assert rules.connection_differences(corrected, environment) == []
    assert (corrected["id"], corrected["description"], corrected["data"]["extra"]) == ("7", "Mine", "kept")
    assert corrected["authorization"]["parameters"]["scope"] == "s"
    assert corrected["serviceEndpointProjectReferences"] == shared


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"repositoryId": "OURS"}, True),
        ({"repositoryId": None}, True),  # every repository of the project
        ({"repositoryId": "theirs"}, False),
        ({"refName": "refs/heads/release"}, False),
        ({"refName": "refs/heads/", "matchKind": "Prefix"}, True),
        ({"refName": "refs/heads/release/", "matchKind": "Prefix"}, False),
        ({"refName": "refs/heads/mai"}, False),
        ({"refName": None}, True),
    ],
)
def test_whether_a_policy_is_for_pull_requests_to_main(change: dict[str, Any], expected: bool) -> None:
    policy = rules.validation_body("kind", 3, "ours")
    policy["settings"]["scope"][0] |= change
    assert rules.validates(policy, 3, "ours") is expected
    assert not rules.validates(policy, 4, "ours")
    assert not rules.validates({**policy, "isEnabled": False}, 3, "ours")


def test_who_may_use_a_resource() -> None:
    one = {"pipelines": [{"id": 1, "authorized": True}, {"id": 2, "authorized": False}]}
    assert rules.not_permitted(one, [1, 2, 3]) == [2, 3]
    assert rules.not_permitted({**one, "allPipelines": {"authorized": True}}, [2, 3]) == []
    assert rules.not_permitted({**one, "allPipelines": {"authorized": False}}, [2]) == [2]


def test_a_pipeline_is_found_by_its_file_in_its_repository() -> None:
    def pipeline(number: int, file: str, repository: str) -> rules.Json:
        return {"id": number, "process": {"yamlFilename": file}, "repository": {"id": repository}}

    known = [pipeline(1, "/azure-pipelines.yml", "THEIRS"), pipeline(2, "Azure-Pipelines.yml", "ours"), {"id": 3}]
    assert (rules.pipeline_of("azure-pipelines.yml", known, "ours") or {})["id"] == 2
    assert (rules.pipeline_of("azure-pipelines.yml", known) or {})["id"] == 1
    assert rules.pipeline_of("other.yml", known) is None


def test_one_of_several_approvers_is_enough_and_may_be_who_pushed() -> None:
    body = rules.approval_body("kind", ["a", "b"], "prod")
    assert rules.approvers_of(body) == [{"id": "a"}, {"id": "b"}]
    assert (body["settings"]["minRequiredApprovers"], body["settings"]["requesterCannotBeApprover"]) == (1, False)
    assert rules.check_of([{"type": {"id": "KIND"}}], "kind") is not None
    assert rules.check_of([{"type": {"id": "other"}}, {}], "kind") is None
