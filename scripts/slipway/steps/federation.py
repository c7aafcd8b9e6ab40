"""Lets the service connection of a pipeline sign in as the release identity: its federated credential.

Issuer and subject are those that Azure DevOps shows of the connection; the subject may not be made up, since newer connections
have one that holds ids (https://learn.microsoft.com/azure/devops/pipelines/release/configure-workload-identity).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from slipway.command import Context
from slipway.services.resource_manager.groups import Resources
from slipway.services.resource_manager.identities import FederatedCredential, Identities


@dataclass(frozen=True, kw_only=True)
class Federation:
    """What a service connection signs in with: its name, and issuer and subject of its tokens."""

    connection: str
    issuer: str
    subject: str


def ensure_federation(context: Context, resources: Resources, federation: Federation) -> bool:
    """Makes the credential where none lets the connection in; whether that was (or would be) done.

    One of the same name that is for another issuer or subject, of a connection that was made anew, is written over. The
    identity must be there and have a name in the configuration. Raises AuthenticationError where it is refused.
    """
    azure = context.environment.azure
    identity = azure.release_identity.name
    if identity is None:
        context.log.info("= the release identity is somebody else's: its federation is not looked at")
        return False
    identities = Identities(resources, azure.state.resource_group)
    name = credential_name(federation.connection)
    there = identities.credentials(identity)
    if any(one.lets_in(federation.issuer, federation.subject) for one in there):
        context.log.info(f"= service connection {federation.connection} signs in as {identity}")
        return False
    mark = "~" if any(one.name == name for one in there) else "+"
    context.log.info(f"{mark} service connection {federation.connection} signs in as {identity}")
    if not context.what_if:
        wanted = FederatedCredential(name=name, issuer=federation.issuer, subject=federation.subject)
        identities.put_credential(identity, wanted)
    return True


def credential_name(connection: str) -> str:
    """A credential's name from the connection's: 3 to 120 letters, digits, dashes and underscores, a letter or digit first."""
    text = re.sub(r"[^A-Za-z0-9_-]", "-", connection).lstrip("-_")
    return (text if len(text) >= 3 else f"connection-{text}")[:120]
