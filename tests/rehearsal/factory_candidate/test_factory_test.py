"""The factory's part of the integration test in front of the stand-ins: what runs, what is said of it, what is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import pytest

from slipway.domain.factory.candidate import candidate_name
from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.errors import Conflict, NotPossible, ReleaseError, ServiceError, TestFailed
from slipway.services.data_factory import DataFactory
from slipway.services.data_factory_runs import PipelineRuns
from tests.rehearsal.data_factory.factories import HOST, WORKSPACE, Factories, fail, notebook, wait
from tests.rehearsal.factory_candidate.test_factory_candidate_runs import client_of
from tests.unit.factory_candidate.conftest import Bench
from tests.unit.steps.fakes import exit_value, failing_test

DATABRICKS = {
    "type": "AzureDatabricks",
    "typeProperties": {
        "domain": f"https://{HOST}",
        "authentication": "MSI",
        "workspaceResourceId": WORKSPACE,
        "newClusterVersion": "16.4.x-scala2.12",
        "newClusterNodeType": "Standard_D4ds_v5",
        "newClusterNumOfWorker": "1",
    },
}
PREFIX = {"outputPrefix": {"type": "string"}}


def call(name: str, pipeline: str, *, waits: bool = True, **parameters: Any) -> dict[str, Any]:
    reference = {"referenceName": pipeline, "type": "PipelineReference"}
    settings = {"pipeline": reference, "waitOnCompletion": waits, "parameters": parameters}
    return {"name": name, "type": "ExecutePipeline", "typeProperties": settings}


def pipeline(name: str, *activities: dict[str, Any], **more: Any) -> FactoryObject:
    return FactoryObject(Kind.PIPELINES, name, {"activities": list(activities), **more})


class Trial:
    """A candidate in the idle slot, a factory with copies of `pipelines`, and the test over both."""

    def __init__(self, azure: Factories, bench: Bench) -> None:
        self.azure, self.bench = azure, bench
        self.client: DataFactory = client_of(azure)
        self.runs = PipelineRuns(self.client)
        bench.world.time = azure.cloud.clock()
        bench.factory = bench.world.factory = cast(Any, self.client)
        azure.let_in()

    def of(self, *objects: FactoryObject, **tested: dict[str, str]) -> Trial:
        self.bench.export([FactoryObject(Kind.LINKED_SERVICES, "ls_adb", DATABRICKS), *objects])
        self.bench.test_pipelines(tested)
        self.bench.publish_slot()
        return self

    def copied(self) -> Trial:
        self.bench.run()
        return self

    def test(self) -> None:
        self.bench.test(self.runs)

    @property
    def manifest(self) -> str:
        return str(self.bench.world.state.slots["blue"].manifest)

    def copy(self, name: str) -> str:
        return candidate_name(Kind.PIPELINES, name, self.manifest[:8])

    @property
    def result(self) -> Any:
        return self.bench.world.state.slots["blue"].test

    @property
    def asked(self) -> list[str]:
        """What the notebook was told to do with its data, run by run."""
        tasks = [body["tasks"][0] for body in self.bench.world.workspace.submitted]
        return [task["notebook_task"]["base_parameters"].get("clean_up") for task in tasks]

    def cases(self) -> dict[str, ElementTree.Element]:
        folder = Path(self.bench.world.variables["SLIPWAY_RESULTS"])
        root = ElementTree.parse(folder / "TEST-integration-prod.xml").getroot()
        return {str(case.get("name")): case for case in root.iter("testcase")}

    def failure(self, name: str) -> str:
        case = self.cases()[name]
        return str(case.findtext("failure") or case.findtext("error") or "")

    def let_cancelled_runs_end(self) -> None:
        """While the step waits, the service ends what was cancelled."""

        def react() -> None:
            for run in self.runs.active([self.copy("daily"), self.copy("score")], now=self.bench.world.time):
                if run["status"] == "Canceling":
                    self.azure.cloud.run(self.azure.service.wait(run["runId"]))

        self.bench.world.on_sleep.append(react)


@pytest.fixture
def trial(azure: Factories, bench: Bench) -> Trial:
    return Trial(azure, bench)


def test_activities_of_all_pipelines_become_tests(trial: Trial, azure: Factories) -> None:
    path = azure.notebook("score", "show parameters")
    text = {"value": "@pipeline().parameters.outputPrefix", "type": "Expression"}
    score = pipeline("score", notebook("Score", path, parameters={"p": text}), parameters=PREFIX)
    daily = pipeline("daily", call("Score all", "score", outputPrefix=text), parameters=PREFIX)
    trial.of(score, daily, pipeline("other", wait("w")), daily={}, other={}).copied().test()
    assert trial.result.passed and trial.result.checks == 4 and trial.result.failed == ()
    cases = trial.cases()
    assert list(cases) == ["rows", "daily / Score all", "score / Score", "other / w"]
    links = str(cases["score / Score"].findtext("system-out"))
    assert f"notebook: https://{HOST}/" in links
    assert (
        f"Data Factory: https://adf.azure.com/en/monitoring/pipelineruns/{azure_run(trial, 'score')}?factory=" in links
    )
    (ran,) = azure.activities(azure_run(trial, "score"))
    assert ran.input["baseParameters"] == {"p": f"candidate/{trial.manifest[:16]}"}
    assert trial.asked == ["later", "only"]


def azure_run(trial: Trial, name: str) -> str:
    """The id of the one run of a pipeline's copy."""
    found = trial.client.ask(
        "POST",
        "/queryPipelineRuns",
        "looking",
        {
            "lastUpdatedAfter": "2000-01-01T00:00:00Z",
            "lastUpdatedBefore": "2100-01-01T00:00:00Z",
            "filters": [{"operand": "PipelineName", "operator": "Equals", "values": [trial.copy(name)]}],
        },
    )
    (run,) = (found or {})["value"]
    return str(run["runId"])


