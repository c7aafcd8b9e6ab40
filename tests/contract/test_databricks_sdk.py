"""databricks-sdk: workspace files, DBFS, secrets, members, permissions. It signs in with the exports' client secret."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound, ResourceAlreadyExists
from databricks.sdk.service import iam
from databricks.sdk.service import workspace as files
from databricks.sdk.service.workspace import ExportFormat, ImportFormat, Language

from tests.contract.place import Place

pytestmark = pytest.mark.contract


@pytest.fixture
def folder(workspace: WorkspaceClient, place: Place) -> Iterator[str]:
    path = f"/Shared/{place.name('sdk')}"
    workspace.workspace.mkdirs(path)
    yield path
    workspace.workspace.delete(path, recursive=True)


def test_the_caller(workspace: WorkspaceClient, place: Place) -> None:
    assert workspace.current_user.me().user_name == place.variables["AZURE_CLIENT_ID"]
    assert workspace.get_workspace_id() > 0


def test_notebooks_and_files(workspace: WorkspaceClient, folder: str) -> None:
    source = b"# Databricks notebook source\nprint(1)\n"
    workspace.workspace.upload(f"{folder}/n.py", io.BytesIO(source), format=ImportFormat.AUTO)
    workspace.workspace.upload(f"{folder}/data.bin", io.BytesIO(bytes(range(256))), format=ImportFormat.RAW)
    workspace.workspace.import_(f"{folder}/q", content=base64.b64encode(b"SELECT 1").decode(), language=Language.SQL,
                             format=ImportFormat.SOURCE)  # fmt: skip
    kinds = {one.path: one.object_type for one in workspace.workspace.list(folder)}
    assert kinds == {
        f"{folder}/n": files.ObjectType.NOTEBOOK,
        f"{folder}/q": files.ObjectType.NOTEBOOK,
        f"{folder}/data.bin": files.ObjectType.FILE,
    }
    assert workspace.workspace.get_status(f"{folder}/n").language == Language.PYTHON
    assert workspace.workspace.download(f"{folder}/data.bin").read() == bytes(range(256))
    exported = workspace.workspace.export(f"{folder}/n", format=ExportFormat.SOURCE)
    assert base64.b64decode(exported.content) == source
    with pytest.raises(ResourceAlreadyExists):
        workspace.workspace.upload(f"{folder}/n.py", io.BytesIO(source), format=ImportFormat.AUTO)
    workspace.workspace.upload(
        f"{folder}/n.py", io.BytesIO(source + b"# 2\n"), format=ImportFormat.AUTO, overwrite=True
    )
    workspace.workspace.delete(f"{folder}/n")
    with pytest.raises(NotFound, match=r"Path \(.*\) doesn't exist."):
        workspace.workspace.get_status(f"{folder}/n")


def test_secrets_and_who_may_read_them(workspace: WorkspaceClient, place: Place) -> None:
    scope = place.name("sdk")
    workspace.secrets.create_scope(scope)
    try:
        with pytest.raises(ResourceAlreadyExists, match="already exists"):
            workspace.secrets.create_scope(scope)
        assert scope in [one.name for one in workspace.secrets.list_scopes()]
        workspace.secrets.put_secret(scope, "text", string_value="größe")
        workspace.secrets.put_secret(scope, "bytes", bytes_value=base64.b64encode(b"\0\1").decode())
        assert {one.key for one in workspace.secrets.list_secrets(scope)} == {"text", "bytes"}
        assert base64.b64decode(workspace.secrets.get_secret(scope, "text").value).decode() == "größe"
        workspace.secrets.put_acl(scope, "users", files.AclPermission.READ)
        assert workspace.secrets.get_acl(scope, "users").permission == files.AclPermission.READ
        assert {one.principal for one in workspace.secrets.list_acls(scope)} >= {"users"}
        workspace.secrets.delete_acl(scope, "users")
        workspace.secrets.delete_secret(scope, "text")
        with pytest.raises(NotFound):
            workspace.secrets.delete_secret(scope, "text")
    finally:
        workspace.secrets.delete_scope(scope)


def test_dbfs(workspace: WorkspaceClient, place: Place) -> None:
    folder = f"/tmp/{place.name('sdk')}"
    workspace.dbfs.mkdirs(folder)
    data = bytes(range(256)) * 10_000  # in blocks of a megabyte
    workspace.dbfs.upload(f"{folder}/large.bin", io.BytesIO(data), overwrite=True)
    workspace.dbfs.put(f"{folder}/small.txt", contents=base64.b64encode(b"small").decode(), overwrite=True)
    assert {one.path: one.file_size for one in workspace.dbfs.list(folder)} == {
        f"{folder}/large.bin": len(data),
        f"{folder}/small.txt": 5,
    }
    assert workspace.dbfs.download(f"{folder}/large.bin").read() == data
    workspace.dbfs.move(f"{folder}/small.txt", f"{folder}/moved.txt")
    assert workspace.dbfs.get_status(f"{folder}/moved.txt").file_size == 5
    workspace.dbfs.delete(folder, recursive=True)
    assert not workspace.dbfs.exists(folder)


def test_members(workspace: WorkspaceClient, place: Place) -> None:
    mine = place.variables["AZURE_CLIENT_ID"]
    found = list(workspace.service_principals.list(filter=f'applicationId eq "{mine}"'))
    assert [one.application_id for one in found] == [mine]
    assert workspace.service_principals.get(found[0].id).application_id == mine
    groups = {group.display_name: group.id for group in workspace.groups.list()}
    assert {"users", "admins"} <= set(groups)
    assert workspace.groups.get(groups["admins"]).display_name == "admins"
    for person in workspace.users.list():
        assert workspace.users.get(person.id).user_name == person.user_name


def test_permissions(workspace: WorkspaceClient, folder: str) -> None:
    number = str(workspace.workspace.get_status(folder).object_id)
    levels = workspace.permissions.get_permission_levels("directories", number).permission_levels
    assert {level.permission_level.value for level in levels} == {"CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"}
    entry = iam.AccessControlRequest(group_name="users", permission_level=iam.PermissionLevel.CAN_RUN)
    workspace.permissions.update("directories", number, access_control_list=[entry])
    shown = workspace.permissions.get("directories", number)
    direct = {
        (one.group_name, level.permission_level)
        for one in shown.access_control_list
        for level in one.all_permissions
        if not level.inherited
    }
    assert ("users", iam.PermissionLevel.CAN_RUN) in direct
    workspace.permissions.set("directories", number, access_control_list=[])
    left = workspace.permissions.get("directories", number).access_control_list
    assert all(level.inherited for one in left for level in one.all_permissions)


def test_what_clusters_can_be_made_of(workspace: WorkspaceClient) -> None:
    assert workspace.clusters.select_spark_version(long_term_support=True)
    assert "Standard_D4ds_v5" in [one.node_type_id for one in workspace.clusters.list_node_types().node_types]
    list(workspace.clusters.list())
