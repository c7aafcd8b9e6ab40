"""Continuous jobs over releases, in front of the real stand-ins: what becomes of their runs at a switch, and who waits for whom."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import pytest

from rehearsal.databricks import continuous
from tests.faults.cloud import Cloud
from tests.faults.project import NAME, STREAMS

pytestmark = pytest.mark.faults


@pytest.fixture
def cloud(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """1.0 is live in blue with its streams running, 1.1 tested in green."""
    monkeypatch.setattr(continuous, "RESTART_SECONDS", 0.05)
    with Cloud(tmp_path_factory.mktemp("continuous"), monkeypatch) as cloud:
        path = cloud.root / "config" / "environments" / f"{NAME}.yml"
        text = path.read_text()
        assert "schedules: paused" in text
        path.write_text(text.replace("schedules: paused", "schedules: as_defined"))
        for version in ("1.0", "1.1", "1.2"):
            cloud.build(version, *STREAMS)
        cloud.release("1.0")
        until(lambda: slots(cloud) == {"follows": ["blue"], "stays": ["blue"]})
        cloud.done("publish_slot", version="1.1")
        cloud.done("run_integration_test", version="1.1")
        yield cloud


def until(holds: Callable[[], bool]) -> None:
    """Looks until the service has got there."""
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "it does not get there"


def slots(cloud: Cloud) -> dict[str, list[str]]:
    return {name: [slot for _, slot in runs] for name, runs in sorted(cloud.streams().items())}


def stop(cloud: Cloud, name: str) -> None:
    (run_id, _), *_ = cloud.streams()[name]
    cloud.cancel(run_id)


def test_a_switch_restarts_the_stream_that_wants_it_and_leaves_the_other(cloud: Cloud) -> None:
    before = cloud.streams()
    cloud.done("switch_slot", version="1.1")
    until(lambda: slots(cloud) == {"follows": ["green"], "stays": ["blue"]})
    after = cloud.streams()
    assert after["stays"] == before["stays"]
    assert after["follows"][0][0] != before["follows"][0][0]


def test_the_watch_waits_until_the_stream_runs_again(cloud: Cloud) -> None:
    cloud.done("switch_slot", version="1.1")
    said = cloud.done("watch_release", "--settle", "1")
    assert re.search(r"job follows: running https://\S+", said.text)
    assert "job stays: no run yet" in said.text, "its run is still the one from before"


def test_the_slot_that_a_left_stream_reads_from_is_not_overwritten(cloud: Cloud) -> None:
    cloud.done("switch_slot", version="1.1")
    until(lambda: slots(cloud)["follows"] == ["green"])
    held = cloud.slot("blue")
    (run_id, _), *_ = cloud.streams()["stays"]
    refused = cloud.step("publish_slot", "--wait-for-runs", "0", version="1.2")
    assert refused.code == 8, refused.text
    assert f"run {run_id} (" in refused.text
    assert "1 active runs still read from" in refused.text
    assert "continuous job does not end by itself" in refused.text
    assert cloud.slot("blue") == held
    stop(cloud, "stays")
    until(lambda: slots(cloud) == {"follows": ["green"], "stays": ["green"]})
    done = cloud.done("publish_slot", version="1.2")
    assert "can't be proven" in done.text, "the release identity is no admin of the workspace"
    assert cloud.slot("blue") != held


def test_a_rollback_brings_the_stream_back(cloud: Cloud) -> None:
    cloud.done("switch_slot", version="1.1")
    until(lambda: slots(cloud)["follows"] == ["green"])
    cloud.done("rollback")
    until(lambda: slots(cloud) == {"follows": ["blue"], "stays": ["blue"]})


@pytest.mark.parametrize("kind", ["killed before", "killed after", "answer lost", "gone for good"])
def test_a_restart_that_is_cut_off_is_made_good_by_running_the_step_again(cloud: Cloud, kind: str) -> None:
    cloud.cut(kind, 0, path="*/jobs/runs/cancel")
    outcome = cloud.step("switch_slot", version="1.1")
    assert "Traceback" not in outcome.text
    cloud.mend()
    cloud.step("switch_slot", version="1.1")
    assert (cloud.state.live, cloud.state.switch) == ("green", None)
    until(lambda: slots(cloud) == {"follows": ["green"], "stays": ["blue"]})
