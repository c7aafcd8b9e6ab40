"""Pieces in Azure: providers, groups, roles, locks, the state, the factory."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from rehearsal.pieces.hand import Hand
from rehearsal.pieces.piece import Piece
from rehearsal.resource_manager.roles import UnknownRoleError

GROUPS, LOCKS, ROLES, STORAGE = "2021-04-01", "2020-05-01", "2022-04-01", "2023-05-01"
# So little before its time that the mend, to wait, takes seconds.
_ALMOST_OLD = 585.0


def _delete_group(hand: Hand) -> None:
    hand.arm("DELETE", hand.group, GROUPS)


def _take_role(scope: Callable[[Hand], str], role: str) -> Callable[[Hand], None]:
    def lose(hand: Hand) -> None:
        principal = hand.environment.azure.release_identity.object_id
        found = hand.call(lambda: hand.azure.world.roles.find(scope(hand), principal, role))
        if found is None:
            raise UnknownRoleError(f"{principal} has no {role}")
        # A lock against deletion holds roles, too.
        _with_lock_open(hand, lambda: hand.arm("DELETE", str(found["id"]), ROLES))

    return lose


def _lock_group(hand: Hand) -> None:
    path = f"{hand.group}/providers/Microsoft.Authorization/locks/month-end"
    hand.arm("PUT", path, LOCKS, {"properties": {"level": "ReadOnly", "notes": "nothing moves"}})


def _unlock_state(hand: Hand) -> None:
    found = hand.arm("GET", f"{hand.state_group}/providers/Microsoft.Authorization/locks", LOCKS)
    for lock in found.get("value") or []:
        hand.arm("DELETE", str(lock["id"]), LOCKS)


def _delete_state_account(hand: Hand) -> None:
    _unlock_state(hand)
    hand.arm("DELETE", hand.state_account, STORAGE)


def _delete_container(name: Callable[[Hand], str]) -> Callable[[Hand], None]:
    def lose(hand: Hand) -> None:
        _with_lock_open(hand, lambda: hand.arm("DELETE", _container(hand, name(hand)), STORAGE))

    return lose


def _container(hand: Hand, name: str) -> str:
    return f"{hand.state_account}/blobServices/default/containers/{name}"


def _with_lock_open(hand: Hand, change: Callable[[], Any]) -> None:
    """Whoever loses something below a lock against deletion takes the lock away, and puts it back."""
    found = hand.arm("GET", f"{hand.state_group}/providers/Microsoft.Authorization/locks", LOCKS).get("value") or []
    for lock in found:
        hand.arm("DELETE", str(lock["id"]), LOCKS)
    change()
    for lock in found:
        hand.arm("PUT", str(lock["id"]), LOCKS, {"properties": lock["properties"]})


def _blob_service(**properties: Any) -> Callable[[Hand], None]:
    def lose(hand: Hand) -> None:
        hand.arm("PUT", f"{hand.state_account}/blobServices/default", STORAGE, {"properties": properties})

    return lose


def _allow_keys(hand: Hand) -> None:
    hand.arm("PATCH", hand.state_account, STORAGE, {"properties": {"allowSharedKeyAccess": True}})


def _delete_factory(hand: Hand) -> None:
    hand.arm("DELETE", hand.factory, "2018-06-01")


def _make_roles_young(hand: Hand) -> None:
    """The role on the group was given a little less than 10 minutes ago."""
    roles, principal = hand.azure.world.roles, hand.environment.azure.release_identity.object_id

    def change() -> None:
        found = roles.find(hand.group, principal, "Contributor")
        if found is None:
            raise LookupError("Contributor")
        made = datetime.fromtimestamp(time.time() - _ALMOST_OLD, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
        roles.update(str(found["id"]), {"createdOn": made})

    hand.call(change)


def _register(namespace: str, state: str) -> Callable[[Hand], None]:
    def lose(hand: Hand) -> None:
        subscription = hand.environment.azure.subscription_id
        resources = hand.azure.world.resources
        hand.call(lambda: resources.set_registration(subscription, namespace, state))

    return lose


def _close_state(hand: Hand) -> None:
    rules = {"defaultAction": "Deny", "bypass": "AzureServices", "ipRules": []}
    hand.arm("PATCH", hand.state_account, STORAGE, {"properties": {"networkAcls": rules}})


def _delete_identity(hand: Hand) -> None:
    name = hand.environment.azure.release_identity.name
    path = f"{hand.state_group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    hand.arm("DELETE", path, "2023-01-31")


def _take_factory_identity(hand: Hand) -> None:
    """Nobody can do that to a factory by one request; one that was made without an identity is like that."""
    resources = hand.azure.world.resources

    def change() -> None:
        factory = resources.get(hand.factory) or {}
        resources.put({key: value for key, value in factory.items() if key != "identity"})

    hand.call(change)


def _disable(hand: Hand) -> None:
    """As whoever pays for it does, or Microsoft for them."""
    resources, subscription = hand.azure.world.resources, hand.environment.azure.subscription_id
    hand.call(lambda: resources.set_subscription_state(subscription, "Disabled"))


PIECES = (
    Piece(
        name="subscription-enabled",
        says="a subscription that takes changes: it is disabled",
        finding="azure.subscription_state",
        lose=_disable,
    ),
    *(
        Piece(
            name=f"provider-{namespace.lower()}",
            says=f"the registration of Microsoft.{namespace}",
            finding="azure.provider",
            lose=_register(f"Microsoft.{namespace}", "NotRegistered"),
        )
        for namespace in ("Storage", "KeyVault", "DataFactory", "Databricks", "ManagedIdentity")
    ),
    Piece(
        name="provider-registering",
        says="time: Microsoft.KeyVault is being registered",
        finding="azure.provider_registering",
        lose=_register("Microsoft.KeyVault", "Registering"),
    ),
    Piece(
        name="group",
        says="the environment's resource group",
        finding="azure.group",
        lose=_delete_group,
        shown="roles.contributor",
    ),
    Piece(
        name="role-contributor",
        says="Contributor of the release identity on the group",
        finding="roles.contributor",
        lose=_take_role(lambda hand: hand.group, "Contributor"),
    ),
    Piece(
        name="role-access-administrator",
        says="Role Based Access Control Administrator of the release identity on the group",
        finding="roles.access_administrator",
        lose=_take_role(lambda hand: hand.group, "Role Based Access Control Administrator"),
    ),
    Piece(
        name="role-state",
        says="Storage Blob Data Contributor of the release identity on the state account",
        finding="roles.state",
        lose=_take_role(lambda hand: hand.state_account, "Storage Blob Data Contributor"),
    ),
    Piece(
        name="roles-new",
        says="time: a role of the release identity was given minutes ago",
        finding="roles.new",
        lose=_make_roles_young,
    ),
    Piece(
        name="group-lock", says="a group that can be written to: it is ReadOnly", finding="azure.lock", lose=_lock_group
    ),
    Piece(
        name="state-account",
        says="the storage account of the state",
        finding="state.account",
        lose=_delete_state_account,
    ),
    Piece(
        name="state-container",
        says="the environment's container in the state account",
        finding="state.container",
        lose=_delete_container(lambda hand: hand.environment.azure.state.container),
    ),
    Piece(
        name="audit-container",
        says="the container of the audit",
        finding="state.audit",
        lose=_delete_container(lambda _: "audit"),
        shown=None,
    ),
    Piece(
        name="state-versioning",
        says="versions of the state's blobs",
        finding="state.versioning",
        lose=_blob_service(isVersioningEnabled=False),
        shown=None,
    ),
    Piece(
        name="state-soft-delete",
        says="soft delete of the state's blobs",
        finding="state.soft_delete",
        lose=_blob_service(deleteRetentionPolicy={"enabled": False}),
        shown=None,
    ),
    Piece(
        name="state-container-soft-delete",
        says="soft delete of the state account's containers",
        finding="state.container_soft_delete",
        lose=_blob_service(containerDeleteRetentionPolicy={"enabled": False}),
        shown=None,
    ),
    Piece(
        name="state-lock",
        says="the lock on the state account",
        finding="state.lock",
        lose=_unlock_state,
        shown=None,
    ),
    Piece(
        name="state-keys",
        says="a state account without keys: it takes account keys",
        finding="state.shared_key",
        lose=_allow_keys,
        shown=None,
    ),
    Piece(
        name="state-network",
        says="the way through the network rules of the state account",
        finding="network.state",
        lose=_close_state,
    ),
    Piece(
        name="identity",
        says="the identity that releases",
        finding="identity.missing",
        lose=_delete_identity,
        starts=False,
    ),
    Piece(
        name="factory-identity",
        says="the data factory's own identity",
        finding="factory.identity",
        lose=_take_factory_identity,
    ),
    Piece(name="factory", says="the data factory", finding="factory.missing", lose=_delete_factory),
)
