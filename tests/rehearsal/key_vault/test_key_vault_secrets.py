"""Secrets through azure-keyvault-secrets, with its challenge, versions, soft delete and roles."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.keyvault.secrets import SecretClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rehearsal.gateway.faults import Fault
from tests.rehearsal.gateway.local_cloud import APP, OBJECT, TENANT, LocalCloud

VAULT = "kv-slipway-test"
ADDRESS = f"https://{VAULT}.vault.azure.net"
VALUE = "planted-value-0001"


def name() -> str:
    return f"s-{uuid.uuid4()}"


def inner(error: HttpResponseError) -> str | None:
    response: Any = error.response
    found: str | None = response.json()["error"].get("innererror", {}).get("code")
    return found


def bearer(cloud: LocalCloud, resource: str = "https://vault.azure.net") -> dict[str, str]:
    return {"Authorization": f"Bearer {cloud.credential().get_token(f'{resource}/.default').token}"}


def test_a_secret_has_versions(client: SecretClient) -> None:
    secret = name()
    first = client.set_secret(secret, "one", content_type="text/plain", tags={"slot": "blue"})
    second = client.set_secret(secret, "two")
    assert client.get_secret(secret).value == "two"
    assert client.get_secret(secret, first.properties.version).value == "one"
    versions = {found.version for found in client.list_properties_of_secret_versions(secret)}
    assert versions == {first.properties.version, second.properties.version}
    assert (first.properties.tags, first.properties.content_type) == ({"slot": "blue"}, "text/plain")
    assert first.id == f"{ADDRESS}/secrets/{secret}/{first.properties.version}"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=50))
def test_any_value_comes_back_as_it_was(client: SecretClient, value: str) -> None:
    client.set_secret("any-value", value)
    assert client.get_secret("any-value").value == value


def test_a_list_goes_on_to_the_last_page_and_shows_no_value(client: SecretClient, cloud: LocalCloud) -> None:
    prefix = name()
    for number in range(30):
        client.set_secret(f"{prefix}-{number:02}", VALUE)
    found = [properties.name for properties in client.list_properties_of_secrets()]
    assert [one for one in found if one and one.startswith(prefix)] == [f"{prefix}-{number:02}" for number in range(30)]
    page = requests.get(f"{ADDRESS}/secrets?api-version=7.6", headers=bearer(cloud), timeout=10)
    assert len(page.json()["value"]) == 25
    assert page.json()["nextLink"].startswith(f"{ADDRESS}/secrets?api-version=7.6&")
    assert VALUE not in page.text


def test_names_ignore_case_and_keep_how_they_were_first_written(client: SecretClient) -> None:
    secret = f"Storage-Key-{uuid.uuid4()}"
    client.set_secret(secret, "one")
    client.set_secret(secret.lower(), "two")
    assert client.get_secret(secret.upper()).value == "two"
    assert secret in [properties.name for properties in client.list_properties_of_secrets()]


def test_a_deleted_secret_can_be_recovered(client: SecretClient) -> None:
    secret = name()
    client.set_secret(secret, "one")
    deleted = client.begin_delete_secret(secret).result()
    assert deleted.recovery_id == f"{ADDRESS}/deletedsecrets/{secret}"
    with pytest.raises(ResourceNotFoundError, match="was not found in this key vault"):
        client.get_secret(secret)
    with pytest.raises(ResourceExistsError, match="deleted but recoverable"):
        client.set_secret(secret, "two")
    assert secret in [found.name for found in client.list_deleted_secrets()]
    client.begin_recover_deleted_secret(secret).wait()
    assert client.get_secret(secret).value == "one"


def test_a_purged_secret_is_gone(client: SecretClient) -> None:
    secret = name()
    client.set_secret(secret, "one")
    client.begin_delete_secret(secret).wait()
    client.purge_deleted_secret(secret)
    with pytest.raises(ResourceNotFoundError):
        client.get_deleted_secret(secret)
    client.set_secret(secret, "two")
    assert len(list(client.list_properties_of_secret_versions(secret))) == 1


def test_purge_protection_refuses_a_purge(cloud: LocalCloud) -> None:
    cloud.assign(cloud.put_vault("kv-protected", enablePurgeProtection=True), "Key Vault Secrets Officer")
    with SecretClient("https://kv-protected.vault.azure.net", cloud.credential()) as client:
        assert client.set_secret("one", VALUE).properties.recovery_level == "Recoverable"
        client.begin_delete_secret("one").wait()
        with pytest.raises(HttpResponseError, match="purge protection is enabled") as caught:
            client.purge_deleted_secret("one")
        assert caught.value.status_code == 403


def test_attributes_change_without_a_new_version(client: SecretClient) -> None:
    secret = name()
    version = client.set_secret(secret, "one").properties.version
    expiry = datetime(2030, 1, 1, tzinfo=UTC)
    client.update_secret_properties(secret, version, enabled=False, expires_on=expiry, tags={"a": "b"})
    (properties,) = client.list_properties_of_secret_versions(secret)
    assert (properties.enabled, properties.expires_on, properties.tags) == (False, expiry, {"a": "b"})
    with pytest.raises(HttpResponseError, match="disabled secret") as caught:
        client.get_secret(secret)
    assert (caught.value.status_code, inner(caught.value)) == (403, "SecretDisabled")
    client.update_secret_properties(secret, enabled=True)
    assert client.get_secret(secret).value == "one"


def test_the_challenge_names_tenant_and_resource(cloud: LocalCloud) -> None:
    answer = requests.get(f"{ADDRESS}/secrets/x?api-version=7.6", timeout=10)
    assert answer.status_code == 401
    authority = f"https://login.microsoftonline.com/{TENANT}"
    assert answer.headers["www-authenticate"] == (
        f'Bearer authorization="{authority}", resource="https://vault.azure.net"'
    )
    assert answer.json()["error"]["code"] == "Unauthorized"


def test_a_token_for_another_service_is_challenged(cloud: LocalCloud) -> None:
    headers = bearer(cloud, "https://management.azure.com")
    answer = requests.get(f"{ADDRESS}/secrets/x?api-version=7.6", headers=headers, timeout=10)
    assert answer.status_code == 401
    assert headers["Authorization"].split()[1] not in answer.text


def test_a_client_with_a_wrong_secret_is_told_so(cloud: LocalCloud) -> None:
    with (
        SecretClient(ADDRESS, cloud.credential(secret="wrong")) as client,
        pytest.raises(ClientAuthenticationError, match="AADSTS7000215"),
    ):
        client.get_secret("x")


def test_without_a_role_the_refusal_names_caller_action_and_vault(cloud: LocalCloud) -> None:
    resource_id = cloud.put_vault("kv-closed")
    with SecretClient("https://kv-closed.vault.azure.net", cloud.credential()) as client:
        with pytest.raises(HttpResponseError) as caught:
            client.set_secret("x", VALUE)
        assert (caught.value.status_code, inner(caught.value)) == (403, "ForbiddenByRbac")
        said = str(caught.value)
        assert f"appid={APP};oid={OBJECT}" in said
        assert "Microsoft.KeyVault/vaults/secrets/setSecret/action" in said
        assert resource_id.lower() in said and VALUE not in said


def test_a_secrets_user_reads_and_writes_nothing(cloud: LocalCloud) -> None:
    resource_id = cloud.put_vault("kv-read")
    role = cloud.call(
        lambda: cloud.world.roles.assign(
            scope=resource_id, principal_id=OBJECT, role_name="Key Vault Secrets Officer", immediately=True
        )
    )
    with SecretClient("https://kv-read.vault.azure.net", cloud.credential()) as client:
        client.set_secret("x", "one")
        cloud.call(lambda: cloud.world.roles.remove(role["id"]))
        cloud.assign(resource_id, "Key Vault Secrets User")
        cloud.clock.ahead = 301.0  # a removed role works on for as long as a new one needs
        try:
            assert client.get_secret("x").value == "one"
            for work in (lambda: client.set_secret("x", "two"), lambda: client.begin_delete_secret("x")):
                with pytest.raises(HttpResponseError) as caught:
                    work()
                assert inner(caught.value) == "ForbiddenByRbac"
        finally:
            cloud.clock.ahead = 0.0


def test_a_vault_with_access_policies_knows_no_roles(cloud: LocalCloud) -> None:
    policy = {"tenantId": TENANT, "objectId": OBJECT, "permissions": {"secrets": ["Get", "list"]}}
    resource_id = cloud.put_vault("kv-policies", enableRbacAuthorization=False, accessPolicies=[policy])
    cloud.assign(resource_id, "Key Vault Secrets Officer")
    with SecretClient("https://kv-policies.vault.azure.net", cloud.credential()) as client:
        assert list(client.list_properties_of_secrets()) == []
        with pytest.raises(HttpResponseError, match="does not have secrets set permission") as caught:
            client.set_secret("x", "one")
        assert inner(caught.value) == "AccessDenied"


def test_the_keys_to_one_vault_open_no_other(cloud: LocalCloud, client: SecretClient) -> None:
    cloud.assign(cloud.put_vault("kv-second"), "Key Vault Secrets Officer")
    client.set_secret("shared-name", "first")
    with (
        SecretClient("https://kv-second.vault.azure.net", cloud.credential()) as second,
        pytest.raises(ResourceNotFoundError),
    ):
        second.get_secret("shared-name")


def test_a_caller_of_another_tenant_is_not_let_in(cloud: LocalCloud) -> None:
    other = "0f0f0f0f-1111-4222-8333-444444444444"
    cloud.put_vault("kv-foreign", tenantId=other)
    answer = requests.get(
        "https://kv-foreign.vault.azure.net/secrets/x?api-version=7.6", headers=bearer(cloud), timeout=10
    )
    assert answer.status_code == 401 and other in answer.headers["www-authenticate"]


def test_a_vault_that_nobody_deployed(cloud: LocalCloud) -> None:
    answer = requests.get("https://kv-nobody.vault.azure.net/secrets/x?api-version=7.6", timeout=10)
    assert answer.status_code == 404
    assert "kv-nobody" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("PUT", "/secrets/not_allowed?api-version=7.6", {"value": "x"}, 400, "not_allowed"),
        ("PUT", f"/secrets/{'n' * 128}?api-version=7.6", {"value": "x"}, 400, "invalid name"),
        ("PUT", "/secrets/x?api-version=7.6", {}, 400, "value"),
        ("PUT", "/secrets/x?api-version=7.6", {"value": 5}, 400, "value"),
        ("PUT", "/secrets/x?api-version=7.6", {"value": "x" * 25_001}, 400, "25k"),
        ("PUT", "/secrets/x?api-version=7.6", {"value": "x", "attributes": "off"}, 400, "attributes"),
        ("PUT", "/secrets/x?api-version=7.6", [], 400, "object"),
        ("PUT", "/secrets/x?api-version=7.6", {"value": "\ud800"}, 400, "no JSON"),
        ("PUT", "/secrets/x", {"value": "x"}, 400, "api-version"),
        ("GET", "/secrets?api-version=7.6&maxresults=26", None, 400, "maxresults"),
        ("GET", "/secrets?api-version=7.6&maxresults=0", None, 400, "maxresults"),
        ("GET", "/secrets?api-version=7.6&maxresults=²", None, 400, "maxresults"),
        ("GET", "/secrets?api-version=7.6&$skiptoken=%25", None, 400, "skiptoken"),
        ("GET", "/secrets?api-version=9.9", None, 400, "(9.9) is not recognized"),
        ("GET", "/secrets/not_allowed?api-version=7.6", None, 400, "not_allowed"),
        ("PUT", "/secrets/x?api-version=7.6", {"value": "x", "attributes": {"enabled": "no"}}, 400, "attributes"),
        ("PUT", "/secrets/x?api-version=7.6", {"value": "x", "attributes": {"exp": "soon"}}, 400, "attributes"),
        ("PUT", "/secrets/x?api-version=7.6", {"value": "x", "attributes": {"nbf": -1}}, 400, "attributes"),
        ("PUT", "/secrets/x?api-version=7.6", {"value": "x", "tags": {"a": 1}}, 400, "tags"),
        ("PUT", "/secrets/x?api-version=7.6", {"value": "x", "tags": {str(n): "" for n in range(16)}}, 400, "15 tags"),
        ("PUT", "/secrets/x?api-version=7.6", {"value": "x", "tags": {"a": "b" * 513}}, 400, "512"),
        ("PUT", "/secrets/x?api-version=7.6", {"value": "x", "contentType": "c" * 256}, 400, "contentType"),
        ("PUT", "/secrets/x?api-version=7.6", {"value": "x" * 20_000_000}, 413, "too large"),
        ("POST", "/secrets/restore?api-version=7.6", {"value": "nonsense"}, 400, "Backup blob"),
        ("POST", "/secrets/rotate-me/rotate?api-version=7.6", None, 501, "POST /secrets/rotate-me/rotate"),
        ("GET", "/keys?api-version=7.6", None, 501, "GET /keys"),
    ],
)
def test_nonsense_and_what_the_rehearsal_has_not(
    cloud: LocalCloud, method: str, path: str, body: Any, status: int, says: str
) -> None:
    answer = requests.request(method, ADDRESS + path, json=body, headers=bearer(cloud), timeout=10)
    assert answer.status_code == status
    assert says in answer.json()["error"]["message"]


def test_a_backup_brings_all_versions_back_and_shows_no_value(cloud: LocalCloud, client: SecretClient) -> None:
    secret = name()
    first = client.set_secret(secret, VALUE)
    client.set_secret(secret, "two", tags={"a": "b"})
    blob = client.backup_secret(secret)
    assert VALUE.encode() not in blob
    with pytest.raises(ResourceExistsError, match="already exists"):
        client.restore_secret_backup(blob)
    client.begin_delete_secret(secret).wait()
    with pytest.raises(ResourceExistsError, match="deleted but recoverable") as caught:
        client.restore_secret_backup(blob)
    assert inner(caught.value) == "ObjectIsDeletedButRecoverable"
    client.purge_deleted_secret(secret)
    assert client.restore_secret_backup(blob).tags == {"a": "b"}
    assert client.get_secret(secret, first.properties.version).value == VALUE
    assert client.get_secret(secret).value == "two"


def test_a_page_goes_on_where_it_ended_whatever_came_or_went_in_between(
    cloud: LocalCloud, client: SecretClient
) -> None:
    prefix = f"zz-{uuid.uuid4()}"

    def page(address: str) -> tuple[list[str], str]:
        body = requests.get(address, headers=bearer(cloud), timeout=10).json()
        names = [item["id"].rpartition("/")[2] for item in body["value"]]
        return [one for one in names if one.startswith(prefix)], body["nextLink"]

    for number in range(8):
        client.set_secret(f"{prefix}-{number}", "x")
    address, seen = f"{ADDRESS}/secrets?api-version=7.6&maxresults=3", list[str]()
    while len(seen) < 3:
        more, address = page(address)
        seen += more
    client.begin_delete_secret(f"{prefix}-0").wait()
    client.set_secret(f"{prefix}-00", "x")
    while address:
        more, address = page(address)
        seen += more
    assert seen == [f"{prefix}-{number}" for number in range(8)]


def test_many_versions_are_listed_over_pages_without_their_values(cloud: LocalCloud, client: SecretClient) -> None:
    secret = name()
    made = {client.set_secret(secret, VALUE).properties.version for _ in range(30)}
    assert {found.version for found in client.list_properties_of_secret_versions(secret)} == made


def test_a_secret_outside_its_time_can_be_read_all_the_same(client: SecretClient) -> None:
    expired = client.set_secret(name(), "x", expires_on=datetime(2001, 1, 1, tzinfo=UTC))
    early = client.set_secret(name(), "y", not_before=datetime(2099, 1, 1, tzinfo=UTC))
    assert client.get_secret(expired.name or "").value == "x"
    assert client.get_secret(early.name or "").properties.not_before == datetime(2099, 1, 1, tzinfo=UTC)


def test_deleted_secrets_go_by_themselves_after_the_vaults_days(cloud: LocalCloud) -> None:
    cloud.assign(cloud.put_vault("kv-week", softDeleteRetentionInDays=7), "Key Vault Secrets Officer")
    with SecretClient("https://kv-week.vault.azure.net", cloud.credential()) as client:
        made = client.set_secret("short", "x")
        assert (made.properties.recovery_level, made.properties.recoverable_days) == (
            "CustomizedRecoverable+Purgeable",
            7,
        )
        deleted = client.begin_delete_secret("short").result()
        assert deleted.deleted_date is not None and deleted.scheduled_purge_date is not None
        assert (deleted.scheduled_purge_date - deleted.deleted_date).days == 7
        cloud.clock.ahead = 7 * 86_400 + 1
        try:
            with SecretClient("https://kv-week.vault.azure.net", cloud.credential()) as later:
                assert list(later.list_deleted_secrets()) == []
                assert later.set_secret("short", "y").value == "y"
        finally:
            cloud.clock.ahead = 0.0


def test_a_stale_first_read_knows_nothing_of_a_new_secret_and_the_old_value_of_another(
    cloud: LocalCloud, client: SecretClient
) -> None:
    new, old = name(), name()
    client.set_secret(old, "before")
    cloud.call(lambda: cloud.faults.add(Fault(kind="stale", host="*.vault.azure.net", times=None)))
    try:
        client.set_secret(new, "x")
        with pytest.raises(ResourceNotFoundError):
            client.get_secret(new)
        assert client.get_secret(new).value == "x"
        client.set_secret(old, "after")
        assert [client.get_secret(old).value for _ in range(2)] == ["before", "after"]
    finally:
        cloud.call(cloud.faults.clear)


def test_a_role_at_one_secret_opens_no_other(cloud: LocalCloud) -> None:
    vault = cloud.put_vault("kv-one-secret")
    cloud.assign(f"{vault}/secrets/mine", "Key Vault Secrets Officer")
    with SecretClient("https://kv-one-secret.vault.azure.net", cloud.credential()) as client:
        client.set_secret("mine", "x")
        assert client.get_secret("Mine").value == "x"
        for work in (lambda: client.set_secret("other", "x"), lambda: list(client.list_properties_of_secrets())):
            with pytest.raises(HttpResponseError) as caught:
                work()
            assert inner(caught.value) == "ForbiddenByRbac"


@pytest.mark.parametrize("word", ["get", "list", "set", "delete", "recover", "purge", "backup", "restore"])
def test_each_permission_of_an_access_policy_allows_its_own_calls_alone(cloud: LocalCloud, word: str) -> None:
    vault = f"kv-may-{word}"
    policy = {"tenantId": TENANT, "objectId": OBJECT, "permissions": {"secrets": [word]}}
    cloud.put_vault(vault, enableRbacAuthorization=False, accessPolicies=[policy])
    calls = {
        "get": ("GET", "/secrets/x"),
        "list": ("GET", "/secrets"),
        "set": ("PUT", "/secrets/x"),
        "delete": ("DELETE", "/secrets/x"),
        "recover": ("POST", "/deletedsecrets/x/recover"),
        "purge": ("DELETE", "/deletedsecrets/x"),
        "backup": ("POST", "/secrets/x/backup"),
        "restore": ("POST", "/secrets/restore"),
    }
    for other, (method, path) in calls.items():
        address = f"https://{vault}.vault.azure.net{path}?api-version=7.4"
        answer = requests.request(method, address, headers=bearer(cloud), timeout=10)
        assert (answer.status_code == 403) == (other != word), other


def test_a_body_that_is_no_json(cloud: LocalCloud) -> None:
    deep = requests.put(f"{ADDRESS}/secrets/x?api-version=7.6", data=b"[" * 100_000, headers=bearer(cloud), timeout=10)
    assert (deep.status_code, deep.json()["error"]["code"]) == (400, "BadParameter")
    answer = requests.put(f"{ADDRESS}/secrets/x?api-version=7.6", data=b"{", headers=bearer(cloud), timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadParameter")


def test_no_value_is_in_any_log(cloud: LocalCloud, client: SecretClient) -> None:
    client.set_secret("logged", VALUE)
    client.get_secret("logged")
    for log in cloud.gateway.folder.glob("*.log"):
        assert VALUE not in log.read_text()
    assert not cloud.gateway.failures
