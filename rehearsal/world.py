"""What the stand-ins share: where state lies, who exists, who may do what, which resources there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rehearsal.store import Store

if TYPE_CHECKING:
    from rehearsal.entra.directory import Directory
    from rehearsal.resource_manager.resources import Resources
    from rehearsal.resource_manager.roles import Roles
    from rehearsal.storage.accounts import StorageAccounts


@dataclass(frozen=True, kw_only=True)
class World:
    """The parts that more than one stand-in needs; each is written by exactly one of them.

    folder: `.rehearsal/`, where everything that a rehearsal keeps lies.
    clock: seconds since the epoch, UTC.
    accept_unknown_resources: resource types that Resource Manager has no rules for are kept as they are, not refused.
    """

    folder: Path
    store: Store
    clock: Callable[[], float]
    directory: Directory
    roles: Roles
    resources: Resources
    storage_accounts: StorageAccounts
    accept_unknown_resources: bool = False
