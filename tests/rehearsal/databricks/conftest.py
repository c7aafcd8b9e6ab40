"""A workspace behind the app, and the `databricks` command in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from databricks_cli.sdk import api_client as cli_api_client  # type: ignore[import-untyped]

from tests.rehearsal.databricks.workbench import ADMIN, HOST, IntoApp, Site, token


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
