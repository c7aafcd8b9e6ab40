"""A drill, and a lost state, in front of the stand-ins: what is live stays whole, wherever the drill is cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from slipway.domain.archive import SWITCHES
from slipway.domain.state import STATE_BLOB
from tests.faults.cloud import Cloud
from tests.faults.conftest import Stages, make_stages
from tests.faults.test_cut_anywhere import KILLED, NEW, whole_jobs

pytestmark = pytest.mark.faults

DRILLED = [("1.0", "stable"), ("1.1", "live")]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One of its own: a rebuilt state is made from the archive, where other tests leave what they did."""
    with pytest.MonkeyPatch.context() as patch, Cloud(tmp_path_factory.mktemp("rebuilt"), patch) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def stages(cloud: Cloud) -> Stages:
    return make_stages(cloud)


def is_whole(cloud: Cloud) -> None:
    state = cloud.state
    assert (state.live, state.switch, state.claim, state.drill) == ("green", None, None, None)
    assert whole_jobs(cloud) == NEW
    assert [(entry.version, entry.outcome) for entry in state.history] == DRILLED


def test_a_drill_goes_back_and_forward_again(cloud: Cloud, stages: Stages) -> None:
    cloud.back_to(stages.to_publish)
    said = cloud.done("drill").text
    assert "back to 1.0: " in said and "forward again to 1.1: " in said
    is_whole(cloud)


@pytest.mark.parametrize("at", [12, 40, 60])
def test_a_drill_that_is_cut_is_ended_by_the_next(cloud: Cloud, stages: Stages, at: int) -> None:
    cloud.back_to(stages.to_publish)
    cloud.cut("killed after", at)
    assert cloud.step("drill").code == KILLED
    cloud.mend()
    cloud.done("drill")
    is_whole(cloud)


def test_a_lost_state_is_refused_and_made_anew(cloud: Cloud, stages: Stages) -> None:
    cloud.back_to(stages.to_publish)
    forget_later_switches(cloud)
    cloud.delete_blob(STATE_BLOB)
    for step, version in (("publish_slot", "1.2"), ("switch_slot", "1.2"), ("rollback", ""), ("drill", "")):
        refused = cloud.step(step, version=version)
        assert refused.code == 9, refused.text
        assert "is lost" in refused.text and "scripts/rebuild_state.py" in refused.text
    cloud.done("rebuild_state", "--yes")
    assert cloud.state.live == "green"
    for step in ("publish_slot", "run_integration_test", "switch_slot"):
        cloud.done(step, version="1.2")
    cloud.done("rollback")
    assert whole_jobs(cloud) == NEW


def forget_later_switches(cloud: Cloud) -> None:
    """The archive only grows: what other tests did since then is in it."""
    fence = cloud.state.fence
    for name in cloud.blobs():
        if name.startswith(SWITCHES) and int(name.removeprefix(SWITCHES)[:6]) > fence:
            cloud.delete_blob(name)


@contextmanager
def nothing_kept(cloud: Cloud) -> Iterator[None]:
    """The container is empty, as one that was made anew; its archive is put back for other tests afterwards."""
    kept = {name: cloud.blob(name) for name in cloud.blobs() if name.startswith("archive/")}
    for name in cloud.blobs():
        cloud.delete_blob(name)
    try:
        yield
    finally:
        for name, data in kept.items():
            cloud.blob(name, data)


def test_with_the_archive_lost_too_the_slot_tells_what_is_live(cloud: Cloud, stages: Stages) -> None:
    cloud.back_to(stages.to_publish)
    green = cloud.slot("green")
    with nothing_kept(cloud):
        refused = cloud.step("publish_slot", version="1.2")
        assert refused.code == 9, refused.text
        assert "something that only a release makes leads to its slots" in refused.text
        assert cloud.slot("green") == green
        asked = cloud.step("rebuild_state", "--yes")
        assert asked.code == 9
        assert "(blue: train (paused); green: extra (1.1, paused), score (1.1, paused))" in asked.text
        said = cloud.done("rebuild_state", "--yes", "--live", "green").text
        assert cloud.state.jobs["train"].retired
        assert "Releases that the archive does not know can't be gone back to" in said
        assert "could not be archived" not in said
        for step in ("publish_slot", "run_integration_test", "switch_slot"):
            cloud.done(step, version="1.2")
        cloud.done("rollback")
        assert cloud.state.live_entry is not None
        assert (cloud.state.live, cloud.state.live_entry.version) == ("green", "1.1")
        assert {place[0] for place in whole_jobs(cloud).values()} == {"green"}
        assert cloud.slot("green") == green
