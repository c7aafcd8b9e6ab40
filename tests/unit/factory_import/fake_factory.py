"""A data factory in memory with the rules that shape a deployment; every change counts, and can be the last one."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from slipway.domain.factory.objects import FactoryObject, Key, Kind
from slipway.domain.factory.references import BUILT_IN, references
from slipway.errors import ServiceError
from tests.unit.steps.fakes import Changes


class FakeFactory:
    """As services.data_factory.DataFactory. `stops` counts how often each trigger was stopped; `absent`: the group has
    no such factory; `linked`: its Studio works in a Git repository; `runs`: of its pipelines, those that have not ended."""

    absent = False
    linked = False

    def __init__(self, changes: Changes, name: str = "adf-test") -> None:
        self.name = name
        self.id = f"/subscriptions/s/resourceGroups/rg-test/providers/Microsoft.DataFactory/factories/{name}"
        self.resource_group = "rg-test"
        self.changes = changes
        self.there: dict[Key, FactoryObject] = {}
        self.globals: dict[str, Any] = {}
        self.subscribed: set[str] = set()
        self.stops: dict[str, int] = {}
        self.writes: list[str] = []
        self.runs: list[dict[str, Any]] = []
        self._etags = itertools.count(1)

    def seed(self, *objects: FactoryObject) -> None:
        for item in objects:
            self._keep(item.kind, item.name, copy.deepcopy(dict(item.properties)))
            if item.kind is Kind.TRIGGERS and self.running(item.name):
                self.subscribed.add(item.name.lower())

    def get(self) -> dict[str, Any] | None:
        properties: dict[str, Any] = {"repoConfiguration": {"repositoryName": "x"}} if self.linked else {}
        if self.globals:
            properties["globalParameters"] = copy.deepcopy(self.globals)
        return None if self.absent else {"name": self.name, "properties": properties}

    def running(self, name: str) -> bool:
        found = self.there.get((Kind.TRIGGERS, name.lower()))
        return found is not None and found.properties.get("runtimeState") == "Started"

    def objects(self, kind: Kind) -> list[FactoryObject]:
        return [replace(item, properties=_shown(item.properties)) for item in self.there.values() if item.kind is kind]

    def global_parameters(self) -> dict[str, Any]:
        return copy.deepcopy(self.globals)

    def trigger(self, name: str) -> dict[str, Any] | None:
        found = self.there.get((Kind.TRIGGERS, name.lower()))
        return None if found is None else {"name": found.name, "properties": dict(found.properties)}

    def put(self, kind: Kind, name: str, properties: Mapping[str, Any]) -> str:
        def do() -> str:
            item = FactoryObject(kind, name, properties)
            for needed in references(item):
                if needed.key not in self.there and needed.key not in BUILT_IN:
                    raise ServiceError(f"invalid reference {needed}")
            sent = copy.deepcopy(dict(properties))
            if kind is Kind.TRIGGERS:
                assert "runtimeState" not in sent
                self._refuse_running(name)
                sent["runtimeState"] = "Stopped"
            self.writes.append(str(item))
            return self._keep(kind, name, sent)

        return self.changes.change(f"put {kind}/{name}", do)

    def delete(self, kind: Kind, name: str) -> None:
        def do() -> None:
            self._refuse_running(name if kind is Kind.TRIGGERS else "")
            for item in self.there.values():
                if (kind, name.lower()) in [needed.key for needed in references(item)]:
                    raise ServiceError(f"{name} is referenced by {item}")
            self.there.pop((kind, name.lower()), None)

        self.changes.change(f"delete {kind}/{name}", do)

    def put_global_parameters(self, values: Mapping[str, Any]) -> None:
        self.changes.change("put global parameters", lambda: setattr(self, "globals", dict(values)))

    def start(self, name: str) -> None:
        self.changes.change(f"start {name}", lambda: self._set(name, "Started"))

    def stop(self, name: str) -> None:
        self.stops[name] = self.stops.get(name, 0) + 1
        self.changes.change(f"stop {name}", lambda: self._set(name, "Stopped"))

    def subscribe(self, name: str) -> None:
        self.changes.change(f"subscribe {name}", lambda: self.subscribed.add(name.lower()))

    def unsubscribe(self, name: str) -> None:
        self.changes.change(f"unsubscribe {name}", lambda: self.subscribed.discard(name.lower()))

    def subscription(self, name: str) -> str:
        return "Enabled" if name.lower() in self.subscribed else "Disabled"

    def ask(
        self, method: str, path: str, doing: str, json: Any = None, *, missing: bool = False, repeatable: bool = False
    ) -> dict[str, Any] | None:
        assert (method, path) == ("POST", "/queryPipelineRuns"), "no other request is known here"
        return {"value": copy.deepcopy(self.runs)}

    def _keep(self, kind: Kind, name: str, properties: dict[str, Any]) -> str:
        etag = str(next(self._etags))
        self.there[(kind, name.lower())] = FactoryObject(kind, name, properties, "live", {"etag": etag})
        return etag

    def _set(self, name: str, state: str) -> None:
        found = self.there.get((Kind.TRIGGERS, name.lower()))
        if found is None:
            raise ServiceError(f"no trigger {name}")
        self._keep(Kind.TRIGGERS, found.name, {**found.properties, "runtimeState": state})

    def _refuse_running(self, name: str) -> None:
        if name and self.running(name):
            raise ServiceError("Cannot update enabled Trigger; the trigger needs to be disabled first.")


def _shown(properties: Mapping[str, Any]) -> dict[str, Any]:
    """As the service gives it: an encryptedCredential stands for a linked service's secure strings."""
    shown = copy.deepcopy(dict(properties))
    settings = shown.get("typeProperties")
    if isinstance(settings, dict):
        secure = [k for k, v in settings.items() if isinstance(v, dict) and v.get("type") == "SecureString"]
        for key in secure:
            del settings[key]
            settings["encryptedCredential"] = "kept by the service"
    return shown
