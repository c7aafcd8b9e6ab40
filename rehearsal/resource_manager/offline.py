"""A template evaluated without any service: an Azure in memory, where everything that is not in the template may be there."""

# ruff: noqa: ARG002 - what stands in for a part of the service takes all of its arguments

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from rehearsal.entra.directory import Directory, Principal
from rehearsal.resource_manager.deployments import preflight, records
from rehearsal.resource_manager.deployments.planning import DEPLOYMENT, Plan, Planner, Step
from rehearsal.resource_manager.deployments.request import DeploymentRequest, place_of, refused
from rehearsal.resource_manager.deployments.runner import Answers, Runner, planned
from rehearsal.resource_manager.errors import ServiceError
from rehearsal.resource_manager.identifiers import ResourceId, fold, group_id, parse
from rehearsal.resource_manager.links import Fetch
from rehearsal.resource_manager.operations import Operations
from rehearsal.resource_manager.providers.base import ResourceType
from rehearsal.resource_manager.resources import Resources, new_group, subscription_of_tenant
from rehearsal.resource_manager.roles import Roles
from rehearsal.resource_manager.template.errors import ExpressionError, TemplateError, UnresolvedError
from rehearsal.resource_manager.template.errors import Path as Place
from rehearsal.resource_manager.template.evaluate import Pending
from rehearsal.resource_manager.template.graph import dependencies
from rehearsal.resource_manager.template.outputs import check_outputs
from rehearsal.resource_manager.template.program import Resource
from rehearsal.resource_manager.template.types import certain_types
from rehearsal.resource_manager.template.values import partial
from rehearsal.storage.accounts import StorageAccounts
from rehearsal.store import Store
from rehearsal.world import World

Json = Any
_IDS = uuid.UUID("0f6b3c1a-7d2e-4b7a-8c55-3f2a9e1d4b60")  # our own namespace: Azure makes such ids up
# What can be wrong only because nothing but the template is known here.
_FROM_OUTSIDE = ("PrincipalNotFound", "ParentResourceNotFound")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong. file: of a linked template, where it is not the template itself."""

    code: str
    message: str
    position: tuple[int, int] | None = None
    file: str | None = None


class Refused(Exception):
    """The template would not deploy."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("; ".join(finding.message for finding in findings))
        self.findings = list(findings)


@dataclass(frozen=True, kw_only=True)
class Where:
    """The deployment's place: "" as group for a deployment to the subscription."""

    subscription: str
    tenant: str
    group: str
    location: str

    @property
    def scope(self) -> str:
        return group_id(self.subscription, self.group) if self.group else f"/subscriptions/{self.subscription}"


async def evaluate(
    request: DeploymentRequest, where: Where, fetcher: Fetch, *, accept_unknown: bool
) -> dict[str, Json]:
    """{"scope", "resources": in deployment order, "outputs"}. Raises Refused."""
    world = _world(where, accept_unknown=accept_unknown)
    caller = Principal(_made_up("deployer"), _made_up("deployer app"), "Deployer", "ServicePrincipal")
    world.roles.assign(scope="/", principal_id=caller.object_id, role_name="Owner", immediately=True)
    operations = _Operations(world)
    plan: Plan | None = None
    _refuse_certain(operations, request)
    try:
        planner = Planner(world, caller, request.links)
        plan = await planned(lambda: planner.plan(request, where.scope), request, fetcher)
        _refuse_unknown(operations, plan, request)
        check_outputs(plan.program)
        preflight.check(operations, plan, caller, roles=False)
    except (TemplateError, ExpressionError) as error:
        raise Refused(_findings(refused(error, request).as_json(), {}, request, error)) from error
    except ServiceError as error:
        raise Refused(_findings(error.as_json(), _places(plan) if plan else {}, request)) from error
    runner = _Runner(operations, records.History(world), caller, set(), fold(plan.id), fetcher)
    record = records.new_record(world, plan, request)
    await runner.run(plan, request, record)
    if "error" in record["properties"]:
        raise Refused(_findings(record["properties"]["error"], runner.places, request))
    return {"scope": where.scope, "resources": runner.made[0], "outputs": record["properties"]["outputs"]}


