"""The part of bootstrap_environment about the data factory: that there is one, and who it is in the workspace."""

from __future__ import annotations

import json

from slipway.command import Context
from slipway.errors import AuthenticationError, SlipwayError
from slipway.services.credentials import Credential
from slipway.services.resource_manager.deployments import Deployment, Deployments
from slipway.services.resource_manager.groups import Resources
from slipway.services.resource_manager.template_lines import read_template
from slipway.steps.bootstrap.report import Refusal, Report, az
from slipway.steps.configuration_files import configure_command
from slipway.steps.deploy_resources import FACTORY_API, deployment_name, factory_id, tags

TEMPLATE = "arm/factory.json"
# A new identity may take moments to be known; not documented, so only a little is waited.
_PAUSE, _TRIES = 5.0, 12


def make_factory(context: Context, identity: Credential, resources: Resources, report: Report) -> bool:
    """Makes an empty factory where there is none; whether there is one at the end. One that exists is not touched."""
    environment = context.environment
    name, group = environment.resources.data_factory, environment.azure.resource_group
    parameters = {"location": environment.azure.location, "dataFactoryName": name, "tags": tags(environment)}
    said = [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in parameters.items()]
    refusal = Refusal(
        what=f"make the data factory {name}",
        who=f"Data Factory Contributor, Contributor or Owner of {group}",
        mend=az(
            *("deployment", "group", "create", "--template-file", TEMPLATE, "--parameters", *said),
            resource_group=group,
            subscription=environment.azure.subscription_id,
        ),
    )
    with report.part(context, refusal):
        if resources.identity_of(factory_id(environment), FACTORY_API) is not None:
            context.log.info(f"= {name} is there")
            return True
        context.log.info(f"+ {name}, empty, with a system-assigned identity")
        if not context.what_if:
            deployment = Deployment(
                name=deployment_name(environment.name, "factory"),
                group=group,
                template=read_template(context.root / TEMPLATE, TEMPLATE),
                parameters=parameters,
            )
            try:
                Deployments(identity, environment.azure.subscription_id).deploy(deployment)
            except AuthenticationError:
                raise
            except SlipwayError as error:
                # Nobody can be asked beforehand whether a factory's name is free.
                other = configure_command(environment.name, "resources.data_factory", "<another name>")
                error.next_step += f"\nIf the name {name} is somebody else's: {other}"
                raise
        report.done.append(f"data factory {name}")
        return not context.what_if
    return False


def factory_application(context: Context, resources: Resources) -> str | None:
    """The application id of the factory's identity, by which a workspace knows it; None where it has none.

    Raises AuthenticationError where this identity may not read it; it says how somebody else finds it.
    """
    environment, name = context.environment, context.environment.resources.data_factory
    resource = factory_id(environment)
    object_id = resources.identity_of(resource, FACTORY_API)
    if not object_id:
        context.log.warning(f"{name} has no system-assigned identity: give it one, or its runs sign in by other means.")
        return None
    for attempt in range(_TRIES):
        found = resources.application_of(resource)
        if found:
            return found
        if attempt < _TRIES - 1:
            context.sleep(_PAUSE)
    raise AuthenticationError(
        f"The application id of the identity of data factory {name} (object id {object_id}) is not known to Azure yet.",
        next_step=f"az ad sp show --id {object_id} --query appId says it.",
    )
