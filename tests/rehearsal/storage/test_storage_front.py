"""Blobs through azure-storage-blob: who is let in with what, and that Azurite then does what Azure does."""

from __future__ import annotations

import concurrent.futures
import hashlib
import io
import os
import subprocess
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
import requests
from azure.core import MatchConditions
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobServiceClient, ContainerClient, generate_blob_sas
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rehearsal.gateway.faults import Fault
from tests.rehearsal.gateway.local_cloud import GROUP, SUBSCRIPTION, LocalCloud

ACCOUNT = "stslipwaytest"
ADDRESS = f"https://{ACCOUNT}.blob.core.windows.net"
RESOURCE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}"
MEBIBYTE = 1024 * 1024


class Person:
    """A service principal of its own, so that roles of one test mean nothing to another."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud, self.app_id, self.object_id = cloud, str(uuid.uuid4()), str(uuid.uuid4())
        cloud.call(
            lambda: cloud.world.directory.add_service_principal(
                tenant_id="7a6f3c1e-52d4-4b8e-9d0a-1f2e3d4c5b6a",
                app_id=self.app_id,
                object_id=self.object_id,
                display_name="Somebody",
                client_secret="planted-secret-0002",
            )
        )

    def may(self, role: str, scope: str = RESOURCE) -> Person:
        self.cloud.assign(scope, role, self.object_id)
        return self

    def container(self, name: str = "data", address: str = ADDRESS) -> ContainerClient:
        credential = self.cloud.credential(secret="planted-secret-0002", app_id=self.app_id)
        return BlobServiceClient(address, credential=credential, retry_total=0).get_container_client(name)

    def header(self) -> dict[str, str]:
        credential = self.cloud.credential(secret="planted-secret-0002", app_id=self.app_id)
        token = credential.get_token("https://storage.azure.com/.default").token
        return {"Authorization": f"Bearer {token}", "x-ms-version": "2024-11-04"}


@pytest.fixture
def container(cloud: LocalCloud) -> Iterator[ContainerClient]:
    """The container as somebody with the role that releases have."""
    with Person(cloud).may("Storage Blob Data Contributor").container() as client:
        yield client


def code(error: HttpResponseError) -> str:
    found = getattr(error, "error_code", None)
    return str(getattr(found, "value", found))


def name() -> str:
    return f"{uuid.uuid4()}/blob"


def test_a_contributor_writes_reads_lists_and_deletes(container: ContainerClient) -> None:
    blob = name()
    container.upload_blob(blob, b"content", metadata={"slot": "blue"})
    assert container.download_blob(blob).readall() == b"content"
    assert container.get_blob_client(blob).get_blob_properties().metadata == {"slot": "blue"}
    assert [found.name for found in container.list_blobs(name_starts_with=blob)] == [blob]
    container.delete_blob(blob)
    with pytest.raises(ResourceNotFoundError) as caught:
        container.download_blob(blob)
    assert code(caught.value) == "BlobNotFound"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co"), exclude_characters="\\"),
        min_size=1,
        max_size=20,
    )
)
def test_any_name_of_a_blob_passes(container: ContainerClient, odd: str) -> None:
    blob = f"{uuid.uuid4()}-{odd.rstrip('./')}-x"
    if any(part in (".", "..", "") for part in blob.split("/")):
        return
    container.upload_blob(blob, odd.encode())
    assert container.download_blob(blob).readall() == odd.encode()
    assert [found.name for found in container.list_blobs(name_starts_with=blob)] == [blob]
    container.delete_blob(blob)


def test_a_name_with_what_a_path_may_hold_passes_as_it_is(container: ContainerClient, cloud: LocalCloud) -> None:
    """Clients encode what they like; Delta's writes environment=dev."""
    headers = Person(cloud).may("Storage Blob Data Contributor").header()
    for blob in ("environment=dev/part-0", "a+b,c;d@e:f", "it's(1)!$&*"):
        answer = requests.put(
            f"{ADDRESS}/data/{blob}", data=b"x", headers={**headers, "x-ms-blob-type": "BlockBlob"}, timeout=10
        )
        assert answer.status_code == 201, answer.text
        assert container.download_blob(blob).readall() == b"x"


