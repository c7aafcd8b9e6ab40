"""Signing in from a GitHub job: a fresh assertion for each token, and what a person reads when there is none."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from slipway.errors import AuthenticationError, ServiceError
from slipway.services.credentials import Credential, credential
from tests.unit.services.conftest import Answer, Moment, Sent, Wire

ADDRESS = "https://pipelines.actions.githubusercontent.com/abc/_apis/idtoken/1/2?api-version=2.0"
JOB = {
    "GITHUB_ACTIONS": "true",
    "AZURE_CLIENT_ID": "4e1b2a3c-0d5f-4a6b-8c7d-9e8f7a6b5c4d",
    "AZURE_TENANT_ID": "7a6f3c1e-52d4-4b8e-9d0a-1f2e3d4c5b6a",
    "ACTIONS_ID_TOKEN_REQUEST_URL": ADDRESS,
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
}


def entra(wire: Wire, lifetime: int) -> None:
    """Entra ID gives tokens in turn, of so many seconds, and GitHub assertions in turn."""
    given = {"assertion": 0, "token": 0}

    def assertion(_: Sent) -> Answer:
        given["assertion"] += 1
        return Answer(body={"value": f"assertion-{given['assertion']}"})

    def token(sent: Sent) -> Answer:
        given["token"] += 1
        form = parse_qs(sent.body.decode())
        value = f"{form['client_assertion'][0]} for {form['scope'][0]}"
        return Answer(body={"token_type": "Bearer", "expires_in": lifetime, "access_token": value})

    wire.on("GET", r"//pipelines\.actions\.githubusercontent\.com/", assertion)
    wire.on("POST", r"//login\.microsoftonline\.com/.*/oauth2/v2\.0/token", token)


def test_each_token_is_asked_for_with_a_fresh_assertion(wire: Wire) -> None:
    entra(wire, lifetime=0)  # each has ended, as after an hour of a long release
    identity = credential(JOB)
    first, second = identity.get_token("a/.default").token, identity.get_token("a/.default").token
    assert (first, second) == ("assertion-1 for a/.default", "assertion-2 for a/.default")
    asked = next(sent for sent in wire.sent if sent.method == "GET")
    assert asked.headers["Authorization"] == "bearer request-token"
    query = parse_qs(urlsplit(asked.url).query)
    assert query == {"api-version": ["2.0"], "audience": ["api://AzureADTokenExchange"]}


def test_a_token_that_lasts_is_asked_for_once(wire: Wire) -> None:
    entra(wire, lifetime=3600)
    identity = credential(JOB)
    assert identity.bearer("a/.default")() == identity.bearer("a/.default")()
    assert wire.count("POST") == wire.count("GET") == 1


@pytest.mark.parametrize("missing", ["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
def test_a_job_that_may_not_ask_says_which_permission_it_lacks(missing: str) -> None:
    with pytest.raises(AuthenticationError) as refused:
        credential({**JOB, missing: ""})
    assert "id-token: write" in refused.value.next_step


@pytest.mark.parametrize("body", [b"<html>no</html>", {"value": ""}, {"other": 1}, []])
@pytest.mark.parametrize("status", [200, 403])
def test_no_assertion_is_a_readable_refusal(wire: Wire, body: object, status: int) -> None:
    wire.on("GET", "pipelines", Answer(status, body))
    with pytest.raises(AuthenticationError) as refused:
        credential(JOB).get_token("a/.default")
    assert "GitHub gave no OIDC token" in refused.value.what
    assert "<html" not in refused.value.what
    assert "id-token: write" in refused.value.next_step
    assert "request-token" not in str(refused.value)


def test_another_subject_than_the_federated_one_is_named(wire: Wire) -> None:
    entra(wire, lifetime=60)
    text = "AADSTS700213: No matching federated identity record found for presented assertion subject 'repo:o@1/r@2:x'."
    wire.on("POST", "oauth2/v2.0/token", Answer(401, {"error": "invalid_client", "error_description": text}))
    with pytest.raises(AuthenticationError) as refused:
        credential(JOB).get_token("a/.default")
    assert "'repo:o@1/r@2:x'" in refused.value.what
    assert "federated credential" in refused.value.next_step


def test_no_answer_is_no_refusal(wire: Wire, monkeypatch: pytest.MonkeyPatch, moment: Moment) -> None:
    monkeypatch.setattr(
        "azure.core.pipeline.transport.RequestsTransport.sleep", lambda _, seconds: moment.sleep(seconds)
    )

    def lost(_: Sent) -> Answer:
        import requests

        raise requests.ConnectionError("Failed to establish a new connection: refused")

    wire.on("GET", "pipelines", lost)
    with pytest.raises(ServiceError) as failed:
        credential(JOB).get_token("a/.default")
    assert "proxy" in failed.value.next_step


@pytest.mark.parametrize("also", [{"AZURE_CLIENT_SECRET": "x"}, {"AZURE_CLIENT_ID": ""}, {"GITHUB_ACTIONS": ""}])
def test_other_ways_of_signing_in_stay(also: dict[str, str]) -> None:
    identity: Credential = credential({**JOB, **also})
    assert "machine" in identity.who
