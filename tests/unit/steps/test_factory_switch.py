"""The factory goes with the jobs: forward with a switch, back with its revert and with a rollback, whatever is cut short."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.errors import NotPossible, ReleaseError, ServiceError
from tests.unit.factory_import import made
from tests.unit.steps.conftest import World
from tests.unit.steps.fakes import Crash
from tests.unit.steps.test_way_back import listed

ROOT = "/Workspace/Slipway/bikeshare/prod"
FIRST = [
    made.linked_service("ls", domain="https://adb-1.azuredatabricks.net"),
    made.pipeline("score", description="1"),
    made.pipeline("daily", calls=["score"]),
    made.pipeline("alone"),
    made.trigger("every_day", "daily"),
    made.trigger("other", "alone"),
    made.trigger("blob", "score", kind="BlobEventsTrigger"),
    made.trigger("stopped", "alone", state="Stopped"),
]
SECOND = [
    FIRST[0],
    made.pipeline("score", description="2", calls=["new"]),
    FIRST[2],
    made.pipeline("new"),
    FIRST[4],
    FIRST[6],
    made.trigger("stopped", "score", state="Started"),
]
"""Changes score, adds new, changes a trigger; alone and its trigger left the source."""


class Bench:
    def __init__(self, world: World) -> None:
        self.world = world
        self.factory = world.factory
        self.factory.globals["mine"] = {"type": "int", "value": 5}

    def configure(self, **policy: Any) -> None:
        path = self.world.root / "config" / "environments" / f"{self.world.name}.yml"
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        given = {"source": "git", "parameterise_databricks": False, "parameters": {}, **policy}
        values["data_factory"] = given
        path.write_text(yaml.safe_dump(values), encoding="utf-8")

    def source(self, objects: Sequence[FactoryObject]) -> None:
        """The factory's Git folder, as Studio writes it."""
        folder = self.world.root / "datafactory"
        shutil.rmtree(folder, ignore_errors=True)
        names = {Kind.PIPELINES: "pipeline", Kind.TRIGGERS: "trigger", Kind.LINKED_SERVICES: "linkedService"}
        for item in objects:
            path = folder / names[item.kind] / f"{item.name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"name": item.name, "properties": item.properties}), encoding="utf-8")
        released = {"releaseFolder": {"type": "string", "value": "dev"}}
        (folder / "factory").mkdir()
        content = {"name": "adf-dev", "location": "westeurope", "properties": {"globalParameters": released}}
        (folder / "factory" / "adf-dev.json").write_text(json.dumps(content), encoding="utf-8")
        publish = {"publishBranch": "adf_publish", "includeFactoryTemplate": True, "includeGlobalParamsTemplate": True}
        (folder / "publish_config.json").write_text(json.dumps(publish), encoding="utf-8")

    def candidate(self, version: str, objects: Sequence[FactoryObject]) -> None:
        self.source(objects)
        self.world.change_notebook(version)
        assert self.world.build(version) == 0
        self.world.publish()
        self.world.test()

    def release(self, version: str, objects: Sequence[FactoryObject]) -> None:
        self.candidate(version, objects)
        self.world.switch()

    @property
    def running(self) -> set[str]:
        return {i.name for i in self.factory.there.values() if i.kind is Kind.TRIGGERS and self.factory.running(i.name)}

    @property
    def folder(self) -> str:
        return str(self.factory.globals["releaseFolder"]["value"])

    def everything(self) -> dict[Any, Any]:
        """The factory and the jobs, but for the marks that the service gives them."""
        objects = {key: dict(item.properties) for key, item in self.factory.there.items()}
        jobs = {key: dict(job) for key, job in self.world.workspace.jobs.items()}
        state = self.world.state
        return {
            **objects,
            "globals": dict(self.factory.globals),
            "subscribed": set(self.factory.subscribed),
            "jobs": jobs,
            "live": state.live,
            "history": [(entry.version, entry.outcome) for entry in state.history],
        }


@pytest.fixture
def bench(project: Path) -> Bench:
    bench = Bench(World(project))
    bench.configure(delete_removed=True, delete_limit_percent=60)
    return bench


def test_a_switch_brings_the_factory_along(bench: Bench) -> None:
    bench.release("1", FIRST)
    assert bench.running == {"every_day", "other", "blob"}
    assert bench.folder == f"{ROOT}/blue"
    bench.factory.stops.clear()
    bench.release("2", SECOND)
    assert bench.folder == f"{ROOT}/green"
    assert {item.name for item in bench.factory.there.values()} == {item.name for item in SECOND}
    assert bench.running == {"every_day", "blob", "stopped"}
    assert bench.factory.globals["mine"] == {"type": "int", "value": 5}
    assert bench.world.state.claim is None


