"""Prepares an environment, once, as a platform admin: state storage, resource group, roles, data factory, root folder."""

from __future__ import annotations

from dataclasses import dataclass, field

from slipway.command import Context, run_step
from slipway.errors import AuthenticationError
from slipway.services.credentials import Credential, credential
from slipway.services.databricks import AccessRefused, Workspace, connect
from slipway.services.resource_manager.deployments import Deployment, Deployments
from slipway.services.resource_manager.groups import Resources, has_role
from slipway.services.resource_manager.template_lines import read_template
from slipway.steps.bootstrap_factory import factory_application, make_factory
from slipway.steps.deploy_resources import deployment_name, show_changes, tags

TEMPLATE = "arm/state.json"
_LEVELS = ("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE")


def main() -> int:
    return run_step(bootstrap_environment, description=__doc__ or "")


@dataclass
class Report:
    """What was done, and what this identity was not let do."""

    done: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Identity:
    """A service principal of the tenant: its application id, and what people call it."""

    client_id: str
    who: str
    display_name: str


def bootstrap_environment(context: Context) -> None:
    """Makes what a release needs and may not make itself; a second run finds it all there and changes nothing.

    Raises AuthenticationError at the end when the workspace refused something: what an admin of it has to do is listed.
    """
    report = Report()
    identity = credential(context.variables)
    resources = Resources(identity, context.environment.azure.subscription_id)
    with context.log.section("State storage"):
        _state_storage(context, identity, resources, report)
    azure = context.environment.azure
    with context.log.section(f"Resource group {azure.resource_group}"):
        _group(context, resources, azure.resource_group, report)
    with context.log.section("Roles of the release identity"):
        _roles(context, resources, report)
    factory = context.environment.resources.data_factory
    with context.log.section(f"Data factory {factory}"):
        made = make_factory(context, identity, resources)
        if made:
            report.done.append(f"data factory {factory}")
    workspace = connect(context.environment, identity, context.variables)
    with context.log.section(f"Databricks workspace {workspace.host}"):
        _workspace(context, workspace, report)
        if made and context.what_if:
            context.log.info(f"+ the identity of data factory {factory} joins the workspace")
        else:
            _factory_member(context, workspace, resources, report)
    _conclude(context, report)


def _group(context: Context, resources: Resources, name: str, report: Report) -> bool:
    """Whether the group is there at the end (it is not made by --what-if)."""
    azure = context.environment.azure
    if resources.group_exists(name):
        context.log.info(f"= {name} is there")
        return True
    context.log.info(f"+ {name} in {azure.location}")
    report.done.append(f"resource group {name}")
    if context.what_if:
        return False
    # The group of the state is shared by environments, so only the app marks it.
    marks = tags(context.environment)
    resources.create_group(name, azure.location, marks if name == azure.resource_group else _shared(marks))
    return True


def _shared(marks: dict[str, str]) -> dict[str, str]:
    return {"slipway_app": marks["slipway_app"]}


def _state_storage(context: Context, identity: Credential, resources: Resources, report: Report) -> None:
    azure = context.environment.azure
    state = azure.state
    template = read_template(context.root / TEMPLATE, TEMPLATE)
    if not _group(context, resources, state.resource_group, report):
        context.log.info(f"+ storage account {state.storage_account} with container {state.container}")
        return
    deployments = Deployments(identity, azure.subscription_id)
    deployment = Deployment(
        name=deployment_name(context.environment.name, "state"),
        group=state.resource_group,
        template=template,
        parameters={
            "location": azure.location,
            "storageAccountName": state.storage_account,
            "containerName": state.container,
            "tags": _shared(tags(context.environment)),
        },
    )
    changes = deployments.what_if(deployment)
    show_changes(context, changes)
    changed = [change.name for change in changes if change.changes]
    report.done += changed
    if changed and not context.what_if:
        deployments.deploy(deployment)


