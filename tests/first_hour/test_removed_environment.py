"""An environment that is removed: what bootstrap and releases made goes, cut anywhere or not, and what others have stays."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from tests.faults.cloud import Outcome
from tests.first_hour.first_hour_cloud import Place
from tests.first_hour.removal_cloud import THEIRS, RemovalCloud

pytestmark = pytest.mark.first_hour

EVERY = int(os.environ.get("SLIPWAY_CUT_EVERY_REMOVAL", "2"))
"""1: every request; the default leaves the two kinds of cuts at different requests."""
KINDS = ("killed after", "answer lost")
YES = ("--yes", "dev")
ROOT = "/Workspace/Slipway/bikeshare/dev"
SHARED = ("stbikesharestate", "id-bikeshare-release", "rg-bikeshare-state", "slipway-state")


@dataclass(frozen=True)
class Places:
    """empty: nothing is there. released: 1.0 is live, and there are things of other people beside it."""

    empty: Place
    released: Place


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemovalCloud]:
    with pytest.MonkeyPatch.context() as patch, RemovalCloud(tmp_path_factory.mktemp("removed"), patch) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def places(cloud: RemovalCloud) -> Places:
    empty = cloud.keep()
    assert cloud.as_admin("bootstrap_environment").code == 0
    cloud.build("1.0", "score", "train")
    cloud.done("deploy_resources", version="1.0")
    cloud.done("provision_secrets", version="1.0")
    cloud.release("1.0")
    cloud.workspace("workspace/mkdirs", {"path": "/Workspace/Slipway/bikeshare/theirs"})
    cloud.workspace("secrets/scopes/create", {"scope": "theirs"})
    return Places(empty, cloud.keep())


def remove(cloud: RemovalCloud, *arguments: str) -> Outcome:
    return cloud.as_admin("remove_environment", *arguments)


def nothing_is_changed(cloud: RemovalCloud, before: dict[str, Any]) -> None:
    assert cloud.writes() == []
    assert cloud.picture() == before


def test_what_it_made_goes_and_what_is_shared_or_others_stays(cloud: RemovalCloud, places: Places) -> None:
    cloud.go_back(places.released)
    done = remove(cloud, *YES)
    assert done.code == 0, done.text
    left = cloud.names()
    assert set(SHARED) <= left
    assert not {name for name in left if name.endswith("dev")}
    assert cloud.of_workspace("jobs") == {}
    assert list(cloud.of_workspace("scopes")) == ["theirs"]
    tree = cloud.of_workspace("tree")
    assert not [path for path in tree if path.startswith(ROOT.removeprefix("/Workspace"))]
    assert [path for path in tree if path.endswith("/theirs")]
    assert "no other environment uses it; --last removes it" in done.text
    again = remove(cloud, *YES)
    assert again.code == 0, again.text
    assert cloud.writes() == []


def test_the_last_one_takes_along_what_was_shared(cloud: RemovalCloud, places: Places) -> None:
    cloud.go_back(places.released)
    done = remove(cloud, *YES, "--last")
    assert done.code == 0, done.text
    assert not {name for name in cloud.names() if "bikeshare" in name and not name.startswith("dbw-")}
    again = remove(cloud, *YES, "--last")
    assert (again.code, cloud.writes()) == (0, []), again.text
    # Azure keeps the vault that was deleted, and its name.
    again = cloud.as_admin("bootstrap_environment")
    assert again.code == 9
    assert "az keyvault recover --name kv-bikeshare-dev" in again.text
    cloud.purge_vault("kv-bikeshare-dev")
    assert cloud.as_admin("bootstrap_environment").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        ((), 2, "Nobody can be asked here"),
        (("--yes", "prod"), 2, "the environment is dev"),
        (("--what-if",), 0, "nothing was removed"),
    ],
)
def test_it_is_not_done_unasked(
    cloud: RemovalCloud, places: Places, arguments: tuple[str, ...], code: int, expected: str
) -> None:
    cloud.go_back(places.released)
    before = cloud.picture()
    done = remove(cloud, *arguments)
    assert done.code == code, done.text
    assert expected in done.text
    assert "- folder " + ROOT in done.text or code == 2
    nothing_is_changed(cloud, before)


def test_production_takes_a_word_more(cloud: RemovalCloud, places: Places) -> None:
    cloud.go_back(places.released)
    cloud.configure("production: false", "production: true")
    before = cloud.picture()
    done = remove(cloud, *YES)
    assert done.code == 9, done.text
    assert "--production" in done.text
    nothing_is_changed(cloud, before)
    assert remove(cloud, *YES, "--production", "--what-if").code == 0


def test_what_others_put_into_it_stops_it(cloud: RemovalCloud, places: Places) -> None:
    cloud.go_back(places.released)
    cloud.workspace("workspace/mkdirs", {"path": f"{ROOT}/notes"})
    cloud.workspace("secrets/put", {"scope": "slipway-bikeshare-dev", "key": "theirs", "string_value": "x"})
    cloud.put_resource("Microsoft.ManagedIdentity/userAssignedIdentities", "id-of-others")
    before = cloud.picture()
    done = remove(cloud, *YES)
    assert done.code == 9, done.text
    for theirs in (f"{ROOT}/notes", "secret scope slipway-bikeshare-dev: theirs", "id-of-others"):
        assert theirs in done.text
    nothing_is_changed(cloud, before)
    done = remove(cloud, *YES, "--with-foreign")
    assert done.code == 0, done.text
    assert "id-of-others" not in cloud.names()


def test_slots_of_another_app_stop_it(cloud: RemovalCloud, places: Places) -> None:
    """A root that is written down wrong leads into somebody else's."""
    cloud.go_back(places.released)
    cloud.upload(f"{ROOT}/blue/config/environment.json", b'{"app": "trains", "environment": "dev", "slot": "blue"}')
    before = cloud.picture()
    done = remove(cloud, *YES)
    assert done.code == 9, done.text
    assert f"{ROOT.removeprefix('/Workspace')}/blue" in done.text
    nothing_is_changed(cloud, before)


