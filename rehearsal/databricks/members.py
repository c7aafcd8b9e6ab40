"""Who belongs to a workspace: users, service principals, and groups; and the caller of one request."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rehearsal.databricks.errors import ApiError
from rehearsal.store import Collection

if TYPE_CHECKING:
    from rehearsal.entra.directory import Principal

ADMINS = "admins"
USERS = "users"  # every member is in it, always (product docs: "All workspace users are members of the users group")


@dataclass(frozen=True)
class Member:
    """One principal of a workspace. `name` is what the API calls it: a user name, or a service principal's application id."""

    id: str
    object_id: str
    name: str
    display_name: str
    kind: str
    groups: frozenset[str]
    entitlements: tuple[str, ...] = ("workspace-access",)
    active: bool = True

    @property
    def admin(self) -> bool:
        return ADMINS in self.groups

    @property
    def key(self) -> str:
        """The name in an access control list, kind first."""
        return f"user:{self.name}" if self.kind == "User" else f"sp:{self.name}"

    @property
    def keys(self) -> frozenset[str]:
        """Every name by which an access control list can mean this member."""
        return frozenset({self.key, *(f"group:{group}" for group in self.groups)})


class Members:
    """The principals and groups of one workspace."""

    def __init__(self, members: Collection, groups: Collection, new_id: Callable[[], int]) -> None:
        self._members = members
        self._groups = groups
        self._new_id = new_id
        # The tenant's principals, by object id and by application id; connected when the app is made.
        self.look_up: Callable[[str], Principal | None] = lambda _: None
        self.by_application: Callable[[str], Principal | None] = lambda _: None
        for name in (ADMINS, USERS):
            self._ensure_group(name)

    def _ensure_group(self, name: str) -> None:
        if name not in self._groups:
            self._groups[name] = {"id": str(self._new_id())}

    def add(self, principal: Principal, groups: Iterable[str] = ()) -> Member:
        """Put a principal into the workspace and into groups, beside those that it is in already. Idempotent."""
        kept = self._members.get(principal.object_id) or self._entry(principal.object_id)
        is_user = principal.kind == "User"
        kept |= {
            "name": principal.display_name if is_user else principal.app_id,
            "display_name": principal.display_name,
            "kind": principal.kind,
        }
        return self._keep(principal.object_id, kept, groups)

    def add_object_id(self, object_id: str, groups: Iterable[str]) -> Member:
        """The same when only the object id is known yet; the rest is looked up when somebody asks."""
        kept = self._members.get(object_id) or self._entry(object_id)
        return self._keep(object_id, kept, groups)

    def _entry(self, object_id: str) -> dict[str, Any]:
        return {"id": str(self._new_id()), "name": None, "display_name": object_id, "kind": "", "groups": []}

    def _keep(self, object_id: str, entry: dict[str, Any], groups: Iterable[str]) -> Member:
        before = self._members.get(object_id)
        entry["groups"] = sorted({*entry["groups"], *groups} - {USERS})
        for group in entry["groups"]:
            self._ensure_group(group)
        if entry != before:
            self._members[object_id] = entry
        return self._member(object_id, entry)

    def _member(self, object_id: str, entry: dict[str, Any]) -> Member:
        if entry["name"] is None and (principal := self.look_up(object_id)):
            return self.add(principal)
        return Member(
            id=entry["id"],
            object_id=object_id,
            name=entry["name"] or object_id,
            display_name=entry["display_name"],
            kind=entry["kind"],
            groups=frozenset({*entry["groups"], USERS}),
            entitlements=tuple(entry.get("entitlements") or ("workspace-access",)),
            active=entry.get("active", True),
        )

    def entitle(self, object_id: str, entitlements: Iterable[str]) -> Member:
        """Note what a member may do, beside workspace-access. That it may is not looked at."""
        entry = self._members[object_id]
        return self._keep(object_id, entry | {"entitlements": sorted({"workspace-access", *entitlements})}, ())

    def add_user(self, name: str, display_name: str) -> Member:
        """A user by name. The tenant of a rehearsal has no users, so nobody gets an Entra token as one: it can be given
        permissions, and come in with a personal access token."""
        object_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"user:{name.lower()}"))
        entry = self._entry(object_id) | {"name": name, "display_name": display_name, "kind": "User"}
        return self._keep(object_id, entry, ())

    def change(self, member: Member, **changes: Any) -> Member:
        """Set `display_name`, `active`, or `groups` (names, in place of those that it is in)."""
        entry = self._members[member.object_id] | changes
        self._members[member.object_id] = entry | {"groups": sorted({*entry["groups"]} - {USERS})}
        return self._member(member.object_id, self._members[member.object_id])

    def remove(self, member: Member) -> None:
        """Out of the workspace. Access lists keep its name."""
        del self._members[member.object_id]

    def by_object_id(self, object_id: str) -> Member | None:
        entry = self._members.get(object_id)
        return self._member(object_id, entry) if entry else None

    def all(self) -> list[Member]:
        return [self._member(object_id, entry) for object_id, entry in self._members.items()]

    def by_key(self, key: str) -> Member | None:
        """The member that `user:<name>` or `sp:<application id>` means; application ids in any case."""
        return next((member for member in self.all() if member.key.lower() == key.lower()), None)

    def create_group(self, name: str) -> None:
        self._ensure_group(name)

    def delete_group(self, name: str) -> None:
        """The group, and everybody's membership in it. Access lists keep its name."""
        for member in self.all():
            if name in member.groups:
                self.change(member, groups=[*member.groups - {name}])
        del self._groups[name]

    def rename_group(self, old: str, new: str) -> None:
        members = [member for member in self.all() if old in member.groups]
        self._groups[new] = self._groups[old]
        for member in members:
            self.change(member, groups=[*member.groups - {old}, new])
        del self._groups[old]

    def group_entitlements(self, name: str) -> list[str]:
        return list(self._groups[name].get("entitlements", []))

    def entitle_group(self, name: str, entitlements: Iterable[str]) -> None:
        self._groups[name] = self._groups[name] | {"entitlements": sorted(set(entitlements))}

    def groups(self) -> dict[str, str]:
        """Group names with their ids."""
        return {name: entry["id"] for name, entry in self._groups.items()}

    def principal_key(self, name: str) -> str | None:
        """What a bare name means: a user, a service principal's application id, or a group; None when nobody has it."""
        for member in self.all():
            if member.name.lower() == name.lower():
                return member.key
        return f"group:{name}" if name in self._groups else None

    def check_key(self, key: str) -> str:
        """The key, if its principal exists here. Raises ApiError as the service does for an unknown principal.

        Text and status for an unknown principal: Permissions API, "Principal: x does not exist." (terraform provider issues).
        """
        kind, _, name = key.partition(":")
        found = f"group:{name}" if kind == "group" and name in self._groups else None
        if kind != "group" and (member := self.by_key(key)):
            found = member.key
        if not found:
            words = {"user": "UserName", "sp": "ServicePrincipalName", "group": "GroupName"}[kind]
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Principal: {words}({name}) does not exist")
        return found
