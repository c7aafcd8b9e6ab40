"""Which tokens each service takes, and how it says no; and that roles are enforced, and take effect late."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import jwt
import pytest
import requests

from rehearsal.entra.directory import Directory
from rehearsal.entra.keys import SigningKey
from tests.rehearsal.composition.conftest import ROLE_DELAY, StandIns

OTHER_TENANT = "0f0f0f0f-1111-4222-8333-444444444444"
STRANGER = "0a0a0a0a-1111-4222-8333-555555555555"
FOREIGNER = "0b0b0b0b-1111-4222-8333-666666666666"
DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
VAULT, ACCOUNT = "kv-tokens-everywhere", "sttokenseverywhere"


@dataclass(frozen=True)
class Service:
    audience: str
    address: str
    refusal: Callable[[requests.Response], str]


def error_code(answer: requests.Response) -> str:
    return str(answer.json()["error"]["code"])


def error_header(answer: requests.Response) -> str:
    return answer.headers["x-ms-error-code"]


def challenge(answer: requests.Response) -> str:
    return answer.headers["www-authenticate"].partition(" ")[0]


def page(answer: requests.Response) -> str:
    return answer.headers["content-type"].partition(";")[0]


@pytest.fixture
def services(stand_ins: StandIns) -> Mapping[str, Service]:
    azure = stand_ins.environment.azure
    group = f"/subscriptions/{azure.subscription_id}/resourceGroups/rg-tokens"
    stand_ins.server.call(lambda: _deploy(stand_ins, group))
    return {
        "resource manager": Service(
            "https://management.azure.com",
            f"https://management.azure.com/subscriptions/{azure.subscription_id}/resourcegroups?api-version=2024-03-01",
            error_code,
        ),
        "key vault": Service(
            "https://vault.azure.net", f"https://{VAULT}.vault.azure.net/secrets?api-version=7.4", challenge
        ),
        "storage": Service(
            "https://storage.azure.com", f"https://{ACCOUNT}.blob.core.windows.net/?comp=list", error_header
        ),
        "databricks": Service(
            DATABRICKS, f"{stand_ins.environment.databricks.host}/api/2.0/workspace/list?path=/", page
        ),
    }


def _deploy(stand_ins: StandIns, group: str) -> None:
    azure, world = stand_ins.environment.azure, stand_ins.azure.world
    if world.directory.has_tenant(OTHER_TENANT):
        return
    world.directory.add_tenant(OTHER_TENANT)
    for object_id, tenant in ((STRANGER, azure.tenant_id), (FOREIGNER, OTHER_TENANT)):
        world.directory.add_service_principal(
            tenant_id=tenant, app_id=f"app-{object_id}", object_id=object_id, display_name="X"
        )
    kind = "Microsoft.Resources/resourceGroups"
    world.resources.put({"id": group, "name": "rg-tokens", "type": kind, "location": "westeurope", "properties": {}})
    properties = {"tenantId": azure.tenant_id, "enableRbacAuthorization": True}
    for kind, name in (("Microsoft.KeyVault/vaults", VAULT), ("Microsoft.Storage/storageAccounts", ACCOUNT)):
        resource = {"id": f"{group}/providers/{kind}/{name}", "name": name, "type": kind, "location": "westeurope"}
        world.resources.put({**resource, "properties": properties})


def crafted(stand_ins: StandIns, service: Service, kind: str) -> str:
    """A token that is wrong in one way; "good" in none."""
    directory: Directory = stand_ins.azure.world.directory
    good = stand_ins.token(service.audience)
    claims = jwt.decode(good, options={"verify_signature": False})
    ours, kid = directory.key._private, {"kid": directory.key.key_id}
    now = int(directory.now())
    match kind:
        case "another audience":
            return directory.key.sign({**claims, "aud": "https://graph.microsoft.com"})
        case "another tenant":
            issuer = f"https://sts.windows.net/{OTHER_TENANT}/"
            return directory.key.sign({**claims, "tid": OTHER_TENANT, "iss": issuer, "oid": FOREIGNER})
        case "a principal under another tenant":
            issuer = f"https://sts.windows.net/{OTHER_TENANT}/"
            return directory.key.sign({**claims, "tid": OTHER_TENANT, "iss": issuer})
        case "expired":
            return directory.key.sign({**claims, "exp": now - 1})
        case "not yet valid":
            return directory.key.sign({**claims, "nbf": now + 3600, "exp": now + 7200})
        case "unsigned":
            return jwt.encode(claims, "", algorithm="none", headers=kid)
        case "another key":
            return jwt.encode(claims, SigningKey.kept_in({}, "x")._private, algorithm="RS256", headers=kid)
        case "no key id":
            return jwt.encode(claims, ours, algorithm="RS256")
        case "half a signature":
            return good[:-40]
        case "garbage":
            return "garbage"
        case "50 KB":  # 100 KB is more than the head of a request may be
            return "x" * 50_000
    return good


KINDS = (
    "another audience",
    "another tenant",
    "a principal under another tenant",
    "expired",
    "not yet valid",
    "unsigned",
    "another key",
    "no key id",
    "half a signature",
    "garbage",
    "50 KB",
)
REFUSED: dict[str, tuple[int, str]] = {
    "resource manager": (401, "InvalidAuthenticationToken"),
    "key vault": (401, "Bearer"),
    "storage": (401, "InvalidAuthenticationInfo"),
    "databricks": (403, "application/json"),
}
SPECIAL: dict[tuple[str, str], tuple[int, str]] = {
    ("resource manager", "another audience"): (401, "InvalidAuthenticationTokenAudience"),
    ("resource manager", "another tenant"): (401, "InvalidAuthenticationTokenTenant"),
    ("resource manager", "a principal under another tenant"): (401, "InvalidAuthenticationTokenTenant"),
    ("resource manager", "expired"): (401, "ExpiredAuthenticationToken"),
    ("databricks", "another audience"): (400, "text/html"),
    ("databricks", "another tenant"): (403, "text/html"),
    ("databricks", "expired"): (401, "application/json"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_a_good_token_is_taken(stand_ins: StandIns, services: Mapping[str, Service], name: str) -> None:
    service = services[name]
    assert stand_ins.ask("GET", service.address, crafted(stand_ins, service, "good")).status_code == 200


@pytest.mark.parametrize("name", list(REFUSED))
@pytest.mark.parametrize("kind", KINDS)
def test_no_other_token_is(stand_ins: StandIns, services: Mapping[str, Service], name: str, kind: str) -> None:
    service = services[name]
    token = crafted(stand_ins, service, kind)
    answer = stand_ins.ask("GET", service.address, token)
    assert (answer.status_code, service.refusal(answer)) == SPECIAL.get((name, kind), REFUSED[name])
    assert len(token) < 10 or token not in answer.text
    assert not stand_ins.azure.gateway.failures


@pytest.mark.parametrize("name", list(REFUSED))
def test_a_token_longer_than_any_head_of_a_request(
    stand_ins: StandIns, services: Mapping[str, Service], name: str
) -> None:
    assert stand_ins.ask("GET", services[name].address, "x" * 100_000).status_code == 400


@pytest.mark.parametrize("name", list(REFUSED))
def test_a_storm_lets_tokens_expire_at_each_service(
    stand_ins: StandIns, services: Mapping[str, Service], name: str
) -> None:
    service = services[name]
    expected = SPECIAL.get((name, "expired"), REFUSED[name])
    storm = f"{stand_ins.azure.gateway.control_address}storm"
    with requests.Session() as session:
        session.trust_env = False
        session.put(storm, json={"share": 1, "kinds": ["expired token"]}, timeout=10).raise_for_status()
        answer = stand_ins.ask("GET", service.address, stand_ins.token(service.audience))
        session.delete(storm, timeout=10).raise_for_status()
    assert (answer.status_code, service.refusal(answer)) == expected


@pytest.mark.parametrize("name", list(REFUSED))
def test_no_token_at_all(stand_ins: StandIns, services: Mapping[str, Service], name: str) -> None:
    assert stand_ins.ask("GET", services[name].address).status_code == 401


def test_azure_devops_takes_no_token_of_entra(stand_ins: StandIns) -> None:
    _, address = stand_ins.server.call(lambda: stand_ins.azure.devops.open_job("tokens"))
    for token in ("", "garbage", stand_ins.token("https://management.azure.com")):
        answer = stand_ins.ask("POST", address, token, allow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (302, "https://dev.azure.com/_signin")


# Roles


@pytest.fixture
def stranger(stand_ins: StandIns, services: Mapping[str, Service]) -> Iterator[Callable[[str], str]]:
    """Gives tokens of a principal of the right tenant that has no role."""
    tenant = stand_ins.environment.azure.tenant_id
    directory = stand_ins.azure.world.directory

    def token(audience: str) -> str:
        app = f"app-{STRANGER}"
        return str(
            stand_ins.server.call(
                lambda: directory.issue_token(tenant_id=tenant, app_id=app, audience=audience, lifetime=9999)
            )
        )

    yield token


@pytest.mark.parametrize(
    ("name", "role", "refused", "code"),
    [
        ("resource manager", "Reader", 403, "AuthorizationFailed"),
        ("key vault", "Key Vault Secrets User", 403, "Forbidden"),
        ("storage", "Storage Blob Data Reader", 403, "AuthorizationPermissionMismatch"),
    ],
)
def test_a_role_is_needed_and_takes_effect_late(
    stand_ins: StandIns,
    services: Mapping[str, Service],
    stranger: Callable[[str], str],
    name: str,
    role: str,
    refused: int,
    code: str,
) -> None:
    scope = f"/subscriptions/{stand_ins.environment.azure.subscription_id}"
    group = f"{scope}/resourceGroups/rg-tokens"
    vault = f"https://management.azure.com{group}/providers/Microsoft.KeyVault/vaults/{VAULT}?api-version=2023-07-01"
    address = vault if name == "resource manager" else services[name].address
    token = stranger(services[name].audience)

    def status() -> int:
        answer = stand_ins.ask("GET", address, token)
        assert answer.status_code != refused or code in answer.text
        return answer.status_code

    roles = stand_ins.azure.world.roles
    assert status() == refused
    made = stand_ins.server.call(lambda: roles.assign(scope=group, principal_id=STRANGER, role_name=role))
    assert status() == refused, "it was only just assigned"
    stand_ins.ahead = ROLE_DELAY + 1
    assert status() == 200
    stand_ins.server.call(lambda: roles.remove(made["id"]))
