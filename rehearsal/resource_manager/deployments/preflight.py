"""What is checked before a deployment starts: may the caller write each resource, and would its provider take it."""

from __future__ import annotations

import uuid

from rehearsal.entra.directory import Principal
from rehearsal.resource_manager.access import may, require
from rehearsal.resource_manager.deployments.planning import Plan
from rehearsal.resource_manager.errors import ServiceError
from rehearsal.resource_manager.operations import Operations
from rehearsal.resource_manager.providers.base import locked
from rehearsal.resource_manager.template.program import Resource
from rehearsal.resource_manager.template.types import certain_types


def check(operations: Operations, plan: Plan, caller: Principal, *, roles: bool = True) -> None:
    """Raises ServiceError: 403 with every resource that the caller may not write, 400 with what providers refuse.

    roles: whether permissions to write are looked at.
    """
    for part in _plans(plan)[1:] if roles else []:
        require(operations.world, caller, part.id, "Microsoft.Resources/deployments/write")
    denied: list[str] = []
    refused: list[dict[str, object]] = []
    for _part, resource in plan.leaves():
        try:
            missing = _check_one(operations, resource, caller, roles=roles)
        except ServiceError as error:
            if error.status == 501:
                raise
            refused.append({**error.as_json(), "target": resource.id})
        else:
            denied += [missing] if missing else []
    if denied:
        raise _denied(denied)
    if refused:
        raise ServiceError(
            400,
            "InvalidTemplateDeployment",
            f"The template deployment '{plan.name}' is not valid according to the validation procedure. The tracking id is "
            f"'{uuid.uuid4()}'. See inner errors for details.",
            details=refused,
        )


def refuse_unknown(operations: Operations, template: object) -> None:
    """Raises ServiceError 501 for a resource type that is certain to be deployed and not part of this rehearsal."""
    for _path, kind in certain_types(template):
        operations.providers.kind(kind)


def _check_one(operations: Operations, resource: Resource, caller: Principal, *, roles: bool) -> str | None:
    """The sentence about a permission that is missing, or None. Raises ServiceError for what the provider refuses."""
    if resource.unidentified:
        kind = operations.providers.kind(resource.type)
        require(operations.world, caller, resource.scope, f"{kind.actions}/write" if roles else f"{kind.actions}/read")
        return None
    kind, write = operations.prepare(
        resource.id, resource.body(), resource.api_version, caller, resource_type=resource.type
    )
    action = f"{kind.actions}/write"
    if roles and not may(operations.world, caller, resource.id, action):
        return (
            f"Authorization failed for template resource '{resource.name}' of type '{kind.name}'. The client "
            f"'{caller.app_id}' with object id '{caller.object_id}' does not have permission to perform action "
            f"'{action}' at scope '{resource.id}'."
        )
    locked(operations.world, resource.id, "write")
    namespace = kind.name.partition("/")[0]
    if not may(operations.world, caller, f"/subscriptions/{write.subscription}", f"{namespace}/register/action"):
        operations.check_registered(kind, write, deployed=False)
    operations.check(kind, write)
    return None


def _denied(texts: list[str]) -> ServiceError:
    # Both sentences as public issues show them; the status is unverified.
    if len(texts) == 1:
        message = f"The template deployment failed with error: '{texts[0]}'."
    else:
        message = f"Deployment failed with multiple errors: '{':'.join(texts)}'"
    return ServiceError(403, "InvalidTemplateDeployment", message)


def _plans(plan: Plan) -> list[Plan]:
    return [plan, *(inner for step in plan.steps if step.inner is not None for inner in _plans(step.inner))]