def test_a_pipeline_that_fails_fails_the_test_with_the_activitys_error(trial: Trial, azure: Factories) -> None:
    path = azure.notebook("score", "fail the table is empty")
    trial.of(pipeline("daily", notebook("Score", path)), pipeline("other", wait("w")), daily={}, other={}).copied()
    with pytest.raises(TestFailed, match="daily / Score") as caught:
        trial.test()
    assert f"https://{HOST}/" in caught.value.next_step and "correct the pipeline" in caught.value.next_step
    assert "the table is empty" in trial.failure("daily / Score")
    assert "other / w" in trial.cases(), "the next pipeline is tried all the same"
    assert not trial.result.passed and trial.result.failed == ("daily / Score",)
    assert trial.asked == ["later", "only"]


def test_a_failed_notebook_is_not_followed_by_pipelines(trial: Trial) -> None:
    trial.bench.world.workspace.answer = failing_test
    trial.of(pipeline("daily", wait("w")), daily={}).copied()
    with pytest.raises(TestFailed):
        trial.test()
    assert "daily / w" not in trial.cases()
    assert trial.asked == ["later", "only"]


def test_data_that_stays_fails_the_test(trial: Trial) -> None:
    left = [{"name": "nothing is left behind", "outcome": "failed", "seconds": 0.1, "message": "2 folders are left"}]

    def answer(workspace: Any, body: dict[str, Any]) -> dict[str, Any]:
        only = body["tasks"][0]["notebook_task"]["base_parameters"]["clean_up"] == "only"
        return exit_value(workspace, body, **({"passed": False, "checks": left} if only else {}))

    trial.bench.world.workspace.answer = answer
    trial.of(pipeline("daily", wait("w")), daily={}).copied()
    with pytest.raises(TestFailed, match="2 folders are left"):
        trial.test()


def test_a_pipeline_that_never_ends_is_cancelled_with_those_it_called(trial: Trial, azure: Factories) -> None:
    score = pipeline("score", notebook("Score", azure.notebook("score", "hang")))
    trial.of(score, pipeline("daily", call("Score all", "score")), daily={}).copied()
    trial.let_cancelled_runs_end()
    with pytest.raises(TestFailed, match="did not end within 30 minutes"):
        trial.test()
    assert trial.runs.active([trial.copy("daily"), trial.copy("score")], now=trial.bench.world.time) == []
    assert list(trial.cases()) == ["rows", "daily / Score all", "score / Score", "daily"]
    assert trial.cases()["score / Score"].find("error") is not None
    assert trial.asked == ["later", "only"]


def test_a_run_that_nobody_waited_for_belongs_to_the_test(trial: Trial) -> None:
    score = pipeline("score", fail("Stop"))
    trial.of(score, pipeline("daily", call("Start", "score", waits=False)), daily={}).copied()
    with pytest.raises(TestFailed):
        trial.test()
    assert trial.failure("score / Stop").startswith("42: Stop was asked to")


def test_runs_of_a_start_that_was_killed_are_cancelled_first(trial: Trial, azure: Factories) -> None:
    text = {"value": "@pipeline().parameters.path", "type": "Expression"}
    declared = {"path": {"type": "string", "defaultValue": azure.notebook("quick", "exit {}")}}
    trial.of(pipeline("daily", notebook("Score", text), parameters=declared), daily={}).copied()
    lost = trial.runs.start(trial.copy("daily"), {"path": azure.notebook("slow", "hang")})
    trial.let_cancelled_runs_end()
    trial.test()
    assert (trial.runs.get(lost) or {})["status"] == "Cancelled"
    assert f"cancelled: run {lost}" in trial.bench.said
    assert trial.result.passed


