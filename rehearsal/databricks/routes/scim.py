"""`/api/2.0/preview/scim/v2/*`: who am I, service principals, users and groups, to read (RFC 7644)."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import JSONResponse

from rehearsal.databricks.call import Answer, Call, Operation
from rehearsal.databricks.errors import ApiError, not_simulated
from rehearsal.databricks.members import Member

SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


def show_member(call: Call, member: Member) -> dict[str, Any]:
    groups = call.workspace.members.groups()
    shown: dict[str, Any] = {
        "schemas": [SCHEMA + ("User" if member.kind == "User" else "ServicePrincipal")],
        "id": member.id,
        "displayName": member.display_name,
        "active": True,
        "externalId": member.object_id,
        "entitlements": [{"value": name} for name in member.entitlements],
        "groups": [
            {"display": name, "type": "direct", "value": groups[name], "$ref": f"Groups/{groups[name]}"}
            for name in sorted(member.groups)
        ],
    }
    if member.kind == "User":
        shown |= {"userName": member.name, "emails": [{"type": "work", "value": member.name, "primary": True}]}
    else:
        shown["applicationId"] = member.name
    return shown


async def me(call: Call) -> Answer:
    """A service principal's userName here is its application id (databricks/cli issue 900)."""
    shown = show_member(call, call.caller) | {"userName": call.caller.name}
    shown.setdefault("emails", [])
    return shown


def _listing(call: Call, resources: list[dict[str, Any]]) -> Answer:
    """A page of those that the filter lets through. Only `attribute eq "value"` is understood."""
    condition = call.text("filter")
    if condition:
        found = re.fullmatch(r'\s*(\w+)\s+eq\s+"?([^"]*)"?\s*', condition)
        if not found:
            raise not_simulated(f"SCIM filter {condition}; only 'attribute eq \"value\"'")
        resources = [resource for resource in resources if str(resource.get(found[1], "")).lower() == found[2].lower()]
    start, count = max(1, call.number("startIndex", 1)), call.number("count", 100)
    page = resources[start - 1 : start - 1 + count]
    answer: dict[str, Any] = {"schemas": [LIST], "totalResults": len(resources), "startIndex": start}
    return answer | {"itemsPerPage": len(page), "Resources": page}


def _members(call: Call, users: bool) -> list[dict[str, Any]]:
    return [show_member(call, member) for member in call.workspace.members.all() if (member.kind == "User") == users]


def _one(resources: list[dict[str, Any]], kind: str, wanted: str) -> Answer:
    for resource in resources:
        if resource["id"] == wanted:
            return resource
    detail = f"{kind} with id {wanted} not found."
    return JSONResponse({"schemas": [ERROR], "detail": detail, "status": "404"}, 404)


async def service_principals(call: Call) -> Answer:
    return _listing(call, _members(call, users=False))


async def service_principal(call: Call) -> Answer:
    return _one(_members(call, users=False), "Service Principal", call.names["id"])


async def users(call: Call) -> Answer:
    return _listing(call, _members(call, users=True))


async def user(call: Call) -> Answer:
    return _one(_members(call, users=True), "User", call.names["id"])


def _groups(call: Call) -> list[dict[str, Any]]:
    shown = []
    for name, group_id in call.workspace.members.groups().items():
        members = [m for m in call.workspace.members.all() if name in m.groups]
        listed = [{"display": m.display_name, "value": m.id} for m in members]
        shown.append({"schemas": [SCHEMA + "Group"], "id": group_id, "displayName": name, "members": listed})
    return shown


async def groups(call: Call) -> Answer:
    return _listing(call, _groups(call))


async def group(call: Call) -> Answer:
    return _one(_groups(call), "Group", call.names["id"])


async def add_service_principal(call: Call) -> Answer:
    """Put a service principal of the tenant into the workspace; admins only."""
    if not call.caller.admin:
        raise ApiError(403, "PERMISSION_DENIED", "Only workspace admins can add service principals")
    application = call.text("applicationId")
    principal = call.workspace.members.by_application(application)
    if principal is None:
        raise not_simulated(f"service principal {application}: it has to be in the rehearsal's Entra ID first")
    if call.workspace.members.by_object_id(principal.object_id):
        detail = f"Service principal with application ID {application} already exists."
        return JSONResponse({"schemas": [ERROR], "detail": detail, "status": "409"}, 409)
    call.workspace.add_member(principal)
    asked = [str(one.get("value")) for one in call.values.get("entitlements") or [] if isinstance(one, dict)]
    return JSONResponse(show_member(call, call.workspace.members.entitle(principal.object_id, asked)), 201)


PREFIX = "/preview/scim/v2"
OPERATIONS = [
    Operation("GET", f"{PREFIX}/Me", me),
    Operation("GET", f"{PREFIX}/ServicePrincipals", service_principals),
    Operation("POST", f"{PREFIX}/ServicePrincipals", add_service_principal),
    Operation("GET", f"{PREFIX}/ServicePrincipals/{{id}}", service_principal),
    Operation("GET", f"{PREFIX}/Users", users),
    Operation("GET", f"{PREFIX}/Users/{{id}}", user),
    Operation("GET", f"{PREFIX}/Groups", groups),
    Operation("GET", f"{PREFIX}/Groups/{{id}}", group),
]
