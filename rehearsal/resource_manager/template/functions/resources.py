"""Resource functions (template-functions-resource, template-functions-scope)."""

from __future__ import annotations

from typing import Any

from rehearsal.resource_manager.identifiers import build
from rehearsal.resource_manager.role_definitions import BY_ROLE_NAME
from rehearsal.resource_manager.template.context import Context
from rehearsal.resource_manager.template.errors import ExpressionError, UnresolvedError
from rehearsal.resource_manager.template.functions.function import Evaluate, Function, array, integer, invalid, text
from rehearsal.resource_manager.template.syntax import Call

Json = Any


def _id(name: str, scope: str, segments: list[Json]) -> str:
    texts = [text(name, segment) for segment in segments]
    resource_type, *names = texts
    resource_type = resource_type.rstrip("/")  # public templates have a slash there, and work
    # A name with slashes stands for several segments: resourceId('A/b/c', 'x/y').
    flat = [part for one in names for part in one.split("/")]
    count = len(resource_type.split("/")) - 1
    if count != len(flat):
        raise ExpressionError(
            f"Unable to evaluate template language function '{name}': the type '{resource_type}' requires '{count}' resource "
            f"name argument(s). Please see https://aka.ms/arm-template-expressions/#{name.lower()} for usage details."
        )
    return build(scope, resource_type, *flat)


def _type_at(name: str, segments: list[Json]) -> int:
    for index, segment in enumerate(segments):
        if isinstance(segment, str) and "/" in segment and not segment.startswith("/"):
            return index
    raise ExpressionError(
        f"Unable to evaluate template language function '{name}': the first fully qualified resource type argument is "
        f"missing. Please see https://aka.ms/arm-template-expressions/#{name.lower()} for usage details."
    )


def _subscription_scope(context: Context, name: str) -> str:
    if context.target.subscription is None:
        raise ExpressionError(f"The template function '{name}' needs a subscription.")
    return str(context.target.subscription["id"])


def _resource_id(context: Context, arguments: list[Json]) -> str:
    """resourceId([subscription], [group], type, name, …); at a subscription or the tenant there is no group in it."""
    at = _type_at("resourceId", arguments)
    before = [text("resourceId", one) for one in arguments[:at]]
    if context.target.subscription is None and not before:
        return _id("resourceId", "", arguments[at:])
    if len(before) == 2:
        return _id("resourceId", f"/subscriptions/{before[0]}/resourceGroups/{before[1]}", arguments[at:])
    scope = _subscription_scope(context, "resourceId")
    if len(before) == 1:
        # One word is a group, except at a subscription, where it is one when it is not a GUID.
        return _id("resourceId", f"{scope}/resourceGroups/{before[0]}", arguments[at:])
    if before:
        raise invalid("resourceId", "expects at most a subscription and a resource group before the type.")
    group = context.target.group
    return _id("resourceId", group["id"] if group else scope, arguments[at:])


def _subscription_resource_id(context: Context, arguments: list[Json]) -> str:
    at = _type_at("subscriptionResourceId", arguments)
    if at:
        scope = f"/subscriptions/{text('subscriptionResourceId', arguments[0])}"
    else:
        scope = _subscription_scope(context, "subscriptionResourceId")
    return _id("subscriptionResourceId", scope, arguments[at:])


def _tenant_resource_id(_context: Context, arguments: list[Json]) -> str:
    return _id("tenantResourceId", "", arguments)


def _extension_resource_id(_context: Context, arguments: list[Json]) -> str:
    return _id("extensionResourceId", text("extensionResourceId", arguments[0]), arguments[1:])


def _management_group_resource_id(_context: Context, arguments: list[Json]) -> str:
    at = _type_at("managementGroupResourceId", arguments)
    if at != 1:
        raise invalid("managementGroupResourceId", "needs the management group's name: there is none of its own here.")
    scope = f"/providers/Microsoft.Management/managementGroups/{text('managementGroupResourceId', arguments[0])}"
    return _id("managementGroupResourceId", scope, arguments[at:])


