"""What is remembered of deployments: their state, their operations, their outputs."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from rehearsal.resource_manager.deployments.planning import Plan, deployment_id
from rehearsal.resource_manager.deployments.request import DeploymentRequest
from rehearsal.resource_manager.identifiers import fold
from rehearsal.resource_manager.providers.base import timestamp
from rehearsal.resource_manager.template.evaluate import Pending
from rehearsal.resource_manager.template.graph import summary
from rehearsal.resource_manager.template.hashes import hash64
from rehearsal.resource_manager.template.parameters import TYPES
from rehearsal.resource_manager.template.program import Program, Resource
from rehearsal.world import World

Json = Any
_MOST = 800
"""Deployments that a scope keeps in its history (learn.microsoft.com/…/templates/deployment-history-deletions)."""
ACTIVE = ("Accepted", "Running")


class History:
    """Deployments by id, with their operations."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._deployments = world.store.collection("resource_manager/deployments")
        self._operations = world.store.collection("resource_manager/deployment_operations")

    def get(self, key: str) -> dict[str, Json] | None:
        found: dict[str, Json] | None = self._deployments.get(fold(key))
        return found

    def put(self, record: dict[str, Json]) -> None:
        self._deployments[fold(record["id"])] = record

    def begin(self, record: dict[str, Json]) -> None:
        """A new run: its operations start empty; the oldest deployments of a full history go."""
        self._operations[fold(record["id"])] = []
        self.put(record)
        scope = record["id"].rsplit("/providers/", 1)[0]
        for old in self.at(scope)[_MOST:]:
            self.delete(old["id"])

    def delete(self, key: str) -> bool:
        if fold(key) not in self._deployments:
            return False
        del self._deployments[fold(key)]
        self._operations.pop(fold(key), None)
        return True

    def at(self, scope: str) -> list[dict[str, Json]]:
        """The deployments of a scope, newest first."""
        prefix = fold(deployment_id(scope, "")) + "/"
        found = [self._deployments[key] for key in self._deployments if key.startswith(prefix)]
        return sorted(found, key=lambda record: str(record["properties"]["timestamp"]), reverse=True)

    def operations(self, key: str) -> list[dict[str, Json]]:
        return list(self._operations.get(fold(key)) or [])

    def add_operation(self, key: str, operation: dict[str, Json]) -> None:
        self._operations[fold(key)] = [*self.operations(key), operation]

    def interrupted(self) -> None:
        """Deployments that were running when the rehearsal was stopped did not end: they count as failed."""
        for key in self._deployments:
            record = self._deployments[key]
            if record["properties"]["provisioningState"] in ACTIVE:
                record["properties"]["provisioningState"] = "Failed"
                record["properties"]["error"] = {
                    "code": "InternalServerError",
                    "message": "The rehearsal was stopped while this deployment ran. Deploy again.",
                }
                self._deployments[key] = record


def new_record(world: World, plan: Plan, request: DeploymentRequest) -> dict[str, Json]:
    """A deployment that was just accepted, as GET returns it."""
    record: dict[str, Json] = {
        "id": plan.id,
        "name": plan.name,
        "type": "Microsoft.Resources/deployments",
        "properties": {
            "templateHash": template_hash(request.template),
            "parameters": parameters(plan.program),
            "mode": request.mode,
            "provisioningState": "Accepted",
            "timestamp": timestamp(world.clock()),
            "duration": "PT0S",
            "correlationId": str(uuid.uuid4()),
            "providers": providers(plan),
            "dependencies": summary(plan.program),
        },
    }
    if request.template_link:
        # Without the query: it may hold a SAS token.
        link = {**request.template_link, "uri": str(request.template_link.get("uri", "")).split("?")[0]}
        record["properties"]["templateLink"] = {
            key: value for key, value in link.items() if value and key != "queryString"
        }
    if request.location:
        record["location"] = request.location
    if request.tags:
        record["tags"] = dict(request.tags)
    return record


def parameters(program: Program) -> dict[str, Json]:
    """The values as the record shows them: secure ones without."""
    found: dict[str, Json] = {}
    for declared in program.parameters.declared.values():
        entry: dict[str, Json] = {"type": TYPES[declared.type]}
        reference = program.parameters.reference_of(declared)
        if reference is not None:
            entry["reference"] = reference
        elif not declared.secure:
            entry["value"] = plain(program.parameters.lookup(declared.name))
        found[declared.name] = entry
    return found


def plain(value: Json) -> Json:
    """A value with nothing but JSON's own types in it."""
    return str(value) if isinstance(value, Pending) else value


def providers(plan: Plan) -> list[dict[str, Json]]:
    """The namespaces and types that a deployment uses."""
    spaces: dict[str, dict[str, set[str | None]]] = {}
    for resource in plan.program.deployed():
        namespace, _, kind = resource.type.partition("/")
        location = resource.raw.get("location")
        text = location if isinstance(location, str) and not location.startswith("[") else None
        spaces.setdefault(namespace, {}).setdefault(kind, set()).add(text)
    return [
        {
            "namespace": namespace,
            "resourceTypes": [
                {"resourceType": kind, "locations": sorted(places, key=str)} for kind, places in kinds.items()
            ],
        }
        for namespace, kinds in spaces.items()
    ]


def template_hash(template: Json) -> str:
    """A number that is the same for the same template. Our own: the service's algorithm is not public."""
    return str(hash64(json.dumps(template, sort_keys=True, separators=(",", ":")).encode()))


def operation(
    world: World, plan: Plan, resource: Resource, *, created: bool, error: Mapping[str, Json] | None, status: str
) -> dict[str, Json]:
    """One operation of a deployment. error: what stands under statusMessage.error when it failed."""
    number = f"{hash64(f'{resource.id}{world.clock()}'.encode()):016X}"
    properties: dict[str, Json] = {
        "provisioningOperation": "Create",
        "provisioningState": "Succeeded" if error is None else "Failed",
        "timestamp": timestamp(world.clock()),
        "duration": "PT0S",
        "trackingId": str(uuid.uuid4()),
        "statusCode": ("Created" if created else "OK") if error is None else status,
        "targetResource": {"id": resource.id, "resourceType": resource.type, "resourceName": resource.name},
    }
    if error is not None:
        properties["statusMessage"] = {"error": dict(error)}
    return {"id": f"{plan.id}/operations/{number}", "operationId": number, "properties": properties}


def duration(seconds: float) -> str:
    return f"PT{max(0.0, seconds):.7f}S"
