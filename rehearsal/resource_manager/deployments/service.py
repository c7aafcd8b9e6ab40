"""The deployments of every scope: start, look at, cancel, validate, ask what would change."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

from rehearsal.entra.directory import Principal
from rehearsal.resource_manager.access import require
from rehearsal.resource_manager.deployments import preflight, records
from rehearsal.resource_manager.deployments.planning import Plan, Planner, check_group, deployment_id
from rehearsal.resource_manager.deployments.request import DeploymentRequest, linked_parameters, refused
from rehearsal.resource_manager.deployments.runner import Runner, planned
from rehearsal.resource_manager.deployments.what_if import what_if
from rehearsal.resource_manager.errors import ServiceError, not_here
from rehearsal.resource_manager.identifiers import fold, group_of, subscription_of
from rehearsal.resource_manager.links import Fetch, address, nowhere
from rehearsal.resource_manager.operations import Operations
from rehearsal.resource_manager.template.errors import ExpressionError, TemplateError
from rehearsal.resource_manager.template.outputs import check_outputs

Json = Any
_PATIENCE = 0.4
"""Seconds that a status request waits for the end, so that clients seldom need a second one."""


class Deployments:
    """Needs a running event loop only to start a deployment."""

    def __init__(self, operations: Operations, fetcher: Fetch = nowhere) -> None:
        """fetcher: gets what deployments link to."""
        self._operations = operations
        self._fetcher = fetcher
        self._world = operations.world
        self.history = records.History(operations.world)
        self.history.interrupted()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._cancelled: set[str] = set()

    async def start(self, request: DeploymentRequest, scope: str, caller: Principal) -> tuple[dict[str, Json], bool]:
        """Check, remember, and let it run; the record, and whether it is a new one. Raises ServiceError."""
        self._require(caller, scope, request.name, "write")
        before = self.history.get(deployment_id(scope, request.name))
        if before is not None and before["properties"]["provisioningState"] in records.ACTIVE:
            raise ServiceError(
                409,
                "DeploymentActive",
                f"Unable to edit or replace deployment '{request.name}': previous deployment from "
                f"'{before['properties']['timestamp']}' is still active. Please see https://aka.ms/arm-deploy for usage "
                "details.",
            )
        request, plan = await self._plan(request, scope, caller)
        record = records.new_record(self._world, plan, request)
        self.history.begin(record)
        key = fold(plan.id)
        self._cancelled.discard(key)
        runner = Runner(self._operations, self.history, caller, self._cancelled, key, self._fetcher)
        self._running[key] = asyncio.get_running_loop().create_task(self._run(runner, plan, request, dict(record)))
        return record, before is None

    async def _run(self, runner: Runner, plan: Plan, request: DeploymentRequest, record: dict[str, Json]) -> None:
        try:
            await runner.run(plan, request, record)
        except Exception as error:
            # A bug of ours must not look like a deployment that never ends.
            record["properties"]["provisioningState"] = "Failed"
            message = f"This rehearsal's Resource Manager failed: {type(error).__name__}: {error}"
            record["properties"]["error"] = {"code": "InternalServerError", "message": message}
            self.history.put(record)
            raise

    async def settle(self, key: str) -> None:
        """Wait a little for a deployment to end."""
        task = self._running.get(fold(key))
        if task is not None:
            await asyncio.wait([task], timeout=_PATIENCE)

    def cancel(self, scope: str, name: str, caller: Principal) -> None:
        """Raises ServiceError 409 for one that is over."""
        self._require(caller, scope, name, "cancel/action")
        record = self.get(scope, name, caller)
        if record["properties"]["provisioningState"] not in records.ACTIVE:
            raise ServiceError(
                409,
                "DeploymentCannotBeCancelled",
                f"The deployment '{name}' cannot be cancelled because it is in the "
                f"'{record['properties']['provisioningState']}' provisioning state.",
            )
        self._cancelled.add(fold(record["id"]))

    def get(self, scope: str, name: str, caller: Principal) -> dict[str, Json]:
        self._require(caller, scope, name, "read")
        self._operations.check_place(scope)
        record = self.history.get(deployment_id(scope, name))
        if record is None:
            raise ServiceError(404, "DeploymentNotFound", f"Deployment '{name}' could not be found.")
        return record

    def delete(self, scope: str, name: str, caller: Principal) -> None:
        self._require(caller, scope, name, "delete")
        record = self.get(scope, name, caller)
        if record["properties"]["provisioningState"] in records.ACTIVE:
            raise ServiceError(409, "DeploymentBeingDeleted", f"The deployment '{name}' is still active.")
        self.history.delete(record["id"])

    async def validate(self, request: DeploymentRequest, scope: str, caller: Principal) -> dict[str, Json]:
        """The answer of a template that can be deployed. Raises ServiceError."""
        self._require(caller, scope, request.name, "validate/action")
        request, plan = await self._plan(request, scope, caller)
        record = records.new_record(self._world, plan, request)
        record["properties"] |= {
            "provisioningState": "Succeeded",
            "validatedResources": [
                {"id": resource.id} for _part, resource in plan.leaves() if not resource.unidentified
            ],
        }
        return record

    async def what_if(self, request: DeploymentRequest, scope: str, caller: Principal) -> dict[str, Json]:
        """{"status", "properties": {"changes", …}}. Raises ServiceError."""
        self._require(caller, scope, request.name, "whatIf/action")
        try:
            request, plan = await self._plan(request, scope, caller)
            result = what_if(self._operations, plan, caller, request)
        except (TemplateError, ExpressionError) as error:
            raise refused(error, request) from error
        return {"status": "Succeeded", "properties": result}

    def status(self, record: dict[str, Json]) -> dict[str, Json]:
        """What the operation's own address answers."""
        properties = record["properties"]
        found = {"status": properties["provisioningState"]}
        return {**found, "error": properties["error"]} if "error" in properties else found

    def _require(self, caller: Principal, scope: str, name: str, action: str) -> None:
        require(self._world, caller, deployment_id(scope, name), f"Microsoft.Resources/deployments/{action}")

    async def _followed(self, request: DeploymentRequest) -> DeploymentRequest:
        """The request with the contents of its own links. Raises ServiceError."""
        for link in (request.template_link, request.parameters_link):
            if link is not None:
                await request.links.fetch(address(link, None, what="link"), self._fetcher)
        try:
            if request.parameters_link is not None:
                parameters = linked_parameters(request.links.read(address(request.parameters_link, None, what="link")))
                request = replace(request, parameters=parameters)
            if request.template_link is not None:
                uri = address(request.template_link, None, what="link")
                request = replace(request, template=request.links.read(uri), uri=uri)
        except TemplateError as error:
            raise refused(error, request) from error
        return request

    async def _plan(self, request: DeploymentRequest, scope: str, caller: Principal) -> tuple[DeploymentRequest, Plan]:
        if subscription_of(scope) is None:
            raise not_here("deployments to management groups or the tenant")
        self._operations.check_place(scope)
        check_group(self._world, scope)
        if group_of(scope) is None and not request.location:
            raise ServiceError(
                400,
                "LocationRequired",
                f"The location property is required for the deployment '{request.name}' at subscription scope.",
            )
        if group_of(scope) is None and request.mode == "Complete":
            raise ServiceError(400, "InvalidDeployment", "Deployments to a subscription must be Incremental.")
        try:
            request = await self._followed(request)
            if request.validation_level != "Template":
                # Before anything is evaluated or fetched: what can't be deployed here is refused for that reason.
                preflight.refuse_unknown(self._operations, request.template)
            planner = Planner(self._world, caller, request.links)
            plan = await planned(partial(planner.plan, request, scope), request, self._fetcher)
            check_outputs(plan.program)
            if request.validation_level != "Template":
                preflight.check(self._operations, plan, caller, roles=request.validation_level == "Provider")
        except (TemplateError, ExpressionError) as error:
            raise refused(error, request) from error
        return request, plan
