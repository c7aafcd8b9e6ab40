"""Service principals, users and groups by SCIM, and what a membership allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.rehearsal.databricks.workbench import ADMIN, JOBS, READER, RELEASE, Site

SCIM = "/preview/scim/v2"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def ident(site: Site, application: str) -> str:
    query = {"filter": f'applicationId eq "{application}"'}
    return str(site.ok(ADMIN, "GET", f"{SCIM}/ServicePrincipals", query)["Resources"][0]["id"])


def group(site: Site, name: str, *members: str) -> dict[str, Any]:
    body = {"displayName": name, "members": [{"value": each} for each in members]}
    status, made = site.call(ADMIN, "POST", f"{SCIM}/Groups", body)
    assert status == 201, made
    return dict(made)


def patch(site: Site, place: str, *operations: dict[str, Any], who: Any = ADMIN) -> tuple[int, Any]:
    return site.call(who, "PATCH", f"{SCIM}/{place}", {"schemas": [PATCH], "Operations": list(operations)})


def members(site: Site, group_id: str) -> list[str]:
    return [each["display"] for each in site.ok(ADMIN, "GET", f"{SCIM}/Groups/{group_id}")["members"]]


def test_a_membership_opens_what_the_group_may_read(site: Site) -> None:
    site.notebook("/Team/nb", "1")
    folder = site.ok(ADMIN, "GET", "/workspace/get-status", {"path": "/Team"})["object_id"]
    made = group(site, "Engineers")
    acl = [{"group_name": "Engineers", "permission_level": "CAN_READ"}]
    site.ok(ADMIN, "PATCH", f"/permissions/directories/{folder}", {"access_control_list": acl})
    path = {"path": "/Team/nb"}
    assert site.refused(RELEASE, "GET", "/workspace/export", path)[0] == 403
    value = {"members": [{"value": ident(site, "app-release")}]}
    assert patch(site, f"Groups/{made['id']}", {"op": "add", "value": value})[0] == 200
    site.ok(RELEASE, "GET", "/workspace/export", path)
    gone = {"op": "remove", "path": f'members[value eq "{ident(site, "app-release")}"]'}
    assert patch(site, f"Groups/{made['id']}", gone)[0] == 200
    assert site.refused(RELEASE, "GET", "/workspace/export", path)[0] == 403


def test_members_of_a_group_are_added_replaced_and_removed(site: Site) -> None:
    release, jobs = ident(site, "app-release"), ident(site, "app-jobs")
    made = group(site, "team", release)
    place = f"Groups/{made['id']}"
    patch(site, place, {"op": "Add", "path": "members", "value": [{"value": jobs}, {"value": jobs}]})
    assert members(site, made["id"]) == ["Release", "Jobs"]
    patch(site, place, {"op": "replace", "path": "members", "value": [{"value": jobs}]})
    assert members(site, made["id"]) == ["Jobs"]
    patch(site, place, {"op": "replace", "path": "displayName", "value": "crew"})
    assert site.ok(ADMIN, "GET", f"{SCIM}/{place}")["displayName"] == "crew"
    assert members(site, made["id"]) == ["Jobs"]
    site.ok(ADMIN, "PUT", f"{SCIM}/{place}", {"displayName": "crew", "members": [{"value": release}]})
    assert members(site, made["id"]) == ["Release"]
    patch(site, place, {"op": "remove", "path": "members"})
    assert members(site, made["id"]) == []


def test_a_deleted_group_gives_nothing_any_more(site: Site) -> None:
    made = group(site, "team", ident(site, "app-release"))
    answer = site.client.request(
        "DELETE",
        f"https://{site.workspaces.hosts()[0]}/api/2.0{SCIM}/Groups/{made['id']}",
        headers=dict(site.session(ADMIN).headers),
    )
    assert (answer.status_code, answer.content) == (204, b"")
    shown = site.ok(RELEASE, "GET", f"{SCIM}/Me")
    assert [each["display"] for each in shown["groups"]] == ["users"]
    assert site.call(ADMIN, "GET", f"{SCIM}/Groups/{made['id']}")[0] == 404


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        ({"op": "add", "path": "members", "value": [{"value": "999"}]}, 404),
        ({"op": "add", "path": "members", "value": ["999"]}, 400),
        ({"op": "add", "path": "members", "value": 7}, 400),
        ({"op": "twist", "path": "members", "value": []}, 400),
        ({"op": "replace", "path": "displayName", "value": 7}, 400),
        ({"op": "replace", "path": "displayName", "value": "ADMINS"}, 409),
        ({"op": "add", "value": [1]}, 400),
        ({"op": "add", "path": "roles", "value": [{"value": "x"}]}, 501),
        ({"op": "add", "path": 'members[type eq "x"]', "value": []}, 501),
    ],
)
def test_patches_that_can_not_be(site: Site, operation: dict[str, Any], status: int) -> None:
    made = group(site, "team", ident(site, "app-release"))
    code, body = patch(site, f"Groups/{made['id']}", operation)
    assert code == status
    if status != 501:
        assert body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
        assert body["status"] == str(status)
    assert site.ok(ADMIN, "GET", f"{SCIM}/Groups/{made['id']}") == made


def test_the_workspaces_own_groups_stay(site: Site) -> None:
    ids = {each["displayName"]: each["id"] for each in site.ok(ADMIN, "GET", f"{SCIM}/Groups")["Resources"]}
    for name in ("admins", "users"):
        assert site.call(ADMIN, "DELETE", f"{SCIM}/Groups/{ids[name]}")[0] == 403
        rename = {"op": "replace", "path": "displayName", "value": "x"}
        assert patch(site, f"Groups/{ids[name]}", rename)[0] == 403
    assert patch(site, f"Groups/{ids['users']}", {"op": "remove", "path": "members"})[0] == 403
    add = {"op": "add", "path": "members", "value": [{"value": ident(site, "app-release")}]}
    assert patch(site, f"Groups/{ids['admins']}", add)[0] == 200
    site.ok(RELEASE, "POST", "/workspace/mkdirs", {"path": "/AtTheRoot"})


def test_only_admins_change_members(site: Site) -> None:
    made = group(site, "team")
    place = f"{SCIM}/Groups/{made['id']}"
    for method, path in (("POST", f"{SCIM}/Groups"), ("POST", f"{SCIM}/Users"), ("PUT", place), ("DELETE", place)):
        status, body = site.call(RELEASE, method, path, {"displayName": "x", "userName": "x@example.org"})
        assert (status, body["status"]) == (403, "403")
    assert patch(site, f"Groups/{made['id']}", {"op": "remove", "path": "members"}, who=RELEASE)[0] == 403


def test_a_user_is_added_given_permissions_and_removed(site: Site) -> None:
    body = {"userName": "Grace@example.org", "displayName": "Grace"}
    status, made = site.call(ADMIN, "POST", f"{SCIM}/Users", body)
    assert (status, made["userName"], made["active"]) == (201, "Grace@example.org", True)
    assert site.call(ADMIN, "POST", f"{SCIM}/Users", {"userName": "grace@EXAMPLE.org"})[0] == 409
    folder = site.ok(ADMIN, "GET", "/workspace/get-status", {"path": "/Users/Grace@example.org"})["object_id"]
    acl = [{"user_name": "Grace@example.org", "permission_level": "CAN_RUN"}]
    site.ok(ADMIN, "PUT", f"/permissions/directories/{folder}", {"access_control_list": acl})
    for wrong in ("", "nobody", "a/b@c", "../x@y", "ü" * 150 + "@y"):
        assert site.call(ADMIN, "POST", f"{SCIM}/Users", {"userName": wrong})[0] == 400
    headers = dict(site.session(ADMIN).headers)
    url = f"https://{site.workspaces.hosts()[0]}/api/2.0{SCIM}/Users/{made['id']}"
    assert site.client.request("DELETE", url, headers=headers).status_code == 204
    assert site.call(ADMIN, "GET", f"{SCIM}/Users/{made['id']}")[0] == 404


def test_a_service_principal_is_renamed_entitled_put_out_of_action_and_removed(site: Site) -> None:
    place = f"ServicePrincipals/{ident(site, 'app-jobs')}"
    entitle = {"op": "add", "path": "entitlements", "value": [{"value": "allow-cluster-create"}]}
    name = {"op": "replace", "value": {"displayName": "Runner"}}
    status, shown = patch(site, place, entitle, name)
    assert (status, shown["displayName"]) == (200, "Runner")
    assert {"value": "allow-cluster-create"} in shown["entitlements"]
    patch(site, place, {"op": "remove", "path": 'entitlements[value eq "allow-cluster-create"]'})
    assert site.ok(ADMIN, "GET", f"{SCIM}/{place}")["entitlements"] == [{"value": "workspace-access"}]
    site.ok(JOBS, "GET", f"{SCIM}/Me")
    patch(site, place, {"op": "replace", "path": "active", "value": False})
    answer = site.session(JOBS).get(f"https://{site.workspaces.hosts()[0]}/api/2.0{SCIM}/Me")
    assert answer.status_code == 403
    patch(site, place, {"op": "replace", "path": "active", "value": True})
    site.ok(JOBS, "GET", f"{SCIM}/Me")


def test_groups_by_name_with_the_databricks_command(site: Site, databricks_command: Callable[..., str]) -> None:
    databricks_command("groups", "create", "--group-name", "team")
    databricks_command("groups", "add-member", "--parent-name", "team", "--user-name", "ada@example.org")
    assert "team" in databricks_command("groups", "list")
    assert "ada@example.org" in databricks_command("groups", "list-members", "--group-name", "team")
    assert "team" in databricks_command("groups", "list-parents", "--user-name", "ada@example.org")
    me = site.ok(READER, "GET", f"{SCIM}/Me")
    assert [each["display"] for each in me["groups"]] == ["team", "users"]
    databricks_command("groups", "remove-member", "--parent-name", "team", "--user-name", "ada@example.org")
    assert "ada@example.org" not in databricks_command("groups", "list-members", "--group-name", "team")
    databricks_command("groups", "delete", "--group-name", "team")
    missing = site.refused(ADMIN, "GET", "/groups/list-members", {"group_name": "team"})
    assert missing[:2] == (404, "RESOURCE_DOES_NOT_EXIST")
    for verb in ("create", "delete"):
        assert site.refused(READER, "POST", f"/groups/{verb}", {"group_name": "admins"})[0] == 403
    assert site.refused(ADMIN, "POST", "/groups/create", {"group_name": "Admins"})[1] == "RESOURCE_ALREADY_EXISTS"
    assert site.refused(ADMIN, "POST", "/groups/delete", {"group_name": "admins"})[0] == 400


def test_lists_are_filtered_cut_into_pages_and_trimmed(site: Site) -> None:
    for number in range(12):
        group(site, f"team-{number:02}")
    page = site.ok(ADMIN, "GET", f"{SCIM}/Groups", {"filter": 'displayName sw "TEAM-"', "startIndex": 11, "count": 5})
    assert (page["totalResults"], page["itemsPerPage"]) == (12, 2)
    for condition, wanted in (('co "-0"', 10), ('ew "-01"', 1), ('eq "-01"', 0), ("eq team-01", 1)):
        found = site.ok(ADMIN, "GET", f"{SCIM}/Groups", {"filter": f"displayName {condition}"})
        assert found["totalResults"] == wanted
    trimmed = site.ok(READER, "GET", f"{SCIM}/Groups", {"attributes": "displayName", "count": 1})["Resources"][0]
    assert set(trimmed) == {"id", "schemas", "displayName"}
    assert site.ok(ADMIN, "GET", f"{SCIM}/Groups", {"count": 0})["Resources"] == []
    assert site.call(ADMIN, "GET", f"{SCIM}/Groups", {"filter": 'a eq "x" and b eq "y"'})[0] == 501
