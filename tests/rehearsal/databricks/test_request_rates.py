"""The request rates of the service, when a rehearsal keeps to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.databricks.app import operations
from rehearsal.databricks.engine import Engine
from rehearsal.databricks.rates import LIMITS
from rehearsal.databricks.task_process import Tools
from tests.rehearsal.databricks.workbench import ADMIN, HOST, OTHER_HOST, Site, token


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path, rate_limits=True)
    yield site
    site.close()


def export(site: Site, host: str = HOST) -> int:
    return site.call(ADMIN, "GET", "/workspace/export", {"path": "/Shared"}, host=host)[0]


def test_a_request_too_many_is_answered_with_429_until_time_has_passed(limited: Site) -> None:
    # The site's clock moves on by a millisecond with each look at it.
    answers = [export(limited) for _ in range(120)]
    assert answers[:60] == [200] * 60
    assert 429 in answers
    assert export(limited, OTHER_HOST) == 200
    url = f"https://{HOST}/api/2.0/workspace/export"
    headers = {"Authorization": f"Bearer {token(ADMIN)}"}
    while (
        answer := limited.client.request("GET", url, params={"path": "/Shared"}, headers=headers)
    ).status_code == 200:
        pass
    assert answer.headers["Retry-After"] == "1"
    assert answer.json()["error_code"] == "REQUEST_LIMIT_EXCEEDED"
    assert "60 requests per second" in answer.json()["message"]
    assert limited.call(ADMIN, "GET", "/workspace/list", {"path": "/Shared"})[0] == 200
    limited.now += 1
    assert [export(limited) for _ in range(60)] == [200] * 60


def test_without_the_option_there_is_no_limit(site: Site) -> None:
    assert {export(site) for _ in range(200)} == {200}


def test_every_limit_is_about_something_that_is_served() -> None:
    served = operations(Engine(Tools(command=[], environment=dict, datasets=Path(), wheelhouse=None)), Path())
    paths = [(each.method, re.sub(r"\{\w+\*?\}", "x", each.path)) for each in served]
    for limit in LIMITS:
        assert any(limit.covers(method, path) for method, path in paths), limit
