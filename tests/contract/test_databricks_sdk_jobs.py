"""databricks-sdk: jobs with their runs, from definition to output."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import OperationFailed, ResourceDoesNotExist
from databricks.sdk.service import compute, jobs
from databricks.sdk.service.workspace import ImportFormat

from tests.contract.place import Place

pytestmark = pytest.mark.contract
SOON = timedelta(minutes=15)
CLUSTER = compute.ClusterSpec(spark_version="16.4.x-scala2.12", node_type_id="Standard_D4ds_v5", num_workers=1)
NOTEBOOKS = {
    "first": "dbutils.jobs.taskValues.set('rows', 7)\n",
    "second": """rows = dbutils.jobs.taskValues.get('first', 'rows', debugValue=0)
if dbutils.widgets.get('fail') == 'yes':
    raise ValueError('asked to fail')
dbutils.notebook.exit(f"{dbutils.widgets.get('greeting')} {rows}")
""",
    "long": "import time\ntime.sleep(900)\n",
}


@pytest.fixture(scope="module")
def folder(workspace: WorkspaceClient, place: Place) -> Iterator[str]:
    path = f"/Shared/{place.name('jobs')}"
    workspace.workspace.mkdirs(path)
    for name, source in NOTEBOOKS.items():
        text = f"# Databricks notebook source\n{source}".encode()
        workspace.workspace.upload(f"{path}/{name}.py", io.BytesIO(text), format=ImportFormat.AUTO, overwrite=True)
    yield path
    workspace.workspace.delete(path, recursive=True)


def task(folder: str, name: str, **more: object) -> jobs.Task:
    parameters = {"fail": "{{job.parameters.fail}}", "greeting": "hello"}
    notebook = jobs.NotebookTask(notebook_path=f"{folder}/{name}", base_parameters=parameters)
    return jobs.Task(task_key=name, notebook_task=notebook, job_cluster_key="one", **more)


@pytest.fixture(scope="module")
def job(workspace: WorkspaceClient, folder: str, place: Place) -> Iterator[int]:
    made = workspace.jobs.create(
        name=place.name("job"),
        tasks=[task(folder, "first"), task(folder, "second", depends_on=[jobs.TaskDependency(task_key="first")])],
        job_clusters=[jobs.JobCluster(job_cluster_key="one", new_cluster=CLUSTER)],
        parameters=[jobs.JobParameterDefinition(name="fail", default="no")],
        tags={"made-by": "contract-tests"},
        max_concurrent_runs=2,
    )
    yield made.job_id
    workspace.jobs.delete(made.job_id)


def test_a_job_is_seen_and_changed(workspace: WorkspaceClient, job: int, place: Place) -> None:
    shown = workspace.jobs.get(job)
    assert [one.task_key for one in shown.settings.tasks] == ["first", "second"]
    assert shown.settings.tags == {"made-by": "contract-tests"}
    assert job in [one.job_id for one in workspace.jobs.list(name=place.name("job"), expand_tasks=True)]
    workspace.jobs.update(job, new_settings=jobs.JobSettings(timeout_seconds=3600))
    changed = workspace.jobs.get(job).settings
    assert (changed.timeout_seconds, len(changed.tasks)) == (3600, 2)
    changed.timeout_seconds = 0
    workspace.jobs.reset(job, changed)
    assert not workspace.jobs.get(job).settings.timeout_seconds
    with pytest.raises(ResourceDoesNotExist, match="Job 1 does not exist"):
        workspace.jobs.get(1)


def test_a_run_its_tasks_and_their_output(workspace: WorkspaceClient, job: int) -> None:
    run = workspace.jobs.run_now(job, idempotency_token="contract-once").result(timeout=SOON)
    assert run.state.result_state == jobs.RunResultState.SUCCESS
    assert workspace.jobs.run_now(job, idempotency_token="contract-once").run_id == run.run_id
    second = next(one for one in run.tasks if one.task_key == "second")
    assert workspace.jobs.get_run_output(second.run_id).notebook_output.result == "hello 7"
    assert run.run_id in [one.run_id for one in workspace.jobs.list_runs(job_id=job, completed_only=True)]
    workspace.jobs.delete_run(run.run_id)


def test_a_failed_run_tells_why_and_is_repaired(workspace: WorkspaceClient, job: int) -> None:
    waiting = workspace.jobs.run_now(job, job_parameters={"fail": "yes"})
    with pytest.raises(OperationFailed, match="INTERNAL_ERROR"):
        waiting.result(timeout=SOON)
    run = workspace.jobs.get_run(waiting.run_id)
    second = next(one for one in run.tasks if one.task_key == "second")
    output = workspace.jobs.get_run_output(second.run_id)
    assert output.error == "ValueError: asked to fail"
    assert "asked to fail" in output.error_trace
    again = workspace.jobs.repair_run(run.run_id, rerun_all_failed_tasks=True, job_parameters={"fail": "no"})
    assert again.result(timeout=SOON).state.result_state == jobs.RunResultState.SUCCESS
    assert len(workspace.jobs.get_run(run.run_id, include_history=True).repair_history) == 2


def test_runs_are_cancelled(workspace: WorkspaceClient, folder: str) -> None:
    notebook = jobs.NotebookTask(notebook_path=f"{folder}/long")
    tasks = [jobs.SubmitTask(task_key="long", notebook_task=notebook, new_cluster=CLUSTER)]
    waiting = workspace.jobs.submit(run_name="long", tasks=tasks)
    workspace.jobs.cancel_run(waiting.run_id)
    run = workspace.jobs.wait_get_run_job_terminated_or_skipped(waiting.run_id, timeout=SOON)
    assert run.state.result_state == jobs.RunResultState.CANCELED


def test_all_runs_of_a_job_are_cancelled(workspace: WorkspaceClient, folder: str, place: Place) -> None:
    notebook = jobs.NotebookTask(notebook_path=f"{folder}/long")
    only = jobs.Task(task_key="long", notebook_task=notebook, new_cluster=CLUSTER)
    made = workspace.jobs.create(name=place.name("cancelled"), tasks=[only])
    waiting = workspace.jobs.run_now(made.job_id)
    workspace.jobs.cancel_all_runs(job_id=made.job_id)
    run = workspace.jobs.wait_get_run_job_terminated_or_skipped(waiting.run_id, timeout=SOON)
    assert run.state.result_state == jobs.RunResultState.CANCELED
    workspace.jobs.delete(made.job_id)


def test_who_may_run_a_job(workspace: WorkspaceClient, job: int) -> None:
    entry = jobs.JobAccessControlRequest(group_name="users", permission_level=jobs.JobPermissionLevel.CAN_MANAGE_RUN)
    workspace.jobs.update_permissions(str(job), access_control_list=[entry])
    shown = workspace.jobs.get_permissions(str(job)).access_control_list
    levels = {(one.group_name, level.permission_level) for one in shown for level in one.all_permissions}
    assert ("users", jobs.JobPermissionLevel.CAN_MANAGE_RUN) in levels