def test_a_listing_begins_where_it_should(container: ContainerClient, cloud: LocalCloud) -> None:
    folder = str(uuid.uuid4())
    for number in range(4):
        container.upload_blob(f"{folder}/{number}", b"")
    headers = Person(cloud).may("Storage Blob Data Reader").header()

    def listed(**query: str) -> list[str]:
        asked = {"restype": "container", "comp": "list", "prefix": f"{folder}/", **query}
        answer = requests.get(f"{ADDRESS}/data", params=asked, headers=headers, timeout=10)
        root = ElementTree.fromstring(answer.content)
        return [str(found.text).rpartition("/")[2] for found in root.iter("Name")]

    assert listed() == ["0", "1", "2", "3"]
    assert listed(startFrom=f"{folder}/2") == ["2", "3"]
    assert listed(startFrom=f"{folder}/15") == ["2", "3"]
    assert listed(startFrom=f"{folder}/9") == []


def test_large_blobs_stream_and_come_back_whole(cloud: LocalCloud) -> None:
    with Person(cloud).may("Storage Blob Data Contributor").container() as container:
        piece = bytes(range(256)) * 4096
        container.upload_blob("large", io.BytesIO(piece * 24), length=24 * MEBIBYTE, overwrite=True)
        digest = hashlib.sha256()
        for chunk in container.download_blob("large").chunks():
            digest.update(chunk)
        assert digest.digest() == hashlib.sha256(piece * 24).digest()
        assert container.download_blob("large", offset=255, length=3).readall() == b"\xff\x00\x01"


def test_compare_and_swap_has_one_winner(container: ContainerClient) -> None:
    blob = name()
    start = threading.Barrier(6)

    def create(number: int) -> bool:
        start.wait(20)
        try:
            container.upload_blob(blob, str(number).encode())
        except ResourceExistsError:
            return False
        return True

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(create, range(6))) == [False] * 5 + [True]
    etag = container.get_blob_client(blob).get_blob_properties().etag

    def replace(number: int) -> bool:
        start.wait(20)
        try:
            container.upload_blob(
                blob, str(number).encode(), overwrite=True, etag=etag, match_condition=MatchConditions.IfNotModified
            )
        except ResourceModifiedError:
            return False
        return True

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(replace, range(6))) == [False] * 5 + [True]


def test_without_a_role_nothing_is_allowed(cloud: LocalCloud) -> None:
    with Person(cloud).container() as container:
        for work in (
            lambda: container.upload_blob("x", b""),
            lambda: list(container.list_blobs()),
            lambda: container.download_blob("x"),
            lambda: container.delete_blob("x"),
            container.create_container,
        ):
            with pytest.raises(HttpResponseError) as caught:
                work()
            assert (caught.value.status_code, code(caught.value)) == (403, "AuthorizationPermissionMismatch")


def test_an_owner_of_the_subscription_has_no_data_role(cloud: LocalCloud) -> None:
    with Person(cloud).may("Owner", f"/subscriptions/{SUBSCRIPTION}").container() as container:
        with pytest.raises(HttpResponseError) as caught:
            container.download_blob("x")
        assert code(caught.value) == "AuthorizationPermissionMismatch"


def test_a_reader_reads_only(cloud: LocalCloud, container: ContainerClient) -> None:
    blob = name()
    container.upload_blob(blob, b"content")
    with Person(cloud).may("Storage Blob Data Reader").container() as reader:
        assert reader.download_blob(blob).readall() == b"content"
        for work in (lambda: reader.upload_blob(blob, b"", overwrite=True), lambda: reader.delete_blob(blob)):
            with pytest.raises(HttpResponseError) as caught:
                work()
            assert caught.value.status_code == 403
    assert container.download_blob(blob).readall() == b"content"


def test_a_role_on_one_container_ends_there(cloud: LocalCloud, key: str) -> None:
    person = Person(cloud).may("Storage Blob Data Contributor", f"{RESOURCE}/blobServices/default/containers/data")
    with BlobServiceClient(ADDRESS, credential=key) as service:
        service.create_container("other")
    person.container().upload_blob(name(), b"")
    with pytest.raises(HttpResponseError, match="not authorized"):
        person.container("other").upload_blob(name(), b"")


def test_a_new_role_works_late(cloud: LocalCloud) -> None:
    person = Person(cloud)
    role = "Storage Blob Data Contributor"
    cloud.call(lambda: cloud.world.roles.assign(scope=RESOURCE, principal_id=person.object_id, role_name=role))
    with person.container() as container:
        with pytest.raises(HttpResponseError) as caught:
            container.upload_blob(name(), b"")
        assert code(caught.value) == "AuthorizationPermissionMismatch"
        cloud.clock.ahead = 301.0
        try:
            container.upload_blob(name(), b"")
        finally:
            cloud.clock.ahead = 0.0