def _resource_group(context: Context, _arguments: list[Json]) -> Json:
    if context.target.group is None:
        raise ExpressionError(
            "The template function 'RESOURCEGROUP' is not expected at this location. The function can only be used in a "
            "deployment to a resource group."
        )
    return context.target.group


def _subscription(context: Context, _arguments: list[Json]) -> Json:
    if context.target.subscription is None:
        raise ExpressionError("The template function 'SUBSCRIPTION' is not expected at this location.")
    return context.target.subscription


def _tenant(context: Context, _arguments: list[Json]) -> Json:
    return {"tenantId": context.target.tenant_id}


def _named(context: Context, given: str) -> str:
    """The full id behind reference('name'), reference('symbol') and reference('/subscriptions/…')."""
    if given.startswith("/"):
        return given
    found = context.names.get(given.lower())
    if isinstance(found, str):
        return found
    raise ExpressionError(
        f"The template function 'reference' is not valid: the resource '{given}' is not defined in the template. "
        "Please see https://aka.ms/arm-template-expressions/#reference for usage details."
    )


def _forbid_early(context: Context, name: str) -> None:
    if not context.references_allowed:
        raise ExpressionError(
            f"The template function '{name}' is not expected at this location. "
            "Please see https://aka.ms/arm-template-expressions for usage details."
        )


def _reference(node: Call, context: Context, evaluate: Evaluate) -> Json:
    _forbid_early(context, "reference")
    given, *rest = [evaluate(argument, context) for argument in node.arguments]
    resource_id = _named(context, text("reference", given))
    if context.runtime is None:
        raise UnresolvedError
    options = [text("reference", one) for one in rest]
    full = len(options) == 2 and options[1].lower() == "full"
    return context.runtime.reference(resource_id, options[0] if options else None, full=full)


def _references(node: Call, context: Context, evaluate: Evaluate) -> Json:
    _forbid_early(context, "references")
    name = text("references", evaluate(node.arguments[0], context))
    found = context.names.get(name.lower())
    if not isinstance(found, list):
        raise ExpressionError(f"The template function 'references' is not valid: '{name}' is not a resource loop.")
    if context.runtime is None:
        raise UnresolvedError
    full = len(node.arguments) == 2
    runtime = context.runtime
    return [runtime.reference(one, None, full=full) for one in found]


def list_action(name: str) -> Function:
    """listKeys and its kind: POST …/<name> on a resource."""

    def invoke(node: Call, context: Context, evaluate: Evaluate) -> Json:
        _forbid_early(context, name)
        given, *rest = [evaluate(argument, context) for argument in node.arguments]
        resource_id = _named(context, text(name, given))
        if context.runtime is None:
            raise UnresolvedError
        if not rest and given == resource_id:
            raise invalid(name, "needs an apiVersion.")
        body = rest[1] if len(rest) > 1 else None
        return context.runtime.invoke(name, resource_id, text(name, rest[0]) if rest else "", body)

    return Function(name, 1, 3, lazy=invoke)


def _role_definitions(_context: Context, arguments: list[Json]) -> Json:
    name = text("roleDefinitions", arguments[0])
    found = BY_ROLE_NAME.get(name.lower())
    if found is None:
        raise ExpressionError(f"The role definition '{name}' is not known.")
    path = f"/providers/Microsoft.Authorization/roleDefinitions/{found.name}"
    return {"id": path, "roleDefinitionId": found.name}


