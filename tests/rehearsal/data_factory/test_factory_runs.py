"""Pipeline runs, started and watched with the vendor's client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import requests
from azure.keyvault.secrets import SecretClient
from azure.mgmt.datafactory.models import RunQueryFilter

from rehearsal.data_factory.engine import Engine
from rehearsal.data_factory.runs import Runs
from tests.rehearsal.data_factory.factories import (
    GROUP_NAME,
    HOST,
    WORKSPACE,
    Factories,
    after,
    fail,
    notebook,
    reference,
    set_variable,
    wait,
    window,
)


def statuses(azure: Factories, run_id: str) -> dict[str, str]:
    return {one.activity_name: one.status for one in azure.activities(run_id)}


# Notebooks and jobs


def test_a_notebook_really_runs(azure: Factories) -> None:
    azure.databricks_service()
    azure.let_in()
    path = azure.notebook("show", "show parameters")
    azure.pipeline(
        "score",
        notebook("nb", "@pipeline().parameters.path", parameters={"day": "@{pipeline().parameters.day}!", "n": 7}),
        set_variable("keep", "out", "@activity('nb').output.runOutput.day", after("nb")),
        parameters={"path": {"type": "String"}, "day": {"type": "String", "defaultValue": "monday"}},
        variables={"out": {"type": "String"}},
    )
    run = azure.run("score", path=path)
    assert run.status == "Succeeded", run.message
    found = azure.named(run.run_id)
    assert found["nb"].output["runOutput"] == {"day": "monday!", "n": "7"}
    assert found["nb"].output["runPageUrl"].startswith(f"https://{HOST}/")
    assert found["nb"].linked_service_name == "ls_adb"
    assert found["keep"].input == {"variableName": "out", "value": "monday!"}
    assert run.parameters == {"path": path, "day": "monday"}
    assert run.invoked_by.invoked_by_type == "Manual"


def test_a_failed_notebook(azure: Factories) -> None:
    azure.databricks_service()
    azure.let_in()
    azure.pipeline("p", notebook("nb", azure.notebook("bad", "fail no table hours")))
    run = azure.run("p")
    assert run.status == "Failed"
    assert run.message.startswith("Operation on target nb failed: Databricks execution failed with error state: ")
    assert "no table hours" in run.message
    error = azure.named(run.run_id)["nb"].error
    assert (error["errorCode"], error["failureType"], error["target"]) == ("3204", "UserError", "nb")


def test_another_attempt(azure: Factories) -> None:
    azure.databricks_service()
    azure.let_in()
    path = azure.notebook("once", f"once {azure.factory}", "exit done")
    azure.pipeline("p", notebook("nb", path, policy={"retry": 2, "retryIntervalInSeconds": 45}))
    run = azure.run("p")
    assert run.status == "Succeeded", run.message
    assert [(one.status, one["retryAttempt"]) for one in azure.activities(run.run_id)] == [
        ("Failed", 0),
        ("Succeeded", 1),
    ]
    assert azure.naps == [45]
    assert azure.named(run.run_id)["nb"].output["runOutput"] == "done"


def test_a_time_limit_ends_the_run_in_the_workspace(azure: Factories) -> None:
    azure.databricks_service()
    azure.let_in()
    azure.pipeline("p", notebook("nb", azure.notebook("slow", "hang"), policy={"timeout": "0.00:00:01"}))
    run = azure.run("p")
    assert run.status == "Failed"
    assert "time limit of 1 seconds" in run.message
    workspace = azure.workspaces.get(HOST)
    assert workspace is not None
    active = azure.cloud.call(lambda: workspace.runs.active(None))
    # A run that was among the active ones may have ended since: it ends in a thread of its own.
    assert {one["phase"] for one in active if "slow" in str(one["settings"])} <= {"TERMINATING", "TERMINATED"}


def test_cancelled(azure: Factories) -> None:
    azure.databricks_service()
    azure.let_in()
    inner = {
        "name": "call",
        "type": "ExecutePipeline",
        "typeProperties": {"pipeline": reference("Pipeline", "p"), "waitOnCompletion": True},
    }
    azure.pipeline("p", notebook("nb", azure.notebook("slow", "hang")))
    azure.pipeline("outer", inner, wait("after", 1, after("call", "Completed")))
    made = azure.sdk.pipelines.create_run(GROUP_NAME, azure.factory, "outer")

    def child() -> Any:
        found = azure.sdk.pipeline_runs.query_by_factory(GROUP_NAME, azure.factory, window()).value
        return next((one for one in found if one.pipeline_name == "p" and azure.activities(str(one.run_id))), None)

    below: Any = None
    for _ in range(200):
        below = child()
        if below is not None:
            break
    azure.sdk.pipeline_runs.cancel(GROUP_NAME, azure.factory, made.run_id, is_recursive=True)
    assert azure.ended(made.run_id).status == "Cancelled"
    assert azure.ended(below.run_id).status == "Cancelled"
    assert below.run_group_id == made.run_id
    assert statuses(azure, below.run_id) == {"nb": "Cancelled"}
    assert statuses(azure, made.run_id) == {"call": "Cancelled"}
    azure.sdk.pipeline_runs.cancel(GROUP_NAME, azure.factory, made.run_id)


def test_an_identity_that_is_not_in_the_workspace(azure: Factories) -> None:
    azure.databricks_service()
    azure.pipeline("p", notebook("nb", "/Shared/any"))
    run = azure.run("p")
    assert run.status == "Failed"
    assert azure.named(run.run_id)["nb"].error["errorCode"] == "3200"


def test_a_contributor_of_the_workspace_comes_in(azure: Factories) -> None:
    azure.databricks_service()
    principal = azure.ok("GET", "")["identity"]["principalId"]
    azure.cloud.assign(WORKSPACE, "Contributor", principal)
    azure.pipeline("p", notebook("nb", azure.notebook("quick", "exit hello")))
    run = azure.run("p")
    assert run.status == "Succeeded", run.message


def test_a_factory_without_identity(azure: Factories) -> None:
    azure.factory = "adf-without-identity"
    azure.ok("PUT", "", {"location": "westeurope", "properties": {}})
    azure.databricks_service()
    azure.pipeline("p", notebook("nb", "/Shared/any"))
    assert "no managed identity" in azure.run("p").message


def test_a_token_from_key_vault(azure: Factories) -> None:
    vault = azure.cloud.put_vault(f"kv-{azure.factory}")
    azure.cloud.assign(vault, "Key Vault Secrets Officer")
    token = azure.cloud.credential().get_token("2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default").token
    client = SecretClient(f"https://kv-{azure.factory}.vault.azure.net", azure.cloud.credential())
    client.set_secret("adb-token", token)
    base = {"baseUrl": f"https://kv-{azure.factory}.vault.azure.net/"}
    azure.put("linkedservices", "ls_kv", type="AzureKeyVault", typeProperties=base)
    secret = {"type": "AzureKeyVaultSecret", "store": reference("LinkedService", "ls_kv"), "secretName": "adb-token"}
    azure.databricks_service(authentication=None, accessToken=secret)
    azure.pipeline("p", notebook("nb", azure.notebook("quick", "exit hello")))
    assert "may not read the secret 'adb-token'" in azure.run("p").message
    azure.cloud.assign(vault, "Key Vault Secrets User", azure.ok("GET", "")["identity"]["principalId"])
    run = azure.run("p")
    assert run.status == "Succeeded", run.message
    assert token not in str(azure.activities(run.run_id))


def test_a_job_of_the_workspace(azure: Factories) -> None:
    azure.databricks_service()
    azure.let_in()
    path = azure.notebook("job", "exit from the job")
    session_token = azure.cloud.credential().get_token("2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default").token
    cluster = {"spark_version": "16.4.x-scala2.12", "node_type_id": "Standard_D4ds_v5", "num_workers": 1}
    task = {"task_key": "t", "notebook_task": {"notebook_path": path}, "new_cluster": cluster}
    made = requests.post(
        f"https://{HOST}/api/2.1/jobs/create",
        headers={"Authorization": f"Bearer {session_token}"},
        json={"name": "j", "tasks": [task]},
        timeout=30,
    ).json()
    azure.ok(
        "PUT", "/globalParameters/default", {"properties": {"job": {"type": "String", "value": str(made["job_id"])}}}
    )
    azure.pipeline(
        "p",
        {
            "name": "job",
            "type": "DatabricksJob",
            "linkedServiceName": reference("LinkedService", "ls_adb"),
            "typeProperties": {"jobId": {"value": "@pipeline().globalParameters.job", "type": "Expression"}},
        },
    )
    run = azure.run("p")
    assert run.status == "Succeeded", run.message
    assert set(azure.named(run.run_id)["job"].output) >= {"runPageUrl", "executionDuration"}


# Order and conditions


@pytest.mark.parametrize(
    ("first", "condition", "runs", "status"),
    [
        ("wait", "Succeeded", True, "Succeeded"),
        ("wait", "Failed", False, "Succeeded"),
        ("wait", "Skipped", False, "Succeeded"),
        ("wait", "Completed", True, "Succeeded"),
        ("fail", "Succeeded", False, "Failed"),
        ("fail", "Failed", True, "Succeeded"),
        ("fail", "Completed", True, "Succeeded"),
        ("fail", "Skipped", False, "Failed"),
    ],
)
def test_conditions(azure: Factories, first: str, condition: str, runs: bool, status: str) -> None:
    azure.pipeline("p", wait("a") if first == "wait" else fail("a"), wait("b", 1, after("a", condition)))
    run = azure.run("p")
    assert run.status == status
    assert ("b" in statuses(azure, run.run_id)) is runs


def test_a_skipped_leaf_hands_over_to_what_it_depends_on(azure: Factories) -> None:
    """Do-if-else of the error-handling page: the failing branch is handled, the other leaf is skipped; the run fails."""
    azure.pipeline("p", fail("work"), wait("good", 1, after("work")), wait("bad", 1, after("work", "Failed")))
    assert azure.run("p").status == "Failed"
    azure.pipeline(
        "q",
        fail("work"),
        wait("good", 1, after("work")),
        wait("bad", 1, after("work", "Failed"), after("good", "Skipped")),
    )
    assert azure.run("q").status == "Succeeded"


def test_activities_side_by_side_and_one_that_waits_for_both(azure: Factories) -> None:
    azure.pipeline("p", wait("c", 3, after("a"), after("b")), wait("a", 1), wait("b", 2))
    run = azure.run("p")
    assert run.status == "Succeeded"
    assert azure.naps[-1] == 3
    assert sorted(azure.naps) == [1, 2, 3]


def test_inactive_activities(azure: Factories) -> None:
    copy: dict[str, Any] = {"name": "copy", "type": "Copy", "typeProperties": {}, "state": "Inactive"}
    azure.pipeline("p", copy, wait("b", 1, after("copy")))
    assert azure.run("p").status == "Succeeded"
    azure.pipeline("p", {**copy, "onInactiveMarkAs": "Failed"}, wait("b", 1, after("copy")))
    assert azure.run("p").status == "Failed"


# Control flow


def test_branches_loops_and_variables(azure: Factories) -> None:
    collect = {
        "name": "collect",
        "type": "AppendVariable",
        "typeProperties": {"variableName": "all", "value": "@concat(item().name, '-', activity('deep').status)"},
        "dependsOn": [after("deep")],
    }
    azure.pipeline(
        "p",
        {
            "name": "keep",
            "type": "Filter",
            "typeProperties": {"items": "@pipeline().parameters.items", "condition": "@greater(item().size, 1)"},
        },
        {
            "name": "loop",
            "type": "ForEach",
            "dependsOn": [after("keep")],
            "typeProperties": {
                "items": "@activity('keep').output.value",
                "isSequential": True,
                "activities": [wait("deep", "@item().size"), collect],
            },
        },
        {
            "name": "choose",
            "type": "Switch",
            "dependsOn": [after("loop")],
            "typeProperties": {
                "on": "@string(length(variables('all')))",
                "cases": [{"value": "2", "activities": [set_variable("two", "said", "two")]}],
                "defaultActivities": [fail("other")],
            },
        },
        {
            "name": "test",
            "type": "IfCondition",
            "dependsOn": [after("choose")],
            "typeProperties": {
                "expression": {"value": "@equals(variables('said'), 'two')", "type": "Expression"},
                "ifTrueActivities": [set_variable("yes", "said", "@join(variables('all'), ' ')")],
                "ifFalseActivities": [fail("no")],
            },
        },
        parameters={"items": {"type": "Array"}},
        variables={"all": {"type": "Array", "defaultValue": []}, "said": {"type": "String"}},
    )
    items = [{"name": "a", "size": 1}, {"name": "b", "size": 2}, {"name": "c", "size": 3}]
    run = azure.run("p", items=items)
    assert run.status == "Succeeded", run.message
    found = azure.named(run.run_id)
    assert found["yes"].input["value"] == "b-Succeeded c-Succeeded"
    assert found["keep"].output["FilteredItemsCount"] == 2
    assert azure.naps == [2, 3]


def test_until(azure: Factories) -> None:
    azure.pipeline(
        "p",
        {
            "name": "again",
            "type": "Until",
            "typeProperties": {
                "expression": "@equals(length(variables('all')), 3)",
                "timeout": "0.00:01:00",
                "activities": [
                    {"name": "add", "type": "AppendVariable", "typeProperties": {"variableName": "all", "value": "x"}}
                ],
            },
        },
        variables={"all": {"type": "Array", "defaultValue": []}},
    )
    run = azure.run("p")
    assert run.status == "Succeeded", run.message
    assert [one.activity_name for one in azure.activities(run.run_id)].count("add") == 3


def test_every_item_runs_although_one_fails(azure: Factories) -> None:
    test = {
        "name": "test",
        "type": "IfCondition",
        "typeProperties": {"expression": "@equals(item(), 2)", "ifTrueActivities": [fail("two")]},
    }
    azure.pipeline(
        "p", {"name": "loop", "type": "ForEach", "typeProperties": {"items": "@range(1, 4)", "activities": [test]}}
    )
    run = azure.run("p")
    assert run.status == "Failed"
    assert "Inner activity name: two" in run.message
    assert [one.activity_name for one in azure.activities(run.run_id)].count("test") == 4


def test_a_called_pipeline_answers(azure: Factories) -> None:
    back = {
        "name": "back",
        "type": "SetVariable",
        "typeProperties": {
            "variableName": "pipelineReturnValue",
            "setSystemVariable": True,
            "value": [{"key": "n", "value": {"type": "Expression", "content": "@add(pipeline().parameters.n, 1)"}}],
        },
    }
    azure.pipeline("inner", back, parameters={"n": {"type": "Int"}})
    call = {
        "name": "call",
        "type": "ExecutePipeline",
        "typeProperties": {
            "pipeline": reference("Pipeline", "inner"),
            "waitOnCompletion": True,
            "parameters": {"n": {"value": "@int('41')", "type": "Expression"}},
        },
    }
    keep = set_variable("keep", "v", "@activity('call').output.pipelineReturnValue.n", after("call"))
    azure.pipeline("outer", call, keep, variables={"v": {"type": "Integer"}})
    run = azure.run("outer")
    assert run.status == "Succeeded", run.message
    found = azure.named(run.run_id)
    assert found["keep"].input["value"] == 42
    below = azure.sdk.pipeline_runs.get(GROUP_NAME, azure.factory, found["call"].output["pipelineRunId"])
    assert below.invoked_by is not None
    assert below.invoked_by.pipeline_run_id == run.run_id
    assert below.invoked_by.invoked_by_type == "PipelineActivity"
    azure.pipeline("inner", fail("f"), parameters={"n": {"type": "Int"}})
    assert azure.run("outer").message == "Operation on target call failed: Operation on target f failed: f was asked to"


def test_a_pipeline_that_calls_itself_comes_to_an_end(azure: Factories) -> None:
    azure.pipeline("p", wait("w"))
    again = {"pipeline": reference("Pipeline", "p"), "waitOnCompletion": True}
    azure.pipeline("p", {"name": "again", "type": "ExecutePipeline", "typeProperties": again})
    assert "no chain of more than" in azure.run("p").message


def test_no_more_runs_at_once_than_the_pipeline_allows(azure: Factories) -> None:
    azure.databricks_service()
    azure.let_in()
    azure.pipeline("p", notebook("nb", azure.notebook("slow", "hang")), concurrency=1)
    first = azure.sdk.pipelines.create_run(GROUP_NAME, azure.factory, "p").run_id
    second = azure.sdk.pipelines.create_run(GROUP_NAME, azure.factory, "p").run_id
    found = {
        run_id: azure.sdk.pipeline_runs.get(GROUP_NAME, azure.factory, run_id).status for run_id in (first, second)
    }
    assert found == {first: "InProgress", second: "Queued"}
    for run_id in (second, first):
        azure.sdk.pipeline_runs.cancel(GROUP_NAME, azure.factory, run_id)
        assert azure.ended(run_id).status == "Cancelled"


def test_what_a_restart_leaves(azure: Factories) -> None:
    world = azure.cloud.world

    def restart() -> str:
        run = Runs(world).create(azure.path, "p", {}, {"id": "", "name": "Manual", "invokedByType": "Manual"})
        Engine(world, Runs(world), {}, asyncio.sleep)
        return str(run["runId"])

    found = azure.ended(azure.cloud.call(restart))
    assert (found.status, "rehearsal ended" in found.message) == ("Failed", True)


# Refusals


def test_what_can_not_run_is_refused_when_it_is_run(azure: Factories) -> None:
    copy = {"name": "deep", "type": "Copy", "typeProperties": {}}
    azure.pipeline(
        "below",
        {"name": "i", "type": "IfCondition", "typeProperties": {"expression": "@bool(1)", "ifTrueActivities": [copy]}},
    )
    azure.pipeline(
        "p", {"name": "c", "type": "ExecutePipeline", "typeProperties": {"pipeline": reference("Pipeline", "below")}}
    )
    status, _, message = azure.refused("POST", "/pipelines/p/createRun", {})
    assert status == 501
    assert "activity type 'Copy' (activity 'deep' of pipeline 'below')" in message
    azure.pipeline("x", set_variable("s", "v", "@xml('<a/>')"), variables={"v": {"type": "String"}})
    status, _, message = azure.refused("POST", "/pipelines/x/createRun", {})
    assert (status, "function 'xml'" in message) == (501, True)
    azure.pipeline("again", wait("w"))
    assert azure.send("POST", "/pipelines/again/createRun?api-version=2018-06-01&isRecovery=true").status_code == 501


def test_parameters_without_a_value(azure: Factories) -> None:
    azure.pipeline("p", wait("w"), parameters={"a": {"type": "String"}, "b": {"type": "String", "defaultValue": ""}})
    status, _, message = azure.refused("POST", "/pipelines/p/createRun", {"b": "x"})
    assert status == 400
    assert "'a'" in message
    assert azure.refused("POST", "/pipelines/p/createRun", [1])[0] == 400
    assert azure.refused("POST", "/pipelines/nobody/createRun", {})[0] == 404


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("@nonsense(1)", "'nonsense' is not defined"),
        ("@concat('a'", "column 12"),
        ("@pipeline().parameters.nobody", "property 'nobody' doesn't exist"),
        ("@variables('nobody')", "'nobody' is not defined"),
        ("@activity('nobody').output", "'nobody' has not run"),
        ("@item()", "ForEach"),
        ("@int('x')", "'int'"),
        ("@add(1, 2)", "type 'String' cannot be initialized or updated with value of type 'Integer'"),
    ],
)
def test_expressions_that_can_not_be(azure: Factories, value: str, text: str) -> None:
    azure.pipeline("p", set_variable("s", "v", value), variables={"v": {"type": "String"}})
    run = azure.run("p")
    assert run.status == "Failed"
    assert text in run.message


# Looking at runs


def test_queries(azure: Factories) -> None:
    azure.pipeline("good", wait("w"))
    azure.pipeline("bad", wait("w"), fail("f"))
    runs = [azure.run("good"), azure.run("bad"), azure.run("good")]

    def query(**one: Any) -> list[str]:
        asked = window()
        asked.filters = [RunQueryFilter(**one)]
        found = azure.sdk.pipeline_runs.query_by_factory(GROUP_NAME, azure.factory, asked).value
        return [str(run.run_id) for run in found]

    ids = [run.run_id for run in runs]
    assert query(operand="Status", operator="Equals", values_property=["Failed"]) == [ids[1]]
    assert query(operand="PipelineName", operator="NotIn", values_property=["bad"]) == [ids[0], ids[2]]
    asked = window()
    asked.filters = [RunQueryFilter(operand="ActivityType", operator="Equals", values_property=["Fail"])]
    found = azure.sdk.activity_runs.query_by_pipeline_run(GROUP_NAME, azure.factory, ids[1], asked).value
    assert [one.activity_name for one in found] == ["f"]
    assert azure.refused("POST", "/queryPipelineRuns", {})[0] == 400
    assert azure.refused("POST", "/queryPipelineRuns")[0] == 400
    assert azure.refused("GET", "/pipelineruns/nobody")[0] == 404
    early = {"lastUpdatedAfter": "2020-01-01T00:00:00Z", "lastUpdatedBefore": "2020-01-02T00:00:00Z"}
    assert azure.ok("POST", "/queryPipelineRuns", early) == {"value": []}
    assert azure.ok("POST", "/queryPipelineRuns", {**early, "lastUpdatedBefore": "2999-01-01T00:00:00"})["value"]


def test_secure_output_is_not_kept(azure: Factories) -> None:
    secret = set_variable("s", "v", "planted-secret") | {"policy": {"secureInput": True, "secureOutput": True}}
    azure.pipeline("p", secret, variables={"v": {"type": "String"}})
    run = azure.run("p")
    assert run.status == "Succeeded"
    body = {"lastUpdatedAfter": "2020-01-01T00:00:00Z", "lastUpdatedBefore": "2999-01-02T00:00:00Z"}
    assert "planted-secret" not in azure.send("POST", f"/pipelineruns/{run.run_id}/queryActivityruns", body).text
