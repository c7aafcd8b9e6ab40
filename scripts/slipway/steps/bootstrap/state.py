"""Bootstrap: the storage of the state in its own resource group, and the lock that keeps it from being deleted."""

from __future__ import annotations

import json

from slipway.command import Context
from slipway.domain.environment import Environment
from slipway.services.credentials import Credential
from slipway.services.resource_manager.deployments import Deployment, Deployments
from slipway.services.resource_manager.groups import Resources
from slipway.services.resource_manager.locks import locks_at, put_lock
from slipway.services.resource_manager.template_lines import read_template
from slipway.steps.bootstrap.report import Refusal, Report, again, az
from slipway.steps.deploy_resources import deployment_name, show_changes, tags

TEMPLATE = "arm/state.json"
LOCK = "slipway-state"
NOTES = "Slipway keeps here what is released where; see docs/remove-environment.md."


def ensure_group(context: Context, resources: Resources, name: str, report: Report) -> bool:
    """Whether the group is there at the end (it is not made by --what-if, nor where that is refused)."""
    azure = context.environment.azure
    marks = tags(context.environment)
    # The group of the state is shared by environments, so only the app marks it.
    marks = marks if name == azure.resource_group else shared_tags(context.environment)
    words = " ".join(f"{key}={value}" for key, value in marks.items())
    command = az("group", "create", name=name, location=azure.location, subscription=azure.subscription_id)
    refusal = Refusal(
        what=f"make the resource group {name}",
        who="Contributor or Owner of the subscription",
        mend=f"{command} --tags {words}",
    )
    there: bool | None = None
    # Who may not even look can't be told the next command of several, only the one that does them all.
    unseen = Refusal(what=f"look into the resource group {name}", who="Owner of the subscription", mend=again(context))
    with report.part(context, unseen):
        there = resources.group_exists(name)
    if there:
        context.log.info(f"= {name} is there")
    if there is not False:
        return there is True
    with report.part(context, refusal):
        context.log.info(f"+ {name} in {azure.location}")
        report.done.append(f"resource group {name}")
        if not context.what_if:
            resources.create_group(name, azure.location, marks)
            return True
    return False


def shared_tags(environment: Environment) -> dict[str, str]:
    """What marks things that several environments of the app use."""
    return {"slipway_app": tags(environment)["slipway_app"]}


def account_id(environment: Environment) -> str:
    """The resource id of the state's storage account."""
    azure = environment.azure
    return (
        f"/subscriptions/{azure.subscription_id}/resourceGroups/{azure.state.resource_group}"
        f"/providers/Microsoft.Storage/storageAccounts/{azure.state.storage_account}"
    )


def ensure_storage(context: Context, credential: Credential, report: Report) -> bool:
    """The account with its containers, as arm/state.json says; whether it is there at the end."""
    azure = context.environment.azure
    parameters = {
        "location": azure.location,
        "storageAccountName": azure.state.storage_account,
        "containerName": azure.state.container,
        "tags": shared_tags(context.environment),
    }
    said = [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in parameters.items()]
    refusal = Refusal(
        what=f"make the storage account {azure.state.storage_account} of the state",
        who=f"Contributor or Owner of {azure.state.resource_group}",
        mend=az(
            *("deployment", "group", "create", "--template-file", TEMPLATE, "--parameters", *said),
            resource_group=azure.state.resource_group,
            subscription=azure.subscription_id,
        ),
    )
    with report.part(context, refusal):
        deployments = Deployments(credential, azure.subscription_id)
        deployment = Deployment(
            name=deployment_name(context.environment.name, "state"),
            group=azure.state.resource_group,
            template=read_template(context.root / TEMPLATE, TEMPLATE),
            parameters=parameters,
        )
        changes = deployments.what_if(deployment)
        show_changes(context, changes)
        changed = [change.name for change in changes if change.changes]
        report.done += changed
        if changed and not context.what_if:
            deployments.deploy(deployment)
        return not (changed and context.what_if)
    return False


def ensure_lock(context: Context, resources: Resources, report: Report) -> None:
    """Nobody deletes the account by accident: not with its group, and not by itself. A lock above it does as well."""
    azure, scope = context.environment.azure, account_id(context.environment)
    account = azure.state.storage_account
    refusal = Refusal(
        what=f"lock the storage account {account} against deletion",
        who="Owner or User Access Administrator there",
        mend=az(
            *("lock", "create"),
            name=LOCK,
            lock_type="CanNotDelete",
            resource_group=azure.state.resource_group,
            resource_name=account,
            resource_type="Microsoft.Storage/storageAccounts",
            subscription=azure.subscription_id,
        ),
    )
    with report.part(context, refusal):
        if any(lock.level == "CanNotDelete" for lock in locks_at(resources, scope)):
            context.log.info(f"= {account} is locked against deletion")
            return
        context.log.info(f"+ {account} is locked against deletion")
        report.done.append(f"lock of {account}")
        if not context.what_if:
            put_lock(resources, scope, LOCK, NOTES)
