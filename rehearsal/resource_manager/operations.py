"""Reading and writing one resource with everything that Resource Manager itself looks at: existence, roles, locks, parents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.entra.directory import Principal
from rehearsal.resource_manager.access import may, require
from rehearsal.resource_manager.api_versions import check_supported
from rehearsal.resource_manager.errors import ServiceError, group_not_found, not_found
from rehearsal.resource_manager.identifiers import ResourceId, group_of, parse, subscription_of
from rehearsal.resource_manager.providers.base import (
    ResourceType,
    Write,
    check_shape,
    is_vague,
    location,
    locked,
    spelled,
)
from rehearsal.resource_manager.providers.registry import Providers
from rehearsal.world import World

Json = Any
_GROUP = "microsoft.resources/resourcegroups"
# Registered in every subscription
# (learn.microsoft.com/azure/azure-resource-manager/management/azure-services-resource-providers#registered-by-default).
_ALWAYS = ("Microsoft.Resources", "Microsoft.Authorization")


class Operations:
    """What a caller can do with single resources; also what deployments do, in the caller's name."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.providers = Providers(world)

    def get(self, resource_id: str, caller: Principal, api_version: str = "") -> dict[str, Json]:
        """Raises ServiceError: 400, 403, 404, 501."""
        parsed, kind = self.identify(resource_id)
        self._check_version(kind, api_version, resource_id)
        require(self.world, caller, resource_id, f"{kind.actions}/read")
        return self._existing(parsed, kind)

    def list(self, scope: str, resource_type: str, caller: Principal, api_version: str = "") -> list[dict[str, Json]]:
        kind = self.providers.kind(resource_type)
        if api_version:
            check_supported(kind.name, api_version, self.world.clock())
        self.check_place(scope)
        require(self.world, caller, scope, f"{kind.actions}/read")
        return kind.list(scope)

    def prepare(
        self,
        resource_id: str,
        body: Mapping[str, Json],
        api_version: str,
        caller: Principal,
        *,
        resource_type: str = "",
    ) -> tuple[ResourceType, Write]:
        """A write with its type, not yet checked. Raises ServiceError 501 for an unknown type."""
        parsed, kind = self.identify(resource_id, resource_type)
        self._check_version(kind, api_version, resource_id, body)
        body = spelled(body, (*kind.shape, *kind.words))
        check_shape(body, kind.shape)
        write = Write(
            id=parsed,
            body=kind.read(body, api_version),
            api_version=api_version,
            caller=caller,
            existing=kind.get(resource_id),
            vague=is_vague(body, kind.shape),
        )
        return kind, write

    def put(self, kind: ResourceType, write: Write, *, deployed: bool = False) -> dict[str, Json]:
        """Check everything and write; `deployed`: as a part of a template. Raises ServiceError."""
        self.authorise(kind, write)
        self.check_place(str(write.id), parent=kind.name.lower() != _GROUP)
        self.check_enabled(str(write.id))
        self.check_registered(kind, write, deployed=deployed)
        locked(self.world, self._id(write), "write")
        self.check_parent(write.id, kind)
        self.check(kind, write)
        return kind.put(write)

    def check(self, kind: ResourceType, write: Write) -> None:
        """Raises ServiceError for what the provider refuses, as far as that can be told."""
        if not write.vague:
            kind.check(write)

    def check_enabled(self, resource_id: str) -> None:
        """Raises ServiceError 409 for a write in a subscription that is disabled
        (learn.microsoft.com/azure/cost-management-billing/manage/subscription-disabled; code and sentence as in
        github.com/microsoft/vscode-azureappservice issue 1646; the status is unverified)."""
        subscription = subscription_of(resource_id)
        found = None if subscription is None else self.world.resources.subscription(subscription)
        if found is not None and found["state"] == "Disabled":
            raise ServiceError(
                409,
                "ReadOnlyDisabledSubscription",
                f"The subscription '{subscription}' is disabled and therefore marked as read only. You cannot perform any write "
                "actions on this subscription until it is re-enabled.",
            )

    def check_registered(self, kind: ResourceType, write: Write, *, deployed: bool) -> None:
        """Raises ServiceError 409 when the subscription does not have the type's provider (github.com/Azure/azure-sdk-for-java
        issue 1154; the body as in github.com/microsoft/microsoft-foundry-for-vscode issue 270).

        A deployment registers the providers of its template by itself
        (learn.microsoft.com/azure/azure-resource-manager/management/resource-providers-and-types), here where the caller may
        register them; that it does not where they may not is unverified.
        """
        namespace = kind.name.partition("/")[0]
        resources, subscription = self.world.resources, write.subscription
        if not subscription or namespace in _ALWAYS or resources.registration(subscription, namespace) == "Registered":
            return
        if deployed and may(self.world, write.caller, f"/subscriptions/{subscription}", f"{namespace}/register/action"):
            resources.set_registration(subscription, namespace, "Registered")
            return
        message = (
            f"The subscription is not registered to use namespace '{namespace}'. See https://aka.ms/rps-not-found for how to "
            "register subscriptions."
        )
        code = "MissingSubscriptionRegistration"
        raise ServiceError(409, code, message, details=[{"code": code, "target": namespace, "message": message}])

    def authorise(self, kind: ResourceType, write: Write) -> None:
        """Raises ServiceError 403 when the caller may not write that resource."""
        require(self.world, write.caller, self._id(write), f"{kind.actions}/write")

    def delete(self, resource_id: str, caller: Principal) -> bool:
        """Whether there was anything to delete. Raises ServiceError."""
        _parsed, kind = self.identify(resource_id)
        require(self.world, caller, resource_id, f"{kind.actions}/delete")
        self.check_place(resource_id)
        self.check_enabled(resource_id)
        if kind.get(resource_id) is None:
            return False
        locked(self.world, resource_id, "delete")
        kind.delete(resource_id)
        self._forget_extensions(resource_id)
        return True

    def action(self, resource_id: str, name: str, body: Json, caller: Principal) -> Json:
        parsed, kind = self.identify(resource_id)
        require(self.world, caller, resource_id, f"{kind.name}/{name}/action")
        self._existing(parsed, kind)
        return kind.action(name, resource_id, body, caller)

    def identify(self, resource_id: str, resource_type: str = "") -> tuple[ResourceId, ResourceType]:
        """The parsed id with its type. Raises ServiceError."""
        if resource_type.lower() == _GROUP:
            segments = resource_id.strip("/").split("/")
            scope = "/" + "/".join(segments[:2])
            return ResourceId(scope, "Microsoft.Resources", ("resourceGroups",), (segments[-1],)), self.providers.kind(
                _GROUP
            )
        try:
            parsed = parse(resource_id)
        except ValueError as error:
            raise ServiceError(404, "InvalidResourceId", f"The resource id '{resource_id}' is not valid.") from error
        return parsed, self.providers.kind(parsed.type)

    def check_place(self, resource_id: str, *, parent: bool = True) -> None:
        """Raises ServiceError 404 when the subscription or the group is not there."""
        subscription = subscription_of(resource_id)
        if subscription is None:
            return
        if self.world.resources.subscription(subscription) is None:
            raise ServiceError(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")
        group = group_of(resource_id)
        if parent and group is not None and self.world.resources.group(subscription, group) is None:
            raise group_not_found(group)

    def check_parent(self, parsed: ResourceId, kind: ResourceType) -> None:
        """Raises ServiceError 404 when a child's parent, or an extension's resource, is not there."""
        parent = parsed.parent
        if parent is None and "/providers/" in parsed.scope.lower():
            parent = parsed.scope
        if parent is None:
            return
        _parsed, parent_kind = self.identify(parent)
        if parent_kind.get(parent) is None:
            short = kind.name.split("/", 1)[1]
            raise ServiceError(
                404,
                "ParentResourceNotFound",
                f"Failed to perform 'write' on resource(s) of type '{short}', because the parent resource '{parent}' could "
                "not be found.",
            )

    def _check_version(
        self, kind: ResourceType, api_version: str, resource_id: str, body: Mapping[str, Json] | None = None
    ) -> None:
        """Raises ServiceError 400 for an api-version that the type has not."""
        if not api_version or not self.providers.has_rules(kind.name):
            return
        place = (body or {}).get("location")
        subscription, group = subscription_of(resource_id), group_of(resource_id)
        if place is None and subscription is not None and group is not None:
            place = (self.world.resources.group(subscription, group) or {}).get("location")
        check_supported(kind.name, api_version, self.world.clock(), location(place) or "global")

    def _existing(self, parsed: ResourceId, kind: ResourceType) -> dict[str, Json]:
        self.check_place(str(parsed))
        found = kind.get(str(parsed))
        if found is None:
            raise not_found(kind.name, parsed.full_name, group_of(str(parsed)))
        return found

    def _id(self, write: Write) -> str:
        if write.id.type.lower() == _GROUP:
            return f"{write.id.scope}/resourceGroups/{write.id.name}"
        return str(write.id)

    def _forget_extensions(self, resource_id: str) -> None:
        # Role assignments at a scope go with it (learn.microsoft.com/azure/role-based-access-control/troubleshooting).
        for assignment in list(self.world.roles.at(resource_id, below=True)):
            if assignment["properties"]["scope"].lower().startswith(resource_id.lower()):
                self.world.roles.remove(assignment["id"])
