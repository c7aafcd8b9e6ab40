"""Running a plan: resource after resource, nested deployments, outputs, and what mode Complete takes away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from rehearsal.entra.directory import Principal
from rehearsal.resource_manager.access import require
from rehearsal.resource_manager.deployments import records
from rehearsal.resource_manager.deployments.planning import DEPLOYMENT, Plan, Planner, Step
from rehearsal.resource_manager.deployments.request import DeploymentRequest, refused
from rehearsal.resource_manager.errors import ServiceError
from rehearsal.resource_manager.identifiers import fold, group_of, parse, subscription_of
from rehearsal.resource_manager.links import Fetch, LinkNeeded
from rehearsal.resource_manager.operations import Operations
from rehearsal.resource_manager.template.errors import ExpressionError, TemplateError
from rehearsal.resource_manager.template.graph import dependencies
from rehearsal.resource_manager.template.outputs import evaluate_outputs
from rehearsal.resource_manager.template.program import Resource

Json = Any
_FAILED = (
    "At least one resource deployment operation failed. Please list deployment operations for details. "
    "Please see https://aka.ms/arm-deployment-operations for usage details."
)


class Cancelled(Exception):
    """The deployment was cancelled between two resources."""


async def planned(plan: Callable[[], Plan], request: DeploymentRequest, fetcher: Fetch) -> Plan:
    """The plan, after everything that it links to was fetched. Raises TemplateError and ServiceError."""
    while True:
        try:
            return plan()
        except LinkNeeded as needed:
            await request.links.fetch(needed.uri, fetcher)


@dataclass
class Answers:
    """reference() and list*() while a deployment runs, in the caller's name."""

    operations: Operations
    history: records.History
    caller: Principal

    def reference(self, resource_id: str, api_version: str | None, *, full: bool) -> Json:
        try:
            resource = self._get(resource_id)
        except ServiceError as error:
            raise ExpressionError(f"{error.code}: {error.message}") from error
        if not full:
            return resource.get("properties", {})
        found = {key: value for key, value in resource.items() if key not in ("id", "name", "type")}
        return {
            **found,
            "apiVersion": api_version,
            "resourceId": resource["id"].removeprefix("/"),
            "subscriptionId": subscription_of(resource_id),
            "resourceGroupName": group_of(resource_id),
            "scope": "",
        }

    def invoke(self, function: str, resource_id: str, _api_version: str, body: Json) -> Json:
        try:
            return self.operations.action(resource_id, function, body, self.caller)
        except ServiceError as error:
            raise ExpressionError(f"{error.code}: {error.message}") from error

    def _get(self, resource_id: str) -> dict[str, Json]:
        if parse(resource_id).type.lower() != DEPLOYMENT:
            return self.operations.get(resource_id, self.caller)
        require(self.operations.world, self.caller, resource_id, "Microsoft.Resources/deployments/read")
        record = self.history.get(resource_id)
        if record is None:
            raise ServiceError(404, "DeploymentNotFound", f"Deployment '{resource_id}' could not be found.")
        return record


