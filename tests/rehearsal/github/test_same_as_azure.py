"""The workflows call the scripts that the Azure pipelines call: the same, in the same order, with the same arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.pipelines.deployments import deployments
from tests.rehearsal.github.recording import ROOT, on_azure, on_github, scripts_of
from tests.rehearsal.github.runner import read

WORKFLOWS = ROOT / ".github" / "workflows"
NAMES = [one.environment for one in deployments(ROOT)]
STEPS = [
    "doctor",
    "deploy_resources",
    "provision_secrets",
    "publish_slot",
    "publish_factory_candidate",
    "run_integration_test",
    "--remove",
    "switch_slot",
    "watch_release",
]


@pytest.mark.parametrize("drift", ["as configured", "keep", "overwrite"])
def test_a_release(tmp_path: Path, drift: str) -> None:
    _, calls = on_github(tmp_path / "github", "release.yml", {"drift": drift})
    found = scripts_of(calls)
    assert [line.split()[0] for line in found].count("scripts/build_release.py") == 1
    wanted = [
        line
        for stage in NAMES
        for line in scripts_of(
            on_azure(tmp_path / stage, "azure-pipelines.yml", stage=stage, parameters={"drift": drift})
        )
    ]
    assert [line for line in found if "build_release" not in line] == wanted
    assert len(wanted) == len(NAMES) * len(STEPS)


@pytest.mark.parametrize("failing", STEPS)
def test_a_release_that_fails_is_taken_back_alike(tmp_path: Path, failing: str) -> None:
    # Of switch_slot only the switch fails, not its taking back.
    fail = failing if failing != "switch_slot" else "switch_slot.py --environment dev"
    runner, calls = on_github(tmp_path / "github", "release.yml", fail=fail)
    wanted = on_azure(tmp_path / "azure", "azure-pipelines.yml", stage=NAMES[0], fail=fail)
    found = [line for line in scripts_of(calls) if "build_release" not in line]
    assert found == scripts_of(wanted)
    assert found[-1].endswith("--revert")
    assert [job.outcome for job in runner.jobs] == ["success", "failure", "skipped", "skipped"]


def test_a_cancelled_release_is_taken_back(tmp_path: Path) -> None:
    """Azure Pipelines does not run on.failure then; GitHub lets a step run that asks for it."""
    runner, calls = on_github(tmp_path / "github", "release.yml", cancel_at="Switch to the new slot")
    assert scripts_of(calls)[-2:] == [
        "scripts/switch_slot.py --environment dev",
        "scripts/switch_slot.py --environment dev --revert",
    ]
    assert runner.jobs[1].outcome == "cancelled"


def test_the_build(tmp_path: Path) -> None:
    runner, calls = on_github(tmp_path / "github", "pull-request.yml")
    temporary = next((tmp_path / "github" / "jobs").iterdir()) / "temp"
    known = {
        "Common.TestResultsDirectory": str(temporary / "test-results"),
        "Build.ArtifactStagingDirectory": str(temporary),
        "Build.BuildNumber": "20261129.7",
        "Build.BuildId": "4200",
    }
    wanted = on_azure(tmp_path / "azure", "azure-pipelines.yml", stage="build", variables=known)
    assert [words for words, _ in calls] == [tuple(word.replace('"', "") for word in words) for words, _ in wanted]
    assert len(calls) == 6
    assert runner.jobs[0].outcome == "success"


@pytest.mark.parametrize("version", ["last stable", "20261129.10", "007", "a b; echo no"])
@pytest.mark.parametrize("despite", [False, True])
def test_a_rollback(tmp_path: Path, version: str, despite: bool) -> None:
    given = {"environment": "test", "version": version, "despite-freeze": despite}
    _, calls = on_github(tmp_path / "github", "rollback.yml", given)
    parameters = {"environment": "test", "version": version, "despiteFreeze": str(despite).lower()}
    wanted = on_azure(tmp_path / "azure", "templates/pipelines/rollback.yml", stage="test", parameters=parameters)
    (found,) = scripts_of(calls)
    assert [found] == scripts_of(wanted)
    assert version == "last stable" or f"--to {version}" in found
    assert ("--to" in found, "--despite-freeze" in found) == (version != "last stable", despite)


@pytest.mark.parametrize("fail", ["", "--revert"])
def test_recover_and_watch(tmp_path: Path, fail: str) -> None:
    _, calls = on_github(tmp_path / "github", "recover-and-watch.yml", fail=fail)
    wanted = [
        line
        for stage in NAMES
        for line in scripts_of(
            on_azure(tmp_path / stage, "templates/pipelines/recover-and-watch.yml", stage=stage, fail=fail)
        )
    ]
    assert scripts_of(calls) == wanted
    assert len(wanted) == len(NAMES) * (1 if fail else 2)


def test_it_is_looked_at_as_often() -> None:
    azure = yaml.safe_load((ROOT / "templates/pipelines/recover-and-watch.yml").read_text())["schedules"]
    github = read(WORKFLOWS / "recover-and-watch.yml")["on"]["schedule"]
    assert [one["cron"] for one in azure] == [one["cron"] for one in github]


def test_every_environment_is_there_in_the_order_of_the_pipeline() -> None:
    jobs = read(WORKFLOWS / "release.yml")["jobs"]
    assert list(jobs) == ["build", *NAMES]
    for before, name in zip(["build", *NAMES], NAMES, strict=False):
        assert jobs[name]["needs"] == before
        assert jobs[name]["with"]["environment"] == name
    assert read(WORKFLOWS / "rollback.yml")["on"]["workflow_dispatch"]["inputs"]["environment"]["options"] == NAMES
    matrix = read(WORKFLOWS / "recover-and-watch.yml")["jobs"]["recover-and-watch"]["strategy"]["matrix"]
    assert matrix == {"environment": NAMES}


def test_limits_are_the_same() -> None:
    def minutes(workflow: str, job: str) -> Any:
        return read(WORKFLOWS / workflow)["jobs"][job]["timeout-minutes"]

    text = (ROOT / "templates/stages/release.yml").read_text()
    assert f"timeoutInMinutes: {minutes('release-environment.yml', 'release')}" in text
    text = (ROOT / "templates/stages/build.yml").read_text()
    assert f"timeoutInMinutes: {minutes('build.yml', 'build')}" in text