def test_nothing_of_the_factory_changes_before_the_switch(bench: Bench) -> None:
    bench.release("1", FIRST)
    before = bench.everything()
    bench.candidate("2", SECOND)
    assert bench.everything() == before


def test_an_unchanged_factory_only_gets_its_release_folder(bench: Bench) -> None:
    bench.release("1", FIRST)
    bench.factory.writes.clear()
    bench.factory.stops.clear()
    bench.release("2", FIRST)
    assert bench.factory.writes == []
    assert bench.factory.stops == {}
    assert bench.folder == f"{ROOT}/green"


def test_a_rollback_brings_back_what_there_was(bench: Bench) -> None:
    bench.release("1", FIRST)
    before = {key: dict(item.properties) for key, item in bench.factory.there.items()}
    bench.release("2", SECOND)
    bench.world.rollback()
    assert {key: dict(item.properties) for key, item in bench.factory.there.items()} == before
    assert bench.folder == f"{ROOT}/blue"
    assert bench.running == {"every_day", "other", "blob"}
    assert bench.factory.globals["mine"] == {"type": "int", "value": 5}


def test_back_over_two_releases_and_forward_again(bench: Bench) -> None:
    bench.release("1", FIRST)
    first = {key: dict(item.properties) for key, item in bench.factory.there.items()}
    bench.release("2", SECOND)
    bench.release("3", [*SECOND, made.pipeline("third")])
    bench.world.rollback("1")
    assert {key: dict(item.properties) for key, item in bench.factory.there.items()} == first
    bench.release("4", SECOND)
    assert {item.name for item in bench.factory.there.values()} == {item.name for item in SECOND}
    bench.world.rollback()
    assert {key: dict(item.properties) for key, item in bench.factory.there.items()} == first


def test_a_failed_candidate_over_the_old_slot_and_then_a_rollback(bench: Bench) -> None:
    bench.release("1", FIRST)
    bench.release("2", SECOND)
    bench.candidate("3", [*SECOND, made.pipeline("third")])
    bench.world.rollback()
    assert bench.running == {"every_day", "other", "blob"}
    assert (Kind.PIPELINES, "new") not in bench.factory.there
    assert bench.folder == f"{ROOT}/blue"


def test_triggers_that_people_stopped_or_started_stay_so(bench: Bench) -> None:
    bench.release("1", FIRST)
    bench.factory.stop("other")
    bench.factory.start("stopped")
    bench.release("2", [*FIRST[:1], made.pipeline("score", description="2"), *FIRST[2:]])
    assert bench.running == {"every_day", "blob", "stopped"}
    assert (
        "Trigger other was stopped by hand since the last release; it stays stopped." in bench.world.output.getvalue()
    )
    bench.world.rollback()
    assert bench.running == {"every_day", "blob", "stopped"}


def test_a_trigger_that_people_stopped_stays_so_after_a_rollback_and_a_release(bench: Bench) -> None:
    bench.release("1", FIRST)
    bench.factory.stop("other")
    bench.release("2", [*FIRST, made.pipeline("third")])
    bench.world.rollback()
    bench.release("3", FIRST)
    assert bench.running == {"every_day", "blob"}


def changes_of(bench: Bench, act: Any) -> int:
    before = len(bench.world.changes.log)
    act()
    return len(bench.world.changes.log) - before


@pytest.mark.faults
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("way", ["again", "revert"])
def test_a_crash_at_any_change_of_the_switch(project: Path, after: bool, way: str) -> None:
    def started() -> Bench:
        bench = Bench(World(project))
        bench.configure(delete_removed=True, delete_limit_percent=60)
        bench.release("1", FIRST)
        bench.candidate("2", SECOND)
        return bench

    whole = started()
    before = whole.everything()
    count = changes_of(whole, whole.world.switch)
    end = whole.everything()
    for place in range(count):
        bench = started()
        bench.world.changes.stop_at, bench.world.changes.after = len(bench.world.changes.log) + place, after
        with pytest.raises(Crash):
            bench.world.switch()
        bench.world.changes.revive()
        if way == "again":
            bench.world.switch()
            assert _forgiving(bench.everything(), end, place, count), place
        else:
            bench.world.revert()
            assert bench.everything() == before or bench.world.state.live == "green", place
            if bench.world.state.live == "green":
                assert bench.running == {"every_day", "blob", "stopped"}
        assert bench.world.state.switch is None


