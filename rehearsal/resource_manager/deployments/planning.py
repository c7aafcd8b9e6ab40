"""From a request to resources: the template's program, and those of the templates nested in it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from rehearsal.entra.directory import Principal
from rehearsal.resource_manager.api_versions import provider, zones
from rehearsal.resource_manager.deployments.request import DeploymentRequest, linked_parameters
from rehearsal.resource_manager.deployments.secret_parameters import with_secrets
from rehearsal.resource_manager.environment import AZURE_CLOUD
from rehearsal.resource_manager.errors import ServiceError, group_not_found, not_here
from rehearsal.resource_manager.identifiers import group_of, subscription_of
from rehearsal.resource_manager.links import Links, address
from rehearsal.resource_manager.providers.registry import TYPE_NAMES
from rehearsal.resource_manager.template.context import Target
from rehearsal.resource_manager.template.errors import ExpressionError, Source, TemplateError
from rehearsal.resource_manager.template.evaluate import Pending
from rehearsal.resource_manager.template.graph import order
from rehearsal.resource_manager.template.program import Given, Program, Resource, load, load_outer
from rehearsal.world import World

Json = Any
DEPLOYMENT = "microsoft.resources/deployments"
_DEEPEST = 5
"""Nested templates inside one another (unverified: the service has a limit of 5 levels)."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One resource to deploy. inner: the plan of a nested deployment."""

    resource: Resource
    inner: Plan | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One deployment: where it goes, its program, and its steps in order. uri: where its template was linked from."""

    id: str
    name: str
    scope: str
    mode: str
    program: Program
    steps: tuple[Step, ...] = field(default=())
    uri: str | None = None

    def secrets(self) -> set[str]:
        """Texts that nothing about this deployment may show: values of secure parameters, nested ones too."""
        inner = (step.inner.secrets() for step in self.steps if step.inner is not None)
        return set(self.program.parameters.secrets()).union(*inner)

    def leaves(self) -> Iterator[tuple[Plan, Resource]]:
        """Every resource that is no deployment, with the plan that it belongs to, nested ones included.

        A nested deployment that can't be looked into, because its own id is not known yet, stands for what is in it.
        """
        for step in self.steps:
            if step.inner is not None:
                yield from step.inner.leaves()
            else:
                yield self, step.resource


def deployment_id(scope: str, name: str) -> str:
    return f"{scope}/providers/Microsoft.Resources/deployments/{name}"


class Planner:
    """Makes plans over one world, in the name of one caller. links: what was fetched of linked templates."""

    def __init__(self, world: World, caller: Principal, links: Links) -> None:
        self._world = world
        self._caller = caller
        self._links = links

    def plan(self, request: DeploymentRequest, scope: str) -> Plan:
        """Raises TemplateError, ServiceError, and LinkNeeded when a link was not fetched yet."""
        target = self._target(request, scope)
        given = self._given(target, request.parameters)
        if request.uri is not None:
            given = replace(given, path=(Source(request.uri),))
        program = load(request.template, given)
        return self._steps(request.name, scope, request.mode, program, depth=1, uri=request.uri)

    def nested(self, parent: Plan, resource: Resource, body: dict[str, Json], *, depth: int = 2) -> Plan:
        """The plan of a nested deployment, from its evaluated body.

        Raises TemplateError, ServiceError, and LinkNeeded when a link was not fetched yet.
        """
        properties = body.get("properties") or {}
        _check_parts(resource, properties)
        if str(properties.get("mode", "")).lower() != "incremental":
            raise TemplateError(
                f"The nested deployment '{resource.name}' {{position}} must be Incremental.", path=resource.path
            )
        if properties.get("templateLink"):
            return self._linked(parent, resource, properties, depth=depth)
        if "template" not in properties:
            raise TemplateError(
                f"The nested deployment '{resource.name}' {{position}} has neither a template nor a templateLink.",
                path=resource.path,
            )
        scope = resource.scope
        path = (*resource.path, "properties", "template")
        options = properties.get("expressionEvaluationOptions") or {}
        inner = str(options.get("scope", "outer")).lower() == "inner" or parent.program.symbolic
        if inner:
            request = DeploymentRequest(
                name=resource.name, mode="Incremental", template=properties["template"], parameters={}
            )
            target = self._target(request, scope)
            given = replace(self._given(target, self._parameters(parent, resource, properties)), path=path)
            program = load(properties["template"], given)
        else:
            program = load_outer(properties["template"], parent.program, resource, scope=scope, path=path)
        return self._steps(resource.name, scope, "Incremental", program, depth=depth, uri=parent.uri)

    def _linked(self, parent: Plan, resource: Resource, properties: dict[str, Json], *, depth: int) -> Plan:
        """A linked template has expressions of its own: nothing of the template around it is seen in it."""
        uri = self._address(parent, resource, properties, "templateLink")
        template = self._links.read(uri)
        request = DeploymentRequest(name=resource.name, mode="Incremental", template=template, parameters={})
        given = self._given(self._target(request, resource.scope), self._parameters(parent, resource, properties))
        program = load(template, replace(given, path=(Source(uri),)))
        return self._steps(resource.name, resource.scope, "Incremental", program, depth=depth, uri=uri)

    def _parameters(self, parent: Plan, resource: Resource, properties: dict[str, Json]) -> Mapping[str, Json]:
        """A nested deployment's parameters, in place or linked."""
        if properties.get("parametersLink"):
            return linked_parameters(self._links.read(self._address(parent, resource, properties, "parametersLink")))
        return properties.get("parameters") or {}

    def _address(self, parent: Plan, resource: Resource, properties: dict[str, Json], key: str) -> str:
        link = properties[key]
        if not isinstance(link, dict):
            raise TemplateError(f"The {key} of '{resource.name}' {{position}} must be an object.", path=resource.path)
        if link.get("id"):
            raise not_here(f"template specs ({key}.id of '{resource.name}')")
        if any(isinstance(value, Pending) for value in link.values()):
            raise not_here(f"{key} of '{resource.name}' that hangs on reference()")
        try:
            return address(link, parent.uri or self._links.base, what=f"{key} of '{resource.name}'")
        except TemplateError as error:
            error.path = resource.path
            raise

    def _steps(self, name: str, scope: str, mode: str, program: Program, *, depth: int, uri: str | None) -> Plan:
        if depth > _DEEPEST:
            raise TemplateError(f"The nested deployment '{name}' is more than {_DEEPEST} levels deep.")
        plan = Plan(id=deployment_id(scope, name), name=name, scope=scope, mode=mode, program=program, uri=uri)
        steps = []
        for resource in order(program):
            inner = None
            if resource.type.lower() == DEPLOYMENT and not resource.unidentified:
                # Values that are still unknown stay expressions in it; it is planned again when the deployment gets there.
                inner = self.nested(plan, resource, resource.body(), depth=depth + 1)
            steps.append(Step(resource=resource, inner=inner))
        return replace(plan, steps=tuple(steps))

    def _given(self, target: Target, parameters: Any) -> Given:
        return Given(
            target=target,
            parameters=with_secrets(self._world, self._caller, parameters),
            now=datetime.fromtimestamp(self._world.clock(), UTC),
            new_guid=lambda: str(uuid.uuid4()),
        )

    def _target(self, request: DeploymentRequest, scope: str) -> Target:
        subscription_id, group_name = subscription_of(scope), group_of(scope)
        subscription = group = None
        tenant = ""
        if subscription_id is not None:
            known = self._world.resources.subscription(subscription_id)
            if known is None:
                raise ServiceError(
                    404, "SubscriptionNotFound", f"The subscription '{subscription_id}' could not be found."
                )
            tenant = known["tenantId"]
            subscription = {key: known[key] for key in ("id", "subscriptionId", "tenantId", "displayName")}
        if subscription_id is not None and group_name is not None:
            group = self._world.resources.group(subscription_id, group_name) or _coming_group(scope, group_name)
        return Target(
            scope=group["id"] if group else scope,
            tenant_id=tenant,
            subscription=subscription,
            group=group,
            deployment=self._deployment(request, scope),
            deployer={
                "objectId": self._caller.object_id,
                "tenantId": tenant,
                "userPrincipalName": "" if self._caller.kind == "ServicePrincipal" else self._caller.display_name,
            },
            environment=AZURE_CLOUD,
            providers=_provider,
            zones=zones,
        )

    @staticmethod
    def _deployment(request: DeploymentRequest, scope: str) -> dict[str, Json]:
        found: dict[str, Json] = {
            "name": request.name,
            "properties": {
                "template": request.template,
                "parameters": dict(request.parameters),
                "mode": request.mode,
                "provisioningState": "Accepted",
            },
        }
        if group_of(scope) is None:
            found["location"] = request.location
        return found


