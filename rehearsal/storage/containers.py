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
    """Makes deployed containers in Azurite, each once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._made: set[tuple[str, str]] = set()

    async def ensure(self, client: httpx.AsyncClient, account: str, container: str) -> None:
        """Make the container, if a deployment has made it and this rehearsal has not used it yet. client: Azurite's."""
        if not container or (account, container) in self._made or not self._deployed(account, container):
            return
        headers = {
            "x-ms-date": formatdate(self._world.clock(), usegmt=True),
            "x-ms-version": API_VERSION,
            "content-length": "0",
            "host": f"{account}.blob.core.windows.net",
        }
        headers["authorization"] = authorization(
            account=account,
            key=self._world.storage_accounts.ensure(account)[0],
            method="PUT",
            path=f"/{container}",
            query=[("restype", "container")],
            headers=headers,
        )
        answer = await client.put(f"/{container}?restype=container", headers=headers)
        if answer.status_code not in (201, 409):  # 409: an earlier rehearsal made it
            raise AzuriteFailed(f"Azurite did not make the container {container}: {answer.status_code}")
        self._made.add((account, container))

    def _deployed(self, account: str, container: str) -> bool:
        resource = self._world.resources.find(ACCOUNTS, account)
        place = f"{resource['id']}/blobServices/default/containers/{container}" if resource else ""
        return bool(place) and self._world.resources.get(place) is not None
