"""What pipelines of a test are started with, and what their activity runs become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.domain.environment import load_environment
from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.domain.factory.pipeline_test import (
    PipelineRun,
    called_run,
    check_parameters,
    check_pipelines,
    checks_of,
    given_parameters,
)
from slipway.errors import ConfigurationError

STRING = {"type": "string"}
PAGE = "https://adf/run"


def activity(name: str, status: str = "Succeeded", **more: Any) -> dict[str, Any]:
    error = {"errorCode": "42", "message": f"{name} went wrong"} if status != "Succeeded" else {}
    return {
        "activityName": name,
        "activityRunId": f"run of {name}",
        "activityType": "DatabricksNotebook",
        "status": status,
        "durationInMs": 1500,
        "error": error,
        **more,
    }


def run(*activities: dict[str, Any], status: str = "Succeeded", **more: Any) -> PipelineRun:
    given: dict[str, Any] = {"pipeline": "daily", "message": "", "page": PAGE, "seconds": 3.0, **more}
    return PipelineRun(status=status, activities=activities, **given)


def said(found: PipelineRun) -> list[tuple[str, str, str]]:
    return [(check.name, check.outcome, check.message) for check in checks_of(found)]


@pytest.mark.parametrize("name", ["outputPrefix", "output_prefix", "OUTPUTPREFIX"])
def test_the_prefix_is_given_where_the_pipeline_takes_it(name: str) -> None:
    assert given_parameters({name: STRING, "day": STRING}, {"day": "1"}, "candidate/x") == {
        name: "candidate/x",
        "day": "1",
    }
    assert given_parameters({name: STRING}, {name.lower(): "mine"}, "candidate/x") == {name.lower(): "mine"}
    assert given_parameters({"day": STRING}, {}, "candidate/x") == {}


def test_parameters_that_do_not_fit_are_named() -> None:
    declared = {"outputPrefix": STRING, "day": STRING, "rows": {"type": "int", "defaultValue": 5}}
    assert check_parameters("daily", declared, {"DAY": "1"}) == []
    found = {finding.path: finding.text for finding in check_parameters("daily", declared, {"dya": "1"})}
    assert found == {
        "integration_test.factory_pipelines.daily.dya": "the pipeline has no such parameter; it has outputPrefix, day, rows",
        "integration_test.factory_pipelines.daily.day": "is missing: the pipeline has no default for it",
    }


def test_only_pipelines_that_are_there_are_looked_at() -> None:
    item = FactoryObject(Kind.PIPELINES, "Daily", {"parameters": {"day": STRING}})
    other = FactoryObject(Kind.DATASETS, "gone", {"parameters": {"day": STRING}})
    (finding,) = check_pipelines({"daily": {}, "gone": {"x": "1"}}, [item, other])
    assert finding.path.endswith("daily.day")


def test_each_activity_is_a_check() -> None:
    score = activity("score", output={"runPageUrl": "https://w/run/1"})
    (check,) = checks_of(run(score))
    assert (check.name, check.outcome, check.seconds, check.message) == ("daily / score", "passed", 1.5, "")
    assert check.links == {"notebook": "https://w/run/1", "Data Factory": PAGE}


def test_activities_of_called_pipelines_stand_behind_the_one_that_called_them() -> None:
    call = activity("call", activityType="ExecutePipeline", output={"pipelineRunId": "7"})
    below = run(activity("inner", "Failed"), pipeline="score", status="Failed")
    assert called_run(call) == "7"
    assert called_run(activity("x", output={"pipelineRunId": "7"})) is None
    found = run(call, activity("after"), called={"run of call": below})
    assert said(found) == [
        ("daily / call", "passed", ""),
        ("score / inner", "failed", "42: inner went wrong"),
        ("daily / after", "passed", ""),
    ]


def test_a_failure_that_the_pipeline_took_care_of_does_not_fail_the_test() -> None:
    first, second = activity("copy", "Failed"), activity("copy")
    text = "Failed, and the pipeline went on: 42: copy went wrong"
    assert said(run(first, second)) == [("daily / copy", "passed", text), ("daily / copy (2)", "passed", "")]
    assert said(run(first, second, status="Failed"))[0] == ("daily / copy", "failed", "42: copy went wrong")


@pytest.mark.parametrize("status", ["Cancelled", "InProgress", "TimedOut", "something new"])
def test_what_did_not_end_is_an_error(status: str) -> None:
    assert said(run(activity("a", status), status="Cancelled"))[0][1] == "error"


@pytest.mark.parametrize(("status", "outcome"), [("Failed", "failed"), ("Cancelled", "error")])
def test_a_pipeline_that_ends_badly_by_itself_is_a_check_too(status: str, outcome: str) -> None:
    found = run(activity("a"), status=status, message="the quota is used up")
    assert said(found) == [("daily / a", "passed", ""), ("daily", outcome, "the quota is used up")]
    below = run(pipeline="score", status=status, message="no")
    assert said(run(activity("call"), called={"run of call": below}))[1] == ("score", "error", "no")


def test_a_pipeline_without_activities_is_a_check() -> None:
    assert said(run()) == [("daily", "passed", "it has no activity that runs")]


@pytest.mark.parametrize(
    ("pipelines", "expected"),
    [
        (["daily"], "integration_test.factory_pipelines: must be a mapping, not a list"),
        ({"other": "daily"}, "factory_pipelines.other: must be a mapping, not text"),
        ({"daily": {"rows": 5}}, "factory_pipelines.daily.rows: must be text, not the number 5; quote it"),
        ({"other": {}, "OTHER": {}}, "other: is the same pipeline as OTHER"),
    ],
)
def test_mistakes_in_the_configuration(project: Path, pipelines: Any, expected: str) -> None:
    path = project / "config" / "environments" / "prod.yml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    values["integration_test"] = {"factory_pipelines": pipelines}
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_environment(project, "prod")
    assert expected in "\n".join(map(str, caught.value.findings))


def test_the_sample_tests_its_daily_pipeline() -> None:
    assert load_environment(Path(__file__).parents[3], "test").integration_test.factory_pipelines == {"daily": {}}
