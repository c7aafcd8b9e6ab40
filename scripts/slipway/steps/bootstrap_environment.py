"""Prepares an environment, once, as a platform admin: state storage, release identity, resource group, roles, data factory, the
root folder in the workspace. Run again it changes nothing that is right; what it is not let do, it names with the command for
somebody with more rights.
"""

from __future__ import annotations

import argparse

from slipway.command import Context, run_step
from slipway.errors import adding, saying
from slipway.services.credentials import Credential, credential
from slipway.services.databricks import connect
from slipway.services.resource_manager.groups import Resources
from slipway.steps.bootstrap.connection import ensure_connection
from slipway.steps.bootstrap.factory import make_factory
from slipway.steps.bootstrap.identity import ensure_identity, ensure_roles
from slipway.steps.bootstrap.report import GOING_ON, Report, conclude
from slipway.steps.bootstrap.state import ensure_group, ensure_lock, ensure_storage
from slipway.steps.bootstrap.subscription import (
    NAMESPACES,
    WORKSPACES,
    check_names,
    check_subscription,
    register_providers,
)
from slipway.steps.bootstrap.workspace import ensure_factory_member, ensure_members, ensure_root
from slipway.steps.bootstrap.workspace_resource import ensure_workspace

NOTHING = "Nothing was changed."


def main() -> int:
    return run_step(bootstrap_environment, description=__doc__ or "", options=_options)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workspace", choices=["create"], help="make the Databricks workspace, where there is none")


def bootstrap_environment(context: Context) -> None:
    """Makes what a release needs and may not make itself; a second run finds it all there and changes nothing.

    Raises AuthenticationError at the end when something was refused, with all of it; NotPossible where a name is taken or the
    root folder is somebody else's.
    """
    report = Report()
    identity = credential(context.variables)
    resources = Resources(identity, context.environment.azure.subscription_id)
    create = getattr(context.arguments, "workspace", None) == "create"
    with context.log.section("Subscription"):
        with saying(NOTHING):
            check_subscription(context, resources)
        namespaces = (*NAMESPACES, *((WORKSPACES,) if create else ()))
        registered = register_providers(context, resources, report, namespaces)
        check_names(context, resources, report, registered)
    with adding(lambda: "" if context.what_if or not report.done else GOING_ON):
        _parts(context, identity, resources, report, create=create)
    conclude(context, report)


def _parts(context: Context, identity: Credential, resources: Resources, report: Report, *, create: bool) -> None:
    """One part after the other; none is left out for another's being refused."""
    state = _state(context, identity, resources, report)
    with context.log.section("Release identity"):
        known = _identity(context, resources, report, state=state)
        if known is not None:
            ensure_connection(known, identity, resources, report)
    # Without the identity's ids nothing can be given to it; all else goes on.
    missing = known is None
    context = known or context
    factory = _resources(context, identity, resources, report, state=state, missing=missing)
    with context.log.section("Databricks workspace"):
        found = ensure_workspace(context, identity, resources, report, create=create)
        if found is not None:
            _workspace(found, identity, resources, report, factory=factory, missing=missing)


def _state(context: Context, identity: Credential, resources: Resources, report: Report) -> bool:
    """Whether the state's group and account are there at the end."""
    state = context.environment.azure.state
    with context.log.section("State storage"):
        if not ensure_group(context, resources, state.resource_group, report):
            report.wait(context, f"storage account {state.storage_account} with container {state.container}, locked")
            return False
        there = ensure_storage(context, identity, report)
        if there:
            ensure_lock(context, resources, report)
        return there


def _identity(context: Context, resources: Resources, report: Report, *, state: bool) -> Context | None:
    name = context.environment.azure.release_identity.name
    if state or name is None:
        return ensure_identity(context, resources, report)
    report.wait(context, f"{name}, user-assigned, once the state storage is done")
    return None


def _resources(
    context: Context, identity: Credential, resources: Resources, report: Report, *, state: bool, missing: bool
) -> bool:
    """The environment's group, the roles, and the factory; whether the factory is there at the end."""
    azure, factory = context.environment.azure, context.environment.resources.data_factory
    with context.log.section(f"Resource group {azure.resource_group}"):
        there = ensure_group(context, resources, azure.resource_group, report)
    with context.log.section("Roles of the release identity"):
        if context.what_if or (not missing and there and state):
            ensure_roles(context, resources, report, new=missing or not (there and state))
        else:
            report.wait(context, "its roles, once it, the group and the state storage are done")
    with context.log.section(f"Data factory {factory}"):
        if there:
            return make_factory(context, identity, resources, report)
        report.wait(context, f"{factory}, once {azure.resource_group} is there")
        return False


def _workspace(
    context: Context, identity: Credential, resources: Resources, report: Report, *, factory: bool, missing: bool
) -> None:
    workspace = connect(context.environment, identity, context.variables)
    context.log.info(f"  {workspace.host}")
    if context.what_if or not missing:
        ensure_members(context, workspace, report)
        ensure_root(context, workspace, report)
    else:
        report.wait(context, "the release identity and its rights on the root folder, once the identity is there")
    if factory:
        ensure_factory_member(context, workspace, resources, report)
    else:
        name = context.environment.resources.data_factory
        report.wait(context, f"the identity of data factory {name} joins the workspace, once the factory is there")
