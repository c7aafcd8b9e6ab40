"""A small project with a published candidate, and the factory that it is released to, in memory."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from slipway.domain.factory.objects import FactoryObject
from slipway.services.data_factory_runs import PipelineRuns
from slipway.steps import publish_factory_candidate, run_integration_test
from slipway.steps.factory_candidate_source import read_wanted
from tests.unit.factory_import import made
from tests.unit.steps.conftest import World, project

__all__ = ["project"]


class Bench:
    """An environment whose idle slot holds a candidate, and the definitions of its factory."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.factory = world.factory

    def _change(self, file: str, **sections: Any) -> None:
        path = self.world.root / file
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        path.write_text(yaml.safe_dump({**values, **sections}), encoding="utf-8")

    def test_pipelines(self, pipelines: Mapping[str, Mapping[str, str]]) -> None:
        """What integration_test.factory_pipelines says."""
        path = self.world.root / "config" / "defaults.yml"
        test = yaml.safe_load(path.read_text(encoding="utf-8"))["integration_test"]
        self._change("config/defaults.yml", integration_test={**test, "factory_pipelines": dict(pipelines)})

    def configure(self, policy: Mapping[str, Any]) -> None:
        self._change("config/environments/prod.yml", data_factory=dict(policy))

    def export(
        self,
        objects: Sequence[FactoryObject],
        declared: Mapping[str, Any] | None = None,
        *,
        values: Mapping[str, Any] | None = None,
        **policy: Any,
    ) -> None:
        """Puts an export where a release has it; `values` are the environment's, for the parameters `declared`;
        `policy` is more of its data_factory."""
        folder = self.world.root / "arm" / "datafactory"
        shutil.rmtree(folder, ignore_errors=True)
        for name, content in made.files_of(made.template(objects, declared), made.parameters_file()).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content), encoding="utf-8")
        self.configure({"source": "export", "parameters": dict(values or {}), **policy})

    def publish_slot(self, version: str = "1") -> None:
        assert self.world.build(version) == 0
        self.world.publish()

    def run(self, **options: Any) -> None:
        context = self.world.context(**{"pipeline": [], **options})
        release = self.world.release()
        session = self.world.session(release.version, **{"pipeline": [], **options})
        factory = cast(Any, self.factory)
        publish_factory_candidate.publish(session, factory, read_wanted(context), release.version)

    def test(self, runs: PipelineRuns | None, **options: Any) -> None:
        """The integration test, with the factory's part where there are `runs`."""
        session = self.world.session(self.world.release().version, **options)
        run_integration_test.run_test(session, self.world.release().version, [], runs)

    def remove(self, **options: Any) -> None:
        publish_factory_candidate.remove(self.world.session("by hand", **options), cast(Any, self.factory))

    @property
    def said(self) -> str:
        return self.world.output.getvalue()


@pytest.fixture
def bench(project: Path) -> Bench:
    return Bench(World(project))
