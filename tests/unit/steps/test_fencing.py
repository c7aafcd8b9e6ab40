"""The claim's number is looked at before every change: no step changes anything without a look at it in this batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from slipway.domain.factory.export import Definition
from slipway.domain.factory.planning import Rules
from slipway.errors import ServiceError
from slipway.steps.session import BATCH, Session
from tests.unit.factory_candidate.candidate_factories import READ, linked_service, pipeline
from tests.unit.factory_candidate.conftest import Bench
from tests.unit.factory_import import made
from tests.unit.factory_import.test_factory_deployment import Bench as DeploymentBench
from tests.unit.steps.conftest import World
from tests.unit.steps.fakes import Changes

OWN_END = ("cancel ",)
"""What may be done after the claim was lost: ending the run that this very step started."""


class Fence:
    """Each look allows one change, or one batch of requests that go out together. Writes of the state are themselves
    conditional; the number is checked in them."""

    def __init__(self, changes: Changes, patch: pytest.MonkeyPatch) -> None:
        self.allowed = 0
        self.fresh = False
        self.unguarded: list[str] = []
        self.seen: list[str] = []
        changes.watch = self._watch
        guard = Session.guard

        def looked(session: Session) -> None:
            guard(session)
            self.allowed, self.fresh = 1, True

        patch.setattr(Session, "guard", looked)

    def batch(self, concurrently: Callable[..., Any]) -> Callable[..., Any]:
        def together(calls: Iterable[Any]) -> Any:
            work = list(calls)
            self.allow(len(work))
            return concurrently(work)

        return together

    def allow(self, count: int) -> None:
        """A batch goes out; reads may go out without a look."""
        if self.fresh:
            assert count <= BATCH
            self.allowed, self.fresh = count, False

    def _watch(self, what: str) -> None:
        if what.startswith(("state ", "audit ", *OWN_END)):  # rows of what was done are told also by who lost the claim
            return
        self.seen.append(what)
        if not self.allowed:
            self.unguarded.append(what)
        self.allowed, self.fresh = max(0, self.allowed - 1), False


@pytest.fixture
def fence(world: World, monkeypatch: pytest.MonkeyPatch) -> Fence:
    fence = Fence(world.changes, monkeypatch)
    monkeypatch.setattr(world.workspace, "concurrently", fence.batch(world.workspace.concurrently))
    return fence


def test_a_release_and_the_way_back(world: World, fence: Fence) -> None:
    for version in ("1.0", "1.1", "1.2"):
        world.change_notebook(version)
        world.deploy(version)
    world.rollback()
    assert world.build("1.3") == 0
    world.publish()  # over 1.2: the next rollback finds 1.0's slot overwritten
    world.rollback()
    assert fence.unguarded == []
    for verb in ("import ", "mkdirs ", "delete ", "create ", "reset ", "submit", "put archive/", "permissions "):
        assert any(what.startswith(verb) for what in fence.seen), verb


def test_a_job_that_left_is_deleted_under_the_claim(world: World, fence: Fence) -> None:
    world.deploy("1.0")
    (world.root / "config" / "jobs" / "train.json").unlink()
    world.deploy("1.1")
    world.deploy("1.2")
    assert any(what.startswith("delete job ") for what in fence.seen)
    assert fence.unguarded == []


def test_taking_a_switch_back(world: World, fence: Fence) -> None:
    world.deploy("1.0")
    assert world.build("1.1") == 0
    world.publish()
    world.test()
    fence.seen.clear()
    world.changes.refuse = lambda what: what.startswith("reset ") and fence.seen.count(what) == 1
    with pytest.raises(ServiceError, match="refused"):
        world.switch()
    assert fence.unguarded == []


OBJECTS = [
    made.linked_service("ls", domain="https://adb-1.azuredatabricks.net"),
    made.pipeline("inner"),
    made.pipeline("gone"),
    made.trigger("tr", "inner"),
    made.trigger("tr_blob", "inner", kind="BlobEventsTrigger"),
]


def test_a_factory_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = DeploymentBench()
    fence = Fence(bench.changes, monkeypatch)
    monkeypatch.setattr(bench.world.workspace, "concurrently", fence.batch(bench.world.workspace.concurrently))
    bench.factory.seed(*OBJECTS)
    changed = made.pipeline("inner", description="new")
    globals_ = {"one": {"type": "string", "value": "1"}}
    rules = Rules(delete_removed=True, delete_limit_percent=60)
    bench.deploy(Definition((OBJECTS[0], changed, *OBJECTS[3:]), globals_), rules)
    assert bench.factory.running("tr")
    for verb in ("stop ", "start ", "put pipelines/", "put global", "delete pipelines/", "put factory/"):
        assert any(what.startswith(verb) for what in fence.seen), verb
    assert fence.unguarded == []


def test_candidate_copies(world: World, fence: Fence) -> None:
    bench = Bench(world)
    bench.export([linked_service(), pipeline("score", notebook=READ)])
    bench.publish_slot()
    bench.run()
    bench.remove()
    assert [what for what in fence.seen if "__candidate_" in what]
    assert fence.unguarded == []
