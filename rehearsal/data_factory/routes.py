"""Definitions over REST: what Resource Manager's general rules do not do, which is entity tags and lists in pages.

Paths and parameters: azure-mgmt-datafactory 10.0.0, api-version 2018-06-01.
"""

from __future__ import annotations

from starlette.responses import Response

from rehearsal.resource_manager.errors import ServiceError, not_found, not_here
from rehearsal.resource_manager.exchange import Exchange, Rule, answer, nothing, rule
from rehearsal.resource_manager.identifiers import group_of, parse

# How many objects a page holds is not documented.
PAGE = 50
_GROUP = r"/subscriptions/[^/]+/resourceGroups/[^/]+"
FACTORY = rf"(?P<factory>{_GROUP}/providers/Microsoft\.DataFactory/factories/(?P<factory_name>[^/]+))"
_KINDS = (
    r"(?:pipelines|datasets|linkedservices|dataflows|triggers|integrationRuntimes|credentials|managedVirtualNetworks"
    r"|managedVirtualNetworks/[^/]+/managedPrivateEndpoints|globalParameters|adfcdcs)"
)


async def _list(exchange: Exchange) -> Response:
    scope, _, _kind = exchange.path.rpartition("/")
    check_factory(exchange)
    after = exchange.path.lower().rsplit("/providers/", 1)[1].split("/")
    resource_type = "/".join((after[0], *after[1::2]))
    found = exchange.operations.list(scope, resource_type, exchange.caller)
    token = exchange.query("$skiptoken") or "0"
    if not token.isdigit():
        raise ServiceError(400, "BadRequest", "The continuation token is invalid.")
    start = int(token)
    body: dict[str, object] = {"value": found[start : start + PAGE]}
    if len(found) > start + PAGE:
        body["nextLink"] = exchange.address(exchange.path) + f"&%24skiptoken={start + PAGE}"
    return answer(body)


async def _get(exchange: Exchange) -> Response:
    """304 with If-None-Match when the object is still that one (azure-mgmt-datafactory: pipelines.get)."""
    found = exchange.operations.get(exchange.path, exchange.caller)
    given = exchange.request.headers.get("if-none-match")
    if given is not None and _same(given, found):
        return nothing(304)
    return answer(found)


async def _put(exchange: Exchange) -> Response:
    """412 with If-Match when the object is another one; its code and text are unverified."""
    operations = exchange.operations
    kind, write = operations.prepare(exchange.path, exchange.object(), exchange.api_version, exchange.caller)
    given = exchange.request.headers.get("if-match")
    if given is not None:
        operations.authorise(kind, write)
        if not _same(given, write.existing):
            raise ServiceError(
                412, "PreconditionFailed", f"The entity tag of '{write.id.name}' is not the one in If-Match."
            )
    return answer(operations.put(kind, write))


async def _delete(exchange: Exchange) -> Response:
    return nothing(200 if exchange.operations.delete(exchange.path, exchange.caller) else 204)


async def _keep(exchange: Exchange) -> Response:
    """A factory's network stays: the service has no operation that takes it away (azure-mgmt-datafactory)."""
    raise not_here(f"operation DELETE {exchange.path.rsplit('/providers/', 1)[1]}")


def _same(given: str, resource: dict[str, object] | None) -> bool:
    if resource is None:
        return False
    tag = str(resource.get("etag") or resource.get("eTag") or "").strip('"')
    return given == "*" or tag in [one.strip().strip('"') for one in given.split(",")]


def check_factory(exchange: Exchange) -> None:
    """Raises ServiceError 404 when the factory of a request is not there."""
    factory = exchange.values["factory"]
    exchange.operations.check_place(factory)
    if exchange.world.resources.get(factory) is None:
        raise not_found("Microsoft.DataFactory/factories", parse(factory).name, group_of(factory))


RULES: tuple[Rule, ...] = (
    rule("GET", FACTORY + "/" + _KINDS, _list),
    rule("GET", FACTORY + f"(?:/{_KINDS}/[^/]+)?", _get),
    rule("PUT", FACTORY + f"(?:/{_KINDS}/[^/]+)?", _put),
    rule("DELETE", FACTORY + r"/managedVirtualNetworks/[^/]+", _keep, done=False),
    rule("DELETE", FACTORY + f"/{_KINDS}/[^/]+", _delete),
)
