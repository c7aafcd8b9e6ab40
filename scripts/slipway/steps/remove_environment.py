"""Removes what bootstrap and releases made for an environment, and nothing else. Shows it first, and asks for the environment's
name. What environments share stays until the last one goes (--last). Files of the repository and Azure DevOps are left alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from slipway.command import Context, run_step
from slipway.domain import clone
from slipway.domain.claim import ends
from slipway.domain.environment import load_all
from slipway.domain.state import STATE_BLOB, State, read_state
from slipway.errors import AuthenticationError, Conflict, NotBootstrapped, NotPossible, UsageError, saying
from slipway.services.credentials import SignInFailed, credential
from slipway.services.databricks import Workspace, connect
from slipway.services.resource_manager.groups import Resources
from slipway.services.resource_manager.tenancy import own_subscription
from slipway.services.storage import StateStore
from slipway.steps.bootstrap.report import counted
from slipway.steps.bootstrap.state import account_id
from slipway.steps.deploy_resources import factory_id
from slipway.steps.removal.azure import (
    DATA_ROLE,
    look_at_federation,
    look_at_group,
    look_at_shared,
    look_at_state,
)
from slipway.steps.removal.plan import Plan, carry_out
from slipway.steps.removal.workspace import look_at_jobs, look_at_members, look_at_root, look_at_scope
from slipway.steps.removal.workspace_resource import find_workspace_resource, look_at_workspace_resource


def main() -> int:
    return run_step(run, description=__doc__ or "", options=_options)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", metavar="NAME", help="the environment's name once more, where nobody can be asked")
    parser.add_argument("--production", action="store_true", help="allow it where production is true")
    parser.add_argument("--last", action="store_true", help="also what environments share: this is the last one")
    parser.add_argument(
        "--workspace", choices=["delete"], help="also the Databricks workspace, where bootstrap made it"
    )
    parser.add_argument("--with-foreign", action="store_true", help="also what others put into what Slipway made")


def run(context: Context, ask: Callable[[str], str] | None = None) -> None:
    """Raises UsageError, NotPossible or Conflict before anything is removed; AuthenticationError with what was refused."""
    _refuse(context)
    with saying("Nothing was removed."):
        plan = _look(context)
    plan.show(context)
    plan.refuse_foreign(context)
    if not plan.removals:
        context.log.info(f"There is nothing of {context.environment.name} any more.")
    elif context.what_if:
        context.log.info(f"{counted(len(plan.removals), 'removal').capitalize()} (--what-if): nothing was removed.")
    else:
        _confirm(context, ask)
        _state(context, _store(context))  # a release may have begun while somebody was asked
        with context.log.section(f"Removing {context.environment.name}"):
            carry_out(context, plan)
        context.log.info(f"{context.environment.name} is removed: {counted(len(plan.removals), 'removal')}.")
    _say_rest(context)


def _refuse(context: Context) -> None:
    name = context.environment.name
    if context.environment.production and not context.arguments.production:
        raise NotPossible(
            f"{name} is marked as production.",
            changed="Nothing was removed.",
            next_step="If it really is to go: --production.",
        )
    given = context.arguments.yes
    if given is not None and given != name:
        raise UsageError(f"--yes {given}: the environment is {name}.", changed="Nothing was removed.")


def _look(context: Context) -> Plan:
    """Everything that is there, by reading alone."""
    environment = context.environment
    identity = credential(context.variables)
    resources = Resources(identity, environment.azure.subscription_id)
    own_subscription(resources, environment.azure.tenant_id)
    plan = Plan(tuple(one for one in load_all(context.root) if one.name != environment.name))
    store = _store(context)
    with context.log.section(f"Looking what {environment.name} has"):
        released = _state(context, store)
        found = find_workspace_resource(context, resources)
        workspace = None if found is None else connect(environment, identity, context.variables)
        if workspace is None:
            context.log.info(f"  There is no workspace {environment.databricks.workspace_resource_id}.")
        else:
            _look_at_workspace(context, workspace, resources, released, store, plan)
        look_at_group(context, resources, plan)
        ours, others = _connections(context)
        look_at_federation(context, resources, ours, others, plan)
        look_at_state(context, resources, store, plan)
        look_at_shared(context, resources, others | ({ours} if ours else set()), plan)
        if workspace is not None and found is not None:
            look_at_workspace_resource(context, resources, workspace, found, plan)
    return plan


def _look_at_workspace(
    context: Context, workspace: Workspace, resources: Resources, state: State | None, store: StateStore, plan: Plan
) -> None:
    look_at_jobs(context, workspace, state, store, plan)
    look_at_root(context, workspace, plan)
    look_at_scope(context, workspace, plan)
    look_at_members(context, workspace, resources.application_of(factory_id(context.environment)), plan)


def _store(context: Context) -> StateStore:
    state = context.environment.azure.state
    return StateStore(state.storage_account, state.container, credential(context.variables), clock=context.clock)


def _state(context: Context, store: StateStore) -> State | None:
    """None where there is none (any more). Raises Conflict while somebody is releasing."""
    try:
        found = store.read(STATE_BLOB)
    except NotBootstrapped:
        return None
    except SignInFailed:
        raise
    except AuthenticationError as error:
        error.next_step += f"\n{_data_role(context)}"
        raise
    if found is None:
        return None
    state = read_state(found[0], app=context.environment.app, environment=context.environment.name)
    claim = state.claim
    if claim is not None and ends(claim, switching=state.switch is not None) > context.clock() + store.ahead:
        raise Conflict(
            f"{claim.who} is releasing {claim.release} to {context.environment.name} ({claim.run}).",
            changed="Nothing was removed.",
            next_step="Wait for it, or cancel it, then run this again.",
        )
    return state


def _data_role(context: Context) -> str:
    """The command for the role that reads the state: an Owner has no rights on blobs."""
    place = account_id(context.environment)
    command = f"az role assignment create --assignee <you> --role '{DATA_ROLE}' --scope {place}"
    return f"It takes {DATA_ROLE}, also of an Owner: {command}"


def _connections(context: Context) -> tuple[str | None, set[str]]:
    """The environment's service connection, and those of the others, as the pipeline's list has them."""
    file = context.root / clone.LIST_FILE
    if not file.is_file():
        return None, set()
    listed = {block.name: block.service_connection for block in clone.blocks(file.read_text(encoding="utf-8"))}
    ours = listed.pop(context.environment.name, None)
    return ours, set(listed.values())


def _confirm(context: Context, ask: Callable[[str], str] | None) -> None:
    name = context.environment.name
    if context.arguments.yes == name:
        return
    if ask is None and sys.stdin is not None and sys.stdin.isatty():
        ask = input
    if ask is None:
        raise UsageError(
            "Nobody can be asked here.", changed="Nothing was removed.", next_step=f"If it is meant: --yes {name}."
        )
    try:
        typed = ask(f"This can't be undone. Type the environment's name ({name}) to remove it: ").strip()
    except EOFError:
        typed = ""
    if typed != name:
        raise UsageError(f"{typed!r} is not {name!r}.", changed="Nothing was removed.")


def _say_rest(context: Context) -> None:
    name = context.environment.name
    context.log.info(
        f"Not touched: config/environments/{name}.yml and the block of {name} in {clone.LIST_FILE} (take them out by hand); in "
        f"Azure DevOps the environment {name} and its service connection (Project settings, Service connections; Pipelines, "
        "Environments)."
    )
