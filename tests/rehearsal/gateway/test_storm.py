"""A storm at the gateway: each trouble is what it is named after, and the same seed blows the same way."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import requests

from rehearsal.gateway.storm import Storm, Trouble
from tests.rehearsal.gateway.local_cloud import LocalCloud

HOST = "https://management.azure.com"


@pytest.fixture
def calm(cloud: LocalCloud) -> Iterator[None]:
    yield
    cloud.call(cloud.faults.clear)


def blow(cloud: LocalCloud, *kinds: Trouble, share: float = 1.0, seed: int = 0) -> Storm:
    def aged(authorization: str) -> str | None:
        return "Bearer old" if authorization == "Bearer new" else None

    storm = Storm(share=share, seed=seed, silence=0.01, aged=aged, kinds=kinds)
    cloud.call(lambda: setattr(cloud.faults, "storm", storm))
    return storm


def met(path: str) -> int | str:
    try:
        return requests.get(f"{HOST}{path}", timeout=10).status_code
    except requests.exceptions.ConnectionError:
        return "no answer"


@pytest.mark.usefixtures("calm")
@pytest.mark.parametrize(
    ("kind", "expected"),
    [("throttled", 429), ("503", 503), ("dropped before", "no answer"), ("silence", 200), ("stale read", 200)],
)
def test_each_trouble(cloud: LocalCloud, kind: Trouble, expected: int | str) -> None:
    blow(cloud, kind)
    assert met("/x") == expected


@pytest.mark.usefixtures("calm")
def test_the_same_seed_blows_the_same_way(cloud: LocalCloud) -> None:
    paths = [f"/{number % 4}" for number in range(40)]

    def weather(seed: int) -> list[int | str]:
        blow(cloud, "500", "503", "dropped after", share=0.3, seed=seed)
        return [met(path) for path in paths]

    first = weather(1)
    assert 4 < sum(answer != 200 for answer in first) < 24
    assert weather(1) == first
    assert weather(2) != first


@pytest.mark.usefixtures("calm")
def test_a_stale_read_is_what_was_answered_before(cloud: LocalCloud) -> None:
    storm = blow(cloud, "stale read", share=0.5)
    served = cloud.gateway.served["management.azure.com"]
    answers = [requests.get(f"{HOST}/x", timeout=10).content for _ in range(20)]
    assert storm.struck["stale read"] > 4
    assert cloud.gateway.served["management.azure.com"] - served == 20 - storm.struck["stale read"]
    assert all(one == other for one, other in itertools.pairwise(answers))


@pytest.mark.usefixtures("calm")
def test_only_a_token_expires(cloud: LocalCloud) -> None:
    storm = blow(cloud, "expired token")
    requests.get(f"{HOST}/x", timeout=10)
    assert storm.struck["expired token"] == 0
    requests.get(f"{HOST}/x", headers={"Authorization": "Bearer new"}, timeout=10)
    assert storm.struck["expired token"] == 1
