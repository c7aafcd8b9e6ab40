"""Single resources of every provider, their lists and actions, and what Key Vault keeps of deleted vaults."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from rehearsal.resource_manager.access import require
from rehearsal.resource_manager.errors import ServiceError, not_here
from rehearsal.resource_manager.exchange import Exchange, Later, Rule, answer, nothing, page, rule
from rehearsal.resource_manager.identifiers import fold
from rehearsal.resource_manager.providers.base import check_location, check_shape
from rehearsal.resource_manager.providers.key_vault import DeletedVaults
from rehearsal.resource_manager.providers.tags import Tags

Json = Any
_SUBSCRIPTION = r"/subscriptions/(?P<subscription>[^/]+)"
_VAULTS = _SUBSCRIPTION + r"/providers/Microsoft\.KeyVault"
_DELETED = _VAULTS + r"/locations/(?P<location>[^/]+)/deletedVaults/(?P<name>[^/]+)"
_ANY = r"(?P<scope>.*)/providers/(?P<namespace>[^/]+)/(?P<rest>[^/].*)"


def _names_a_resource(exchange: Exchange) -> bool:
    last = exchange.path.lower().rsplit("/providers/", 1)[1]
    return len(last.split("/")) % 2 == 1


async def _get(exchange: Exchange) -> Response:
    if not _names_a_resource(exchange):
        return await _list(exchange)
    return answer(exchange.operations.get(exchange.path, exchange.caller, exchange.api_version))


async def _head(exchange: Exchange) -> Response:
    try:
        exchange.operations.get(exchange.path, exchange.caller, exchange.api_version)
    except ServiceError as error:
        if error.status != 404:
            raise
        return nothing(404)
    return nothing(204)


async def _list(exchange: Exchange) -> Response:
    scope, _, _name = exchange.path.rpartition("/")
    head, namespace, *rest = _after_providers(exchange.path)
    if len(rest) == 1:
        scope = head
    resource_type = "/".join((namespace, *rest[0::2]))
    found = exchange.operations.list(scope, resource_type, exchange.caller, exchange.api_version)
    return page(exchange, [one for one in found if _wanted(one, scope, exchange.filters())])


def _after_providers(path: str) -> list[str]:
    cut = path.lower().rindex("/providers/")
    return [path[:cut], *path[cut + len("/providers/") :].split("/")]


def _wanted(resource: dict[str, Json], scope: str, filters: dict[str, str]) -> bool:
    """The filters of role assignments and definitions (…/azure/role-based-access-control/role-assignments-list-rest)."""
    properties = resource["properties"]
    principal = filters.get("principalid") or filters.get("assignedto")
    if principal and str(properties.get("principalId", "")).lower() != principal.lower():
        return False
    if "atscope" in filters and len(fold(str(properties.get("scope", scope)))) > len(fold(scope)):
        return False
    return bool(filters.get("rolename", properties.get("roleName")) == properties.get("roleName"))


async def _put(exchange: Exchange) -> Response:
    operations = exchange.operations
    bare = not exchange.text.strip() and operations.identify(exchange.path)[1].bodiless
    given = {} if bare else exchange.object()
    kind, write = operations.prepare(exchange.path, given, exchange.api_version, exchange.caller)
    resource = operations.put(kind, write)
    if write.existing is None and kind.slow:
        return Later(exchange.world).keep(exchange, 200, resource)
    return answer(resource, kind.created_status if write.existing is None else 200)


async def _patch(exchange: Exchange) -> Response:
    """A change of some properties: what is there with them, written as a whole."""
    operations = exchange.operations
    before = operations.get(exchange.path, exchange.caller)
    body = exchange.object()
    merged = {key: value for key, value in before.items() if key not in ("id", "name", "type", "properties")}
    merged |= {key: value for key, value in body.items() if key != "properties"}
    merged["properties"] = {**before.get("properties", {}), **(body.get("properties") or {})}
    kind, write = operations.prepare(exchange.path, merged, exchange.api_version, exchange.caller)
    if kind.tracked:
        check_location(write)
    return answer(operations.put(kind, write))


async def _patch_tags(exchange: Exchange) -> Response:
    """Tags - Update At Scope: Replace, Merge or Delete some of them."""
    kind = exchange.operations.providers.kind("Microsoft.Resources/tags")
    body, operations = exchange.object(), exchange.operations
    check_shape(body, kind.shape)
    if isinstance(kind, Tags):
        given = (body.get("properties") or {}).get("tags") or {}
        changed = kind.changed(exchange.path, str(body.get("operation", "")).lower(), given)
        body = {"properties": {"tags": changed}}
    kind, write = operations.prepare(exchange.path, body, exchange.api_version, exchange.caller)
    return answer(operations.put(kind, write))


async def _delete(exchange: Exchange) -> Response:
    """Of roles and their assignments, the answer is what was there (rest/api/authorization, azure-mgmt-authorization)."""
    before, kind = None, exchange.operations.identify(exchange.path)[1]
    what = exchange.path.lower().rsplit("/providers/", 1)[1].split("/")
    if what[:2] in (["microsoft.authorization", "roleassignments"], ["microsoft.authorization", "roledefinitions"]):
        before = kind.get(exchange.path)
    there = exchange.operations.delete(exchange.path, exchange.caller)
    if not there:
        return nothing(204)
    return nothing(kind.deleted_status) if before is None else answer(before)


async def _post(exchange: Exchange) -> Response:
    if _names_a_resource(exchange):
        raise not_here(f"operation POST {exchange.path.rsplit('/providers/', 1)[1]}")
    resource_id, _, name = exchange.path.rpartition("/")
    return answer(exchange.operations.action(resource_id, name, exchange.body(), exchange.caller))


async def _system_identity(exchange: Exchange) -> Response:
    """The identity of a resource, with its application id (azure-mgmt-msi, system_assigned_identities.get_by_scope;
    permission: Microsoft.ManagedIdentity/identities/read). Code and text of the 404 are unverified."""
    scope = exchange.values["scope"]
    require(exchange.world, exchange.caller, scope, "Microsoft.ManagedIdentity/identities/read")
    exchange.operations.check_place(scope)
    resource = exchange.world.resources.get(scope) or {}
    identity = resource.get("identity") or {}
    principal = exchange.world.directory.by_object_id(str(identity.get("principalId")))
    if principal is None:
        raise ServiceError(404, "ResourceNotFound", f"There is no system-assigned identity of '{scope}'.")
    kind = "Microsoft.ManagedIdentity/identities"
    properties = {
        "tenantId": identity.get("tenantId"),
        "principalId": principal.object_id,
        "clientId": principal.app_id,
    }
    found = {"id": f"{scope}/providers/{kind}/default", "name": "default", "type": kind, "properties": properties}
    if "location" in resource:
        found["location"] = resource["location"]
    return answer(found)


def _deleted(exchange: Exchange, action: str) -> DeletedVaults:
    scope = f"/subscriptions/{exchange.values['subscription']}"
    exchange.operations.check_place(scope)
    require(exchange.world, exchange.caller, scope, f"Microsoft.KeyVault/{action}")
    return DeletedVaults(exchange.operations.providers.kind("Microsoft.KeyVault/vaults"))


async def _deleted_vaults(exchange: Exchange) -> Response:
    return page(exchange, _deleted(exchange, "deletedVaults/read").list(exchange.values["subscription"]))


async def _no_modules(exchange: Exchange) -> Response:
    """Managed HSMs, deleted or not: `az keyvault list-deleted` asks for them too, and there can be none here."""
    exchange.operations.check_place(exchange.path)
    return page(exchange, [])


async def _deleted_vault(exchange: Exchange) -> Response:
    found = _deleted(exchange, "locations/deletedVaults/read").get(exchange.values["name"])
    if found is None:
        raise ServiceError(
            404, "DeletedVaultNotFound", f"The specified deleted vault '{exchange.values['name']}' does not exist."
        )
    return answer(found)


async def _purge(exchange: Exchange) -> Response:
    _deleted(exchange, "locations/deletedVaults/purge/action").purge(exchange.values["name"])
    return Later(exchange.world).keep(exchange, 200, None)


async def _name_available(exchange: Exchange) -> Response:
    body = exchange.object()
    name, kind = str(body.get("name", "")), str(body.get("type", ""))
    taken = exchange.world.resources.find(kind, name) is not None
    if kind.lower() == "microsoft.keyvault/vaults" and not taken:
        taken = DeletedVaults(exchange.operations.providers.kind(kind)).get(name) is not None
    if not taken:
        return answer({"nameAvailable": True})
    return answer({"nameAvailable": False, "reason": "AlreadyExists", "message": f"The name {name} is already taken."})


async def _usages(exchange: Exchange) -> Response:
    """Of a region's quotas only that of all processor cores together: no machine of a rehearsal uses any
    (learn.microsoft.com/rest/api/compute/usage/list)."""
    exchange.operations.check_place(exchange.path)
    subscription = exchange.values["subscription"]
    scope = f"/subscriptions/{subscription}"
    require(exchange.world, exchange.caller, scope, "Microsoft.Compute/locations/usages/read")
    used, limit = exchange.world.resources.cores(subscription)
    name = {"value": "cores", "localizedValue": "Total Regional vCPUs"}
    return page(exchange, [{"limit": limit, "unit": "Count", "currentValue": used, "name": name}])


RULES: tuple[Rule, ...] = (
    rule("GET", _SUBSCRIPTION + r"/providers/Microsoft\.Compute/locations/[^/]+/usages", _usages),
    rule("GET", _VAULTS + r"/deletedVaults", _deleted_vaults),
    rule("GET", _DELETED, _deleted_vault),
    rule("GET", _VAULTS + r"/(?:deletedManagedHSMs|managedHSMs)", _no_modules),
    rule(
        "GET",
        _SUBSCRIPTION + r"/resourcegroups/(?P<group>[^/]+)/providers/Microsoft\.KeyVault/managedHSMs",
        _no_modules,
    ),
    rule("POST", _DELETED + r"/purge", _purge),
    rule("POST", _SUBSCRIPTION + r"/providers/[^/]+/checkNameAvailability", _name_available),
    rule("GET", r"(?P<scope>/.*)/providers/Microsoft\.ManagedIdentity/identities/default", _system_identity),
    rule("GET", _ANY, _get),
    rule("HEAD", _ANY, _head),
    rule("PUT", _ANY, _put),
    rule("PATCH", r".*/providers/Microsoft\.Resources/tags/default", _patch_tags),
    rule("PATCH", _ANY, _patch),
    rule("DELETE", _ANY, _delete),
    rule("POST", _ANY, _post),
)
