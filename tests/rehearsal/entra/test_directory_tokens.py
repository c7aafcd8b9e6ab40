"""Which tokens a service takes, and which it refuses, for which reason."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.entra.directory import AZURE_DATABRICKS_APP, MOST_VERIFIED, Directory, InvalidToken
from rehearsal.entra.keys import SigningKey
from rehearsal.store import Store

TENANT = "7a6f3c1e-52d4-4b8e-9d0a-1f2e3d4c5b6a"
AUDIENCE = "https://vault.azure.net"
FORGERIES = (
    "alg none",
    "HS256 with the public key",
    "another key under our key's id",
    "no key id",
    "an unknown key id",
    "another hash",
    "no expiry",
    "half a signature",
    "100 KB",
    "100 KB of nothing",
    "dots",
    "five parts",
    "not ASCII",
    "a deep claim",
)
KEY = SigningKey.kept_in({}, "a stranger's")


class World:
    def __init__(self, folder: Path) -> None:
        self.now = 1_700_000_000.0
        self.store = Store(folder / "store.sqlite")
        self.directory = self.open()
        self.directory.add_tenant(TENANT)
        self.directory.add_service_principal(tenant_id=TENANT, app_id="app", object_id="Object", display_name="An app")

    def open(self) -> Directory:
        return Directory(self.store, lambda: self.now)

    def token(self, audience: str = AUDIENCE) -> str:
        return self.directory.issue_token(tenant_id=TENANT, app_id="app", audience=audience)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("directory"))


def why(world: World, header: str | None, audiences: frozenset[str] = frozenset({AUDIENCE})) -> str:
    with pytest.raises(InvalidToken) as caught:
        world.directory.verify(header, audiences)
    if header and len(header) > 40:
        assert header.split(" ")[-1] not in str(caught.value)
    return caught.value.reason


def test_a_token_proves_its_principal(world: World) -> None:
    principal = world.directory.verify(f"Bearer {world.token()}", {AUDIENCE})
    assert (principal.object_id, principal.app_id, principal.kind) == ("Object", "app", "ServicePrincipal")


@pytest.mark.parametrize(
    ("header", "reason"),
    [(None, "missing"), ("", "missing"), ("Bearer", "missing"), ("Basic abc", "missing"), ("Bearer abc", "malformed")],
)
def test_no_token_or_nonsense(world: World, header: str | None, reason: str) -> None:
    assert why(world, header) == reason


def test_a_token_for_another_service(world: World) -> None:
    assert why(world, f"Bearer {world.token('https://storage.azure.com')}") == "audience"


def test_a_token_expires(world: World) -> None:
    header = f"Bearer {world.token()}"
    world.now += 3599
    try:
        assert why(world, header) == "expired"
    finally:
        world.now -= 3599
    assert world.directory.verify(header, {AUDIENCE}).app_id == "app"


def test_a_token_is_not_valid_before_its_time(world: World) -> None:
    header = f"Bearer {world.token()}"
    world.now -= 301
    try:
        assert why(world, header) == "not yet valid"
        world.now += 1
        assert world.directory.verify(header, {AUDIENCE}).app_id == "app", "a service's clock may be 5 minutes behind"
    finally:
        world.now += 300


def test_what_was_verified_once_is_still_checked_for_time_audience_and_tenant(world: World) -> None:
    header = f"Bearer {world.token()}"
    assert world.directory.verify(header, {AUDIENCE}, tenant=TENANT).app_id == "app"
    assert why(world, header, frozenset({"https://storage.azure.com"})) == "audience"
    with pytest.raises(InvalidToken) as caught:
        world.directory.verify(header, {AUDIENCE}, tenant="another")
    assert (caught.value.reason, caught.value.issuer) == ("tenant", f"https://sts.windows.net/{TENANT}/")
    world.now += 3600
    try:
        assert why(world, header) == "expired"
    finally:
        world.now -= 3600


def test_the_memory_of_verified_tokens_is_bounded(world: World) -> None:
    claims = {"aud": AUDIENCE, "nbf": 0, "exp": 2_000_000_000, "tid": TENANT}
    for number in range(MOST_VERIFIED + 20):
        with pytest.raises(InvalidToken):
            world.directory.verify(f"Bearer {world.directory.key.sign({**claims, 'n': number})}", {AUDIENCE})
    assert len(world.directory._verified) == MOST_VERIFIED


def crafted(world: World, header: dict[str, Any], claims: dict[str, Any], key: Any, algorithm: str) -> str:
    good = {"aud": AUDIENCE, "nbf": 0, "exp": 2_000_000_000, "oid": "Object", "tid": TENANT, **claims}
    issuer = f"https://sts.windows.net/{TENANT}/"
    return jwt.encode({"iss": issuer, **good}, key, algorithm=algorithm, headers=header)


def hmac_signed(world: World) -> str:
    """HS256 with the public key as the secret, which a verifier that takes any algorithm would accept."""

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    head = part({"alg": "HS256", "typ": "JWT", "kid": world.directory.key.key_id})
    body = part({"aud": AUDIENCE, "nbf": 0, "exp": 2_000_000_000, "oid": "Object", "tid": TENANT})
    secret = world.directory.key.public_pem.encode()
    signature = hmac.new(secret, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def forgeries(world: World) -> dict[str, str]:
    ours, kid = world.directory.key._private, {"kid": world.directory.key.key_id}
    good = crafted(world, kid, {}, ours, "RS256")
    assert world.directory.verify(f"Bearer {good}", {AUDIENCE}).object_id == "Object", "the pattern is right"
    return {
        "alg none": crafted(world, kid, {}, None, "none"),
        "HS256 with the public key": hmac_signed(world),
        "another key under our key's id": crafted(world, kid, {}, KEY._private, "RS256"),
        "no key id": crafted(world, {}, {}, ours, "RS256"),
        "an unknown key id": crafted(world, {"kid": "x"}, {}, ours, "RS256"),
        "another hash": crafted(world, kid, {}, ours, "RS512"),
        "no expiry": crafted(world, kid, {"exp": None}, ours, "RS256"),
        "half a signature": good[:-40],
        "100 KB": crafted(world, kid, {"filler": "x" * 100_000}, ours, "RS256"),
        "100 KB of nothing": "a" * 100_000,
        "dots": "..",
        "five parts": "a.b.c.d.e",
        "not ASCII": "ü.ü.ü",
        "a deep claim": "e30." + base64.urlsafe_b64encode(b"[" * 50_000).decode() + ".e30",
    }


@pytest.mark.parametrize("kind", list(FORGERIES))
def test_no_forged_token_is_taken(world: World, kind: str) -> None:
    assert why(world, f"Bearer {forgeries(world)[kind]}") in ("signature", "malformed")


def test_a_token_of_a_stranger(world: World) -> None:
    claims = {"aud": AUDIENCE, "exp": 2_000_000_000, "oid": "Object", "tid": TENANT}
    assert why(world, f"Bearer {KEY.sign(claims)}") == "signature"


def test_a_token_whose_issuer_is_another_tenant(world: World) -> None:
    claims = {
        "aud": AUDIENCE,
        "nbf": 1_600_000_000,
        "exp": 2_000_000_000,
        "oid": "Object",
        "tid": TENANT,
        "iss": "https://sts.windows.net/x/",
    }
    assert why(world, f"Bearer {world.directory.key.sign(claims)}") == "issuer"


@given(st.data())
def test_no_changed_token_is_taken(world: World, data: st.DataObject) -> None:
    head, claims, signature = world.token().split(".")
    part = data.draw(st.sampled_from(["claims", "signature", "head"]))
    if part == "claims":
        changed = json.loads(base64.urlsafe_b64decode(claims + "=="))
        changed[data.draw(st.sampled_from(["oid", "aud", "tid", "exp"]))] = data.draw(st.text(max_size=8))
        claims = base64.urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip("=")
    elif part == "signature":
        raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
        signature = base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")
    else:
        algorithm = data.draw(st.sampled_from(["none", "HS256", "RS512", "ES256"]))
        head = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "typ": "JWT"}).encode()).decode().rstrip("=")
    assert why(world, f"Bearer {head}.{claims}.{signature}") in ("signature", "malformed")


def test_tokens_stay_valid_when_the_rehearsal_is_opened_again(world: World) -> None:
    assert world.open().verify(f"Bearer {world.token()}", {AUDIENCE}).object_id == "Object"


def test_every_tenant_has_azure_databricks_with_an_object_id_of_its_own(world: World) -> None:
    world.directory.add_tenant("another-tenant")
    first = world.directory.by_app_id(AZURE_DATABRICKS_APP, TENANT)
    second = world.directory.by_app_id(AZURE_DATABRICKS_APP, "another-tenant")
    assert first is not None and second is not None
    assert first.object_id != second.object_id


def test_a_managed_identity_is_the_same_each_time(world: World) -> None:
    resource = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DataFactory/factories/F"
    first = world.directory.add_managed_identity(tenant_id=TENANT, resource_id=resource, display_name="F")
    again = world.directory.add_managed_identity(tenant_id=TENANT, resource_id=resource.lower(), display_name="F")
    assert first == again
    assert world.directory.by_object_id(first.object_id) == first


def test_ids_are_found_without_regard_to_case(world: World) -> None:
    assert world.directory.by_object_id("OBJECT") == world.directory.by_app_id("APP")
    assert world.directory.by_object_id("nobody") is None


def test_a_version_2_token(world: World) -> None:
    token = world.directory.issue_token(tenant_id=TENANT, app_id="app", audience=AUDIENCE, version=2)
    claims = world.directory.claims(token, {AUDIENCE})
    assert (claims["ver"], claims["azp"]) == ("2.0", "app")
    assert claims["iss"] == f"https://login.microsoftonline.com/{TENANT}/v2.0"


def test_a_principal_that_is_gone_is_refused(world: World, tmp_path: Path) -> None:
    other = World(tmp_path)
    other.directory.key = world.directory.key
    stranger = world.directory.add_service_principal(
        tenant_id=TENANT, app_id="gone", object_id="gone", display_name="Gone"
    )
    token = world.directory.issue_token(tenant_id=TENANT, app_id=stranger.app_id, audience=AUDIENCE)
    assert why(other, f"Bearer {token}") == "issuer"


def test_client_secrets_are_kept_as_hashes(world: World, tmp_path: Path) -> None:
    world.directory.add_service_principal(
        tenant_id=TENANT, app_id="app", object_id="Object", display_name="An app", client_secret="planted-secret"
    )
    assert world.directory.secret_matches("app", "planted-secret")
    assert not world.directory.secret_matches("app", "planted")
    assert not world.directory.secret_matches("nobody", "")
    assert "planted-secret" not in json.dumps(dict(world.store.collection("entra/secrets")))
