"""The Databricks workspace: that it is the right one, who is in it, the root folder, the secret scope."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial

from slipway.domain.diagnosis import Finding
from slipway.services.credentials import DATABRICKS_SCOPE
from slipway.services.databricks import AccessRefused, ObjectInfo, Scope
from slipway.services.databricks.secrets import BACKENDS
from slipway.services.resource_manager import reading
from slipway.services.resource_manager.reading import NotLetIn
from slipway.steps.doctor import facts, people
from slipway.steps.doctor.examination import Check, Examination, NotSeen, Said
from slipway.steps.doctor.people import ADMIN

MEMBER = "the workspace"
_LEVELS = ("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE")


def checks(examination: Examination) -> list[Check]:
    return [
        Check(title="the workspace's Azure resource", look=partial(_resource, examination), short=False),
        Check(title=MEMBER, look=partial(_member, examination)),
        Check(title="the root folder", look=partial(_root, examination)),
        Check(title="groups that read", look=partial(_readers, examination), short=False),
        Check(title="the secret scope", look=partial(_scope, examination)),
    ]


def _resource(examination: Examination) -> Iterator[Said]:
    databricks, resource = examination.environment.databricks, examination.environment.databricks.workspace_resource_id
    if resource is None:
        return
    found = facts.resource(examination, resource, reading.WORKSPACES)
    if found is None:
        yield Finding(
            id="workspace.resource",
            what=f"There is no Databricks workspace {resource}.",
            why="Notebooks and jobs are released to it.",
            mend=f"{examination.bootstrap()} --workspace create",
            who="an Owner of the subscription",
        )
        return
    host = f"https://{(found.get('properties') or {}).get('workspaceUrl', '')}"
    if host.lower() != databricks.host.lower():
        yield Finding(
            id="workspace.host",
            what=f"databricks.host is {databricks.host}, and the workspace of that resource id answers at {host}.",
            why="A release would go to another workspace than the configured one.",
            mend=examination.configure("databricks.host", host),
        )
    location = _location(found)
    if location and location != examination.environment.azure.location and not _is_settled(examination):
        yield Finding(
            id="workspace.region",
            what=f"The workspace is in {location}, and the environment's resources go to "
            f"{examination.environment.azure.location}.",
            why="Data that crosses regions costs money and time.",
            mend=examination.configure("azure.location", location),
            severity="warning",
        )


def _location(resource: facts.Json) -> str:
    return str(resource.get("location") or "").lower().replace(" ", "")


def _is_settled(examination: Examination) -> bool:
    """Whether resources are there in the configured region: what is there can't move, so another region would be refused."""
    try:
        factory = facts.resource(examination, facts.factory_id(examination), reading.FACTORIES)
    except NotLetIn:
        return True
    return factory is not None and _location(factory) == examination.environment.azure.location


def _member(examination: Examination) -> Iterator[Said]:
    client_id = facts.release_client_id(examination)
    asking_itself = facts.is_release_identity(examination)
    try:
        people.me(examination)
    except AccessRefused as error:
        if not asking_itself:
            raise
        yield _not_inside(examination, error.what)
        return
    found = people.principal(examination, client_id)
    if found is None:
        yield _not_inside(examination)
    elif found.get("active") is False:
        yield Finding(
            id="workspace.inactive",
            what=f"The release identity {client_id} is in the workspace, and not active.",
            why="A workspace lets nobody in who is not active.",
            mend=people.wake(examination, found),
            who=ADMIN,
        )


def _not_inside(examination: Examination, refusal: str = "") -> Finding:
    """`refusal`: what the workspace said to the identity itself, which it also says to who is not active, or asks from an
    address that its access list does not have."""
    client_id = facts.release_client_id(examination)
    said = (
        f"not let into the workspace: {refusal}" if refusal else f"not in the workspace {examination.workspace.host}."
    )
    return Finding(
        id="workspace.member",
        what=f"The release identity {client_id} is {said}",
        why="The workspace lets only its members in: nothing could be published.",
        mend=examination.bootstrap(),
        who=ADMIN,
    )


# -- the root folder -------------------------------------------------------------------------------------------------


def _root(examination: Examination) -> Iterator[Said]:
    people.inside(examination)
    root = examination.environment.databricks.root
    asking_itself = facts.is_release_identity(examination)
    try:
        folder = examination.workspace.get_status(root)
    except AccessRefused as error:
        if not asking_itself:
            raise NotSeen(f"{root} may not be read") from error
        yield _unmanaged(examination)
        return
    if folder is None:
        # Whoever may not read a folder may be told that there is none.
        yield Finding(
            id="root.missing",
            what=f"There is no folder {root} in the workspace"
            + (", or none for this identity." if asking_itself else "."),
            why="Slots are published into it, and the release identity may make none beside it.",
            mend=examination.bootstrap(),
            who=ADMIN,
        )
    elif folder.object_type != "DIRECTORY":
        yield Finding(
            id="root.kind",
            what=f"{root} is no folder: {folder.object_type}.",
            why="Slots are folders in it.",
            mend=f"{examination.configure('databricks.root', root + '-slots')} && {examination.bootstrap()}",
        )
    else:
        yield from _permissions(examination, folder)


