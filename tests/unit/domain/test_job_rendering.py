"""Job definitions rendered into a slot."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.domain.drift import drift, same
from slipway.domain.environment import load_environment
from slipway.domain.job import Target, move, parse_definition, pause_of, reads_from, render_job, with_pause
from tests.unit.domain.conftest import REPOSITORY


def target(**changed: Any) -> Target:
    given: dict[str, Any] = {
        "environment": load_environment(REPOSITORY, "prod"),
        "slot": "green",
        "version": "1.0",
        "wheels": ("a-1-py3-none-any.whl", "b-1-py3-none-any.whl"),
        "notebooks": frozenset({"notebooks/score"}),
    }
    return Target(**{**given, **changed})


def task(**more: Any) -> dict[str, Any]:
    return {"task_key": "main", "notebook_task": {"notebook_path": "./notebooks/score"}, **more}


def rendered(definition: dict[str, Any], **changed: Any) -> tuple[dict[str, Any], list[str]]:
    problems: list[str] = []
    settings = render_job("score", definition, target(**changed), lambda path, text: problems.append(f"{path}: {text}"))
    return settings, problems


def test_paths_wheels_values_and_tags() -> None:
    settings, problems = rendered(
        {
            "name": "{{ app }} {{ environment }}",
            "tags": {"team": "x"},
            "tasks": [
                task(
                    libraries=[{"whl": "./library"}, {"pypi": {"package": "x"}}],
                    new_cluster={"num_workers": "{{ workers }}", "node_type_id": "{{ jobs.values.node_type_id }}"},
                )
            ],
        }
    )
    assert not problems
    root = "/Workspace/Slipway/bikeshare/prod/green"
    (only,) = settings["tasks"]
    assert only["notebook_task"]["notebook_path"] == f"{root}/notebooks/score"
    assert only["libraries"] == [
        {"whl": f"{root}/library/a-1-py3-none-any.whl"},
        {"whl": f"{root}/library/b-1-py3-none-any.whl"},
        {"pypi": {"package": "x"}},
    ]
    assert only["new_cluster"]["num_workers"] == 2
    assert settings["name"] == "bikeshare prod"
    assert settings["tags"] == {
        "team": "x",
        "slipway_app": "bikeshare",
        "slipway_environment": "prod",
        "slipway_job": "score",
        "slipway_slot": "green",
        "slipway_version": "1.0",
    }
    assert settings["run_as"] == {"service_principal_name": "4e1b2a3c-0d5f-4a6b-8c7d-9e8f7a6b5c4d"}


def test_what_databricks_fills_in_itself_is_left_alone() -> None:
    parameters = {
        "day": "{{job.start_time.iso_date}}",
        "value": "{{tasks.prepare.values.rows}}",
        "own": "{{ job.parameters.x }}",
        "mixed": "{{ environment }}-{{job.run_id}}",
    }
    nested = {"spark_conf": {"k": "{{secrets/{{ secret_scope.name }}/storage-key}}"}}
    definition = task(new_cluster=nested)
    definition["notebook_task"]["base_parameters"] = parameters
    settings, problems = rendered({"name": "prod", "tasks": [definition]})
    assert not problems
    given = settings["tasks"][0]["notebook_task"]["base_parameters"]
    assert given["day"] == "{{job.start_time.iso_date}}"
    assert given["own"] == "{{job.parameters.x}}"
    assert given["mixed"] == "prod-{{job.run_id}}"
    assert settings["tasks"][0]["new_cluster"]["spark_conf"]["k"] == "{{secrets/slipway-bikeshare-prod/storage-key}}"


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ({"name": "x {{ nope }}", "tasks": [task()]}, "name: {{ nope }} is not defined"),
        ({"name": "x {{ app", "tasks": [task()]}, "name: `{{` without"),
        ({"tasks": [task()]}, "name: is missing"),
        ({"name": "x"}, "tasks: must be a list"),
        ({"name": "x", "tasks": [task(), task()]}, "tasks[1].task_key: 'main' is used twice"),
        ({"name": "x", "tasks": [{"notebook_task": {}}]}, "tasks[0].task_key: is missing"),
        (
            {"name": "x", "tasks": [task(notebook_task={"notebook_path": "./notebooks/nope"})]},
            "tasks[0].notebook_task.notebook_path: the release has no notebook ./notebooks/nope",
        ),
        (
            {"name": "x", "tasks": [task(notebook_task={"notebook_path": "./notebooks/score.py"})]},
            "a notebook's path has no extension: ./notebooks/score",
        ),
        (
            {"name": "x", "tasks": [task(notebook_task={"notebook_path": "notebooks/score"})]},
            "must begin with ./notebooks/",
        ),
        (
            {"name": "x", "tasks": [task(existing_cluster_id="1", libraries=[{"whl": "./library"}])]},
            "tasks[0].existing_cluster_id: an existing cluster keeps the wheel",
        ),
        ({"name": "x", "tasks": [task(libraries=[{"whl": "./library/c.whl"}])]}, "the release has no wheel"),
        ({"name": "x", "tags": {"slipway_job": "x"}, "tasks": [task()]}, "tags.slipway_job"),
        ({"name": "x", "tags": {f"t{i}": "x" for i in range(21)}, "tasks": [task()]}, "at most 25 tags"),
        ({"name": "x", "git_source": {}, "tasks": [task()]}, "git_source"),
        (
            {"name": "x", "tasks": [task(spark_python_task={"python_file": "./library/x.py"})]},
            "tasks[0].spark_python_task.python_file",
        ),
        ({"name": "x", "tasks": [task()], "run_as": "me@example.com"}, "run_as: must be an object"),
        ({"name": "x", "tasks": [task()], "run_as": None}, "run_as: must be an object"),
    ],
)
def test_what_can_not_be_rendered(definition: dict[str, Any], expected: str) -> None:
    _, problems = rendered(definition)
    assert any(expected in problem for problem in problems), problems


def test_an_existing_cluster_without_slot_libraries_is_allowed() -> None:
    assert rendered({"name": "x", "tasks": [task(existing_cluster_id="1")]})[1] == []


def test_serverless_dependencies_and_nested_tasks() -> None:
    settings, problems = rendered(
        {
            "name": "x",
            "environments": [{"environment_key": "e", "spec": {"client": "2", "dependencies": ["./library", "numpy"]}}],
            "tasks": [{"task_key": "each", "for_each_task": {"inputs": "[1]", "task": task()}}],
        }
    )
    assert not problems
    root = "/Workspace/Slipway/bikeshare/prod/green"
    assert settings["environments"][0]["spec"]["dependencies"][-1] == "numpy"
    assert len(settings["environments"][0]["spec"]["dependencies"]) == 3
    nested = settings["tasks"][0]["for_each_task"]["task"]
    assert nested["notebook_task"]["notebook_path"] == f"{root}/notebooks/score"


def test_pausing() -> None:
    schedule = {"schedule": {"quartz_cron_expression": "x"}}
    assert pause_of(schedule) == "UNPAUSED" and pause_of({}) is None
    assert pause_of(with_pause(schedule, "PAUSED")) == "PAUSED"
    assert with_pause({"name": "x"}, "PAUSED") == {"name": "x"}
    environment = load_environment(REPOSITORY, "dev")
    settings, _ = rendered({"name": "x", "tasks": [task()], **schedule}, environment=environment)
    assert pause_of(settings) == "PAUSED"


def test_moving_to_the_other_slot_is_exact() -> None:
    root = "/Workspace/Slipway/bikeshare/prod"
    settings, _ = rendered({"name": "x", "tasks": [task(libraries=[{"whl": "./library"}])]})
    blue, _ = rendered({"name": "x", "tasks": [task(libraries=[{"whl": "./library"}])]}, slot="blue")
    assert move(settings, root=root, to="blue") == blue
    assert move(move(settings, root=root, to="blue"), root=root, to="green") == settings
    assert move([f"{root}/greenish/x", f"{root}/green"], root=root, to="blue") == [f"{root}/greenish/x", f"{root}/blue"]


def test_reads_from_knows_both_spellings_and_no_prefixes() -> None:
    assert reads_from({"a": ["/Slipway/x/blue/n"]}, "/Workspace/Slipway/x/blue")
    assert reads_from({"a": "/Workspace/Slipway/x/blue/n"}, "/Workspace/Slipway/x/blue")
    assert not reads_from({"a": "/Workspace/Slipway/x/bluer/n"}, "/Workspace/Slipway/x/blue")


def test_definitions_that_are_no_json() -> None:
    assert parse_definition('{\n"a": }', "f.json")[1][0].line == 2
    assert parse_definition("[]", "f.json")[0] is None
    assert "twice" in parse_definition('{"a": 1, "a": 2}', "f.json")[1][0].text


def test_drift_compares_what_was_set_only() -> None:
    ours = {"a": 1, "tasks": [{"task_key": "x", "n": 1}, {"task_key": "y"}], "empty": {}}
    theirs = {"a": 1, "b": 2, "tasks": [{"task_key": "y", "more": 1}, {"task_key": "x", "n": 1}]}
    assert same(ours, theirs)
    theirs["tasks"] = [{"task_key": "x", "n": 2}, {"task_key": "z"}]
    assert list(drift(ours, theirs)) == [
        "tasks[x].n: was set to 1, is 2",
        "tasks[y]: was set to {'task_key': 'y'}, is nothing",
        "tasks[z]: was set to nothing, is {'task_key': 'z'}",
    ]


@pytest.mark.parametrize(
    "value",
    [
        "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net",
        "https://x.blob.core.windows.net/c?sv=2022&sig=c2VjcmV0",
        "Endpoint=sb://x/;SharedAccessKeyName=k;SharedAccessKey=c2VjcmV0",
        "Bearer c2VjcmV0",
        "jdbc:sqlserver://x;user=a;password=c2VjcmV0",
        "https://ada:c2VjcmV0@example.com/x",
        ["--token=c2VjcmV0"],
        {"deep": {"default": "SharedAccessSignature=c2VjcmV0"}},
    ],
)
def test_drift_shows_no_secret_whatever_it_is_called(value: Any) -> None:
    (line,) = drift({"a": "x"}, {"a": value})
    assert "(not shown)" in line
    assert "c2VjcmV0" not in line
    (line,) = drift({"a": value}, {})
    assert "c2VjcmV0" not in line


def test_drift_shows_what_is_no_secret() -> None:
    assert list(drift({"a": "x"}, {"a": "/Workspace/design=1"})) == ["a: was set to 'x', is '/Workspace/design=1'"]
