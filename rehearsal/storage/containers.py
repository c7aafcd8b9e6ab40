"""Containers that were deployed through Resource Manager: Azurite learns of them when they are first used.

A container made on either plane is the same container
(https://learn.microsoft.com/rest/api/storagerp/blob-containers/create).
"""

from __future__ import annotations

from email.utils import formatdate

import httpx

from rehearsal.storage.signature import authorization
from rehearsal.world import World

API_VERSION = "2021-12-02"
TYPE = "Microsoft.Storage/storageAccounts/blobServices/containers"


class DeployedContainers:
    """Makes deployed containers in Azurite, each once."""

    def __init__(self, world: World, client: httpx.AsyncClient) -> None:
        self._world = world
        self._client = client
        self._made: set[tuple[str, str]] = set()

    async def ensure(self, base_url: str, account: str, account_id: str, container: str) -> None:
        """Make the container, if a deployment has made it and this rehearsal has not used it yet."""
        if not container or (account, container) in self._made:
            return
        if self._world.resources.get(f"{account_id}/blobServices/default/containers/{container}") is None:
            return
        headers = {
            "x-ms-date": formatdate(self._world.clock(), usegmt=True),
            "x-ms-version": API_VERSION,
            "content-length": "0",
            "host": f"{account}.blob.core.windows.net",
        }
        query = [("restype", "container")]
        headers["authorization"] = authorization(
            account=account,
            key=self._world.storage_accounts.ensure(account)[0],
            method="PUT",
            path=f"/{container}",
            query=query,
            headers=headers,
        )
        answer = await self._client.put(f"{base_url}/{container}", params=dict(query), headers=headers)
        if answer.status_code not in (201, 409):
            raise RuntimeError(
                f"Azurite did not make the container {container}: {answer.status_code} {answer.text[:200]}"
            )
        self._made.add((account, container))
