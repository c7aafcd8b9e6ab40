"""`/api/2.0/preview/scim/v2/*`: who am I; service principals, users and groups. Members read, admins change."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import JSONResponse, Response

from rehearsal.databricks import paths, scim
from rehearsal.databricks.call import Answer, Call, Operation
from rehearsal.databricks.errors import not_simulated
from rehearsal.databricks.members import ADMINS, USERS, Member
from rehearsal.databricks.scim import LIST, SCHEMA, ScimError

USER, PRINCIPAL, GROUP = "User", "Service Principal", "Group"
NAME = re.compile(r"[^/\s\x00-\x1f\x7f]{1,200}@[^/\s\x00-\x1f\x7f]{1,200}")


def show_member(call: Call, member: Member) -> dict[str, Any]:
    groups = call.workspace.members.groups()
    shown: dict[str, Any] = {
        "schemas": [SCHEMA + ("User" if member.kind == "User" else "ServicePrincipal")],
        "id": member.id,
        "displayName": member.display_name,
        "active": member.active,
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


def _groups(call: Call) -> list[dict[str, Any]]:
    members, shown = call.workspace.members.all(), []
    for name, group_id in call.workspace.members.groups().items():
        listed = [{"display": m.display_name, "value": m.id} for m in members if name in m.groups]
        entry = {"schemas": [SCHEMA + "Group"], "id": group_id, "displayName": name, "members": listed}
        entitlements = call.workspace.members.group_entitlements(name)
        shown.append(entry | {"entitlements": [{"value": each} for each in entitlements]})
    return shown


def _all(call: Call, kind: str) -> list[dict[str, Any]]:
    if kind == GROUP:
        return _groups(call)
    return [show_member(call, m) for m in call.workspace.members.all() if (m.kind == "User") == (kind == USER)]


def _one(call: Call, kind: str) -> dict[str, Any]:
    for resource in _all(call, kind):
        if resource["id"] == call.names["id"]:
            return resource
    raise ScimError(404, f"{kind} with id {call.names['id']} not found.")


async def me(call: Call) -> Answer:
    """A service principal's userName here is its application id (databricks/cli issue 900)."""
    shown = show_member(call, call.caller) | {"userName": call.caller.name}
    shown.setdefault("emails", [])
    return shown


def _listing(call: Call, kind: str) -> Answer:
    """A page of those that the filter lets through."""
    resources = scim.matching(_all(call, kind), call.text("filter"))
    start, count = max(1, call.number("startIndex", 1)), max(0, call.number("count", 100))
    page = resources[start - 1 : start - 1 + count]
    wanted, left_out = call.text("attributes"), call.text("excludedAttributes")
    answer: dict[str, Any] = {"schemas": [LIST], "totalResults": len(resources), "startIndex": start}
    shown = [scim.attributes(resource, wanted, left_out) for resource in page]
    return answer | {"itemsPerPage": len(page), "Resources": shown}


def _admin(call: Call, what: str) -> None:
    if not call.caller.admin:
        raise ScimError(403, f"Only workspace admins can {what}")  # text unverified


# -- service principals and users ------------------------------------------------------------------------------------


async def add_service_principal(call: Call) -> Answer:
    """Put a service principal of the tenant into the workspace."""
    _admin(call, "add service principals")
    application = call.text("applicationId")
    principal = call.workspace.members.by_application(application)
    if principal is None:
        raise not_simulated(f"service principal {application}: it has to be in the rehearsal's Entra ID first")
    if call.workspace.members.by_object_id(principal.object_id):
        raise ScimError(409, f"Service principal with application ID {application} already exists.", "uniqueness")
    asked = scim.values_of(call.values.get("entitlements"))
    call.workspace.add_member(principal)
    return JSONResponse(show_member(call, call.workspace.members.entitle(principal.object_id, asked)), 201)


async def add_user(call: Call) -> Answer:
    _admin(call, "add users")
    name = call.text("userName")
    if not NAME.fullmatch(name) or len(name.encode("utf-8", "replace")) > paths.LONGEST_NAME:
        raise scim.wrong(f"userName must be an e-mail address: {name}")
    if call.workspace.members.by_key(f"user:{name}"):
        raise ScimError(409, f"User with username {name} already exists.", "uniqueness")
    asked = scim.values_of(call.values.get("entitlements"))
    member = call.workspace.members.add_user(name, call.text("displayName") or name)
    call.workspace.tree.add_home(member)
    return JSONResponse(show_member(call, call.workspace.members.entitle(member.object_id, asked)), 201)


def _change_member(call: Call, kind: str, after: dict[str, Any]) -> Answer:
    members, resource = call.workspace.members, _one(call, kind)
    member = members.by_object_id(resource["externalId"])
    active, display_name = after["active"], after["displayName"]
    if member is None or not isinstance(active, bool) or not isinstance(display_name, str) or not display_name:
        raise scim.wrong("active must be true or false, displayName a string")
    members.entitle(member.object_id, after["entitlements"])
    return show_member(call, members.change(member, active=active, display_name=display_name))


def _state_of(resource: dict[str, Any]) -> dict[str, Any]:
    """The attributes that can be changed."""
    state = {name: resource[name] for name in ("active", "displayName") if name in resource}
    lists = {name: [each["value"] for each in resource[name]] for name in scim.LISTS if name in resource}
    return state | lists


