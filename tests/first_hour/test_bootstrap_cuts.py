"""A bootstrap that is cut at any request and run again makes what one makes that nobody cut; a third run writes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from tests.first_hour.first_hour_cloud import FirstHourCloud, Place

pytestmark = pytest.mark.first_hour

KINDS = ("killed after", "answer lost")
WORKSPACE_EVERY = int(os.environ.get("SLIPWAY_CUT_EVERY_BOOTSTRAP", "3"))
EVERY = int(os.environ.get("SLIPWAY_CUT_EVERY_BOOTSTRAP", "1"))


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstHourCloud]:
    with pytest.MonkeyPatch.context() as patch, FirstHourCloud(tmp_path_factory.mktemp("first"), patch) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def empty(cloud: FirstHourCloud) -> Place:
    return cloud.keep()


@pytest.fixture(scope="module")
def whole(cloud: FirstHourCloud, empty: Place) -> dict[str, Any]:
    """What a bootstrap makes that nobody cuts."""
    done = cloud.as_admin("bootstrap_environment")
    assert done.code == 0, done.text
    return cloud.picture()


def test_the_second_run_writes_nothing(cloud: FirstHourCloud, empty: Place, whole: dict[str, Any]) -> None:
    cloud.go_back(empty)
    assert cloud.as_admin("bootstrap_environment").code == 0
    assert cloud.writes()
    again = cloud.as_admin("bootstrap_environment")
    assert again.code == 0, again.text
    assert cloud.writes() == []
    assert "nothing to change" in again.text
    assert cloud.picture() == whole


def test_what_if_writes_nothing_and_says_everything(cloud: FirstHourCloud, empty: Place, whole: dict[str, Any]) -> None:
    cloud.go_back(empty)
    before = cloud.picture()
    asked = cloud.as_admin("bootstrap_environment", "--what-if")
    assert asked.code == 0, asked.text
    assert cloud.writes() == []
    assert cloud.picture() == before
    for what in ("rg-bikeshare-state", "stbikesharestate", "locked", "id-bikeshare-release", "rg-bikeshare-dev"):
        assert what in asked.text


@pytest.mark.parametrize("kind", KINDS)
def test_cut_at_every_request(
    cloud: FirstHourCloud, empty: Place, whole: dict[str, Any], kind: str, figure: Callable[[str], None]
) -> None:
    cuts = 0
    for at in count(0, EVERY):
        cloud.go_back(empty)
        cloud.cut(kind, at)
        first = cloud.as_admin("bootstrap_environment")
        cloud.mend()
        if first.code == 0 and first.requests <= at:
            break
        cuts += 1
        assert first.code != 0 or kind == "answer lost", f"request {at}: {first.text}"
        again = cloud.as_admin("bootstrap_environment")
        assert again.code == 0, f"request {at}:\n{first.text}\n{again.text}"
        assert cloud.picture() == whole, f"request {at}"
        last = cloud.as_admin("bootstrap_environment")
        assert (last.code, cloud.writes()) == (0, []), f"request {at}: {last.text}"
    assert cuts > 25 / EVERY
    figure(f"bootstrap, {kind}: cut at {cuts} requests, run again, the same as uncut; then no write")


@pytest.fixture
def without_workspace(cloud: FirstHourCloud, empty: Place) -> Place:
    """The configuration names a workspace that nobody has made."""
    cloud.go_back(empty)
    cloud.forget_workspace()
    return cloud.keep()


@pytest.mark.parametrize("kind", KINDS)
def test_a_workspace_that_is_made_cut_at_every_request(
    cloud: FirstHourCloud, without_workspace: Place, kind: str, figure: Callable[[str], None]
) -> None:
    make = ("bootstrap_environment", "--workspace", "create")
    assert cloud.as_admin(*make).code == 0
    whole = cloud.picture()
    assert "workspaceUrl" in str(whole["resource_manager/resources"])
    cuts = 0
    for at in count(KINDS.index(kind), WORKSPACE_EVERY):
        cloud.go_back(without_workspace)
        cloud.cut(kind, at)
        first = cloud.as_admin(*make)
        cloud.mend()
        if first.code == 0 and first.requests <= at:
            break
        cuts += 1
        again = cloud.as_admin(*make)
        assert again.code == 0, f"request {at}:\n{first.text}\n{again.text}"
        assert cloud.picture() == whole, f"request {at}"
    assert cuts > 40 / WORKSPACE_EVERY
    figure(f"bootstrap of a workspace too, {kind}: cut at {cuts} requests, run again, the same as uncut")
