"""Who is in the organisation, in which groups, and what a group may do; and the identities API of vssps.dev.azure.com.

Groups and what they may do: learn.microsoft.com/azure/devops/organizations/security/permissions and, for pipelines,
.../pipelines/policies/permissions. API: learn.microsoft.com/rest/api/azure/devops/ims/identities/read-identities (7.1).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from rehearsal.azure_devops.call import Call, Operation
from rehearsal.azure_devops.errors import DevOpsError, Json, listed
from rehearsal.store import Store

_IDS = uuid.UUID("3f0d7f8e-4b52-4f0b-8a57-61a0f9c0c9d4")

READ = "view the project"
CREATE_CONNECTIONS = "create service connections"
MANAGE_CONNECTIONS = "administer service connections"
CREATE_ENVIRONMENTS = "create environments"
MANAGE_ENVIRONMENTS = "administer environments"
EDIT_PIPELINES = "create and edit build pipelines"
EDIT_POLICIES = "edit policies"
MANAGE_QUEUES = "administer agent queues"
SEE_CONNECTIONS = "use service connections"

ADMINISTRATORS, CONTRIBUTORS, READERS = "Project Administrators", "Contributors", "Readers"
GROUPS: Mapping[str, frozenset[str]] = {
    ADMINISTRATORS: frozenset(
        {READ, SEE_CONNECTIONS, CREATE_CONNECTIONS, MANAGE_CONNECTIONS, CREATE_ENVIRONMENTS, MANAGE_ENVIRONMENTS}
        | {EDIT_PIPELINES, EDIT_POLICIES, MANAGE_QUEUES}
    ),
    "Build Administrators": frozenset({READ, CREATE_ENVIRONMENTS, EDIT_PIPELINES}),
    "Endpoint Administrators": frozenset({READ, SEE_CONNECTIONS, CREATE_CONNECTIONS, MANAGE_CONNECTIONS}),
    "Endpoint Creators": frozenset({READ, CREATE_CONNECTIONS}),
    CONTRIBUTORS: frozenset({READ, CREATE_ENVIRONMENTS, EDIT_PIPELINES}),
    READERS: frozenset({READ}),
}


@dataclass(frozen=True, kw_only=True)
class Identity:
    """`account` is how a person signs in; `members` are ids, of groups alone."""

    id: str
    name: str
    account: str
    is_group: bool
    members: tuple[str, ...] = ()


class Identities:
    """People, service principals and groups of one project of the organisation."""

    def __init__(self, store: Store, organisation: str, project: str) -> None:
        self._known = store.collection("azure_devops/identities")
        self._organisation, self._project = organisation, project
        for name in GROUPS:
            key = derived(f"group {project} {name}")
            if key not in self._known:
                self._keep(key, f"[{project}]\\{name}", "", is_group=True)

    def add(self, object_id: str, *, name: str, account: str = "", groups: Collection[str] = ()) -> str:
        """Somebody of Microsoft Entra ID joins the organisation, and exactly these groups of the project; the identity's id."""
        key = derived(f"member {object_id.lower()}")
        self._keep(key, name, account or name, is_group=False)
        for group in GROUPS:
            self._change_membership(self.group_id(group), key, joins=group in groups)
        return key

    def forget(self, object_id: str) -> None:
        """Somebody leaves the organisation."""
        key = derived(f"member {object_id.lower()}")
        for group in GROUPS:
            self._change_membership(self.group_id(group), key, joins=False)
        self._known.pop(key, None)

    def group_id(self, name: str) -> str:
        return derived(f"group {self._project} {name}")

    def empty_group(self, name: str) -> None:
        """Everybody leaves a group of the project."""
        record = self._known[self.group_id(name)]
        self._known[self.group_id(name)] = {**record, "members": []}

    def find(self, key: str) -> Identity | None:
        record = self._known.get(key.lower())
        return None if record is None else Identity(**{**record, "members": tuple(record["members"])})

    def member(self, object_id: str) -> Identity | None:
        return self.find(derived(f"member {object_id.lower()}"))

    def rights(self, key: str) -> frozenset[str]:
        """What the groups that somebody is in may do."""
        found: frozenset[str] = frozenset()
        for name, rights in GROUPS.items():
            if key in self._known[self.group_id(name)]["members"]:
                found |= rights
        return found

    def _keep(self, key: str, name: str, account: str, *, is_group: bool) -> None:
        before = self._known.get(key) or {"members": []}
        record = {"id": key, "name": name, "account": account, "is_group": is_group, "members": before["members"]}
        if record != before:
            self._known[key] = record

    def _change_membership(self, group: str, key: str, *, joins: bool) -> None:
        record = self._known[group]
        others = [member for member in record["members"] if member != key]
        members = [*others, key] if joins else others
        if sorted(members) != sorted(record["members"]):
            self._known[group] = {**record, "members": members}

    # The API

    def operations(self) -> list[Operation]:
        return [Operation("GET", "/{organisation}/_apis/identities", self._read)]

    def _read(self, call: Call) -> Response:
        if (ids := call.query("identityIds")) is not None:
            found = [one for key in ids.split(",") if (one := self.find(key.strip()))]
        elif call.query("searchFilter") is not None:
            found = self._search(str(call.query("searchFilter")), call.query("filterValue") or "")
        else:
            raise DevOpsError(
                501, "NotImplemented", "This rehearsal finds identities by identityIds and searchFilter alone."
            )
        membership = (call.query("queryMembership") or "none").lower()
        return listed([self._shown(one, membership) for one in found])

    def _search(self, kind: str, value: str) -> list[Identity]:
        """General: by display name, account name or e-mail address, the whole of it."""
        if kind.lower() not in ("general", "displayname", "accountname", "mailaddress"):
            raise DevOpsError(501, "NotImplemented", f"This rehearsal has no searchFilter={kind} of identities.")
        wanted = value.lower()
        found = [self.find(key) for key in self._known]
        return [one for one in found if one is not None and wanted in (one.name.lower(), one.account.lower())]

    def _shown(self, one: Identity, membership: str) -> Json:
        shown: Json = {
            "id": one.id,
            "descriptor": descriptor(one),
            "subjectDescriptor": ("vssgp." if one.is_group else "aad.") + one.id.replace("-", ""),
            "providerDisplayName": one.name,
            "isActive": True,
            "isContainer": one.is_group,
            "members": [],
            "memberOf": [],
            "memberIds": [],
            "properties": {
                "SchemaClassName": {"$type": "System.String", "$value": "Group" if one.is_group else "User"},
                "Account": {"$type": "System.String", "$value": one.account or one.name},
            },
            "resourceVersion": 2,
            "metaTypeId": 255,
        }
        if membership != "none":
            people = [found for key in one.members if (found := self.find(key))]
            shown["members"] = [descriptor(person) for person in people]
        return shown


def descriptor(one: Identity) -> str:
    """The identity's descriptor: its type, and what its provider calls it."""
    kind = "Microsoft.TeamFoundation.Identity" if one.is_group else "Microsoft.IdentityModel.Claims.ClaimsIdentity"
    return f"{kind};{one.id}"


def reference(one: Identity, organisation: str) -> Json:
    """An identity as other objects name it (IdentityRef)."""
    return {
        "displayName": one.name,
        "id": one.id,
        "uniqueName": one.account or one.name,
        "isContainer": one.is_group,
        "descriptor": ("vssgp." if one.is_group else "aad.") + one.id.replace("-", ""),
        "url": f"https://spsprodweu1.vssps.visualstudio.com/{organisation}/_apis/Identities/{one.id}",
    }


def references(keys: Sequence[Any], identities: Identities, organisation: str) -> list[Json]:
    """Raises DevOpsError for an id that nobody has."""
    found = []
    for key in keys:
        one = identities.find(str(key))
        if one is None:
            raise DevOpsError(400, "IdentityNotFoundException", f"The identity {key} could not be found.")
        found.append(reference(one, organisation))
    return found


def derived(name: str) -> str:
    """An id that is the same in every rehearsal."""
    return str(uuid.uuid5(_IDS, name))
