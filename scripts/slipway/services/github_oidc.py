"""Tokens of a GitHub Actions job, by which it stands for an application that trusts the repository.

A job with `permissions: id-token: write` gets ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN. A GET with the
audience added to that address gives `{"value": token}`
(https://docs.github.com/actions/reference/security/oidc, "Methods for requesting the OIDC token").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from azure.core import PipelineClient
from azure.core.exceptions import ClientAuthenticationError, DecodeError
from azure.core.rest import HttpRequest

from slipway.services.azure_errors import TRANSPORT, scrub

ADDRESS, TOKEN = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
AUDIENCE = "api://AzureADTokenExchange"


def assertion(variables: Mapping[str, str]) -> Callable[[], str]:
    """A function that gives a fresh token each time: one lives for minutes, a release for longer.

    It raises ClientAuthenticationError where GitHub gives none, and what azure-core raises where no answer came.
    """
    address, request_token = variables[ADDRESS], variables[TOKEN]
    separator = "&" if "?" in address else "?"
    url = f"{address}{separator}audience={quote(AUDIENCE, safe='')}"

    def ask() -> str:
        request = HttpRequest("GET", url, headers={"Authorization": f"bearer {request_token}"})
        with PipelineClient[HttpRequest, Any](address, **TRANSPORT) as client:
            try:
                answer = client.send_request(request)
                value = answer.json().get("value") if answer.status_code == 200 else ""
            except (AttributeError, DecodeError):  # JSON of another form, or none
                raise ClientAuthenticationError(
                    "GitHub gave no OIDC token for this job: its answer is of another form"
                ) from None
        if not isinstance(value, str) or not value:
            raise ClientAuthenticationError(
                f"GitHub gave no OIDC token for this job: HTTP {answer.status_code} {scrub(answer.text(), 300)}"
            )
        return value

    return ask
