"""login.microsoftonline.com: discovery and the token endpoints, for the client credentials grant.

Sources: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow and, for error codes,
https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.entra.directory import AZURE_DATABRICKS_APP, Directory
from rehearsal.entra.federation import check_assertion
from rehearsal.entra.refusals import TokenError, missing
from rehearsal.world import World

HOST = "https://login.microsoftonline.com"
LARGEST_FORM = 1024 * 1024
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_ONLY_POST = "The endpoint only accepts POST requests. Received a {} request."
_NO_TENANT = ("common", "organizations", "consumers")
_TENANT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|([a-z0-9-]+\.)+[a-z]{2,}", re.IGNORECASE)
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# What a token can be asked for here. Others are unknown resources, as in a tenant that never consented to them.
RESOURCES = frozenset(
    {
        "https://management.azure.com",
        "https://management.core.windows.net",
        "https://vault.azure.net",
        "https://storage.azure.com",
        "https://graph.microsoft.com",
        AZURE_DATABRICKS_APP,
        "499b84ac-1321-427f-aa17-267ca6975798",  # Azure DevOps
    }
)


def create_app(world: World) -> Starlette:
    """The sign-in service of every tenant of the world's directory."""
    directory = world.directory

    async def token(request: Request) -> Response:
        tenant = request.path_params["tenant"]
        version = 2 if "/v2.0/" in request.url.path else 1
        try:
            if request.method != "POST":
                raise TokenError("invalid_request", 900561, _ONLY_POST.format(request.method))
            form = await _form(request)
            form |= _basic(request.headers.get("authorization", ""))
            return JSONResponse(_issue(directory, tenant, form, version), headers={"Cache-Control": "no-store"})
        except TokenError as error:
            return _refusal(error, world.clock())

    async def metadata(request: Request) -> Response:
        tenant = request.path_params["tenant"]
        v2 = "/v2.0/" in request.url.path
        if not (directory.has_tenant(tenant) or tenant in ("common", "organizations")):
            return _refusal(_unknown_tenant(tenant), world.clock())
        return JSONResponse(_metadata(tenant, v2=v2))

    async def keys(_: Request) -> Response:
        return JSONResponse({"keys": [directory.key.jwk]})

    async def instance(request: Request) -> Response:
        tenant = request.query_params.get("authorization_endpoint", "").removeprefix("https://").split("/")
        name = tenant[1] if len(tenant) > 1 else "common"
        aliases = ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"]
        return JSONResponse(
            {
                "tenant_discovery_endpoint": f"{HOST}/{name}/v2.0/.well-known/openid-configuration",
                "api-version": "1.1",
                "metadata": [
                    {"preferred_network": aliases[0], "preferred_cache": "login.windows.net", "aliases": aliases}
                ],
            }
        )

    async def unknown(request: Request) -> Response:
        return JSONResponse(
            {
                "error": "not_implemented",
                "error_description": f"This rehearsal has no {request.method} {request.url.path} on login.microsoftonline.com.",
            },
            status_code=501,
        )

    return Starlette(
        routes=[
            Route("/common/discovery/instance", instance),
            Route("/{tenant}/.well-known/openid-configuration", metadata),
            Route("/{tenant}/v2.0/.well-known/openid-configuration", metadata),
            Route("/{tenant}/discovery/keys", keys),
            Route("/{tenant}/discovery/v2.0/keys", keys),
            Route("/{tenant}/oauth2/token", token, methods=_METHODS),
            Route("/{tenant}/oauth2/v2.0/token", token, methods=_METHODS),
            Route("/{path:path}", unknown, methods=_METHODS),
        ]
    )


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form; of one that is given twice, the last. Raises TokenError when it is too large to be one."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:  # unverified: the service's own bound and words
            raise TokenError("invalid_request", 90014, "The request body is too large.", 413)
    return {key: values[-1] for key, values in parse_qs(body.decode(errors="replace")).items()}


