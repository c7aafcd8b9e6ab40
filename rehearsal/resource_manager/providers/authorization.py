"""Microsoft.Authorization: role assignments, role definitions, locks (learn.microsoft.com/rest/api/authorization)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from rehearsal.resource_manager.access import require
from rehearsal.resource_manager.errors import ServiceError, not_here
from rehearsal.resource_manager.identifiers import contains, fold, parse
from rehearsal.resource_manager.providers.base import ResourceType, Write
from rehearsal.resource_manager.role_definitions import BY_NAME, OTHER_BUILT_IN
from rehearsal.resource_manager.role_definitions import RoleDefinition as Definition
from rehearsal.resource_manager.roles import UnknownRoleError
from rehearsal.resource_manager.template.evaluate import Pending

Json = Any
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_CHANGEABLE = ("description", "condition", "conditionVersion")


class RoleAssignment(ResourceType):
    name = "Microsoft.Authorization/roleAssignments"
    shape: ClassVar[Mapping[str, type]] = {
        "properties.roleDefinitionId": str,
        "properties.principalId": str,
        "properties.principalType": str,
    }
    read_only = (
        "properties.createdBy",
        "properties.createdOn",
        "properties.delegatedManagedIdentityResourceId",
        "properties.scope",
        "properties.updatedBy",
        "properties.updatedOn",
    )

    def get(self, resource_id: str) -> dict[str, Json] | None:
        return self.world.roles.get(resource_id)

    def list(self, scope: str) -> list[dict[str, Json]]:
        return list(self.world.roles.at(scope or "/", below=True))

    def check(self, write: Write) -> None:
        if not _GUID.fullmatch(write.id.name):
            raise ServiceError(
                400,
                "InvalidRoleAssignmentId",
                f"The role assignment ID '{write.id.name}' is not valid. It must be a GUID.",
            )
        given = write.properties
        for key in ("roleDefinitionId", "principalId"):
            if not given.get(key):
                raise ServiceError(400, "InvalidCreateRoleAssignmentRequest", f"The property '{key}' is required.")
        role = given["roleDefinitionId"]
        if not isinstance(role, Pending):
            self._check_role(str(role), write.id.scope or "/")
        principal = given["principalId"]
        if isinstance(principal, Pending):
            return
        self._check_principal(write, str(principal))
        self._check_unique(write, str(principal), str(role))

    def _check_role(self, role: str, scope: str) -> None:
        name = role.rsplit("/", 1)[-1]
        try:
            definition = self.world.roles.definition(role)
        except UnknownRoleError as error:
            if name.lower() in OTHER_BUILT_IN:
                raise not_here(f"built-in role '{OTHER_BUILT_IN[name.lower()]}' ({name})") from error
            raise _no_such_role(name) from error
        if not any(contains(there, scope) for there in definition.assignable_scopes):
            # Outside of its scopes a custom role is not seen (the code is unverified).
            raise _no_such_role(name)

    def _check_principal(self, write: Write, principal_id: str) -> None:
        if not _GUID.fullmatch(principal_id):
            raise ServiceError(400, "InvalidPrincipalId", f"A valid principal ID must be provided: '{principal_id}'.")
        principal = self.world.directory.by_object_id(principal_id)
        tenant = self.tenant(write)
        if principal is None:
            raise ServiceError(
                400,
                "PrincipalNotFound",
                f"Principal {principal_id.replace('-', '')} does not exist in the directory {tenant}. Check that you have "
                "the correct principal ID. If you are creating this principal and then immediately assigning a role, this "
                "error might be related to a replication delay. In this case, set the role assignment principalType "
                "property to a value, such as ServicePrincipal, User, or Group.  See "
                "https://aka.ms/docs-principaltype",
            )
        kind = write.properties.get("principalType")
        if kind is not None and not isinstance(kind, Pending) and kind != principal.kind:
            raise ServiceError(
                400,
                "UnmatchedPrincipalType",
                f"The PrincipalId '{principal_id.replace('-', '')}' has type '{principal.kind}' , which is different from "
                f"specified PrinciaplType '{kind}'.",
            )

    def _check_unique(self, write: Write, principal_id: str, role: str) -> None:
        if isinstance(write.properties["roleDefinitionId"], Pending):
            return
        if write.existing is not None:
            before = write.existing["properties"]
            same_role = fold(before["roleDefinitionId"]).rsplit("/", 1)[-1] == fold(role).rsplit("/", 1)[-1]
            if before["principalId"].lower() != principal_id.lower() or not same_role:
                raise ServiceError(
                    400,
                    "RoleAssignmentUpdateNotPermitted",
                    "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
                )
            return
        other = self.world.roles.find(write.id.scope or "/", principal_id, role)
        if other is not None:
            raise ServiceError(
                409,
                "RoleAssignmentExists",
                "The role assignment already exists. The ID of the existing role assignment is "
                f"{other['name'].replace('-', '')}.",
            )

    def build(self, write: Write) -> dict[str, Json]:
        before = (write.existing or {}).get("properties", {})
        properties = {**before, **write.properties}
        role = properties["roleDefinitionId"]
        if not isinstance(role, Pending):
            # Kept as the subscription's id of the role, however it was written.
            properties["roleDefinitionId"] = self.world.roles.definition_id(write.id.scope, str(role))
        properties.setdefault("principalType", self._kind(properties.get("principalId")))
        return {"id": str(write.id), "name": write.id.name, "type": self.name, "properties": properties}

    def put(self, write: Write) -> dict[str, Json]:
        given = {key: write.properties[key] for key in _CHANGEABLE if key in write.properties}
        if given.get("condition"):
            raise not_here("role assignments with a condition")
        if write.existing is not None:
            return self.world.roles.update(str(write.id), given)
        return self.world.roles.assign(
            scope=write.id.scope or "/",
            principal_id=str(write.properties["principalId"]),
            role_definition_id=str(write.properties["roleDefinitionId"]),
            name=write.id.name,
            principal_type=str(write.properties.get("principalType") or self._kind(write.properties["principalId"])),
            created_by=write.caller.object_id,
            properties=given,
        )

    def _kind(self, principal_id: Json) -> str:
        """The type of a principal whose type is not said."""
        principal = None if isinstance(principal_id, Pending) else self.world.directory.by_object_id(str(principal_id))
        return "ServicePrincipal" if principal is None else principal.kind

    def delete(self, resource_id: str) -> None:
        self.world.roles.remove(resource_id)


def _no_such_role(name: str) -> ServiceError:
    return ServiceError(
        400, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{name}' does not exist."
    )


class RoleDefinition(ResourceType):
    """The built-in roles, to read, and custom ones (learn.microsoft.com/azure/role-based-access-control/custom-roles)."""

    name = "Microsoft.Authorization/roleDefinitions"
    shape: ClassVar[Mapping[str, type]] = {
        "properties.roleName": str,
        "properties.description": str,
        "properties.permissions": list,
        "properties.permissions[]": dict,
        **{
            f"properties.permissions[].{key}": list
            for key in ("actions", "notActions", "dataActions", "notDataActions")
        },
        "properties.assignableScopes": list,
        "properties.assignableScopes[]": str,
    }
    read_only = tuple(f"properties.{key}" for key in ("createdBy", "createdOn", "updatedBy", "updatedOn", "type"))

    def get(self, resource_id: str) -> dict[str, Json] | None:
        try:
            parsed = parse(resource_id)
            return self._shown(parsed.scope, parsed.name)
        except (UnknownRoleError, ValueError):
            return None

    def list(self, scope: str) -> list[dict[str, Json]]:
        return [self._shown(scope, definition.name) for definition in self.world.roles.definitions(scope or "/")]

    def _shown(self, scope: str, role: str) -> dict[str, Json]:
        """With the id by which assignments call it, at whatever scope it is asked for: azure-cli finds names by that id
        (command_modules/role/custom.py, list_role_assignments)."""
        definition = self.world.roles.definition(role)
        return {**definition.as_json(scope), "id": self.world.roles.definition_id(scope, role)}

    def check(self, write: Write) -> None:
        given, name = write.properties, write.id.name
        if not _GUID.fullmatch(name):
            raise _invalid_role(f"The role definition ID '{name}' is not valid: it must be a GUID.")
        if name.lower() in BY_NAME:
            raise ServiceError(
                403, "RoleDefinitionUpdateNotPermitted", "A built-in role can't be changed."
            )  # unverified
        for key in ("roleName", "permissions", "assignableScopes"):
            if not given.get(key):
                raise _invalid_role(f"The property '{key}' of a role definition is required.")
        if len(given["permissions"]) != 1:
            raise not_here("custom roles with more than one entry in `permissions`")
        for scope in given["assignableScopes"]:
            if not isinstance(scope, Pending):
                # "You must have permission in all assignable scopes": …/custom-roles#who-can-create.
                require(self.world, write.caller, scope, "Microsoft.Authorization/roleDefinitions/write")
        taken = self._named(given["roleName"])
        if taken is not None and taken.name != name.lower():
            raise ServiceError(
                409,
                "RoleDefinitionWithSameNameExists",
                f"A custom role with the name '{given['roleName']}' exists already.",
            )

    def _named(self, role_name: Json) -> Definition | None:
        try:
            return self.world.roles.definition(str(role_name))
        except UnknownRoleError:
            return None

    def _definition(self, write: Write) -> Definition:
        given = write.properties
        permissions = (given.get("permissions") or [{}])[0]
        before = ((write.existing or {}).get("properties")) or {}
        now = (self.moment(), write.caller.object_id)

        def words(key: str) -> tuple[str, ...]:
            return tuple(str(word) for word in permissions.get(key) or [])

        return Definition(
            name=write.id.name.lower(),
            role_name=str(given.get("roleName")),
            description=str(given.get("description") or ""),
            actions=words("actions"),
            not_actions=words("notActions"),
            data_actions=words("dataActions"),
            not_data_actions=words("notDataActions"),
            assignable_scopes=tuple(str(scope) for scope in given.get("assignableScopes") or []),
            kind="CustomRole",
            made=(before["createdOn"], before["createdBy"]) if before else now,
            changed=now,
        )

    def build(self, write: Write) -> dict[str, Json]:
        # The id is the subscription's wherever it was written, as `_shown` has it.
        subscription = f"/subscriptions/{write.subscription}" if write.subscription else ""
        return self._definition(write).as_json(subscription)

    def put(self, write: Write) -> dict[str, Json]:
        self.world.roles.define(self._definition(write))
        return self.build(write)

    def delete(self, resource_id: str) -> None:
        name = parse(resource_id).name
        if name.lower() in BY_NAME:
            raise ServiceError(
                403, "RoleDefinitionDeleteNotPermitted", "A built-in role can't be deleted."
            )  # unverified
        if self.world.roles.uses(name):
            # learn.microsoft.com/azure/role-based-access-control/troubleshooting#custom-roles
            raise ServiceError(
                400,
                "RoleDefinitionHasAssignments",
                f"There are existing role assignments referencing role (code: RoleDefinitionHasAssignments): '{name}'.",
            )
        self.world.roles.undefine(name)


def _invalid_role(text: str) -> ServiceError:
    return ServiceError(400, "InvalidRoleDefinition", text)  # code and sentence unverified


class Lock(ResourceType):
    name = "Microsoft.Authorization/locks"

    def check(self, write: Write) -> None:
        level = write.properties.get("level")
        if not isinstance(level, Pending) and level not in ("CanNotDelete", "ReadOnly"):
            raise ServiceError(
                400, "InvalidLockLevel", f"The lock level '{level}' is not valid: CanNotDelete or ReadOnly."
            )
        require(self.world, write.caller, str(write.id), "Microsoft.Authorization/locks/write")


TYPES = (RoleAssignment, RoleDefinition, Lock)