@pytest.mark.parametrize(
    ("audience", "ahead", "detail"),
    [("https://vault.azure.net", 0.0, "Audience"), ("https://storage.azure.com", 3600.0, "expired")],
)
def test_a_token_that_is_not_for_storage_or_is_over(
    cloud: LocalCloud, audience: str, ahead: float, detail: str
) -> None:
    token = cloud.credential().get_token(f"{audience}/.default").token
    cloud.clock.ahead = ahead
    headers = {"Authorization": f"Bearer {token}", "x-ms-version": "2024-11-04"}
    answer = requests.get(f"{ADDRESS}/data/x", headers=headers, timeout=10)
    cloud.clock.ahead = 0.0
    assert answer.status_code == 401
    assert answer.headers["x-ms-error-code"] == "InvalidAuthenticationInfo"
    assert answer.headers["www-authenticate"].startswith("Bearer authorization_uri=https://login.microsoftonline.com/")
    assert detail in answer.text
    assert token not in answer.text


def test_nobody_in_particular_is_not_let_in(cloud: LocalCloud) -> None:
    answer = requests.get(f"{ADDRESS}/data/x", timeout=10)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (401, "NoAuthenticationInformation")


def test_the_accounts_key_works_and_another_does_not(cloud: LocalCloud, key: str) -> None:
    with BlobServiceClient(ADDRESS, credential=key, retry_total=0) as service:
        assert "data" in [found.name for found in service.list_containers()]
    wrong = cloud.call(lambda: cloud.world.storage_accounts.ensure("stother"))[0]
    with (
        BlobServiceClient(ADDRESS, credential=wrong, retry_total=0) as service,
        pytest.raises(ClientAuthenticationError) as caught,
    ):
        list(service.list_containers())
    assert code(caught.value) == "AuthenticationFailed"


def test_an_account_may_refuse_keys(cloud: LocalCloud) -> None:
    cloud.put_account("stnokeys", allowSharedKeyAccess=False)
    key = cloud.call(lambda: cloud.world.storage_accounts.ensure("stnokeys"))[0]
    with BlobServiceClient("https://stnokeys.blob.core.windows.net", credential=key, retry_total=0) as service:
        with pytest.raises(HttpResponseError) as caught:
            list(service.list_containers())
        assert code(caught.value) == "KeyBasedAuthenticationNotPermitted"


@pytest.mark.parametrize("protocol", [None, "https"])
def test_a_signature_gives_what_it_says(container: ContainerClient, key: str, protocol: str | None) -> None:
    blob = name()
    container.upload_blob(blob, b"content")
    more: dict[str, Any] = {"protocol": protocol} if protocol else {}
    expiry = datetime.now(UTC) + timedelta(minutes=5)
    sas = generate_blob_sas(ACCOUNT, "data", blob, account_key=key, permission="r", expiry=expiry, **more)
    assert requests.get(f"{ADDRESS}/data/{blob}?{sas}", timeout=10).content == b"content"
    written = requests.put(
        f"{ADDRESS}/data/{blob}?{sas}", data=b"x", headers={"x-ms-blob-type": "BlockBlob"}, timeout=10
    )
    assert written.status_code == 403


def test_an_account_that_nobody_deployed(cloud: LocalCloud) -> None:
    answer = requests.get("https://stnobody.blob.core.windows.net/data/x", timeout=10)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (404, "ResourceNotFound")
    assert "stnobody" in answer.text


def test_a_container_that_is_not_there(cloud: LocalCloud) -> None:
    with Person(cloud).may("Storage Blob Data Contributor").container("missing") as container:
        with pytest.raises(ResourceNotFoundError) as caught:
            container.upload_blob("x", b"")
        assert code(caught.value) == "ContainerNotFound"
        container.create_container()
        container.upload_blob("x", b"")
        container.delete_container()


def test_blob_calls_work_at_the_dfs_hostname(container: ContainerClient, cloud: LocalCloud) -> None:
    blob = name()
    container.upload_blob(blob, b"content")
    person = Person(cloud).may("Storage Blob Data Contributor")
    address = f"https://{ACCOUNT}.dfs.core.windows.net/data/{blob}"
    assert requests.get(address, headers=person.header(), timeout=10).content == b"content"


