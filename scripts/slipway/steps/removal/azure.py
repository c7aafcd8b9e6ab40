"""Removal: what an environment has in Azure. Its group, its part of the state, who signs in as the release identity, and, with the
last environment, what they shared."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from slipway.command import Context
from slipway.domain import audit
from slipway.domain.environment import Environment
from slipway.errors import NotPossible, SlipwayError
from slipway.services.resource_manager.groups import ROLES, Resources, assignment_name
from slipway.services.resource_manager.identities import Identities
from slipway.services.resource_manager.locks import Lock, delete_lock, locks_at, put_lock
from slipway.services.storage import StateStore
from slipway.steps.bootstrap.state import LOCK, NOTES, account_id, shared_tags
from slipway.steps.deploy_resources import tags
from slipway.steps.federation import credential_name
from slipway.steps.removal.plan import Plan, has_tags, needed_by, some

_API = "2023-05-01"
_OWNER = "Owner there"
DATA_ROLE = "Storage Blob Data Contributor"


def look_at_group(context: Context, resources: Resources, plan: Plan) -> None:
    """The environment's group with all that is in it, where its tags say that it is this environment's.

    Raises NotPossible where a lock of somebody holds it.
    """
    environment = context.environment
    name = environment.azure.resource_group
    found = resources.group(name)
    if found is None:
        return
    marks = tags(environment)
    sharing = plan.users(_group_place, environment)
    if sharing or not has_tags(found, marks):
        why = f"{needed_by(sharing)} it" if sharing else f"it has not the tags {marks}, so Slipway did not make it"
        plan.leave(f"resource group {name}", f"{why}; what releases deployed there stays, too")
        if not plan.users(lambda one: (_group_place(one), one.azure.release_identity.object_id.lower()), environment):
            roles = ("Contributor", "Role Based Access Control Administrator")
            # The name is made of the scope as the configuration spells it; Azure may spell it otherwise.
            scope = f"/subscriptions/{environment.azure.subscription_id}/resourceGroups/{name}"
            _look_at_roles(context, resources, scope, roles, plan)
        return
    strangers = [f"{one['type']} {one['name']}" for one in resources.inside(name) if not has_tags(one, marks)]
    if strangers:
        plan.foreign.append(f"resource group {name}: {some(strangers)}")
    if locks := locks_at(resources, found["id"]):
        raise _locked(name, locks)
    plan.remove(f"resource group {name} with all that is in it", partial(resources.delete_group, name), _OWNER)
    vault = environment.resources.key_vault
    plan.leave(
        f"key vault {vault}, deleted",
        f"Azure keeps it, and its name, for its days of retention (az keyvault list-deleted; az keyvault purge --name {vault})",
    )


def _locked(name: str, locks: list[Lock]) -> NotPossible:
    return NotPossible(
        f"{name} is locked: {some(f'{lock.name} ({lock.level}) on {lock.scope}' for lock in locks)}.",
        changed="Nothing was removed.",
        next_step="Slipway made no lock there. Ask whoever did; then: az lock delete --ids <lock>, and run this again.",
    )


def _locks_of_others(resources: Resources, account: str) -> list[Lock]:
    """The locks on the state's account, or above it, that bootstrap did not make."""
    found = locks_at(resources, account)
    return [one for one in found if (one.name, one.scope.lower()) != (LOCK, account.lower())]


def _group_place(environment: Environment) -> tuple[str, str]:
    return environment.azure.subscription_id, environment.azure.resource_group.lower()


def _look_at_roles(context: Context, resources: Resources, scope: str, roles: tuple[str, ...], plan: Plan) -> None:
    """Role assignments with the very name that bootstrap gives them; others are other people's."""
    principal = context.environment.azure.release_identity.object_id
    named = {assignment_name(scope, principal, ROLES[role]): role for role in roles}
    for one in resources.assignments(scope, principal):
        if one.get("name") in named:
            what = f"role {named[one['name']]} of the release identity on {scope.rpartition('/')[2]}"
            plan.remove(what, partial(resources.unassign, one), _OWNER)


def look_at_federation(
    context: Context, resources: Resources, connection: str | None, others: set[str], plan: Plan
) -> None:
    """The federated credential of the environment's service connection; `others` are connections of other environments."""
    azure = context.environment.azure
    identity = azure.release_identity.name
    if identity is None or connection is None:
        return
    identities = Identities(resources, azure.state.resource_group)
    name = credential_name(connection)
    if name not in [one.name for one in identities.credentials(identity)]:
        return
    what = f"federated credential {name} of {identity}"
    if connection in others:
        plan.leave(what, "another environment has the same service connection")
    else:
        plan.remove(what, partial(identities.delete_credential, identity, name), _OWNER)


def look_at_state(context: Context, resources: Resources, store: StateStore, plan: Plan) -> None:
    """The environment's container, with state and archive, and the identity's role where no other environment has it.

    The container goes by the blob service, where the account's lock forbids nothing.
    """
    environment = context.environment
    state, scope = environment.azure.state, account_id(environment)
    account = resources.get(scope, _API)
    if account is None:
        return
    if not has_tags(account, shared_tags(environment)):
        plan.leave(f"storage account {state.storage_account}", "it has not Slipway's tags")
        return
    container = f"{scope}/blobServices/default/containers/{state.container}"
    if resources.get(container, _API) is not None:
        what = f"container {state.container} of {state.storage_account}, with state and archive"
        plan.remove(what, store.delete_container, f"{DATA_ROLE} on {state.storage_account}", memory=True)
    sharing = plan.users(
        lambda one: (one.azure.state.storage_account, one.azure.release_identity.object_id.lower()), environment
    )
    if sharing or not plan.users(lambda one: one.azure.state.storage_account, environment):
        return
    # Assignments are locked with the account. Where this ends between lock and lock, the next run puts it back.
    other = Plan(plan.others)
    _look_at_roles(context, resources, scope, (DATA_ROLE,), other)
    foreign = _locks_of_others(resources, scope) if other.removals else []
    for one in other.removals:
        if foreign:
            plan.leave(one.what, f"the account has a lock that Slipway did not make, {foreign[0].name}")
        else:
            plan.remove(one.what, partial(_unlocked, resources, scope, one.do), one.who)
    if not any(lock.level == "CanNotDelete" for lock in locks_at(resources, scope)):
        what = f"the lock on {state.storage_account}, which another environment needs"
        plan.put_back(what, partial(put_lock, resources, scope, LOCK, NOTES), _OWNER)


