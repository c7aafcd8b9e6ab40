"""Permission levels, and lists of who has which.

An access control list is a dict of principal keys (`sp:<application id>`, `user:<name>`, `group:<name>`) to level names.
Levels by object kind: terraform-provider-databricks `permissions/permission_definitions.go`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rehearsal.databricks.errors import invalid
from rehearsal.databricks.members import Member

Acl = Mapping[str, str]

OBJECT_LEVELS = ("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE")
JOB_LEVELS = ("CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER")
POLICY_LEVELS = ("CAN_USE",)
SECRET_LEVELS = ("READ", "WRITE", "MANAGE")

FIELDS = {"user": "user_name", "sp": "service_principal_name", "group": "group_name"}


def rank(levels: tuple[str, ...], level: str) -> int:
    """How much a level allows; 0 is nothing."""
    return levels.index(level) + 1 if level in levels else 0


def highest(levels: tuple[str, ...], acls: Iterable[Acl], member: Member) -> int:
    """The most that any of these lists gives the member, directly or through a group."""
    keys = member.keys
    return max((rank(levels, acl[key]) for acl in acls for key in keys & acl.keys()), default=0)


def read_request(items: object, levels: tuple[str, ...]) -> dict[str, str]:
    """The list that a request means. The same principal twice: the last entry wins (databricks/cli acceptance tests).

    Raises ApiError 400 when an entry names no principal, or a level that the object does not know.
    """
    if not isinstance(items, list):
        raise invalid("access_control_list must be a list")
    acl: dict[str, str] = {}
    for item in items:
        entry = item if isinstance(item, dict) else {}
        named = [f"{kind}:{entry[field]}" for kind, field in FIELDS.items() if entry.get(field)]
        level = entry.get("permission_level")
        if len(named) != 1:
            raise invalid("Exactly one of user_name, group_name or service_principal_name must be given for each entry")
        if level not in levels:
            raise invalid(f"Invalid permission level: {level}. Must be one of: {', '.join(levels)}")
        acl[named[0]] = level
    return acl


def show(direct: Acl, inherited: Iterable[tuple[str, Acl]], display_names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The list as the Permissions API answers: per principal, direct level first, then what it inherits and from where."""
    entries: dict[str, list[dict[str, Any]]] = {}
    for key, level in direct.items():
        entries.setdefault(key, []).append({"permission_level": level, "inherited": False})
    for source, acl in inherited:
        for key, level in acl.items():
            entries.setdefault(key, []).append(
                {"permission_level": level, "inherited": True, "inherited_from_object": [source]}
            )
    shown = []
    for key, permissions in entries.items():
        kind, _, name = key.partition(":")
        entry: dict[str, Any] = {FIELDS[kind]: name}
        if kind != "group":
            entry["display_name"] = display_names.get(key, name)
        shown.append(entry | {"all_permissions": permissions})
    return shown
