"""Rehearsals as processes: two beside each other, one that is killed, what they listen on and what they leave on the disk."""

from __future__ import annotations

import base64
import concurrent.futures
import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import serialization

pytestmark = pytest.mark.release

ROOT = Path(__file__).resolve().parents[3]
HOST = "https://adb-7405612345678901.1.azuredatabricks.net"
LOGIN = "https://login.microsoftonline.com"
DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
WAIT = "import json, os, sys; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()"


class Running:
    """A rehearsal that runs one command, which waits; clients come in from outside with the variables that it was given."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "rehearsal", "--folder", str(folder), *arguments]
        self.folder = folder
        self.process = subprocess.Popen(
            [*command, "--run", f'{sys.executable} -c "{WAIT}"'],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.environment: dict[str, str] = {}
        said = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said += line
            if line.startswith("{"):
                self.environment = json.loads(line)
                break
        assert self.environment, said
        self._session = threading.local()

    def end(self) -> int:
        self.process.communicate(timeout=60)
        return self.process.returncode

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=60)

    def ask(self, method: str, url: str, **more: Any) -> requests.Response:
        if not hasattr(self._session, "it"):
            self._session.it = requests.Session()
            self._session.it.trust_env = False
        more = {"proxies": {"https": self.environment["https_proxy"]}, "timeout": 60, **more}
        answer: requests.Response = self._session.it.request(
            method, url, verify=self.environment["REQUESTS_CA_BUNDLE"], **more
        )
        return answer

    def bearer(self, scope: str = DATABRICKS) -> dict[str, str]:
        given = self.environment
        form = {
            "grant_type": "client_credentials",
            "client_id": given["AZURE_CLIENT_ID"],
            "client_secret": given["AZURE_CLIENT_SECRET"],
            "scope": f"{scope}/.default",
        }
        answer = self.ask("POST", f"{LOGIN}/{given['AZURE_TENANT_ID']}/oauth2/v2.0/token", data=form)
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def write(self, headers: dict[str, str], path: str) -> bool:
        """A notebook at that path; whether the workspace said that it is there."""
        content = base64.b64encode(f"# Databricks notebook source\n# {path}".encode()).decode()
        body = {"path": path, "content": content, "language": "PYTHON", "overwrite": True}
        try:
            return self.ask("POST", f"{HOST}/api/2.0/workspace/import", headers=headers, json=body).ok
        except requests.exceptions.RequestException:  # killed before, while or after it answered
            return False

    def notebooks(self, headers: dict[str, str]) -> dict[str, str]:
        listed = self.ask("GET", f"{HOST}/api/2.0/workspace/list?path=/", headers=headers).json().get("objects", [])
        found = {}
        for path in (item["path"] for item in listed if item["object_type"] == "NOTEBOOK"):
            export = {"path": path, "format": "SOURCE"}
            answer = self.ask("GET", f"{HOST}/api/2.0/workspace/export", headers=headers, params=export)
            found[path] = base64.b64decode(answer.json()["content"]).decode()
        return found


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def begin(name: str, *arguments: str) -> Running:
        started.append(Running(tmp_path / name, *arguments))
        return started[-1]

    yield begin
    for each in started:
        if each.process.poll() is None:
            each.kill()


def test_two_rehearsals_beside_each_other_share_nothing(start: Callable[..., Running]) -> None:
    one, two = start("one"), start("two")
    assert one.environment["https_proxy"] != two.environment["https_proxy"]
    of_one, of_two = one.bearer(), two.bearer()
    assert one.write(of_one, "/mine")
    assert list(one.notebooks(of_one)) == ["/mine"]
    assert two.notebooks(of_two) == {}
    assert two.ask("GET", f"{HOST}/api/2.0/workspace/list?path=/", headers=of_one).status_code == 403
    with pytest.raises(requests.exceptions.SSLError):
        one.ask("GET", f"{HOST}/", proxies={"https": two.environment["https_proxy"]})
    one.kill()
    assert two.notebooks(of_two) == {}
    again = start("one")
    assert list(again.notebooks(again.bearer())) == ["/mine"], "the killed one's work is there"
    assert again.end() == two.end() == 0


def test_a_rehearsal_that_is_killed_while_it_writes_loses_nothing_that_it_confirmed(
    start: Callable[..., Running],
) -> None:
    confirmed: set[str] = set()
    running = start("killed")
    headers = running.bearer()
    enough = threading.Event()

    def write(number: int) -> None:
        for count in range(500):
            path = f"/notebook-{number}-{count}"
            if not running.write(headers, path):
                return
            confirmed.add(path)
            if len(confirmed) > 100:
                enough.set()

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        working = [pool.submit(write, number) for number in range(6)]
        assert enough.wait(60)
        running.kill()
        for each in working:
            each.result(60)
    with sqlite3.connect(running.folder / "store.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    database.close()
    again = start("killed")
    found = again.notebooks(again.bearer())
    assert confirmed <= set(found)
    assert all(text.rstrip().endswith(path) for path, text in found.items()), "no notebook is half of one"
    assert again.end() == 0
    afresh = start("killed", "--reset")
    assert afresh.notebooks(afresh.bearer()) == {}


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="the system says nothing of its sockets")
def test_nothing_listens_on_anything_but_loopback_and_no_authoritys_key_is_on_the_disk(
    start: Callable[..., Running],
) -> None:
    running = start("looked at")
    _ask_for_storage(running)
    processes = _tree(running.process.pid)
    assert any("azurite" in Path(f"/proc/{pid}/cmdline").read_text() for pid in processes)
    listening = _listening(processes)
    assert len(listening) >= 2  # the gateway and Azurite
    assert {address for address, _ in listening} <= {"127.0.0.1", "::1"}
    authority = x509.load_pem_x509_certificate((running.folder / "gateway/ca.pem").read_bytes()).public_key()
    keys = list(_private_keys(running.folder))
    assert len(keys) >= 2, "the directory's own keys lie in the store"
    shape = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    for file, key in keys:
        assert key.public_key().public_bytes(*shape) != authority.public_bytes(*shape), file
        assert file.stat().st_mode & 0o077 == 0, file
    assert running.end() == 0


def _ask_for_storage(running: Running) -> None:
    """Something that only Azurite answers: it is started for it."""
    azure = "https://management.azure.com"
    headers = running.bearer(azure)
    known = running.ask("GET", f"{azure}/subscriptions?api-version=2022-12-01", headers=headers).json()["value"]
    group = f"{azure}{known[0]['id']}/resourcegroups/rg-listen"
    account = f"{group}/providers/Microsoft.Storage/storageAccounts/stlistenonloopback"
    body = {"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}
    for address, version in ((group, "2024-03-01"), (account, "2023-05-01")):
        made = running.ask("PUT", f"{address}?api-version={version}", headers=headers, json=body)
        assert made.ok, made.text
    headers = {**running.bearer("https://storage.azure.com"), "x-ms-version": "2021-12-02"}
    answer = running.ask("GET", "https://stlistenonloopback.blob.core.windows.net/?comp=list", headers=headers)
    assert answer.status_code == 200, answer.text


def _tree(pid: int) -> list[int]:
    """A process and all that came of it."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    return [pid, *(each for file in children for child in file.read_text().split() for each in _tree(int(child)))]