def _world(where: Where, *, accept_unknown: bool) -> World:
    store = Store(None)
    resources = _Resources(store, where)
    if where.group:
        resources.put_group(where.subscription, where.group, location=where.location, tags={})
    return World(
        folder=Path(),
        store=store,
        clock=time.time,
        directory=cast(Directory, _Directory()),
        roles=Roles(store, time.time, delay_seconds=0),
        resources=resources,
        storage_accounts=StorageAccounts(Path(), store),
        accept_unknown_resources=accept_unknown,
    )


def _made_up(name: str) -> str:
    return str(uuid.uuid5(_IDS, name.lower()))


class _Directory:
    """Makes ids up for the identities of resources; knows nobody else."""

    def add_managed_identity(self, *, tenant_id: str, resource_id: str, display_name: str) -> Principal:
        return Principal(_made_up(resource_id), _made_up(f"{resource_id} app"), display_name, "ServicePrincipal")

    def by_object_id(self, object_id: str) -> None:
        return None

    def add_federation(self, *, app_id: str, issuer: str, subject: str, audience: str) -> None:
        """Nobody signs in here."""

    def remove_federation(self, *, app_id: str, issuer: str, subject: str) -> None:
        """Nobody signs in here."""


class _Resources(Resources):
    """Every subscription and group that is asked for is there."""

    def __init__(self, store: Store, where: Where) -> None:
        super().__init__(store)
        self._where = where

    def subscription(self, subscription_id: str) -> dict[str, Json] | None:
        found = super().subscription(subscription_id)
        return found or subscription_of_tenant(subscription_id, self._where.tenant)

    def group(self, subscription_id: str, name: str) -> dict[str, Json] | None:
        found = super().group(subscription_id, name)
        # Not kept: the template may be the one that makes it.
        return found or new_group(subscription_id, name, location=self._where.location, tags={})


class _Operations(Operations):
    def check_place(self, resource_id: str, *, parent: bool = True) -> None:
        """What a template does not make itself may be there."""

    def check_parent(self, parsed: ResourceId, kind: ResourceType) -> None:
        """So may a child's parent."""

    def check(self, kind: ResourceType, write: Json) -> None:
        try:
            super().check(kind, write)
        except ServiceError as error:
            if error.code not in _FROM_OUTSIDE:
                raise


@dataclass
class _Answers(Answers):
    """What is not made by the template stays an expression, and so do secrets."""

    def reference(self, resource_id: str, api_version: str | None, *, full: bool) -> Json:
        try:
            self._get(resource_id)
        except ServiceError as error:
            if error.status != 404 and error.status != 501:
                raise ExpressionError(f"{error.code}: {error.message}") from error
            raise UnresolvedError from error
        found = super().reference(resource_id, api_version, full=full)
        kind = parse(resource_id).type
        if kind.lower() == DEPLOYMENT:
            return found
        return partial(found) if self.operations.providers.kind(kind).partial else found

    def invoke(self, function: str, resource_id: str, _api_version: str, body: Json) -> Json:
        raise UnresolvedError


