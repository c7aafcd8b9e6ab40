"""Parameters that name a secret of a vault in the place of a value.

learn.microsoft.com/azure/azure-resource-manager/templates/key-vault-parameter; codes as public issues show them, sentences
too where nothing else is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.entra.directory import Principal
from rehearsal.resource_manager.access import may
from rehearsal.resource_manager.errors import ServiceError
from rehearsal.resource_manager.identifiers import parse
from rehearsal.resource_manager.template.evaluate import Pending
from rehearsal.world import VaultRefusal, World

Json = Any
_DEPLOY = "Microsoft.KeyVault/vaults/deploy/action"
_USAGE = "Please see https://aka.ms/arm-keyvault for usage details."


def with_secrets(world: World, caller: Principal, given: Mapping[str, Json]) -> Mapping[str, Json]:
    """The parameters, with a value beside each reference. Raises ServiceError."""
    return {
        name: {**entry, "value": _secret(world, caller, name, entry["reference"])}
        if isinstance(entry, dict) and "reference" in entry
        else entry
        for name, entry in given.items()
    }


def _secret(world: World, caller: Principal, parameter: str, reference: Json) -> Json:
    vault_id, name, version = _parts(parameter, reference)
    if isinstance(vault_id, Pending) or isinstance(name, Pending):
        return Pending("[null()]")
    if world.vault_secrets is None:
        # Nothing but the template is known: the value stays unknown.
        return Pending(f"[keyVaultSecret('{vault_id}', '{name}')]")
    try:
        vault = world.resources.get(vault_id) if parse(vault_id).type.lower() == "microsoft.keyvault/vaults" else None
    except ValueError:
        vault = None
    if vault is None:
        raise ServiceError(
            400,
            "KeyVaultParameterReferenceNotFound",
            f"The specified KeyVault '{vault_id}' could not be found. {_USAGE}",
        )
    if not may(world, caller, vault_id, _DEPLOY):
        raise ServiceError(
            403,
            "KeyVaultParameterReferenceAuthorizationFailed",
            f"The client '{caller.app_id}' with object id '{caller.object_id}' does not have permission to perform action "
            f"'{_DEPLOY.upper()}' on the specified KeyVault resource '{vault_id}'. {_USAGE}",
        )
    if not vault["properties"].get("enabledForTemplateDeployment"):
        raise _unreadable(
            parameter, "Forbidden", "The vault is not enabled for template deployment."
        )  # inner text unverified
    try:
        return world.vault_secrets.get(str(vault["name"]), name, version)["value"]
    except VaultRefusal as error:
        raise _unreadable(parameter, "NotFound" if error.status == 404 else "Forbidden", str(error)) from error


def _parts(parameter: str, reference: Json) -> tuple[str, str, str]:
    vault = reference.get("keyVault") if isinstance(reference, dict) else None
    vault_id = vault.get("id") if isinstance(vault, dict) else None
    name = reference.get("secretName") if isinstance(reference, dict) else None
    if not isinstance(vault_id, str) or not isinstance(name, str) or not name:
        raise ServiceError(
            400,
            "InvalidRequestContent",
            f"The request content is not valid: the reference of parameter '{parameter}' needs keyVault.id and secretName.",
        )
    return vault_id, name, str(reference.get("secretVersion") or "")


def _unreadable(parameter: str, status: str, why: str) -> ServiceError:
    return ServiceError(
        400,
        "KeyVaultParameterReferenceSecretRetrieveFailed",
        f"The secret of KeyVault parameter '{parameter}' cannot be retrieved. Http status code: '{status}'. Error message: "
        f"'{why}'. {_USAGE}",
    )
