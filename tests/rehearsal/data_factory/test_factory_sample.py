"""The sample's own factory: every object of its Git folder is taken, and its pipeline runs when its trigger fires."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.rehearsal.data_factory.factories import Factories

FOLDER = Path(__file__).parents[3] / "datafactory"
RELEASE = "/Workspace/Slipway/bikeshare/dev/blue"


def objects(folder: str) -> list[tuple[str, dict[str, Any]]]:
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((FOLDER / folder).glob("*.json"))]
    return [(one["name"], one["properties"]) for one in found]


def put_all(azure: Factories) -> None:
    for folder, kind in (("linkedService", "linkedservices"), ("dataset", "datasets")):
        for name, properties in objects(folder):
            azure.put(kind, name, **properties)
    pipelines = dict(objects("pipeline"))
    for name in sorted(pipelines, key=lambda name: "ExecutePipeline" in json.dumps(pipelines[name])):
        azure.put("pipelines", name, **pipelines[name])
    for name, properties in objects("trigger"):
        azure.put("triggers", name, **properties)


def test_the_sample_runs_when_its_trigger_fires(azure: Factories) -> None:
    put_all(azure)
    azure.let_in()
    azure.upload(
        f"{RELEASE}/notebooks/score", '# Databricks\nexit {"predictions": 24}', format="SOURCE", language="PYTHON"
    )
    wheels = [
        library["whl"].rpartition("'/library/")[2].rstrip("')")
        for _name, properties in objects("pipeline")
        for activity in properties["activities"]
        for library in activity["typeProperties"].get("libraries", [])
    ]
    for wheel in wheels:
        azure.upload(f"{RELEASE}/library/{wheel}", "wheel", format="RAW")
    shared = {"releaseFolder": {"type": "string", "value": RELEASE}}
    azure.ok("PUT", "/globalParameters/default", {"properties": shared})
    azure.ok("POST", "/triggers/every_day/start")
    to = azure.now() + 86_400
    (run_id,) = azure.cloud.call(lambda: azure.service.advance(to))
    run = azure.ended(run_id)
    assert run.status == "Succeeded", run.message
    called = azure.named(run_id)["Score every hour"].output["pipelineRunId"]
    found = azure.named(called)
    assert found["Score"].output["runOutput"] == {"predictions": 24}
    assert found["Keep the count"].input["value"] == "24"
    azure.ok("POST", "/triggers/every_day/stop")
