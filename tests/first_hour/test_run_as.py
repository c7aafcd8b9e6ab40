"""Jobs that run as an identity of their own: bootstrap lets the release identity use it, and a release goes through."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.agents import Agent
from tests.first_hour.estate import Estate, make_repository

pytestmark = pytest.mark.first_hour

JOBS = "c0ffee00-0000-4000-8000-0000000000aa"


def test_a_release_gives_jobs_to_the_identity_that_is_theirs(
    tmp_path: Path, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "estate"
    folder.mkdir()
    make_repository(folder)
    settings = {"jobs.run_as": {"service_principal_name": JOBS}}
    with Estate(folder, agent, monkeypatch, settings) as estate:
        estate.set_up()
        again = estate.as_admin("bootstrap_environment")
        assert "nothing to change" in again.text, again.text
        assert f"= the release identity may use {JOBS}" in again.text
        estate.release("1.0")
        host = estate.environment.databricks.host.removeprefix("https://")
        snapshot = estate.server.call(lambda: estate.server.azure.workspaces.snapshot(host))
    assert {job["run_as"] for job in snapshot["jobs"]} == {JOBS}
