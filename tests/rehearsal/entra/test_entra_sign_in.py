"""Signing in with azure-identity, as a release does: with a secret, and as a pipeline."""

from __future__ import annotations

import os
from typing import Any

import jwt
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import AzurePipelinesCredential, ClientSecretCredential

from rehearsal.entra.keys import SigningKey
from tests.rehearsal.gateway.local_cloud import APP, OBJECT, SECRET, SUBSCRIPTION, TENANT, LocalCloud

LOGIN = f"https://login.microsoftonline.com/{TENANT}"
MANAGEMENT = "https://management.azure.com/.default"
CONNECTION = "0a0a0a0a-1111-4222-8333-444444444444"
PIPELINE_APP = "99999999-0000-4111-8222-333333333333"


def ask(path: str = "oauth2/v2.0/token", tenant: str = LOGIN, **form: str) -> requests.Response:
    fields = {"grant_type": "client_credentials", "client_id": APP, "client_secret": SECRET, "scope": MANAGEMENT}
    return requests.post(f"{tenant}/{path}", data={**fields, **form}, timeout=10)


def refusal(answer: requests.Response) -> tuple[int, str, int]:
    body = answer.json()
    assert body["error_description"].startswith(f"AADSTS{body['error_codes'][0]}: ")
    assert {"trace_id", "correlation_id", "timestamp"} <= set(body)
    return answer.status_code, body["error"], body["error_codes"][0]


@pytest.mark.parametrize(
    "resource",
    [
        "https://management.azure.com",
        "https://management.core.windows.net/",
        "https://vault.azure.net",
        "https://storage.azure.com",
        "https://graph.microsoft.com",
        "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d",
    ],
)
def test_a_client_secret_gives_a_token_that_the_published_keys_verify(cloud: LocalCloud, resource: str) -> None:
    token = cloud.credential().get_token(f"{resource}/.default").token
    metadata = requests.get(f"{LOGIN}/v2.0/.well-known/openid-configuration", timeout=10).json()
    keys = jwt.PyJWKSet.from_dict(requests.get(metadata["jwks_uri"], timeout=10).json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key.key, algorithms=["RS256"], audience=resource)
    assert claims["iss"] == f"https://sts.windows.net/{TENANT}/"
    assert (claims["oid"], claims["tid"], claims["appid"]) == (OBJECT, TENANT, APP)
    assert claims["exp"] - claims["iat"] == 3599
    assert claims["idtyp"] == "app"


def test_the_older_endpoint_takes_a_resource(cloud: LocalCloud) -> None:
    answer = ask("oauth2/token", resource="https://management.azure.com/").json()
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert claims["aud"] == "https://management.azure.com/"
    assert answer["expires_in"] == "3599"


def test_client_and_secret_may_come_in_a_header(cloud: LocalCloud) -> None:
    form = {"grant_type": "client_credentials", "scope": MANAGEMENT}
    answer = requests.post(f"{LOGIN}/oauth2/v2.0/token", data=form, auth=(APP, SECRET), timeout=10)
    assert answer.json()["token_type"] == "Bearer"
    wrong = requests.post(f"{LOGIN}/oauth2/v2.0/token", data=form, auth=(APP, "wrong"), timeout=10)
    assert refusal(wrong) == (401, "invalid_client", 7000215)
    nonsense = {"Authorization": "Basic %%%"}
    assert refusal(requests.post(f"{LOGIN}/oauth2/v2.0/token", data=form, headers=nonsense, timeout=10))[2] == 900144


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"client_secret": "wrong"}, (401, "invalid_client", 7000215)),
        ({"client_secret": ""}, (401, "invalid_client", 7000218)),
        ({"client_id": "12121212-0000-4000-8000-000000000000"}, (400, "unauthorized_client", 700016)),
        ({"scope": "https://example.org/.default"}, (400, "invalid_resource", 500011)),
        ({"scope": "https://management.azure.com/user_impersonation"}, (400, "invalid_scope", 1002012)),
        ({"scope": ""}, (400, "invalid_request", 900144)),
        ({"grant_type": "password"}, (400, "unsupported_grant_type", 70003)),
        ({"client_id": ""}, (400, "invalid_request", 900144)),
        ({"grant_type": ""}, (400, "invalid_request", 900144)),
    ],
)
def test_refusals_have_their_codes(cloud: LocalCloud, form: dict[str, str], expected: tuple[int, str, int]) -> None:
    answer = ask(**form)
    assert refusal(answer) == expected
    assert SECRET not in answer.text


def test_an_unknown_tenant(cloud: LocalCloud) -> None:
    answer = ask(tenant="https://login.microsoftonline.com/00000000-1111-4222-8333-444444444444")
    assert refusal(answer) == (400, "invalid_request", 90002)


