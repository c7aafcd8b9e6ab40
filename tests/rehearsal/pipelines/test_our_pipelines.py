"""Our own YAML: well-formed, and what the design says about it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.pipelines import tasks
from rehearsal.pipelines.check import check_repository
from rehearsal.pipelines.compile import compile_pipeline
from rehearsal.pipelines.deployments import deployments
from rehearsal.pipelines.expansion import Expander
from rehearsal.pipelines.files import Files
from rehearsal.pipelines.model import Job, Pipeline, Stage
from rehearsal.pipelines.parameters import declared
from rehearsal.pipelines.yaml_nodes import to_value
from slipway.domain.environment import environment_names

ROOT = Path(__file__).parents[3]
RELEASE_HOOKS = {
    "preDeploy": ["doctor --short", "deploy_resources --wait 15", "provision_secrets"],
    "deploy": [
        "publish_slot",
        "publish_factory_candidate",
        "run_integration_test",
        "publish_factory_candidate --remove",
    ],
    "routeTraffic": ["switch_slot"],
    "postRouteTraffic": ["watch_release --settle 10"],
    "on.failure": ["switch_slot --revert"],
}


def compiled(file: str = "azure-pipelines.yml", reason: str = "IndividualCI", **parameters: str) -> Pipeline:
    return compile_pipeline(Files(ROOT), file, parameters, {"Build.Reason": reason})


def scripts(job: Job) -> dict[str, list[str]]:
    """Which scripts each hook runs, with the arguments after --environment NAME."""
    found: dict[str, list[str]] = {}
    for hook in job.hooks:
        lines = [step.inputs["inlineScript"].split() for step in hook.steps if step.task == tasks.AZURE_CLI]
        found[hook.name] = [" ".join([Path(line[1]).stem, *line[4:]]) for line in lines]
    return found


def release_stages() -> list[Stage]:
    return [stage for stage in compiled().stages if stage.deploys]


def test_it_is_well_formed() -> None:
    assert check_repository(ROOT) == []


def test_every_environment_of_the_configuration_is_released_to_in_a_chain() -> None:
    found = deployments(ROOT)
    assert sorted(deployment.environment for deployment in found) == environment_names(ROOT)
    assert all(len(deployment.service_connections) == 1 for deployment in found)
    names = ["build", *(stage.name for stage in release_stages())]
    assert [stage.depends_on for stage in release_stages()] == [(name,) for name in names[:-1]]


@pytest.mark.parametrize("stage", release_stages(), ids=lambda stage: stage.name)
def test_the_hooks_of_a_release(stage: Stage) -> None:
    (job,) = stage.jobs
    assert scripts(job) == RELEASE_HOOKS
    assert stage.lock_behavior == "sequential"
    assert job.pool
    for hook in job.hooks:
        first = [step.task for step in hook.steps[:3]]
        assert first == [tasks.DOWNLOAD_SHORTCUT, tasks.PYTHON, tasks.BASH], "each hook starts with an empty workspace"
        for step in hook.steps:
            assert (step.env.get("SYSTEM_ACCESSTOKEN") == "$(System.AccessToken)") is (step.task == tasks.AZURE_CLI)


def test_results_of_the_integration_test_are_published_after_a_failure_too() -> None:
    for stage in release_stages():
        (deploy,) = [hook for hook in stage.jobs[0].hooks if hook.name == "deploy"]
        test, publish, remove = deploy.steps[-3:]
        assert (publish.task, publish.condition) == (tasks.TEST_RESULTS, "succeededOrFailed()")
        assert remove.condition in (None, "", "succeeded()"), "the copies of a failed candidate stay for looking at"
        assert test.env["SLIPWAY_RESULTS"] == publish.inputs["searchFolder"]


def test_a_pull_request_builds_and_tests_and_deploys_nothing() -> None:
    stages = compiled(reason="PullRequest").stages
    assert [stage.name for stage in stages] == ["build"]
    assert not any(step.task == tasks.AZURE_CLI for stage in stages for job in stage.jobs for step in job.all_steps())


def test_the_build_publishes_one_artifact_last() -> None:
    (job,) = compiled().stages[0].jobs
    published = [step for step in job.steps if step.task == tasks.PUBLISH]
    assert [step.inputs["artifact"] for step in published] == ["release"]
    assert job.steps[-1] is published[0]
    assert "requirements/release.txt" in next(
        step.inputs["script"] for step in job.steps if step.display_name.startswith("Audit")
    )


def test_every_script_of_the_pipelines_exists() -> None:
    for name in (
        "azure-pipelines.yml",
        "templates/pipelines/rollback.yml",
        "templates/pipelines/drill.yml",
        "templates/pipelines/recover-and-watch.yml",
    ):
        given = {"environment": "test"} if "rollback" in name or "drill" in name else {}
        for stage in compiled(name, **given).stages:
            for job in stage.jobs:
                for step in job.all_steps():
                    if step.task == tasks.AZURE_CLI:
                        assert (ROOT / step.inputs["inlineScript"].split()[1]).is_file()


def test_rollback_goes_to_one_environment_with_its_approvals() -> None:
    (stage,) = compiled("templates/pipelines/rollback.yml", environment="test").stages
    assert (stage.name, stage.depends_on, stage.jobs[0].environment) == ("test", (), "test")
    assert scripts(stage.jobs[0]) == {"deploy": ["rollback"]}


@pytest.mark.parametrize(("given", "said"), [({}, "drill"), ({"production": "true"}, "drill --production")])
def test_a_drill_goes_to_one_environment_and_to_production_only_when_asked(given: dict[str, str], said: str) -> None:
    (stage,) = compiled("templates/pipelines/drill.yml", environment="prod", **given).stages
    assert (stage.name, stage.depends_on, stage.jobs[0].environment) == ("prod", (), "prod")
    assert scripts(stage.jobs[0]) == {"deploy": [said]}


def test_a_rollback_to_a_version_hands_what_was_typed_to_the_shell_as_a_value() -> None:
    typed = '1.0"; curl evil'
    (stage,) = compiled("templates/pipelines/rollback.yml", environment="test", version=typed).stages
    assert scripts(stage.jobs[0]) == {"deploy": ['rollback --to "${ROLLBACK_VERSION#version }"']}
    (step,) = [step for step in stage.jobs[0].all_steps() if step.task == tasks.AZURE_CLI]
    assert step.env["ROLLBACK_VERSION"] == f"version {typed}"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"despiteFreeze": "true"}, "rollback --despite-freeze"),
        (
            {"despiteFreeze": "true", "version": "1.0"},
            'rollback --to "${ROLLBACK_VERSION#version }" --despite-freeze',
        ),
    ],
)
def test_a_rollback_despite_a_freeze_is_a_choice_of_its_own(given: dict[str, str], said: str) -> None:
    (stage,) = compiled("templates/pipelines/rollback.yml", environment="test", **given).stages
    assert scripts(stage.jobs[0]) == {"deploy": [said]}


def test_a_rollback_of_an_unknown_environment_says_which_there_are() -> None:
    (stage,) = compiled("templates/pipelines/rollback.yml", environment="tset").stages
    (step,) = [step for step in stage.jobs[0].all_steps() if step.task == tasks.BASH]
    assert (stage.name, step.env["ASKED"]) == ("unknown", "tset")
    assert step.env["KNOWN"].split(", ") == [item.environment for item in deployments(ROOT)]
    assert "tset" not in step.inputs["script"]


def test_recovery_looks_at_every_environment_and_waits_for_no_approval() -> None:
    stages = compiled("templates/pipelines/recover-and-watch.yml").stages
    assert sorted(stage.name for stage in stages) == environment_names(ROOT)
    assert all(stage.depends_on == () and not stage.deploys for stage in stages)
    commands = [
        step.inputs["inlineScript"]
        for stage in stages
        for job in stage.jobs
        for step in job.all_steps()
        if "inlineScript" in step.inputs
    ]
    assert len(commands) == 2 * len(stages)
    assert all(command.endswith(" --revert --if-free") for command in commands[::2]), "first what is open"
    assert all("/watch_release.py " in command and command.endswith(" --once") for command in commands[1::2])


@pytest.mark.parametrize("path", sorted((ROOT / "templates").rglob("*.yml")), ids=lambda path: path.name)
def test_a_template_says_what_it_is_for(path: Path) -> None:
    header = path.read_text().partition("\nparameters:")[0]
    assert header.startswith("# ")
    if path.parent.name == "pipelines":
        return
    assert "Example:" in header
    root = Files(ROOT).read(path.relative_to(ROOT).as_posix())
    names = [parameter.name for parameter in declared(root.get("parameters")) if parameter.name != "environments"]
    assert [name for name in names if not re.search(f"^#   {name} ", header, re.MULTILINE)] == []


def test_no_secret_stands_in_a_variable() -> None:
    for stage in compiled().stages:
        assert stage.variables == ()
        assert all(job.variables == () for job in stage.jobs)


def test_the_published_schema_agrees(tmp_path: Path) -> None:
    """A second opinion on what comes out of our expander, with scalars as text as the language server sees them."""
    node = Expander(Files(ROOT), {"Build.Reason": "IndividualCI"}).pipeline("azure-pipelines.yml", {})
    expanded = json.loads(json.dumps(to_value(node), default=str))
    file = tmp_path / "azure-pipelines.yml"
    file.write_text(yaml.safe_dump(_texts(expanded)))
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.azure-pipelines",
        "--regex-variant",
    ]
    checked = subprocess.run([*command, "nonunicode", str(file)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout[-3000:]


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        # The schema wants booleans in the inputs of tasks and text everywhere else.
        return {key: value[key] if key == "inputs" else _texts(value[key]) for key in value}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)
