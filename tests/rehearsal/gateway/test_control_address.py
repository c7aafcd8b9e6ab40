"""The control address: what a program does there, and that a page in a browser gets nowhere."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.gateway import clients
from rehearsal.gateway.control_rules import KINDS, SETTABLE, fault_from, shown, storm_from
from tests.rehearsal.gateway.local_cloud import LocalCloud

HOST = "https://management.azure.com"
RULE = {"kind": "status", "status": 503, "times": None}


@pytest.fixture(autouse=True)
def fresh(cloud: LocalCloud) -> Iterator[None]:
    yield
    cloud.call(cloud.faults.clear)


def door(cloud: LocalCloud, name: str = "") -> str:
    return f"{cloud.gateway.control_address}{name}"


def rules(cloud: LocalCloud) -> list[Any]:
    found: list[Any] = requests.get(door(cloud, "faults"), timeout=10).json()["faults"]
    return found


def test_it_says_what_it_can(cloud: LocalCloud) -> None:
    assert "POST /__rehearsal__/faults" in requests.get(door(cloud), timeout=10).json()
    missing = requests.get(door(cloud, "nothing"), timeout=10)
    assert missing.status_code == 404 and "/__rehearsal__/nothing" in missing.json()["error"]


def test_faults_are_set_listed_and_cleared(cloud: LocalCloud) -> None:
    rule = {**RULE, "headers": {"Retry-After": "1"}, "host": "management.*"}
    assert requests.post(
        door(cloud, "faults"), json=[rule, {"kind": "latency", "path": "/other"}], timeout=10
    ).json() == {"added": 2}
    struck = requests.get(f"{HOST}/x", timeout=10)
    assert (struck.status_code, struck.headers["retry-after"]) == (503, "1")
    assert struck.json()["error"]["code"] == "ServerTimeout", "no body was given: the service's own"
    assert [(fault["kind"], fault["struck"], fault["seen"]) for fault in rules(cloud)] == [
        ("status", 1, 1),
        ("latency", 0, 0),
    ]
    assert requests.delete(door(cloud, "faults"), timeout=10).status_code == 200
    assert requests.get(f"{HOST}/x", timeout=10).status_code == 200


def test_what_is_listed_can_be_set_again(cloud: LocalCloud) -> None:
    requests.post(door(cloud, "faults"), json={**RULE, "share": 0.5, "every": 2, "body": "x"}, timeout=10)
    (listed,) = rules(cloud)
    again = {name: value for name, value in listed.items() if name not in ("seen", "struck")}
    assert requests.post(door(cloud, "faults"), json=again, timeout=10).status_code == 200
    assert rules(cloud) == [listed, listed]


def test_the_record_of_requests_goes_on_from_a_number(cloud: LocalCloud) -> None:
    start = requests.get(door(cloud, "requests"), timeout=10).json()["number"]
    requests.post(door(cloud, "faults"), json={"kind": "status", "path": "/second"}, timeout=10)
    for path in ("first", "second", "third"):
        requests.get(f"{HOST}/{path}?secret=planted", headers={"Authorization": "planted"}, timeout=10)
    told = requests.get(door(cloud, "requests"), params={"after": start}, timeout=10)
    assert [(entry["path"], entry["status"], entry.get("struck")) for entry in told.json()["recent"]] == [
        ("/first", 200, None),
        ("/second", 503, ["status"]),
        ("/third", 200, None),
    ]
    assert "planted" not in told.text
    two = requests.get(door(cloud, "requests"), params={"after": start, "limit": 2}, timeout=10).json()["recent"]
    assert [entry["number"] for entry in two] == [start + 1, start + 2]
    some = {"after": start, "path": "/t*", "host": "management.*", "method": "GET"}
    chosen = requests.get(door(cloud, "requests"), params=some, timeout=10).json()["recent"]
    assert [entry["path"] for entry in chosen] == ["/third"]
    assert told.json()["requests"]["management.azure.com"] >= 3
    assert requests.get(door(cloud, "requests?after=x"), timeout=10).status_code == 400


def test_reset_takes_everything_back_and_numbers_go_on(cloud: LocalCloud) -> None:
    requests.post(door(cloud, "faults"), json=RULE, timeout=10)
    requests.put(door(cloud, "storm"), json={"share": 1.0, "kinds": ["503"]}, timeout=10)
    requests.get(f"{HOST}/x", timeout=10)
    number = requests.get(door(cloud, "requests"), timeout=10).json()["number"]
    assert requests.post(door(cloud, "reset"), json={}, timeout=10).status_code == 200
    assert requests.get(f"{HOST}/x", timeout=10).status_code == 200
    after = requests.get(door(cloud, "requests"), timeout=10).json()
    assert (after["requests"], after["number"], len(after["recent"])) == ({"management.azure.com": 1}, number + 1, 1)


def test_a_storm_is_begun_told_of_and_ended(cloud: LocalCloud) -> None:
    storm = {"share": 1.0, "seed": 7, "kinds": ["503"]}
    assert requests.put(door(cloud, "storm"), json=storm, timeout=10).status_code == 200
    assert requests.get(f"{HOST}/x", timeout=10).status_code == 503
    told = requests.get(door(cloud, "faults"), timeout=10).json()["storm"]
    assert told == {"share": 1.0, "seed": 7, "struck": {"503": 1}}
    assert requests.delete(door(cloud, "storm"), timeout=10).status_code == 200
    assert requests.get(f"{HOST}/x", timeout=10).status_code == 200


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"kind": "explode"}, "kind"),
        ({"kind": "call"}, "kind"),
        ({"kind": "status", "colour": "red"}, "colour"),
        ({"kind": "status", "status": "many"}, "status"),
        ({"kind": "status", "status": 99}, "status"),
        ({"kind": "status", "headers": {"X": "a\r\nY: b"}}, "headers"),
        ({"kind": "status", "headers": {"X": 1}}, "headers"),
        ({"kind": "status", "headers": {"a b": "c"}}, "headers"),
        ({"kind": "status", "headers": {"Content-Length": "5"}}, "headers"),
        ({"kind": "status", "body": 1}, "body"),
        ({"kind": "status", "body": "\ud800"}, "body"),
        ({"kind": "status", "after": 1}, "after"),
        ({"kind": "kill", "pid": 1}, "pid"),
        ({"kind": "latency", "seconds": -1}, "seconds"),
        ({"kind": "latency", "seconds": float("nan")}, "seconds"),
        ({"kind": "latency", "seconds": 10**400}, "seconds"),
        ({"kind": "latency", "distribution": "normal"}, "distribution"),
        ({"kind": "latency", "share": 2}, "share"),
        ({"kind": "latency", "every": 0}, "every"),
        ({"kind": "latency", "times": True}, "times"),
        ([RULE, "x"], "object"),
        ("x", "object"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_whole(cloud: LocalCloud, rule: Any, says: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = requests.post(door(cloud, "faults"), data=json.dumps(rule), headers=headers, timeout=10)
    assert answer.status_code == 400
    assert says in answer.json()["error"]
    assert not rules(cloud)


@pytest.mark.parametrize(
    ("storm", "says"),
    [({}, "share"), ({"share": 2}, "share"), ({"share": 1, "kinds": ["hail"]}, "kinds"), ([], "object")],
)
def test_a_storm_that_makes_no_sense_is_refused(cloud: LocalCloud, storm: Any, says: str) -> None:
    answer = requests.put(door(cloud, "storm"), json=storm, timeout=10)
    assert answer.status_code == 400 and says in answer.json()["error"]


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b"\xff", b" " * 1_100_000])
def test_a_body_that_is_no_json(cloud: LocalCloud, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert requests.post(door(cloud, "faults"), data=body, headers=headers, timeout=10).status_code == 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
LIKELY = JSON | st.sampled_from([*KINDS, "exponential", "*", 0, 1, 503])


@given(st.dictionaries(st.sampled_from(sorted(SETTABLE)), LIKELY) | JSON)
def test_any_rule_is_taken_or_refused_and_one_that_was_taken_works(rule: Any) -> None:
    try:
        fault = fault_from(rule)
    except ValueError:
        return
    for number in range(3):
        strike = fault.strikes("GET", "management.azure.com", f"/{number}")
        assert strike is None or 0 <= strike.seconds <= 600
    assert json.dumps(shown(fault))


@given(st.dictionaries(st.sampled_from(["share", "seed", "silence", "kinds"]), LIKELY) | JSON)
def test_any_storm_is_begun_or_refused(given: Any) -> None:
    try:
        storm = storm_from(given, lambda _: None)
    except ValueError:
        return
    assert 0 <= storm.share <= 1


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_leaves_the_connection_usable(cloud: LocalCloud, status: int) -> None:
    requests.post(door(cloud, "faults"), json={"kind": "status", "status": status, "body": "none of this"}, timeout=10)
    with requests.Session() as session:
        assert session.get(f"{HOST}/x", timeout=10).status_code == status
        assert session.get(f"{HOST}/y", timeout=10).json()["path"] == "/y"


# A page in the user's browser


@pytest.mark.parametrize("path", ["requests", "faults", "storm", "reset", ""])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rehearsal.attacker.example"},  # a name of the page's own that leads to loopback (DNS rebinding)
        {"Host": "127.0.0.1.attacker.example:{port}"},
        {"Host": "127.0.0.1:1"},
        {"Host": "[::1]:{port}"},
        {"Host": "management.azure.com"},
        {"Host": ""},
        {"Origin": "http://127.0.0.1:{port}"},
        {"Origin": "https://attacker.example"},
        {"Origin": "null"},  # a sandboxed frame, a file
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "same-origin"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_page_is_refused(cloud: LocalCloud, path: str, headers: dict[str, str], method: str) -> None:
    told = {name: value.replace("{port}", str(cloud.gateway.port)) for name, value in headers.items()}
    answer = requests.request(method, door(cloud, path), json=RULE, headers=told, timeout=10)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
    assert not cloud.call(cloud.faults.rules)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
@pytest.mark.parametrize("path", ["faults", "storm", "reset"])
def test_what_a_form_may_send_is_no_json(cloud: LocalCloud, kind: str, path: str) -> None:
    method = "PUT" if path == "storm" else "POST"
    answer = requests.request(
        method, door(cloud, path), data=b'{"kind": "drop_before"}', headers={"Content-Type": kind}
    )
    assert answer.status_code == 415
    assert not cloud.call(cloud.faults.rules)


def test_nobody_answers_a_preflight(cloud: LocalCloud) -> None:
    headers = {"Origin": "https://attacker.example", "Access-Control-Request-Method": "DELETE"}
    for more in ({}, headers):
        answer = requests.options(door(cloud, "faults"), headers=more, timeout=10)
        assert answer.status_code in (403, 405)
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_the_answer_cannot_be_read_as_a_script_or_kept(cloud: LocalCloud) -> None:
    answer = requests.get(door(cloud, "requests"), timeout=10)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"


def test_a_request_without_a_host_is_refused(cloud: LocalCloud) -> None:
    with socket.create_connection(("127.0.0.1", cloud.gateway.port), timeout=10) as client:
        client.sendall(b"DELETE /__rehearsal__/faults HTTP/1.0\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 403")


def test_it_is_behind_no_production_hostname_and_not_to_be_had_through_the_proxy(cloud: LocalCloud) -> None:
    assert "sha256" in requests.get(f"{HOST}/__rehearsal__/requests", timeout=10).json()  # the stand-in's own answer
    with socket.create_connection(("127.0.0.1", cloud.gateway.port), timeout=10) as client:
        client.sendall(f"GET {door(cloud, 'requests')} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 403")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as another user")
def test_another_user_of_the_machine_is_refused(cloud: LocalCloud) -> None:
    words = ["curl", "--silent", "--request", "DELETE", "--write-out", "%{http_code}", door(cloud, "faults")]
    environment = {"PATH": os.environ["PATH"]}
    codes = [
        subprocess.run(words, env=environment, capture_output=True, text=True, check=True, user=user).stdout[-3:]
        for user in (0, 65534)
    ]
    assert codes == ["200", "403"]


def test_a_client_that_speaks_ipv4_inside_ipv6_is_found_too(cloud: LocalCloud) -> None:
    with socket.socket(socket.AF_INET6) as client:
        client.settimeout(10)
        try:
            client.connect(("::ffff:127.0.0.1", cloud.gateway.port))
        except OSError:
            pytest.skip("there is no IPv6 here")
        assert clients.process_of(("127.0.0.1", client.getsockname()[1])) in (os.getpid(), None)
        assert clients.can_be_found() == (clients.process_of(("127.0.0.1", client.getsockname()[1])) is not None)
        assert not clients.is_another_users(("127.0.0.1", client.getsockname()[1]))


def test_it_listens_on_loopback_alone(cloud: LocalCloud) -> None:
    server = cloud.gateway._server
    assert server is not None
    assert {each.getsockname()[0] for each in server.sockets} == {"127.0.0.1"}
