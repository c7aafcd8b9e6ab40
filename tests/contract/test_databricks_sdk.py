"""databricks-sdk: workspace files, DBFS, secrets, members, permissions. It signs in with the exports' client secret."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, ResourceAlreadyExists, ResourceConflict
from databricks.sdk.service import catalog, iam
from databricks.sdk.service import workspace as files
from databricks.sdk.service.workspace import ExportFormat, ImportFormat, Language

from tests.contract.clients import Commands
from tests.contract.place import Place

pytestmark = pytest.mark.contract
PATCH = iam.PatchSchema.URN_IETF_PARAMS_SCIM_API_MESSAGES_2_0_PATCH_OP


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


def test_volumes_and_their_files(workspace: WorkspaceClient, place: Place) -> None:
    name = place.name("sdk").replace("-", "_")
    made = workspace.volumes.create("main", "default", name, catalog.VolumeType.MANAGED)
    folder = f"/Volumes/main/default/{name}/deeper"
    try:
        assert name in [one.name for one in workspace.volumes.list("main", "default")]
        assert workspace.volumes.read(made.full_name).volume_type == catalog.VolumeType.MANAGED
        workspace.files.create_directory(folder)
        workspace.files.get_directory_metadata(folder)
        workspace.files.upload(f"{folder}/data.bin", io.BytesIO(bytes(range(256))), overwrite=True)
        with pytest.raises(ResourceConflict):
            workspace.files.upload(f"{folder}/data.bin", io.BytesIO(b""), overwrite=False)
        assert workspace.files.get_metadata(f"{folder}/data.bin").content_length == 256
        assert workspace.files.download(f"{folder}/data.bin").contents.read() == bytes(range(256))
        assert [one.name for one in workspace.files.list_directory_contents(folder)] == ["data.bin"]
        large = io.BytesIO(bytes(range(256)) * 4096)
        workspace.config.files_ext_multipart_upload_min_stream_size = 1024  # in parts, if the workspace lets it
        workspace.files.upload(f"{folder}/large.bin", large, overwrite=True)
        assert workspace.files.get_metadata(f"{folder}/large.bin").content_length == 256 * 4096
        workspace.files.delete(f"{folder}/large.bin")
        with pytest.raises(BadRequest):
            workspace.files.delete_directory(folder)
        workspace.files.delete(f"{folder}/data.bin")
        workspace.files.delete_directory(folder)
        with pytest.raises(NotFound):
            workspace.files.get_metadata(f"{folder}/data.bin")
    finally:
        workspace.volumes.delete(made.full_name)


def test_git_folders(workspace: WorkspaceClient, folder: str, place: Place) -> None:
    for old in workspace.git_credentials.list():
        workspace.git_credentials.delete(old.credential_id)
    kept = workspace.git_credentials.create("gitHub", git_username="me", personal_access_token="not-a-token")
    assert workspace.git_credentials.get(kept.credential_id).git_username == "me"
    workspace.git_credentials.update(kept.credential_id, "gitHub", git_username="you", personal_access_token="nor-this")
    assert [one.git_username for one in workspace.git_credentials.list()] == ["you"]
    repo = workspace.repos.create(place.repository, "gitHub", path=f"{folder}/app")
    assert (repo.branch, repo.path) == ("main", f"{folder}/app")
    assert workspace.workspace.get_status(f"{folder}/app/etl/load").object_type == files.ObjectType.NOTEBOOK
    workspace.repos.update(repo.id, branch="main")
    assert workspace.repos.get(repo.id).head_commit_id == repo.head_commit_id
    assert repo.id in [one.id for one in workspace.repos.list(path_prefix=folder)]
    workspace.repos.delete(repo.id)
    workspace.git_credentials.delete(kept.credential_id)


def test_who_may_use_a_service_principal(workspace: WorkspaceClient, place: Place) -> None:
    """Which account the workspace is in is asked as the Databricks command asks it."""
    said = workspace.api_client.do("GET", "/api/2.0/tokens/introspect")
    account = said["principal_context"]["authentication_scope"]["account_id"]
    mine = place.variables["AZURE_CLIENT_ID"]
    name = f"accounts/{account}/servicePrincipals/{mine}/ruleSets/default"
    rules = workspace.account_access_control_proxy
    before = rules.get_rule_set(name=name, etag="")
    user = iam.GrantRule(role="roles/servicePrincipal.user", principals=[f"servicePrincipals/{mine}"])
    wanted = iam.RuleSetUpdateRequest(name=name, etag=before.etag, grant_rules=[*(before.grant_rules or []), user])
    after = rules.update_rule_set(name=name, rule_set=wanted)
    assert user in (after.grant_rules or [])
    assert after.etag != before.etag
    with pytest.raises(ResourceConflict):
        rules.update_rule_set(name=name, rule_set=wanted)
    rules.update_rule_set(
        name=name,
        rule_set=iam.RuleSetUpdateRequest(name=name, etag=after.etag, grant_rules=before.grant_rules or []),
    )


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


def test_an_identity_joins_the_workspace(
    workspace: WorkspaceClient, commands: Commands, group: str, place: Place
) -> None:
    identity = commands.az("identity", "create", "--resource-group", group, "--name", place.name("member"))
    added = workspace.service_principals.create(application_id=identity["clientId"], display_name="Contract tests")
    assert added.application_id == identity["clientId"]
    assert workspace.service_principals.get(added.id).application_id == identity["clientId"]
    name = iam.Patch(op=iam.PatchOp.REPLACE, path="displayName", value="Renamed")
    workspace.service_principals.patch(added.id, operations=[name], schemas=[PATCH])
    assert workspace.service_principals.get(added.id).display_name == "Renamed"
    workspace.service_principals.update(
        added.id, application_id=added.application_id, display_name="Again", active=True
    )
    assert workspace.service_principals.get(added.id).display_name == "Again"
    workspace.service_principals.delete(added.id)
    with pytest.raises(NotFound):
        workspace.service_principals.get(added.id)


def test_people_and_their_groups(workspace: WorkspaceClient, place: Place) -> None:
    person = workspace.users.create(user_name=f"{place.prefix}@example.org", display_name="Ada")
    group = workspace.groups.create(display_name=place.name("people"))
    try:
        add = iam.Patch(op=iam.PatchOp.ADD, value={"members": [{"value": person.id}]})
        workspace.groups.patch(group.id, operations=[add], schemas=[PATCH])
        assert [one.value for one in workspace.groups.get(group.id).members] == [person.id]
        workspace.groups.update(group.id, display_name=place.name("people"), members=[])
        assert not workspace.groups.get(group.id).members
        name = iam.Patch(op=iam.PatchOp.REPLACE, path="displayName", value="Grace")
        workspace.users.patch(person.id, operations=[name], schemas=[PATCH])
        assert workspace.users.get(person.id).display_name == "Grace"
        workspace.users.update(person.id, user_name=person.user_name, display_name="Ada", active=True)
        assert person.user_name in [one.user_name for one in workspace.users.list()]
    finally:
        workspace.users.delete(person.id)
        workspace.groups.delete(group.id)


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


def test_settings_of_the_workspace(workspace: WorkspaceClient) -> None:
    name = "maxTokenLifetimeDays"
    before = workspace.workspace_conf.get_status(keys=name).get(name) or "0"
    workspace.workspace_conf.set_status({name: before})
    assert (workspace.workspace_conf.get_status(keys=name).get(name) or "0") == before
    with pytest.raises(BadRequest):
        workspace.workspace_conf.get_status(keys="noSuchSetting")


def test_what_clusters_can_be_made_of(workspace: WorkspaceClient) -> None:
    assert workspace.clusters.select_spark_version(long_term_support=True)
    assert "Standard_D4ds_v5" in [one.node_type_id for one in workspace.clusters.list_node_types().node_types]
    list(workspace.clusters.list())