@pytest.mark.parametrize(
    ("tenant", "code"),
    [
        ("not-a-tenant", 900023),
        ("{{tenantid}}", 900023),
        ("contoso.onmicrosoft.com", 90002),
        ("common", 50059),
        ("organizations", 50059),
    ],
)
def test_a_tenant_that_is_none(cloud: LocalCloud, tenant: str, code: int) -> None:
    assert refusal(ask(tenant=f"https://login.microsoftonline.com/{tenant}")) == (400, "invalid_request", code)


@pytest.mark.parametrize("path", ["oauth2/v2.0/token", "oauth2/token"])
def test_only_post_gives_tokens(cloud: LocalCloud, path: str) -> None:
    assert refusal(requests.get(f"{LOGIN}/{path}", timeout=10)) == (400, "invalid_request", 900561)


def test_bodies_that_are_no_form(cloud: LocalCloud) -> None:
    address = f"{LOGIN}/oauth2/v2.0/token"
    assert refusal(requests.post(address, json={"grant_type": "client_credentials"}, timeout=10))[2] == 900144
    assert refusal(requests.post(address, data=b"\xff\x00", timeout=10))[2] == 900144
    assert requests.post(address, data=b"&" * 20_000_000, timeout=30).status_code == 413


def test_discovery_says_where_everything_is(cloud: LocalCloud) -> None:
    for version, issuer in (("", f"https://sts.windows.net/{TENANT}/"), ("/v2.0", f"{LOGIN}/v2.0")):
        said = requests.get(f"{LOGIN}{version}/.well-known/openid-configuration", timeout=10).json()
        assert said["issuer"] == issuer
        assert requests.get(said["jwks_uri"], timeout=10).json()["keys"][0]["kty"] == "RSA"
        assert requests.post(said["token_endpoint"], timeout=10).json()["error_codes"] == [900144]
    unknown = requests.get(
        f"https://login.microsoftonline.com/{CONNECTION}/.well-known/openid-configuration", timeout=10
    )
    assert unknown.json()["error_codes"] == [90002]


def test_an_application_of_another_tenant_is_not_found(cloud: LocalCloud) -> None:
    other = "00000000-aaaa-4222-8333-444444444444"
    cloud.call(lambda: cloud.world.directory.add_tenant(other))
    assert refusal(ask(tenant=f"https://login.microsoftonline.com/{other}"))[2] == 700016


def test_azure_identity_shows_the_code(cloud: LocalCloud) -> None:
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        cloud.credential(secret="wrong").get_token(MANAGEMENT)
    missing = ClientSecretCredential("00000000-1111-4222-8333-444444444444", APP, SECRET)
    with pytest.raises(ClientAuthenticationError, match="double check your tenant"):
        missing.get_token(MANAGEMENT)


def test_what_the_rehearsal_has_not_is_refused_by_name(cloud: LocalCloud) -> None:
    answer = requests.post(f"{LOGIN}/oauth2/v2.0/devicecode", data={}, timeout=10)
    assert answer.status_code == 501
    assert "/oauth2/v2.0/devicecode" in answer.json()["error_description"]


# The pipeline: federation


