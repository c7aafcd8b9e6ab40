"""The secrets of the rehearsal's vaults: versions, soft delete, backups. No HTTP here.

Source: https://learn.microsoft.com/rest/api/keyvault/secrets (API version 7.4),
https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview and
https://learn.microsoft.com/azure/key-vault/secrets/about-secrets (a secret outside of its nbf and exp can be read all the same).
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from rehearsal.key_vault.rules import VaultError, check_body, check_name, check_value, missing, settable
from rehearsal.store import Store
from rehearsal.world import LONGEST_RETENTION, USUAL, Recovery

DAY = 86_400


class Secrets:
    """All vaults' secrets, kept by vault name. Times are whole seconds since the epoch."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._live = store.collection("key_vault/live")
        self._deleted = store.collection("key_vault/soft_deleted")
        self._backups = store.collection("key_vault/backups")
        self._clock = clock

    def set(self, vault: str, name: str, body: Mapping[str, Any], recovery: Recovery = USUAL) -> dict[str, Any]:
        """A new version. Raises VaultError (bad name or value; a deleted secret has the name)."""
        check_name(name)
        value = check_value(body)
        check_body(body)
        self._check_free(vault, name)
        now = int(self._clock())
        attributes = {"enabled": True, "created": now, "updated": now, **recovery.attributes()}
        earlier = self._live.get(_key(vault, name), [])
        version = {
            "version": uuid.uuid4().hex,
            "name": earlier[0]["name"] if earlier else name,
            "value": value,
            "attributes": attributes | settable(body),
            "tags": body.get("tags") or {},
            **({"contentType": body["contentType"]} if body.get("contentType") else {}),
        }
        self._live[_key(vault, name)] = [*earlier, version]
        return self._shown(vault, version, with_value=True)

    def get(self, vault: str, name: str, version: str = "") -> dict[str, Any]:
        """The latest version, or the one asked for; times of use are for the caller to heed. Raises VaultError."""
        check_name(name)
        versions = self._versions(vault, name)
        chosen = next((known for known in reversed(versions) if not version or known["version"] == version), None)
        if chosen is None:
            raise missing(f"{name}/{version}")
        if not chosen["attributes"].get("enabled", True):
            raise VaultError(
                403, "Forbidden", "Operation get is not allowed on a disabled secret.", inner="SecretDisabled"
            )
        return self._shown(vault, chosen, with_value=True)

    def value(self, vault: str, name: str) -> str | None:
        """The latest value, None when there is no such secret or it is disabled."""
        versions = self._live.get(_key(vault, name))
        if not versions or not versions[-1]["attributes"].get("enabled", True):
            return None
        return str(versions[-1]["value"])

    def latest(self, vault: str, name: str) -> dict[str, Any] | None:
        """The latest version without its value, disabled or not; None when there is no such secret."""
        versions = self._live.get(_key(vault, name))
        return self._shown(vault, versions[-1], with_value=False) if versions else None

    def forget(self, vault: str) -> None:
        """Everything of a vault that was purged, or whose name a new one takes."""
        for kept in (self._live, self._deleted):
            for key in [key for key in kept if key.startswith(_key(vault, ""))]:
                del kept[key]

    def update(self, vault: str, name: str, version: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Change attributes, tags or content type of a version ("" = the latest). Raises VaultError."""
        versions = self._versions(vault, name)
        check_body(body)
        for known in reversed(versions):
            if not version or known["version"] == version:
                known["attributes"] |= settable(body) | {"updated": int(self._clock())}
                known["tags"] = known["tags"] if body.get("tags") is None else body["tags"]
                known |= {"contentType": body["contentType"]} if body.get("contentType") is not None else {}
                self._live[_key(vault, name)] = versions
                return self._shown(vault, known, with_value=False)
        raise missing(f"{name}/{version}")

    def list_live(self, vault: str) -> list[dict[str, Any]]:
        """The latest version of each, without values, sorted by name."""
        prefix = _key(vault, "")
        names = sorted(key.removeprefix(prefix) for key in self._live if key.startswith(prefix))
        return [self._shown(vault, self._versions(vault, name)[-1], with_value=False, bare=True) for name in names]

    def versions(self, vault: str, name: str) -> list[dict[str, Any]]:
        return [self._shown(vault, version, with_value=False) for version in self._versions(vault, name)]

    def delete(self, vault: str, name: str, recovery: Recovery = USUAL) -> dict[str, Any]:
        """Soft delete. Raises VaultError."""
        versions = self._versions(vault, name)
        now = int(self._clock())
        self._deleted[_key(vault, name)] = {"versions": versions, "deleted": now, "purge": now + recovery.days * DAY}
        del self._live[_key(vault, name)]
        return self.deleted(vault, name)

    def deleted(self, vault: str, name: str) -> dict[str, Any]:
        """A deleted secret, without its value. Raises VaultError."""
        record = self._record(vault, name)
        if record is None:
            raise missing(name)
        return self._shown(vault, record["versions"][-1], with_value=False) | {
            "recoveryId": f"https://{vault}.vault.azure.net/deletedsecrets/{record['versions'][-1]['name']}",
            "deletedDate": record["deleted"],
            "scheduledPurgeDate": record["purge"],
        }

    def list_deleted(self, vault: str) -> list[dict[str, Any]]:
        prefix = _key(vault, "")
        names = [key.removeprefix(prefix) for key in sorted(self._deleted) if key.startswith(prefix)]
        return [self.deleted(vault, name) for name in names if self._record(vault, name) is not None]

    def recover(self, vault: str, name: str) -> dict[str, Any]:
        """Bring a deleted secret back. Raises VaultError."""
        self.deleted(vault, name)
        record = self._deleted.pop(_key(vault, name))
        self._live[_key(vault, name)] = record["versions"]
        return self._shown(vault, record["versions"][-1], with_value=False)

    def purge(self, vault: str, name: str, recovery: Recovery = USUAL) -> None:
        """Delete for good. Raises VaultError."""
        self.deleted(vault, name)
        if recovery.protected:  # sentence as reported at github.com/microsoft/AzureTRE, issue 1951
            raise VaultError(
                403,
                "Forbidden",
                'Operation "purge" is not allowed because purge protection is enabled for this vault. Key Vault service will '
                "automatically purge it after the retention period has passed.",
            )
        del self._deleted[_key(vault, name)]

    def backup(self, vault: str, name: str) -> dict[str, Any]:
        """All versions as a text that says nothing to anybody else: they stay here, and it is worth something here alone."""
        versions = self._versions(vault, name)
        number = secrets.token_urlsafe(48)
        self._backups[number] = {"versions": versions}
        return {"value": number}

    def restore(self, vault: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A secret from its backup, with all versions. Raises VaultError (no backup of ours; the name is taken)."""
        record = self._backups.get(str(body.get("value")))
        if record is None:
            raise VaultError(400, "BadParameter", "Backup blob contains invalid or corrupt version.")
        versions = record["versions"]
        name = str(versions[-1]["name"])
        self._check_free(vault, name)
        if _key(vault, name) in self._live:
            sentence = (
                f"There was a conflict restoring the secret '{name}' because the secret already exists in this vault."
            )
            raise VaultError(409, "Conflict", sentence)
        self._live[_key(vault, name)] = versions
        return self._shown(vault, versions[-1], with_value=False)

    def _check_free(self, vault: str, name: str) -> None:
        if self._record(vault, name) is not None:  # github.com/external-secrets/external-secrets issue 3519
            raise VaultError(
                409,
                "Conflict",
                f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, "
                "the secret can only be recovered or purged.",
                inner="ObjectIsDeletedButRecoverable",
            )

    def _record(self, vault: str, name: str) -> dict[str, Any] | None:
        """What is kept of a deleted secret; it goes by itself when its days are over."""
        record: dict[str, Any] | None = self._deleted.get(_key(vault, name))
        if record is None:
            return None
        record.setdefault("purge", record["deleted"] + LONGEST_RETENTION * DAY)
        if record["purge"] <= self._clock():
            del self._deleted[_key(vault, name)]
            return None
        return record

    def _versions(self, vault: str, name: str) -> list[dict[str, Any]]:
        versions: list[dict[str, Any]] | None = self._live.get(_key(vault, name))
        if not versions:
            raise missing(name)
        return versions

    def _shown(self, vault: str, version: Mapping[str, Any], *, with_value: bool, bare: bool = False) -> dict[str, Any]:
        address = f"https://{vault}.vault.azure.net/secrets/{version['name']}"
        shown = {key: version[key] for key in ("attributes", "tags", "contentType") if key in version}
        if with_value:
            shown["value"] = version["value"]
        return {"id": address if bare else f"{address}/{version['version']}", **shown}


def _key(vault: str, name: str) -> str:
    # Names of vaults and secrets ignore case.
    return f"{vault.lower()}/{name.lower()}"
