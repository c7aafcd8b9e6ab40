"""The storage accounts that exist, and their keys; Azurite is told of each one."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from pathlib import Path

from rehearsal.store import Store


class StorageAccounts:
    """Names and keys of storage accounts, kept in the store. `on_change` is called after a name came or went."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder = folder
        self._accounts = store.collection("storage/accounts")
        self.on_change: Callable[[], None] = lambda: None

    def ensure(self, name: str) -> tuple[str, str]:
        """The two keys (base64) of an account, made when it is new."""
        if name not in self._accounts:
            self._accounts[name] = [base64.b64encode(secrets.token_bytes(64)).decode() for _ in range(2)]
            self.on_change()
        first, second = self._accounts[name]
        return first, second

    def renew(self, name: str, index: int) -> None:
        """A new key in the place of the first (0) or the second (1)."""
        keys = list(self.ensure(name))
        keys[index] = base64.b64encode(secrets.token_bytes(64)).decode()
        self._accounts[name] = keys
        self.on_change()

    def all_keys(self) -> dict[str, tuple[str, str]]:
        return {name: (first, second) for name, (first, second) in self._accounts.items()}

    def keys(self, name: str) -> tuple[str, str] | None:
        if name not in self._accounts:
            return None
        first, second = self._accounts[name]
        return first, second

    def names(self) -> list[str]:
        return list(self._accounts)

    def remove(self, name: str) -> None:
        if self._accounts.pop(name, None) is not None:
            self.on_change()