def test_a_copy_that_still_runs_keeps_its_slot(trial: Trial, azure: Factories) -> None:
    """Also where the workspace, another one here, knows nothing of it, as between two activities."""
    long = pipeline("daily", notebook("Score", azure.notebook("score", "hang")))
    trial.of(long, pipeline("done", wait("w")), daily={}, done={}).copied()
    azure.cloud.run(azure.service.wait(trial.runs.start(trial.copy("done"), {})))
    under_way = trial.runs.start(trial.copy("daily"), {})
    trial.bench.world.change_notebook("2")
    assert trial.bench.world.build("2") == 0
    with pytest.raises(Conflict, match=f"(?s)^1 active runs still read.*{under_way}"):
        trial.bench.world.publish(wait_for_runs=0.0)
    trial.runs.cancel(under_way)
    azure.cloud.run(azure.service.wait(under_way))
    trial.bench.world.publish(wait_for_runs=0.0)


def test_a_test_that_is_broken_off_cancels_its_run_and_cleans_up(trial: Trial, azure: Factories) -> None:
    trial.of(pipeline("daily", notebook("Score", azure.notebook("score", "hang"))), daily={}).copied()

    def lose() -> None:
        if trial.runs.active([trial.copy("daily")], now=trial.bench.world.time):
            raise Conflict("the claim is gone")

    trial.bench.world.on_sleep.append(lose)
    with pytest.raises(Conflict, match="the claim is gone"):
        trial.test()
    azure.cloud.run(azure.service.wait(azure_run(trial, "daily")))
    assert (trial.runs.get(azure_run(trial, "daily")) or {})["status"] == "Cancelled"
    assert trial.asked == ["later", "only"]
    assert trial.result is None


def test_without_copies_nothing_runs(trial: Trial) -> None:
    trial.of(pipeline("daily", wait("w")), daily={})
    with pytest.raises(NotPossible, match="no copy of daily") as caught:
        trial.test()
    assert "publish_factory_candidate" in caught.value.next_step
    assert trial.asked == []


def test_a_pipeline_that_is_not_in_the_source_is_refused_before_anything_is_copied(trial: Trial) -> None:
    trial.of(pipeline("daily", wait("w")), daily={}, dayly={})
    with pytest.raises(ReleaseError) as caught:
        trial.copied()
    (finding,) = caught.value.findings
    assert (finding.path, "there is no such pipeline" in finding.text) == ("dayly", True)
    assert trial.client.objects(Kind.PIPELINES) == []


def test_a_parameter_that_the_pipeline_does_not_have_is_refused(trial: Trial) -> None:
    trial.of(pipeline("daily", wait("w"), parameters=PREFIX), daily={"rows": "5"})
    with pytest.raises(ReleaseError, match="can't be made") as caught:
        trial.copied()
    assert "no such parameter; it has outputPrefix" in str(caught.value.findings)
    assert trial.client.objects(Kind.PIPELINES) == []


def test_a_copy_that_was_changed_by_hand_is_looked_at_before_it_starts(trial: Trial) -> None:
    trial.of(pipeline("daily", wait("w"), parameters={"rows": {"type": "string"}}), daily={"rows": "5"}).copied()
    trial.client.put(Kind.PIPELINES, trial.copy("daily"), {"activities": [wait("w")], "parameters": PREFIX})
    with pytest.raises(ReleaseError, match="can't be started"):
        trial.test()
    assert trial.asked == []


def test_a_pipeline_that_the_service_refuses_to_start_is_a_failed_test(trial: Trial) -> None:
    trial.of(pipeline("daily", wait("w")), daily={}).copied()
    trial.runs = Refusing(trial.client)
    with pytest.raises(TestFailed, match="it could not be started: the quota is used up"):
        trial.test()
    assert trial.asked == ["later", "only"]


class Refusing(PipelineRuns):
    def start(self, pipeline: str, parameters: Any) -> str:
        raise ServiceError("the quota is used up")


def test_activity_runs_are_read_to_the_last_page(trial: Trial) -> None:
    turn = {
        "name": "Turns",
        "type": "ForEach",
        "typeProperties": {
            "items": {"value": "@range(1, 120)", "type": "Expression"},
            "activities": [wait("w")],
        },
    }
    trial.of(pipeline("daily", turn), daily={}).copied().test()
    assert len([name for name in trial.cases() if name.startswith("daily / w")]) == 120


def test_what_if_starts_nothing(trial: Trial) -> None:
    trial.of(pipeline("daily", wait("w")), daily={}).copied()
    trial.bench.test(trial.runs, what_if=True)
    assert "Would then run the candidate copies of daily" in trial.bench.said
    assert trial.asked == []
