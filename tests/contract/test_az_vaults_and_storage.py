"""`az`: key vaults with their secrets, storage accounts with their keys and blobs, and who may reach them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.clients import Commands, Refusal
from tests.contract.place import Place

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def vault(commands: Commands, group: str, place: Place) -> str:
    name = place.name("vault")
    made = commands.az("keyvault", "create", "--resource-group", group, "--name", name, "--location", place.location)
    assert made["properties"]["enableRbacAuthorization"] is True
    allow(commands, place, made["id"], "Key Vault Secrets Officer")
    return name


@pytest.fixture(scope="module")
def account(commands: Commands, group: str, place: Place) -> str:
    name = place.name("blobs", dashes=False)
    about = ["--resource-group", group, "--location", place.location, "--sku", "Standard_LRS"]
    made = commands.az("storage", "account", "create", "--name", name, *about)
    allow(commands, place, made["id"], "Storage Blob Data Contributor")
    return name


def allow(commands: Commands, place: Place, scope: str, role: str) -> None:
    """The role for whoever signed in. In Azure it takes effect after minutes; a rehearsal's admin had it before."""
    mine = place.variables["AZURE_CLIENT_ID"]
    commands.az("role", "assignment", "create", "--assignee", mine, "--role", role, "--scope", scope)


def test_vaults_that_are_deleted_can_be_recovered_or_purged(commands: Commands, group: str, place: Place) -> None:
    name = place.name("gone")
    commands.az("keyvault", "create", "--resource-group", group, "--name", name, "--location", place.location)
    assert name in [one["name"] for one in commands.az("keyvault", "list", "--resource-group", group)]
    commands.az("keyvault", "delete", "--name", name)
    with pytest.raises(Refusal, match="deleted state"):
        commands.az("keyvault", "create", "--resource-group", group, "--name", name, "--location", place.location)
    assert name in [one["name"] for one in commands.az("keyvault", "list-deleted")]
    commands.az("keyvault", "recover", "--name", name)
    assert commands.az("keyvault", "show", "--name", name)["name"] == name
    commands.az("keyvault", "delete", "--name", name)
    assert commands.az("keyvault", "show-deleted", "--name", name)["name"] == name
    commands.az("keyvault", "purge", "--name", name)
    assert name not in [one["name"] for one in commands.az("keyvault", "list-deleted", "--resource-type", "vault")]


def test_secrets(commands: Commands, vault: str) -> None:
    one = ["--vault-name", vault, "--name", "connection"]
    first = commands.az("keyvault", "secret", "set", *one, "--value", "one=1;two=ü")
    commands.az("keyvault", "secret", "set", *one, "--value", "second")
    assert commands.az("keyvault", "secret", "show", *one)["value"] == "second"
    assert commands.az("keyvault", "secret", "show", "--id", first["id"])["value"] == "one=1;two=ü"
    assert len(commands.az("keyvault", "secret", "list-versions", *one)) == 2
    assert [secret["name"] for secret in commands.az("keyvault", "secret", "list", "--vault-name", vault)] == [
        "connection"
    ]
    changed = commands.az("keyvault", "secret", "set-attributes", *one, "--tags", "from=az", "--content-type", "text")
    assert (changed["tags"], changed["contentType"]) == ({"from": "az"}, "text")
    commands.az("keyvault", "secret", "delete", *one)
    with pytest.raises(Refusal, match="SecretNotFound"):
        commands.az("keyvault", "secret", "show", *one)
    deleted = commands.az("keyvault", "secret", "list-deleted", "--vault-name", vault)
    assert [secret["name"] for secret in deleted] == ["connection"]
    commands.az("keyvault", "secret", "recover", *one)
    assert commands.az("keyvault", "secret", "show", *one)["value"] == "second"
    commands.az("keyvault", "secret", "delete", *one)
    assert commands.az("keyvault", "secret", "show-deleted", *one)["recoveryId"]
    commands.az("keyvault", "secret", "purge", *one)


