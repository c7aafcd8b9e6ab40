"""Who may do what: role assignments over built-in and custom roles, which take effect late, as they do in Azure."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from rehearsal.resource_manager.identifiers import contains, fold
from rehearsal.resource_manager.role_definitions import BUILT_IN, BY_NAME, BY_ROLE_NAME, RoleDefinition
from rehearsal.store import Store

_NAMES = uuid.UUID("6f1a1c5e-6a63-4e6a-9f3c-2d2f2c3a4b5d")  # our own namespace for names that a caller does not give


class UnknownRoleError(Exception):
    """No role of that name or id is known here."""


class Roles:
    """Role assignments in one store.

    clock: seconds since the epoch. delay_seconds: how long an assignment, or its removal, takes to work (Azure: up to
    10 minutes; learn.microsoft.com/azure/role-based-access-control/troubleshooting, "changes are not being detected").
    """

    def __init__(self, store: Store, clock: Callable[[], float], *, delay_seconds: float) -> None:
        self._records = store.collection("resource_manager/role_assignments")
        self._removed = store.collection("resource_manager/role_assignments_removed")
        self._clock = clock
        self.delay_seconds = delay_seconds
        self._assignments: dict[str, dict[str, Any]] = {key: self._records[key] for key in self._records}
        self._ghosts: dict[str, dict[str, Any]] = {key: self._removed[key] for key in self._removed}
        self._defined = store.collection("resource_manager/role_definitions")
        self._custom = {key: _from_json(self._defined[key]) for key in self._defined}

    def definition(self, role: str) -> RoleDefinition:
        """The role of that name, GUID or definition id. Raises UnknownRoleError."""
        key = fold(role).rsplit("/", 1)[-1]
        found = BY_ROLE_NAME.get(role.lower()) or BY_NAME.get(key) or self._custom.get(key)
        if found is None:
            found = next((one for one in self._custom.values() if one.role_name.lower() == role.lower()), None)
        if found is None:
            raise UnknownRoleError(f"no role {role!r} is known here")
        return found

    def definition_id(self, scope: str, role: str) -> str:
        """The id that assignments at `scope` call a role by. Raises UnknownRoleError."""
        return str(self.definition(role).as_json(_subscription(scope))["id"])

    def definitions(self, scope: str) -> list[RoleDefinition]:
        """The built-in roles, and the custom ones that can be assigned at a scope or in it."""
        custom = self._custom.values()
        near = [
            one
            for one in custom
            if any(contains(there, scope) or contains(scope, there) for there in one.assignable_scopes)
        ]
        return [*BUILT_IN, *near]

    def define(self, definition: RoleDefinition) -> None:
        """Make a custom role, or change one."""
        self._custom[definition.name] = definition
        self._defined[definition.name] = asdict(definition)

    def undefine(self, name: str) -> None:
        """Take a custom role away; a built-in one stays."""
        if self._custom.pop(name.lower(), None) is not None:
            del self._defined[name.lower()]

    def uses(self, name: str) -> bool:
        """Whether a role is assigned anywhere."""
        held = (record["assignment"]["properties"]["roleDefinitionId"] for record in self._assignments.values())
        return any(fold(one).rsplit("/", 1)[-1] == name.lower() for one in held)

    def assign(
        self,
        *,
        scope: str,
        principal_id: str,
        role_definition_id: str | None = None,
        role_name: str | None = None,
        name: str | None = None,
        principal_type: str = "ServicePrincipal",
        created_by: str = "",
        immediately: bool = False,
        properties: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The assignment as GET returns it; the one that is there already when scope, principal and role are the same.

        One of `role_definition_id` and `role_name` is given. name: its GUID, derived when left out. immediately: takes
        effect at once. properties: further ones (description, condition). Raises UnknownRoleError.
        """
        definition = self.definition(role_definition_id or role_name or "")
        existing = self.find(scope, principal_id, definition.name)
        if existing is not None:
            if immediately:
                self._set_effective(existing["id"], 0.0)
            return existing
        scope = scope.rstrip("/") or "/"
        name = name or str(uuid.uuid5(_NAMES, f"{fold(scope)}|{principal_id.lower()}|{definition.name}"))
        now = self._clock()
        moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
        given = {
            "roleDefinitionId": self.definition_id(scope, definition.name),
            "principalId": principal_id,
            "principalType": principal_type,
            "scope": scope,
            **(properties or {}),
        }
        assignment = _assignment(name, given, created_by, moment)
        effective = 0.0 if immediately else now + self.delay_seconds
        self._write(assignment, effective)
        return assignment

    def update(self, assignment_id: str, properties: dict[str, Any]) -> dict[str, Any]:
        """Set description or condition of an assignment; the changed assignment. Raises KeyError when there is none."""
        record = self._assignments[fold(assignment_id)]
        assignment = record["assignment"]
        assignment["properties"].update(properties)
        self._write(assignment, record["effective_at"])
        return dict(assignment)

    def get(self, assignment_id: str) -> dict[str, Any] | None:
        record = self._assignments.get(fold(assignment_id))
        return None if record is None else dict(record["assignment"])

    def find(self, scope: str, principal_id: str, role: str) -> dict[str, Any] | None:
        """The assignment of that role to that principal at exactly that scope. Raises UnknownRoleError."""
        wanted = self.definition(role).name
        for record in self._assignments.values():
            properties = record["assignment"]["properties"]
            if (
                fold(properties["scope"]) == fold(scope)
                and properties["principalId"].lower() == principal_id.lower()
                and properties["roleDefinitionId"].rsplit("/", 1)[-1] == wanted
            ):
                return dict(record["assignment"])
        return None

    def at(self, scope: str, *, below: bool = False) -> Iterator[dict[str, Any]]:
        """Assignments that hold at `scope` (made there or above it); with `below`, also those made inside it."""
        for record in self._assignments.values():
            there = record["assignment"]["properties"]["scope"]
            if contains(there, scope) or (below and contains(scope, there)):
                yield dict(record["assignment"])

    def remove(self, assignment_id: str) -> dict[str, Any] | None:
        """Take an assignment away and return it; it goes on counting for the delay. None when there is none."""
        key = fold(assignment_id)
        record = self._assignments.pop(key, None)
        if record is None:
            return None
        del self._records[key]
        ghost = {**record, "ends_at": self._clock() + self.delay_seconds}
        ghost_key = f"{key}|{self._clock()}"
        self._removed[ghost_key] = ghost
        self._ghosts[ghost_key] = ghost
        return dict(record["assignment"])

    def allowed(self, principal_id: str, scope: str, action: str, *, data: bool = False) -> bool:
        """Whether a role of the principal at `scope` or above it permits `action`.

        data: an action of the data plane, for example "Microsoft.KeyVault/vaults/secrets/getSecret/action".
        """
        now = self._clock()
        self._forget(now)
        for record in (*self._assignments.values(), *self._ghosts.values()):
            properties = record["assignment"]["properties"]
            if properties["principalId"].lower() != principal_id.lower() or record["effective_at"] > now:
                continue
            if not contains(properties["scope"], scope):
                continue
            name = properties["roleDefinitionId"].rsplit("/", 1)[-1]
            definition = BY_NAME.get(name) or self._custom.get(name)
            if definition is not None and _permits(definition, action, data=data):
                return True
        return False

    def _forget(self, now: float) -> None:
        for key in [key for key, ghost in self._ghosts.items() if ghost["ends_at"] <= now]:
            del self._ghosts[key]
            del self._removed[key]

    def _set_effective(self, assignment_id: str, effective_at: float) -> None:
        self._write(self._assignments[fold(assignment_id)]["assignment"], effective_at)

    def _write(self, assignment: dict[str, Any], effective_at: float) -> None:
        record = {"assignment": assignment, "effective_at": effective_at}
        self._records[fold(assignment["id"])] = record
        self._assignments[fold(assignment["id"])] = record


