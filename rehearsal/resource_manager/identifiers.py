"""Resource ids: compared without regard to case, cut into scope, type and name.

Source: learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-resource (resourceId,
extensionResourceId).
"""

from __future__ import annotations

from dataclasses import dataclass


def fold(resource_id: str) -> str:
    """The id as a key: ids that differ only in case, or by a slash at the end, are the same resource."""
    return resource_id.rstrip("/").lower()


def contains(scope: str, resource_id: str) -> bool:
    """Whether `resource_id` lies in `scope`, or is it. "/" holds everything."""
    outer, inner = fold(scope), fold(resource_id)
    return outer == "" or inner == outer or inner.startswith(outer + "/")


@dataclass(frozen=True)
class ResourceId:
    """A parsed id. `scope` is what the last `/providers/` hangs on; types and names are segments, outermost first."""

    scope: str
    namespace: str
    types: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def type(self) -> str:
        """For example "Microsoft.Storage/storageAccounts/blobServices"."""
        return "/".join((self.namespace, *self.types))

    @property
    def name(self) -> str:
        return self.names[-1]

    @property
    def full_name(self) -> str:
        """Names of all segments, for example "account/default/container"."""
        return "/".join(self.names)

    @property
    def parent(self) -> str | None:
        """The id of the resource that this one is a child of; None for a top-level resource."""
        if len(self.names) == 1:
            return None
        return build(self.scope, "/".join((self.namespace, *self.types[:-1])), *self.names[:-1])

    def __str__(self) -> str:
        return build(self.scope, self.type, *self.names)


def build(scope: str, resource_type: str, *names: str) -> str:
    """The id of a resource; one name per segment of the type after the namespace, otherwise ValueError."""
    namespace, *types = resource_type.split("/")
    if len(types) != len(names):
        raise ValueError(f"{resource_type} needs {len(types)} name(s), not {len(names)}")
    if resource_type.lower() == "microsoft.resources/resourcegroups":
        return f"{scope.rstrip('/')}/resourceGroups/{names[0]}"
    pairs = "".join(f"/{type_}/{name}" for type_, name in zip(types, names, strict=True))
    return f"{scope.rstrip('/')}/providers/{namespace}{pairs}"


def parse(resource_id: str) -> ResourceId:
    """Cut an id that names a resource. Raises ValueError for anything else (a group, a subscription, a broken id)."""
    segments = resource_id.strip("/").split("/")
    lowered = [segment.lower() for segment in segments]
    if "providers" not in lowered:
        raise ValueError(f"{resource_id!r} names no resource")
    cut = len(lowered) - 1 - lowered[::-1].index("providers")
    namespace, *rest = segments[cut + 1 :] or [""]
    if not namespace or not rest or len(rest) % 2 or not all(rest):
        raise ValueError(f"{resource_id!r} is not a resource id")
    scope = "/" + "/".join(segments[:cut]) if cut else ""
    return ResourceId(scope, namespace, tuple(rest[0::2]), tuple(rest[1::2]))


def subscription_of(resource_id: str) -> str | None:
    """The subscription's GUID in an id, or None."""
    segments = resource_id.strip("/").split("/")
    return segments[1] if len(segments) > 1 and segments[0].lower() == "subscriptions" else None


def group_of(resource_id: str) -> str | None:
    """The name of the resource group in an id, or None."""
    segments = resource_id.strip("/").split("/")
    return segments[3] if len(segments) > 3 and segments[2].lower() == "resourcegroups" else None


def group_id(subscription_id: str, name: str) -> str:
    return f"/subscriptions/{subscription_id}/resourceGroups/{name}"
