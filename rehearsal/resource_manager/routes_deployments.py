"""/…/providers/Microsoft.Resources/deployments (learn.microsoft.com/rest/api/resources/deployments)."""

from __future__ import annotations

import uuid

from starlette.responses import Response

from rehearsal.resource_manager.access import require
from rehearsal.resource_manager.deployments.records import template_hash
from rehearsal.resource_manager.deployments.request import DeploymentRequest, read
from rehearsal.resource_manager.errors import ServiceError, not_here
from rehearsal.resource_manager.exchange import POLL, Exchange, Rule, answer, nothing, page, rule

_SCOPE = r"(?P<scope>(?:/subscriptions/[^/]+(?:/resourcegroups/[^/]+)?|/providers/Microsoft\.Management/managementGroups/[^/]+)?)"
# The operations of a deployment in a group are listed without the provider in the path.
_ALL = _SCOPE + r"(?:/providers/Microsoft\.Resources)?/deployments"
_ONE = _ALL + r"/(?P<name>[^/]+)"


def _read(exchange: Exchange) -> DeploymentRequest:
    return read(exchange.values["name"], exchange.object(), exchange.text)


async def _put(exchange: Exchange) -> Response:
    record, new = await exchange.deployments.start(_read(exchange), exchange.values["scope"], exchange.caller)
    status = exchange.address(f"{record['id']}/operationStatuses/{uuid.uuid4().hex}")
    return answer(record, 201 if new else 200, {"Azure-AsyncOperation": status, **POLL})


async def _get(exchange: Exchange) -> Response:
    record = exchange.deployments.get(exchange.values["scope"], exchange.values["name"], exchange.caller)
    return answer(record)


async def _head(exchange: Exchange) -> Response:
    try:
        exchange.deployments.get(exchange.values["scope"], exchange.values["name"], exchange.caller)
    except ServiceError as error:
        if error.code != "DeploymentNotFound":
            raise
        return nothing(404)
    return nothing(204)


async def _delete(exchange: Exchange) -> Response:
    try:
        exchange.deployments.delete(exchange.values["scope"], exchange.values["name"], exchange.caller)
    except ServiceError as error:
        if error.code != "DeploymentNotFound":
            raise
    return nothing(204)


async def _list(exchange: Exchange) -> Response:
    scope = exchange.values["scope"]
    require(exchange.world, exchange.caller, scope, "Microsoft.Resources/deployments/read")
    exchange.operations.check_place(scope)
    wanted = exchange.filters().get("provisioningstate")
    found = exchange.deployments.history.at(scope)
    return page(exchange, [one for one in found if wanted in (None, one["properties"]["provisioningState"])])


async def _status(exchange: Exchange) -> Response:
    scope, name = exchange.values["scope"], exchange.values["name"]
    record = exchange.deployments.get(scope, name, exchange.caller)
    await exchange.deployments.settle(record["id"])
    return answer(exchange.deployments.status(exchange.deployments.get(scope, name, exchange.caller)), 200, POLL)


async def _operations(exchange: Exchange) -> Response:
    record = exchange.deployments.get(exchange.values["scope"], exchange.values["name"], exchange.caller)
    return page(exchange, exchange.deployments.history.operations(record["id"]))


async def _operation(exchange: Exchange) -> Response:
    record = exchange.deployments.get(exchange.values["scope"], exchange.values["name"], exchange.caller)
    for operation in exchange.deployments.history.operations(record["id"]):
        if operation["operationId"].lower() == exchange.values["number"].lower():
            return answer(operation)
    raise ServiceError(404, "DeploymentOperationNotFound", "The deployment operation could not be found.")


async def _cancel(exchange: Exchange) -> Response:
    exchange.deployments.cancel(exchange.values["scope"], exchange.values["name"], exchange.caller)
    return nothing(204)


async def _validate(exchange: Exchange) -> Response:
    return answer(await exchange.deployments.validate(_read(exchange), exchange.values["scope"], exchange.caller))


async def _what_if(exchange: Exchange) -> Response:
    return answer(await exchange.deployments.what_if(_read(exchange), exchange.values["scope"], exchange.caller))


async def _export(_exchange: Exchange) -> Response:
    raise not_here("operation Microsoft.Resources/deployments/exportTemplate")


async def _hash(exchange: Exchange) -> Response:
    return answer({"minifiedTemplate": exchange.text, "templateHash": template_hash(exchange.body())})


RULES: tuple[Rule, ...] = (
    rule("POST", r"/providers/Microsoft\.Resources/calculateTemplateHash", _hash),
    rule("PUT", _ONE, _put),
    rule("GET", _ONE, _get),
    rule("HEAD", _ONE, _head),
    rule("DELETE", _ONE, _delete),
    rule("GET", _ALL, _list),
    rule("GET", _ONE + r"/operationStatuses/[^/]+", _status),
    rule("GET", _ONE + r"/operations", _operations),
    rule("GET", _ONE + r"/operations/(?P<number>[^/]+)", _operation),
    rule("POST", _ONE + r"/cancel", _cancel),
    rule("POST", _ONE + r"/validate", _validate),
    rule("POST", _ONE + r"/whatIf", _what_if),
    rule("POST", _ONE + r"/exportTemplate", _export, done=False),
)
