"""Who signs in to Azure: the pipeline's service connection, a GitHub job, or whatever is at hand on a person's machine.

In Azure Pipelines AzureCLI@2 gives AZURESUBSCRIPTION_CLIENT_ID, _TENANT_ID and _SERVICE_CONNECTION_ID; the agent gives
SYSTEM_OIDCREQUESTURI; the YAML must map SYSTEM_ACCESSTOKEN
(https://learn.microsoft.com/python/api/azure-identity/azure.identity.azurepipelinescredential).

In GitHub Actions the workflow maps AZURE_CLIENT_ID and AZURE_TENANT_ID; the job's own tokens stand for the application
(github_oidc.py).
"""

from __future__ import annotations

import base64
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from slipway.errors import AuthenticationError, ServiceError
from slipway.services.azure_errors import TRANSPORT, innermost, scrub

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, AccessTokenInfo
    from azure.core.exceptions import AzureError

# The first-party application AzureDatabricks, the same in every tenant.
DATABRICKS_SCOPE = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default"
# Audience of the token in X-Databricks-Azure-SP-Management-Token.
MANAGEMENT_SCOPE = "https://management.core.windows.net/.default"

_REFRESH_SECONDS = 300
_GITHUB = ("AZURE_CLIENT_ID", "AZURE_TENANT_ID")
_OTHER_SIGN_INS = ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE")
_PIPELINE = ("AZURESUBSCRIPTION_CLIENT_ID", "AZURESUBSCRIPTION_TENANT_ID", "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID")
# A line per credential in DefaultAzureCredential's text; the first sentence says enough.
_TRIED = re.compile(r"^\s+(\w+Credential): ([^\r\n]*?)(?:\.(?=\s)|$)", re.MULTILINE)
# What urllib3 says when no request got through; credentials put it into a text of their own.
_NO_ANSWER = re.compile(
    r"establish a new connection|connect to proxy|Tunnel connection failed|Failed to resolve|NameResolutionError|"
    r"Connect(?:ion)?Timeout|timed out|CERTIFICATE_VERIFY_FAILED|Connection aborted|RemoteDisconnected"
)
_ENTRA_ERROR = re.compile(r"AADSTS\d+:[^\r\n]*")
# A person's sign-in that has ended: by age or by no use, by a new password, or because a second factor is asked for again
# (https://learn.microsoft.com/entra/identity-platform/reference-error-codes).
_ENDED = re.compile(r"AADSTS(?:700082|700084|70043|70044|50173|50076|50078|50079|50089|50132|50133):")


_FOR_PEOPLE = "Sign in (az login), or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET."
_FOR_STEPS = (
    "This is a step of a pipeline: it signs in where it is an AzureCLI@2 whose service connection has workload identity "
    "federation. One with a secret has not, until somebody converts it: doctor.py, asked by a person, says what it is."
)


class SignInFailed(AuthenticationError):
    """No token: nothing else that needs this identity can work either."""


class SignInUnreachable(ServiceError):
    """No answer from who gives the tokens: the same for all that needs one."""


class Source(Protocol):
    """A credential of azure-identity."""

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken: ...


class Credential:
    """A TokenCredential that asks `source` once per scope until five minutes before the token ends.

    azure-identity's own command-line credentials start a process for every token; the clients made here share this
    cache. Safe to use from several threads. Raises SignInFailed with a readable text, SignInUnreachable where no answer came.
    """

    def __init__(
        self, source: Source, *, who: str, clock: Callable[[], float] = time.time, advice: str = _FOR_PEOPLE
    ) -> None:
        self._source = source
        self._advice = advice
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[tuple[str, ...], AccessToken] = {}
        self.who = who

    def get_token(self, *scopes: str, claims: str | None = None, **kwargs: Any) -> AccessToken:
        if claims:  # a challenge for a fresh token
            return self._ask(scopes, claims=claims, **kwargs)
        with self._lock:
            token = self._tokens.get(scopes)
            if token is None or token.expires_on - self._clock() < _REFRESH_SECONDS:
                token = self._tokens[scopes] = self._ask(scopes, **kwargs)
            return token

    def get_token_info(self, *scopes: str, options: Mapping[str, Any] | None = None) -> AccessTokenInfo:
        from azure.core.credentials import AccessTokenInfo

        token = self.get_token(*scopes, **dict(options or {}))
        return AccessTokenInfo(token.token, token.expires_on)

    def bearer(self, scope: str) -> Callable[[], str]:
        """A function that gives a valid token for `scope` each time it is called."""
        return lambda: self.get_token(scope).token

    def claims(self, scope: str = MANAGEMENT_SCOPE) -> Mapping[str, Any]:
        """What the token says of who is signed in (oid, appid, tid, …), not verified: the services do that. {} where the
        token can't be read, which Entra ID allows itself to change."""
        parts = self.get_token(scope).token.split(".")
        if len(parts) < 2:
            return {}
        try:
            said = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        except ValueError:
            return {}
        return said if isinstance(said, dict) else {}

    def _ask(self, scopes: tuple[str, ...], **kwargs: Any) -> AccessToken:
        from azure.core.exceptions import AzureError

        try:
            return self._source.get_token(*scopes, **kwargs)
        except AzureError as error:
            if _NO_ANSWER.search(str(error)) and not _ENTRA_ERROR.search(str(error)):
                raise self._unreachable(error, scopes) from error
            raise self._refused(str(error), scopes) from error

    def _unreachable(self, error: AzureError, scopes: tuple[str, ...]) -> SignInUnreachable:
        return SignInUnreachable(
            f"Signing in as {self.who} for {', '.join(scopes)} failed: no answer: {innermost(error)}",
            next_step="Look at network, proxy (HTTPS_PROXY), certificates (REQUESTS_CA_BUNDLE) and name resolution between "
            "this machine and the sign-in service, then run again.",
        )

    def _refused(self, message: str, scopes: tuple[str, ...]) -> SignInFailed:
        what = f"Signing in as {self.who} for {', '.join(scopes)} failed: "
        entra = _ENTRA_ERROR.search(message)
        if entra and _ENDED.match(entra.group(0)):
            return SignInFailed(what + scrub(entra.group(0)), next_step="Sign in again: az login")
        if entra:
            return SignInFailed(
                what + scrub(entra.group(0)),
                next_step="Check tenant, application id, and its secret or its federation with the service connection, or with "
                "the GitHub repository (its federated credential must have exactly the subject that is named here).",
            )
        if "GitHub gave no OIDC token" in message:
            return SignInFailed(
                what + scrub(message, 600),
                next_step="Check that the job has `permissions: id-token: write`, also where it calls a reusable workflow.",
            )
        if "OIDC" in message or "<html" in message.lower():
            return SignInFailed(
                what + "Azure DevOps gave no OIDC token for the service connection.",
                next_step="Check that SYSTEM_ACCESSTOKEN is mapped from $(System.AccessToken) in this very step, "
                "and that the pipeline may use the service connection.",
            )
        tried = "".join(f"\n  {name}: {why}" for name, why in _TRIED.findall(message))
        return SignInFailed(
            f"{what}no sign-in was found.{scrub(tried)}" if tried else what + scrub(message, 600),
            next_step=self._advice,
        )


