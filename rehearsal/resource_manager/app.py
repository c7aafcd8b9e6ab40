"""management.azure.com: finds the handler of a request, lets the caller in, and turns refusals into answers."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.resource_manager import routes_deployments, routes_groups, routes_resources
from rehearsal.resource_manager.access import authenticate
from rehearsal.resource_manager.api_versions import check_own
from rehearsal.resource_manager.deployments.service import Deployments
from rehearsal.resource_manager.environment import endpoints
from rehearsal.resource_manager.errors import ServiceError
from rehearsal.resource_manager.exchange import Exchange, Rule, answer, failure
from rehearsal.resource_manager.links import Fetch, nowhere
from rehearsal.resource_manager.operations import Operations
from rehearsal.resource_manager.providers.base import check_api_version
from rehearsal.world import World

# The first rule that fits counts: the more special ones come first.
_RULES: tuple[Rule, ...] = (*routes_deployments.RULES, *routes_groups.RULES, *routes_resources.RULES)
# learn.microsoft.com/azure/azure-resource-manager/templates/best-practices#template-limits
LARGEST = 4 * 1024 * 1024
_JSON = ("application/json", "text/json")
_METHODS = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE"]


def create_app(world: World, *, rules: Sequence[Rule] = (), fetcher: Fetch = nowhere) -> Starlette:
    """Resource Manager over one world; `state.deployments` is what runs and remembers its deployments.

    rules: operations of resource providers that are stand-ins of their own; they come before the general ones.
    fetcher: gets what deployments link to.
    """
    operations = Operations(world)
    deployments = Deployments(operations, fetcher)

    async def serve(request: Request) -> Response:
        try:
            response = await _serve(request, operations, deployments, (*rules, *_RULES))
        except ServiceError as error:
            response = failure(error)
        except RecursionError:
            response = failure(ServiceError(400, "InvalidRequestContent", "The request content is nested too deeply."))
        response.headers["x-ms-request-id"] = str(uuid.uuid4())
        known = request.headers.get("x-ms-correlation-request-id")
        response.headers["x-ms-correlation-request-id"] = known or str(uuid.uuid4())
        return response

    app = Starlette(routes=[Route("/{path:path}", serve, methods=_METHODS)])
    app.state.deployments = deployments
    app.state.rules = (*rules, *_RULES)
    app.state.types = operations.providers.all()
    return app


def _check_subscription(path: str) -> None:
    """Raises ServiceError 400 for a subscription that is no GUID."""
    segments = path.split("/")
    if len(segments) < 3 or segments[1].lower() != "subscriptions":
        return
    try:
        uuid.UUID(segments[2])
    except ValueError as error:
        raise ServiceError(
            400,
            "InvalidSubscriptionId",
            f"The provided subscription identifier '{segments[2]}' is malformed or invalid.",
        ) from error


async def _content(request: Request) -> str:
    """The body. Raises ServiceError for one that is too large or no JSON by its own account; sentences as public issues
    show them.
    """
    size, chunks = 0, []
    async for chunk in request.stream():
        size += len(chunk)
        if size <= LARGEST:  # the rest is read all the same, or the caller would never read the answer
            chunks.append(chunk)
    if size > LARGEST:
        raise ServiceError(413, "RequestContentTooLarge", "The request content size exceeds the maximum size of 4 MB.")
    kind = request.headers.get("content-type", "")
    # Actions are left alone: azure-mgmt-datafactory starts a run without parameters as text/plain.
    if size and request.method in ("PUT", "PATCH") and kind.split(";")[0].strip().lower() not in _JSON:
        raise ServiceError(
            415,
            "UnsupportedMediaType",
            f"The content media type '{kind or '<null>'}' is not supported. Only 'application/json' is supported.",
        )
    return b"".join(chunks).decode("utf-8-sig", "replace")


async def _serve(request: Request, operations: Operations, deployments: Deployments, rules: Sequence[Rule]) -> Response:
    # Slashes in a row count as one: `az lock --resource` writes two.
    path = "/" + re.sub("/{2,}", "/", str(request.scope["path"])).strip("/")
    version = next((value for key, value in request.query_params.items() if key.lower() == "api-version"), None)
    if path.lower() == "/metadata/endpoints":
        return answer(endpoints(check_api_version(version)))
    caller = authenticate(operations.world, request.headers.get("authorization"), path)
    version = check_api_version(version)
    if "/providers/" not in path.lower():
        check_own(version, operations.world.clock())
    _check_subscription(path)
    text = await _content(request)
    for candidate in rules:
        match = candidate.pattern.fullmatch(path) if request.method in candidate.methods else None
        if match is not None:
            exchange = Exchange(
                request=request,
                path=path,
                values={key: value for key, value in match.groupdict().items() if value is not None},
                caller=caller,
                operations=operations,
                deployments=deployments,
                text=text,
            )
            return await candidate.handler(exchange)
    raise ServiceError(501, "NotImplementedInRehearsal", f"This rehearsal has no operation {request.method} {path}.")
