"""Secrets of a Key Vault (azure-keyvault-secrets). Values are never part of a text."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.keyvault.secrets import SecretClient

from slipway.errors import Conflict
from slipway.services.azure_errors import REPEATABLE, TRANSPORT, readable, reason

if TYPE_CHECKING:
    from slipway.services.credentials import Credential

T = TypeVar("T")

# New role assignments take up to 10 minutes to work
# (https://learn.microsoft.com/azure/role-based-access-control/troubleshooting).
PROPAGATION_SECONDS = 600.0
_LONGEST_WAIT = 30.0


def vault_url(name: str) -> str:
    return f"https://{name}.vault.azure.net"


class Vault:
    """One vault.

    role_made_at: asked when the vault first refuses: when the identity got its role there (seconds since the epoch),
    None when that is not known. Refusals are sat out only until that is ten minutes ago: a role that is older works, or
    never will. Raises AuthenticationError, ServiceError, Conflict.
    """

    def __init__(
        self,
        name: str,
        credential: Credential,
        *,
        role_made_at: Callable[[], float | None] = lambda: None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        waiting: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.name = name
        self._client = SecretClient(vault_url(name), credential, **TRANSPORT)
        self._role_made_at = role_made_at
        self._clock = clock
        self._sleep = sleep
        self._waiting = waiting

    def get(self, secret: str) -> str | None:
        """The current value, or None when there is no such secret (or it is deleted)."""

        def ask() -> str | None:
            try:
                return self._client.get_secret(secret).value
            except ResourceNotFoundError:
                return None

        return self._patiently(ask, f"reading secret {secret} of Key Vault {self.name}")

    def set(self, secret: str, value: str) -> bool:
        """Writes a new version. A deleted secret of that name is recovered first; then True is returned.

        Raises Conflict when the name is deleted and can't be recovered.
        """
        doing = f"writing secret {secret} of Key Vault {self.name}"

        def put() -> bool:
            try:
                self._client.set_secret(secret, value)
                return False
            except ResourceExistsError as error:
                if "Deleted" not in reason(error)[0] and "deleted" not in str(error):
                    raise
            self._recover(secret)
            self._client.set_secret(secret, value)
            return True

        return self._patiently(put, doing)

    def _recover(self, secret: str) -> None:
        try:
            self._client.begin_recover_deleted_secret(secret, **REPEATABLE).wait()
        except AzureError as error:
            code, message = reason(error)
            raise Conflict(
                f"Secret {secret} of Key Vault {self.name} is deleted, keeps its name, and could not be recovered: "
                f"{message} ({code})",
                changed="It is still deleted.",
                next_step=f"az keyvault secret recover --vault-name {self.name} --name {secret}, then run again.",
            ) from error

    def _patiently(self, ask: Callable[[], T], doing: str) -> T:
        wait = 1.0
        until: float | None = None
        while True:
            try:
                return ask()
            except AzureError as error:
                if not (isinstance(error, HttpResponseError) and error.status_code == 403):
                    raise readable(error, doing) from error
                if until is None:
                    until = (self._role_made_at() or 0.0) + PROPAGATION_SECONDS
                if self._clock() + wait > until:
                    raise readable(error, doing, next_step=_NO_ROLE) from error
                self._waiting(f"Key Vault {self.name} does not know the new role yet; asking again in {wait:.0f} s")
                self._sleep(wait)
                wait = min(wait * 1.5, _LONGEST_WAIT)


_NO_ROLE = (
    "The identity needs Key Vault Secrets Officer on this vault (scripts/deploy_resources.py gives it), and the "
    "vault's network rules must let this machine in."
)


def shut_out(name: str, credential: Credential) -> str | None:
    """This machine's address, where the vault's firewall refuses it ("" where the vault does not say which); None where the
    firewall lets it in, whatever else is refused then.

    The refusal is 403 Forbidden with the inner code ForbiddenByFirewall and names the address, or ForbiddenByConnection
    (https://learn.microsoft.com/azure/key-vault/general/rest-error-codes). Raises AuthenticationError, ServiceError.
    """
    client = SecretClient(vault_url(name), credential, connection_timeout=5, read_timeout=20, retry_total=1)
    try:
        client.get_secret("slipway-doctor")
    except ResourceNotFoundError:
        return None
    except HttpResponseError as error:
        code, message = reason(error)
        if not code.endswith(_FIREWALL):
            return None
        found = _ADDRESS.search(f"{message} {error}")
        return found.group(1) if found else ""
    except AzureError as error:
        raise readable(error, f"reaching Key Vault {name}") from error
    return None


_FIREWALL = ("ForbiddenByFirewall", "ForbiddenByConnection")
_ADDRESS = re.compile(r"Client address: ([0-9]{1,3}(?:\.[0-9]{1,3}){3})")
