"""Bootstrap: the service connection of the environment signs in as the release identity."""

from __future__ import annotations

from slipway.command import Context
from slipway.services.resource_manager.groups import Resources
from slipway.services.resource_manager.identities import Identities
from slipway.steps.bootstrap.report import Refusal, Report, again


def ensure_connection(context: Context, resources: Resources, report: Report) -> None:
    """Says who makes the federated credential where none is there: the connection has to be there first."""
    azure = context.environment.azure
    identity = azure.release_identity.name
    if identity is None:
        return
    refusal = Refusal(
        what=f"read the federated credentials of {identity}",
        who=f"Reader of {azure.state.resource_group}",
        mend=again(context),
    )
    with report.part(context, refusal):
        if not Identities(resources, azure.state.resource_group).credentials(identity):
            context.log.info(
                "  No service connection signs in as it yet: python scripts/setup_azure_devops.py makes connection and credential."
            )