@dataclass
class _Runner(Runner):
    """Deploys into memory and notes what it sends; made: a list of resources per level of nesting."""

    made: list[list[dict[str, Json]]] = field(default_factory=lambda: [[]])
    places: dict[str, Place] = field(default_factory=dict)

    def _answers(self) -> Answers:
        return _Answers(self.operations, self.history, self.caller)

    async def _step(self, plan: Plan, step: Step, request: DeploymentRequest) -> dict[str, Json] | None:
        self.places[fold(step.resource.id)] = step.resource.path
        resource = step.resource
        waits = dependencies(plan.program).get(fold(resource.id), ())
        entry: dict[str, Json] = {"id": resource.id, "type": resource.type, "name": resource.name}
        if resource.api_version:
            entry["apiVersion"] = resource.api_version
        names = {fold(one.id): one.id for one in plan.program.resources}
        entry["dependsOn"] = [names[one] for one in waits]
        self.made[-1].append(entry)
        return await super()._step(plan, step, request)

    def _put(self, resource: Resource, body: dict[str, Json]) -> bool:
        self.made[-1][-1].update(body)
        kind, write = self.operations.prepare(
            resource.id, body, resource.api_version, self.caller, resource_type=resource.type
        )
        self.operations.check(kind, write)
        if _waits(body):
            # A provider can't take what is still an expression; what it would make of it is enough for reference().
            self.operations.world.resources.put(kind.foresee(write))
        else:
            kind.put(write)
        return True

    async def _nested(self, plan: Plan, step: Step, request: DeploymentRequest) -> dict[str, Json] | None:
        entry = self.made[-1][-1]
        self.made.append([])
        error = await super()._nested(plan, step, request)
        entry["resources"] = self.made.pop()
        record = self.history.get(step.resource.id) or {"properties": {}}
        entry["outputs"] = record["properties"].get("outputs", {})
        return error


def _waits(value: Json) -> bool:
    if isinstance(value, dict):
        return any(_waits(item) for item in value.values())
    if isinstance(value, list):
        return any(_waits(item) for item in value)
    return isinstance(value, Pending)


def _refuse_certain(operations: Operations, request: DeploymentRequest) -> None:
    """All unknown types that the text shows, before anything is evaluated or fetched."""
    _refuse([one for one in certain_types(request.template) if not operations.providers.knows(one[1])], request)


def _refuse(unknown: Sequence[tuple[Place, str]], request: DeploymentRequest) -> None:
    code = "NotImplementedInRehearsal"
    if unknown:
        raise Refused(
            [_at(path, request, code, f"This rehearsal has no resource type '{kind}'.") for path, kind in unknown]
        )


def _refuse_unknown(operations: Operations, plan: Plan, request: DeploymentRequest) -> None:
    """All unknown types of what is really deployed, with their places."""
    kinds = ((resource.path, _type(resource)) for _part, resource in plan.leaves())
    _refuse([one for one in kinds if one[1].lower() != DEPLOYMENT and not operations.providers.knows(one[1])], request)


def _type(resource: Resource) -> str:
    """As its id has it: an extension in the older form has its namespace in its name."""
    older = "/providers/" in resource.type.lower() and not resource.unidentified
    return parse(resource.id).type if older else resource.type


def _places(plan: Plan) -> dict[str, Place]:
    return {fold(resource.id): resource.path for _part, resource in plan.leaves()}


def _at(path: Place, request: DeploymentRequest, code: str, message: str) -> Finding:
    _dotted, position = place_of(path, request)
    return Finding(code=code, message=message, position=position, file=request.source_of(path))


def _findings(
    error: dict[str, Json],
    places: dict[str, Place],
    request: DeploymentRequest,
    cause: TemplateError | ExpressionError | None = None,
) -> list[Finding]:
    """The innermost errors, each with its place."""
    if error.get("details"):
        inner = [one for part in error["details"] for one in _findings(part, places, request)]
        if inner:
            return inner
    if isinstance(cause, TemplateError) and cause.path is not None:
        return [_at(cause.path, request, error["code"], error["message"])]
    for info in error.get("additionalInfo", []):
        place = info["info"]
        position = (place["lineNumber"], place["linePosition"])
        return [Finding(code=error["code"], message=error["message"], position=position)]
    path = places.get(fold(str(error.get("target", ""))))
    if path is not None:
        return [_at(path, request, error["code"], error["message"])]
    return [Finding(code=error["code"], message=error["message"])]
