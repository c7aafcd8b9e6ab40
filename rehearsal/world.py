"""What the stand-ins share: where state lies, who exists, who may do what, which resources there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rehearsal.store import Store

if TYPE_CHECKING:
    from rehearsal.entra.directory import Directory
    from rehearsal.resource_manager.resources import Resources
    from rehearsal.resource_manager.roles import Roles
    from rehearsal.storage.accounts import StorageAccounts


class VaultRefusal(Exception):
    """What a vault refuses, with its status and code."""

    status: int
    code: str


LONGEST_RETENTION = 90
"""Days for which a vault keeps what was deleted, where nothing else is said."""


@dataclass(frozen=True)
class Recovery:
    """How a vault keeps what was deleted: for so many days, and with purge protection or not."""

    days: int = LONGEST_RETENTION
    protected: bool = False

    @classmethod
    def of(cls, vault: Mapping[str, Any]) -> Recovery:
        """That of a vault, by its resource."""
        properties = vault["properties"]
        days = properties.get("softDeleteRetentionInDays") or LONGEST_RETENTION
        return cls(int(days), bool(properties.get("enablePurgeProtection")))

    def attributes(self) -> dict[str, Any]:
        """https://learn.microsoft.com/rest/api/keyvault/secrets/set-secret/set-secret, DeletionRecoveryLevel."""
        level = "Recoverable" if self.days >= LONGEST_RETENTION else "CustomizedRecoverable"
        return {"recoveryLevel": level if self.protected else f"{level}+Purgeable", "recoverableDays": self.days}


USUAL = Recovery()


class VaultSecrets(Protocol):
    """The secrets of every vault."""

    def set(self, vault: str, name: str, body: Mapping[str, Any], recovery: Recovery = USUAL) -> dict[str, Any]:
        """A new version. Raises VaultRefusal."""

    def latest(self, vault: str, name: str) -> dict[str, Any] | None:
        """The latest version without its value, disabled or not; None when there is no such secret."""

    def get(self, vault: str, name: str, version: str = "") -> dict[str, Any]:
        """A version with its value. Raises VaultRefusal."""

    def list_live(self, vault: str) -> list[dict[str, Any]]:
        """The latest version of each, without values."""

    def forget(self, vault: str) -> None:
        """Everything of a vault that was purged."""


class Workspaces(Protocol):
    """The Databricks workspaces that answer."""

    def add(self, host: str, workspace_resource_id: str, workspace_id: str | None = None) -> None:
        """Make one. Idempotent."""

    def remove(self, host: str) -> None:
        """Take one away, with all that is in it."""


@dataclass(frozen=True, kw_only=True)
class World:
    """The parts that more than one stand-in needs; each is written by exactly one of them.

    folder: `.rehearsal/`, where everything that a rehearsal keeps lies.
    clock: seconds since the epoch, UTC.
    vault_secrets and workspaces: what Resource Manager writes through to; None: deploying such a thing leaves nothing but
    its resource.
    accept_unknown_resources: resource types that Resource Manager has no rules for are kept as they are, not refused.
    """

    folder: Path
    store: Store
    clock: Callable[[], float]
    directory: Directory
    roles: Roles
    resources: Resources
    storage_accounts: StorageAccounts
    vault_secrets: VaultSecrets | None = None
    workspaces: Workspaces | None = None
    accept_unknown_resources: bool = False
