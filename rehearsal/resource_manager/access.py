"""Who calls, and whether they may: bearer tokens through the directory, permissions through the roles."""

from __future__ import annotations

from rehearsal.entra.directory import InvalidToken, Principal
from rehearsal.resource_manager.errors import ServiceError
from rehearsal.world import World

AUDIENCES = (
    "https://management.core.windows.net/",
    "https://management.core.windows.net",
    "https://management.azure.com/",
    "https://management.azure.com",
)
# Codes and sentences as public issues show them; "signature", "not yet valid" and "issuer" are unverified.
_REFUSALS = {
    "missing": ("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."),
    "malformed": ("InvalidAuthenticationToken", "The access token is invalid."),
    "signature": ("InvalidAuthenticationToken", "The access token signature is invalid."),
    "expired": ("ExpiredAuthenticationToken", "The access token expiry time is earlier than the current time."),
    "not yet valid": ("InvalidAuthenticationToken", "The access token is not valid yet."),
    "audience": (
        "InvalidAuthenticationTokenAudience",
        "The access token has been obtained for wrong audience or resource. It should exactly match with one of the "
        f"allowed audiences {','.join(repr(audience) for audience in AUDIENCES)}.",
    ),
    "issuer": ("InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer."),
}

# github.com/Azure/azure-sdk-for-python issue 38382.
_WRONG_TENANT = (
    "The access token is from the wrong issuer '{found}'. It must match the tenant 'https://sts.windows.net/{tenant}/' "
    "associated with this subscription. Please use the authority (URL) 'https://login.windows.net/{tenant}' to get the token. "
    "Note, if the subscription is transferred to another tenant there is no impact to the services, but information about new "
    "tenant could take time to propagate (up to an hour). If you just transferred your subscription and see this error message, "
    "please try back later."
)


def authenticate(world: World, authorization: str | None, path: str) -> Principal:
    """The caller, of the tenant of the subscription that `path` is in. Raises ServiceError 401."""
    tenant = world.resources.tenant_of(path)
    try:
        return world.directory.verify(authorization, AUDIENCES, tenant=tenant)
    except InvalidToken as error:
        code, message = _REFUSALS.get(error.reason, _REFUSALS["issuer"])
        if error.reason == "tenant":
            message = _WRONG_TENANT.format(found=error.issuer, tenant=tenant)
        challenge = (
            'Bearer authorization_uri="https://login.microsoftonline.com/common", '
            f'error="invalid_token", error_description="{message}"'
        )
        raise ServiceError(401, code, message, headers={"WWW-Authenticate": challenge}) from error


def may(world: World, caller: Principal, scope: str, action: str) -> bool:
    return world.roles.allowed(caller.object_id, scope or "/", action)


def require(world: World, caller: Principal, scope: str, action: str) -> None:
    """Raises ServiceError 403 when the caller may not do that."""
    if not may(world, caller, scope, action):
        raise ServiceError(
            403,
            "AuthorizationFailed",
            f"The client '{caller.app_id}' with object id '{caller.object_id}' does not have authorization to perform "
            f"action '{action}' over scope '{scope or '/'}' or the scope is invalid. If access was recently granted, "
            "please refresh your credentials.",
        )
