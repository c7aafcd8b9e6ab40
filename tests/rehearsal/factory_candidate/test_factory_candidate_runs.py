"""Candidate copies in front of the stand-ins: they run the idle slot's notebooks while the live pipelines run theirs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

import pytest

from slipway.domain.factory.candidate import is_candidate
from slipway.domain.factory.comparison import body
from slipway.domain.factory.git_folder import read_git_folder
from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.domain.factory.references import levels
from slipway.errors import ServiceError
from slipway.services.data_factory import DataFactory
from tests.rehearsal.data_factory.factories import Factories
from tests.rehearsal.gateway.local_cloud import SUBSCRIPTION
from tests.unit.factory_candidate.conftest import Bench

SAMPLE = Path(__file__).parents[3] / "datafactory"
LIVE = "/Workspace/Slipway/bikeshare/prod/green"
IDLE = "/Workspace/Slipway/bikeshare/prod/blue"
KINDS = (Kind.PIPELINES, Kind.DATASETS, Kind.DATAFLOWS, Kind.LINKED_SERVICES, Kind.TRIGGERS)


def client_of(azure: Factories) -> DataFactory:
    return DataFactory(
        cast(Any, azure.cloud.credential()), SUBSCRIPTION, "rg-test", azure.factory, sleep=lambda _: None
    )


def sample_live(azure: Factories, client: DataFactory) -> None:
    """The sample's definitions live, their notebooks in the slot that is live, its trigger running."""
    folder = read_git_folder(SAMPLE)
    for level in levels(folder.graph):
        for item in level:
            client.put(item.kind, item.name, body(item))
    client.put_global_parameters({"releaseFolder": {"type": "string", "value": LIVE}})
    client.start("every_day")
    azure.let_in()
    for slot, count in ((LIVE, 24), (IDLE, 99)):
        text = f'# Databricks\nexit {{"predictions": {count}}}'
        azure.upload(f"{slot}/notebooks/score", text, format="SOURCE", language="PYTHON")
        for item in folder.objects:
            for activity in item.properties.get("activities", []):
                for library in activity["typeProperties"].get("libraries", []):
                    wheel = library["whl"].rpartition("'/library/")[2].rstrip("')")
                    azure.upload(f"{slot}/library/{wheel}", "wheel", format="RAW")


def predictions(azure: Factories, pipeline: str) -> Any:
    run = azure.run(pipeline, outputPrefix="candidate/x")
    assert run.status == "Succeeded", run.message
    called = azure.named(run.run_id)["Score every hour"].output["pipelineRunId"]
    return azure.named(called)["Score"].output["runOutput"]["predictions"]


def everything(client: DataFactory) -> dict[Any, FactoryObject]:
    return {item.key: item for kind in KINDS for item in client.objects(kind)}


@pytest.fixture
def client(azure: Factories, bench: Bench) -> DataFactory:
    client = client_of(azure)
    sample_live(azure, client)
    shutil.copytree(SAMPLE, bench.world.root / "datafactory")
    bench.configure({"source": "git"})
    bench.factory = cast(Any, client)
    bench.publish_slot()
    return client


def test_copies_run_the_idle_slot_and_live_pipelines_the_live_one(
    azure: Factories, bench: Bench, client: DataFactory
) -> None:
    before = everything(client)
    bench.run(pipeline=["daily"])
    after = everything(client)
    assert {key: after[key] for key in before} == before  # ETags too: nothing was written, the trigger goes on
    name = next(item.name for item in after.values() if is_candidate(item) and item.name.startswith("daily"))
    assert predictions(azure, name) == 99
    assert predictions(azure, "daily") == 24
    etags = {key: item.extra for key, item in after.items()}
    bench.run(pipeline=["daily"])
    assert {key: item.extra for key, item in everything(client).items()} == etags
    bench.remove()
    assert everything(client) == before


def test_a_copy_that_is_used_is_named_as_the_service_names_it(bench: Bench, client: DataFactory) -> None:
    bench.run(pipeline=["daily"])
    copy = next(item for item in client.objects(Kind.PIPELINES) if item.name.startswith("daily__candidate_"))
    user = {"pipelineReference": {"referenceName": copy.name, "type": "PipelineReference"}, "parameters": {}}
    recurrence = {"frequency": "Day", "interval": 1, "startTime": "2026-01-01T06:00:00Z", "timeZone": "UTC"}
    properties = {"type": "ScheduleTrigger", "typeProperties": {"recurrence": recurrence}, "pipelines": [user]}
    client.put(Kind.TRIGGERS, "by hand", properties)
    with pytest.raises(ServiceError) as caught:
        bench.remove()
    assert "referenced by by hand" in caught.value.what
    client.delete(Kind.TRIGGERS, "by hand")
    bench.remove()
    assert not [item for item in client.objects(Kind.PIPELINES) if is_candidate(item)]


def test_long_and_odd_names_are_taken(azure: Factories, bench: Bench) -> None:
    client = client_of(azure)
    names = ["p" * 140, "it's ñ", "a [b] (c)", "p" * 260]
    wait = {"name": "w", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 1}}
    objects = [FactoryObject(Kind.PIPELINES, name, {"activities": [wait]}) for name in names]
    bench.export(objects)
    bench.publish_slot()
    bench.factory = cast(Any, client)
    bench.run()
    found = [item.name for item in client.objects(Kind.PIPELINES)]
    assert len(found) == len(names)
    assert all(len(name) <= 140 for name in found)
    assert azure.run(found[0]).status == "Succeeded"
