"""The audit's table on Azurite: written by several at once, read back, refused readably."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from rehearsal.gateway.faults import Fault
from slipway.domain.audit import CONTAINER, Row
from slipway.domain.codec import decode
from slipway.errors import ServiceError
from slipway.services.audit import AuditTable
from slipway.services.credentials import Credential
from tests.rehearsal.gateway.local_cloud import APP, GROUP, SECRET, TENANT, LocalCloud

# A reading client holds Python's lock while it waits, and these stand-ins live in the test's own process.
WORK = """
import json, os, sys
from azure.identity import EnvironmentCredential
from slipway.domain.audit import Row
from slipway.domain.codec import decode, encode
from slipway.services.audit import AuditTable
from slipway.services.credentials import Credential
account, appends, query = json.load(sys.stdin)
table = AuditTable(account, Credential(EnvironmentCredential(), who="tests"))
for rows in appends:
    table.append([decode(Row, row) for row in rows])
if query is not None:
    json.dump([encode(row) for row in table.read(**query)], sys.stdout)
"""


def row(environment: str, number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"{environment}-{number}",
        "time": f"2026-11-21T08:00:{number:02d}.250Z",
        "app": "bikeshare",
        "environment": environment,
        "action": "publish",
        "result": "done",
        **more,
    }


def rows_of(found: list[dict[str, Any]]) -> list[Row]:
    return sorted((decode(Row, each) for each in found), key=lambda each: each.id)


class Account:
    """A state account of its own, and processes that work on its audit."""

    def __init__(
        self, cloud: LocalCloud, *, container: bool = True, role: str = "Storage Blob Data Contributor"
    ) -> None:
        self.cloud, self.name = cloud, f"st{uuid.uuid4().hex[:16]}"
        cloud.put_account(self.name)
        cloud.assign(f"{GROUP}/providers/Microsoft.Storage/storageAccounts/{self.name}", role)
        if container:
            key = cloud.call(lambda: cloud.world.storage_accounts.ensure(self.name))[0]
            with BlobServiceClient(f"https://{self.name}.blob.core.windows.net", credential=key) as service:
                service.create_container(CONTAINER)

    def work(self, appends: list[list[dict[str, Any]]], query: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        signed_in = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": APP, "AZURE_CLIENT_SECRET": SECRET}
        done = subprocess.run(
            [sys.executable, "-c", WORK],
            input=json.dumps([self.name, appends, query]),
            env={**os.environ, **signed_in, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout)) if query is not None else []

    def table(self) -> AuditTable:
        return AuditTable(self.name, Credential(self.cloud.credential(), who="tests"))


@pytest.fixture
def account(cloud: LocalCloud) -> Account:
    return Account(cloud)


def everything(*environments: str) -> dict[str, Any]:
    return {"app": "bikeshare", "environments": environments}


def test_what_is_written_is_read_back(account: Account) -> None:
    full = row("dev", 1, release="1.0", commit="c", link="l", who="ada", from_slot="blue", to_slot="green")
    full |= {"manifest": "m", "seconds": 1.25, "detail": 'it\'s "quoted" → done'}
    found = account.work([[full], [row("dev", 2)]], everything("dev"))
    assert rows_of(found) == rows_of([full, row("dev", 2)])


def test_rows_of_other_environments_apps_and_times_stay_out(account: Account) -> None:
    rows = [row("dev", 1), row("test", 2), row("test", 3), row("test", 4), row("test", 5, app="other")]
    asked = {**everything("test"), "since": 1795248003.25, "until": 1795248004.25}
    found = account.work([rows], asked)
    assert [each["id"] for each in found] == ["test-3"]


def test_nothing_was_ever_written(account: Account) -> None:
    assert account.work([], everything("dev")) == []


@pytest.mark.release
def test_releases_of_several_environments_write_at_once_and_none_is_lost(account: Account) -> None:
    """The table is not there yet, either: they make it at the same time."""
    environments = ["dev", "test", "prod", "uat"]
    with ThreadPoolExecutor(len(environments)) as pool:
        list(pool.map(lambda name: account.work([[row(name, n)] for n in range(6)]), environments))
    found = account.work([], everything(*environments))
    assert sorted(each["id"] for each in found) == sorted(f"{name}-{n}" for name in environments for n in range(6))


def test_what_can_not_be_written_is_said(cloud: LocalCloud) -> None:
    rows = rows_of([row("dev", 1)])
    without_container = Account(cloud, container=False)
    with pytest.raises(
        ServiceError, match=f"Writing to table audit/releases in {without_container.name} failed"
    ) as caught:
        without_container.table().append(rows)
    assert "bootstrap_environment.py" in caught.value.next_step
    reader = Account(cloud, role="Storage Blob Data Reader")
    with pytest.raises(ServiceError, match="Writing to table"):
        reader.table().append(rows)


def test_a_lost_answer_loses_no_row(account: Account, cloud: LocalCloud) -> None:
    """The write is sent again: the row is there, once or twice."""
    cloud.call(lambda: cloud.faults.add(Fault(kind="drop_after", method="PUT", skip=1)))
    account.table().append(rows_of([row("dev", 1)]))
    cloud.call(cloud.faults.clear)
    assert {each["id"] for each in account.work([], everything("dev"))} == {"dev-1"}


def test_no_secret_is_in_an_error_or_in_the_table(cloud: LocalCloud) -> None:
    nobody = Account(cloud, role="Reader")
    with pytest.raises(ServiceError) as caught:
        nobody.table().append(rows_of([row("dev", 1)]))
    token = cloud.credential().get_token("https://storage.azure.com/.default").token
    for part in (SECRET, token[:20], "Bearer", "eyJ"):
        assert part not in str(caught.value)
