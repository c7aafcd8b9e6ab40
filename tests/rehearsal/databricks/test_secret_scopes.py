"""`/api/2.0/secrets/*`."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.rehearsal.databricks.workbench import ADMIN, DATABRICKS, JOBS, READER, RELEASE, Site

VAULT = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv"
GET = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
LIST = "Microsoft.KeyVault/vaults/secrets/readMetadata/action"


def scope(site: Site, **more: Any) -> None:
    site.ok(RELEASE, "POST", "/secrets/scopes/create", {"scope": "team", **more})


def test_a_secret_goes_in_and_comes_back(site: Site) -> None:
    assert site.ok(RELEASE, "GET", "/secrets/scopes/list") == {}
    scope(site)
    assert site.ok(RELEASE, "GET", "/secrets/scopes/list") == {
        "scopes": [{"name": "team", "backend_type": "DATABRICKS"}]
    }
    assert site.ok(RELEASE, "GET", "/secrets/list", {"scope": "team"}) == {}
    site.ok(RELEASE, "POST", "/secrets/put", {"scope": "team", "key": "a", "string_value": "grün"})
    site.ok(
        RELEASE,
        "POST",
        "/secrets/put",
        {"scope": "TEAM", "key": "b", "bytes_value": base64.b64encode(b"\xff\x00").decode()},
    )
    site.ok(RELEASE, "POST", "/secrets/put", {"scope": "team", "key": "A", "string_value": "grau"})
    listed = site.ok(RELEASE, "GET", "/secrets/list", {"scope": "team"})["secrets"]
    assert [entry["key"] for entry in listed] == ["A", "b"]
    assert listed[0]["last_updated_timestamp"] > 1_760_000_000_000
    assert (
        base64.b64decode(site.ok(RELEASE, "GET", "/secrets/get", {"scope": "team", "key": "a"})["value"]).decode()
        == "grau"
    )
    assert (
        base64.b64decode(site.ok(RELEASE, "GET", "/secrets/get", {"scope": "team", "key": "b"})["value"]) == b"\xff\x00"
    )
    site.ok(RELEASE, "POST", "/secrets/delete", {"scope": "team", "key": "a"})
    expected = (404, "RESOURCE_DOES_NOT_EXIST", "Secret does not exist with scope: team and key: a")
    assert site.refused(RELEASE, "GET", "/secrets/get", {"scope": "team", "key": "a"}) == expected
    site.ok(RELEASE, "POST", "/secrets/scopes/delete", {"scope": "team"})
    expected = (404, "RESOURCE_DOES_NOT_EXIST", "Scope team does not exist!")
    assert site.refused(RELEASE, "GET", "/secrets/list", {"scope": "team"}) == expected


@pytest.mark.parametrize(
    ("values", "code", "message"),
    [
        ({"scope": "team"}, "RESOURCE_ALREADY_EXISTS", "Scope team already exists!"),
        ({}, "INVALID_PARAMETER_VALUE", "Missing required field: scope"),
        (
            {"scope": "x", "scope_backend_type": "DATABRICKS", "backend_azure_keyvault": {}},
            "INVALID_PARAMETER_VALUE",
            "Missing required fields: backend_azure_keyvault.resource_id, backend_azure_keyvault.dns_name",
        ),
        ({"scope": "x", "scope_backend_type": "AWS"}, "INVALID_PARAMETER_VALUE", "Unknown scope backend type: AWS"),
        (
            {"scope": "x", "initial_manage_principal": "ada"},
            "INVALID_PARAMETER_VALUE",
            "initial_manage_principal can only be 'users'",
        ),
    ],
)
def test_scopes_that_can_not_be_made(site: Site, values: dict[str, Any], code: str, message: str) -> None:
    scope(site)
    assert site.refused(RELEASE, "POST", "/secrets/scopes/create", values) == (400, code, message)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"key": "k"}, "MALFORMED_REQUEST"),
        ({"key": "k", "string_value": "a", "bytes_value": "YQ=="}, "MALFORMED_REQUEST"),
        ({"string_value": "a"}, "INVALID_PARAMETER_VALUE"),
        ({"key": "a b", "string_value": "a"}, "INVALID_PARAMETER_VALUE"),
        ({"key": "a/b@c", "string_value": "a"}, "INVALID_PARAMETER_VALUE"),
        ({"key": "k" * 129, "string_value": "a"}, "INVALID_PARAMETER_VALUE"),
        ({"key": "k", "string_value": "a" * (128 * 1024 + 1)}, "RESOURCE_LIMIT_EXCEEDED"),
        ({"key": "k", "string_value": ["a"]}, "MALFORMED_REQUEST"),
        ({"key": "k", "bytes_value": "no base64!"}, "MALFORMED_REQUEST"),
        ({"key": "k", "bytes_value": "YQ"}, "MALFORMED_REQUEST"),
    ],
)
def test_secrets_that_can_not_be_put(site: Site, values: dict[str, Any], code: str) -> None:
    scope(site)
    assert site.refused(RELEASE, "POST", "/secrets/put", {"scope": "team", **values})[:2] == (400, code)
    assert site.ok(RELEASE, "GET", "/secrets/list", {"scope": "team"}) == {}


def test_a_scope_has_room_for_so_many_secrets_and_a_workspace_for_so_many_scopes(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rehearsal.databricks.secrets.MOST_SECRETS", 2)
    monkeypatch.setattr("rehearsal.databricks.secrets.MOST_SCOPES", 1)
    scope(site)
    put = {"scope": "team", "string_value": "v"}
    for key in ("a", "b", "B"):
        site.ok(RELEASE, "POST", "/secrets/put", put | {"key": key})
    limit = (400, "RESOURCE_LIMIT_EXCEEDED")
    assert site.refused(RELEASE, "POST", "/secrets/put", put | {"key": "c"})[:2] == limit
    assert site.refused(RELEASE, "POST", "/secrets/scopes/create", {"scope": "other"})[:2] == limit
    longest = {"scope": "team", "key": "a", "string_value": "x" * 128 * 1024}
    site.ok(RELEASE, "POST", "/secrets/put", longest)


def test_readers_read_writers_write_managers_manage(site: Site) -> None:
    scope(site)
    put = {"scope": "team", "key": "k", "string_value": "v"}
    site.ok(RELEASE, "POST", "/secrets/put", put)
    words = "ada@example.org does not have {} permission on scope team to perform this action."
    refused = site.refused(READER, "GET", "/secrets/get", {"scope": "team", "key": "k"})
    assert refused == (403, "PERMISSION_DENIED", words.format("READ"))
    site.ok(RELEASE, "POST", "/secrets/acls/put", {"scope": "team", "principal": "users", "permission": "READ"})
    site.ok(READER, "GET", "/secrets/get", {"scope": "team", "key": "k"})
    assert site.refused(READER, "POST", "/secrets/put", put)[2] == words.format("WRITE")
    site.ok(
        RELEASE, "POST", "/secrets/acls/put", {"scope": "team", "principal": "ada@example.org", "permission": "WRITE"}
    )
    site.ok(READER, "POST", "/secrets/put", put)
    assert site.refused(READER, "GET", "/secrets/acls/list", {"scope": "team"})[2] == words.format("MANAGE")
    assert site.ok(RELEASE, "GET", "/secrets/acls/list", {"scope": "team"})["items"] == [
        {"principal": "users", "permission": "READ"},
        {"principal": "app-release", "permission": "MANAGE"},
        {"principal": "ada@example.org", "permission": "WRITE"},
    ]
    site.ok(RELEASE, "POST", "/secrets/acls/delete", {"scope": "team", "principal": "ada@example.org"})
    assert (
        site.refused(RELEASE, "GET", "/secrets/acls/get", {"scope": "team", "principal": "ada@example.org"})[0] == 404
    )
    assert (
        site.refused(RELEASE, "POST", "/secrets/acls/put", {"scope": "team", "principal": "no", "permission": "READ"})[
            0
        ]
        == 404
    )
    assert (
        site.refused(
            RELEASE, "POST", "/secrets/acls/put", {"scope": "team", "principal": "users", "permission": "ALL"}
        )[0]
        == 400
    )


def test_a_scope_that_everybody_manages(site: Site) -> None:
    scope(site, initial_manage_principal="users")
    site.ok(READER, "POST", "/secrets/put", {"scope": "team", "key": "k", "string_value": "v"})


def vault_scope(site: Site) -> None:
    site.roles.granted.add((RELEASE.object_id, VAULT, "Microsoft.KeyVault/vaults/write"))
    scope(
        site,
        scope_backend_type="AZURE_KEYVAULT",
        backend_azure_keyvault={"resource_id": VAULT, "dns_name": "https://kv.vault.azure.net/"},
    )


def test_a_vaults_scope_needs_a_contributor_of_the_vault(site: Site) -> None:
    vault = {"resource_id": VAULT, "dns_name": "https://kv.vault.azure.net/"}
    values = {"scope": "kv", "scope_backend_type": "AZURE_KEYVAULT", "backend_azure_keyvault": vault}
    assert site.refused(RELEASE, "POST", "/secrets/scopes/create", values)[0] == 403
    assert site.ok(RELEASE, "GET", "/secrets/scopes/list") == {}


def test_a_vaults_scope_shows_the_vault_through_the_databricks_application(site: Site) -> None:
    vault_scope(site)
    site.vault[VAULT] = {"storage-key": "sesame"}
    shown = site.ok(RELEASE, "GET", "/secrets/scopes/list")["scopes"][0]
    assert shown["keyvault_metadata"] == {"resource_id": VAULT, "dns_name": "https://kv.vault.azure.net/"}
    refused = site.refused(RELEASE, "GET", "/secrets/get", {"scope": "team", "key": "storage-key"})
    assert refused[:2] == (403, "PERMISSION_DENIED")
    site.roles.granted |= {(DATABRICKS.object_id, VAULT, GET), (DATABRICKS.object_id, VAULT, LIST)}
    value = site.ok(RELEASE, "GET", "/secrets/get", {"scope": "team", "key": "storage-key"})["value"]
    assert base64.b64decode(value) == b"sesame"
    assert site.ok(RELEASE, "GET", "/secrets/list", {"scope": "team"}) == {"secrets": [{"key": "storage-key"}]}
    assert site.refused(RELEASE, "GET", "/secrets/get", {"scope": "team", "key": "x"})[0] == 404
    assert site.refused(RELEASE, "POST", "/secrets/put", {"scope": "team", "key": "x", "string_value": "y"})[:2] == (
        400,
        "BAD_REQUEST",
    )


def test_a_run_gets_what_its_identity_may_read(site: Site) -> None:
    scope(site)
    site.ok(RELEASE, "POST", "/secrets/put", {"scope": "team", "key": "k", "string_value": "v"})
    workspace = site.workspaces.all()[0]
    members = {member.name: member for member in workspace.members.all()}
    assert workspace.secrets.readable_by(members["app-jobs"]) == {}
    site.ok(RELEASE, "POST", "/secrets/acls/put", {"scope": "team", "principal": JOBS.app_id, "permission": "READ"})
    assert workspace.secrets.readable_by(members["app-jobs"]) == {"team": {"k": "v"}}
    assert workspace.secrets.readable_by(members[ADMIN.app_id]) == {"team": {"k": "v"}}
