"""Who may see and change what in the tree, and the Permissions API over it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.rehearsal.databricks.workbench import ADMIN, CLUSTER, JOBS, READER, RELEASE, Site

ROOT = "/Workspace/Slipway/app/dev"


@pytest.fixture
def root(site: Site) -> str:
    """A root as bootstrap makes it: the release identity manages it, everybody reads it. Gives its object id."""
    site.ok(ADMIN, "POST", "/workspace/mkdirs", {"path": ROOT})
    object_id = site.ok(ADMIN, "GET", "/workspace/get-status", {"path": ROOT})["object_id"]
    acl = [
        {"service_principal_name": "app-release", "permission_level": "CAN_MANAGE"},
        {"group_name": "users", "permission_level": "CAN_READ"},
    ]
    site.ok(ADMIN, "PUT", f"/permissions/directories/{object_id}", {"access_control_list": acl})
    return str(object_id)


def write(site: Site, path: str) -> tuple[int, Any]:
    content = base64.b64encode(b"1").decode()
    return site.call(
        READER, "POST", "/workspace/import", {"path": path, "content": content, "format": "RAW", "overwrite": True}
    )


def test_the_release_writes_and_readers_read(site: Site, root: str) -> None:
    site.notebook(f"{ROOT}/blue/notebooks/score", "exit 1", RELEASE)
    assert site.ok(READER, "GET", "/workspace/export", {"path": f"{ROOT}/blue/notebooks/score"})["file_type"] == "py"
    assert [
        entry["path"] for entry in site.ok(READER, "GET", "/workspace/list", {"path": f"{ROOT}/blue"})["objects"]
    ] == [f"{ROOT}/blue/notebooks"]
    for path in (f"{ROOT}/blue/x", f"{ROOT}/blue/notebooks/score"):
        status, body = write(site, path)
        assert (status, body["error_code"]) == (403, "PERMISSION_DENIED")
    refused = site.refused(READER, "POST", "/workspace/delete", {"path": f"{ROOT}/blue", "recursive": True})
    assert refused == (
        403,
        "PERMISSION_DENIED",
        f"ada@example.org does not have Manage permissions on {ROOT}/blue."
        " Please contact the owner or an administrator for access.",
    )


def test_without_a_grant_only_the_way_to_what_one_may_see_shows(site: Site, root: str) -> None:
    site.notebook("/Workspace/Slipway/other/nb", "1")
    shown = site.ok(READER, "GET", "/workspace/list", {"path": "/Workspace/Slipway"})["objects"]
    assert [entry["path"] for entry in shown] == ["/Workspace/Slipway/app"]
    assert site.refused(READER, "GET", "/workspace/get-status", {"path": "/Workspace/Slipway/other"})[:2] == (
        403,
        "PERMISSION_DENIED",
    )
    assert site.call(READER, "GET", "/workspace/export", {"path": "/Workspace/Slipway/other/nb"})[0] == 403


@pytest.mark.parametrize(
    ("level", "may_change", "may_create"),
    [("CAN_RUN", False, False), ("CAN_EDIT", True, False), ("CAN_MANAGE", True, True)],
)
def test_levels_on_a_folder(site: Site, root: str, level: str, may_change: bool, may_create: bool) -> None:
    site.ok(ADMIN, "POST", "/workspace/import", {"path": f"{ROOT}/there", "content": "", "format": "RAW"})
    acl = [{"user_name": "ada@example.org", "permission_level": level}]
    site.ok(ADMIN, "PATCH", f"/permissions/directories/{root}", {"access_control_list": acl})
    assert (write(site, f"{ROOT}/there")[0] == 200) is may_change
    assert (write(site, f"{ROOT}/new")[0] == 200) is may_create


def test_permissions_show_what_is_direct_and_what_is_inherited(site: Site, root: str) -> None:
    site.notebook(f"{ROOT}/nb", "1", RELEASE)
    object_id = site.ok(ADMIN, "GET", "/workspace/get-status", {"path": f"{ROOT}/nb"})["object_id"]
    acl = [{"group_name": "users", "permission_level": "CAN_RUN"}]
    shown = site.ok(RELEASE, "PUT", f"/permissions/notebooks/{object_id}", {"access_control_list": acl})
    assert (shown["object_id"], shown["object_type"]) == (f"/notebooks/{object_id}", "notebook")
    assert shown["access_control_list"] == [
        {
            "group_name": "users",
            "all_permissions": [
                {"permission_level": "CAN_RUN", "inherited": False},
                {"permission_level": "CAN_READ", "inherited": True, "inherited_from_object": [f"/directories/{root}"]},
            ],
        },
        {
            "service_principal_name": "app-release",
            "display_name": "Release",
            "all_permissions": [
                {"permission_level": "CAN_MANAGE", "inherited": True, "inherited_from_object": [f"/directories/{root}"]}
            ],
        },
        {
            "group_name": "admins",
            "all_permissions": [
                {"permission_level": "CAN_MANAGE", "inherited": True, "inherited_from_object": ["/directories/"]}
            ],
        },
    ]
    assert site.refused(READER, "GET", f"/permissions/notebooks/{object_id}", {})[0] == 403
    levels = site.ok(ADMIN, "GET", f"/permissions/notebooks/{object_id}/permissionLevels")["permission_levels"]
    assert [entry["permission_level"] for entry in levels] == ["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"]


def test_the_same_principal_twice_the_last_one_wins(site: Site, root: str) -> None:
    acl = [{"group_name": "users", "permission_level": level} for level in ("CAN_EDIT", "CAN_READ")]
    shown = site.ok(ADMIN, "PUT", f"/permissions/directories/{root}", {"access_control_list": acl})
    assert shown["access_control_list"][0]["all_permissions"] == [{"permission_level": "CAN_READ", "inherited": False}]


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"group_name": "nobody", "permission_level": "CAN_READ"}, "RESOURCE_DOES_NOT_EXIST"),
        ({"service_principal_name": "nobody", "permission_level": "CAN_READ"}, "RESOURCE_DOES_NOT_EXIST"),
        ({"group_name": "users", "permission_level": "CAN_VIEW"}, "INVALID_PARAMETER_VALUE"),
        ({"group_name": "users"}, "INVALID_PARAMETER_VALUE"),
        ({"permission_level": "CAN_READ"}, "INVALID_PARAMETER_VALUE"),
        ("users", "INVALID_PARAMETER_VALUE"),
    ],
)
def test_entries_that_can_not_be(site: Site, root: str, entry: Any, code: str) -> None:
    assert site.refused(ADMIN, "PUT", f"/permissions/directories/{root}", {"access_control_list": [entry]})[1] == code


def test_the_root_keeps_its_admins_and_fixed_folders_their_lists(site: Site) -> None:
    message = site.refused(ADMIN, "PUT", "/permissions/directories/0", {"access_control_list": []})[2]
    assert message == "Cannot remove admins's CAN_MANAGE permission on 0"
    shared = site.ok(ADMIN, "GET", "/workspace/get-status", {"path": "/Shared"})["object_id"]
    message = site.refused(ADMIN, "PUT", f"/permissions/directories/{shared}", {"access_control_list": []})[2]
    assert message == f"Cannot modify permissions of directory {shared}"


def test_types_and_ids_that_are_not_there(site: Site) -> None:
    assert site.refused(ADMIN, "GET", "/permissions/things/1", {})[2] == "request_object_type is not recognized: things"
    assert site.refused(ADMIN, "GET", "/permissions/clusters/1", {})[1] == "NOT_IMPLEMENTED"
    assert site.refused(ADMIN, "GET", "/permissions/notebooks/12345", {})[0] == 404
    assert site.refused(ADMIN, "GET", "/permissions/directories/x", {})[0] == 404


def test_whoever_creates_manages_it(site: Site) -> None:
    shared = "/Shared/from-ada"
    site.notebook(f"{shared}/nb", "1", READER)
    object_id = site.ok(READER, "GET", "/workspace/get-status", {"path": shared})["object_id"]
    assert site.ok(READER, "GET", f"/permissions/directories/{object_id}")["object_type"] == "directory"


def test_scim_lists_and_filters(site: Site) -> None:
    found = site.ok(ADMIN, "GET", "/preview/scim/v2/ServicePrincipals", {"filter": 'applicationId eq "app-jobs"'})
    assert [entry["displayName"] for entry in found["Resources"]] == ["Jobs"]
    one = site.ok(ADMIN, "GET", f"/preview/scim/v2/ServicePrincipals/{found['Resources'][0]['id']}")
    assert one["externalId"] == "oid-jobs"
    page = site.ok(ADMIN, "GET", "/preview/scim/v2/ServicePrincipals", {"startIndex": 2, "count": 1})
    assert (page["totalResults"], page["itemsPerPage"], page["startIndex"]) == (3, 1, 2)
    groups = site.ok(ADMIN, "GET", "/preview/scim/v2/Groups", {"filter": 'displayName eq "admins"'})["Resources"]
    assert [member["display"] for member in groups[0]["members"]] == ["Platform"]
    status, body = site.call(ADMIN, "GET", "/preview/scim/v2/Groups/999")
    assert (status, body["schemas"]) == (404, ["urn:ietf:params:scim:api:messages:2.0:Error"])


def test_an_admin_adds_a_service_principal_of_the_tenant(site: Site) -> None:
    body = {
        "applicationId": "app-stranger",
        "displayName": "Stranger",
        "entitlements": [{"value": "allow-cluster-create"}],
    }
    assert site.call(RELEASE, "POST", "/preview/scim/v2/ServicePrincipals", body)[0] == 403
    assert site.call(ADMIN, "POST", "/preview/scim/v2/ServicePrincipals", body)[0] == 201
    shown = site.ok(ADMIN, "GET", "/preview/scim/v2/ServicePrincipals", {"filter": 'applicationId eq "app-stranger"'})
    assert shown["Resources"][0]["entitlements"] == [{"value": "allow-cluster-create"}, {"value": "workspace-access"}]
    assert site.call(ADMIN, "POST", "/preview/scim/v2/ServicePrincipals", body)[0] == 409
    assert site.ok(ADMIN, "GET", "/workspace/get-status", {"path": "/Users/app-stranger"})["object_type"] == "DIRECTORY"
    unknown = {"applicationId": "app-nobody"}
    assert site.call(ADMIN, "POST", "/preview/scim/v2/ServicePrincipals", unknown)[0] == 501


def test_a_submitted_run_shows_to_whoever_may_read_its_notebooks(site: Site) -> None:
    site.notebook("/Slot/nb", "exit 1")
    site.notebook("/Other/nb", "exit 1")
    folder = site.ok(ADMIN, "GET", "/workspace/get-status", {"path": "/Slot"})["object_id"]
    reads = [
        {"service_principal_name": "app-release", "permission_level": "CAN_MANAGE"},
        {"user_name": "ada@example.org", "permission_level": "CAN_READ"},
    ]
    site.ok(ADMIN, "PATCH", f"/permissions/directories/{folder}", {"access_control_list": reads})

    def submit(*paths: str, **more: Any) -> int:
        tasks = [
            {"task_key": f"t{n}", "notebook_task": {"notebook_path": path}, "new_cluster": CLUSTER}
            for n, path in enumerate(paths)
        ]
        return int(site.ok(JOBS, "POST", "/jobs/runs/submit", {"tasks": tasks, **more}, "2.2")["run_id"])

    of_slot, mixed = submit("/Slot/nb"), submit("/Slot/nb", "/Other/nb")
    listed = submit(
        "/Slot/nb", access_control_list=[{"service_principal_name": "app-jobs", "permission_level": "CAN_MANAGE"}]
    )
    for who in (RELEASE, READER):
        seen = {run["run_id"] for run in site.ok(who, "GET", "/jobs/runs/list", {}, "2.2")["runs"]}
        assert seen == {of_slot}, who
    assert {mixed, listed} & {run["run_id"] for run in site.ok(JOBS, "GET", "/jobs/runs/list", {}, "2.2")["runs"]}
    site.ok(RELEASE, "POST", "/jobs/runs/cancel", {"run_id": of_slot}, "2.2")
    assert site.call(READER, "POST", "/jobs/runs/cancel", {"run_id": of_slot}, "2.2")[0] == 403
