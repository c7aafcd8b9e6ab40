"""Stand-ins behind a gateway on a thread of their own, so that blocking vendor clients can talk to them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from azure.identity import ClientSecretCredential

from rehearsal import azure_devops
from rehearsal.azure_devops import AzureDevOps
from rehearsal.entra.app import create_app as entra_app
from rehearsal.entra.directory import Directory
from rehearsal.gateway.faults import Faults
from rehearsal.gateway.gateway import Gateway
from rehearsal.key_vault.app import create_app as key_vault_app
from rehearsal.resource_manager.resources import Resources
from rehearsal.resource_manager.roles import Roles
from rehearsal.storage.accounts import StorageAccounts
from rehearsal.storage.app import create_app as storage_app
from rehearsal.storage.azurite import Azurite
from rehearsal.store import Store
from rehearsal.world import World

TENANT = "7a6f3c1e-52d4-4b8e-9d0a-1f2e3d4c5b6a"
SUBSCRIPTION = "2c9d8e7f-6a5b-4c3d-8e1f-0a9b8c7d6e5f"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-test"
APP = "11111111-2222-4333-8444-555555555555"
OBJECT = "66666666-7777-4888-9999-aaaaaaaaaaaa"
SECRET = "planted-client-secret-0001"
LIMIT_SECONDS = 60.0

T = TypeVar("T")


class Clock:
    """The real time, which a test may move."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class LocalCloud:
    """Use as a context manager. Clients run on the test's thread; `call` runs a function where the stand-ins live."""

    def __init__(
        self, folder: Path, *, more_apps: Callable[[World], list[tuple[str, Any]]] | None = None, storage: bool = False
    ) -> None:
        self.folder, self.clock, self.faults = folder, Clock(), Faults()
        store = Store(folder / "store.sqlite")
        self.world = World(
            folder=folder,
            store=store,
            clock=self.clock,
            directory=Directory(store, self.clock),
            roles=Roles(store, self.clock, delay_seconds=300),
            resources=Resources(store),
            storage_accounts=StorageAccounts(folder, store),
        )
        self.devops = AzureDevOps(self.world.directory, store, self.clock)
        self.azurite = Azurite(folder / "azurite", self.world.storage_accounts) if storage else None
        apps: list[tuple[str, Any]] = [
            ("login.microsoftonline.com", entra_app(self.world)),
            ("*.vault.azure.net", key_vault_app(self.world)),
            ("dev.azure.com", azure_devops.create_app(self.world, self.devops)),
            ("vssps.dev.azure.com", azure_devops.create_people_app(self.devops)),
        ]
        if self.azurite is not None:
            front = storage_app(self.world, self.azurite)
            apps += [("*.blob.core.windows.net", front), ("*.dfs.core.windows.net", front)]
        apps += more_apps(self.world) if more_apps else []
        self.gateway = Gateway(apps, folder / "gateway", faults=self.faults)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="stand-ins", daemon=True)
        self._seed()

    def __enter__(self) -> LocalCloud:
        self._thread.start()
        self.run(self.gateway.start())
        if self.azurite is not None:
            self.run(self.azurite.start())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.gateway.stop())
        if self.azurite is not None:
            self.run(self.azurite.stop())
        self.run(self.loop.shutdown_asyncgens())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(LIMIT_SECONDS)
        self.loop.close()
        self.world.store.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(LIMIT_SECONDS)

    def call(self, function: Callable[[], T]) -> T:
        async def inside() -> T:
            return function()

        return self.run(inside())

    def exports(self) -> Mapping[str, str]:
        return self.gateway.exports()

    def credential(self, *, secret: str = SECRET, app_id: str = APP, tenant: str = TENANT) -> ClientSecretCredential:
        return ClientSecretCredential(tenant, app_id, secret, retry_total=0)

    def put_vault(self, name: str, **properties: Any) -> str:
        resource_id = f"{GROUP}/providers/Microsoft.KeyVault/vaults/{name}"
        self._put(
            resource_id,
            "Microsoft.KeyVault/vaults",
            name,
            {"tenantId": TENANT, "enableRbacAuthorization": True, **properties},
        )
        return resource_id

    def put_account(self, name: str, **properties: Any) -> str:
        resource_id = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/{name}"
        self._put(resource_id, "Microsoft.Storage/storageAccounts", name, properties)
        self.call(lambda: self.world.storage_accounts.ensure(name))
        return resource_id

    def assign(self, scope: str, role: str, principal_id: str = OBJECT) -> None:
        self.call(
            lambda: self.world.roles.assign(scope=scope, principal_id=principal_id, role_name=role, immediately=True)
        )

    def _put(self, resource_id: str, kind: str, name: str, properties: Mapping[str, Any]) -> None:
        resource = {"id": resource_id, "type": kind, "name": name, "location": "westeurope", "properties": properties}
        self.call(lambda: self.world.resources.put(dict(resource)))

    def _seed(self) -> None:
        directory = self.world.directory
        directory.add_tenant(TENANT)
        directory.add_service_principal(
            tenant_id=TENANT, app_id=APP, object_id=OBJECT, display_name="Tests", client_secret=SECRET
        )
        self.world.resources.add_subscription(SUBSCRIPTION, tenant_id=TENANT)


def use(exports: Mapping[str, str], monkeypatch: Any) -> None:
    """Make this process's clients come through the gateway, with nothing but what a rehearsal sets."""
    for name in ("ALL_PROXY", "all_proxy", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in exports.items():
        monkeypatch.setenv(name, value)
