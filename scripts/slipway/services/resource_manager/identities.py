"""User-assigned managed identities and their federated credentials (Microsoft.ManagedIdentity).

https://learn.microsoft.com/rest/api/managedidentity/user-assigned-identities and …/federated-identity-credentials. Making one
takes Managed Identity Contributor on the group, and no right in Microsoft Entra ID. Credentials of one identity may not be
written at the same time (https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from azure.core.exceptions import HttpResponseError

from slipway.services.azure_errors import translated
from slipway.services.resource_manager.groups import Resources

AUDIENCE = "api://AzureADTokenExchange"
GITHUB = "https://token.actions.githubusercontent.com"
_API = "2023-01-31"
_NEEDS = "It takes Managed Identity Contributor, Contributor or Owner on the resource group."


@dataclass(frozen=True, kw_only=True)
class UserIdentity:
    """A user-assigned identity: its application (client) id, and its object id in the directory."""

    client_id: str
    object_id: str
    tags: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, kw_only=True)
class FederatedCredential:
    """Tokens of `issuer` for `subject` sign in as the identity that has this credential."""

    name: str
    issuer: str
    subject: str
    audiences: tuple[str, ...] = (AUDIENCE,)

    @property
    def of_github(self) -> bool:
        """Whether workflows of GitHub sign in by it (docs/github.md): people make these."""
        return self.issuer == GITHUB

    def lets_in(self, issuer: str, subject: str) -> bool:
        """Whether a token of Azure DevOps that says so signs in by it. Both are compared as they are written."""
        return (self.issuer, self.subject) == (issuer, subject) and AUDIENCE in self.audiences


class Identities:
    """The user-assigned identities of a resource group. One verb, one request (lists: one per page)."""

    def __init__(self, resources: Resources, group: str) -> None:
        self._resources = resources
        self._folder = (
            f"/subscriptions/{resources.subscription_id}/resourceGroups/{group}/providers/"
            "Microsoft.ManagedIdentity/userAssignedIdentities"
        )

    def get(self, name: str) -> UserIdentity | None:
        """The identity, or None."""
        with translated(f"looking for the identity {name}"):
            try:
                return _identity(self._resources.send("GET", self._url(name)))
            except HttpResponseError as error:
                if error.status_code == 404:
                    return None
                raise

    def create(self, name: str, location: str, tags: Mapping[str, str]) -> UserIdentity:
        """Makes the identity, or says again what it is: its ids stay."""
        body = {"location": location, "tags": dict(tags)}
        with translated(
            f"making the identity {name}", changed="Nothing was changed by this request.", next_step=_NEEDS
        ):
            return _identity(self._resources.send("PUT", self._url(name), body))

    def delete(self, name: str) -> None:
        """Takes the identity away with its credentials; a missing one is fine."""
        with translated(f"removing the identity {name}", next_step=_NEEDS):
            self._resources.send("DELETE", self._url(name))

    def credentials(self, name: str) -> list[FederatedCredential]:
        """Everything that signs in as the identity from outside; empty where there is no such identity."""
        found: list[FederatedCredential] = []
        url: str | None = self._url(name, "/federatedIdentityCredentials")
        with translated(f"reading the federated credentials of the identity {name}"):
            try:
                while url:
                    answer = self._resources.send("GET", url)
                    found += [_credential(one) for one in answer.get("value") or []]
                    url = answer.get("nextLink")
            except HttpResponseError as error:
                if error.status_code != 404:
                    raise
        return found

    def put_credential(self, name: str, credential: FederatedCredential) -> None:
        """Writes a credential of the identity, over one of the same name."""
        properties = {
            "issuer": credential.issuer,
            "subject": credential.subject,
            "audiences": list(credential.audiences),
        }
        doing = f"writing the federated credential {credential.name} of the identity {name}"
        with translated(doing, changed="Nothing was changed by this request.", next_step=_NEEDS):
            self._resources.send("PUT", self._credential_url(name, credential.name), {"properties": properties})

    def delete_credential(self, name: str, credential: str) -> None:
        """A missing one is fine."""
        with translated(f"removing the federated credential {credential} of the identity {name}", next_step=_NEEDS):
            self._resources.send("DELETE", self._credential_url(name, credential))

    def _credential_url(self, name: str, credential: str) -> str:
        return self._url(name, f"/federatedIdentityCredentials/{credential}")

    def _url(self, name: str, rest: str = "") -> str:
        return f"{self._folder}/{name}{rest}?api-version={_API}"


def _identity(answer: Mapping[str, Any]) -> UserIdentity:
    properties = answer["properties"]
    return UserIdentity(
        client_id=properties["clientId"], object_id=properties["principalId"], tags=answer.get("tags") or {}
    )


def _credential(answer: Mapping[str, Any]) -> FederatedCredential:
    properties = answer["properties"]
    return FederatedCredential(
        name=answer["name"],
        issuer=properties["issuer"],
        subject=properties["subject"],
        audiences=tuple(properties.get("audiences") or ()),
    )
