"""Secret scopes (/api/2.0/secrets)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from databricks_cli.sdk.service import SecretService  # type: ignore[import-untyped]

from slipway.services.databricks.client import Client
from slipway.services.databricks.errors import AccessRefused, DatabricksError, NotFound

BACKENDS = {"databricks": "DATABRICKS", "key_vault": "AZURE_KEYVAULT"}


@dataclass(frozen=True)
class Scope:
    """A secret scope. backend_type: DATABRICKS or AZURE_KEYVAULT; the vault's resource id only for the latter."""

    name: str
    backend_type: str
    vault_resource_id: str | None = None


class Secrets:
    client: Client

    @property
    def _secrets(self) -> Any:
        return SecretService(self.client)

    def list_scopes(self) -> Sequence[Scope]:
        """The scopes that the identity may see (the service has no pages here)."""
        return [
            Scope(
                name=str(item["name"]),
                backend_type=str(item.get("backend_type") or "DATABRICKS"),
                vault_resource_id=(item.get("keyvault_metadata") or {}).get("resource_id"),
            )
            for item in self._secrets.list_scopes().get("scopes") or []
        ]

    def create_scope(
        self, name: str, backend: str, vault_resource_id: str | None = None, dns_name: str | None = None
    ) -> None:
        """Makes a scope; `backend` is databricks or key_vault (which needs the vault's id and https://… name).

        Raises AlreadyExists.
        """
        vault = None
        if backend == "key_vault":
            vault = {"resource_id": vault_resource_id, "dns_name": dns_name}
        self._secrets.create_scope(name, scope_backend_type=BACKENDS[backend], backend_azure_keyvault=vault)

    def list_secrets(self, scope: str) -> Mapping[str, int]:
        """Key -> when it was last written (milliseconds since the epoch)."""
        items = self._secrets.list_secrets(scope).get("secrets") or []
        return {str(item["key"]): int(item.get("last_updated_timestamp") or 0) for item in items}

    def get_secret(self, scope: str, key: str) -> str | None:
        """The value; None when there is none, and also where the service refuses to read it out.

        The reference calls this for use inside a workspace only; many workspaces answer it to the scope's manager.
        """
        try:
            answer = self.client.perform_query("GET", "/secrets/get", data={"scope": scope, "key": key})
            return base64.b64decode(answer.get("value") or "", validate=True).decode()
        except (NotFound, AccessRefused, binascii.Error, UnicodeDecodeError):
            return None
        except DatabricksError as error:
            if error.failure is not None and error.failure.status in (400, 404, 501):
                return None
            raise

    def put_secret(self, scope: str, key: str, value: str) -> None:
        """Writes a secret of a Databricks-backed scope, replacing one."""
        self._secrets.put_secret(scope, key, string_value=value)

    def get_acls(self, scope: str) -> Mapping[str, str]:
        """Principal -> READ, WRITE or MANAGE."""
        items = self._secrets.list_acls(scope).get("items") or []
        return {str(item["principal"]): str(item["permission"]) for item in items}

    def delete_scope(self, name: str) -> None:
        """Removes the scope with the secrets in it; a missing one is fine."""
        try:
            self._secrets.delete_scope(name)
        except NotFound:
            return

    def put_acl(self, scope: str, principal: str, permission: str) -> None:
        self._secrets.put_acl(scope, principal, permission)

    def delete_acl(self, scope: str, principal: str) -> None:
        """Takes a principal's access away; none is fine."""
        try:
            self._secrets.delete_acl(scope, principal)
        except NotFound:
            return