def _replacement(call: Call, resource: dict[str, Any]) -> dict[str, Any]:
    """What a PUT says; lists that it leaves out become empty, other attributes stay."""
    state = _state_of(resource)
    given = {name: call.values[name] for name in state if name in call.values and name not in scim.LISTS}
    return state | given | {name: scim.values_of(call.values.get(name)) for name in scim.LISTS if name in state}


def _remove_member(call: Call, kind: str) -> Answer:
    member = call.workspace.members.by_object_id(_one(call, kind)["externalId"])
    if member:
        call.workspace.members.remove(member)
    return Response(status_code=204)


# -- groups ----------------------------------------------------------------------------------------------------------


async def add_group(call: Call) -> Answer:
    _admin(call, "add groups")
    name, members = call.text("displayName"), call.workspace.members
    if not name or len(name) > 255:
        raise scim.wrong("displayName must be given")
    if name.lower() in {each.lower() for each in members.groups()}:
        raise ScimError(409, f"Group with name {name} already exists.", "uniqueness")
    found = _members_with(call, scim.values_of(call.values.get("members")))
    entitlements = scim.values_of(call.values.get("entitlements"))
    members.create_group(name)
    members.entitle_group(name, entitlements)
    for member in found:
        members.change(member, groups=[*member.groups, name])
    shown = next(each for each in _groups(call) if each["displayName"] == name)
    return JSONResponse(shown, 201)


def _members_with(call: Call, ids: list[str]) -> list[Member]:
    by_id = {member.id: member for member in call.workspace.members.all()}
    groups = set(call.workspace.members.groups().values())
    for each in ids:
        if each in groups:
            raise not_simulated("groups in groups")
        if each not in by_id:
            raise ScimError(404, f"Member with id {each} not found.")
    return [by_id[each] for each in ids]


def _change_group(call: Call, after: dict[str, Any]) -> None:
    members, before = call.workspace.members, _one(call, GROUP)
    name, new_name = before["displayName"], after["displayName"]
    wanted = {member.id for member in _members_with(call, after["members"])}
    if name in (ADMINS, USERS) and new_name != name:
        raise ScimError(403, f"The group {name} can not be renamed")
    if name == USERS and wanted != {each["value"] for each in before["members"]}:
        raise ScimError(403, f"The members of the group {name} can not be changed")
    if not isinstance(new_name, str) or not new_name:
        raise scim.wrong("displayName must be a string")
    taken = {each.lower() for each in members.groups()} - {name.lower()}
    if new_name.lower() in taken:
        raise ScimError(409, f"Group with name {new_name} already exists.", "uniqueness")
    members.entitle_group(name, after["entitlements"])
    for member in members.all() if name != USERS else []:
        if (member.id in wanted) != (name in member.groups):
            members.change(member, groups=[*member.groups ^ {name}])
    if new_name != name:
        members.rename_group(name, new_name)


def _remove_group(call: Call) -> Answer:
    name = _one(call, GROUP)["displayName"]
    if name in (ADMINS, USERS):
        raise ScimError(403, f"The group {name} can not be deleted")
    call.workspace.members.delete_group(name)
    return Response(status_code=204)


# -- the table -------------------------------------------------------------------------------------------------------


def _operations(plural: str, kind: str) -> list[Operation]:
    async def listing(call: Call) -> Answer:
        return _listing(call, kind)

    async def get(call: Call) -> Answer:
        return _one(call, kind)

    async def patch(call: Call) -> Answer:
        _admin(call, f"change a {kind}")
        return _change(call, kind, scim.patched(_state_of(_one(call, kind)), call.values.get("Operations")))

    async def put(call: Call) -> Answer:
        _admin(call, f"change a {kind}")
        return _change(call, kind, _replacement(call, _one(call, kind)))

    async def delete(call: Call) -> Answer:
        _admin(call, f"remove a {kind}")
        return _remove_group(call) if kind == GROUP else _remove_member(call, kind)

    return [
        Operation("GET", f"{PREFIX}/{plural}", listing),
        Operation("GET", f"{PREFIX}/{plural}/{{id}}", get),
        Operation("PATCH", f"{PREFIX}/{plural}/{{id}}", patch),
        Operation("PUT", f"{PREFIX}/{plural}/{{id}}", put),
        Operation("DELETE", f"{PREFIX}/{plural}/{{id}}", delete),
    ]


def _change(call: Call, kind: str, after: dict[str, Any]) -> Answer:
    if kind != GROUP:
        return _change_member(call, kind, after)
    _change_group(call, after)
    return _one(call, GROUP)


PREFIX = "/preview/scim/v2"
OPERATIONS = [
    Operation("GET", f"{PREFIX}/Me", me),
    Operation("POST", f"{PREFIX}/ServicePrincipals", add_service_principal),
    Operation("POST", f"{PREFIX}/Users", add_user),
    Operation("POST", f"{PREFIX}/Groups", add_group),
    *_operations("ServicePrincipals", PRINCIPAL),
    *_operations("Users", USER),
    *_operations("Groups", GROUP),
]
