"""Faults that strike as they were told to, from Python and through the control door."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.gateway.faults import Fault, Faults
from tests.rehearsal.gateway.local_cloud import LocalCloud

HOST = "https://management.azure.com"


def arm(cloud: LocalCloud, **rule: Any) -> None:
    cloud.call(lambda: cloud.faults.add(Fault(**rule)))


def served(cloud: LocalCloud) -> int:
    return cloud.gateway.served["management.azure.com"]


def test_a_status_strikes_once_with_its_headers(cloud: LocalCloud) -> None:
    arm(cloud, kind="status", status=429, headers=(("Retry-After", "7"),), path="/jobs/*", body='{"error": 1}')
    assert requests.get(f"{HOST}/other", timeout=10).status_code == 200
    before = served(cloud)
    struck = requests.put(f"{HOST}/jobs/create", data=b"x" * 100_000, timeout=10)
    assert (struck.status_code, struck.headers["retry-after"], struck.json()) == (429, "7", {"error": 1})
    assert served(cloud) == before, "the service never saw the request"
    assert requests.get(f"{HOST}/jobs/create", timeout=10).status_code == 200


def test_a_request_dropped_before_never_reaches_the_service(cloud: LocalCloud) -> None:
    arm(cloud, kind="drop_before", method="POST")
    before = served(cloud)
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.post(f"{HOST}/x", timeout=10)
    assert served(cloud) == before
    assert requests.post(f"{HOST}/x", timeout=10).status_code == 200


def test_a_lost_reply_took_effect(cloud: LocalCloud) -> None:
    arm(cloud, kind="drop_after", method="POST")
    before = served(cloud)
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.post(f"{HOST}/x", timeout=10)
    assert served(cloud) == before + 1


def test_a_half_sent_answer_ends_in_the_middle(cloud: LocalCloud) -> None:
    arm(cloud, kind="half_answer")
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        requests.get(f"{HOST}/bytes/1000", timeout=10)
    assert len(requests.get(f"{HOST}/bytes/1000", timeout=10).content) == 1000


def test_a_callback_after_the_third_call(cloud: LocalCloud) -> None:
    heard: list[int] = []
    arm(cloud, kind="call", after=True, skip=2, callback=lambda: heard.append(served(cloud)))
    before = served(cloud)
    for _ in range(4):
        requests.get(f"{HOST}/x", timeout=10)
    assert heard == [before + 3]


def test_latency_holds_back_one_request_only(cloud: LocalCloud) -> None:
    arm(cloud, kind="latency", seconds=30.0, path="/slow")
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(f"{HOST}/slow", timeout=0.3)
    assert requests.get(f"{HOST}/slow", timeout=10).status_code == 200


def test_a_process_is_killed_while_it_waits_for_its_answer(cloud: LocalCloud) -> None:
    program = (
        f"import os, requests; print(os.getpid(), flush=True); input(); requests.get('{HOST}/x'); print('survived')"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    arm(cloud, kind="kill", pid=int(child.stdout.readline()), after=True)
    before = served(cloud)
    output, _ = child.communicate("go\n", timeout=30)
    assert child.returncode == -9
    assert output == ""
    assert served(cloud) == before + 1


def door(cloud: LocalCloud, name: str) -> str:
    return f"http://127.0.0.1:{cloud.gateway.port}/__rehearsal__/{name}"


def test_the_control_door_sets_lists_and_clears_faults(cloud: LocalCloud) -> None:
    rule = {"kind": "status", "status": 503, "headers": {"Retry-After": "1"}, "times": None, "host": "management.*"}
    assert requests.post(door(cloud, "faults"), json=rule, timeout=10).status_code == 200
    assert requests.get(f"{HOST}/x", timeout=10).status_code == 503
    listed = requests.get(door(cloud, "faults"), timeout=10).json()["faults"]
    assert [(fault["kind"], fault["struck"]) for fault in listed] == [("status", 1)]
    assert requests.delete(door(cloud, "faults"), timeout=10).status_code == 200
    assert requests.get(f"{HOST}/x", timeout=10).status_code == 200


def test_the_control_door_tells_of_requests(cloud: LocalCloud) -> None:
    requests.get(f"{HOST}/look/at/me?secret=planted", timeout=10)
    told = requests.get(door(cloud, "requests"), timeout=10)
    assert told.json()["requests"]["management.azure.com"] >= 1
    assert told.json()["recent"][-1]["path"] == "/look/at/me"
    assert "planted" not in told.text


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"kind": "explode"}, "kind"),
        ({"kind": "status", "colour": "red"}, "colour"),
        ({"kind": "status", "status": "many"}, "status"),
        ({"kind": "call"}, "callback"),
        ({"kind": "kill"}, "pid"),
        ({"kind": "latency", "seconds": -1}, "seconds"),
        ([], "object"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(cloud: LocalCloud, rule: Any, says: str) -> None:
    answer = requests.post(door(cloud, "faults"), json=rule, timeout=10)
    assert answer.status_code == 400
    assert says in answer.json()["error"]
    assert not cloud.call(cloud.faults.rules)


def test_the_control_door_is_behind_no_production_hostname(cloud: LocalCloud) -> None:
    assert "sha256" in requests.get(f"{HOST}/__rehearsal__/requests", timeout=10).json()  # the stand-in's own answer
    through = requests.get(door(cloud, "faults"), headers={"Host": "management.azure.com"}, timeout=10)
    assert through.status_code == 403
    proxied = requests.get(door(cloud, "faults"), proxies={"http": cloud.exports()["HTTP_PROXY"]}, timeout=10)
    assert proxied.status_code in (200, 403)  # NO_PROXY lets it go directly; through the proxy it is plain HTTP


@given(skip=st.integers(0, 5), times=st.one_of(st.none(), st.integers(1, 4)), calls=st.integers(0, 12))
def test_skip_and_times_decide_which_calls_are_struck(skip: int, times: int | None, calls: int) -> None:
    faults = Faults()
    faults.add(Fault(kind="status", skip=skip, times=times))
    struck = [number for number in range(calls) if faults.striking("GET", "h", "/p")]
    last = calls if times is None else min(calls, skip + times)
    assert struck == list(range(skip, last))


def test_a_rule_matches_by_method_host_and_path() -> None:
    rule = Fault(kind="status", method="P*", host="*.vault.azure.net", path="/secrets/*", times=None)
    faults = Faults()
    faults.add(rule)
    assert faults.striking("PUT", "a.vault.azure.net", "/secrets/x")
    assert not faults.striking("GET", "a.vault.azure.net", "/secrets/x")
    assert not faults.striking("PUT", "vault.azure.net.example.org", "/secrets/x")
    assert not faults.striking("PUT", "a.vault.azure.net", "/keys/x")
