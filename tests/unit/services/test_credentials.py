"""Who signs in, how often, and what a person reads when it fails."""

from __future__ import annotations

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from slipway.errors import AuthenticationError, ServiceError
from slipway.services.credentials import Credential, credential
from tests.unit.services.conftest import Moment

PIPELINE = {
    "AZURESUBSCRIPTION_CLIENT_ID": "4e1b2a3c-0d5f-4a6b-8c7d-9e8f7a6b5c4d",
    "AZURESUBSCRIPTION_TENANT_ID": "7a6f3c1e-52d4-4b8e-9d0a-1f2e3d4c5b6a",
    "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "c0ffee00-0000-4000-8000-000000000001",
    "SYSTEM_OIDCREQUESTURI": "https://dev.azure.com/slipway/_apis/oidc",
}


class Source:
    def __init__(self, moment: Moment, error: Exception | None = None) -> None:
        self.moment, self.error, self.asked = moment, error, 0

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        self.asked += 1
        if self.error:
            raise self.error
        return AccessToken(f"{scopes[0]}#{self.asked}", int(self.moment.clock()) + 3600)


def test_one_token_per_scope_until_shortly_before_it_ends(moment: Moment) -> None:
    source = Source(moment)
    identity = Credential(source, who="x", clock=moment.clock)
    token = identity.bearer("a/.default")
    assert (token(), token(), identity.get_token("b/.default").token) == (
        "a/.default#1",
        "a/.default#1",
        "b/.default#2",
    )
    moment.now += 3200
    assert token() == "a/.default#1"
    moment.now += 200
    assert token() == "a/.default#3"


def test_a_challenge_asks_again(moment: Moment) -> None:
    source = Source(moment)
    identity = Credential(source, who="x", clock=moment.clock)
    identity.get_token("a")
    identity.get_token("a", claims="{}")
    assert source.asked == 2


def test_the_newer_protocol_of_azure_core(moment: Moment) -> None:
    info = Credential(Source(moment), who="x", clock=moment.clock).get_token_info("a", options={"enable_cae": True})
    assert info.token == "a#1"


def test_a_pipeline_step_without_its_token_says_how_to_map_it() -> None:
    with pytest.raises(AuthenticationError, match="SYSTEM_ACCESSTOKEN") as caught:
        credential(PIPELINE)
    assert "$(System.AccessToken)" in caught.value.next_step


def test_a_pipeline_step_signs_in_as_its_service_connection() -> None:
    identity = credential({**PIPELINE, "SYSTEM_ACCESSTOKEN": "secret-token"})
    assert identity.who == "application 4e1b2a3c-0d5f-4a6b-8c7d-9e8f7a6b5c4d"


def test_by_hand_whatever_is_there() -> None:
    assert "machine" in credential({"PATH": "/bin"}).who


def test_a_step_of_a_pipeline_is_not_told_to_log_in(monkeypatch: pytest.MonkeyPatch, moment: Moment) -> None:
    nothing = ClientAuthenticationError(
        "DefaultAzureCredential failed to retrieve a token.\n\tAzureCliCredential: no az"
    )
    monkeypatch.setattr("azure.identity.DefaultAzureCredential", lambda **_: Source(moment, nothing))
    for variables, expected in (({"TF_BUILD": "True"}, "workload identity federation"), ({}, "az login")):
        with pytest.raises(AuthenticationError) as caught:
            credential(variables).get_token("a")
        assert expected in caught.value.next_step


@pytest.mark.parametrize(
    ("message", "said", "not_said"),
    [
        ("Authentication failed: AADSTS7000215: Invalid client secret.\r\nTrace ID: 1", "AADSTS7000215", "Trace"),
        (
            "Unexpected response from OIDC token endpoint.\nContent: <!DOCTYPE html><html>…",
            "Azure DevOps gave no",
            "html",
        ),
        (
            "DefaultAzureCredential failed to retrieve a token.\nAttempted credentials:\n\tEnvironmentCredential: not "
            "fully configured.\nVisit https://aka.ms/x to troubleshoot.\n\tAzureCliCredential: Azure CLI not found on path",
            "\n  EnvironmentCredential: not fully configured\n  AzureCliCredential: Azure CLI not found on path",
            "aka.ms",
        ),
        ("header eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2ln was wrong", "[removed]", "eyJ"),
    ],
)
def test_a_refusal_is_readable(moment: Moment, message: str, said: str, not_said: str) -> None:
    identity = Credential(Source(moment, ClientAuthenticationError(message)), who="somebody", clock=moment.clock)
    with pytest.raises(AuthenticationError) as caught:
        identity.get_token("a")
    assert said in caught.value.what
    assert not_said not in caught.value.what
    assert caught.value.next_step


@pytest.mark.parametrize(
    "message",
    [
        "('Unable to connect to proxy', NewConnectionError(\"Failed to establish a new connection: refused\"))",
        "DefaultAzureCredential failed to retrieve a token.\nAttempted credentials:\n\tEnvironmentCredential: Authentication "
        "failed: HTTPSConnection(host='login.microsoftonline.com', port=443): Failed to resolve 'login.microsoftonline.com'",
        "Tunnel connection failed: 403 Refused",
    ],
)
def test_no_network_is_no_refusal(moment: Moment, message: str) -> None:
    identity = Credential(Source(moment, ClientAuthenticationError(message)), who="somebody", clock=moment.clock)
    with pytest.raises(ServiceError) as caught:
        identity.get_token("a")
    assert "proxy" in caught.value.next_step
    assert "az login" not in caught.value.next_step
