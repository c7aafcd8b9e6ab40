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
    storage_services,
    tags,
    unknown,
    vault_contents,
)
from rehearsal.resource_manager.providers.base import ResourceType
from rehearsal.world import World

_MODULES = (
    authorization,
    data_factory,
    factory_definitions,
    databricks,
    groups,
    identity,
    key_vault,
    vault_contents,
    storage,
    storage_services,
    tags,
)


TYPE_NAMES = tuple(kind.name for module in _MODULES for kind in module.TYPES)


class Providers:
    """The types over one world. Where it accepts unknown resources, a type that nobody knows has no rules of its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        kinds: list[ResourceType] = [make(world) for module in _MODULES for make in module.TYPES]
        self._kinds = {kind.name.lower(): kind for kind in kinds}

    def kind(self, resource_type: str) -> ResourceType:
        """The type of that name, without regard to case. Raises ServiceError 501 for one that is not here."""
        found = self._kinds.get(resource_type.lower())
        if found is None and self.knows(resource_type):
            found = unknown.Unknown(self._world, resource_type)
            self._kinds[resource_type.lower()] = found
        if found is None:
            raise not_here(f"resource type '{resource_type}'")
        return found

    def knows(self, resource_type: str) -> bool:
        return resource_type.lower() in self._kinds or self._world.accept_unknown_resources

    def has_rules(self, resource_type: str) -> bool:
        """Whether a type is more than its own body here."""
        return not isinstance(self._kinds.get(resource_type.lower()), unknown.Unknown)

    def all(self) -> list[ResourceType]:
        return list(self._kinds.values())