def _roles(context: Context, resources: Resources, report: Report) -> None:
    azure = context.environment.azure
    principal = azure.release_identity.object_id
    prefix = f"/subscriptions/{azure.subscription_id}/resourceGroups"
    group = f"{prefix}/{azure.resource_group}"
    account = f"{prefix}/{azure.state.resource_group}/providers/Microsoft.Storage/storageAccounts/"
    account += azure.state.storage_account
    wanted = {
        group: ("Contributor", "Role Based Access Control Administrator"),
        account: ("Storage Blob Data Contributor",),
    }
    for scope, roles in wanted.items():
        place = scope.removeprefix(prefix + "/")
        # In --what-if the scope itself may not be there yet.
        held = [] if context.what_if and report.done else resources.assignments(scope, principal)
        for role in roles:
            if has_role(held, role):
                context.log.info(f"= {role} on {place}")
                continue
            context.log.info(f"+ {role} on {place}")
            report.done.append(f"role {role} on {place}")
            if not context.what_if:
                resources.assign(scope, principal, role)


def _workspace(context: Context, workspace: Workspace, report: Report) -> None:
    client_id = context.environment.azure.release_identity.client_id
    root = context.environment.databricks.root
    identity = Identity(client_id, "the release identity", f"slipway-{context.environment.app}")
    _join(context, workspace, identity, report)
    try:
        _root(context, workspace, root, report)
    except AccessRefused as error:
        context.log.warning(error.what)
        report.refused.append(f"make the folder {root}, with CAN_MANAGE for the service principal {client_id}")


def _factory_member(context: Context, workspace: Workspace, resources: Resources, report: Report) -> None:
    """The factory's identity joins: its runs read the root and the scope as `users`, and make their clusters."""
    factory = context.environment.resources.data_factory
    try:
        client_id = factory_application(context, resources)
    except AuthenticationError as error:
        context.log.warning(error.what)
        text = f"add the identity of data factory {factory} to the workspace, with allow-cluster-create"
        report.refused.append(f"{text}. {error.next_step}".rstrip(". "))
        return
    if client_id is not None:
        _join(context, workspace, Identity(client_id, f"the identity of data factory {factory}", factory), report)


def _join(context: Context, workspace: Workspace, identity: Identity, report: Report) -> None:
    try:
        _member(context, workspace, identity, report)
    except AccessRefused as error:
        context.log.warning(error.what)
        report.refused.append(f"add the service principal {identity.client_id} ({identity.who}) to the workspace")


def _member(context: Context, workspace: Workspace, identity: Identity, report: Report) -> None:
    """One that is in the workspace keeps the entitlements it has: a cluster policy may be there in their place."""
    if workspace.find_service_principal(identity.client_id) is not None:
        context.log.info(f"= {identity.who} {identity.client_id} is in the workspace")
        return
    context.log.info(f"+ {identity.who} {identity.client_id} joins the workspace")
    report.done.append(f"{identity.who} in the workspace")
    if not context.what_if:
        workspace.add_service_principal(identity.client_id, identity.display_name)


def _root(context: Context, workspace: Workspace, root: str, report: Report) -> None:
    folder = workspace.get_status(root)
    if folder is None:
        context.log.info(f"+ folder {root}")
        report.done.append(f"folder {root}")
        if not context.what_if:
            workspace.mkdirs(root)
            folder = workspace.get_status(root)
    else:
        context.log.info(f"= folder {root} is there")
    granted = {} if folder is None else _granted(workspace, folder.object_id)
    missing = []
    for entry in _wanted(context):
        principal = entry.get("service_principal_name") or entry["group_name"]
        level = entry["permission_level"]
        if granted.get(principal, -1) >= _LEVELS.index(level):
            context.log.info(f"= {principal} {level}")
        else:
            context.log.info(f"+ {principal} {level}")
            report.done.append(f"{level} on {root} for {principal}")
            missing.append(entry)
    if missing and folder is not None and not context.what_if:
        workspace.add_permissions("directories", folder.object_id, missing)


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


def _conclude(context: Context, report: Report) -> None:
    log, name = context.log, context.environment.name
    if report.refused:
        raise AuthenticationError(
            f"The workspace of {name} did not let this identity do everything.",
            changed="Everything else above is done." if not context.what_if else "Nothing was changed.",
            next_step="An admin of the workspace has to:\n" + "\n".join(f"  - {text}" for text in report.refused),
        )
    if not report.done:
        log.info(f"Everything that {name} needs is there: nothing to change.")
    elif context.what_if:
        log.info(f"{len(report.done)} changes would be made.")
    else:
        log.info(f"{name} is ready: {len(report.done)} changes. New roles can take up to 10 minutes to work.")