def _basic(header: str) -> dict[str, str]:
    """Client id and secret from an Authorization header (RFC 6749, 2.3.1), nothing when there is none."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return {}
    try:
        client, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return {}
    return {"client_id": unquote_plus(client), "client_secret": unquote_plus(secret)}


def _issue(directory: Directory, tenant: str, form: Mapping[str, str], version: int) -> dict[str, Any]:
    if not directory.has_tenant(tenant):
        raise _unknown_tenant(tenant)
    for name in ("grant_type", "client_id"):
        if not form.get(name):
            raise missing(name)
    if form["grant_type"] != "client_credentials":
        raise TokenError(
            "unsupported_grant_type",
            70003,
            f"The app requested an unsupported grant type '{form['grant_type']}'. "
            "This rehearsal has client_credentials only.",
        )
    client = form["client_id"]
    principal = directory.by_app_id(client, tenant)
    if principal is None:
        raise TokenError(
            "unauthorized_client",
            700016,
            f"Application with identifier '{client}' was not found in the directory '{tenant}'. This can happen if the "
            "application has not been installed by the administrator of the tenant or consented to by any user in the "
            "tenant. You may have sent your authentication request to the wrong tenant.",
        )
    audience = _audience(form, version)
    _authenticate(directory, client, form)
    token = directory.issue_token(tenant_id=tenant, app_id=principal.app_id, audience=audience, version=1)
    answer: dict[str, Any] = {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token}
    if version == 1:
        answer |= {"expires_in": "3599", "ext_expires_in": "3599", "resource": audience}
    return answer


def _audience(form: Mapping[str, str], version: int) -> str:
    """What the token is for, spelled as it was asked for; a scope's slash before `.default` belongs to the resource."""
    name = "resource" if version == 1 else "scope"
    if not form.get(name):
        raise missing(name)
    wanted = form[name]
    if version != 1:
        scope = wanted.split(" ")[0]
        if not scope.endswith("/.default"):
            raise TokenError(
                "invalid_scope",
                1002012,
                f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value with "
                "/.default suffixed to the resource identifier (application ID URI).",
            )
        wanted = scope.removesuffix("/.default")
    if wanted.rstrip("/") not in RESOURCES:
        raise TokenError(
            "invalid_resource",
            500011,
            f"The resource principal named {wanted} was not found in the tenant. This can happen if the application has not "
            "been installed by the administrator of the tenant or consented to by any user in the tenant.",
        )
    return wanted


def _authenticate(directory: Directory, client: str, form: Mapping[str, str]) -> None:
    if "client_assertion" in form:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise missing("client_assertion_type")
        check_assertion(directory, client, form["client_assertion"])
    elif not form.get("client_secret"):
        raise TokenError(
            "invalid_client",
            7000218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            401,
        )
    elif not directory.secret_matches(client, form["client_secret"]):
        raise TokenError(
            "invalid_client",
            7000215,
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the "
            f"client secret ID, for a secret added to app '{client}'.",
            401,
        )


def _unknown_tenant(tenant: str) -> TokenError:
    if tenant.lower() in _NO_TENANT:
        text = "No tenant-identifying information found in either the request or implied by any provided credentials."
        return TokenError("invalid_request", 50059, text)
    if not _TENANT.fullmatch(tenant):
        text = f"Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain."
        return TokenError("invalid_request", 900023, text)
    return TokenError(
        "invalid_request",
        90002,
        f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct "
        "cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the "
        "tenant.",
    )


def _refusal(error: TokenError, now: float) -> JSONResponse:
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return JSONResponse(
        {
            "error": error.error,
            "error_description": f"AADSTS{error.number}: {error.text} Trace ID: {trace} Correlation ID: {correlation} "
            f"Timestamp: {moment}",
            "error_codes": [error.number],
            "timestamp": moment,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"{HOST}/error?code={error.number}",
        },
        status_code=error.status,
    )


def _metadata(tenant: str, *, v2: bool) -> dict[str, Any]:
    middle = "/oauth2/v2.0" if v2 else "/oauth2"
    return {
        "token_endpoint": f"{HOST}/{tenant}{middle}/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": f"{HOST}/{tenant}/discovery/{'v2.0/' if v2 else ''}keys",
        "response_types_supported": ["code", "id_token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "issuer": f"{HOST}/{tenant}/v2.0" if v2 else f"https://sts.windows.net/{tenant}/",
        "authorization_endpoint": f"{HOST}/{tenant}{middle}/authorize",
        "device_authorization_endpoint": f"{HOST}/{tenant}{middle}/devicecode",
        "end_session_endpoint": f"{HOST}/{tenant}{middle}/logout",
        "tenant_region_scope": None,
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
    }
