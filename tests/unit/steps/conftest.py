"""A small project, its releases, and an environment to release them to, all in memory or in tmp_path."""

from __future__ import annotations

import argparse
import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from slipway.command import Context
from slipway.domain.environment import load_environment
from slipway.domain.job import slot_libraries
from slipway.domain.release import Release
from slipway.log import Log
from slipway.steps import (
    build_release,
    freeze,
    publish_slot,
    rollback,
    run_integration_test,
    switch_slot,
    watch_release,
)
from slipway.steps.release_source import release_of, target_of
from slipway.steps.session import Session, holder_of
from tests.unit.factory_import.fake_factory import FakeFactory
from tests.unit.steps.fakes import Changes, FakeAudit, FakeStore, FakeWorkspace

REPOSITORY = Path(__file__).resolve().parents[3]
NOTEBOOK = "# Databricks notebook source\nprint('{}')\n"


def job(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": f"{{{{ app }}}} {{{{ environment }}}}: {name}",
        "tasks": [
            {
                "task_key": "main",
                "notebook_task": {"notebook_path": f"./notebooks/{name}"},
                "job_cluster_key": "small",
                "libraries": [{"whl": "./library"}],
            }
        ],
        "job_clusters": [
            {"job_cluster_key": "small", "new_cluster": {"node_type_id": "{{ node_type_id }}", "num_workers": 1}}
        ],
        "schedule": {"quartz_cron_expression": "0 0 6 * * ?", "timezone_id": "UTC", "pause_status": "UNPAUSED"},
        **more,
    }


def write_wheel(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("sample.py"), "x = 1\n")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with three environments, three notebooks, two jobs, and a wheel; none for a data factory."""
    root = tmp_path / "project"
    shutil.copytree(REPOSITORY / "config" / "environments", root / "config" / "environments")
    for path in (root / "config" / "environments").glob("*.yml"):
        if path.stem not in ("dev", "test", "prod"):
            path.unlink()
    defaults = yaml.safe_load((REPOSITORY / "config" / "defaults.yml").read_text(encoding="utf-8"))
    defaults["data_factory"] = {"source": "none"}
    defaults["integration_test"]["factory_pipelines"] = {}
    (root / "config" / "defaults.yml").write_text(yaml.safe_dump(defaults, sort_keys=False), encoding="utf-8")
    for name in ("train", "score", "integration_test"):
        path = root / "notebooks" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(NOTEBOOK.format(name))
    for name in ("train", "score"):
        path = root / "config" / "jobs" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(job(name), indent=2))
    write_wheel(root / "dist" / "wheel" / "sample-1.0-py3-none-any.whl")
    return root


class World:
    """One environment over its life: builds releases of the project and runs steps on them, as separate processes."""

    def __init__(self, root: Path, name: str = "prod") -> None:
        self.root = root
        self.name = name
        self.changes = Changes()
        self.store = FakeStore(self.changes)
        self.workspace = FakeWorkspace(self.changes)
        self.factory = FakeFactory(self.changes, f"adf-bikeshare-{name}")
        self.audit = FakeAudit(self.changes)
        self.time = 1_800_000_000.0
        self.output = io.StringIO()
        self.variables: dict[str, str] = {"USER": "ada", "SLIPWAY_RESULTS": str(root.parent / "results")}
        self.on_sleep: list[Any] = []

    def build(self, version: str) -> int:
        arguments = ["--version", version, "--output", str(self.root / "dist" / "release")]
        return build_release.main(arguments, variables={"BUILD_SOURCEVERSION": "c" * 40}, root=self.root)

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        for react in self.on_sleep:
            react()

    def context(self, *, what_if: bool = False, **arguments: Any) -> Context:
        given = {
            "take_over": False,
            "wait": 0.0,
            "despite_freeze": False,
            "if_free": False,
            "wait_for_runs": 30.0,
            "json": False,
            "settle": 0.0,
            "end": False,
            "report": False,
            **arguments,
        }

        def clock() -> float:
            self.time += 0.01
            return self.time

        log = Log(out=self.output, err=self.output, variables=self.variables, clock=clock, verbose=True)
        return Context(
            environment=load_environment(self.root, self.name),
            release=self.root / "dist" / "release",
            log=log,
            variables=self.variables,
            what_if=what_if,
            arguments=argparse.Namespace(**given),
            root=self.root,
            clock=clock,
            sleep=self.sleep,
        )

    def session(self, release: str, **options: Any) -> Session:
        context = self.context(**options)
        holder = holder_of(self.variables, release)
        factory, audit = cast(Any, self.factory), cast(Any, self.audit)
        return Session(context, cast(Any, self.store), cast(Any, self.workspace), holder, audit, lambda: factory)

    def release(self) -> Release:
        return release_of(self.context())

    def publish(self, **options: Any) -> None:
        release = self.release()
        publish_slot.publish(self.session(release.version, **options), release)

    def test(self, **options: Any) -> None:
        release = self.release()
        session = self.session(release.version, **options)
        libraries = slot_libraries(target_of(release, session.environment, session.load().idle))
        run_integration_test.run_test(session, release.version, libraries)

    def switch(self, **options: Any) -> None:
        release = self.release()
        switch_slot.switch(self.session(release.version, **options), release.version, release.sha256)

    def revert(self, **options: Any) -> None:
        switch_slot.revert(self.session("revert", **options))

    def rollback(self, to: str | None = None, **options: Any) -> None:
        rollback.roll_back(self.session("rollback", **options), to)

    def watch(self, **options: Any) -> None:
        watch_release.watch_release(self.session("watch", **options))

    def freeze(self, message: str, *, until: float | None = None, hours: float | None = None, **options: Any) -> None:
        freeze.freeze(self.session("freeze", message=message, until=until, hours=hours, **options))

    def unfreeze(self, **options: Any) -> None:
        freeze.unfreeze(self.session("freeze", **options))

    def deploy(self, version: str, **options: Any) -> None:
        """A whole release."""
        assert self.build(version) == 0
        self.publish(**options)
        self.test()
        self.switch(**options)

    @property
    def state(self) -> Any:
        return self.session("look").load()

    def jobs(self) -> dict[str, dict[str, Any]]:
        """What the jobs of the environment are, by key."""
        return {settings["tags"]["slipway_job"]: settings for settings in self.workspace.jobs.values()}

    def slots_of_jobs(self) -> dict[str, str]:
        """Which slot each job that may start reads from."""
        return {
            key: settings["tasks"][0]["notebook_task"]["notebook_path"].split("/")[-3]
            for key, settings in self.jobs().items()
        }

    def change_notebook(self, text: str, name: str = "score") -> None:
        (self.root / "notebooks" / f"{name}.py").write_text(NOTEBOOK.format(text))

    def slot_objects(self, slot: str) -> Mapping[str, bytes]:
        root = f"/Workspace/Slipway/bikeshare/{self.name}/{slot}/"
        return {
            p[len(root) :]: d
            for p, (kind, d) in self.workspace.objects.items()
            if p.startswith(root) and kind != "DIRECTORY"
        }


@pytest.fixture
def world(project: Path) -> World:
    return World(project)