def test_storage_accounts(commands: Commands, account: str, group: str) -> None:
    assert commands.az("storage", "account", "show", "--name", account)["sku"]["name"] == "Standard_LRS"
    assert account in [one["name"] for one in commands.az("storage", "account", "list", "--resource-group", group)]
    assert commands.az("storage", "account", "check-name", "--name", account)["nameAvailable"] is False
    keys = commands.az("storage", "account", "keys", "list", "--resource-group", group, "--account-name", account)
    assert [key["keyName"] for key in keys] == ["key1", "key2"]
    connection = commands.az("storage", "account", "show-connection-string", "--name", account)["connectionString"]
    assert f"AccountName={account}" in connection


@pytest.mark.parametrize("by", ["login", "key"])
def test_blobs(commands: Commands, account: str, group: str, tmp_path: Path, by: str) -> None:
    sign = ["--account-name", account, "--auth-mode", by]
    if by == "key":
        keys = commands.az("storage", "account", "keys", "list", "--resource-group", group, "--account-name", account)
        sign += ["--account-key", keys[0]["value"]]
    container = f"tests-{by}"
    commands.az("storage", "container", "create", "--name", container, *sign)
    assert commands.az("storage", "container", "exists", "--name", container, *sign)["exists"] is True
    assert container in [one["name"] for one in commands.az("storage", "container", "list", *sign)]
    source, back = tmp_path / "source.bin", tmp_path / "back.bin"
    source.write_bytes(bytes(range(256)) * 400)
    blob = ["--container-name", container, "--name", "folder/source.bin", *sign]
    commands.az("storage", "blob", "upload", "--file", str(source), *blob)
    listed = commands.az("storage", "blob", "list", "--container-name", container, *sign)
    assert [(one["name"], one["properties"]["contentLength"]) for one in listed] == [("folder/source.bin", 102400)]
    commands.az("storage", "blob", "download", "--file", str(back), *blob)
    assert back.read_bytes() == source.read_bytes()
    commands.az("storage", "blob", "metadata", "update", "--metadata", "release=7", *blob)
    assert commands.az("storage", "blob", "show", *blob)["metadata"] == {"release": "7"}
    commands.az("storage", "blob", "delete", *blob)
    assert commands.az("storage", "blob", "exists", *blob)["exists"] is False
    commands.az("storage", "container", "delete", "--name", container, *sign)


def test_role_assignments_are_made_seen_and_taken_away(commands: Commands, group: str, place: Place) -> None:
    identity = commands.az("identity", "create", "--resource-group", group, "--name", place.name("reader"))
    who, scope = identity["principalId"], commands.az("group", "show", "--name", group)["id"]
    about = ["--assignee-object-id", who, "--assignee-principal-type", "ServicePrincipal", "--scope", scope]
    made = commands.az("role", "assignment", "create", "--role", "Storage Blob Data Reader", *about)
    assert made["principalId"] == who
    listed = commands.az("role", "assignment", "list", "--resource-group", group)
    names = {(one["principalId"], one["roleDefinitionName"]) for one in listed}
    assert (who, "Storage Blob Data Reader") in names
    shown = next(one for one in listed if one["principalId"] == who)
    assert shown["principalName"]  # the directory's own name of it, from Microsoft Graph
    by_name = commands.az("role", "assignment", "list", "--assignee", who, "--all")
    assert [one["roleDefinitionName"] for one in by_name] == ["Storage Blob Data Reader"]
    roles = commands.az("role", "definition", "list", "--name", "Contributor")
    assert [role["roleName"] for role in roles] == ["Contributor"]
    commands.az("role", "assignment", "delete", "--ids", made["id"])
    assert commands.az("role", "assignment", "list", "--assignee", who, "--all") == []


def test_a_service_principal_is_shown_by_its_application(commands: Commands, place: Place) -> None:
    mine = place.variables["AZURE_CLIENT_ID"]
    assert commands.az("ad", "sp", "show", "--id", mine)["appId"] == mine
    assert [one["appId"] for one in commands.az("ad", "sp", "list", "--filter", f"appId eq '{mine}'")] == [mine]
