"""Secret scopes, secrets and their access lists (`/api/2.0/secrets/*`).

Messages: databricks-cli issues 336 and 340, Databricks-VSCode issue 43 (missing permission); limits: Secrets API docs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

from rehearsal.databricks.access import SECRET_LEVELS, highest, rank
from rehearsal.databricks.errors import ApiError, denied, exists, invalid, malformed, missing
from rehearsal.databricks.members import Member, Members
from rehearsal.store import Collection

NAME = re.compile(r"[\w.@_/-]{1,128}", re.ASCII)
KEY = re.compile(r"[\w.-]{1,128}", re.ASCII)
LONGEST_VALUE = 128 * 1024
MOST_SECRETS = 1000
MOST_SCOPES = 1000
DATABRICKS, KEY_VAULT = "DATABRICKS", "AZURE_KEYVAULT"


class Vaults(Protocol):
    """What a workspace may see of key vaults. Each raises ApiError when the vault refuses."""

    def check_creator(self, member: Member, resource_id: str) -> None: ...
    def names(self, resource_id: str) -> list[str]: ...
    def value(self, resource_id: str, name: str) -> str | None: ...


class Secrets:
    """The scopes of one workspace. Names of scopes and keys are not case-sensitive."""

    def __init__(self, scopes: Collection, members: Members, clock: Callable[[], float]) -> None:
        self._scopes = scopes
        self._members = members
        self._clock = clock
        self.vaults: Vaults | None = None

    # -- scopes ----------------------------------------------------------------------------------------------------

    def create_scope(self, member: Member, name: str, manager: str, backend: str, vault: dict[str, Any] | None) -> None:
        """Make a scope; its creator manages it, or everybody when `manager` is `users`."""
        if not NAME.fullmatch(name):
            raise invalid(
                "Scope name must consist of alphanumeric characters, dashes, underscores, periods, @ and /, and be at most 128 long"
            )
        if name.lower() in self._scopes:
            raise exists(f"Scope {name} already exists!")
        if len(self._scopes) >= MOST_SCOPES:
            raise ApiError(400, "RESOURCE_LIMIT_EXCEEDED", f"The limit of {MOST_SCOPES} scopes is reached")
        if backend not in (DATABRICKS, KEY_VAULT):
            raise invalid(f"Unknown scope backend type: {backend}")
        if manager not in ("", "users"):
            raise invalid("initial_manage_principal can only be 'users'")
        if vault is not None or backend == KEY_VAULT:
            vault = self._checked_vault(member, vault or {}, backend)
        acl = {"group:users" if manager == "users" else member.key: "MANAGE"}
        self._scopes[name.lower()] = {"name": name, "backend": backend, "vault": vault, "acl": acl, "secrets": {}}

    def _checked_vault(self, member: Member, vault: dict[str, Any], backend: str) -> dict[str, str]:
        absent = [f"backend_azure_keyvault.{field}" for field in ("resource_id", "dns_name") if not vault.get(field)]
        if absent:
            raise invalid(f"Missing required fields: {', '.join(absent)}")
        if backend == DATABRICKS:
            raise invalid("backend_azure_keyvault is only for scopes of type AZURE_KEYVAULT")
        if self.vaults:
            self.vaults.check_creator(member, str(vault["resource_id"]))
        return {"resource_id": str(vault["resource_id"]), "dns_name": str(vault["dns_name"])}

    def scopes(self) -> list[dict[str, Any]]:
        """Every scope's name and backend; all members see them (the Secrets API knows no permission for listing scopes)."""
        return [self._scopes[name] for name in self._scopes]

    def delete_scope(self, member: Member, name: str) -> None:
        scope = self._scope(member, name, "MANAGE")
        del self._scopes[scope["name"].lower()]

    # -- secrets ---------------------------------------------------------------------------------------------------

    def put(self, member: Member, scope_name: str, key: str, value: bytes) -> None:
        scope = self._writable(member, scope_name)
        if not KEY.fullmatch(key):
            raise invalid(
                "Secret key must consist of alphanumeric characters, dashes, underscores and periods, and be at most 128 long"
            )
        if len(value) > LONGEST_VALUE:
            raise ApiError(
                400, "RESOURCE_LIMIT_EXCEEDED", f"The secret is larger than the limit of {LONGEST_VALUE} bytes"
            )
        secrets = scope["secrets"]
        if key.lower() not in secrets and len(secrets) >= MOST_SECRETS:
            raise ApiError(400, "RESOURCE_LIMIT_EXCEEDED", f"The limit of {MOST_SECRETS} secrets is reached")
        entry = {"key": key, "value": value.decode("latin-1"), "updated": int(self._clock() * 1000)}
        secrets[key.lower()] = entry
        self._scopes[scope["name"].lower()] = scope

    def delete(self, member: Member, scope_name: str, key: str) -> None:
        scope = self._writable(member, scope_name)
        if key.lower() not in scope["secrets"]:
            raise _no_secret(scope_name, key)
        del scope["secrets"][key.lower()]
        self._scopes[scope["name"].lower()] = scope

    def list(self, member: Member, scope_name: str) -> list[dict[str, Any]]:
        """Keys and times; a vault's scope lists the vault's names without a time."""
        scope = self._scope(member, scope_name, "READ")
        if scope["backend"] == KEY_VAULT:
            return [{"key": name} for name in self._vaults().names(scope["vault"]["resource_id"])]
        return [
            {"key": entry["key"], "last_updated_timestamp": entry["updated"]}
            for _, entry in sorted(scope["secrets"].items())
        ]

    def get(self, member: Member, scope_name: str, key: str) -> bytes:
        scope = self._scope(member, scope_name, "READ")
        if scope["backend"] == KEY_VAULT:
            value = self._vaults().value(scope["vault"]["resource_id"], key)
            if value is None:
                raise _no_secret(scope_name, key)
            return value.encode()
        if key.lower() not in scope["secrets"]:
            raise _no_secret(scope_name, key)
        return str(scope["secrets"][key.lower()]["value"]).encode("latin-1")

    def readable_by(self, member: Member) -> dict[str, dict[str, str]]:
        """Every secret that the member may read, by scope and key: what a run's `dbutils.secrets` gets.

        A vault that refuses gives an empty scope; values that are not UTF-8 are left out (dbutils.get reads text).
        """
        found: dict[str, dict[str, str]] = {}
        for scope in self.scopes():
            if self._level(member, scope) < rank(SECRET_LEVELS, "READ"):
                continue
            values: dict[str, str] = {}
            try:
                for entry in self.list(member, scope["name"]):
                    values[entry["key"]] = self.get(member, scope["name"], entry["key"]).decode()
            except (ApiError, UnicodeDecodeError):
                pass
            found[scope["name"]] = values
        return found

    # -- access lists ----------------------------------------------------------------------------------------------

    def acls(self, member: Member, scope_name: str) -> dict[str, str]:
        return dict(self._scope(member, scope_name, "MANAGE")["acl"])

    def put_acl(self, member: Member, scope_name: str, principal: str, level: str) -> None:
        scope = self._scope(member, scope_name, "MANAGE")
        if level not in SECRET_LEVELS:
            raise invalid(f"Unknown permission: {level}. Must be one of: {', '.join(SECRET_LEVELS)}")
        key = self._members.principal_key(principal)
        if key is None:
            # Code documented as RESOURCE_DOES_NOT_EXIST for a missing principal; text unverified.
            raise missing(f"Principal {principal} does not exist")
        scope["acl"][key] = level
        self._scopes[scope["name"].lower()] = scope

    def delete_acl(self, member: Member, scope_name: str, principal: str) -> None:
        scope = self._scope(member, scope_name, "MANAGE")
        key = self._acl_key(scope, scope_name, principal)
        del scope["acl"][key]
        self._scopes[scope["name"].lower()] = scope

    def acl(self, member: Member, scope_name: str, principal: str) -> str:
        scope = self._scope(member, scope_name, "MANAGE")
        return str(scope["acl"][self._acl_key(scope, scope_name, principal)])

    def _acl_key(self, scope: dict[str, Any], scope_name: str, principal: str) -> str:
        key = self._members.principal_key(principal)
        if key is None or key not in scope["acl"]:
            raise missing(f"ACL does not exist for scope {scope_name} and principal {principal}")
        return key

    # -- inside ----------------------------------------------------------------------------------------------------

    def _level(self, member: Member, scope: dict[str, Any]) -> int:
        """Admins manage every scope (terraform-provider-databricks issue 2930, answer)."""
        return len(SECRET_LEVELS) if member.admin else highest(SECRET_LEVELS, [scope["acl"]], member)

    def _scope(self, member: Member, name: str, level: str) -> dict[str, Any]:
        scope: dict[str, Any] | None = self._scopes.get(name.lower())
        if scope is None:
            raise missing(f"Scope {name} does not exist!")
        if self._level(member, scope) < rank(SECRET_LEVELS, level):
            raise denied(f"{member.name} does not have {level} permission on scope {name} to perform this action.")
        return scope

    def _writable(self, member: Member, name: str) -> dict[str, Any]:
        scope = self._scope(member, name, "WRITE")
        if scope["backend"] == KEY_VAULT:
            # The code is documented, the text was not seen (unverified).
            raise ApiError(400, "BAD_REQUEST", f"Cannot write secrets to the Azure KeyVault-backed scope {name}")
        return scope

    def _vaults(self) -> Vaults:
        if self.vaults is None:
            raise malformed("Azure KeyVault is not available")
        return self.vaults


def one_value(string_value: str | None, bytes_value: bytes | None) -> bytes:
    """The value of a put: exactly one of the two."""
    if (string_value is None) == (bytes_value is None):
        raise malformed("Exactly one of string_value or bytes_value must be given")
    return string_value.encode() if string_value is not None else bytes_value or b""


def _no_secret(scope: str, key: str) -> ApiError:
    return missing(f"Secret does not exist with scope: {scope} and key: {key}")
