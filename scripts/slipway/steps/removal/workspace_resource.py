"""Removal: the Databricks workspace itself, where bootstrap made it; only with --workspace delete, for people may work in it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

from slipway.command import Context
from slipway.domain.environment import Environment
from slipway.domain.job import TAG_APP, TAG_ENVIRONMENT
from slipway.errors import AuthenticationError, NotPossible
from slipway.services.credentials import SignInFailed
from slipway.services.databricks import Workspace
from slipway.services.resource_manager.groups import Resources
from slipway.services.resource_manager.locks import locks_at
from slipway.steps.bootstrap.state import shared_tags
from slipway.steps.bootstrap.workspace_resource import API
from slipway.steps.removal.plan import Plan, has_tags, needed_by, some

_WHO = "Contributor or Owner of its resource group"
_ENOUGH = 6


def find_workspace_resource(context: Context, resources: Resources) -> dict[str, Any] | None:
    """The workspace as Azure shows it. None where there is none; {} where that can't be told: its id is not configured, or may
    not be read, and its address may still answer."""
    resource_id = context.environment.databricks.workspace_resource_id
    if resource_id is None:
        return {}
    try:
        return resources.get(resource_id, API)
    except SignInFailed:
        raise
    except AuthenticationError as error:
        context.log.detail(error.what)
        return {}


def look_at_workspace_resource(
    context: Context, resources: Resources, workspace: Workspace, found: dict[str, Any], plan: Plan
) -> None:
    """`found` is the workspace, as above. Raises NotPossible where it is to go, and another environment or a lock keeps it."""
    environment, delete = context.environment, context.arguments.workspace == "delete"
    marks = shared_tags(environment)
    if not found:
        if delete:
            plan.leave(f"workspace {workspace.host}", "this identity does not see its resource in Azure")
        return
    what = f"workspace {found['name']}"
    host = f"https://{(found.get('properties') or {}).get('workspaceUrl')}"
    if delete and host.lower() != environment.databricks.host.lower():
        raise NotPossible(
            f"{what.capitalize()} answers at {host}, and databricks.host is {environment.databricks.host}: what is in it was not "
            "looked at.",
            changed="Nothing was removed.",
            next_step=f"python scripts/configure.py --environment {environment.name} --set databricks.host={host}",
        )
    others = plan.users(lambda one: (one.databricks.workspace_resource_id or "").lower(), environment)
    if not has_tags(found, marks):
        if delete:
            plan.leave(what, f"it has not the tags {marks}, so Slipway did not make it")
    elif not delete:
        if not others:
            plan.leave(what, "people may work in it; --workspace delete removes it, for bootstrap made it")
    elif others:
        raise NotPossible(
            f"{what.capitalize()} can't go with {environment.name}: {needed_by(others)} it too.",
            changed="Nothing was removed.",
            next_step="Run it without --workspace delete.",
        )
    else:
        _remove(resources, workspace, environment, found, plan)


def _remove(
    resources: Resources, workspace: Workspace, environment: Environment, found: dict[str, Any], plan: Plan
) -> None:
    what, group = f"workspace {found['name']}", str(found["id"]).split("/")[4]
    locks = locks_at(resources, found["id"])
    if locks:
        raise NotPossible(
            f"{what.capitalize()} is locked: {some(f'{lock.name} ({lock.level}) on {lock.scope}' for lock in locks)}.",
            changed="Nothing was removed.",
            next_step="Slipway made no lock there. Ask whoever did; then: az lock delete --ids <lock>, and run this again.",
        )
    strangers = list(islice(_of_others(workspace, environment), _ENOUGH))
    if strangers:
        more = " and more" if len(strangers) == _ENOUGH else ""
        plan.foreign.append(f"{what}: {', '.join(strangers[: _ENOUGH - 1])}{more}")
    whole = f"{what} with all that is in it, and what Azure made for it"
    alone = [one["id"].lower() for one in resources.inside(group)] == [str(found["id"]).lower()]
    if alone and has_tags(resources.group(group) or {}, shared_tags(environment)):
        plan.remove(f"resource group {group}: {whole}", partial(resources.delete_group, group), _WHO)
    else:
        plan.remove(whole, partial(resources.delete_and_wait, found["id"], API), _WHO)


def _of_others(workspace: Workspace, environment: Environment) -> Iterator[str]:
    """Jobs, secret scopes and objects that are not this environment's."""
    for job in workspace.list_jobs():
        settings = job.get("settings") or {}
        tags = settings.get("tags") or {}
        if (tags.get(TAG_APP), tags.get(TAG_ENVIRONMENT)) != (environment.app, environment.name):
            yield f"job {settings.get('name')!r}"
    for scope in workspace.list_scopes():
        if scope.name.lower() != environment.secret_scope.name.lower():
            yield f"secret scope {scope.name}"
    yield from _objects(workspace, "/", _plain(environment.databricks.root))


def _objects(workspace: Workspace, folder: str, root: str) -> Iterator[str]:
    """Whatever is no folder, outside `root`: empty folders are nobody's."""
    for one in workspace.list(folder):
        if _plain(one.path) == root:
            continue
        if one.object_type == "DIRECTORY":
            yield from _objects(workspace, one.path, root)
        else:
            yield one.path


def _plain(path: str) -> str:
    """The path without /Workspace, which names the same."""
    return path.removeprefix("/Workspace")
