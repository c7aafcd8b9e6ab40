"""Bootstrap: who is in the Databricks workspace, and the root folder with its permissions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from slipway.command import Context
from slipway.domain.environment import Environment
from slipway.domain.slot import ENVIRONMENT, SLOTS, owner_of
from slipway.errors import AuthenticationError, NotPossible
from slipway.services.databricks import Workspace
from slipway.services.resource_manager.groups import Resources
from slipway.steps.bootstrap.factory import factory_application
from slipway.steps.bootstrap.report import Refusal, Report, again

_LEVELS = ("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE")
_CLUSTERS = "allow-cluster-create"
_ADMIN = "an admin of the workspace"


@dataclass(frozen=True)
class Identity:
    """A service principal of the tenant: its application id, and what people call it."""

    client_id: str
    who: str
    display_name: str


def ensure_members(context: Context, workspace: Workspace, report: Report) -> None:
    """The release identity, and whoever jobs run as, are in the workspace."""
    environment = context.environment
    client_id, name = environment.azure.release_identity.client_id, member_name(environment)
    _join(
        context, workspace, Identity(client_id, "the release identity", name), report, clusters=_makes_clusters(context)
    )
    run_as = environment.jobs.run_as.get("service_principal_name", client_id)
    if run_as.lower() != client_id.lower():
        _join(
            context, workspace, Identity(run_as, "the identity that jobs run as", jobs_member_name(environment)), report
        )
        _let_use(context, workspace, run_as, client_id, report)


def _let_use(context: Context, workspace: Workspace, run_as: str, client_id: str, report: Report) -> None:
    """The release identity may have jobs run as another one: it is Service Principal User of it, in the account. That takes
    Service Principal Manager, which whoever added the service principal is
    (https://learn.microsoft.com/azure/databricks/security/auth/access-control/service-principal-acl)."""
    refusal = Refusal(
        what=f"make the release identity {client_id} Service Principal User of {run_as}, which jobs run as",
        who="an account admin, or a Service Principal Manager of it",
        mend="portal: Databricks workspace, Settings, Identity and access, Service principals, Manage, "
        f"{run_as}, Permissions, Grant access",
    )
    if context.what_if and workspace.find_service_principal(run_as) is None:
        context.log.info(f"+ the release identity may use {run_as}")
        return
    with report.part(context, refusal):
        account = workspace.account_id()
        if account is None:
            context.log.warning(f"The workspace does not say its account, so who may use {run_as} can't be seen.")
            report.refused.append(refusal)
            return
        rules = workspace.users_of(account, run_as)
        if rules.lets_use(client_id):
            context.log.info(f"= the release identity may use {run_as}")
            return
        context.log.info(f"+ the release identity may use {run_as}")
        report.done.append(f"Service Principal User of {run_as}")
        if not context.what_if:
            workspace.set_users(rules.with_user(client_id))


def member_name(environment: Environment) -> str:
    """What the release identity is called in the workspace: as in the directory, where bootstrap made it."""
    return environment.azure.release_identity.name or f"slipway-{environment.app}"


def jobs_member_name(environment: Environment) -> str:
    """What the identity that jobs run as is called in the workspace."""
    return f"slipway-{environment.app}-jobs"


def ensure_factory_member(context: Context, workspace: Workspace, resources: Resources, report: Report) -> None:
    """The factory's identity joins: its runs read the root and the scope as `users`, and make their clusters."""
    factory = context.environment.resources.data_factory
    try:
        client_id = factory_application(context, resources)
    except AuthenticationError as error:
        context.log.warning(error.what)
        text = f"add the identity of data factory {factory} to the workspace, with {_CLUSTERS}. {error.next_step}"
        report.refused.append(Refusal(what=text.rstrip(". "), who=_ADMIN, mend=again(context)))
        return
    if client_id is not None:
        _join(context, workspace, Identity(client_id, f"the identity of data factory {factory}", factory), report)


def _join(
    context: Context, workspace: Workspace, identity: Identity, report: Report, *, clusters: bool = False
) -> None:
    """One that is in the workspace keeps the entitlements it has, a cluster policy may be there in their place; with
    `clusters` it may make clusters in any case."""
    what = f"add the service principal {identity.client_id} ({identity.who}) to the workspace"
    with report.part(context, Refusal(what=what, who=_ADMIN, mend=again(context))):
        there = workspace.find_service_principal(identity.client_id)
        if there is None:
            context.log.info(f"+ {identity.who} {identity.client_id} joins the workspace")
            report.done.append(f"{identity.who} in the workspace")
            if not context.what_if:
                workspace.add_service_principal(identity.client_id, identity.display_name)
            return
        context.log.info(f"= {identity.who} {identity.client_id} is in the workspace")
        entitled = {one.get("value") for one in there.get("entitlements") or []}
        if clusters and _CLUSTERS not in entitled:
            context.log.info(f"+ {_CLUSTERS}: jobs or the integration test make clusters without a policy")
            report.done.append(f"{_CLUSTERS} for {identity.who}")
            if not context.what_if:
                workspace.entitle(there["id"], _CLUSTERS)


def _makes_clusters(context: Context) -> bool:
    """Whether a job, or the integration test, makes a cluster that no policy covers."""
    if "policy_id" not in context.environment.integration_test.cluster:
        return True
    files = sorted((context.root / "config" / "jobs").glob("*.json"))
    return any("policy_id" not in cluster for file in files for cluster in _clusters(_read(file.read_text("utf-8"))))


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # the build says so, with its place
        return None


def _clusters(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if isinstance(value.get("new_cluster"), dict):
            yield value["new_cluster"]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _clusters(item)


def ensure_root(context: Context, workspace: Workspace, report: Report) -> None:
    """The folder of the environment, with what the release identity and readers may do there.

    Raises NotPossible where a folder of other people is there: releases would write into it, and readers see it.
    """
    root = context.environment.databricks.root
    client_id = context.environment.azure.release_identity.client_id
    what = f"make the folder {root}, with CAN_MANAGE for the service principal {client_id}"
    with report.part(context, Refusal(what=what, who=_ADMIN, mend=again(context))):
        folder = workspace.get_status(root)
        if folder is None:
            context.log.info(f"+ folder {root}")
            report.done.append(f"folder {root}")
            if not context.what_if:
                workspace.mkdirs(root)
                folder = workspace.get_status(root)
            granted: dict[str, int] = {}
        else:
            context.log.info(f"= folder {root} is there")
            granted = _granted(workspace, folder.object_id)
            if granted.get(client_id, -1) < _LEVELS.index("CAN_MANAGE"):
                _refuse_strangers(context, workspace, root)
        missing = _missing(context, workspace, granted, report)
        if missing and folder is not None and not context.what_if:
            workspace.add_permissions("directories", folder.object_id, missing)


def _refuse_strangers(context: Context, workspace: Workspace, root: str) -> None:
    strangers = strangers_in(context.environment, workspace)
    if strangers:
        raise NotPossible(
            f"The folder {root} belongs to somebody else: it holds {', '.join(strangers[:5])}, and the release identity has no "
            "rights there.",
            changed="Nothing in the folder was changed.",
            next_step="Choose another root: python scripts/configure.py --environment "
            f"{context.environment.name} --set databricks.root=/Workspace/Slipway/<another folder>",
        )


def strangers_in(environment: Environment, workspace: Workspace) -> list[str]:
    """What lies in the environment's root and is not its slots: by name, or because a slot says that it is of another app or
    environment. The root must be there."""
    root, strangers = environment.databricks.root, []
    for one in workspace.list(root):
        name = one.path.rpartition("/")[2]
        data = workspace.export_file(f"{root}/{name}/{ENVIRONMENT}") if name in SLOTS else None
        if name not in SLOTS or (data is not None and owner_of(data) != (environment.app, environment.name)):
            strangers.append(one.path)
    return strangers


def _missing(context: Context, workspace: Workspace, granted: dict[str, int], report: Report) -> list[dict[str, str]]:
    """The entries of the folder's access list that are to be made."""
    root, missing = context.environment.databricks.root, []
    for entry in _wanted(context):
        principal = entry.get("service_principal_name") or entry["group_name"]
        level = entry["permission_level"]
        if granted.get(principal, -1) >= _LEVELS.index(level):
            context.log.info(f"= {principal} {level}")
        elif "group_name" in entry and not workspace.has_group(principal):
            context.log.warning(f"There is no group {principal} in the workspace.")
            text = f"add the group {principal} to the workspace, or take it out of databricks.readers"
            way = "portal: Databricks workspace, Settings, Identity and access, Groups, Add group"
            report.refused.append(Refusal(what=text, who=_ADMIN, mend=way))
        else:
            context.log.info(f"+ {principal} {level}")
            report.done.append(f"{level} on {root} for {principal}")
            missing.append(entry)
    return missing


def _wanted(context: Context) -> list[dict[str, str]]:
    environment = context.environment
    client_id = environment.azure.release_identity.client_id
    return [
        {"service_principal_name": client_id, "permission_level": "CAN_MANAGE"},
        *({"group_name": reader, "permission_level": "CAN_READ"} for reader in environment.databricks.readers),
    ]


def _granted(workspace: Workspace, object_id: int) -> dict[str, int]:
    """Principal -> the highest level it has on the folder, inherited or not, as an index of _LEVELS."""
    granted: dict[str, int] = {}
    for entry in workspace.get_permissions("directories", object_id).get("access_control_list") or []:
        principal = entry.get("service_principal_name") or entry.get("group_name") or entry.get("user_name") or ""
        for one in entry.get("all_permissions") or []:
            level = one.get("permission_level")
            if level in _LEVELS:
                granted[principal] = max(granted.get(principal, -1), _LEVELS.index(level))
    return granted
