"""A resource type that nobody here knows, kept as it is written: `--accept-unknown-resources`.

Nothing is checked, no default is added, and nothing stands behind it but its own body.
"""

from __future__ import annotations

from typing import Any

from rehearsal.resource_manager.providers.base import ResourceType, Write
from rehearsal.resource_manager.providers.identity import assigned, identity
from rehearsal.world import World

Json = Any
COLLECTION = "resource_manager/unknown_resources"


class Unknown(ResourceType):
    partial = True
    read_only = ("identity.principalId", "identity.tenantId", "properties.provisioningState")

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world)
        self.name = name
        # A type of its own lives in a group and has a location; a child mostly has none.
        self.tracked = name.count("/") == 1

    def build(self, write: Write) -> dict[str, Json]:
        resource = self.basis(write, {**write.properties, "provisioningState": "Succeeded"})
        for key, value in write.body.items():
            if key not in resource and value is not None:
                resource[key] = value
        known = identity(write)
        if known is not None:
            resource["identity"] = known
        return resource

    def put(self, write: Write) -> dict[str, Json]:
        resource = assigned(self, write, self.build(write))
        self.world.resources.put(resource)
        self.world.store.collection(COLLECTION)[str(write.id).lower()] = {"type": self.name, "id": resource["id"]}
        return resource

    def delete(self, resource_id: str) -> None:
        super().delete(resource_id)
        self.world.store.collection(COLLECTION).pop(resource_id.lower(), None)


def accepted(world: World) -> list[str]:
    """Ids of what was kept without rules, for the report."""
    return sorted(str(one["id"]) for one in world.store.collection(COLLECTION).values())
