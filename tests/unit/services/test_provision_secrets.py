"""The step provision_secrets: sources first, only differences written, no value in any text."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from slipway.domain.environment import Secret, SecretScope
from slipway.errors import AuthenticationError, Conflict, NotPossible
from slipway.steps.provision_secrets import provision_secrets
from tests.unit.services.conftest import Answer, Sent, StateBlob, Step, Wire
from tests.unit.services.test_key_vault import CHALLENGE, DELETED, GONE, NO_ROLE, bundle, route

KEY = "cGxhbnRlZC1zdG9yYWdlLWtleQ=="
PLANTED = "planted-environment-value"
NO_SECRET = Answer(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Secret does not exist"})
VAULT_ID = (
    "/subscriptions/2c9d8e7f-6a5b-4c3d-8e1f-0a9b8c7d6e5f/resourceGroups/rg-bikeshare-dev"
    "/providers/Microsoft.KeyVault/vaults/kv-bikeshare-dev"
)


def value(text: str) -> Answer:
    return Answer(body={"key": "k", "value": base64.b64encode(text.encode()).decode()})


def scopes(**scope: Any) -> Answer:
    return Answer(body={"scopes": [{"name": "slipway-bikeshare-dev", "backend_type": "DATABRICKS", **scope}]})


@pytest.fixture
def azure(wire: Wire, state: StateBlob) -> Wire:
    """Everything is there already, and every secret is as it should be."""
    wire.on("POST", "/storageAccounts/stbikesharedev/listKeys", Answer(body={"keys": [{"value": KEY}]}))
    wire.on("GET", "/secrets/scopes/list", scopes())
    wire.on("GET", "/secrets/acls/list", Answer(body={"items": [{"principal": "users", "permission": "READ"}]}))
    wire.on("GET", "/secrets/get", value(KEY))
    for path in ("/secrets/scopes/create", "/secrets/put", "/secrets/acls/put"):
        wire.on("POST", f"/api/2.0{path}", Answer())
    return wire


def secret(name: str, source: Any, to: Any, **more: str) -> Secret:
    return Secret(name=name, source=source, to=to, **more)


def test_nothing_differs(azure: Wire, step: Step) -> None:
    provision_secrets(step.context())
    assert azure.writes() == []
    assert KEY not in step.text


def test_the_first_time(azure: Wire, step: Step) -> None:
    azure.on("GET", "/secrets/scopes/list", Answer())
    azure.on("GET", "/secrets/acls/list", Answer(body={"items": [{"principal": "4e1b", "permission": "MANAGE"}]}))
    azure.on("GET", "/secrets/get", NO_SECRET)
    provision_secrets(step.context())
    assert azure.writes() == [
        "POST /api/2.0/secrets/scopes/create",
        "POST /api/2.0/secrets/acls/put",
        "POST /api/2.0/secrets/put",
    ]
    put = next(one for one in azure.asked() if one.url.endswith("/secrets/put"))
    assert put.json == {"scope": "slipway-bikeshare-dev", "key": "storage-key", "string_value": KEY}
    acl = next(one for one in azure.asked() if one.url.endswith("/acls/put"))
    assert acl.json == {"scope": "slipway-bikeshare-dev", "principal": "users", "permission": "READ"}
    assert KEY not in step.text


def test_a_scope_that_can_not_be_read_is_written_each_time(azure: Wire, step: Step) -> None:
    azure.on("GET", "/secrets/get", Answer(400, {"error_code": "BAD_REQUEST", "message": "only in notebooks"}))
    provision_secrets(step.context())
    assert azure.writes() == ["POST /api/2.0/secrets/put"]


def test_a_stronger_right_is_left(azure: Wire, step: Step) -> None:
    azure.on("GET", "/secrets/acls/list", Answer(body={"items": [{"principal": "users", "permission": "WRITE"}]}))
    provision_secrets(step.context())
    assert azure.writes() == []


def test_what_if_asks_nobody(wire: Wire, step: Step) -> None:
    provision_secrets(step.context(what_if=True))
    assert wire.sent == []
    assert "storage-key: from the key of storage account stbikesharedev" in step.text


def test_every_missing_source_at_once_before_anything_is_written(azure: Wire, step: Step) -> None:
    azure.on("POST", "listKeys", Answer(404, {"error": {"code": "ResourceNotFound", "message": "no account"}}))
    route(azure, "GET", "/secrets/upstream", GONE)
    secrets = {
        "a": secret("a", "storage_key", "scope", account="stbikesharedev"),
        "b": secret("b", "key_vault", "scope", secret="upstream"),
        "c": secret("c", "environment_variable", "scope", variable="C_TOKEN"),
        "d": secret("d", "environment_variable", "scope", variable="D_TOKEN"),
    }
    with pytest.raises(NotPossible) as caught:
        provision_secrets(step.context(secrets=secrets, variables={"D_TOKEN": PLANTED}))
    for text in ("3 of 4", "a: Reading the keys", "b: secret upstream", "environment variable C_TOKEN"):
        assert text in caught.value.what
    assert PLANTED not in str(caught.value) + step.text
    assert azure.writes() == []


def test_all_refused_is_a_matter_of_access(azure: Wire, step: Step) -> None:
    azure.on("POST", "listKeys", Answer(403, {"error": {"code": "AuthorizationFailed", "message": "no"}}))
    with pytest.raises(AuthenticationError, match="AuthorizationFailed"):
        provision_secrets(step.context())


@pytest.mark.parametrize(
    ("backend", "scope", "said"),
    [
        ("databricks", {"backend_type": "AZURE_KEYVAULT"}, "its backend is key_vault, not databricks"),
        ("key_vault", {}, "its backend is databricks, not key_vault"),
        (
            "key_vault",
            {"backend_type": "AZURE_KEYVAULT", "keyvault_metadata": {"resource_id": "/other"}},
            "it shows /other, not",
        ),
    ],
)
def test_a_scope_of_another_kind_is_refused(azure: Wire, step: Step, backend: Any, scope: Any, said: str) -> None:
    azure.on("GET", "/secrets/scopes/list", scopes(**scope))
    configured = SecretScope(name="slipway-bikeshare-dev", backend=backend, readers=())
    secrets = {"c": secret("c", "environment_variable", "key_vault", variable="C")}
    with pytest.raises(NotPossible, match=said):
        provision_secrets(step.context(secret_scope=configured, secrets=secrets, variables={"C": PLANTED}))
    assert azure.writes() == []


def test_a_scope_that_shows_the_vault(azure: Wire, step: Step) -> None:
    azure.on("GET", "/secrets/scopes/list", Answer())
    route(azure, "GET", "vault.azure.net/secrets/c", bundle(PLANTED))
    configured = SecretScope(name="slipway-bikeshare-dev", backend="key_vault", readers=())
    secrets = {"c": secret("c", "environment_variable", "key_vault", variable="C")}
    provision_secrets(step.context(secret_scope=configured, secrets=secrets, variables={"C": PLANTED}))
    assert azure.writes() == ["POST /api/2.0/secrets/scopes/create"]
    made = next(one for one in azure.asked() if one.url.endswith("/scopes/create")).json
    assert made["scope_backend_type"] == "AZURE_KEYVAULT"
    assert made["backend_azure_keyvault"] == {
        "resource_id": VAULT_ID,
        "dns_name": "https://kv-bikeshare-dev.vault.azure.net/",
    }


def test_a_scope_nobody_shows(azure: Wire, step: Step) -> None:
    azure.on("GET", "/secrets/scopes/list", Answer())
    there = {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "Scope slipway-bikeshare-dev already exists!"}
    azure.on("POST", "/secrets/scopes/create", Answer(400, there))
    with pytest.raises(NotPossible, match="may not see it"):
        provision_secrets(step.context())


def test_a_vault_whose_role_was_made_just_now(azure: Wire, step: Step) -> None:
    created = "2001-09-09T01:46:40.1234567Z"
    principal = "9b8a7c6d-5e4f-4d3c-8b2a-1f0e9d8c7b6a"
    step.moment.now = 1_000_000_010.0  # ten seconds later
    assignment = {"properties": {"principalId": principal, "scope": VAULT_ID, "createdOn": created}}
    azure.on("GET", "/roleAssignments", Answer(body={"value": [assignment]}))
    route(azure, "PUT", "vault.azure.net/secrets/c", DELETED, bundle("x"))
    route(azure, "POST", "/deletedsecrets/c/recover", bundle("old"))

    def recovered(_: Sent) -> Answer:
        return bundle("old") if azure.count("POST", "recover") else GONE

    answers = iter([NO_ROLE, NO_ROLE, GONE])
    azure.on(
        "GET",
        r"vault.azure.net/secrets/c",
        lambda sent: next(answers, None) or recovered(sent) if "Authorization" in sent.headers else CHALLENGE,
    )
    secrets = {"c": secret("c", "environment_variable", "key_vault", variable="C")}
    provision_secrets(step.context(secrets=secrets, variables={"C": PLANTED}))
    assert "is recovered" in step.text
    assert "does not know the new role yet" in step.text
    assert PLANTED not in step.text


def test_nothing_is_changed_while_somebody_else_is_releasing(azure: Wire, step: Step, state: StateBlob) -> None:
    state.held_by("grace", "https://x/2")
    with pytest.raises(Conflict, match=r"grace is releasing 9\.9 \(https://x/2\)"):
        provision_secrets(step.context())
    assert azure.asked() == []


def test_the_claim_stays_with_a_pipelines_run_and_not_with_a_person(azure: Wire, step: Step, state: StateBlob) -> None:
    provision_secrets(step.context(variables={"USER": "ada"}))
    assert state.claim is None
    run = {"TF_BUILD": "True", "BUILD_BUILDID": "42", "SYSTEM_COLLECTIONURI": "https://dev.azure.com/o/"}
    provision_secrets(step.context(variables=run))
    assert state.claim is not None
    assert state.claim["run"].endswith("buildId=42")


def test_the_claim_is_looked_at_before_each_change(azure: Wire, step: Step, state: StateBlob) -> None:
    """An agent that slept long enough for its claim to be taken over changes nothing any more."""

    def asleep(_: Sent) -> Answer:
        state.held_by("grace", "https://x/2")
        step.moment.now += 60
        return NO_SECRET

    azure.on("GET", "/secrets/get", asleep)
    with pytest.raises(Conflict, match="grace has taken it over"):
        provision_secrets(step.context())
    assert azure.writes() == []
