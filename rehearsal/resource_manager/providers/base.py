"""A resource type: how a write is checked, what it makes of a resource, and what else happens then."""

# ruff: noqa: ARG002 - every type answers to the same calls, whether it needs their arguments or not

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from rehearsal.entra.directory import Principal
from rehearsal.json_paths import at
from rehearsal.resource_manager.errors import ServiceError, not_here
from rehearsal.resource_manager.identifiers import ResourceId, contains, fold, group_of, subscription_of
from rehearsal.resource_manager.template.evaluate import Pending
from rehearsal.world import World

Json = Any
_DATE = re.compile(r"\d{4}-\d\d-\d\d(-(preview|alpha|beta|rc|privatepreview))?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Write:
    """A PUT of one resource. Before a deployment runs, values in `body` may still be Pending.

    vague: a whole object or list is, so that nothing can be said of what is in it.
    """

    id: ResourceId
    body: Mapping[str, Json]
    api_version: str
    caller: Principal
    existing: dict[str, Json] | None
    vague: bool = False

    @property
    def properties(self) -> Mapping[str, Json]:
        return self.body.get("properties") or {}

    @property
    def group(self) -> str | None:
        return group_of(str(self.id))

    @property
    def subscription(self) -> str:
        return subscription_of(str(self.id)) or ""


class ResourceType:
    """One type. A subclass names itself and its rules; reading and keeping are the same for most.

    shape: what a body must have at a dotted path (`x[]`: each item of x), beside what all resources have.
    words: further paths that are read without regard to case.
    tracked: lives in a group and has a location. read_only: dotted paths that what-if leaves out, as the service does;
    write_only: those that are secret. partial: `build` can't tell all that there will be.
    slow: a new one is answered with 202 and a Location, others with created_status. actions: what its permissions are
    called, where that is not the name. bodiless: a PUT may come without a body. deleted_status: of a DELETE. requests, posts:
    what REST can do with it, for docs/stand-ins.md; the rest is refused by name.
    """

    name = ""
    tracked = False
    partial = False
    slow = False
    created_status = 201
    deleted_status = 200
    bodiless = False
    requests: tuple[str, ...] = ("GET", "LIST", "PUT", "DELETE")
    posts: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    write_only: tuple[str, ...] = ()
    shape: ClassVar[Mapping[str, type]] = {}
    words: ClassVar[tuple[str, ...]] = ()

    def __init__(self, world: World) -> None:
        self.world = world

    @property
    def actions(self) -> str:
        return self.name

    # Reading

    def get(self, resource_id: str) -> dict[str, Json] | None:
        """The resource as GET returns it."""
        return self.world.resources.get(resource_id)

    def list(self, scope: str) -> list[dict[str, Json]]:
        return self.world.resources.below(scope, self.name)

    # Writing

    def read(self, body: Mapping[str, Json], api_version: str) -> Mapping[str, Json]:
        """A body in the shape of recent api-versions; only few old ones are that different."""
        return body

    def check(self, write: Write) -> None:
        """Refuse a write that the provider refuses, without changing anything. Raises ServiceError."""

    def build(self, write: Write) -> dict[str, Json]:
        """The resource that the write makes, as far as that can be told without making it. Changes nothing."""
        return self.basis(write, dict(write.properties))

    def foresee(self, write: Write) -> dict[str, Json]:
        """`build`, also before a deployment runs; of a vague write, what the body says."""
        if not write.vague:
            return self.build(write)
        given = write.body.get("properties")
        return self.basis(write, given if isinstance(given, dict) else {})

    def put(self, write: Write) -> dict[str, Json]:
        """Make it so; the resource as GET returns it."""
        resource = self.build(write)
        self.world.resources.put(resource)
        return resource

    def delete(self, resource_id: str) -> None:
        """Its system-assigned identity goes with it
        (learn.microsoft.com/entra/identity/managed-identities-azure-resources/overview); of role assignments, those stay that
        are elsewhere."""
        gone = self.world.resources.delete(resource_id)
        principal = ((gone or {}).get("identity") or {}).get("principalId")
        if principal:
            self.world.directory.remove_principal(principal)

    def action(self, name: str, resource_id: str, body: Json, caller: Principal) -> Json:
        """POST …/<name>. Raises ServiceError."""
        raise not_here(f"operation {self.name}/{name}")

    # Help for subclasses

    def basis(self, write: Write, properties: Mapping[str, Json]) -> dict[str, Json]:
        """id, name, type, and what a body brings along beside its properties."""
        found: dict[str, Json] = {
            "id": str(write.id) if write.existing is None else write.existing["id"],
            "name": write.id.name,
            "type": self.name,
        }
        if "location" in write.body:
            found["location"] = location(write.body["location"])
        for key in ("tags", "sku", "kind", "identity", "zones", "plan"):
            if write.body.get(key) is not None:
                found[key] = write.body[key]
        return {**found, "properties": dict(properties)}

    def tenant(self, write: Write) -> str:
        subscription = self.world.resources.subscription(write.subscription)
        return "" if subscription is None else str(subscription["tenantId"])

    def moment(self) -> str:
        return timestamp(self.world.clock())


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as the service writes moments."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def location(value: Json) -> Json:
    """Locations are kept without spaces, in lower case."""
    return value if isinstance(value, Pending) or not isinstance(value, str) else value.replace(" ", "").lower()


def check_api_version(value: str | None) -> str:
    """Raises ServiceError when a request has none, or none of the right form; versions as such are not told apart here."""
    if not value:
        raise ServiceError(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    if not _DATE.fullmatch(value) or not _is_day(value[:10]):
        raise ServiceError(400, "InvalidApiVersionParameter", f"The api-version '{value}' is invalid.")
    return value


def _is_day(text: str) -> bool:
    try:
        return bool(datetime.fromisoformat(text))
    except ValueError:
        return False


_SHAPE: Mapping[str, type] = {
    "location": str,
    "tags": dict,
    "sku": dict,
    "sku.name": str,
    "kind": str,
    "identity": dict,
    "identity.type": str,
    "properties": dict,
}
POLICIES_SHAPE: Mapping[str, type] = {
    "properties.accessPolicies": list,
    "properties.accessPolicies[]": dict,
    "properties.accessPolicies[].objectId": str,
    "properties.accessPolicies[].permissions": dict,
    "properties.accessPolicies[].permissions.certificates": list,
    "properties.accessPolicies[].permissions.keys": list,
    "properties.accessPolicies[].permissions.secrets": list,
    "properties.accessPolicies[].permissions.storage": list,
    "properties.accessPolicies[].tenantId": str,
}
NETWORK_SHAPE: Mapping[str, type] = {
    "properties.networkAcls": dict,
    "properties.networkAcls.bypass": str,
    "properties.networkAcls.defaultAction": str,
    "properties.networkAcls.ipRules": list,
    "properties.networkAcls.ipRules[]": dict,
    "properties.networkAcls.ipRules[].value": str,
    "properties.networkAcls.virtualNetworkRules": list,
}
_NAMES = {str: "String", dict: "Object", list: "Array", bool: "Boolean", int: "Int32"}


def spelled(body: Mapping[str, Json], paths: Iterable[str]) -> dict[str, Json]:
    """A copy of a body whose keys are spelled as the dotted paths have them: providers read keys without regard to case."""
    found = dict(copy.deepcopy(dict(body)))
    for path in sorted({*_SHAPE, *paths}, key=lambda one: one.count(".")):
        *parents, last = path.removesuffix("[]").split(".")
        for place in at(found, parents) if parents else [found]:
            known = (
                next((key for key in place if key.lower() == last.lower()), None) if isinstance(place, dict) else None
            )
            if known is not None and last not in place:
                place[last] = place.pop(known)
    return found


def check_shape(body: Mapping[str, Json], shape: Mapping[str, type]) -> None:
    """Raises ServiceError 400 when a part of a body is of another kind than its provider can read. Outer paths come first."""
    for path, kind in {**_SHAPE, **shape}.items():
        for value in at(body, path.split(".")):
            fits = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
            # What is null is as if it were not there, but not in a list (unverified).
            left_out = value is None and not path.endswith("[]")
            if not left_out and not isinstance(value, Pending) and not fits:
                shown = json.dumps(value)[:80]
                raise ServiceError(
                    400,
                    "InvalidRequestContent",
                    "The request content was invalid and could not be deserialized: 'Error converting value "
                    f"{shown} to type '{_NAMES[kind]}'. Path '{path}'.'.",
                )
    check_tags(body.get("tags") or {} if not isinstance(body.get("tags"), Pending) else {})


def is_vague(body: Mapping[str, Json], shape: Mapping[str, type]) -> bool:
    """Whether something that must be an object or a list is still an expression."""
    paths = (path for path, kind in {**_SHAPE, **shape}.items() if kind in (dict, list))
    return any(isinstance(value, Pending) for path in paths for value in at(body, path.split(".")))


def check_tags(tags: Mapping[str, Json]) -> None:
    """Raises ServiceError for too many tags, or ones that are too long or have characters that tags can't have.

    learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations; codes and sentences unverified.
    """
    if len(tags) > 50:
        raise ServiceError(400, "TooManyTags", "The number of tags cannot exceed '50'.")
    for name, value in tags.items():
        if not name or len(name) > 512 or any(character in "<>%&\\?/" for character in name):
            raise ServiceError(
                400, "InvalidTagNameCharacters", f"The tag name '{name}' is empty, too long or has reserved characters."
            )
        if not isinstance(value, str) or (len(value) > 256 and not isinstance(value, Pending)):
            raise ServiceError(
                400, "InvalidTagValueLength", f"The value of the tag '{name}' must be a text of at most 256."
            )


def check_location(write: Write) -> None:
    """Tracked resources have a location and stay where they are."""
    given = write.body.get("location")
    if given is None:
        raise ServiceError(400, "LocationRequired", "The location property is required for this definition.")
    if write.existing is None or isinstance(given, Pending):
        return
    there = write.existing.get("location")
    if location(given) != location(there):
        raise ServiceError(
            409,
            "InvalidResourceLocation",
            f"The resource '{write.id.name}' already exists in location '{there}' in resource group '{write.group}'. A "
            f"resource with the same name cannot be created in location '{location(given)}'. Please select a new resource "
            "name.",
        )


def chosen(write: Write, key: str, default: Json) -> Json:
    """A property from the body, else from what is there, else the default: for types whose PUT keeps what it is not given.

    A null in the body counts as not given (unverified).
    """
    if write.properties.get(key) is not None:
        return write.properties[key]
    before = (write.existing or {}).get("properties", {})
    return copy.deepcopy(before.get(key, default))


def locked(world: World, resource_id: str, operation: str) -> None:
    """Raises ServiceError 409 when a lock at the resource, above it, or (for delete) inside it forbids the operation.

    learn.microsoft.com/azure/azure-resource-manager/management/lock-resources
    """
    levels = ("CanNotDelete", "ReadOnly") if operation == "delete" else ("ReadOnly",)
    holding = []
    for lock in world.resources.below("", "Microsoft.Authorization/locks"):
        scope = lock["id"][: lock["id"].lower().rindex("/providers/microsoft.authorization/locks")]
        reaches = contains(scope, resource_id) or (operation == "delete" and contains(resource_id, scope))
        if reaches and lock["properties"].get("level") in levels and fold(lock["id"]) != fold(resource_id):
            holding.append(scope)
    if holding:
        raise ServiceError(
            409,
            "ScopeLocked",
            f"The scope '{resource_id}' cannot perform {operation} operation because following scope(s) are locked: "
            f"'{','.join(holding)}'. Please remove the lock and try again.",
        )
