"""What a deployment would change, told without changing anything.

learn.microsoft.com/azure/azure-resource-manager/templates/deploy-what-if: reference() is not resolved, so a property that
is set from it is always told as a change ("the what-if operation can't resolve the reference function"); a resource whose
name hangs on it is Unsupported (aka.ms/WhatIfUnidentifiableResource).
"""

from __future__ import annotations

from typing import Any

from rehearsal.entra.directory import Principal
from rehearsal.resource_manager.deployments.comparison import delta, without
from rehearsal.resource_manager.deployments.planning import Plan
from rehearsal.resource_manager.deployments.request import DeploymentRequest, place_of
from rehearsal.resource_manager.errors import ServiceError
from rehearsal.resource_manager.identifiers import fold, group_of
from rehearsal.resource_manager.operations import Operations
from rehearsal.resource_manager.template.program import Resource

Json = Any


def what_if(operations: Operations, plan: Plan, caller: Principal, request: DeploymentRequest) -> dict[str, Json]:
    """The result's `properties`. Raises TemplateError and ServiceError."""
    changes = [_resource(operations, part, resource, caller, request) for part, resource in plan.leaves()]
    named = {fold(str(change["resourceId"])) for change in changes}
    changes += _others(operations, plan, named, request.result_format)
    changes.sort(key=lambda change: str(change["resourceId"]).lower())
    secrets = plan.secrets()
    if secrets:
        changes = [_masked(change, secrets) for change in changes]
    return {"changes": changes, "potentialChanges": [], "diagnostics": []}


def _masked(value: Json, secrets: set[str]) -> Json:
    """The service shows stars for values of secure parameters."""
    if isinstance(value, str):
        return "*******" if value in secrets else value
    if isinstance(value, dict):
        return {key: _masked(item, secrets) for key, item in value.items()}
    return [_masked(item, secrets) for item in value] if isinstance(value, list) else value


def _resource(
    operations: Operations, plan: Plan, resource: Resource, caller: Principal, request: DeploymentRequest
) -> dict[str, Json]:
    if resource.unidentified:
        return _told(resource.id, plan, "Unsupported", unsupported=_unknown(resource, request))
    try:
        kind, write = operations.prepare(
            resource.id, resource.body(), resource.api_version, caller, resource_type=resource.type
        )
    except ServiceError as error:
        if error.status != 501:
            raise
        return _told(resource.id, plan, "Unsupported", unsupported=error.message)
    if request.result_format == "ResourceIdOnly":
        return _told(resource.id, plan, "Deploy")
    head = {"apiVersion": resource.api_version}
    group = group_of(resource.id)
    place = {"resourceGroup": group} if group else {}
    desired = without(kind.foresee(write), kind.read_only)
    if write.existing is None:
        after = {**head, **without(_asked(write.body), kind.write_only), **_identity(desired), **place}
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


def _unknown(resource: Resource, request: DeploymentRequest) -> str:
    # The service's text, as public logs of what-if show it.
    path, found = place_of(resource.path, request)
    line, column = found or (1, 1)
    return (
        f"Changes to the resource declared at '{path}' on line {line} and column {column} cannot be analyzed because "
        "its resource ID or API version cannot be calculated until the deployment is under way. "
        "Please see https://aka.ms/WhatIfUnidentifiableResource for more guidance."
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