def _permissions(examination: Examination, folder: ObjectInfo) -> Iterator[Said]:
    environment = examination.environment
    try:
        answer = examination.workspace.get_permissions("directories", folder.object_id)
    except AccessRefused as error:
        if not facts.is_release_identity(examination):
            raise NotSeen(f"permissions of {folder.path} may not be read") from error
        yield _unmanaged(examination)
        return
    granted = _granted(answer)
    client_id = facts.release_client_id(examination)
    if not _at_least(granted, client_id, "CAN_MANAGE"):
        member = people.principal(examination, client_id)
        if member is None:
            return  # who is not inside has no permission either: that is said already
        if not any(_at_least(granted, group, "CAN_MANAGE") for group in people.groups_of(member)):
            yield _unmanaged(examination)
    for reader in environment.databricks.readers:
        if not _at_least(granted, reader, "CAN_READ") and people.group(examination, reader) is not None:
            yield Finding(
                id="root.readers",
                what=f"Group {reader} may not read {folder.path}.",
                why="Jobs that run as somebody of it can't open the released notebooks.",
                mend=examination.bootstrap(),
                who=ADMIN,
            )


def _unmanaged(examination: Examination) -> Finding:
    client_id = facts.release_client_id(examination)
    return Finding(
        id="root.manage",
        what=f"The release identity {client_id} has no CAN_MANAGE on {examination.environment.databricks.root}.",
        why="It writes every slot there.",
        mend=examination.bootstrap(),
        who=ADMIN,
    )


def _granted(answer: facts.Json) -> dict[str, int]:
    """Principal -> its highest level, inherited or not, as an index of _LEVELS."""
    granted: dict[str, int] = {}
    for entry in answer.get("access_control_list") or []:
        name = str(entry.get("service_principal_name") or entry.get("group_name") or entry.get("user_name") or "")
        for one in entry.get("all_permissions") or []:
            level = one.get("permission_level")
            if level in _LEVELS:
                granted[name.lower()] = max(granted.get(name.lower(), -1), _LEVELS.index(level))
    return granted


def _at_least(granted: dict[str, int], name: str, level: str) -> bool:
    return granted.get(name.lower(), -1) >= _LEVELS.index(level)


def _readers(examination: Examination) -> Iterator[Said]:
    databricks = examination.environment.databricks
    for key, names in (
        ("databricks.readers", databricks.readers),
        ("secret_scope.readers", examination.environment.secret_scope.readers),
    ):
        missing = [name for name in names if people.group(examination, name) is None]
        if missing:
            kept = [name for name in names if name not in missing] or [people.USERS]
            mend = examination.configure(key, json.dumps(kept, ensure_ascii=False))
            yield Finding(
                id="root.reader_group" if key == "databricks.readers" else "scope.reader_group",
                what=f"The workspace has no group {', '.join(missing)}, which {key} names.",
                why="Nothing can be given to a group that is not there: the step that tries it fails.",
                mend=f"{mend} && {examination.bootstrap()}" if key == "databricks.readers" else mend,
            )


# -- the secret scope ------------------------------------------------------------------------------------------------


def _scope(examination: Examination) -> Iterator[Said]:
    """One that is not there yet is made by the first release."""
    people.inside(examination)
    wanted = examination.environment.secret_scope
    scopes = examination.fact("scopes", examination.workspace.list_scopes)
    found = next((scope for scope in scopes if scope.name.lower() == wanted.name.lower()), None)
    if found is None:
        return
    vault = facts.vault_id(examination)
    shows = "" if found.vault_resource_id is None else f" of {found.vault_resource_id}"
    elsewhere = wanted.backend == "key_vault" and (found.vault_resource_id or "").lower() != vault.lower()
    if found.backend_type != BACKENDS[wanted.backend] or elsewhere:
        yield Finding(
            id="scope.backend",
            what=f"Secret scope {found.name} has the backend {found.backend_type}{shows}, and the configuration says "
            f"{wanted.backend}.",
            why="A scope keeps its backend for ever, and is never used in the place of another.",
            mend=examination.configure("secret_scope.name", f"{wanted.name}-{wanted.backend.replace('_', '-')}"),
        )
        return
    client_id = facts.release_client_id(examination)
    try:
        granted = {name.lower(): level for name, level in examination.workspace.get_acls(found.name).items()}
    except AccessRefused as error:
        if not facts.is_release_identity(examination):
            raise NotSeen(f"who may use scope {found.name} may not be read") from error
        granted = {}
    member = people.principal(examination, client_id)
    if member is None:
        return
    names = {client_id.lower(), *(name.lower() for name in people.groups_of(member))}
    if people.ADMINS not in names and not any(granted.get(name) == "MANAGE" for name in names):
        body = {"scope": found.name, "principal": client_id, "permission": "MANAGE"}
        yield Finding(
            id="scope.manage",
            what=f"The release identity {client_id} has no MANAGE on secret scope {found.name}.",
            why="It writes the environment's secrets there, and lets its readers in.",
            mend=people.rest(examination, "post", "/secrets/acls/put", body),
            who="whoever has MANAGE on the scope, or an admin of the workspace",
        )
    elif wanted.backend == "key_vault":
        yield from _vault_role(examination, found)


def _vault_role(examination: Examination, scope: Scope) -> Iterator[Said]:
    """The workspace reads the vault as the application AzureDatabricks; one look at the names shows whether it may."""
    try:
        examination.workspace.list_secrets(scope.name)
    except AccessRefused:
        application = DATABRICKS_SCOPE.partition("/")[0]
        yield Finding(
            id="scope.vault_role",
            what=f"The application AzureDatabricks may not read Key Vault {examination.environment.resources.key_vault}, which "
            f"secret scope {scope.name} shows; or its role is minutes old.",
            why="Notebooks would get no secret from the scope.",
            mend=f'az role assignment create --assignee {application} --role "Key Vault Secrets User" '
            f"--scope {facts.vault_id(examination)}",
            who="an Owner of the vault who may read the directory",
        )
