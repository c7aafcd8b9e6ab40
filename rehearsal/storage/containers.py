"""Containers that were deployed through Resource Manager: Azurite learns of them when they are first used.

A container made on either plane is the same container
(https://learn.microsoft.com/rest/api/storagerp/blob-containers/create).
"""

from __future__ import annotations

from email.utils import formatdate

import httpx

from rehearsal.storage.azurite import AzuriteFailed
from rehearsal.storage.signature import authorization
from rehearsal.world import World

API_VERSION = "2021-12-02"
ACCOUNTS = "Microsoft.Storage/storageAccounts"


class DeployedContainers:
    """Makes deployed containers in Azurite, each once, and takes away there what was deleted through Resource Manager."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._made = world.store.collection("storage/deployed_containers")
        self._seen: set[str] = set()

    async def ensure(self, client: httpx.AsyncClient, account: str, container: str) -> None:
        """The container is in Azurite if a deployment has made it, and not any more if it was deleted. client: Azurite's."""
        if not container:
            return
        key = f"{account}/{container}"
        if self._place(account, container) is None:
            if key in self._made:
                await self._send(client, "DELETE", account, container)
                self.forget(account, container)
        elif key not in self._seen:
            await self._send(client, "PUT", account, container)
            self._made[key] = True
            self._seen.add(key)

    def deleted(self, account: str, container: str) -> None:
        """The container was deleted at the blob service: Resource Manager knows it no more either."""
        place = self._place(account, container)
        if place is not None:
            self._world.resources.delete(place)
        self.forget(account, container)

    def forget(self, account: str, container: str) -> None:
        self._seen.discard(f"{account}/{container}")
        if f"{account}/{container}" in self._made:
            del self._made[f"{account}/{container}"]

    def _place(self, account: str, container: str) -> str | None:
        """The id of a container that Resource Manager has."""
        resource = self._world.resources.find(ACCOUNTS, account)
        place = f"{resource['id']}/blobServices/default/containers/{container}" if resource else ""
        return place if place and self._world.resources.get(place) is not None else None

    async def _send(self, client: httpx.AsyncClient, method: str, account: str, container: str) -> None:
        """To Azurite, under the account's own key."""
        headers = {
            "x-ms-date": formatdate(self._world.clock(), usegmt=True),
            "x-ms-version": API_VERSION,
            "content-length": "0",
            "host": f"{account}.blob.core.windows.net",
        }
        headers["authorization"] = authorization(
            account=account,
            key=self._world.storage_accounts.ensure(account)[0],
            method=method,
            path=f"/{container}",
            query=[("restype", "container")],
            headers=headers,
        )
        answer = await client.request(method, f"/{container}?restype=container", headers=headers)
        # 409: an earlier rehearsal made it; 404: it is gone already.
        if answer.status_code not in (201, 409) and not (method == "DELETE" and answer.status_code in (202, 404)):
            raise AzuriteFailed(f"Azurite refused {method} of the container {container}: {answer.status_code}")