def _from_json(kept: dict[str, Any]) -> RoleDefinition:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in kept.items()}
    return RoleDefinition(**values)


def _subscription(scope: str) -> str:
    return "/".join(scope.split("/")[:3]) if scope.lower().startswith("/subscriptions/") else ""


def _assignment(name: str, given: dict[str, Any], created_by: str, moment: str) -> dict[str, Any]:
    """An assignment as GET returns it (learn.microsoft.com/rest/api/authorization/role-assignments/get)."""
    unset = {
        "condition": None,
        "conditionVersion": None,
        "description": None,
        "delegatedManagedIdentityResourceId": None,
    }
    made = {"createdOn": moment, "updatedOn": moment, "createdBy": created_by, "updatedBy": created_by}
    scope = given["scope"].rstrip("/")
    return {
        "properties": {**unset, **given, **made},
        "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}",
        "type": "Microsoft.Authorization/roleAssignments",
        "name": name,
    }


@lru_cache(maxsize=4096)
def _permits(definition: RoleDefinition, action: str, *, data: bool) -> bool:
    granted = definition.data_actions if data else definition.actions
    withheld = definition.not_data_actions if data else definition.not_actions
    return any(_matches(pattern, action) for pattern in granted) and not any(_matches(p, action) for p in withheld)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.IGNORECASE)


def _matches(pattern: str, action: str) -> bool:
    return _compiled(pattern).fullmatch(action) is not None