def _unlocked(resources: Resources, scope: str, do: Callable[[], None]) -> None:
    """Does it with the account's own lock off, and puts that on again."""
    delete_lock(resources, scope, LOCK)
    try:
        do()
    finally:
        put_lock(resources, scope, LOCK, NOTES)


def look_at_shared(context: Context, resources: Resources, connections: set[str], plan: Plan) -> None:
    """What environments share: it goes with --last alone. Raises NotPossible where another environment still has it.
    `connections`: the service connections of this repository's environments."""
    environment = context.environment
    azure = environment.azure
    users = plan.users(_shared_place, environment)
    if not context.arguments.last:
        why = f"{needed_by(users)} it" if users else "no other environment uses it; --last removes it"
        for what in (f"storage account {azure.state.storage_account}, with the audit", _identity_text(environment)):
            plan.leave(what, why)
        return
    if users:
        raise NotPossible(
            f"{environment.name} is not the last environment: {needed_by(users)} {azure.state.storage_account} too.",
            changed="Nothing was removed.",
            next_step="Run it without --last. Or remove those first; of one that never was bootstrapped, only take the file out of "
            "config/environments.",
        )
    _remove_shared(context, resources, {credential_name(one) for one in connections}, plan)


def _remove_shared(context: Context, resources: Resources, known: set[str], plan: Plan) -> None:
    environment = context.environment
    azure, marks, scope = environment.azure, shared_tags(environment), account_id(environment)
    group = azure.state.resource_group
    account = resources.get(scope, _API)
    if account is not None and has_tags(account, marks):

        def remove_account() -> None:
            delete_lock(resources, scope, LOCK)
            try:
                resources.delete(scope, _API)
            except SlipwayError:  # it is there still, or its answer was lost
                with suppress(SlipwayError):
                    put_lock(resources, scope, LOCK, NOTES)
                raise

        if foreign := _locks_of_others(resources, scope):
            raise _locked(azure.state.storage_account, foreign)
        what = f"storage account {azure.state.storage_account}, with the audit of all environments, and its lock"
        _look_at_containers(resources, environment, plan)
        plan.remove(what, remove_account, _OWNER, memory=True)
    identity = azure.release_identity.name
    _look_at_identity(environment, Identities(resources, group), known, plan)
    found = resources.group(group)
    if found is None:
        return
    ours = {azure.state.storage_account.lower(), str(identity).lower()}
    strangers = [one for one in resources.inside(group) if one["name"].lower() not in ours or not has_tags(one, marks)]
    if not has_tags(found, marks):
        plan.leave(f"resource group {group}", f"it has not the tags {marks}")
    elif strangers:
        # Unlike an environment's own group it was never Slipway's alone to begin with: it is not offered.
        plan.leave(f"resource group {group}", f"others have {some(str(one['name']) for one in strangers)} in it")
    else:
        plan.remove(f"resource group {group}", partial(resources.delete_group, group), _OWNER, memory=True)


def _look_at_containers(resources: Resources, environment: Environment, plan: Plan) -> None:
    """What else is kept in the account: the state of another app, for example."""
    ours, scope = {environment.azure.state.container, audit.CONTAINER}, account_id(environment)
    path = f"{scope}/blobServices/default/containers"
    strangers = sorted({str(one["name"]) for one in resources.every(path, _API)} - ours)
    if strangers:
        plan.foreign.append(f"storage account {environment.azure.state.storage_account}: container {some(strangers)}")


def _look_at_identity(environment: Environment, identities: Identities, known: set[str], plan: Plan) -> None:
    """The release identity, where bootstrap made it for this app and nobody else signs in as it; `known`: the names of
    federated credentials of this repository's service connections."""
    name, what = environment.azure.release_identity.name, _identity_text(environment)
    found = None if name is None else identities.get(name)
    users = plan.users(lambda one: one.azure.release_identity.object_id.lower(), environment)
    if name is None:
        plan.leave(what, "it is somebody else's")
    elif found is None:
        return
    elif users:
        plan.leave(what, f"{needed_by(users)} it")
    elif not has_tags({"tags": found.tags}, shared_tags(environment)):
        plan.leave(what, f"it has not the tags {shared_tags(environment)}, so Slipway did not make it")
    else:
        strangers = [one.name for one in identities.credentials(name) if one.name not in known and not one.of_github]
        if strangers:
            plan.foreign.append(f"{what}: federated credential {some(strangers)}")
        plan.remove(what, partial(identities.delete, name), _OWNER)


def _shared_place(environment: Environment) -> tuple[str, str]:
    return environment.azure.subscription_id, environment.azure.state.storage_account


def _identity_text(environment: Environment) -> str:
    identity = environment.azure.release_identity
    return f"release identity {identity.name or identity.client_id}"
