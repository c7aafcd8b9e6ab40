"""A workspace behind the app, and the `databricks` command in front of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from databricks_cli.sdk import api_client as cli_api_client  # type: ignore[import-untyped]

from rehearsal.databricks.app import create_app
from rehearsal.databricks.authentication import DATABRICKS_APPLICATION
from rehearsal.databricks.workspaces import Workspaces
from rehearsal.world import World
from tests.rehearsal.databricks.workbench import ADMIN, HOST, IntoApp, Site, token
from tests.rehearsal.gateway.local_cloud import APP, OBJECT, TENANT, LocalCloud


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.close()


@pytest.fixture
def databricks_command(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """The `databricks` command of databricks-cli 0.18; gives what it prints."""
    from click.testing import CliRunner
    from databricks_cli.cli import cli  # type: ignore[import-untyped]

    monkeypatch.setattr(cli_api_client, "TlsV1HttpAdapter", lambda **_: IntoApp(site.client))
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "databrickscfg"))
    monkeypatch.setenv("DATABRICKS_HOST", f"https://{HOST}")
    monkeypatch.setenv("DATABRICKS_TOKEN", token(ADMIN))

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return str(result.stdout)

    return run


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """The same command as a process of its own, through the gateway, as in a rehearsal; gives what it prints."""

    def workspace(world: World) -> list[tuple[str, Any]]:
        workspaces = Workspaces(world.store, world.folder, world.clock)
        workspaces.add(HOST, "", admins=[OBJECT])
        app = create_app(
            world,
            workspaces,
            run_environment=dict,
            datasets=tmp_path / "datasets",
            wheelhouse=None,
            python=Path(sys.executable),
        )
        return [("adb-*.azuredatabricks.net", app)]

    def issue(cloud: LocalCloud) -> str:
        directory = cloud.world.directory
        return cloud.call(lambda: directory.issue_token(tenant_id=TENANT, app_id=APP, audience=DATABRICKS_APPLICATION))

    with LocalCloud(tmp_path / "cloud", more_apps=workspace) as cloud:
        environment = {
            **cloud.exports(),
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "LC_ALL": "C.UTF-8",
            "DATABRICKS_HOST": f"https://{HOST}",
            "DATABRICKS_TOKEN": issue(cloud),
        }

        def run(*arguments: str) -> str:
            command = [str(Path(sys.executable).with_name("databricks")), *arguments]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        yield run
