"""What a new user would try, one after the other, in one project: each test goes on from where the one before it ended."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.rehearsal.release.conftest import Project

pytestmark = pytest.mark.release
DEV = ("--only", "dev")
A_CHECK = '@check("the slot is complete")\ndef _():\n'


def test_the_first_rehearsal_releases_to_every_environment(project: Project) -> None:
    outcome = project.rehearse()
    assert outcome.code == 0, outcome.text[-6000:]
    for environment in ("dev", "test", "prod"):
        _, result, slot, version, jobs, tests, _ = outcome.row(environment)
        assert (result, slot, jobs) == ("succeeded", "blue", "2")
        assert version
        passed, counted = tests.split("/")
        assert passed == counted != "0"


def test_the_page_shows_it_and_loads_nothing_from_elsewhere(project: Project) -> None:
    page = (project.kept / "report" / "index.html").read_text(encoding="utf-8")
    for text in ("Release to prod", "Microsoft.KeyVault/vaults", "bikeshare prod: score", "Integration test, prod"):
        assert text in page
    assert not re.findall(r'(?:src|href)="', page)


def test_schedules_run_in_prod_alone(project: Project) -> None:
    paused = {name: {job["pause_status"] for job in project.status(name)["jobs"].values()} for name in ("dev", "prod")}
    assert paused == {"dev": {"PAUSED"}, "prod": {"UNPAUSED"}}


def test_a_second_one_goes_to_the_other_slot(project: Project) -> None:
    assert project.rehearse(*DEV).row("dev")[2] == "blue → green"


def test_a_failing_integration_test_moves_nothing(project: Project) -> None:
    before = project.status("dev")
    mend = project.change("notebooks/integration_test.py", A_CHECK, A_CHECK + '    assert False, "broken on purpose"\n')
    outcome = project.rehearse(*DEV)
    mend()
    assert outcome.code == 1
    assert "the slot is complete" in outcome.text
    assert "broken on purpose" in outcome.text
    after = project.status("dev")
    assert (after["live"], after["jobs"]) == (before["live"], before["jobs"])
    assert after["claim"] is None


def test_rollback_passes_over_the_failed_candidate(project: Project) -> None:
    history = [entry["version"] for entry in project.status("dev")["history"]]
    outcome = project.run("scripts/rollback.py --environment dev")
    assert outcome.code == 0, outcome.text
    after = project.status("dev")
    assert after["version"] == history[1]
    assert {job["slot"] for job in after["jobs"].values()} == {after["live"]}


def test_a_cloned_environment_is_released_to(project: Project) -> None:
    cloned = project.run("scripts/clone_environment.py --from test --to uat")
    assert cloned.code == 0, cloned.text
    outcome = project.rehearse("--only", "uat")
    assert outcome.code == 0, outcome.text[-6000:]
    assert outcome.row("uat")[1:3] == ["succeeded", "blue"]


def test_one_that_was_killed_is_recovered(project: Project) -> None:
    with project.start("--verbose", *DEV) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "run_integration_test.py" in line:
                break
        process.kill()
    outcome = project.rehearse(*DEV)
    assert outcome.code == 0, outcome.text[-6000:]
    assert "was stopped in the middle" in outcome.text


def test_nothing_secret_was_written_down(project: Project) -> None:
    secrets = _secrets(project.kept / "store.sqlite")
    assert len(secrets) > 5
    looked_at = 0
    for path in project.kept.rglob("*"):
        # The stand-ins' own memory is where these secrets live.
        if path.is_file() and not path.name.startswith("store.sqlite"):
            content = path.read_bytes()
            looked_at += 1
            assert not [name for name, value in secrets.items() if value.encode() in content], path
    assert looked_at > 100


def test_a_damaged_folder_is_said_to_be_damaged(project: Project) -> None:
    (project.kept / "store.sqlite").write_bytes(b"not a database" * 1000)
    outcome = project.rehearse(*DEV)
    assert outcome.code == 2
    assert "--reset" in outcome.text
    assert "Traceback" not in outcome.text


def _secrets(store: Path) -> dict[str, str]:
    """Keys of storage accounts, the admin's client secret and the values in secret scopes, from the stand-ins' memory."""
    with sqlite3.connect(store) as database:
        rows = database.execute("SELECT collection, key, value FROM documents").fetchall()
    found: dict[str, str] = {}
    for collection, key, value in rows:
        if collection in ("storage/accounts", "compose/admins") or "secrets" in collection.split("/")[-1]:
            for index, text in enumerate(re.findall(r'"([A-Za-z0-9+/=_-]{24,})"', value)):
                found[f"{collection} {key} {index}"] = text
    return found
