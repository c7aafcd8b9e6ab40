"""Requests that no client of good will sends: every stand-in says no, none breaks, and the next request is served."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rehearsal.composition.conftest import StandIns

HOSTS = (
    "login.microsoftonline.com",
    "management.azure.com",
    "kv-nobody.vault.azure.net",
    "stnobody.blob.core.windows.net",
    "adb-7405612345678901.1.azuredatabricks.net",
    "dev.azure.com",
)
AUDIENCES = {
    "management.azure.com": "https://management.azure.com",
    "kv-nobody.vault.azure.net": "https://vault.azure.net",
    "stnobody.blob.core.windows.net": "https://storage.azure.com",
    "adb-7405612345678901.1.azuredatabricks.net": "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d",
}
TRICKS = (
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/api/2.0/workspace/export?path=/Workspace/../../../etc/passwd",
    "/api/2.0/workspace/export?path=/../store.sqlite",
    "/api/2.0/workspace/list?path=%2F..%2F..%2F",
    "/api/2.0/workspace/get-status?path=/a%00b",
    "/api/2.0/dbfs/read?path=dbfs:/../../etc/passwd",
    "/subscriptions/../subscriptions/x?api-version=2022-12-01",
    "/subscriptions/%00?api-version=2022-12-01",
    "/secrets/..%2f..%2fx?api-version=7.4",
    "/secrets/%00?api-version=7.4",
    "//////",
    "/%",
    "/%zz",
    "/%ff%fe",
    "/?%ff=%00&&&===",
    "/;/..;/x",
    "/" + "a/" * 5000,
    "*",
    "https://example.org/",
)
HEADS = (
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: {host}\r\n\r\n",
    b"GET  / HTTP/1.1\r\nHost: {host}\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\n folded: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\nX: a\x00b\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: {host}\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    b"BREW / HTTP/1.1\r\nHost: {host}\r\n\r\n",
    b"\x00\x01\x02\x03\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\n" + b"X: x\r\n" * 20_000 + b"\r\n",
    b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: {host}\r\n\r\n",
)
Raw = Callable[[str, bytes], bytes]


@pytest.fixture
def raw(stand_ins: StandIns) -> Raw:
    """Bytes through a tunnel to a host; what came back until the end or the first whole head."""
    exports = stand_ins.azure.exports
    context = ssl.create_default_context(cafile=exports["SSL_CERT_FILE"])
    port = stand_ins.azure.gateway.port

    def send(host: str, data: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(f"CONNECT {host}:443 HTTP/1.1\r\n\r\n".encode())
            assert client.recv(100).startswith(b"HTTP/1.1 200")
            with context.wrap_socket(client, server_hostname=host) as secured:
                answer = b""
                with suppress(ConnectionError, ssl.SSLError):  # it has heard enough
                    secured.sendall(data)
                with suppress(ConnectionError, ssl.SSLError):
                    while b"\r\n\r\n" not in answer and (more := secured.recv(65536)):
                        answer += more
                return answer

    return send


@pytest.fixture(autouse=True)
def unbroken(stand_ins: StandIns, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """No stand-in let an exception out, and nothing was said in the terminal."""
    yield
    errors = stand_ins.azure.gateway.folder / "errors.log"
    assert not stand_ins.azure.gateway.failures, errors.read_text()
    assert stand_ins.ask("GET", "https://dev.azure.com/_signin").status_code == 203
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("number", range(len(HEADS)))
def test_malformed_heads(raw: Raw, number: int) -> None:
    for host in HOSTS:
        answer = raw(host, HEADS[number].replace(b"{host}", host.encode()))
        assert answer[:12] in {b"", *(b"HTTP/1.1 %d" % status for status in (400, 401, 403, 404, 405, 421, 501))}, (
            answer
        )
        assert b"Traceback" not in answer


@pytest.mark.parametrize(
    "header", [b"X: " + b"x" * 70_000, b"\r\n".join([b"X: x"] * 20_000), b"X: " + b"x" * 5_000_000]
)
def test_heads_without_end_are_cut_short(raw: Raw, header: bytes) -> None:
    head = b"GET /_signin HTTP/1.1\r\nHost: dev.azure.com\r\n" + header + b"\r\n\r\n"
    assert raw("dev.azure.com", head)[:12] in (b"HTTP/1.1 400", b"")


@pytest.mark.parametrize("trick", TRICKS)
def test_tricks_with_paths_lead_nowhere(stand_ins: StandIns, raw: Raw, trick: str) -> None:
    for host in HOSTS:
        token = stand_ins.token(AUDIENCES[host]) if host in AUDIENCES else "x"
        head = f"GET {trick} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
        answer = raw(host, head.encode())
        status = int(answer[9:12] or 0)
        assert status == 200 or 400 <= status < 500 or status == 501 or (host == "dev.azure.com" and status == 302), (
            answer
        )
        assert b"root:" not in answer and b"SQLite" not in answer


@pytest.mark.parametrize("host", HOSTS)
def test_bodies_of_20_mb(stand_ins: StandIns, host: str) -> None:
    token = stand_ins.token(AUDIENCES[host]) if host in AUDIENCES else ""
    paths = {
        "login.microsoftonline.com": f"/{stand_ins.environment.azure.tenant_id}/oauth2/token",
        "management.azure.com": "/subscriptions/x/resourcegroups/y?api-version=2024-03-01",
        "adb-7405612345678901.1.azuredatabricks.net": "/api/2.0/workspace/mkdirs",
    }
    body = json.dumps({"path": "x" * 20_000_000})
    answer = stand_ins.ask("POST", f"https://{host}{paths.get(host, '/x')}", token, data=body)
    assert 400 <= answer.status_code < 500 or answer.status_code == 501
    assert len(answer.content) < 100_000, "it is not sent back"


@pytest.mark.parametrize("host", HOSTS)
def test_bodies_that_are_no_json(stand_ins: StandIns, host: str) -> None:
    token = stand_ins.token(AUDIENCES[host]) if host in AUDIENCES else ""
    group = f"/subscriptions/{stand_ins.environment.azure.subscription_id}/resourcegroups/y?api-version=2024-03-01"
    path = {"management.azure.com": group, "adb-7405612345678901.1.azuredatabricks.net": "/api/2.1/jobs/create"}
    for body in (b"{", b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"null", b'"x"', b"1e999", b"NaN", b"[]"):
        for kind in ("application/json", "text/plain", ""):
            headers = {"Content-Type": kind}
            for method in ("PUT", "POST"):
                url = f"https://{host}{path.get(host, '/x')}"
                answer = stand_ins.ask(method, url, token, data=body, headers=headers)
                assert 400 <= answer.status_code < 500 or answer.status_code == 501, (
                    method,
                    body[:20],
                    answer.text[:300],
                )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("secrets/put", {"scope": "kept", "key": "k", "string_value": "\ud800"}),
        ("jobs/create", {"name": "\udc00 alone", "tasks": []}),
        ("workspace/mkdirs", {"path": "/\ud800"}),
    ],
)
def test_half_a_surrogate_pair_is_no_character(stand_ins: StandIns, path: str, body: dict[str, Any]) -> None:
    token = stand_ins.token("2ff814a6-3304-4ab8-85cb-cd0e6f879c1d")
    api = f"https://{HOSTS[4]}/api/2.1" if path.startswith("jobs") else f"https://{HOSTS[4]}/api/2.0"
    assert stand_ins.ask("POST", f"{api}/{path}", token, data=json.dumps(body)).status_code == 400
    assert stand_ins.ask("GET", f"https://{HOSTS[4]}/api/2.1/jobs/list", token).status_code == 200
    whole = json.dumps({"scope": "s", "key": "\U0001f600"})  # a whole pair, as JSON writes what is beyond 16 bits
    assert "\\ud83d" in whole
    answer = stand_ins.ask("POST", f"https://{HOSTS[4]}/api/2.0/secrets/delete", token, data=whole)
    assert answer.json()["error_code"] != "MALFORMED_REQUEST"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(host=st.sampled_from(HOSTS), data=st.binary(max_size=300))
def test_any_bytes(raw: Raw, host: str, data: bytes) -> None:
    answer = raw(host, data + b"\r\n\r\nGET / HTTP/1.1\r\n\r\n")
    assert answer == b"" or 400 <= int(answer[9:12]) < 500 or int(answer[9:12]) == 501


@pytest.mark.parametrize(
    "target",
    [
        "management.azure.com",
        "management.azure.com:80",
        "management.azure.com.:443",
        "user@management.azure.com:443",
        "*.vault.azure.net:443",
        ".vault.azure.net:443",
        "a..vault.azure.net:443",
        "-a.vault.azure.net:443",
        f"{'a' * 64}.vault.azure.net:443",
        f"{'a.' * 200}vault.azure.net:443",
        "a b.vault.azure.net:443",
        "ü.vault.azure.net:443",
        "a_b.vault.azure.net:443",
        "127.0.0.1:443",
        "[::1]:443",
        "localhost:443",
        "0:443",
        ":443",
        "",
    ],
)
def test_what_is_no_hostname_of_a_stand_in_is_refused(stand_ins: StandIns, target: str) -> None:
    assert _plain(stand_ins, f"CONNECT {target} HTTP/1.1\r\n\r\n".encode()).startswith(b"HTTP/1.1 403")


def test_names_of_hosts_ignore_case(stand_ins: StandIns) -> None:
    assert _plain(stand_ins, b"CONNECT MANAGEMENT.azure.COM:443 HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\nmore", 400),
        (b"GET http://management.azure.com/ HTTP/1.1\r\nHost: management.azure.com\r\n\r\n", 403),
        (b"GET http://169.254.169.254/metadata HTTP/1.1\r\n\r\n", 403),
        (b"GET //__rehearsal__/faults HTTP/1.1\r\n\r\n", 403),
        (b"GET /%5f_rehearsal__/faults HTTP/1.1\r\n\r\n", 403),
        (b"X" * 70_000, 431),
    ],
)
def test_what_else_comes_to_the_proxys_port(stand_ins: StandIns, data: bytes, status: int) -> None:
    assert _plain(stand_ins, data).startswith(b"HTTP/1.1 %d" % status)


def test_a_hostname_in_the_handshake_that_is_not_the_tunnels(stand_ins: StandIns) -> None:
    context = ssl.create_default_context(cafile=stand_ins.azure.exports["SSL_CERT_FILE"])
    with socket.create_connection(("127.0.0.1", stand_ins.azure.gateway.port), timeout=20) as client:
        client.sendall(b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        with pytest.raises(ssl.SSLCertVerificationError):
            context.wrap_socket(client, server_hostname="dev.azure.com")


def test_a_body_that_never_comes_holds_up_nobody(stand_ins: StandIns, raw: Raw) -> None:
    context = ssl.create_default_context(cafile=stand_ins.azure.exports["SSL_CERT_FILE"])
    host, slow = "management.azure.com", list[Any]()
    token = stand_ins.token("https://management.azure.com")
    head = f"PUT /subscriptions/x?api-version=2022-12-01 HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
    try:
        for _ in range(20):
            client = socket.create_connection(("127.0.0.1", stand_ins.azure.gateway.port), timeout=20)
            slow.append(client)
            client.sendall(f"CONNECT {host}:443 HTTP/1.1\r\n\r\n".encode())
            assert client.recv(100).startswith(b"HTTP/1.1 200")
            slow.append(context.wrap_socket(client, server_hostname=host))
            slow[-1].sendall(f"{head}Content-Length: 1000000\r\n\r\n{{".encode())
        assert stand_ins.ask("GET", f"https://{host}/metadata/endpoints?api-version=2022-09-01").status_code == 200
    finally:
        for each in slow:
            each.close()


def _plain(stand_ins: StandIns, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", stand_ins.azure.gateway.port), timeout=20) as client:
        client.sendall(data)
        return client.recv(65536)