def _listening(processes: list[int]) -> list[tuple[str, int]]:
    """Addresses on which these processes take connections or datagrams."""
    held = set()
    for pid in processes:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                held.add(str(link.readlink()))
            except FileNotFoundError:  # closed while we look
                continue
    found = []
    for table, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        for fields in map(str.split, Path(f"/proc/net/{table}").read_text().splitlines()[1:]):
            if fields[3] == state and f"socket:[{fields[9]}]" in held:
                address, port = fields[1].split(":")
                found.append((_address(address), int(port, 16)))
    return found


def _address(text: str) -> str:
    """The kernel writes addresses in words of four bytes, each in the order of the machine."""
    words = [int(text[start : start + 8], 16).to_bytes(4, sys.byteorder) for start in range(0, len(text), 8)]
    return socket.inet_ntop(socket.AF_INET if len(words) == 1 else socket.AF_INET6, b"".join(words))


def _private_keys(folder: Path) -> Iterator[tuple[Path, Any]]:
    """Every private key in any file, the stand-ins' store included."""
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            text = file.read_bytes().replace(b"\\n", b"\n")  # as JSON writes a line's end
            for found in re.findall(
                rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", text, re.DOTALL
            ):
                yield file, serialization.load_pem_private_key(found, password=None)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="the system says nothing of its sockets")
def test_spark_of_a_notebook_listens_on_loopback_alone(start: Callable[..., Running]) -> None:
    running = start("spark")
    headers = running.bearer()
    text = "# Databricks notebook source\nprint(spark.range(3).count())\nimport time\ntime.sleep(600)"
    content = base64.b64encode(text.encode()).decode()
    body = {"path": "/sleeper", "content": content, "language": "PYTHON"}
    assert running.ask("POST", f"{HOST}/api/2.0/workspace/import", headers=headers, json=body).ok
    cluster = {"spark_version": "16.4.x-scala2.12", "node_type_id": "Standard_D4ds_v5", "num_workers": 1}
    task = {"task_key": "t", "notebook_task": {"notebook_path": "/sleeper"}, "new_cluster": cluster}
    submitted = running.ask("POST", f"{HOST}/api/2.1/jobs/runs/submit", headers=headers, json={"tasks": [task]})
    run = submitted.json()["run_id"]
    listening: list[tuple[str, int]] = []
    for _ in range(20_000):
        listening = _listening(_tree(running.process.pid))
        state = running.ask("GET", f"{HOST}/api/2.1/jobs/runs/get?run_id={run}", headers=headers).json()["state"]
        assert state["life_cycle_state"] in ("PENDING", "RUNNING"), state
        if len(listening) > 1:
            break
    assert len(listening) > 1, "the gateway and Spark"
    assert {address for address, _ in listening} <= {"127.0.0.1", "::1"}
