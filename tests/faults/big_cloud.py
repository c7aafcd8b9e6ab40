"""A larger release: twelve jobs (two of them new, one continuous, one changed by hand), one that left, and a data factory."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from slipway.domain.audit import CONTAINER, TABLE
from slipway.domain.state import JobRecord
from tests.faults.cloud import Cloud, Memory
from tests.faults.project import NAME, make_project

STEADY = tuple(f"steady{number}" for number in range(1, 9))
OLD_JOBS = (*STEADY, "drifted", "follows", "gone")
NEW_JOBS = (*STEADY, "drifted", "follows", "new1", "new2")
FOLDER = "datafactory"
KINDS = {"pipelines": "pipeline", "triggers": "trigger", "linkedServices": "linkedService"}

Objects = Mapping[str, Mapping[str, Any]]


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"referenceName": name, "type": f"{kind}Reference"}


def _pipeline(*calls: str, description: str = "") -> dict[str, Any]:
    activities: list[dict[str, Any]] = [
        {"name": f"Run {name}", "type": "ExecutePipeline", "typeProperties": {"pipeline": _reference("Pipeline", name)}}
        for name in calls
    ]
    wait = {"name": "Wait", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 1}}
    return {"activities": activities or [wait], "description": description, "annotations": []}


def _trigger(pipeline: str, *, interval: int = 1, kind: Mapping[str, Any] | None = None) -> dict[str, Any]:
    recurrence = {"frequency": "Day", "interval": interval, "startTime": "2026-01-01T00:00:00Z", "timeZone": "UTC"}
    return {
        "annotations": [],
        "runtimeState": "Started",
        "pipelines": [{"pipelineReference": _reference("Pipeline", pipeline), "parameters": {}}],
        "type": "ScheduleTrigger",
        "typeProperties": {"recurrence": recurrence},
        **(kind or {}),
    }


_EVENTS: dict[str, Any] = {
    "type": "BlobEventsTrigger",
    "typeProperties": {
        "events": ["Microsoft.Storage.BlobCreated"],
        "blobPathBeginsWith": "/data/blobs/in/",
        "scope": "/subscriptions/2c9d8e7f-6a5b-4c3d-8e1f-0a9b8c7d6e5f/resourceGroups/rg-bikeshare-dev"
        "/providers/Microsoft.Storage/storageAccounts/stbikesharedev",
    },
}
_VAULT = {"type": "AzureKeyVault", "typeProperties": {"baseUrl": "https://kv-bikeshare-dev.vault.azure.net/"}}
OLD_FACTORY: Objects = {
    "linkedServices/vault": _VAULT,
    "pipelines/score": _pipeline(description="1"),
    "pipelines/daily": _pipeline("score"),
    "pipelines/alone": _pipeline(),
    "triggers/every_day": _trigger("daily"),
    "triggers/arrivals": _trigger("score", kind=_EVENTS),
    "triggers/other": _trigger("alone"),
}
NEW_FACTORY: Objects = {
    "linkedServices/vault": _VAULT,
    "pipelines/score": _pipeline("fresh", description="2"),
    "pipelines/daily": _pipeline("score"),
    "pipelines/fresh": _pipeline(),
    "triggers/every_day": _trigger("daily", interval=2),
    "triggers/arrivals": _trigger("score", kind=_EVENTS),
}
"""score changes and calls fresh, which is new; one trigger changes; alone and its trigger left the source."""


_LAST_CHECKPOINT = f"{TABLE}/_delta_log/_last_checkpoint"


class BigCloud(Cloud):
    """1.0 has the old jobs and factory, 1.1 the new ones."""

    def __init__(self, folder: Path, patch: Any) -> None:
        super().__init__(folder, patch)
        self._audits: dict[Path, tuple[frozenset[str], bytes | None]] = {}

    def make_project(self, root: Path) -> Path:
        make_project(root)
        _change(
            root / "config" / "environments" / f"{NAME}.yml",
            jobs={"schedules": "as_defined", "drift": "overwrite"},
            data_factory={"source": "git", "delete_removed": True, "delete_limit_percent": 60},
        )
        _change(root / "config" / "defaults.yml", data_factory={"source": "none"})
        _change(root / "config" / "defaults.yml", "integration_test", factory_pipelines={})
        return root

    def build_with(self, version: str, jobs: tuple[str, ...], factory: Objects) -> None:
        folder = self.root / FOLDER
        shutil.rmtree(folder, ignore_errors=True)
        for key, properties in factory.items():
            kind, name = key.split("/")
            path = folder / KINDS[kind] / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"name": name, "properties": properties}), encoding="utf-8")
        (folder / "factory").mkdir()
        shared = {"releaseFolder": {"type": "string", "value": "dev"}}
        content = {"name": "adf-dev", "location": "westeurope", "properties": {"globalParameters": shared}}
        (folder / "factory" / "adf-dev.json").write_text(json.dumps(content), encoding="utf-8")
        publish = {"publishBranch": "adf_publish", "includeFactoryTemplate": True, "includeGlobalParamsTemplate": True}
        (folder / "publish_config.json").write_text(json.dumps(publish), encoding="utf-8")
        self.build(version, *jobs)

    def link_factory(self) -> None:
        """As a developer does in Studio: from a DEV factory that is not linked to Git, nothing is ever deleted."""
        git = {"type": "FactoryGitHubConfiguration", "accountName": "us", "repositoryName": "factory"}
        factory = self._factory_resource()
        linked = {**factory, "properties": {**factory["properties"], "repoConfiguration": git}}
        self._server.call(lambda: self._server.azure.world.resources.put(linked))

    # -- going back ------------------------------------------------------------------------------------------------

    def remember(self) -> Memory:
        memory = super().remember()
        names = self.blobs(container=CONTAINER)
        last = self.blob(_LAST_CHECKPOINT, container=CONTAINER) if _LAST_CHECKPOINT in names else None
        self._audits[memory.files] = (frozenset(names), last)
        return memory

    def back_to(self, memory: Memory) -> None:
        """The audit's table too: its log is read by each step, so what is cut would be another request each time, and as
        the log grows with each cut, a sweep would never end."""
        super().back_to(memory)
        names, last = self._audits[memory.files]
        for name in self.blobs(container=CONTAINER):
            if name not in names:
                self.delete_blob(name, container=CONTAINER)
        if last is not None:
            self.blob(_LAST_CHECKPOINT, last, container=CONTAINER)

    # -- looking ---------------------------------------------------------------------------------------------------

    def factory(self) -> dict[str, dict[str, Any]]:
        """Every object of the factory, candidates' copies apart; a trigger's state is in it, and its subscription."""
        found = {}
        for one in self._resources():
            kind = one["type"].removeprefix("Microsoft.DataFactory/factories/")
            if kind != one["type"] and "__candidate_" not in one["name"]:
                found[f"{kind}/{one['name']}"] = dict(one["properties"])
        return found

    def running(self) -> set[str]:
        """Triggers that run; of events, only where they are heard."""
        states = self._server.azure.world.store.collection("data_factory/trigger_states")
        kept = self._server.call(lambda: {key.rpartition("/")[2]: dict(value) for key, value in states.items()})
        triggers = {key.partition("/")[2]: it for key, it in self.factory().items() if key.startswith("triggers/")}
        return {
            name
            for name, it in triggers.items()
            if it.get("runtimeState") == "Started"
            and (it["type"] != "BlobEventsTrigger" or kept.get(name, {}).get("subscription") == "Enabled")
        }

    def release_folder(self) -> str:
        """The slot that the factory's pipelines run notebooks of."""
        shared = self._factory_resource()["properties"].get("globalParameters") or {}
        return str((shared.get("releaseFolder") or {}).get("value", "")).rpartition("/")[2]

    def factory_requests(self) -> list[str]:
        """What was asked of the factory since this was asked last: method and path below it."""
        below = f"/factories/{self.environment.resources.data_factory}"
        log = self._server.azure.gateway.log
        recent = self._server.call(lambda: [log.recent.popleft() for _ in range(len(log.recent))])
        return [f"{item['method']} {item['path'].partition(below)[2]}" for item in recent if below in item["path"]]

    def _resources(self) -> list[dict[str, Any]]:
        azure = self.environment.azure
        scope = f"/subscriptions/{azure.subscription_id}/resourceGroups/{azure.resource_group}"
        return self._server.call(lambda: list(self._server.azure.world.resources.below(scope)))

    def _factory_resource(self) -> dict[str, Any]:
        return next(one for one in self._resources() if one["type"] == "Microsoft.DataFactory/factories")

    def live_jobs(self) -> dict[str, tuple[str, str]]:
        """Slot and pause status of each job of the live release; no job is there twice."""
        settings = self.jobs()
        keys = [job["tags"]["slipway_job"] for job in settings.values()]
        assert len(keys) == len(set(keys)), f"a job is there twice: {sorted(keys)}"
        records: Mapping[str, JobRecord] = self.state.jobs
        return {
            key: _place(settings[record.id])
            for key, record in records.items()
            if not record.retired and record.id in settings
        }


def _place(settings: Mapping[str, Any]) -> tuple[str, str]:
    slot = settings["tasks"][0]["notebook_task"]["notebook_path"].split("/")[-3]
    return slot, (settings.get("schedule") or settings["continuous"])["pause_status"]


def _change(path: Path, section: str = "", **values: Any) -> None:
    whole = yaml.safe_load(path.read_text(encoding="utf-8"))
    (whole[section] if section else whole).update(values)
    path.write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
