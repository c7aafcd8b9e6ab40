"""What a definition refers to: every `{"referenceName": …, "type": "…Reference"}`, wherever it stands in the JSON.

Types and targets: the models of azure-mgmt-datafactory 10.0.0. Names are compared without regard to case
(learn.microsoft.com/azure/data-factory/naming-rules).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rehearsal.resource_manager.identifiers import fold
from rehearsal.resource_manager.resources import Resources

Json = Any
# Reference types that name an object of the same factory, with the segment of that object's id.
TARGETS = {
    "datasetreference": "datasets",
    "linkedservicereference": "linkedservices",
    "pipelinereference": "pipelines",
    "dataflowreference": "dataflows",
    "integrationruntimereference": "integrationruntimes",
    "triggerreference": "triggers",
    "credentialreference": "credentials",
    "managedvirtualnetworkreference": "managedvirtualnetworks",
}
# Every factory has this runtime without anybody defining it (learn.microsoft.com/azure/data-factory/concepts-integration-runtime).
ALWAYS_THERE = "autoresolveintegrationruntime"


@dataclass(frozen=True)
class Reference:
    """kind: the segment of the target's id ("linkedservices"); name: as it is written."""

    kind: str
    name: str

    def target(self, factory_id: str) -> str:
        """The target's id, as a key."""
        return fold(f"{factory_id}/{self.kind}/{self.name}")


def references(value: Json) -> Iterator[Reference]:
    """Every reference in a definition, in the order of the JSON; names that are expressions refer to nothing yet."""
    if isinstance(value, dict):
        name, kind = value.get("referenceName"), value.get("type")
        if isinstance(name, str) and isinstance(kind, str) and kind.lower() in TARGETS:
            yield Reference(TARGETS[kind.lower()], name)
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def missing(resources: Resources, factory_id: str, own_id: str, properties: Json) -> Reference | None:
    """The first reference whose target is not in the factory; an object may refer to itself."""
    for reference in references(properties):
        if reference.kind == "integrationruntimes" and reference.name.lower() == ALWAYS_THERE:
            continue
        target = reference.target(factory_id)
        if target != fold(own_id) and resources.get(target) is None:
            return reference
    return None


def referrer(resources: Resources, factory_id: str, own_id: str) -> str | None:
    """The name of an object of the factory that refers to this one, or None."""
    wanted = fold(own_id)
    for other in resources.below(factory_id):
        if fold(other["id"]) == wanted:
            continue
        if any(reference.target(factory_id) == wanted for reference in references(other["properties"])):
            return str(other["name"])
    return None
