"""Pieces about names that Azure has only once: taken by somebody else, or kept by a vault that was deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rehearsal.pieces.hand import Hand
from rehearsal.pieces.piece import Piece

VAULTS = "2023-07-01"
OTHERS = "/subscriptions/0d9e7c5b-1111-4222-8333-944455566677/resourceGroups/rg-others/providers"
"""Where other people's resources lie: a subscription that nobody of a rehearsal sees."""


def _take(kind: str, name: Callable[[Hand], str]) -> Callable[[Hand], None]:
    def lose(hand: Hand) -> None:
        taken = name(hand)
        resource = {"id": f"{OTHERS}/{kind}/{taken}", "name": taken, "type": kind, "properties": {}}
        hand.call(lambda: hand.azure.world.resources.put(resource))

    return lose


def _take_state(hand: Hand) -> None:
    """Before bootstrap could have it: the account of ours is not there."""
    resources = hand.azure.world.resources
    hand.call(lambda: resources.delete(hand.state_account))
    _take("Microsoft.Storage/storageAccounts", lambda hand: hand.environment.azure.state.storage_account)(hand)


def _vault(hand: Hand, group: str) -> str:
    return f"{group}/providers/Microsoft.KeyVault/vaults/{hand.environment.resources.key_vault}"


def _delete_vault(hand: Hand) -> None:
    hand.arm("DELETE", _vault(hand, hand.group), VAULTS)


def _delete_vault_elsewhere(*, protected: bool) -> Callable[[Hand], None]:
    """A vault of that name lay in another group of the subscription, and was deleted."""

    def lose(hand: Hand) -> None:
        azure = hand.environment.azure
        group = f"{hand.subscription}/resourceGroups/rg-former"
        hand.arm("PUT", group, "2021-04-01", {"location": azure.location})
        properties: dict[str, Any] = {
            "tenantId": azure.tenant_id,
            "sku": {"family": "A", "name": "standard"},
            "enableRbacAuthorization": True,
        }
        if protected:
            properties["enablePurgeProtection"] = True
        hand.arm("PUT", _vault(hand, group), VAULTS, {"location": azure.location, "properties": properties})
        hand.arm("DELETE", _vault(hand, group), VAULTS)

    return lose


PIECES = (
    Piece(
        name="name-storage",
        says="the name of the storage account: somebody else has it",
        finding="names.storage_account",
        lose=_take("Microsoft.Storage/storageAccounts", lambda hand: hand.environment.resources.storage_account),
        shown=None,
    ),
    Piece(
        name="name-state",
        says="the name of the state account: somebody else has it",
        finding="names.state_account",
        lose=_take_state,
        shown="roles.state",
    ),
    Piece(
        name="name-vault",
        says="the name of the vault: somebody else has it",
        finding="names.key_vault",
        lose=_take("Microsoft.KeyVault/vaults", lambda hand: hand.environment.resources.key_vault),
        shown=None,
    ),
    Piece(
        name="vault-deleted",
        says="the vault: it was deleted, and keeps its name",
        finding="names.deleted_vault",
        lose=_delete_vault,
        shown=None,
        released=True,
    ),
    Piece(
        name="vault-deleted-elsewhere",
        says="the name of the vault: one of another group was deleted, and keeps it",
        finding="names.deleted_vault_elsewhere",
        lose=_delete_vault_elsewhere(protected=False),
        shown=None,
    ),
    Piece(
        name="vault-deleted-protected",
        says="the name of the vault: one of another group was deleted, keeps it, and can't be purged",
        finding="names.deleted_vault_protected",
        lose=_delete_vault_elsewhere(protected=True),
        shown=None,
    ),
)
