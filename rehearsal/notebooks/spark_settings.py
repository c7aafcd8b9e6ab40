"""`spark.conf` of one notebook: what Sail does not know is kept here.

Keys for storage (`fs.azure.*`) never reach Sail's session; they are handed over as the environment that its storage
client reads, when a container is first used (docs: "Connect to Azure Data Lake Storage").
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field

from rehearsal.notebooks.errors import NotInRehearsal, Py4JJavaError
from rehearsal.notebooks.paths import AzurePlace

_SUFFIX = ".dfs.core.windows.net"
_OAUTH = "org.apache.hadoop.fs.azurebfs.oauth2.ClientCredsTokenProvider"
_ENDPOINT = re.compile(r"https://login\.microsoftonline\.com/(?P<tenant>[^/]+)/oauth2/(?:v2\.0/)?token/?$")
# What a storage client in this process may be told; all of it is taken away again after use.
_VARIABLES = ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID")


@dataclass(frozen=True)
class ServicePrincipal:
    """Signs in to storage with a client secret."""

    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)


class Settings:
    """The settings of one notebook's session that the rehearsal itself answers for."""

    def __init__(self, facts: Mapping[str, str]) -> None:
        self.values: dict[str, str] = dict(facts)

    @staticmethod
    def own(key: str) -> bool:
        """Whether a setting is kept here and not in Sail."""
        return key.startswith(("fs.azure.", "spark.hadoop.fs.azure.", "spark.databricks."))

    def set(self, key: str, value: str) -> None:
        """Keeps a setting.

        Raises NotInRehearsal for a way to reach storage that this rehearsal does not have.
        """
        key = key.removeprefix("spark.hadoop.")
        if key.startswith("fs.azure.") and not key.startswith(_KNOWN):
            raise NotInRehearsal(f"the setting {key}", "set an account key or a service principal's client secret")
        self.values[key] = value

    def azure_credential(self, account: str) -> str | ServicePrincipal:
        """What opens a storage account: its key, or a service principal.

        Raises the service's own error when the notebook has set nothing for it.
        """
        kind = self._azure("account.auth.type", account) or "SharedKey"
        if kind == "SharedKey":
            key = self._azure("account.key", account)
            if key:
                return key
            text = (
                f"Failure to initialize configuration for storage account {account}{_SUFFIX}: "
                "Invalid configuration value detected for fs.azure.account.key"
            )
            raise Py4JJavaError("load", "KeyProviderException", text)
        if kind != "OAuth":
            raise NotInRehearsal(f"fs.azure.account.auth.type {kind}")
        return self._service_principal(account)

    def _service_principal(self, account: str) -> ServicePrincipal:
        provider = self._azure("account.oauth.provider.type", account)
        if provider != _OAUTH:
            raise NotInRehearsal(f"fs.azure.account.oauth.provider.type {provider}", f"use {_OAUTH}")
        endpoint = _ENDPOINT.match(self._azure("account.oauth2.client.endpoint", account) or "")
        client_id = self._azure("account.oauth2.client.id", account)
        secret = self._azure("account.oauth2.client.secret", account)
        if endpoint is None or not client_id or not secret:
            missing = "endpoint" if endpoint is None else "secret" if client_id else "id"
            text = f"Configuration property fs.azure.account.oauth2.client.{missing}.{account}{_SUFFIX} not found."
            raise Py4JJavaError("load", "TokenAccessProviderException", text)
        return ServicePrincipal(endpoint["tenant"], client_id, secret)

    def _azure(self, name: str, account: str) -> str | None:
        return self.values.get(f"fs.azure.{name}.{account}{_SUFFIX}") or self.values.get(f"fs.azure.{name}")


_KNOWN = (
    "fs.azure.account.key",
    "fs.azure.account.auth.type",
    "fs.azure.account.oauth.provider.type",
    "fs.azure.account.oauth2.client.",
    "fs.azure.createRemoteFileSystemDuringInitialization",
)


class SailStorage:
    """Gives Sail's storage client its credentials.

    Sail reads them from the process's environment when a container is first used and remembers them for that container,
    so each container is used once here, while the environment holds the right ones (observed with pysail 0.7.2).
    """

    def __init__(self, use: Callable[[str], None], environment: MutableMapping[str, str] = os.environ) -> None:
        self._use = use
        self._environment = environment
        self._opened: dict[tuple[str, str], str | ServicePrincipal] = {}
        self._lock = threading.Lock()

    def open(self, place: AzurePlace, credential: str | ServicePrincipal) -> None:
        """Makes a container usable for Sail, once.

        Raises NotInRehearsal when it was opened with another credential before: Sail keeps the first one.
        """
        container = place.account, place.container
        with self._lock:
            if container in self._opened:
                if self._opened[container] != credential:
                    raise NotInRehearsal(f"another credential for {place.container}@{place.account} within one run")
                return
            self._opened[container] = credential
            before = {name: self._environment.pop(name) for name in _VARIABLES if name in self._environment}
            try:
                self._environment.update(_variables(credential))
                self._use(AzurePlace(place.account, place.container, ".slipway-first-use").shown)
            finally:
                for name in _VARIABLES:
                    self._environment.pop(name, None)
                self._environment.update(before)


def _variables(credential: str | ServicePrincipal) -> dict[str, str]:
    if isinstance(credential, str):
        return {"AZURE_STORAGE_ACCOUNT_KEY": credential}
    return {
        "AZURE_CLIENT_ID": credential.client_id,
        "AZURE_CLIENT_SECRET": credential.client_secret,
        "AZURE_TENANT_ID": credential.tenant_id,
    }
