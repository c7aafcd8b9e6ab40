"""All resource types that this rehearsal knows, by name."""

from __future__ import annotations

from rehearsal.data_factory import definitions as factory_definitions
from rehearsal.resource_manager.errors import not_here
from rehearsal.resource_manager.providers import (
    authorization,
    data_factory,
    databricks,
    groups,
    identity,
    key_vault,
    storage,
)
from rehearsal.resource_manager.providers.base import ResourceType
from rehearsal.world import World

_MODULES = (authorization, data_factory, factory_definitions, databricks, groups, identity, key_vault, storage)


class Providers:
    """The types over one world."""

    def __init__(self, world: World) -> None:
        kinds: list[ResourceType] = [make(world) for module in _MODULES for make in module.TYPES]
        self._kinds = {kind.name.lower(): kind for kind in kinds}

    def kind(self, resource_type: str) -> ResourceType:
        """The type of that name, without regard to case. Raises ServiceError 501 for one that is not here."""
        found = self._kinds.get(resource_type.lower())
        if found is None:
            raise not_here(f"resource type '{resource_type}'")
        return found

    def knows(self, resource_type: str) -> bool:
        return resource_type.lower() in self._kinds

    def all(self) -> list[ResourceType]:
        return list(self._kinds.values())
