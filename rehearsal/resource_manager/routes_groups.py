"""Subscriptions, providers and resource groups (learn.microsoft.com/rest/api/resources)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from rehearsal.resource_manager.access import require
from rehearsal.resource_manager.api_versions import LOCATIONS, provider, zones
from rehearsal.resource_manager.errors import ServiceError, group_not_found
from rehearsal.resource_manager.exchange import Exchange, Later, Rule, answer, nothing, page, rule
from rehearsal.resource_manager.identifiers import contains, group_id, group_of
from rehearsal.resource_manager.providers.base import locked
from rehearsal.resource_manager.resources import GROUP_TYPE

Json = Any
_SUBSCRIPTION = r"/subscriptions/(?P<subscription>[^/]+)"
_GROUP = _SUBSCRIPTION + r"/resourcegroups/(?P<group>[^/]+)"
_ACTIONS = "Microsoft.Resources/subscriptions/resourceGroups"


def _visible(exchange: Exchange, subscription_id: str) -> bool:
    """A subscription shows itself to whoever has a role somewhere in it."""
    scope = f"/subscriptions/{subscription_id}"
    held = exchange.world.roles.at(scope, below=True)
    return any(one["properties"]["principalId"].lower() == exchange.caller.object_id.lower() for one in held)


async def _subscriptions(exchange: Exchange) -> Response:
    known = exchange.world.resources.subscriptions()
    return page(exchange, [one for one in known if _visible(exchange, one["subscriptionId"])])


async def _subscription(exchange: Exchange) -> Response:
    exchange.operations.check_place(exchange.path)
    wanted = exchange.values["subscription"]
    if not _visible(exchange, wanted):
        require(exchange.world, exchange.caller, exchange.path, "Microsoft.Resources/subscriptions/read")
    return answer(exchange.world.resources.subscription(wanted))


async def _locations(exchange: Exchange) -> Response:
    exchange.operations.check_place(exchange.path)
    found = [
        {
            "id": f"/subscriptions/{exchange.values['subscription']}/locations/{name}",
            "name": name,
            "type": "Region",
            "displayName": shown,
            "regionalDisplayName": shown,
            # In Azure each subscription has a mapping of its own; here all have this one.
            "availabilityZoneMappings": [
                {"logicalZone": zone, "physicalZone": f"{name}-az{zone}"} for zone in zones(name)
            ],
        }
        for name, shown in LOCATIONS.items()
    ]
    return page(exchange, found)


async def _tenants(exchange: Exchange) -> Response:
    tenants = sorted({one["tenantId"] for one in exchange.world.resources.subscriptions()})
    return page(exchange, [{"id": f"/tenants/{one}", "tenantId": one, "displayName": "Rehearsal"} for one in tenants])


async def _providers(exchange: Exchange) -> Response:
    return page(exchange, [_provider(exchange, namespace) for namespace in _namespaces(exchange)])


async def _one_provider(exchange: Exchange) -> Response:
    wanted = exchange.values["namespace"].lower()
    for namespace in _namespaces(exchange):
        if namespace.lower() == wanted:
            return answer(_provider(exchange, namespace))
    raise ServiceError(
        404,
        "InvalidResourceNamespace",
        f"The resource namespace '{exchange.values['namespace']}' is invalid, or not part of this rehearsal.",
    )


async def _register(exchange: Exchange) -> Response:
    """Registering goes on for a minute or so in Azure, and is told as under way; here it has ended when it is looked at."""
    asked = exchange.values["namespace"]
    namespace = next((one for one in _namespaces(exchange) if one.lower() == asked.lower()), None)
    if namespace is not None:
        subscription = exchange.values["subscription"]
        require(exchange.world, exchange.caller, f"/subscriptions/{subscription}", f"{namespace}/register/action")
        if exchange.world.resources.registration(subscription, namespace) != "Registered":
            exchange.world.resources.set_registration(subscription, namespace, "Registered")
            return answer({**_provider(exchange, namespace), "registrationState": "Registering"})
    return await _one_provider(exchange)


async def _enable(exchange: Exchange) -> Response:
    """Subscription - Enable (Azure SDK for .NET, SubscriptionExtensions.EnableSubscription; permission:
    Microsoft.Subscription/enable/action)."""
    subscription = exchange.values["subscription"]
    exchange.operations.check_place(f"/subscriptions/{subscription}")
    scope = f"/subscriptions/{subscription}"
    require(exchange.world, exchange.caller, scope, "Microsoft.Subscription/enable/action")
    exchange.world.resources.set_subscription_state(subscription, "Enabled")
    return answer({"subscriptionId": subscription})


def _namespaces(exchange: Exchange) -> list[str]:
    exchange.operations.check_place(exchange.path)
    return sorted({kind.name.split("/")[0] for kind in exchange.operations.providers.all()})


def _provider(exchange: Exchange, namespace: str) -> dict[str, Json]:
    kinds = [kind.name for kind in exchange.operations.providers.all() if kind.name.startswith(namespace + "/")]
    return {
        "id": f"/subscriptions/{exchange.values['subscription']}/providers/{namespace}",
        **provider(namespace, kinds),
        "registrationState": exchange.world.resources.registration(exchange.values["subscription"], namespace),
    }


def _scope(exchange: Exchange) -> str:
    return group_id(exchange.values["subscription"], exchange.values["group"])


async def _put_group(exchange: Exchange) -> Response:
    scope = _scope(exchange)
    kind, write = exchange.operations.prepare(
        scope, exchange.object(), exchange.api_version, exchange.caller, resource_type=GROUP_TYPE
    )
    group = exchange.operations.put(kind, write)
    return answer(group, 201 if write.existing is None else 200)


def _group(exchange: Exchange, action: str) -> dict[str, Json]:
    require(exchange.world, exchange.caller, _scope(exchange), f"{_ACTIONS}/{action}")
    exchange.operations.check_place(_scope(exchange), parent=False)
    group = exchange.world.resources.get(_scope(exchange))
    if group is None:
        raise group_not_found(exchange.values["group"])
    return group


async def _get_group(exchange: Exchange) -> Response:
    return answer(_group(exchange, "read"))


async def _head_group(exchange: Exchange) -> Response:
    try:
        _group(exchange, "read")
    except ServiceError as error:
        if error.status != 404:
            raise
        return nothing(404)
    return nothing(204)


async def _patch_group(exchange: Exchange) -> Response:
    group = _group(exchange, "write")
    locked(exchange.world, group["id"], "write")
    body = exchange.object()
    if "tags" in body:
        group["tags"] = body["tags"] or {}
    exchange.world.resources.put(group)
    return answer(group)


async def _delete_group(exchange: Exchange) -> Response:
    group = _group(exchange, "delete")
    locked(exchange.world, group["id"], "delete")
    for resource in reversed(exchange.world.resources.below(group["id"])):
        if exchange.world.resources.get(resource["id"]) is not None:
            exchange.operations.providers.kind(resource["type"]).delete(resource["id"])
    for assignment in list(exchange.world.roles.at(group["id"], below=True)):
        if contains(group["id"], assignment["properties"]["scope"]):
            exchange.world.roles.remove(assignment["id"])
    for record in exchange.deployments.history.at(group["id"]):
        exchange.deployments.history.delete(record["id"])
    exchange.world.resources.delete(group["id"])
    return Later(exchange.world).keep(exchange, 200, None)


async def _groups(exchange: Exchange) -> Response:
    scope = f"/subscriptions/{exchange.values['subscription']}"
    exchange.operations.check_place(scope)
    found = exchange.world.resources.below(scope, GROUP_TYPE)
    allowed = exchange.world.roles.allowed
    seen = [one for one in found if allowed(exchange.caller.object_id, one["id"], f"{_ACTIONS}/read")]
    return page(exchange, [one for one in seen if _tagged(one, exchange.filters())])


def _tagged(resource: dict[str, Json], filters: dict[str, str]) -> bool:
    tags = resource.get("tags") or {}
    name, value = filters.get("tagname"), filters.get("tagvalue")
    return name is None or (name in tags and value in (None, tags[name]))


async def _resources(exchange: Exchange) -> Response:
    scope = exchange.path.rsplit("/", 1)[0]
    exchange.operations.check_place(scope)
    filters, found = exchange.filters(), []
    for resource in exchange.world.resources.below(scope):
        kind = resource["type"]
        if not exchange.operations.providers.knows(kind) or not exchange.operations.providers.kind(kind).tracked:
            continue
        if not exchange.world.roles.allowed(exchange.caller.object_id, resource["id"], f"{kind}/read"):
            continue
        fits = all(
            filters.get(key, str(resource.get(own, ""))).lower() == str(resource.get(own, "")).lower()
            for key, own in (("resourcetype", "type"), ("name", "name"), ("location", "location"))
        )
        # learn.microsoft.com/rest/api/resources/resources/list: resourceGroup is one of the properties to filter by.
        group = (group_of(resource["id"]) or "").lower()
        fits = fits and filters.get("resourcegroup", group).lower() == group
        if fits and _tagged(resource, filters):
            shown = ("id", "name", "type", "location", "tags", "sku", "kind", "identity")
            found.append({key: resource[key] for key in shown if key in resource})
    return page(exchange, found)


async def _later(exchange: Exchange) -> Response:
    return await Later(exchange.world).fetch(exchange)


RULES: tuple[Rule, ...] = (
    rule("GET", r"/subscriptions", _subscriptions),
    rule("GET", r"/tenants", _tenants),
    rule("GET", _SUBSCRIPTION, _subscription),
    rule("GET", _SUBSCRIPTION + r"/locations", _locations),
    rule("GET", _SUBSCRIPTION + r"/providers", _providers),
    rule("GET", _SUBSCRIPTION + r"/providers/(?P<namespace>[^/]+)", _one_provider),
    rule("POST", _SUBSCRIPTION + r"/providers/(?P<namespace>[^/]+)/register", _register),
    rule("POST", _SUBSCRIPTION + r"/providers/Microsoft\.Subscription/enable", _enable),
    rule("GET", _SUBSCRIPTION + r"/operationresults/(?P<number>[^/]+)", _later),
    rule("GET", _SUBSCRIPTION + r"/resourcegroups", _groups),
    rule("PUT", _GROUP, _put_group),
    rule("GET", _GROUP, _get_group),
    rule("HEAD", _GROUP, _head_group),
    rule("PATCH", _GROUP, _patch_group),
    rule("DELETE", _GROUP, _delete_group),
    rule("GET", _GROUP + r"/resources", _resources),
    rule("GET", _SUBSCRIPTION + r"/resources", _resources),
)
