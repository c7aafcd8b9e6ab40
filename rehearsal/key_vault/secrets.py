"""The secrets of the rehearsal's vaults: versions, soft delete. No HTTP here.

Source: https://learn.microsoft.com/rest/api/keyvault/secrets (API version 7.4) and
https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from rehearsal.store import Store

NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
LARGEST_VALUE = 25_000
RETENTION_SECONDS = 90 * 86_400


class VaultError(Exception):
    """A refusal: HTTP status, Key Vault's code, its sentence, and the code of an inner error where there is one."""

    def __init__(self, status: int, code: str, message: str, *, inner: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.inner = status, code, message, inner


class Secrets:
    """All vaults' secrets, kept by vault name. Times are whole seconds since the epoch."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._live = store.collection("key_vault/live")
        self._deleted = store.collection("key_vault/soft_deleted")
        self._clock = clock

    def set(self, vault: str, name: str, body: Mapping[str, Any], *, protected: bool = False) -> dict[str, Any]:
        """A new version. Raises VaultError (bad name or value; a deleted secret has the name).

        protected: the vault has purge protection.
        """
        value = body.get("value")
        if not NAME.fullmatch(name):
            raise VaultError(400, "BadParameter", f"The request URI contains an invalid name: {name}")
        if not isinstance(value, str) or not value:
            raise VaultError(400, "BadParameter", "Property value is required and must be a non-empty string.")
        _check_body(body)
        if len(value.encode()) > LARGEST_VALUE:
            raise VaultError(
                400, "BadParameter", "Secret value is larger than the maximum allowed size of 25k characters."
            )
        if _key(vault, name) in self._deleted:
            raise VaultError(
                409,
                "Conflict",
                f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, "
                "the secret can only be recovered or purged.",
            )
        now = int(self._clock())
        attributes = {
            "enabled": True,
            "created": now,
            "updated": now,
            "recoveryLevel": "Recoverable" if protected else "Recoverable+Purgeable",
            "recoverableDays": 90,
        }
        earlier = self._live.get(_key(vault, name), [])
        version = {
            "version": uuid.uuid4().hex,
            "name": earlier[0]["name"] if earlier else name,
            "value": value,
            "attributes": attributes | _settable(body),
            "tags": body.get("tags") or {},
            **({"contentType": body["contentType"]} if body.get("contentType") else {}),
        }
        self._live[_key(vault, name)] = [*earlier, version]
        return self._shown(vault, version, with_value=True)

    def get(self, vault: str, name: str, version: str = "") -> dict[str, Any]:
        """The latest version, or the one asked for. Raises VaultError."""
        versions = self._versions(vault, name)
        chosen = next((known for known in reversed(versions) if not version or known["version"] == version), None)
        if chosen is None:
            raise _missing(f"{name}/{version}")
        if not chosen["attributes"].get("enabled", True):
            raise VaultError(
                403, "Forbidden", "Operation get is not allowed on a disabled secret.", inner="SecretDisabled"
            )
        return self._shown(vault, chosen, with_value=True)

    def value(self, vault: str, name: str) -> str | None:
        """The latest value, None when there is no such secret."""
        versions = self._live.get(_key(vault, name))
        return str(versions[-1]["value"]) if versions else None

    def update(self, vault: str, name: str, version: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Change attributes, tags or content type of a version ("" = the latest). Raises VaultError."""
        versions = self._versions(vault, name)
        _check_body(body)
        for known in reversed(versions):
            if not version or known["version"] == version:
                known["attributes"] |= _settable(body) | {"updated": int(self._clock())}
                known["tags"] = body.get("tags", known["tags"])
                known |= {"contentType": body["contentType"]} if "contentType" in body else {}
                self._live[_key(vault, name)] = versions
                return self._shown(vault, known, with_value=False)
        raise _missing(f"{name}/{version}")

    def list_live(self, vault: str) -> list[dict[str, Any]]:
        """The latest version of each, without values, sorted by name."""
        prefix = _key(vault, "")
        names = sorted(key.removeprefix(prefix) for key in self._live if key.startswith(prefix))
        return [self._shown(vault, self._versions(vault, name)[-1], with_value=False, bare=True) for name in names]

    def versions(self, vault: str, name: str) -> list[dict[str, Any]]:
        return [self._shown(vault, version, with_value=False) for version in self._versions(vault, name)]

    def delete(self, vault: str, name: str) -> dict[str, Any]:
        """Soft delete. Raises VaultError."""
        versions = self._versions(vault, name)
        now = int(self._clock())
        self._deleted[_key(vault, name)] = {"versions": versions, "deleted": now}
        del self._live[_key(vault, name)]
        return self.deleted(vault, name)

    def deleted(self, vault: str, name: str) -> dict[str, Any]:
        """A deleted secret, without its value. Raises VaultError."""
        record = self._deleted.get(_key(vault, name))
        if record is None:
            raise _missing(name)
        return self._shown(vault, record["versions"][-1], with_value=False) | {
            "recoveryId": f"https://{vault}.vault.azure.net/deletedsecrets/{record['versions'][-1]['name']}",
            "deletedDate": record["deleted"],
            "scheduledPurgeDate": record["deleted"] + RETENTION_SECONDS,
        }

    def list_deleted(self, vault: str) -> list[dict[str, Any]]:
        prefix = _key(vault, "")
        return [
            self.deleted(vault, key.removeprefix(prefix)) for key in sorted(self._deleted) if key.startswith(prefix)
        ]

    def recover(self, vault: str, name: str) -> dict[str, Any]:
        """Bring a deleted secret back. Raises VaultError."""
        self.deleted(vault, name)
        record = self._deleted.pop(_key(vault, name))
        self._live[_key(vault, name)] = record["versions"]
        return self._shown(vault, record["versions"][-1], with_value=False)

    def purge(self, vault: str, name: str, *, protected: bool = False) -> None:
        """Delete for good. Raises VaultError."""
        self.deleted(vault, name)
        if protected:  # sentence as reported at github.com/microsoft/AzureTRE, issue 1951
            raise VaultError(
                403,
                "Forbidden",
                'Operation "purge" is not allowed because purge protection is enabled for this vault. Key Vault service will '
                "automatically purge it after the retention period has passed.",
            )
        del self._deleted[_key(vault, name)]

    def _versions(self, vault: str, name: str) -> list[dict[str, Any]]:
        versions: list[dict[str, Any]] | None = self._live.get(_key(vault, name))
        if not versions:
            raise _missing(name)
        return versions

    def _shown(self, vault: str, version: Mapping[str, Any], *, with_value: bool, bare: bool = False) -> dict[str, Any]:
        address = f"https://{vault}.vault.azure.net/secrets/{version['name']}"
        shown = {key: version[key] for key in ("attributes", "tags", "contentType") if key in version}
        if with_value:
            shown["value"] = version["value"]
        return {"id": address if bare else f"{address}/{version['version']}", **shown}


def _check_body(body: Mapping[str, Any]) -> None:
    for field in ("attributes", "tags"):
        if not isinstance(body.get(field) or {}, dict):
            raise VaultError(400, "BadParameter", f"Property {field} has an invalid value.")


def _settable(body: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that a caller may set: enabled, and the times from and until when it is meant to be used."""
    given = body.get("attributes") or {}
    return {field: given[field] for field in ("enabled", "nbf", "exp") if given.get(field) is not None}


def _key(vault: str, name: str) -> str:
    # Names of vaults and secrets ignore case.
    return f"{vault.lower()}/{name.lower()}"


def _missing(name: str) -> VaultError:
    return VaultError(
        404,
        "SecretNotFound",
        f"A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you may be able "
        "to recover it using the correct recovery command. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125182",
    )
