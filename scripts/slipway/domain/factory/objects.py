"""The objects of a data factory, whatever they were read from: its Git folder, an export, or the service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """The kinds of objects, by their resource type under Microsoft.DataFactory/factories (api-version 2018-06-01), in
    the order in which Studio's export lists them."""

    PIPELINES = "pipelines"
    DATASETS = "datasets"
    LINKED_SERVICES = "linkedServices"
    TRIGGERS = "triggers"
    INTEGRATION_RUNTIMES = "integrationRuntimes"
    DATAFLOWS = "dataflows"
    MANAGED_VIRTUAL_NETWORKS = "managedVirtualNetworks"
    MANAGED_PRIVATE_ENDPOINTS = "managedVirtualNetworks/managedPrivateEndpoints"
    CREDENTIALS = "credentials"
    CHANGE_DATA_CAPTURES = "adfcdcs"
    GLOBAL_PARAMETERS = "globalParameters"

    @property
    def type_name(self) -> str:
        """The resource type as Studio's export spells it."""
        return "Microsoft.DataFactory/factories/" + ("globalparameters" if self is Kind.GLOBAL_PARAMETERS else self)

    @classmethod
    def of_type(cls, resource_type: str) -> Kind | None:
        """The kind of a resource type, without regard to case; None for anything else, the factory itself too."""
        return _BY_TYPE.get(resource_type.lower())


_BY_TYPE = {kind.type_name.lower(): kind for kind in Kind}

Key = tuple[Kind, str]
"""What an object is known by: names are equal without regard to case."""


@dataclass(frozen=True)
class FactoryObject:
    """One object: `properties` is its JSON as the service's PUT takes it; `source` says where it was read ("file", or
    the place in a template). A managed private endpoint's name has its network's before it: "default/kv-x"."""

    kind: Kind
    name: str
    properties: Mapping[str, Any]
    source: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        return self.kind, self.name.lower()

    @property
    def short_name(self) -> str:
        """The name without its network's."""
        return self.name.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The folder that Studio shows the object in, "" at the top."""
        place = self.properties.get("folder")
        name = place.get("name") if isinstance(place, Mapping) else None
        return name if isinstance(name, str) else ""

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True)
class Factory:
    """The factory itself, as its own file in the Git folder says it: what the service fills in is left out."""

    name: str
    location: str = ""
    identity: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""

    @property
    def global_parameters(self) -> Mapping[str, Any]:
        """Each global parameter by its name: {"type", "value"}."""
        found = self.properties.get("globalParameters")
        return found if isinstance(found, Mapping) else {}
