"""Faults that strike as they were told to."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.gateway.error_shapes import own
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


CHILD = f"""
import os, requests, sys
print(os.getpid(), flush=True)
input()
requests.get('{HOST}/x')
print('survived')
"""


@pytest.mark.parametrize("after", [False, True])
def test_the_client_itself_is_killed_before_or_after_the_effect(cloud: LocalCloud, after: bool) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline()
    before = served(cloud)
    arm(cloud, kind="kill", after=after)
    output, _ = child.communicate("go\n", timeout=30)
    assert (child.returncode, output) == (-9, "")
    assert served(cloud) - before == after


def test_the_rehearsals_own_process_is_never_killed(cloud: LocalCloud) -> None:
    arm(cloud, kind="kill")
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(f"{HOST}/x", timeout=10)
    assert requests.get(f"{HOST}/x", timeout=10).status_code == 200


def test_a_status_after_the_effect_hides_what_the_service_said(cloud: LocalCloud) -> None:
    arm(cloud, kind="status", status=504, after=True, body="late")
    before = served(cloud)
    answer = requests.post(f"{HOST}/x", timeout=10)
    assert (answer.status_code, answer.text) == (504, "late")
    assert served(cloud) == before + 1
    assert requests.post(f"{HOST}/x", timeout=10).json()["path"] == "/x"


@pytest.mark.parametrize("after", [False, True])
def test_silence_ends_without_an_answer(cloud: LocalCloud, after: bool) -> None:
    arm(cloud, kind="silence", seconds=0.05, after=after)
    before = served(cloud)
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.post(f"{HOST}/x", timeout=10)
    assert served(cloud) - before == after


def counted() -> int:
    said: int = requests.get(f"{HOST}/count", timeout=10).json()["count"]
    return said


def test_the_first_read_after_a_write_is_stale_and_the_next_is_not(cloud: LocalCloud) -> None:
    arm(cloud, kind="stale", path="/count", times=None)
    first = counted()
    assert counted() == first + 1, "nothing was written: the service answers"
    requests.post(f"{HOST}/x", timeout=10)
    assert counted() == first + 1, "what was answered before the write"
    assert counted() == first + 2
    requests.post(f"{HOST}/x", timeout=10)
    other = requests.get(f"{HOST}/count", headers={"Authorization": "Bearer another"}, timeout=10).json()["count"]
    assert other == first + 3, "another caller was told nothing yet"
    assert counted() == first + 2


def test_a_stale_rule_without_an_older_answer_lets_the_read_pass(cloud: LocalCloud) -> None:
    arm(cloud, kind="stale")
    requests.post(f"{HOST}/x", timeout=10)
    assert requests.get(f"{HOST}/never/read", timeout=10).json()["path"] == "/never/read"
    assert [rule.struck for rule in cloud.call(cloud.faults.rules)] == [0]


@pytest.mark.parametrize(
    ("host", "status", "says"),
    [
        (
            "management.azure.com",
            429,
            {"error": {"code": "TooManyRequests", "message": "The request is being throttled."}},
        ),
        ("management.azure.com", 418, None),
        ("kv.vault.azure.net", 429, "VaultRequestTypeLimitReached"),
        ("st.blob.core.windows.net", 503, "<Code>ServerBusy</Code>"),
        ("adb-1.2.azuredatabricks.net", 429, "REQUEST_LIMIT_EXCEEDED"),
        ("adb-1.2.azuredatabricks.net", 503, "TEMPORARILY_UNAVAILABLE"),
        ("login.microsoftonline.com", 429, "Too Many Requests"),
        ("login.microsoftonline.com", 503, "AADSTS90033"),
        ("dev.azure.com", 429, "RequestBlockedException"),
    ],
)
def test_an_error_without_a_body_is_the_services_own(host: str, status: int, says: Any) -> None:
    kind, text = own(host, status)
    if isinstance(says, dict):
        assert json.loads(text) == says
    assert kind == {"st": "application/xml"}.get(host.partition(".")[0], kind)
    assert says is None or isinstance(says, dict) or says in text


@pytest.mark.parametrize(
    "host",
    [
        "management.azure.com",
        "a.vault.azure.net",
        "a.blob.core.windows.net",
        "adb-1.2.azuredatabricks.net",
        "login.microsoftonline.com",
        "dev.azure.com",
    ],
)
def test_every_service_has_a_body_for_every_status(host: str) -> None:
    for status in range(200, 600):
        kind, text = own(host, status)
        assert text and (kind != "application/json" or json.loads(text))


def test_each_third_call_after_the_second() -> None:
    faults = Faults()
    faults.add(Fault(kind="status", skip=2, every=3, times=2))
    struck = [number for number in range(1, 13) if faults.striking("GET", "h", "/p")]
    assert struck == [5, 8]


@given(st.integers(0, 2**32), st.floats(0.05, 0.95))
def test_chance_is_the_same_for_the_same_seed_whatever_the_order(seed: int, share: float) -> None:
    def struck(paths: list[str]) -> list[str]:
        faults = Faults()
        faults.add(Fault(kind="status", share=share, seed=seed, times=None))
        return sorted(f"{path} {number}" for number, path in enumerate(paths) if faults.striking("GET", "h", path))

    assert len(struck(["/a"] * 50)) == len(struck(["/b", "/a"] * 50)) - len(struck(["/b"] * 50))


def test_a_share_is_about_that_part_of_all_requests() -> None:
    faults = Faults()
    faults.add(Fault(kind="status", share=0.25, seed=3, times=None))
    assert 400 < sum(bool(faults.striking("GET", "h", f"/{number}")) for number in range(2000)) < 600


@pytest.mark.parametrize(
    ("distribution", "spread", "least", "most"),
    [("constant", 0, 2, 2), ("uniform", 1, 1, 3), ("exponential", 0, 0, 60), ("lognormal", 0.5, 0.1, 60)],
)
def test_latencies_fall_as_their_distribution_says(distribution: Any, spread: float, least: float, most: float) -> None:
    faults = Faults()
    faults.add(Fault(kind="latency", seconds=2, distribution=distribution, spread=spread, times=None, seed=1))
    drawn = [strike.seconds for number in range(500) for strike in faults.striking("GET", "h", f"/{number}")]
    assert len(drawn) == 500 and least <= min(drawn) and max(drawn) <= most
    assert 1.5 < sum(drawn) / len(drawn) < 2.6
    assert (len(set(drawn)) > 400) == (distribution != "constant")


def test_the_widest_distribution_lasts_no_longer_than_ten_minutes() -> None:
    fault = Fault(kind="latency", seconds=600, distribution="lognormal", spread=600, times=None)
    drawn = [strike.seconds for n in range(100) if (strike := fault.strikes("GET", "h", f"/{n}")) is not None]
    assert len(drawn) == 100 and max(drawn) == 600.0


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
