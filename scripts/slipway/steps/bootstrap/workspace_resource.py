"""Bootstrap: the Databricks workspace as a resource of Azure. It is there, where it should be, and the configuration has its
address; it is made only where that is asked for.

https://learn.microsoft.com/rest/api/databricks/workspaces
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from slipway.command import Context
from slipway.domain.environment import load_environment
from slipway.errors import AuthenticationError, NotPossible, UsageError
from slipway.services.credentials import Credential, SignInFailed
from slipway.services.resource_manager.deployments import Deployment, Deployments
from slipway.services.resource_manager.groups import Resources
from slipway.services.resource_manager.template_lines import read_template
from slipway.steps.bootstrap.report import Refusal, Report, again
from slipway.steps.bootstrap.state import shared_tags
from slipway.steps.configuration_files import file_for, write_values
from slipway.steps.deploy_resources import deployment_name

TEMPLATE = "arm/workspace.json"
API = "2024-05-01"
HOST = "databricks.host"


def ensure_workspace(
    context: Context, credential: Credential, resources: Resources, report: Report, *, create: bool
) -> Context | None:
    """The context with the workspace's address; None where there is no workspace (to be made, refused, or --what-if)."""
    resource_id = context.environment.databricks.workspace_resource_id
    if resource_id is None:
        if create:
            raise UsageError("--workspace create needs databricks.workspace_resource_id in the configuration.")
        return context
    found: Mapping[str, Any] | None
    try:
        found = resources.get(resource_id, API)
    except SignInFailed:
        raise
    except AuthenticationError as error:
        # Who may not read the resource may still be an admin of the workspace.
        context.log.detail(error.what)
        return context
    if found is None and not create:
        context.log.warning(f"There is no workspace {resource_id}.")
        report.refused.append(
            Refusal(
                what=f"make the workspace {resource_id.rpartition('/')[2]}, or name another in databricks.workspace_resource_id",
                who="Contributor or Owner of its resource group",
                mend=f"{again(context)} --workspace create",
            )
        )
        return None
    if found is None:
        found = _created(context, credential, resources, report, resource_id)
    return None if found is None else _addressed(context, found, report)


def _created(
    context: Context, credential: Credential, resources: Resources, report: Report, resource_id: str
) -> Mapping[str, Any] | None:
    _, _, subscription, _, group, *_, name = resource_id.split("/")
    location = context.environment.azure.location
    if subscription.lower() != resources.subscription_id.lower():
        raise NotPossible(
            f"The workspace {name} is to be in subscription {subscription}, and bootstrap makes one in its own alone.",
            changed="No workspace was made.",
            next_step="Make the workspace by hand, or change databricks.workspace_resource_id.",
        )
    refusal = Refusal(
        what=f"make the workspace {name}",
        who=f"Contributor or Owner of {group}",
        mend=f"{again(context)} --workspace create",
    )
    with report.part(context, refusal):
        context.log.info(f"+ workspace {name} in {group}, {location}, premium")
        report.done.append(f"workspace {name}")
        if context.what_if:
            report.wait(context, "who is in it, and its root folder")
            return None
        if not resources.group_exists(group):
            resources.create_group(group, location, shared_tags(context.environment))
        deployment = Deployment(
            name=deployment_name(context.environment.name, "workspace"),
            group=group,
            template=read_template(context.root / TEMPLATE, TEMPLATE),
            parameters={
                "location": location,
                "workspaceName": name,
                "managedGroupName": f"databricks-rg-{name}"[:90],
                "tags": shared_tags(context.environment),
            },
        )
        Deployments(credential, resources.subscription_id).deploy(deployment)
        return resources.get(resource_id, API)
    return None


def _addressed(context: Context, found: Mapping[str, Any], report: Report) -> Context:
    """The address that Azure gave the workspace goes into the configuration, where another is there."""
    name, location = found["name"], str(found.get("location", ""))
    if _short(location) != context.environment.azure.location:
        context.log.warning(
            f"Workspace {name} is in {location}, the environment in {context.environment.azure.location}: data goes from one "
            "region to the other, which takes time and is billed."
        )
    host = f"https://{found['properties']['workspaceUrl']}"
    if host == context.environment.databricks.host:
        context.log.info(f"= {name} is there")
        return context
    environment = context.environment.name
    file = file_for(
        context.root, context.environment, HOST, lambda one: (one.databricks.workspace_resource_id or "").lower()
    )
    context.log.info(f"~ {file}: {HOST} is {host}")
    report.done.append(f"{HOST} in {file}")
    if context.what_if:
        return context
    write_values(context.root, file, {HOST: host})
    context.log.warning(f"{file} was changed: commit this.")
    return replace(context, environment=load_environment(context.root, environment))


def _short(location: str) -> str:
    return location.replace(" ", "").lower()
