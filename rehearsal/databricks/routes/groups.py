"""`/api/2.0/groups/*`: groups by name, as the older API has them, for admins (databricks-cli `sdk/service.py` and its docs)."""

from __future__ import annotations

from rehearsal.databricks.call import Answer, Call, Operation
from rehearsal.databricks.errors import denied, exists, invalid, missing, not_simulated
from rehearsal.databricks.members import ADMINS, USERS, Member


def _group(call: Call, field: str) -> str:
    """The group that a field names, as it is spelled. Raises ApiError 403 for all but admins, 404 for an unknown one."""
    if not call.caller.admin:
        raise denied(f"{call.caller.name} is not an admin of this workspace")  # text unverified
    call.required(field)
    wanted = call.text(field)
    for name in call.workspace.members.groups():
        if name.lower() == wanted.lower():
            return name
    raise missing(f"Group {wanted} does not exist.")  # code documented, text unverified


def _member(call: Call) -> Member:
    if call.values.get("group_name"):
        raise not_simulated("groups in groups")
    call.required("user_name")
    name = call.text("user_name").lower()
    member = next((each for each in call.workspace.members.all() if each.name.lower() == name), None)
    if member is None:
        raise missing(f"User {call.text('user_name')} does not exist.")
    return member


async def create(call: Call) -> Answer:
    if not call.caller.admin:
        raise denied(f"{call.caller.name} is not an admin of this workspace")
    call.required("group_name")
    name = call.text("group_name")
    if name.lower() in {each.lower() for each in call.workspace.members.groups()}:
        raise exists(f"Group with name {name} already exists.")
    call.workspace.members.create_group(name)
    return {"group_name": name}


async def list_groups(call: Call) -> Answer:
    return {"group_names": list(call.workspace.members.groups())}


async def delete(call: Call) -> Answer:
    name = _group(call, "group_name")
    if name in (ADMINS, USERS):
        raise invalid(f"The group {name} can not be deleted")
    call.workspace.members.delete_group(name)
    return {}


async def add_member(call: Call) -> Answer:
    return _change(call, adding=True)


async def remove_member(call: Call) -> Answer:
    return _change(call, adding=False)


def _change(call: Call, *, adding: bool) -> Answer:
    name, member = _group(call, "parent_name"), _member(call)
    if name == USERS:
        raise invalid(f"The members of the group {name} can not be changed")
    groups = member.groups | {name} if adding else member.groups - {name}
    call.workspace.members.change(member, groups=[*groups])
    return {}


async def list_members(call: Call) -> Answer:
    name = _group(call, "group_name")
    found = [{"user_name": each.name} for each in call.workspace.members.all() if name in each.groups]
    return {"members": found} if found else {}


async def list_parents(call: Call) -> Answer:
    return {"group_names": sorted(_member(call).groups)}


OPERATIONS = [
    Operation("POST", "/groups/create", create),
    Operation("GET", "/groups/list", list_groups),
    Operation("POST", "/groups/delete", delete),
    Operation("POST", "/groups/add-member", add_member),
    Operation("POST", "/groups/remove-member", remove_member),
    Operation("GET", "/groups/list-members", list_members),
    Operation("GET", "/groups/list-parents", list_parents),
]
