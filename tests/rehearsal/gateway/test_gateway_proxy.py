"""The way in and out: who is let through, who is refused, and what the request log says of it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import stat
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from rehearsal.gateway.gateway import Gateway, PortInUse
from tests.rehearsal.gateway.echo import echo
from tests.rehearsal.gateway.local_cloud import LocalCloud

HOST = "https://management.azure.com"


def curl(cloud: LocalCloud, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "20", *words],
        env={"PATH": os.environ["PATH"], **cloud.exports()},
        capture_output=True,
        text=True,
        check=False,
    )


def test_requests_and_curl_reach_the_stand_in_at_its_production_name(cloud: LocalCloud) -> None:
    assert requests.post(f"{HOST}/a/b?c=d", data=b"xyz", timeout=10).json()["size"] == 3
    answer = curl(cloud, "--data", "xyz", f"{HOST}/a/b")
    assert json.loads(answer.stdout)["method"] == "POST", answer.stderr


def test_one_connection_serves_many_requests(cloud: LocalCloud) -> None:
    answer = curl(cloud, "--write-out", "%{num_connects} ", "--output", "/dev/null", f"{HOST}/1", f"{HOST}/2")
    answer = curl(cloud, "--write-out", " %{num_connects}", f"{HOST}/1", f"{HOST}/2")
    assert answer.stdout.count('"method"') == 2
    assert answer.stdout.endswith(" 0"), answer.stdout


def test_expect_100_continue_is_answered(cloud: LocalCloud) -> None:
    answer = curl(cloud, "-v", "-H", "Expect: 100-continue", "--expect100-timeout", "15", "--data", "xyz", f"{HOST}/x")
    assert "100 Continue" in answer.stderr
    assert json.loads(answer.stdout)["size"] == 3


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/",
        "https://management.azure.com:8443/",
        "https://management.azure.com.example.org/",
        "https://adb-1.azuredatabricks.net/",
        "https://169.254.169.254/metadata/instance",
        "http://management.azure.com/",
        "http://169.254.169.254/metadata/identity/oauth2/token?resource=x",
    ],
)
def test_what_no_stand_in_owns_is_refused_by_name(cloud: LocalCloud, address: str) -> None:
    host = urlsplit(address).hostname or ""
    before = cloud.gateway.refused.total()
    answer = curl(cloud, "--verbose", address)
    assert "403" in answer.stderr and host in answer.stderr, answer.stderr
    assert cloud.gateway.refused.total() == before + 1
    assert any(host in refused for refused in cloud.gateway.refused)


def test_a_python_client_is_told_which_host_was_refused(cloud: LocalCloud) -> None:
    with pytest.raises(requests.exceptions.ProxyError, match=r"403.*example\.org"):
        requests.get("https://example.org/", timeout=10)


def test_another_host_on_an_open_connection_is_misdirected(cloud: LocalCloud) -> None:
    assert requests.get(f"{HOST}/x", headers={"Host": "example.org"}, timeout=10).status_code == 421
    other = requests.get(f"{HOST}/x", headers={"Host": "dev.azure.com"}, timeout=10)
    assert other.status_code == 421


def test_a_client_that_does_not_trust_the_run_is_not_served(cloud: LocalCloud) -> None:
    answer = subprocess.run(
        ["curl", "--silent", "--show-error", "--proxy", cloud.exports()["HTTPS_PROXY"], f"{HOST}/x"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 60  # curl: peer certificate cannot be authenticated


def test_the_authoritys_key_is_in_no_file_and_leaf_keys_are_in_none_either(cloud: LocalCloud) -> None:
    requests.get(f"{HOST}/x", timeout=10)
    for file in cloud.gateway.folder.rglob("*"):
        if file.is_file():
            assert b"PRIVATE KEY" not in file.read_bytes(), file
    authority = Path(cloud.exports()["SSL_CERT_FILE"])
    assert authority.is_absolute()
    assert len(ssl.create_default_context(cafile=authority).get_ca_certs()) == 1


def test_exports_are_complete_and_both_cases_agree(cloud: LocalCloud) -> None:
    exports = cloud.exports()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        assert exports[name] == exports[name.lower()]
    assert set(exports["NO_PROXY"].split(",")) == {"localhost", "127.0.0.1", "::1"}
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        assert exports[name] == exports["SSL_CERT_FILE"]
    assert Path(exports["AZURE_CONFIG_DIR"]).is_relative_to(cloud.gateway.folder)
    assert exports["AZURE_CORE_COLLECT_TELEMETRY"] == "false"


def test_large_bodies_pass_both_ways(cloud: LocalCloud) -> None:
    size = 24 * 1024 * 1024
    up = requests.post(f"{HOST}/up", data=(bytes(1024 * 1024) for _ in range(24)), timeout=30)
    assert up.json()["size"] == size
    with requests.get(f"{HOST}/bytes/{size}", stream=True, timeout=30) as down:
        assert sum(len(piece) for piece in down.iter_content(1024 * 1024)) == size


def test_the_request_log_names_the_request_without_its_query(cloud: LocalCloud) -> None:
    before = cloud.gateway.requests["management.azure.com"]
    requests.get(f"{HOST}/blob?sig=planted-signature&sv=2024", headers={"Authorization": "planted-header"}, timeout=10)
    assert cloud.gateway.requests["management.azure.com"] == before + 1
    log = cloud.gateway.folder / "requests.log"
    assert "planted" not in log.read_text()
    # An answer is written down when it has gone out: that of a test before may come after ours, and ours after we have it.
    entries: list[dict[str, Any]] = []
    for _ in range(100):
        entries = [entry for entry in map(json.loads, log.read_text().splitlines()) if entry.get("path") == "/blob"]
        if entries:
            break
        requests.get(f"{HOST}/bytes/1", timeout=10)
    entry = entries[-1]
    assert (entry["method"], entry["host"], entry["status"]) == ("GET", "management.azure.com", 200)
    assert "planted" not in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) & 0o077 == 0


def test_the_request_log_names_the_client_and_the_operation_of_the_blob_service(cloud: LocalCloud) -> None:
    query = "restype=container&comp=list&prefix=planted&sig=planted"
    requests.get(f"{HOST}/data?{query}", headers={"User-Agent": "somebody/1.0 " + "x" * 1000}, timeout=10)
    requests.get(f"{HOST}/data?comp=Planted-Words", timeout=10)
    text = (cloud.gateway.folder / "requests.log").read_text()
    first, second = (json.loads(line) for line in text.splitlines()[-2:])
    assert (first["operation"], first["agent"][:13], len(first["agent"])) == (
        "restype=container&comp=list",
        "somebody/1.0 ",
        300,
    )
    assert "operation" not in second
    assert "lanted" not in text


def test_a_bug_in_a_stand_in_is_a_clear_500_and_is_written_down(cloud: LocalCloud) -> None:
    answer = requests.get(f"{HOST}/fail", timeout=10)
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "InternalServerError"
    assert "a stand-in has a bug" not in answer.text
    assert "a stand-in has a bug" in (cloud.gateway.folder / "errors.log").read_text()
    assert cloud.gateway.failures["management.azure.com"] >= 1


def test_a_port_in_use_is_said_so(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        gateway = Gateway([("management.azure.com", echo)], tmp_path, port=port)
        with pytest.raises(PortInUse, match=str(port)):
            asyncio.run(gateway.start())
        asyncio.run(gateway.stop())


def test_stopping_cuts_what_is_under_way_and_frees_the_port(tmp_path: Path) -> None:
    async def stop_in_the_middle() -> tuple[bytes, list[str], int]:
        told: list[str] = []
        began = asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            began.set()
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                told.append("cancelled")
                raise

        gateway = Gateway([("management.azure.com", slow)], tmp_path)
        await gateway.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await writer.start_tls(
            ssl.create_default_context(cafile=gateway.exports()["SSL_CERT_FILE"]),
            server_hostname="management.azure.com",
        )
        writer.write(b"GET / HTTP/1.1\r\nHost: management.azure.com\r\n\r\n")
        await began.wait()
        await gateway.stop()
        try:
            rest = await asyncio.wait_for(reader.read(), 10)
        except ConnectionError:
            rest = b""
        writer.close()
        again = Gateway([("management.azure.com", slow)], tmp_path, port=gateway.port)
        await again.start()
        await again.stop()
        return rest, told, gateway.port

    rest, told, port = asyncio.run(stop_in_the_middle())
    assert (rest, told) == (b"", ["cancelled"])
    assert port > 0


@pytest.mark.parametrize(
    "head", [b"\r\n\r\n", b"CONNECT\r\n\r\n", b"\x16\x03\x01\x02\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"x" * 70_000]
)
def test_nonsense_is_refused_and_the_gateway_lives(cloud: LocalCloud, head: bytes) -> None:
    with socket.create_connection(("127.0.0.1", cloud.gateway.port), timeout=10) as client:
        client.sendall(head)
        answer = client.recv(65536)
    assert answer.startswith((b"HTTP/1.1 403", b"HTTP/1.1 400", b"HTTP/1.1 431"))
    assert requests.get(f"{HOST}/x", timeout=10).status_code == 200


def test_nonsense_inside_the_tunnel_is_a_bad_request_and_no_noise(
    cloud: LocalCloud, capfd: pytest.CaptureFixture[str]
) -> None:
    context = ssl.create_default_context(cafile=cloud.exports()["SSL_CERT_FILE"])
    with socket.create_connection(("127.0.0.1", cloud.gateway.port), timeout=10) as client:
        client.sendall(b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        with context.wrap_socket(client, server_hostname="management.azure.com") as secured:
            secured.sendall(b"this is no HTTP\r\n\r\n")
            assert secured.recv(1000).startswith(b"HTTP/1.1 400")
    assert capfd.readouterr() == ("", "")


def test_half_a_handshake_does_no_harm(cloud: LocalCloud) -> None:
    with socket.create_connection(("127.0.0.1", cloud.gateway.port), timeout=10) as client:
        client.sendall(b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        client.sendall(b"this is no TLS at all\r\n")
        client.settimeout(10)
        while client.recv(100):
            pass
    assert requests.get(f"{HOST}/x", timeout=10).status_code == 200
