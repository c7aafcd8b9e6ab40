"""A small Azure for these tests: real store, roles and resources; a directory and storage accounts that only remember."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import httpx
import requests
from anyio.from_thread import BlockingPortal
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import RequestsTransport
from urllib3 import HTTPResponse

from rehearsal.entra.directory import InvalidToken, Principal
from rehearsal.world import World

REPOSITORY = Path(__file__).parents[3]
SUBSCRIPTION = "2c9d8e7f-6a5b-4c3d-8e1f-0a9b8c7d6e5f"
SUBSCRIPTION_ID = f"/subscriptions/{SUBSCRIPTION}"
TENANT = "7a6f3c1e-52d4-4b8e-9d0a-1f2e3d4c5b6a"
GROUP_ID = f"{SUBSCRIPTION_ID}/resourceGroups/rg-app"
BASE = "https://management.azure.com"
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


class FakeDirectory:
    """Tokens are object ids; "expired" and the like are tokens that fail for that reason."""

    def __init__(self) -> None:
        self._principals: dict[str, Principal] = {}
        self.federations: list[tuple[str, str, str, str]] = []

    def add(self, name: str) -> Principal:
        object_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        self._principals[object_id] = Principal(
            object_id, str(uuid.uuid5(uuid.NAMESPACE_URL, name)), name, "ServicePrincipal"
        )
        return self._principals[object_id]

    def add_managed_identity(self, *, tenant_id: str, resource_id: str, display_name: str) -> Principal:
        return self.add(resource_id.lower())

    def remove_principal(self, object_id: str) -> None:
        self._principals.pop(object_id, None)

    def by_object_id(self, object_id: str) -> Principal | None:
        return self._principals.get(object_id)

    def add_federation(self, *, app_id: str, issuer: str, subject: str, audience: str) -> None:
        self.federations.append((app_id, issuer, subject, audience))

    def remove_federation(self, *, app_id: str, issuer: str, subject: str) -> None:
        self.federations = [one for one in self.federations if one[:3] != (app_id, issuer, subject)]

    def verify(
        self, authorization_header: str | None, audiences: Collection[str], *, tenant: str | None = None
    ) -> Principal:
        token = (authorization_header or "").removeprefix("Bearer ")
        if token in ("", "expired", "audience", "malformed", "signature", "issuer"):
            raise InvalidToken(cast(Any, token or "missing"), f"refused: {token or 'missing'}")
        return self._principals[token]


class FakeAccounts:
    def __init__(self) -> None:
        self.names: list[str] = []
        self.renewed: list[tuple[str, int]] = []

    def ensure(self, name: str) -> tuple[str, str]:
        if name not in self.names:
            self.names.append(name)
        first, second = (f"{name}-{number}{'n' * self.renewed.count((name, number - 1))}" for number in (1, 2))
        return first, second

    def renew(self, name: str, index: int) -> None:
        self.renewed.append((name, index))

    def keys(self, name: str) -> tuple[str, str] | None:
        return self.ensure(name) if name in self.names else None

    def remove(self, name: str) -> None:
        self.names.remove(name)


class FakeWorkspaces:
    """Databricks workspaces by host."""

    def __init__(self) -> None:
        self.hosts: dict[str, str] = {}

    def add(self, host: str, workspace_resource_id: str, workspace_id: str | None = None) -> None:
        self.hosts[host] = workspace_resource_id

    def remove(self, host: str) -> None:
        del self.hosts[host]


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


class Wire:
    """Calls an ASGI app that lives on one event loop of its own, so that what it starts goes on running."""

    def __init__(self, portal: BlockingPortal, app: Any) -> None:
        self._portal = portal
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=BASE)

    def request(self, method: str, url: str, headers: dict[str, str], content: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            return await self._client.request(method, url, headers=headers, content=content)

        return self._portal.call(send)

    def close(self) -> None:
        self._portal.call(self._client.aclose)


class AsgiAdapter(requests.adapters.BaseAdapter):
    """Lets clients that use requests call an ASGI app."""

    def __init__(self, client: Wire) -> None:
        super().__init__()
        self._client = client

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        body: Any = request.body
        content = body.read() if hasattr(body, "read") else body
        answer = self._client.request(
            str(request.method), str(request.url), headers=dict(request.headers), content=content
        )
        response = requests.Response()
        response.status_code = answer.status_code
        response.headers = requests.structures.CaseInsensitiveDict(answer.headers)
        response.raw = HTTPResponse(
            body=BytesIO(answer.content), headers=dict(answer.headers), status=answer.status_code, preload_content=False
        )
        response.url = str(request.url)
        response.request = request
        response.reason = answer.reason_phrase
        return response

    def close(self) -> None:
        pass


@dataclass
class Credential:
    """A token credential whose token is an object id."""

    object_id: str

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        return AccessToken(self.object_id, 4_000_000_000)


@dataclass
class Azure:
    """The app with a caller. `call` answers (status, body); `admin` is Owner of the subscription."""

    world: World
    client: Wire
    clock: Clock
    admin: Principal
    directory: FakeDirectory
    accounts: FakeAccounts
    app: Any
    workspaces: FakeWorkspaces
    mappings: list[tuple[str, Path]]
    headers: dict[str, str] = field(default_factory=dict)

    def call(
        self, method: str, path: str, body: Any = None, *, caller: Principal | None = None, version: str = ""
    ) -> tuple[int, Any]:
        """version: of the api; left out, one that the provider in the path has."""
        caller = caller or self.admin
        version = version or version_of(path)
        mark = "&" if "?" in path else "?"
        content = body if isinstance(body, str) else None if body is None else json.dumps(body)
        response = self.client.request(
            method,
            f"{BASE}{path}{mark}api-version={version}",
            headers={"Authorization": f"Bearer {caller.object_id}", "Content-Type": "application/json"},
            content=content,
        )
        self.headers = dict(response.headers)
        return response.status_code, response.json() if response.content else None

    def group(self, name: str = "rg-app") -> None:
        status, _ = self.call("PUT", f"{SUBSCRIPTION_ID}/resourcegroups/{name}", {"location": "westeurope"})
        assert status in (200, 201)

    def deploy(
        self,
        template: Any,
        parameters: dict[str, Any] | None = None,
        *,
        name: str = "main",
        scope: str = GROUP_ID,
        caller: Principal | None = None,
        mode: str = "Incremental",
    ) -> dict[str, Any]:
        """Deploy and wait; the record. Fails the test when the deployment is not even accepted."""
        status, body = self.call(
            "PUT", deployment(scope, name), envelope(template, parameters, mode=mode, scope=scope), caller=caller
        )
        assert status in (200, 201), body
        for _ in range(100):
            _, state = self.call("GET", deployment(scope, name) + "/operationStatuses/1")
            if state["status"] not in ("Accepted", "Running"):
                break
        status, record = self.call("GET", deployment(scope, name))
        assert status == 200
        return cast(dict[str, Any], record)

    def what_if(self, template: Any, parameters: dict[str, Any] | None = None, **options: Any) -> list[dict[str, Any]]:
        status, body = self.call(
            "POST", deployment(GROUP_ID, "main") + "/whatIf", envelope(template, parameters, **options)
        )
        assert status == 200, body
        return cast(list[dict[str, Any]], body["properties"]["changes"])

    def session(self) -> requests.Session:
        session = requests.Session()
        session.mount("https://", AsgiAdapter(self.client))
        return session

    def sdk(self) -> dict[str, Any]:
        """Keywords that point a client of the Azure SDK here, as the admin."""
        return {
            "credential": Credential(self.admin.object_id),
            "subscription_id": SUBSCRIPTION,
            "transport": RequestsTransport(session=self.session(), session_owner=False),
        }


def version_of(path: str) -> str:
    provider = path.lower().rsplit("/providers/", 1)[-1].split("/")[0]
    versions = {
        "microsoft.authorization": "2022-04-01",
        "microsoft.databricks": "2024-05-01",
        "microsoft.datafactory": "2018-06-01",
        "microsoft.keyvault": "2023-07-01",
        "microsoft.managedidentity": "2023-01-31",
        "microsoft.storage": "2023-05-01",
    }
    return "2020-05-01" if "/locks" in path.lower() else versions.get(provider, "2024-03-01")


def deployment(scope: str, name: str) -> str:
    return f"{scope}/providers/Microsoft.Resources/deployments/{name}"


def envelope(
    template: Any, parameters: dict[str, Any] | None = None, *, mode: str = "Incremental", scope: str = GROUP_ID
) -> dict[str, Any]:
    """A deployment's body, with plain parameter values."""
    body: dict[str, Any] = {
        "properties": {
            "mode": mode,
            "template": template,
            "parameters": {key: {"value": value} for key, value in (parameters or {}).items()},
        }
    }
    if "resourcegroups" not in scope.lower():
        body["location"] = "westeurope"
    return body


def template(*resources: Any, **sections: Any) -> dict[str, Any]:
    return {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": list(resources), **sections}
