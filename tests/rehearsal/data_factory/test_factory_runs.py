"""Pipeline runs, started and watched with the vendor's client."""

from __future__ import annotations

from tests.rehearsal.data_factory.factories import Factories, after, fail, notebook, set_variable, wait


def test_a_notebook_really_runs(azure: Factories) -> None:
    azure.databricks_service()
    azure.let_in()
    path = azure.notebook("show", "show parameters")
    azure.pipeline(
        "score",
        notebook("nb", "@pipeline().parameters.path", parameters={"day": "@{pipeline().parameters.day}!", "n": 7}),
        set_variable("keep", "out", "@json(activity('nb').output.runOutput).day", after("nb")),
        parameters={"path": {"type": "String"}, "day": {"type": "String", "defaultValue": "monday"}},
        variables={"out": {"type": "String"}},
    )
    run = azure.run("score", path=path)
    assert run.status == "Succeeded", run.message
    found = azure.named(run.run_id)
    assert found["nb"].output["runOutput"] == '{"day": "monday!", "n": "7"}'
    assert found["nb"].output["runPageUrl"].startswith("https://adb-")
    assert found["keep"].input == {"variableName": "out", "value": "monday!"}
    assert run.parameters == {"path": path, "day": "monday"}
    assert run.invoked_by.invoked_by_type == "Manual"


def test_wait_and_fail(azure: Factories) -> None:
    azure.pipeline("p", wait("w", 30), fail("f", after("w")), wait("never", 1, after("f")))
    run = azure.run("p")
    assert run.status == "Failed"
    assert run.message == "Operation on target f failed: f was asked to"
    assert azure.naps == [30]
    assert azure.named(run.run_id)["f"].error["errorCode"] == "42"
