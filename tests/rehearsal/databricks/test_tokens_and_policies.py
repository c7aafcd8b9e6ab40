"""Personal access tokens, and cluster policies with their permissions."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.rehearsal.databricks.workbench import ADMIN, HOST, OTHER_HOST, READER, RELEASE, RESOURCE_ID, Site

POLICY = {"name": "jobs", "definition": '{"num_workers": {"type": "range", "maxValue": 4}}'}


def me(site: Site, authorization: str, host: str = HOST) -> tuple[int, Any]:
    headers = {"Authorization": authorization}
    answer = site.client.request("GET", f"https://{host}/api/2.0/preview/scim/v2/Me", headers=headers)
    return answer.status_code, answer.json()


def test_a_personal_token_stands_for_its_owner_until_it_expires(site: Site) -> None:
    made = site.ok(RELEASE, "POST", "/token/create", {"lifetime_seconds": 100, "comment": "laptop"})
    value, info = made["token_value"], made["token_info"]
    assert value.startswith("dapi")
    assert (info["comment"], info["expiry_time"] - info["creation_time"]) == ("laptop", 100_000)
    basic = base64.b64encode(f"token:{value}".encode()).decode()
    for header in (f"Bearer {value}", f"Basic {basic}"):
        status, body = me(site, header)
        assert (status, body["userName"]) == (200, "app-release")
    assert me(site, f"Bearer {value}", OTHER_HOST)[0] == 403
    assert site.ok(RELEASE, "GET", "/token/list") == {"token_infos": [info]}
    assert site.ok(ADMIN, "GET", "/token/list") == {}
    site.now += 100
    status, body = me(site, f"Bearer {value}")
    assert (status, body["error_code"]) == (403, 403)
    assert body["message"].startswith("Invalid access token.")


def test_a_deleted_token_opens_nothing_and_its_value_is_kept_nowhere(site: Site) -> None:
    made = site.ok(ADMIN, "POST", "/token/create")
    kept = b"".join(file.read_bytes() for file in site.folder.rglob("*") if file.is_file())
    assert made["token_value"].encode() not in kept
    body = {"token_id": made["token_info"]["token_id"]}
    assert site.refused(RELEASE, "POST", "/token/delete", body)[0] == 404
    site.ok(ADMIN, "POST", "/token/delete", body)
    assert me(site, f"Bearer {made['token_value']}")[0] == 403
    assert site.refused(ADMIN, "POST", "/token/delete", body)[:2] == (404, "RESOURCE_DOES_NOT_EXIST")
    assert site.refused(ADMIN, "POST", "/token/create", {"lifetime_seconds": 0})[1] == "INVALID_PARAMETER_VALUE"


def settings(site: Site, who: Any = ADMIN, **values: Any) -> tuple[int, Any]:
    url, headers = f"https://{HOST}/api/2.0/workspace-conf", dict(site.session(who).headers)
    answer = site.client.request("PATCH", url, json=values, headers=headers)
    return answer.status_code, answer.json() if answer.content else None


def test_settings_about_tokens_are_kept_to(site: Site) -> None:
    names = {"keys": "enableTokensConfig,maxTokenLifetimeDays"}
    assert site.ok(READER, "GET", "/workspace-conf", names) == {
        "enableTokensConfig": None,
        "maxTokenLifetimeDays": None,
    }
    value = site.ok(ADMIN, "POST", "/token/create")["token_value"]
    assert settings(site, maxTokenLifetimeDays="90") == (204, None)
    assert site.refused(ADMIN, "POST", "/token/create", {})[1] == "INVALID_PARAMETER_VALUE"
    site.ok(ADMIN, "POST", "/token/create", {"lifetime_seconds": 90 * 24 * 3600})
    assert me(site, f"Bearer {value}")[0] == 200
    assert settings(site, enableTokensConfig="false") == (204, None)
    assert me(site, f"Bearer {value}")[0] == 403
    assert site.refused(ADMIN, "POST", "/token/create", {"lifetime_seconds": 1})[1] == "PERMISSION_DENIED"
    assert site.ok(ADMIN, "GET", "/workspace-conf", names) == {
        "enableTokensConfig": "false",
        "maxTokenLifetimeDays": "90",
    }
    assert settings(site, enableTokensConfig="true", maxTokenLifetimeDays="") == (204, None)
    assert me(site, f"Bearer {value}")[0] == 200
    site.ok(ADMIN, "POST", "/token/create")


def test_settings_that_can_not_be(site: Site) -> None:
    wrong = "some-invalid-conf"
    refused = site.refused(ADMIN, "GET", "/workspace-conf", {"keys": f"enableTokensConfig,{wrong}"})
    assert refused == (400, "INVALID_PARAMETER_VALUE", f"{wrong} is an invalid config key")
    for values in (
        {wrong: "x"},
        {"enableTokensConfig": True},
        {"maxTokenLifetimeDays": "-1"},
        {"enableTokensConfig": "no"},
    ):
        assert settings(site, maxTokenLifetimeDays="9")[0] == 204
        assert settings(site, **{"maxTokenLifetimeDays": "7", **values})[0] == 400
        assert site.ok(ADMIN, "GET", "/workspace-conf", {"keys": "maxTokenLifetimeDays"})["maxTokenLifetimeDays"] == "9"
    assert settings(site, enableIpAccessLists="true")[0] == 501
    assert settings(site, RELEASE, enableTokensConfig="false")[0] == 403


@pytest.mark.parametrize("header", ["Basic dG9rZW46ZGFwaTE=", "Basic bWU6cHc=", "Basic %%%", "Bearer dapi", "Bearer"])
def test_other_credentials_are_not_let_in(site: Site, header: str) -> None:
    assert me(site, header)[0] in (401, 403)


def test_a_personal_token_makes_no_scope_over_a_vault(site: Site) -> None:
    value = site.ok(ADMIN, "POST", "/token/create")["token_value"]
    body = {
        "scope": "kv",
        "scope_backend_type": "AZURE_KEYVAULT",
        "backend_azure_keyvault": {"resource_id": RESOURCE_ID, "dns_name": "https://v.vault.azure.net/"},
    }
    url, headers = f"https://{HOST}/api/2.0/secrets/scopes/create", {"Authorization": f"Bearer {value}"}
    answer = site.client.request("POST", url, json=body, headers=headers)
    assert answer.json() == {
        "error_code": "INVALID_PARAMETER_VALUE",
        "message": "Scope with Azure KeyVault must have userAADToken defined!",
    }


def test_the_databricks_command_makes_tokens(databricks_command: Callable[..., str]) -> None:
    made = json.loads(databricks_command("tokens", "create", "--comment", "ci", "--lifetime-seconds", "60"))
    assert made["token_value"].startswith("dapi")
    assert "ci" in databricks_command("tokens", "list")
    databricks_command("tokens", "revoke", "--token-id", made["token_info"]["token_id"])


def test_policies_are_made_changed_and_deleted_by_admins(site: Site) -> None:
    policy_id = site.ok(ADMIN, "POST", "/policies/clusters/create", POLICY)["policy_id"]
    shown = site.ok(ADMIN, "GET", "/policies/clusters/get", {"policy_id": policy_id})
    assert (shown["name"], shown["definition"], shown["creator_user_name"]) == (
        "jobs",
        POLICY["definition"],
        "app-admin",
    )
    changed = {"policy_id": policy_id, "name": "jobs 2", "description": "d"}
    site.ok(ADMIN, "POST", "/policies/clusters/edit", changed)
    shown = site.ok(ADMIN, "GET", "/policies/clusters/list")["policies"][0]
    assert (shown["name"], shown["definition"], shown["description"]) == ("jobs 2", "{}", "d")
    for verb in ("create", "edit", "delete"):
        refused = site.refused(RELEASE, "POST", f"/policies/clusters/{verb}", POLICY | {"policy_id": policy_id})
        assert refused[:2] == (403, "PERMISSION_DENIED")
    site.ok(ADMIN, "POST", "/policies/clusters/delete", {"policy_id": policy_id})
    missing = (404, "RESOURCE_DOES_NOT_EXIST", f"Can't find a cluster policy with id: {policy_id}.")
    assert site.refused(ADMIN, "GET", "/policies/clusters/get", {"policy_id": policy_id}) == missing


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"name": ""}, "INVALID_PARAMETER_VALUE"),
        ({"name": "x" * 101}, "INVALID_PARAMETER_VALUE"),
        ({"definition": "{"}, "INVALID_PARAMETER_VALUE"),
        ({"definition": {"a": {}}}, "INVALID_PARAMETER_VALUE"),
        ({"definition": '{"a": 1}'}, "INVALID_PARAMETER_VALUE"),
        ({"policy_family_id": "job-cluster"}, "NOT_IMPLEMENTED"),
        ({}, "INVALID_PARAMETER_VALUE"),  # the name is taken
    ],
)
def test_policies_that_can_not_be(site: Site, changed: dict[str, Any], code: str) -> None:
    site.ok(ADMIN, "POST", "/policies/clusters/create", POLICY)
    assert site.refused(ADMIN, "POST", "/policies/clusters/create", POLICY | changed)[1] == code


def test_a_policy_shows_to_those_who_may_use_it(site: Site) -> None:
    policy_id = site.ok(ADMIN, "POST", "/policies/clusters/create", POLICY)["policy_id"]
    place = f"/permissions/cluster-policies/{policy_id}"
    assert site.ok(READER, "GET", "/policies/clusters/list") == {}
    assert site.refused(READER, "GET", "/policies/clusters/get", {"policy_id": policy_id})[0] == 403
    acl = [{"group_name": "users", "permission_level": "CAN_USE"}]
    shown = site.ok(ADMIN, "PUT", place, {"access_control_list": acl})
    assert (shown["object_id"], shown["object_type"]) == (f"/cluster-policies/{policy_id}", "cluster-policy")
    assert [each["policy_id"] for each in site.ok(READER, "GET", "/policies/clusters/list")["policies"]] == [policy_id]
    assert site.refused(READER, "GET", place, {})[0] == 403
    manage = [{"group_name": "users", "permission_level": "CAN_MANAGE"}]
    assert site.refused(ADMIN, "PATCH", place, {"access_control_list": manage})[0] == 400
    levels = site.ok(ADMIN, "GET", f"{place}/permissionLevels")["permission_levels"]
    assert [each["permission_level"] for each in levels] == ["CAN_USE"]


def test_there_is_no_cluster(site: Site) -> None:
    refused = site.refused(ADMIN, "GET", "/clusters/get", {"cluster_id": "0101-x"}, "2.1")
    assert refused == (400, "INVALID_PARAMETER_VALUE", "Cluster 0101-x does not exist")
    assert (
        site.ok(ADMIN, "GET", "/instance-pools/list") == site.ok(ADMIN, "GET", "/libraries/all-cluster-statuses") == {}
    )
