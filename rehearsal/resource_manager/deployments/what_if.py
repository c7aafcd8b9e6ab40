"""What a deployment would change, told without changing anything.

learn.microsoft.com/azure/azure-resource-manager/templates/deploy-what-if: reference() is not resolved, so a property that
is set from it is always told as a change ("the what-if operation can't resolve the reference function").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rehearsal.entra.directory import Principal
from rehearsal.resource_manager.deployments.comparison import delta, without
from rehearsal.resource_manager.deployments.planning import Plan
from rehearsal.resource_manager.errors import ServiceError
from rehearsal.resource_manager.identifiers import fold, group_of
from rehearsal.resource_manager.operations import Operations
from rehearsal.resource_manager.template.program import Resource

Json = Any


def what_if(operations: Operations, plan: Plan, caller: Principal, result_format: str) -> dict[str, Json]:
    """The result's `properties`. Raises TemplateError and ServiceError."""
    changes = [_resource(operations, part, resource, caller, result_format) for part, resource in plan.leaves()]
    named = {fold(str(change["resourceId"])) for change in changes}
    changes += _others(operations, plan, named, result_format)
    changes.sort(key=lambda change: str(change["resourceId"]).lower())
    unseen = [step.resource for step in _unseen(plan)]
    diagnostics = [
        {
            "level": "Warning",
            "code": "NestedDeploymentShortCircuited",
            "target": resource.id,
            # The service's text, as github.com/Azure/arm-template-whatif/issues/157 shows it.
            "message": "A nested deployment got short-circuited and all its resources got skipped from validation. This is "
            "due to a nested template having a parameter that was not fully evaluated (e.g. contains a reference() "
            "function). Please see https://aka.ms/WhatIfEvalStopped for more guidance.",
        }
        for resource in unseen
    ]
    return {"changes": changes, "potentialChanges": [], "diagnostics": diagnostics}


def _unseen(plan: Plan) -> Iterator[Any]:
    for step in plan.steps:
        if step.inner is not None:
            yield from _unseen(step.inner)
        elif step.resource.type.lower() == "microsoft.resources/deployments":
            yield step


def _resource(
    operations: Operations, plan: Plan, resource: Resource, caller: Principal, result_format: str
) -> dict[str, Json]:
    try:
        kind, write = operations.prepare(
            resource.id, resource.body(), resource.api_version, caller, resource_type=resource.type
        )
    except ServiceError as error:
        if error.status != 501:
            raise
        return _told(resource.id, plan, "Unsupported", unsupported=error.message)
    if result_format == "ResourceIdOnly":
        return _told(resource.id, plan, "Deploy")
    head = {"apiVersion": resource.api_version}
    group = group_of(resource.id)
    place = {"resourceGroup": group} if group else {}
    desired = without(kind.build(write), kind.read_only)
    if write.existing is None:
        after = {**head, **_asked(write.body), **_identity(desired), **place}
        return _told(resource.id, plan, "Create", after=after)
    current = without(write.existing, kind.read_only)
    changed = delta(current, desired)
    return _told(
        current["id"],
        plan,
        "Modify" if changed else "NoChange",
        before={**head, **current, **place},
        after={**head, **desired, **place},
        changed=changed,
    )


def _asked(body: Any) -> dict[str, Json]:
    return {key: value for key, value in body.items() if value is not None}


def _identity(resource: dict[str, Json]) -> dict[str, Json]:
    return {key: resource[key] for key in ("id", "name", "type", "location") if key in resource}


def _others(operations: Operations, plan: Plan, named: set[str], result_format: str) -> list[dict[str, Json]]:
    """Resources of the target group that the template does not name: left alone, or deleted in mode Complete."""
    if group_of(plan.scope) is None:
        return []
    found = []
    for resource in operations.world.resources.below(plan.scope):
        if fold(resource["id"]) in named or not operations.providers.knows(resource["type"]):
            continue
        kind = operations.providers.kind(resource["type"])
        if not kind.tracked:
            continue
        state = {**without(resource, kind.read_only), "resourceGroup": group_of(resource["id"])}
        if plan.mode == "Complete":
            found.append(_told(resource["id"], plan, "Delete", before=state))
        elif result_format == "ResourceIdOnly":
            found.append(_told(resource["id"], plan, "Ignore"))
        else:
            found.append(_told(resource["id"], plan, "Ignore", before=state, after=state))
    return found


def _told(
    resource_id: str,
    plan: Plan,
    change: str,
    *,
    before: Json = None,
    after: Json = None,
    changed: list[dict[str, Json]] | None = None,
    unsupported: str | None = None,
) -> dict[str, Json]:
    found: dict[str, Json] = {"resourceId": resource_id, "deploymentId": plan.id, "changeType": change}
    if before is not None:
        found["before"] = before
    if after is not None:
        found["after"] = after
    if changed is not None:
        found["delta"] = changed
    if unsupported is not None:
        found["unsupportedReason"] = unsupported
    return found
