"""Bootstrap: the service connection of the environment, where there is one already, signs in as the release identity."""

from __future__ import annotations

from typing import Any

from slipway.command import Context
from slipway.domain.devops import is_federated, issuer_and_subject, listed_environments
from slipway.errors import NotPossible, SlipwayError
from slipway.services.azure_devops import of_person
from slipway.services.credentials import Credential
from slipway.services.resource_manager.groups import Resources
from slipway.services.resource_manager.identities import AUDIENCE
from slipway.steps.bootstrap.report import Refusal, Report, az
from slipway.steps.federation import Federation, credential_name, ensure_federation

_SETUP = "python scripts/setup_azure_devops.py"


def ensure_connection(context: Context, identity: Credential, resources: Resources, report: Report) -> None:
    """Makes the federated credential for the connection that Azure DevOps has; where it has none yet, says who makes both.

    What Azure DevOps does not answer is no failure of a bootstrap: the set-up of Azure DevOps makes up for it.
    """
    if context.environment.azure.release_identity.name is None:
        return
    if context.environment.azure_devops is None:
        context.log.info(
            "  The configuration names no project of Azure DevOps; docs/github.md says how GitHub signs in."
        )
        return
    name = _connection_name(context)
    found = None if name is None else _found(context, identity, name)
    if name is None or found is None:
        context.log.info(f"  {_SETUP} makes the service connection, and lets it sign in as the identity.")
        return
    if not is_federated(found):
        context.log.info(f"  Service connection {name} signs in with a secret; {_SETUP} says how it does without.")
        return
    issuer, subject = issuer_and_subject(found)
    if not issuer or not subject:
        context.log.info(f"  {_SETUP} lets service connection {name} sign in as the identity.")
        return
    federation = Federation(connection=name, issuer=issuer, subject=subject)
    with report.part(context, _refusal(context, federation)):
        if ensure_federation(context, resources, federation):
            report.done.append(f"federated credential of {federation.connection}")


def _found(context: Context, identity: Credential, name: str) -> dict[str, Any] | None:
    """The environment's connection; None where there is none, or it is not shown."""
    place = context.environment.azure_devops
    if place is None:
        return None
    try:
        return of_person(place.organization, place.project, identity).connection(name)
    except SlipwayError as error:
        context.log.info(f"  Service connection {name} was not looked at: {error.what}")
        return None


def _connection_name(context: Context) -> str | None:
    try:
        listed = listed_environments(context.root)
    except NotPossible:
        return None
    return next((one.connection for one in listed if one.name == context.environment.name), None) or None


def _refusal(context: Context, federation: Federation) -> Refusal:
    azure = context.environment.azure
    group = azure.state.resource_group
    return Refusal(
        what=f"let service connection {federation.connection} sign in as {azure.release_identity.name}",
        who=f"Managed Identity Contributor, Contributor or Owner of {group}",
        mend=az(
            *("identity", "federated-credential", "create"),
            name=credential_name(federation.connection),
            identity_name=str(azure.release_identity.name),
            resource_group=group,
            issuer=federation.issuer,
            subject=federation.subject,
            audiences=AUDIENCE,
            subscription=azure.subscription_id,
        ),
    )