def _forgiving(now: dict[Any, Any], end: dict[Any, Any], place: int, count: int) -> bool:
    """What left the source may stay for the next release, when the agent died after the switch was complete."""
    left = {(Kind.PIPELINES, "alone"), (Kind.TRIGGERS, "other")}
    return {key: value for key, value in now.items() if key not in left} == end


def test_a_refusal_anywhere_in_the_factory_takes_all_back(project: Path) -> None:
    bench = Bench(World(project))
    bench.configure()
    bench.release("1", FIRST)
    bench.candidate("2", SECOND)
    before = bench.everything()
    refused = iter([True])
    bench.world.changes.refuse = lambda what: what == "put pipelines/score" and next(refused, False)
    with pytest.raises(ServiceError, match="refused: put pipelines/score") as caught:
        bench.world.switch()
    assert "The switch was taken back" in caught.value.changed
    assert bench.everything() == before


def test_a_first_release_that_is_refused_leaves_an_empty_factory(project: Path) -> None:
    bench = Bench(World(project))
    bench.configure()
    bench.candidate("1", FIRST)
    bench.world.changes.refuse = lambda what: what.startswith("create ")
    with pytest.raises(ServiceError, match="refused: create"):
        bench.world.switch()
    assert bench.factory.there == {}
    assert bench.factory.globals == {"mine": {"type": "int", "value": 5}}


def test_a_job_that_is_refused_takes_the_factory_back_too(project: Path) -> None:
    bench = Bench(World(project))
    bench.configure()
    bench.release("1", FIRST)
    bench.candidate("2", SECOND)
    before = bench.everything()
    refused = iter([True])
    bench.world.changes.refuse = lambda what: what.startswith("reset ") and next(refused, False)
    with pytest.raises(ServiceError, match="refused: reset"):
        bench.world.switch()
    assert bench.everything() == before


@pytest.mark.faults
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_change_of_a_rollback(project: Path, after: bool) -> None:
    def started() -> Bench:
        bench = Bench(World(project))
        bench.configure(delete_removed=True, delete_limit_percent=60)
        bench.release("1", FIRST)
        bench.release("2", SECOND)
        return bench

    whole = started()
    count = changes_of(whole, whole.world.rollback)
    end = whole.everything()
    for place in range(count):
        bench = started()
        bench.world.changes.stop_at, bench.world.changes.after = len(bench.world.changes.log) + place, after
        with pytest.raises(Crash):
            bench.world.rollback()
        bench.world.changes.revive()
        if bench.world.state.live == "green":
            bench.world.rollback()
        made_since = {(Kind.PIPELINES, "new")}
        assert {k: v for k, v in bench.everything().items() if k not in made_since} == end, place


def test_a_mistake_in_the_source_stops_before_anything_changes(bench: Bench) -> None:
    bench.release("1", FIRST)
    bench.candidate("2", [*SECOND, made.pipeline("broken", calls=["absent"])])
    before = bench.everything()
    with pytest.raises(ReleaseError):
        bench.world.switch()
    assert bench.everything() == before


def test_what_if_says_it_all(bench: Bench) -> None:
    bench.release("1", FIRST)
    bench.candidate("2", SECOND)
    before = bench.everything()
    bench.world.switch(what_if=True)
    said = bench.world.output.getvalue()
    assert "~ pipelines/score: properties.activities" in said
    assert "~ global parameter releaseFolder" in said
    assert bench.everything() == before


def test_a_switch_is_complete_though_what_left_could_not_be_removed(bench: Bench) -> None:
    bench.release("1", FIRST)
    bench.candidate("2", SECOND)
    objects = bench.factory.objects

    def after_the_switch(kind: Any) -> Any:
        if bench.world.state.live == "green":
            raise ServiceError("the factory does not answer")
        return objects(kind)

    bench.factory.objects = after_the_switch  # type: ignore[method-assign]
    bench.world.switch()
    bench.factory.objects = objects  # type: ignore[method-assign]
    assert (bench.world.state.live, bench.world.state.switch, bench.world.state.claim) == ("green", None, None)
    assert "may still be in the factory" in bench.world.output.getvalue()
    bench.release("3", SECOND)
    assert not [key for key in bench.everything() if "alone" in str(key)]


def test_a_release_whose_factory_the_archive_lost_is_not_listed_as_one_to_go_back_to(bench: Bench) -> None:
    bench.release("1", FIRST)
    bench.release("2", SECOND)
    assert listed(bench.world)["1"]["how"] == "switch"
    del bench.world.store.blobs[bench.world.state.history[0].factory]
    found = listed(bench.world)["1"]
    assert (found["how"], found["reason"]) == (None, "the archive lacks its data factory")
    with pytest.raises(NotPossible):
        bench.world.rollback()