def credential(variables: Mapping[str, str], *, clock: Callable[[], float] = time.time) -> Credential:
    """The identity of this run, from the process environment `variables`. No request is made here.

    Raises SignInFailed when this is a pipeline step whose YAML does not map SYSTEM_ACCESSTOKEN, or a GitHub job that may not
    ask for tokens of its own.
    """
    _hush()
    if all(variables.get(name) for name in _PIPELINE) and variables.get("SYSTEM_OIDCREQUESTURI"):
        return _of_pipeline(variables, clock)
    if _is_github(variables):
        return _of_github(variables, clock)
    from azure.identity import DefaultAzureCredential

    advice = _FOR_STEPS if variables.get("TF_BUILD", "").lower() == "true" else _FOR_PEOPLE
    return Credential(
        DefaultAzureCredential(**TRANSPORT), who="the identity found on this machine", clock=clock, advice=advice
    )


def _hush() -> None:
    """The clients' own log records, which repeat whole answers, stay out of standard error: Python prints warnings there
    that no handler takes."""
    for name in ("azure", "msal", "urllib3"):
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())


def _of_pipeline(variables: Mapping[str, str], clock: Callable[[], float]) -> Credential:
    from azure.identity import AzurePipelinesCredential

    client_id, tenant_id, connection = (variables[name] for name in _PIPELINE)
    if not variables.get("SYSTEM_ACCESSTOKEN"):
        raise SignInFailed(
            "This pipeline step has no SYSTEM_ACCESSTOKEN, so it can't sign in with its service connection.",
            changed="Nothing was changed.",
            next_step='Add to the step:  env: { SYSTEM_ACCESSTOKEN: "$(System.AccessToken)" }',
        )
    source = AzurePipelinesCredential(
        tenant_id=tenant_id,
        client_id=client_id,
        service_connection_id=connection,
        system_access_token=variables["SYSTEM_ACCESSTOKEN"],
        **TRANSPORT,
    )
    return Credential(source, who=f"application {client_id}", clock=clock)


def _is_github(variables: Mapping[str, str]) -> bool:
    """A GitHub job that signs in as an application, and in no other way that azure-identity knows."""
    return (
        variables.get("GITHUB_ACTIONS", "").lower() == "true"
        and all(variables.get(name) for name in _GITHUB)
        and not any(variables.get(name) for name in _OTHER_SIGN_INS)
    )


def _of_github(variables: Mapping[str, str], clock: Callable[[], float]) -> Credential:
    from azure.identity import ClientAssertionCredential

    from slipway.services import github_oidc

    client_id, tenant_id = (variables[name] for name in _GITHUB)
    if not variables.get(github_oidc.ADDRESS) or not variables.get(github_oidc.TOKEN):
        raise SignInFailed(
            f"This GitHub job may not ask for a token of its own, so it can't sign in as application {client_id}.",
            changed="Nothing was changed.",
            next_step="Give the job `permissions: id-token: write` (with `contents: read`), also where it calls a reusable "
            "workflow. A pull request from a fork never gets one.",
        )
    source = ClientAssertionCredential(tenant_id, client_id, github_oidc.assertion(variables), **TRANSPORT)
    return Credential(source, who=f"application {client_id}", clock=clock)