@pytest.fixture
def job(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> str:
    """An open job of a pipeline whose service connection federates with an application; its System.AccessToken."""

    def seed() -> tuple[str, str]:
        directory = cloud.world.directory
        directory.add_service_principal(
            tenant_id=TENANT,
            app_id=PIPELINE_APP,
            object_id="98989898-0000-4111-8222-333333333333",
            display_name="Release",
        )
        directory.add_federation(
            app_id=PIPELINE_APP, issuer=cloud.devops.issuer, subject="sc://slipway/Slipway/slipway-dev"
        )
        cloud.devops.add_service_connection(
            id=CONNECTION,
            name="slipway-dev",
            client_id=PIPELINE_APP,
            tenant_id=TENANT,
            subscription_id=SUBSCRIPTION,
            older=True,
        )
        return cloud.devops.open_job("Deploy.dev")

    token, address = cloud.call(seed)
    monkeypatch.setenv("SYSTEM_OIDCREQUESTURI", address)
    return token


def pipeline(token: str, *, app: str = PIPELINE_APP, connection: str = CONNECTION) -> AzurePipelinesCredential:
    return AzurePipelinesCredential(
        tenant_id=TENANT,
        client_id=app,
        service_connection_id=connection,
        system_access_token=token,
        retry_total=0,
    )


def test_a_pipeline_signs_in_with_two_requests_per_audience(cloud: LocalCloud, job: str) -> None:
    before = cloud.gateway.requests.copy()
    token = pipeline(job).get_token(MANAGEMENT).token
    assert jwt.decode(token, options={"verify_signature": False})["appid"] == PIPELINE_APP
    assert cloud.gateway.requests - before == {"dev.azure.com": 1, "login.microsoftonline.com": 1}


def test_a_wrong_system_token_leads_to_a_sign_in_page(cloud: LocalCloud, job: str) -> None:
    with pytest.raises(ClientAuthenticationError) as caught:
        pipeline("wrong-token").get_token(MANAGEMENT)
    assert "wrong-token" not in str(caught.value)
    address = os.environ["SYSTEM_OIDCREQUESTURI"]
    bare = requests.post(f"{address}?serviceConnectionId={CONNECTION}", timeout=10, allow_redirects=False)
    assert (bare.status_code, bare.headers["location"]) == (302, "https://dev.azure.com/_signin")


def test_a_jobs_token_ends_with_the_job(cloud: LocalCloud, job: str) -> None:
    cloud.call(lambda: cloud.devops.close_job("Deploy.dev"))
    with pytest.raises(ClientAuthenticationError):
        pipeline(job).get_token(MANAGEMENT)


def test_a_token_of_one_job_does_not_open_another(cloud: LocalCloud, job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, other_address = cloud.call(lambda: cloud.devops.open_job("Deploy.test"))
    monkeypatch.setenv("SYSTEM_OIDCREQUESTURI", other_address)
    with pytest.raises(ClientAuthenticationError):
        pipeline(job).get_token(MANAGEMENT)


def test_an_unknown_service_connection(cloud: LocalCloud, job: str) -> None:
    with pytest.raises(ClientAuthenticationError):
        pipeline(job, connection="dddddddd-0000-4000-8000-000000000000").get_token(MANAGEMENT)


def test_an_application_without_that_federation(cloud: LocalCloud, job: str) -> None:
    with pytest.raises(ClientAuthenticationError, match="AADSTS70021"):
        pipeline(job, app=APP).get_token(MANAGEMENT)


def assert_with(assertion: str, **form: str) -> tuple[int, str, int]:
    fields = {
        "grant_type": "client_credentials",
        "client_id": PIPELINE_APP,
        "scope": MANAGEMENT,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
    }
    return refusal(requests.post(f"{LOGIN}/oauth2/v2.0/token", data={**fields, **form}, timeout=10))


def claims_of(cloud: LocalCloud, **changes: Any) -> dict[str, Any]:
    now = int(cloud.clock())
    return {
        "iss": cloud.devops.issuer,
        "sub": "sc://slipway/Slipway/slipway-dev",
        "aud": "api://AzureADTokenExchange",
        "nbf": now,
        "exp": now + 600,
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sub": "sc://slipway/Slipway/slipway-prod"}, 700213),
        ({"sub": "sc://Slipway/slipway/slipway-dev"}, 7002138),
        ({"iss": "https://example.org/"}, 700211),
        ({"aud": "api://Other"}, 700212),
        ({"exp": 1_000}, 700024),
        ({"nbf": 4_000_000_000, "exp": 4_000_000_600}, 700024),
        ({"exp": "soon"}, 50027),
    ],
)
def test_an_assertion_that_does_not_match(cloud: LocalCloud, job: str, changes: dict[str, Any], code: int) -> None:
    assertion = cloud.call(lambda: cloud.devops.sign(claims_of(cloud, **changes)))
    assert assert_with(assertion) == (401, "invalid_client", code)


def test_a_forged_assertion(cloud: LocalCloud, job: str) -> None:
    forged = SigningKey.kept_in({}, "somebody else's").sign(claims_of(cloud))
    assert assert_with(forged) == (401, "invalid_client", 700027)
    unsigned = jwt.encode(claims_of(cloud), key="", algorithm="none")
    assert assert_with(unsigned) == (401, "invalid_client", 700027)
    secret = jwt.encode(claims_of(cloud), key="x" * 32, algorithm="HS256")
    assert assert_with(secret) == (401, "invalid_client", 700027)
    assert assert_with("this is no token") == (401, "invalid_client", 50027)


def test_an_issuer_whose_key_nobody_knows(cloud: LocalCloud, job: str) -> None:
    issuer, subject = "https://token.actions.githubusercontent.com", "repo:slipway"
    cloud.call(lambda: cloud.world.directory.add_federation(app_id=PIPELINE_APP, issuer=issuer, subject=subject))
    signed = cloud.call(lambda: cloud.devops.sign(claims_of(cloud, iss=issuer, sub=subject)))
    assert assert_with(signed) == (401, "invalid_client", 700027)


def test_an_oidc_token_is_worth_nothing_after_ten_minutes(cloud: LocalCloud, job: str) -> None:
    assertion = cloud.call(lambda: cloud.devops.oidc_token(CONNECTION)) or ""
    cloud.clock.ahead = 601.0
    assert assert_with(assertion) == (401, "invalid_client", 700024)
