"""Azurite as a process: new accounts, crashes, the end of the rehearsal."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient, generate_blob_sas

from rehearsal.storage import azurite
from rehearsal.storage.accounts import StorageAccounts
from rehearsal.storage.app import create_app as storage_app
from rehearsal.storage.azurite import Azurite, AzuriteFailed
from rehearsal.store import Store
from tests.rehearsal.gateway.local_cloud import LocalCloud, use

pytestmark = pytest.mark.release


def service(cloud: LocalCloud, account: str) -> BlobServiceClient:
    key = cloud.call(lambda: cloud.world.storage_accounts.ensure(account))[0]
    return BlobServiceClient(f"https://{account}.blob.core.windows.net", credential=key, retry_total=0)


def test_a_new_account_is_served_at_once_and_the_old_keeps_its_data(cloud: LocalCloud) -> None:
    cloud.put_account("stfirst")
    with service(cloud, "stfirst") as first:
        first.create_container("data").upload_blob("x", b"content")
        cloud.put_account("stsecond")
        with service(cloud, "stsecond") as second:
            second.create_container("data")
            assert [blob.name for blob in second.get_container_client("data").list_blobs()] == []
        assert first.get_container_client("data").download_blob("x").readall() == b"content"


def test_a_download_under_way_is_not_cut_by_a_new_account(cloud: LocalCloud) -> None:
    cloud.put_account("stlong")
    size = 24 * 1024 * 1024
    assert cloud.azurite is not None
    with service(cloud, "stlong") as long, concurrent.futures.ThreadPoolExecutor(1) as pool:
        container = long.create_container("data")
        container.upload_blob("large", bytes(size))
        key = cloud.call(lambda: cloud.world.storage_accounts.ensure("stlong"))[0]
        expiry = datetime.now(UTC) + timedelta(minutes=5)
        sas = generate_blob_sas("stlong", "data", "large", account_key=key, permission="r", expiry=expiry)
        address = f"https://stlong.blob.core.windows.net/data/large?{sas}"
        with requests.get(address, stream=True, timeout=60) as download:
            pieces = download.iter_content(64 * 1024)
            received = len(next(pieces))
            starts = cloud.azurite.starts
            cloud.put_account("stlate")
            with service(cloud, "stlate") as late:
                made = pool.submit(late.create_container, "data")
                with pytest.raises(TimeoutError):
                    made.result(0.3)
                received += sum(len(piece) for piece in pieces)
                made.result(30)
        assert received == size
        assert cloud.azurite.starts == starts + 1


def test_azurite_is_started_again_when_it_died(cloud: LocalCloud) -> None:
    cloud.put_account("stdied")
    with service(cloud, "stdied") as client:
        container = client.create_container("data")
        assert cloud.azurite is not None
        pid = int((cloud.azurite.log.parent / "azurite.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:  # until its death is noticed, a request may still meet a closed port
            try:
                list(container.list_blobs())
            except Exception as error:
                assert "ServerBusy" in str(error) or "ContainerNotFound" in str(error), error
            if int((cloud.azurite.log.parent / "azurite.pid").read_text()) != pid:
                break
        with service(cloud, "stdied") as again:
            list(again.list_containers())


PROGRAM = """
import asyncio, os, signal, sys
from pathlib import Path
from rehearsal.storage.accounts import StorageAccounts
from rehearsal.storage.azurite import Azurite
from rehearsal.store import Store

async def main(folder):
    accounts = StorageAccounts(folder, Store(folder / "store.sqlite"))
    key = accounts.ensure("stkept")[0]
    azurite = Azurite(folder / "azurite", accounts)
    await azurite.start()
    from tests.rehearsal.storage.signed import signed
    async with azurite.serving() as client:
        {work}
    if "{end}" == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    await azurite.stop()

asyncio.run(main(Path(sys.argv[1])))
"""


def run(folder: Path, work: str, end: str) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(work=textwrap.dedent(work).replace("\n", "\n        "), end=end)
    root = Path(__file__).resolve().parents[3]
    return subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_killed_rehearsal_takes_azurite_with_it_and_loses_no_blob(tmp_path: Path) -> None:
    write = """
    assert (await signed(client, key, "PUT", "/data?restype=container")).status_code == 201
    assert (await signed(client, key, "PUT", "/data/x", b"content")).status_code == 201
    """
    killed = run(tmp_path, write, "killed")
    assert killed.returncode == -9, killed.stderr
    read = """
    answer = await signed(client, key, "GET", "/data/x")
    print(answer.status_code, answer.text)
    """
    again = run(tmp_path, read, "stopped")
    assert again.stdout == "200 content\n", again.stderr
    assert stat.S_IMODE((tmp_path / "azurite/tls.key").stat().st_mode) == 0o600
    assert not (tmp_path / "azurite/azurite.pid").exists()


def test_two_do_not_write_into_one_folder(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cloud.azurite is not None
    cloud.run(cloud.azurite.start())
    monkeypatch.setattr(azurite, "STOP_LIMIT_SECONDS", 0.1)
    second = Azurite(cloud.folder / "azurite", cloud.world.storage_accounts)
    with pytest.raises(AzuriteFailed, match=r"another rehearsal's Azurite \(process \d+\)"):
        cloud.run(second.start())


def test_azurite_that_is_not_installed_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azurite, "PROGRAM", tmp_path / "nothing.js")
    store = Store(tmp_path / "store.sqlite")
    missing: Any = Azurite(tmp_path / "azurite", StorageAccounts(tmp_path, store))
    with pytest.raises(AzuriteFailed, match="make setup"):
        asyncio.run(missing.start())
    store.close()


def test_azurite_that_does_not_start_says_why_once_and_is_not_started_for_every_retry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "broken.js"
    program.write_text("throw new Error('no space left for blobs')")
    monkeypatch.setattr(azurite, "PROGRAM", program)
    told: list[str] = []
    with LocalCloud(tmp_path / "cloud") as cloud:
        broken = Azurite(tmp_path / "azurite", cloud.world.storage_accounts)
        broken.on_failure = told.append
        front = storage_app(cloud.world, broken)
        cloud.call(lambda: cloud.gateway._apps.append(("*.blob.core.windows.net", front)))
        cloud.put_account("stbroken")
        use(cloud.exports(), monkeypatch)
        for _ in range(2):
            with service(cloud, "stbroken") as client, pytest.raises(HttpResponseError) as caught:
                client.create_container("data")
            assert caught.value.status_code == 503
            assert "no space left for blobs" in str(caught.value) and "azurite.log" in str(caught.value)
        assert len(told) == 1 and "code 1" in told[0]
        cloud.run(broken.stop())


def test_a_port_that_somebody_took_in_between_is_given_up_for_another(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cloud.azurite is not None
    ask = azurite._free_port
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = [taken.getsockname()[1]]
        monkeypatch.setattr(azurite, "_free_port", lambda: ports.pop() if ports else ask())
        cloud.put_account("stport")
        with service(cloud, "stport") as client:
            client.create_container("data")
    assert not ports