@dataclass
class Runner:
    """Runs one deployment and keeps its record up to date. cancelled: names of deployments that are to stop."""

    operations: Operations
    history: records.History
    caller: Principal
    cancelled: set[str]
    top: str
    fetcher: Fetch
    touched: set[str] = field(default_factory=set)

    async def run(self, plan: Plan, request: DeploymentRequest, record: dict[str, Json]) -> None:
        """Deploy everything; what went wrong is in the record, never raised."""
        started = self.operations.world.clock()
        record["properties"]["provisioningState"] = "Running"
        self.history.put(record)
        try:
            errors, made = await self._steps(plan, request)
            state, error = ("Failed", _failure(plan, errors)) if errors else ("Succeeded", None)
            if not errors:
                record["properties"]["outputs"] = evaluate_outputs(plan.program, self._answers())
            if not errors and plan.mode == "Complete":
                self._complete(plan)
        except Cancelled:
            state, made = "Canceled", []
            error = {
                "code": "DeploymentCanceled",
                "message": "The deployment was canceled by a user.",
                "target": plan.id,
            }
        except TemplateError as wrong:
            found = refused(wrong, request)
            state, made, error = "Failed", [], _failure(plan, [{**found.as_json(), "target": plan.id}])
        except ServiceError as wrong:
            state, made, error = "Failed", [], _failure(plan, [{**wrong.as_json(), "target": plan.id}])
        record["properties"] |= {
            "provisioningState": state,
            "duration": records.duration(self.operations.world.clock() - started),
            "outputResources": [{"id": one} for one in made],
        }
        if error is not None:
            record["properties"]["error"] = error
        self.history.put(record)

    def _answers(self) -> Answers:
        return Answers(self.operations, self.history, self.caller)

    async def _steps(self, plan: Plan, request: DeploymentRequest) -> tuple[list[dict[str, Json]], list[str]]:
        waits = dependencies(plan.program)
        errors: list[dict[str, Json]] = []
        failed: set[str] = set()
        made: list[str] = []
        for step in plan.steps:
            await asyncio.sleep(0)
            if self.top in self.cancelled:
                raise Cancelled
            key = fold(step.resource.id)
            if failed.intersection(waits[key]):
                failed.add(key)
                continue
            error = await self._step(plan, step, request)
            if error is None:
                made.append(step.resource.id)
            else:
                failed.add(key)
                errors.append(error)
        return errors, made

    async def _step(self, plan: Plan, step: Step, request: DeploymentRequest) -> dict[str, Json] | None:
        """Deploy one resource; its error as the deployment's details show it, or None."""
        resource, status, created = step.resource, "BadRequest", False
        error: dict[str, Json] | None = None
        try:
            if resource.type.lower() == DEPLOYMENT:
                error = await self._nested(plan, step, request)
                status = "Conflict"
            else:
                created = self._put(resource, resource.body(self._answers()))
                self.touched.add(fold(resource.id))
        except TemplateError as wrong:
            error = refused(wrong, request).as_json()
        except ServiceError as wrong:
            error, status = wrong.as_json(), HTTPStatus(wrong.status).phrase.replace(" ", "")
        told = records.operation(self.operations.world, plan, resource, created=created, error=error, status=status)
        self.history.add_operation(plan.id, told)
        return None if error is None else {"target": resource.id, **error}

    def _put(self, resource: Resource, body: dict[str, Json]) -> bool:
        """Whether the resource is a new one. Raises ServiceError."""
        kind, write = self.operations.prepare(
            resource.id, body, resource.api_version, self.caller, resource_type=resource.type
        )
        self.operations.put(kind, write, deployed=True)
        return write.existing is None

    async def _nested(self, plan: Plan, step: Step, request: DeploymentRequest) -> dict[str, Json] | None:
        planner = Planner(self.operations.world, self.caller, request.links)
        body = step.resource.body(self._answers())
        inner = await planned(lambda: planner.nested(plan, step.resource, body), request, self.fetcher)
        require(self.operations.world, self.caller, inner.scope, "Microsoft.Resources/deployments/write")
        template = (body.get("properties") or {}).get("template")
        made = DeploymentRequest(
            name=inner.name,
            mode="Incremental",
            template=template,
            parameters={},
            text=request.text,
            root=request.root,
            links=request.links,
            uri=inner.uri,
            template_link=(body.get("properties") or {}).get("templateLink"),
        )
        record = records.new_record(self.operations.world, inner, made)
        self.history.begin(record)
        await self.run(inner, made, record)
        if record["properties"]["provisioningState"] == "Canceled":
            raise Cancelled
        error: dict[str, Json] | None = record["properties"].get("error")
        return error

    def _complete(self, plan: Plan) -> None:
        """Mode Complete: what the template does not name goes from the group (children go with their parents)."""
        for resource in reversed(self.operations.world.resources.below(plan.scope)):
            kind = self.operations.providers.kind(resource["type"])
            if kind.tracked and fold(resource["id"]) not in self.touched:
                self.operations.delete(resource["id"], self.caller)


def _failure(plan: Plan, errors: list[dict[str, Json]]) -> dict[str, Json]:
    return {"code": "DeploymentFailed", "target": plan.id, "message": _FAILED, "details": errors}