def _providers(context: Context, arguments: list[Json]) -> Json:
    """providers(namespace, [type]): deprecated, and still there (template-functions-resource#providers)."""
    namespace = text("providers", arguments[0])
    if context.target.providers is None:
        raise ExpressionError("The template function 'providers' is not expected at this location.")
    found = context.target.providers(namespace)
    kinds = [
        {key: kind[key] for key in ("resourceType", "locations", "apiVersions")} for kind in found["resourceTypes"]
    ]
    if len(arguments) == 1:
        return {"namespace": found["namespace"], "resourceTypes": kinds}
    wanted = text("providers", arguments[1])
    for kind in kinds:
        if kind["resourceType"].lower() == wanted.lower():
            return kind
    raise ExpressionError(
        f"The template function 'providers' is not valid: the provider '{namespace}' has no resource type '{wanted}'."
    )


def _pick_zones(context: Context, arguments: list[Json]) -> Json:
    """pickZones(namespace, type, location, [number], [offset]): [] where the region has none
    (template-functions-resource#pickzones). Zonal and zone-redundant types are not told apart here."""
    _namespace, _kind, location = (text("pickZones", one) for one in arguments[:3])
    number = integer("pickZones", arguments[3]) if len(arguments) > 3 else 1
    offset = integer("pickZones", arguments[4]) if len(arguments) > 4 else 0
    there = list(context.target.zones(location))
    if not there:
        return []
    if not 1 <= number <= len(there) or not 0 <= offset <= len(there) - number:
        raise invalid("pickZones", f"can't pick {number} of {len(there)} zones from offset {offset} on.")
    return there[offset : offset + number]


def _zone(name: str, location: Json, zone: Json, context: Context) -> str:
    """The mapping of this Azure: logical zone n is physical zone <region>-azn, in every subscription."""
    region = text(name, location).replace(" ", "").lower()
    pairs = {one: f"{region}-az{one}" for one in context.target.zones(region)}
    if name.startswith("toLogical"):
        pairs = {physical: logical for logical, physical in pairs.items()}
    found = pairs.get(text(name, zone))
    if found is None:
        raise invalid(name, f"finds no zone '{zone}' in '{location}'.")
    return found


def _one_zone(name: str) -> Function:
    return Function(name, 3, 3, eager=lambda context, given: _zone(name, given[1], given[2], context))


def _many_zones(name: str) -> Function:
    def convert(context: Context, given: list[Json]) -> Json:
        return [_zone(name, given[1], zone, context) for zone in array(name, given[2])]

    return Function(name, 3, 3, eager=convert)


def _management_group(_context: Context, _arguments: list[Json]) -> Json:
    # Only deployments to a management group have one, and those are not part of this rehearsal.
    raise ExpressionError("The template function 'MANAGEMENTGROUP' is not expected at this location.")


def _refused(name: str) -> Function:
    def refuse(_context: Context, _arguments: list[Json]) -> Json:
        raise ExpressionError(f"The template function '{name}' is not part of this rehearsal.")

    return Function(name, 0, None, eager=refuse)


FUNCTIONS = (
    Function("resourceId", 2, None, eager=_resource_id),
    Function("subscriptionResourceId", 2, None, eager=_subscription_resource_id),
    Function("tenantResourceId", 2, None, eager=_tenant_resource_id),
    Function("extensionResourceId", 3, None, eager=_extension_resource_id),
    Function("managementGroupResourceId", 2, None, eager=_management_group_resource_id),
    Function("resourceGroup", 0, 0, eager=_resource_group),
    Function("subscription", 0, 0, eager=_subscription),
    Function("tenant", 0, 0, eager=_tenant),
    Function("reference", 1, 3, lazy=_reference),
    Function("references", 1, 2, lazy=_references),
    Function("roleDefinitions", 1, 1, eager=_role_definitions),
    Function("providers", 1, 2, eager=_providers),
    Function("pickZones", 3, 5, eager=_pick_zones),
    *(_one_zone(name) for name in ("toLogicalZone", "toPhysicalZone")),
    *(_many_zones(name) for name in ("toLogicalZones", "toPhysicalZones")),
    Function("managementGroup", 0, 0, eager=_management_group),
    _refused("like"),
)
