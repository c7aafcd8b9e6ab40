"""Four releases, built once, for test_switch_model: their jobs and factories differ."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from slipway.command import Context
from slipway.domain.factory.objects import Kind
from tests.unit.factory_import import made
from tests.unit.steps import conftest as parts
from tests.unit.steps.conftest import World, job
from tests.unit.steps.test_factory_switch import FIRST, SECOND, Bench

JOBS = {
    "a": ("score", "train"),
    "b": ("extra", "score"),
    "c": ("extra", "score", "train"),
    "d": ("extra", "score", "train"),
}
OBJECTS = {"a": FIRST, "b": SECOND, "c": [*SECOND, made.pipeline("third")], "d": FIRST}
TRIGGERS = {
    name: {i.name: i.properties["runtimeState"] == "Started" for i in objects if i.kind is Kind.TRIGGERS}
    for name, objects in OBJECTS.items()
}


class Desk(World):
    """A world in which several releases lie ready."""

    chosen = "a"

    def context(self, *, what_if: bool = False, **arguments: Any) -> Context:
        context = super().context(what_if=what_if, **arguments)
        return replace(context, release=self.root / "dist" / self.chosen)


class Catalogue:
    """Four releases, built once, and what each makes of a slot."""

    def __init__(self, folder: Path) -> None:
        self.root: Path = parts.project.__wrapped__(folder)  # type: ignore[attr-defined]
        self.slots: dict[tuple[str, str], dict[str, bytes]] = {}
        bench = Bench(World(self.root))
        bench.configure(delete_removed=True, delete_limit_percent=100)
        for name, objects in OBJECTS.items():
            self._build(bench, name, objects)
        for name in JOBS:
            world = Desk(self.root)
            world.chosen = "b" if name == "a" else "a"
            for slot in ("blue", "green"):
                held, world.chosen = world.chosen, name
                world.publish()
                self.slots[name, slot] = dict(world.slot_objects(slot))
                world.chosen = held
                world.publish()
                world.test()
                world.switch()

    def _build(self, bench: Bench, name: str, objects: Any) -> None:
        folder = self.root / "config" / "jobs"
        shutil.rmtree(folder)
        folder.mkdir()
        for key in JOBS[name]:
            (folder / f"{key}.json").write_text(json.dumps(job(key, timeout_seconds=100 + ord(name))), encoding="utf-8")
            bench.world.change_notebook(key, key)
        bench.source(objects)
        bench.world.change_notebook(name)
        assert bench.world.build(name) == 0
        shutil.copytree(self.root / "dist" / "release", self.root / "dist" / name)
