"""What an admin does by hand, in front of the stand-ins: requests of their own, and what no request can do in this world."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

from rehearsal.compose import LocalAzure
from rehearsal.entra.directory import AZURE_DATABRICKS_APP
from rehearsal.server import Server
from slipway.domain.environment import Environment

T = TypeVar("T")
Json = dict[str, Any]
MANAGEMENT = "https://management.azure.com"
_SECONDS = 60


class Hand:
    """The admin of an environment's tenant. Whatever is refused raises httpx.HTTPStatusError."""

    def __init__(self, server: Server, environment: Environment) -> None:
        self._server = server
        self.environment = environment
        exports = server.azure.exports
        trust = ssl.create_default_context(cafile=exports["REQUESTS_CA_BUNDLE"])
        self._client = httpx.Client(proxy=exports["https_proxy"], verify=trust, timeout=_SECONDS, trust_env=False)

    def close(self) -> None:
        self._client.close()

    @property
    def azure(self) -> LocalAzure:
        return self._server.azure

    def call(self, function: Callable[[], T]) -> T:
        """The result of a function called where the stand-ins live."""
        return self._server.call(function)

    # -- places --------------------------------------------------------------------------------------------------------

    @property
    def subscription(self) -> str:
        return f"/subscriptions/{self.environment.azure.subscription_id}"

    @property
    def group(self) -> str:
        return f"{self.subscription}/resourceGroups/{self.environment.azure.resource_group}"

    @property
    def state_group(self) -> str:
        return f"{self.subscription}/resourceGroups/{self.environment.azure.state.resource_group}"

    @property
    def state_account(self) -> str:
        return f"{self.state_group}/providers/Microsoft.Storage/storageAccounts/{self.environment.azure.state.storage_account}"

    @property
    def factory(self) -> str:
        return f"{self.group}/providers/Microsoft.DataFactory/factories/{self.environment.resources.data_factory}"

    @property
    def host(self) -> str:
        return self.environment.databricks.host

    @property
    def release_identity(self) -> str:
        """Its client id, by which the workspace knows it."""
        return self.environment.azure.release_identity.client_id

    # -- requests ------------------------------------------------------------------------------------------------------

    def arm(self, method: str, path: str, api_version: str, body: Any = None) -> Json:
        """One request of Resource Manager, as the admin."""
        url = f"{MANAGEMENT}{path}{'&' if '?' in path else '?'}api-version={api_version}"
        return self._send(MANAGEMENT + "/", method, url, body)

    def workspace(self, method: str, path: str, body: Any = None, /, **query: str) -> Json:
        """One request of the environment's workspace, as the admin."""
        url = httpx.URL(f"{self.host}/api/2.0{path}", params=query) if query else f"{self.host}/api/2.0{path}"
        return self._send(AZURE_DATABRICKS_APP, method, str(url), body)

    def _send(self, audience: str, method: str, url: str, body: Any) -> Json:
        admin = self.azure.admins[self.environment.azure.tenant_id]

        def token() -> str:
            return self.azure.world.directory.issue_token(
                tenant_id=admin.tenant_id, app_id=admin.client_id, audience=audience
            )

        answer = self._client.request(method, url, headers={"Authorization": f"Bearer {self.call(token)}"}, json=body)
        if answer.status_code != httpx.codes.NOT_FOUND or method != "DELETE":
            answer.raise_for_status()
        parsed = answer.json() if answer.content else {}
        return parsed if isinstance(parsed, dict) else {}

    def member(self, client_id: str) -> Json:
        """A service principal of the workspace, as SCIM shows it. Raises LookupError."""
        found = self.workspace("GET", "/preview/scim/v2/ServicePrincipals", filter=f'applicationId eq "{client_id}"')
        for one in found.get("Resources") or []:
            return dict(one)
        raise LookupError(client_id)

    def factory_client(self) -> str:
        """The application id of the factory's identity."""
        path = f"{self.factory}/providers/Microsoft.ManagedIdentity/identities/default"
        return str(self.arm("GET", path, "2023-01-31")["properties"]["clientId"])
