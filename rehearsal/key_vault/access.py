"""Who may do what on a vault: a token for vaults, and a role on it, or one of its access policies where it has no roles.

Sources: https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses,
https://learn.microsoft.com/azure/key-vault/general/rbac-guide, https://learn.microsoft.com/azure/key-vault/general/assign-access-policy.
The firewall is looked at after the token, for its refusal names the caller; where it stands among the other checks is unverified.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from rehearsal.entra.directory import InvalidToken, Principal
from rehearsal.key_vault.rules import VaultError
from rehearsal.network import ADDRESS, lets_in
from rehearsal.world import World

AUDIENCES = frozenset({"https://vault.azure.net", "https://vault.azure.net/"})
# Those of Microsoft's specifications and clients (azure-keyvault-secrets 4.12 asks for the last). Unverified: previews.
VERSIONS = ("2015-06-01", "2016-10-01", "7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01", "2026-04-01")
VAULTS = "Microsoft.KeyVault/vaults"
# What an access policy calls the data action of a role.
POLICY_WORDS = {
    "secrets/readMetadata/action": "list",
    "secrets/getSecret/action": "get",
    "secrets/setSecret/action": "set",
    "secrets/update/action": "set",
    "secrets/delete": "delete",
    "secrets/recover/action": "recover",
    "secrets/purge/action": "purge",
    "secrets/backup/action": "backup",
    "secrets/restore/action": "restore",
}


class Challenge(Exception):
    """401 with the words that tell a client where to get which token."""

    def __init__(self, text: str, tenant: str) -> None:
        super().__init__(text)
        self.text, self.tenant = text, tenant


def admitted(world: World, name: str, action: str, request: Request) -> dict[str, Any]:
    """The vault's resource, when the caller may do this on it. Raises Challenge or VaultError.

    A role may also be assigned at one secret (…/vaults/<vault>/secrets/<name>).
    """
    vault = world.resources.find(VAULTS, name)
    if vault is None:
        # Unverified: the name of a vault that does not exist resolves to nothing, so a real client gets no answer at all.
        raise VaultError(404, "VaultNotFound", f"There is no key vault {name} in this rehearsal.")
    tenant = str(vault["properties"].get("tenantId", ""))
    try:
        caller = world.directory.verify(request.headers.get("authorization"), AUDIENCES, tenant=tenant)
    except InvalidToken as invalid:
        raise Challenge(_why(invalid, tenant), tenant) from None
    if not lets_in(vault["properties"]):
        raise _forbidden_by_firewall(caller, vault, tenant)
    if not vault["properties"].get("enableRbacAuthorization"):
        _check_policies(caller, vault, POLICY_WORDS[action])
    else:
        secret = request.path_params.get("name")
        scope = f"{vault['id']}/secrets/{secret}" if secret else str(vault["id"])
        if not world.roles.allowed(caller.object_id, scope, f"{VAULTS}/{action}", data=True):
            raise _forbidden_by_roles(caller, vault, scope, action)
    _check_version(request.query_params.get("api-version"))
    return vault


def _check_version(version: str | None) -> None:
    if not version:
        raise VaultError(400, "BadParameter", "api-version must be specified")
    if version not in VERSIONS:  # github.com/Azure/azure-sdk-for-python issue 28595
        raise VaultError(
            400,
            "BadParameter",
            f"The specified version ({version}) is not recognized. Consider using the latest supported version ({VERSIONS[-1]}).",
        )


def _why(invalid: InvalidToken, tenant: str) -> str:
    """Sentences as in github.com/argoproj-labs/argocd-vault-plugin issue 621 (audience) and github.com/Azure/azure-sdk-for-js
    issue 12539 (issuer); unverified: the others' numbers."""
    if invalid.reason == "missing":
        return "AKV10000: Request is missing a Bearer or PoP token."
    if invalid.reason == "audience":
        return f"AKV10022: Invalid audience. Expected https://vault.azure.net, found: {invalid.audience}."
    if invalid.reason in ("tenant", "issuer"):
        expected = f"https://sts.windows.net/{tenant}/"
        return f"AKV10032: Invalid issuer. Expected one of {expected}, found {invalid.issuer}."
    return (
        f"AKV10046: Unable to resolve the key used for signature validation: {invalid}."
        if (invalid.reason == "signature")
        else f"AKV10023: Invalid token: {invalid}."
    )


def _forbidden_by_firewall(caller: Principal, vault: dict[str, Any], tenant: str) -> VaultError:
    """learn.microsoft.com/azure/key-vault/general/common-error-codes, the lines as in github.com/MicrosoftDocs/azure-devops-docs
    issue 8581. Unverified: code and sentence for a vault that is closed to the internet."""
    place = f"Vault: {vault['name']};location={vault.get('location')}"
    if str(vault["properties"].get("publicNetworkAccess", "")).lower() == "disabled":
        text = "Public network access is disabled and request is not from a trusted service nor via an approved private link."
        inner = "ForbiddenByConnection"
    else:
        text = f"Client address is not authorized and caller is not a trusted service.\r\nClient address: {ADDRESS}"
        inner = "ForbiddenByFirewall"
    caller_is = f"Caller: appid={caller.app_id};oid={caller.object_id};iss=https://sts.windows.net/{tenant}/"
    return VaultError(403, "Forbidden", f"{text}\r\n{caller_is}\r\n{place}", inner=inner)


def _forbidden_by_roles(caller: Principal, vault: dict[str, Any], scope: str, action: str) -> VaultError:
    return VaultError(
        403,
        "Forbidden",
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions "
        f"were changed recently, please observe propagation time.\r\nCaller: appid={caller.app_id};oid={caller.object_id}\r\n"
        f"Action: '{VAULTS}/{action}'\r\nResource: '{scope.lower()}'\r\nAssignment: (not found)\r\n"
        f"DenyAssignmentId: null\r\nDecisionReason: null \r\nVault: {vault['name']};location={vault.get('location')}\r\n",
        inner="ForbiddenByRbac",
    )


def _check_policies(caller: Principal, vault: dict[str, Any], word: str) -> None:
    for policy in vault["properties"].get("accessPolicies") or []:
        granted = {str(one).lower() for one in (policy.get("permissions") or {}).get("secrets") or []}
        if str(policy.get("objectId", "")).lower() == caller.object_id.lower() and granted & {word, "all"}:
            return
    raise VaultError(
        403,
        "Forbidden",
        f"The user, group or application 'appid={caller.app_id};oid={caller.object_id}' does not have secrets {word} permission "
        f"on key vault '{vault['name']};location={vault.get('location')}'. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125287",
        inner="AccessDenied",
    )
