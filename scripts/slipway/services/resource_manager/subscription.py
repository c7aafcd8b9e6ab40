"""What a subscription says of itself: which resource providers are registered, and whether a name is free.

https://learn.microsoft.com/rest/api/resources/providers,
https://learn.microsoft.com/azure/azure-resource-manager/management/resource-providers-and-types,
https://learn.microsoft.com/rest/api/storagerp/storage-accounts/check-name-availability,
https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/check-name-availability. No such check of factories is documented.
"""

from __future__ import annotations

from dataclasses import dataclass

from azure.core.exceptions import HttpResponseError

from slipway.services.azure_errors import translated
from slipway.services.resource_manager.groups import Resources

STORAGE_ACCOUNT = "Microsoft.Storage/storageAccounts"
VAULT = "Microsoft.KeyVault/vaults"
_PROVIDERS_API = "2021-04-01"
_CHECKS = {STORAGE_ACCOUNT: "2023-05-01", VAULT: "2023-07-01"}


@dataclass(frozen=True, kw_only=True)
class Availability:
    """Whether a name that must be unique in all of Azure can be taken; why not, in the service's words."""

    free: bool
    why: str = ""


def registration_of(resources: Resources, namespace: str) -> str:
    """Registered, Registering, NotRegistered, …"""
    with translated(f"looking whether {namespace} is registered"):
        answer = resources.send("GET", f"{_provider(resources, namespace)}?api-version={_PROVIDERS_API}")
    return str(answer.get("registrationState") or "")


def register(resources: Resources, namespace: str) -> str:
    """Asks for the registration, which goes on by itself; the state after it."""
    needs = "Registering takes Contributor or Owner of the subscription."
    with translated(f"registering {namespace}", changed="Nothing was changed by this request.", next_step=needs):
        answer = resources.send("POST", f"{_provider(resources, namespace)}/register?api-version={_PROVIDERS_API}")
    return str(answer.get("registrationState") or "")


def availability(resources: Resources, kind: str, name: str) -> Availability:
    """kind: STORAGE_ACCOUNT or VAULT. A resource of the subscription itself counts as taken too."""
    namespace = kind.partition("/")[0]
    url = f"{_provider(resources, namespace)}/checkNameAvailability?api-version={_CHECKS[kind]}"
    with translated(f"looking whether the name {name} is free"):
        answer = resources.send("POST", url, {"name": name, "type": kind})
    return Availability(free=answer.get("nameAvailable") is True, why=str(answer.get("message") or ""))


def deleted_vault(resources: Resources, location: str, name: str) -> str | None:
    """The id that a vault had which the subscription itself deleted, and keeps; None where there is no such one
    (https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/get-deleted)."""
    url = f"{_provider(resources, 'Microsoft.KeyVault')}/locations/{location}/deletedVaults/{name}"
    with translated(f"looking whether vault {name} was deleted"):
        try:
            found = resources.send("GET", f"{url}?api-version={_CHECKS[VAULT]}")
        except HttpResponseError as error:
            if error.status_code == 404:
                return None
            raise
    return str((found.get("properties") or {}).get("vaultId") or "")


def _provider(resources: Resources, namespace: str) -> str:
    return f"/subscriptions/{resources.subscription_id}/providers/{namespace}"
