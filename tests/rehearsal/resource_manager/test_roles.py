"""Role assignments: what they permit, where, and from when."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.resource_manager.role_definitions import BUILT_IN
from rehearsal.resource_manager.roles import Roles, UnknownRoleError
from rehearsal.store import Store

GROUP = "/subscriptions/s/resourceGroups/rg"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv"
READ_SECRET = "Microsoft.KeyVault/vaults/secrets/getSecret/action"


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def roles(tmp_path: Path, time: Time) -> Roles:
    return Roles(Store(tmp_path / "s.sqlite"), time, delay_seconds=60)


def test_takes_effect_late(roles: Roles, time: Time) -> None:
    roles.assign(scope=VAULT, principal_id="p", role_name="Key Vault Secrets User")
    assert not roles.allowed("p", VAULT, READ_SECRET, data=True)
    time.now += 59.9
    assert not roles.allowed("p", VAULT, READ_SECRET, data=True)
    time.now += 0.1
    assert roles.allowed("p", VAULT, READ_SECRET, data=True)


def test_seeded_ones_work_at_once(roles: Roles) -> None:
    roles.assign(scope=GROUP, principal_id="p", role_name="Owner", immediately=True)
    assert roles.allowed("P", VAULT.upper(), "Microsoft.KeyVault/vaults/write")
    late = roles.assign(scope=GROUP, principal_id="q", role_name="Reader")
    assert not roles.allowed("q", GROUP, "x/read")
    assert roles.assign(scope=GROUP, principal_id="q", role_name="Reader", immediately=True)["id"] == late["id"]
    assert roles.allowed("q", GROUP, "x/read")


def test_removal_is_late_too(roles: Roles, time: Time) -> None:
    made = roles.assign(scope=GROUP, principal_id="p", role_name="Owner", immediately=True)
    assert roles.remove(made["id"].upper()) is not None
    assert roles.get(made["id"]) is None
    assert roles.allowed("p", GROUP, "a/b/write")
    time.now += 60
    assert not roles.allowed("p", GROUP, "a/b/write")
    assert roles.remove(made["id"]) is None


def test_survives_a_restart(tmp_path: Path, time: Time) -> None:
    store = Store(tmp_path / "s.sqlite")
    first = Roles(store, time, delay_seconds=60)
    gone = first.assign(scope=GROUP, principal_id="gone", role_name="Owner", immediately=True)
    first.assign(scope=GROUP, principal_id="p", role_name="Owner")
    first.remove(gone["id"])
    store.close()
    again = Roles(Store(tmp_path / "s.sqlite"), time, delay_seconds=60)
    assert again.allowed("gone", GROUP, "a/b/write")
    assert not again.allowed("p", GROUP, "a/b/write")
    time.now += 60
    assert not again.allowed("gone", GROUP, "a/b/write")
    assert again.allowed("p", GROUP, "a/b/write")


def test_scopes_are_inherited_downwards_only(roles: Roles) -> None:
    roles.assign(scope=VAULT, principal_id="p", role_name="Reader", immediately=True)
    assert roles.allowed("p", VAULT + "/secrets/x", "Microsoft.KeyVault/vaults/secrets/read")
    assert not roles.allowed("p", GROUP, "Microsoft.KeyVault/vaults/read")
    assert not roles.allowed("p", VAULT + "2", "Microsoft.KeyVault/vaults/read")


@pytest.mark.parametrize(
    ("role", "action", "data", "allowed"),
    [
        ("Contributor", "Microsoft.Storage/storageAccounts/write", False, True),
        ("Contributor", "Microsoft.Storage/storageAccounts/listKeys/action", False, True),
        ("Contributor", "Microsoft.Authorization/roleAssignments/write", False, False),
        ("Contributor", "Microsoft.Authorization/roleAssignments/read", False, True),
        ("Contributor", READ_SECRET, True, False),
        ("Owner", READ_SECRET, True, False),
        ("Reader", "Microsoft.Storage/storageAccounts/listKeys/action", False, False),
        ("Role Based Access Control Administrator", "Microsoft.Authorization/roleAssignments/write", False, True),
        ("Role Based Access Control Administrator", "Microsoft.Authorization/locks/write", False, False),
        ("User Access Administrator", "Microsoft.Authorization/locks/write", False, True),
        ("Key Vault Secrets Officer", "Microsoft.KeyVault/vaults/secrets/setSecret/action", True, True),
        ("Key Vault Secrets Officer", "Microsoft.KeyVault/vaults/keys/create/action", True, False),
        (
            "Storage Blob Data Reader",
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
            True,
            False,
        ),
        (
            "Storage Blob Data Owner",
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/x/action",
            True,
            True,
        ),
        ("Data Factory Contributor", "Microsoft.DataFactory/factories/pipelines/write", False, True),
    ],
)
def test_what_roles_permit(roles: Roles, role: str, action: str, data: bool, allowed: bool) -> None:
    roles.assign(scope="/", principal_id="p", role_name=role, immediately=True)
    assert roles.allowed("p", VAULT, action, data=data) is allowed


def test_definitions_are_found_by_every_name(roles: Roles) -> None:
    for definition in BUILT_IN:
        by_id = f"/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{definition.name.upper()}"
        assert roles.definition(definition.role_name.upper()) == roles.definition(by_id) == definition
    with pytest.raises(UnknownRoleError):
        roles.definition("Emperor")