@pytest.mark.parametrize(
    ("method", "address", "says"),
    [
        ("PUT", f"https://{ACCOUNT}.dfs.core.windows.net/new?resource=filesystem", "resource=filesystem"),
        ("PATCH", f"https://{ACCOUNT}.dfs.core.windows.net/data/x?action=append&position=0", "action=append"),
        ("DELETE", f"https://{ACCOUNT}.dfs.core.windows.net/data/x?recursive=true", "recursive=true"),
        ("POST", f"{ADDRESS}/?comp=batch", "batch"),
        ("POST", f"{ADDRESS}/?restype=service&comp=userdelegationkey", "user delegation"),
    ],
)
def test_what_the_rehearsal_has_not_is_refused_by_name(cloud: LocalCloud, method: str, address: str, says: str) -> None:
    person = Person(cloud).may("Storage Blob Data Owner")
    answer = requests.request(method, address, headers=person.header(), timeout=10)
    assert answer.status_code == 501
    assert says in answer.text and answer.headers["x-ms-error-code"] == "NotImplemented"


def test_a_batch_under_the_accounts_key(container: ContainerClient, key: str) -> None:
    blobs = [name() for _ in range(3)]
    for blob in blobs:
        container.upload_blob(blob, b"")
    with ContainerClient(ADDRESS, "data", credential=key) as client:
        assert [answer.status_code for answer in client.delete_blobs(*blobs)] == [202, 202, 202]
    with pytest.raises(HttpResponseError) as caught:
        list(container.delete_blobs(*blobs))
    assert caught.value.status_code == 501


def test_a_copy_from_elsewhere_does_not_leave_the_rehearsal(container: ContainerClient) -> None:
    blob = name()
    container.upload_blob(blob, b"content")
    copy = container.get_blob_client(name())
    copy.start_copy_from_url(f"{ADDRESS}/data/{blob}")
    assert copy.download_blob().readall() == b"content"
    with pytest.raises(HttpResponseError) as caught:
        copy.start_copy_from_url("https://example.org/data/x")
    assert caught.value.status_code == 501


def test_a_lost_reply_of_a_write_took_effect(cloud: LocalCloud, container: ContainerClient) -> None:
    blob = name()
    cloud.call(lambda: cloud.faults.add(Fault(kind="drop_after", method="PUT")))
    with pytest.raises(Exception, match=r"(?i)connection|remote"):
        container.upload_blob(blob, b"content")
    assert container.download_blob(blob).readall() == b"content"


def test_no_secret_is_in_any_log(cloud: LocalCloud, container: ContainerClient, key: str) -> None:
    container.upload_blob(name(), b"planted-content")
    for log in (cloud.folder / "gateway/requests.log", cloud.folder / "gateway/errors.log", cloud.azurite.log):  # type: ignore[union-attr]
        text = log.read_text()
        assert key not in text and "planted" not in text and "Bearer" not in text
    assert not cloud.gateway.failures


@pytest.mark.parametrize("path", ["%zz", "%", "a%2", "%ff%fe", "b%ff"])
def test_an_address_that_is_none_is_refused_before_azurite_breaks_on_it(cloud: LocalCloud, path: str) -> None:
    header = Person(cloud).may("Storage Blob Data Contributor").header()
    words = ["--path-as-is", "--silent", "--output", "-", "--dump-header", "-"]
    words += [word for name, value in header.items() for word in ("--header", f"{name}: {value}")]
    environment = {"PATH": os.environ["PATH"], **cloud.exports()}
    said = subprocess.run(
        ["curl", *words, f"{ADDRESS}/data/{path}"], env=environment, capture_output=True, text=True, check=True
    )
    assert "400 Bad Request" in said.stdout and "<Code>InvalidUri</Code>" in said.stdout


def test_a_header_that_is_no_ascii_is_refused(cloud: LocalCloud) -> None:
    header = Person(cloud).may("Storage Blob Data Contributor").header()
    answer = requests.get(f"{ADDRESS}/data/x", headers={**header, "x-ms-meta-a": "ü".encode("latin-1")}, timeout=10)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (400, "InvalidHeaderValue")
    assert "x-ms-meta-a" in answer.text
    assert not cloud.gateway.failures
