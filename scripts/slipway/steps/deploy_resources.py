"""Deploys the Azure resources of an environment from its template: validate, what-if, incremental deployment."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from typing import Any

from slipway.command import Context, run_step
from slipway.domain.environment import Environment
from slipway.errors import NotPossible
from slipway.services.credentials import credential
from slipway.services.resource_manager.deployments import Deployment, Deployments
from slipway.services.resource_manager.groups import Resources
from slipway.services.resource_manager.template_lines import Template, read_template
from slipway.services.resource_manager.what_if import Change
from slipway.steps.claiming import claim_options
from slipway.steps.release_source import version_of
from slipway.steps.session import in_pipeline, open_session

FACTORY_API = "2018-06-01"
_NAME_LIMIT = 64  # characters of a deployment's name


def main() -> int:
    return run_step(deploy_resources, description=__doc__ or "", options=_options)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--allow-destructive", action="store_true", help="deploy also when resources would be deleted")
    claim_options(parser)


def deploy_resources(context: Context) -> None:
    """Changes Azure until it is as the template says; changes nothing, and deploys nothing, when it is so already.

    Raises ReleaseError (template refused, with its line), AuthenticationError, ServiceError, NotPossible (destructive),
    Conflict (somebody else is releasing).
    """
    environment = context.environment
    template = read_template(context.release / environment.resources.template, environment.resources.template)
    if context.what_if:
        _deploy(context, template, guard=lambda: None)
        return
    session = open_session(context, version_of(context, "resources, by hand"))
    with session.claimed(keep=in_pipeline(context.variables)):
        _deploy(context, template, guard=session.guard)


def _deploy(context: Context, template: Template, *, guard: Callable[[], None]) -> None:
    """`guard` is called before each change."""
    environment, log = context.environment, context.log
    identity = credential(context.variables)
    resources = Resources(identity, environment.azure.subscription_id)
    with log.section(f"Resource group {environment.azure.resource_group}"):
        if not _ensure_group(context, resources, guard):
            log.info(f"  + everything that {template.file} declares ({len(template.content.get('resources', []))})")
            return
    deployment = _deployment(context, resources, template)
    deployments = Deployments(identity, environment.azure.subscription_id)
    changes = _ask(context, deployments, deployment)
    if context.what_if:
        return
    if not any(change.changes for change in changes):
        log.info("Nothing would change: no deployment.")
        return
    _refuse_destruction(context, changes)
    with log.section(f"Deploying {template.file} as {deployment.name}"):
        guard()
        deployments.deploy(deployment)


def _ensure_group(context: Context, resources: Resources, guard: Callable[[], None]) -> bool:
    """Makes the group when it is absent. False: it is absent, and this is only a question."""
    azure, log = context.environment.azure, context.log
    if resources.group_exists(azure.resource_group):
        log.info(f"= {azure.resource_group} is there")
        return True
    log.info(f"+ {azure.resource_group} in {azure.location}")
    if context.what_if:
        return False
    guard()
    resources.create_group(azure.resource_group, azure.location, tags(context.environment))
    return True


def _deployment(context: Context, resources: Resources, template: Template) -> Deployment:
    environment = context.environment
    factory_principal = resources.identity_of(factory_id(environment), FACTORY_API)
    if factory_principal is not None:
        context.log.info(f"= factory {environment.resources.data_factory} is there and is not deployed over")
    values = template_values(environment, factory_principal)
    declared = {name.lower() for name in template.content.get("parameters") or {}}
    unknown = [name for name in values if name.lower() not in declared]
    if unknown:
        context.log.detail(f"{template.file} does not ask for: {', '.join(unknown)}")
    if environment.secret_scope.backend == "key_vault":
        context.log.warning(
            "The secret scope shows the Key Vault: AzureDatabricks needs the role Key Vault Secrets User on "
            f"{environment.resources.key_vault}. Its object id differs per tenant; give it by hand."
        )
    return Deployment(
        name=deployment_name(environment.name, version_of(context, "by-hand")),
        group=environment.azure.resource_group,
        template=template,
        parameters={name: value for name, value in values.items() if name.lower() in declared},
    )


def template_values(environment: Environment, factory_principal: str | None) -> dict[str, Any]:
    """The template's parameters. factory_principal: the object id of the identity of the factory that exists, None for no factory.

    A factory that exists is not deployed: a PUT would wipe its Git link and its global parameters.
    """
    resources = environment.resources
    return {
        "location": environment.azure.location,
        "storageAccountName": resources.storage_account,
        "containerName": resources.container,
        "keyVaultName": resources.key_vault,
        "dataFactoryName": resources.data_factory,
        "deployDataFactory": factory_principal is None,
        # Only with it can what-if look at the roles of a factory that exists.
        "dataFactoryPrincipalId": factory_principal or "",
        "production": environment.production,
        "networkDefaultAction": resources.network.default_action,
        "networkIpRules": list(resources.network.ip_rules),
        "releasePrincipalId": environment.azure.release_identity.object_id,
        "databricksPrincipalId": "",
        "tags": tags(environment),
    }


def factory_id(environment: Environment) -> str:
    """The resource id of the environment's data factory."""
    return (
        f"/subscriptions/{environment.azure.subscription_id}/resourceGroups/{environment.azure.resource_group}"
        f"/providers/Microsoft.DataFactory/factories/{environment.resources.data_factory}"
    )


def tags(environment: Environment) -> dict[str, str]:
    """What marks a resource as this environment's; the version is not among them, or each release would change all."""
    return {"slipway_app": environment.app, "slipway_environment": environment.name}


def deployment_name(environment: str, version: str) -> str:
    """A deployment's name: the characters that Resource Manager allows, at most 64."""
    return re.sub(r"[^-\w.()]", "-", f"slipway-{environment}-{version}", flags=re.ASCII)[:_NAME_LIMIT]


def _ask(context: Context, deployments: Deployments, deployment: Deployment) -> Sequence[Change]:
    log = context.log
    with log.section(f"Validating {deployment.template.file}"):
        deployments.validate(deployment)
    with log.section("What would change"):
        changes = deployments.what_if(deployment)
        show_changes(context, changes)
    return changes


def show_changes(context: Context, changes: Sequence[Change]) -> None:
    """Prints what-if's answer; resources that are none of the template's only with --verbose."""
    for change in changes:
        for line in change.lines():
            (context.log.detail if change.kind == "Ignore" else context.log.info)(line)
    counts = {"create": "Create", "change": "Modify", "delete": "Delete", "leave": "NoChange"}
    told = (f"{sum(change.kind == kind for change in changes)} to {word}" for word, kind in counts.items())
    context.log.info(", ".join(told))


def _refuse_destruction(context: Context, changes: Sequence[Change]) -> None:
    deleted = [change.name for change in changes if change.kind == "Delete"]
    if deleted and not context.arguments.allow_destructive:
        raise NotPossible(
            f"The deployment to {context.environment.name} would delete {', '.join(deleted)}.",
            changed="Nothing was changed.",
            next_step="Run again with --allow-destructive if that is meant.",
        )
