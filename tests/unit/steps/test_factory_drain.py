"""Runs of the factory's pipelines are waited for too, also while none of their activities runs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from slipway.domain.factory.databricks_use import using_databricks
from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.errors import Conflict
from tests.unit.factory_import import made
from tests.unit.steps.conftest import World
from tests.unit.steps.test_factory_switch import Bench

NOTEBOOK = {"name": "score", "type": "DatabricksNotebook", "typeProperties": {"notebookPath": "/x"}}
OBJECTS = [
    FactoryObject(Kind.PIPELINES, "notebooks", {"activities": [NOTEBOOK]}),
    made.pipeline("daily", calls=["notebooks"]),
    made.pipeline("copies"),
]


@pytest.fixture
def bench(project: Path) -> Bench:
    """2 is live in green, 3 is built and goes to blue, where 1 was."""
    bench = Bench(World(project))
    bench.configure(delete_removed=True, delete_limit_percent=60)
    bench.release("1", OBJECTS)
    bench.world.time += 3600
    bench.release("2", OBJECTS)
    bench.source(OBJECTS)
    bench.world.change_notebook("3")
    assert bench.world.build("3") == 0
    return bench


def run(bench: Bench, pipeline: str, *, ago: float, run_id: str = "r-1") -> None:
    """A run is under way that began so many seconds before the last switch."""
    began = datetime.fromtimestamp(bench.world.state.live_entry.since - ago, UTC)
    start = began.isoformat().replace("+00:00", "0Z")
    bench.factory.runs.append({"runId": run_id, "pipelineName": pipeline, "runStart": start, "status": "InProgress"})


def refusal(bench: Bench) -> str:
    before = dict(bench.world.slot_objects("blue"))
    with pytest.raises(Conflict) as caught:
        bench.world.publish(wait_for_runs=0.0)
    assert bench.world.slot_objects("blue") == before
    return caught.value.what


@pytest.mark.parametrize("pipeline", ["notebooks", "Daily", "was deleted"])
def test_a_run_from_before_the_switch_is_waited_for(bench: Bench, pipeline: str) -> None:
    run(bench, pipeline, ago=60)
    said = refusal(bench)
    assert f"run r-1 of the factory's pipeline {pipeline} since 2027-" in said
    assert "https://adf.azure.com/en/monitoring/pipelineruns/r-1?factory=" in said
    bench.world.on_sleep.append(bench.factory.runs.clear)
    bench.world.publish()
    assert "Waiting, 30 minutes at most, for run r-1" in bench.world.output.getvalue()
    assert bench.world.state.slots["blue"].version == "3"


@pytest.mark.parametrize(("pipeline", "ago"), [("notebooks", -60), ("copies", 60), ("gone", -60)])
def test_what_can_not_lead_to_the_slot_is_not_waited_for(bench: Bench, pipeline: str, ago: float) -> None:
    run(bench, pipeline, ago=ago)
    bench.world.publish(wait_for_runs=0.0)
    assert bench.world.state.slots["blue"].version == "3"


def test_a_copy_of_a_candidate_leads_to_the_idle_slot_whenever_it_began(bench: Bench) -> None:
    run(bench, "notebooks__candidate_0123abcd", ago=-60)
    assert "notebooks__candidate_0123abcd" in refusal(bench)


def test_a_rollback_from_the_archive_waits_too(bench: Bench) -> None:
    bench.world.publish()
    run(bench, "notebooks", ago=60)
    with pytest.raises(Conflict, match="run r-1"):
        bench.world.rollback(wait_for_runs=0.0)
    assert bench.world.state.live == "green"
    bench.factory.runs.clear()
    bench.world.rollback()
    assert bench.world.state.live_entry.version == "1"


def test_an_environment_that_releases_no_factory_asks_none(bench: Bench) -> None:
    bench.configure(source="none")
    assert bench.world.build("3") == 0
    run(bench, "notebooks", ago=60)
    bench.world.publish(wait_for_runs=0.0)


def test_a_slot_that_the_factory_leads_to_is_not_overwritten(bench: Bench) -> None:
    bench.factory.globals["releaseFolder"] = {"type": "string", "value": "/Workspace/Slipway/bikeshare/prod/blue"}
    assert "releaseFolder of data factory adf-bikeshare-prod lead to" in refusal(bench)


def pipeline(name: str, *activities: dict[str, Any]) -> FactoryObject:
    return FactoryObject(Kind.PIPELINES, name, {"activities": list(activities)})


def test_who_runs_something_in_databricks() -> None:
    inside = {
        "name": "each",
        "type": "ForEach",
        "typeProperties": {"activities": [{**NOTEBOOK, "type": "DatabricksJob"}]},
    }
    objects = [
        pipeline("Inner", inside),
        made.pipeline("middle", calls=["inner"]),
        made.pipeline("outer", calls=["middle", "plain"]),
        made.pipeline("plain"),
        made.pipeline("round", calls=["trip"]),
        made.pipeline("trip", calls=["round"]),
        made.pipeline("lost", calls=["not there"]),
    ]
    assert using_databricks(objects) == {"inner", "middle", "outer", "lost"}
