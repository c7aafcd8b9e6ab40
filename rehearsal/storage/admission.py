"""Who may do what on the blob service, before Azurite sees the request."""

from __future__ import annotations

import re
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from starlette.requests import Request

from rehearsal.entra.directory import InvalidToken
from rehearsal.network import lets_in
from rehearsal.storage.permissions import needed
from rehearsal.storage.refusals import CHALLENGE, Refused, not_implemented, unauthenticated
from rehearsal.storage.signature import authorization
from rehearsal.world import World

AUDIENCES = frozenset({"https://storage.azure.com", "https://storage.azure.com/"})
ACCOUNTS = "Microsoft.Storage/storageAccounts"
# Between two machines only (RFC 9110, 7.6.1), or settled by this front.
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "proxy-connection", "te", "upgrade", "expect"})
# Data Lake's own calls carry one of these; tools that speak the blob service at a .dfs. hostname carry none.
DATA_LAKE_ONLY = ("resource", "action", "mode", "recursive")
# With a token only: under a key, Azurite checks each part of a batch itself.
UNSUPPORTED_WITH_TOKEN = {
    "batch": "blob batch with a token",
    "userdelegationkey": "user delegation keys",
    "blobs": "search by tags with a token",
}
_REASONS = {
    "audience": "Audience validation failed. Audience did not match.",
    "expired": "Lifetime validation failed. The token is expired.",
    "not yet valid": "Lifetime validation failed. The token is not yet valid.",
    "issuer": "Issuer validation failed. Issuer did not match.",
    "tenant": "Issuer validation failed. Issuer did not match.",
    "signature": "Signature validation failed. Signature verification failed.",
}


def admitted(world: World, request: Request) -> dict[str, str]:
    """The headers to go to Azurite with. Raises Refused."""
    host = request.url.hostname or ""
    account = host.partition(".")[0]
    resource = world.resources.find(ACCOUNTS, account)
    if resource is None:
        # Unverified: the name of an account that does not exist resolves to nothing, so a real client gets no answer at all.
        raise Refused(404, "ResourceNotFound", f"There is no storage account {account} in this rehearsal.")
    if not lets_in(resource.get("properties", {})):
        # Before anything else is looked at; code and sentence as in github.com/microsoft/AzureStorageExplorer issue 9150.
        raise Refused(403, "AuthorizationFailure", "This request is not authorized to perform this operation.")
    if (name := next((name for name, value in request.headers.items() if not value.isascii()), None)) is not None:
        sentence = "The value for one of the HTTP headers is not in the correct format."
        raise Refused(400, "InvalidHeaderValue", sentence, detail=f"HeaderName: {name}")
    if not _is_address(request.scope["raw_path"]):  # Azurite breaks on it
        raise Refused(400, "InvalidUri", "The requested URI does not represent any resource on the server.")
    _refuse_unsupported(host, request)
    headers = {name: value for name, value in request.headers.items() if name not in HOP_BY_HOP}
    scheme = headers.get("authorization", "").partition(" ")[0].lower()
    if scheme in ("sharedkey", "sharedkeylite") or "sig" in request.query_params:
        if resource.get("properties", {}).get("allowSharedKeyAccess") is False:
            sentence = "Key based authentication is not permitted on this storage account."
            raise Refused(403, "KeyBasedAuthenticationNotPermitted", sentence)
        return headers
    if scheme != "bearer":
        sentence = (
            "Server failed to authenticate the request. Please refer to the information in the www-authenticate header."
        )
        raise Refused(401, "NoAuthenticationInformation", sentence, headers=CHALLENGE)
    _authorise(world, str(resource["id"]), request, headers["authorization"])
    return _signed(world, account, request, headers)


def _is_address(raw_path: bytes) -> bool:
    """Whether each percent sign of a path begins a byte, and its bytes are UTF-8."""
    if re.search(rb"%(?![0-9A-Fa-f]{2})", raw_path):
        return False
    try:
        unquote_to_bytes(raw_path).decode()
    except UnicodeDecodeError:
        return False
    return True


def _refuse_unsupported(host: str, request: Request) -> None:
    query = request.query_params
    if ".dfs." in host and (request.method == "PATCH" or any(name in query for name in DATA_LAKE_ONLY)):
        what = next((f"{name}={query[name]}" for name in DATA_LAKE_ONLY if name in query), "path update")
        raise not_implemented(f"Data Lake calls on .dfs. hostnames ({request.method}, {what}); blob calls work there")
    source = request.headers.get("x-ms-copy-source")
    if source is not None and (urlsplit(source).hostname or "").lower() != host:
        raise not_implemented("copies from another account")  # Azurite would fetch it itself, past the gateway


def _authorise(world: World, resource_id: str, request: Request, header: str) -> None:
    try:
        principal = world.directory.verify(header, AUDIENCES, tenant=world.resources.tenant_of(resource_id))
    except InvalidToken as invalid:
        raise unauthenticated(_REASONS.get(invalid.reason, "The token is malformed.")) from None
    if (what := UNSUPPORTED_WITH_TOKEN.get(request.query_params.get("comp", ""))) is not None:
        raise not_implemented(what)
    need = needed(request.method, request.url.path, request.query_params)
    scope = f"{resource_id}/blobServices/default" + (f"/containers/{need.container}" if need.container else "")
    if not any(world.roles.allowed(principal.object_id, scope, action, data=need.data) for action in need.actions):
        sentence = "This request is not authorized to perform this operation using this permission."
        raise Refused(403, "AuthorizationPermissionMismatch", sentence)


def _signed(world: World, account: str, request: Request, headers: dict[str, Any]) -> dict[str, str]:
    """The same request under the account's own key: Azurite knows no roles, and takes tokens that nobody signed."""
    key, _ = world.storage_accounts.ensure(account)
    headers = {name: value for name, value in headers.items() if name not in ("authorization", "date")}
    headers["x-ms-date"] = formatdate(world.clock(), usegmt=True)
    headers["authorization"] = authorization(
        account=account,
        key=key,
        method=request.method,
        path=request.scope["raw_path"].decode("ascii"),
        query=request.query_params.multi_items(),
        headers=headers,
    )
    return headers