def _provider(namespace: str) -> dict[str, Json]:
    """What providers() gives. Raises ExpressionError."""
    kinds = [kind for kind in TYPE_NAMES if kind.lower().startswith(namespace.lower() + "/")]
    if not kinds:
        raise ExpressionError(f"The resource provider '{namespace}' is not part of this rehearsal.")
    return provider(kinds[0].split("/")[0], kinds)


def _coming_group(scope: str, name: str) -> dict[str, Json]:
    """A group that an earlier resource of the same template makes."""
    return {"id": scope, "name": name, "type": "Microsoft.Resources/resourceGroups", "location": None, "properties": {}}


def _check_parts(resource: Resource, properties: dict[str, Json]) -> None:
    """Raises TemplateError when a nested deployment's parameters or options have no such shape."""
    options, given = properties.get("expressionEvaluationOptions") or {}, properties.get("parameters") or {}
    shaped = isinstance(given, dict) and all(isinstance(value, dict) for value in given.values())
    if not isinstance(options, dict) or not shaped:
        raise TemplateError(
            f"The nested deployment '{resource.name}' {{position}} is not valid: its parameters must hold an object each.",
            path=resource.path,
        )


def check_group(world: World, scope: str) -> None:
    """Raises ServiceError 404 when a deployment's group is not there."""
    subscription, group = subscription_of(scope), group_of(scope)
    if subscription is not None and group is not None and world.resources.group(subscription, group) is None:
        raise group_not_found(group)