def test_a_group_that_it_did_not_make_stays(cloud: RemovalCloud, places: Places) -> None:
    cloud.go_back(places.released)
    cloud.change_group(lambda group: {**group, "tags": {"owner": "others"}})
    done = remove(cloud, *YES)
    assert done.code == 0, done.text
    assert {"rg-bikeshare-dev", "stbikesharedev", "adf-bikeshare-dev"} <= cloud.names()
    assert "it has not the tags" in done.text
    assert "role Contributor of the release identity" in done.text


def test_a_lock_of_others_stops_it(cloud: RemovalCloud, places: Places) -> None:
    cloud.go_back(places.released)
    cloud.put_resource("Microsoft.Authorization/locks", "of-others", properties={"level": "CanNotDelete"})
    before = cloud.picture()
    done = remove(cloud, *YES)
    assert done.code == 9, done.text
    assert "of-others" in done.text
    nothing_is_changed(cloud, before)


def test_another_environment_keeps_what_it_shares(cloud: RemovalCloud, places: Places) -> None:
    cloud.go_back(places.released)
    cloud.add_environment("test")
    done = remove(cloud, *YES)
    assert done.code == 0, done.text
    assert "test needs it" in done.text
    assert cloud.environment.azure.release_identity.client_id in str(cloud.of_workspace("members"))
    assert set(SHARED) <= cloud.names()
    before = cloud.picture()
    done = remove(cloud, *YES, "--last")
    assert done.code == 9, done.text
    assert "dev is not the last environment: test needs" in done.text
    nothing_is_changed(cloud, before)


def test_a_workspace_that_people_made_stays(cloud: RemovalCloud, places: Places) -> None:
    cloud.go_back(places.released)
    done = remove(cloud, *YES, "--workspace", "delete")
    assert done.code == 0, done.text
    assert "so Slipway did not make it" in done.text
    assert {"dbw-bikeshare", "rg-databricks"} <= cloud.names()


def test_a_workspace_that_bootstrap_made_goes_only_when_asked_and_alone(cloud: RemovalCloud, places: Places) -> None:
    cloud.go_back(places.released)
    cloud.tag_workspace({"slipway_app": "bikeshare"})
    told = remove(cloud, "--what-if")
    assert "--workspace delete removes it, for bootstrap made it" in told.text
    cloud.add_environment("test")
    shared = remove(cloud, *YES, "--workspace", "delete")
    assert (shared.code, "can't go with dev: test needs it too" in shared.text) == (9, True), shared.text
    cloud.take_out_environment("test")
    cloud.upload("/Shared/notes", b"x")
    before = cloud.picture()
    theirs = remove(cloud, *YES, "--workspace", "delete")
    assert theirs.code == 9, theirs.text
    assert "workspace dbw-bikeshare: secret scope theirs, /Shared/notes" in theirs.text
    nothing_is_changed(cloud, before)
    done = remove(cloud, *YES, "--workspace", "delete", "--with-foreign")
    assert done.code == 0, done.text
    assert not {"dbw-bikeshare", "rg-databricks"} & cloud.names()
    again = remove(cloud, *YES, "--workspace", "delete")
    assert (again.code, cloud.writes()) == (0, []), again.text
    assert "There is no workspace /subscriptions/" in again.text


def test_nobody_is_disturbed_who_is_releasing(cloud: RemovalCloud, places: Places) -> None:
    cloud.go_back(places.released)
    cloud.hold_claim()
    before = cloud.picture()
    done = remove(cloud, *YES)
    assert done.code == 8, done.text
    assert "is releasing" in done.text
    nothing_is_changed(cloud, before)


def test_a_job_that_was_adopted_is_given_back(cloud: RemovalCloud, places: Places) -> None:
    cloud.go_back(places.released)
    before = cloud.adopted_job()
    assert "slipway_job" in cloud.jobs()[THEIRS]["tags"]
    done = remove(cloud, *YES)
    assert done.code == 0, done.text
    assert cloud.jobs() == {THEIRS: before}


@pytest.mark.parametrize("kind", KINDS)
def test_cut_at_every_request(cloud: RemovalCloud, places: Places, kind: str, figure: Callable[[str], None]) -> None:
    cloud.go_back(places.released)
    assert remove(cloud, *YES).code == 0
    whole, cuts = cloud.picture(), 0
    for at in count(KINDS.index(kind) % EVERY, EVERY):
        cloud.go_back(places.released)
        cloud.cut(kind, at)
        first = remove(cloud, *YES)
        cloud.mend()
        if first.code == 0 and first.requests <= at:
            break
        cuts += 1
        again = remove(cloud, *YES)
        assert again.code == 0, f"request {at}:\n{first.text}\n{again.text}"
        assert cloud.picture() == whole, f"request {at}"
    assert cuts > 20 / EVERY
    figure(f"removal, {kind}: cut at {cuts} requests, run again, the same as uncut")
