"""DatabricksNotebook and DatabricksJob: real runs in a workspace, over its REST surface, as the factory's identity.

learn.microsoft.com/azure/data-factory/transform-data-databricks-notebook, -job; errors: data-factory-troubleshoot-guide.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx
from starlette.types import ASGIApp

from rehearsal.data_factory.control_flow import mapping, settings
from rehearsal.data_factory.expressions.values import text
from rehearsal.data_factory.linked_services import LinkedServices, Workspace
from rehearsal.data_factory.outcome import ActivityFailed
from rehearsal.data_factory.places import Place
from rehearsal.data_factory.runs import Run
from rehearsal.data_factory.walk import Activity, Handler, Walk

Json = Any
_ENDED = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")
_JOBS = "/api/2.1/jobs"
# The troubleshooting guide's codes: refused by the workspace, wrong settings, and a run that failed.
_DENIED, _INVALID, _FAILED = "3200", "3201", "3204"


class DatabricksActivities:
    """app: what serves the workspaces' hosts. poll_seconds: between two looks at a run."""

    def __init__(self, app: ASGIApp, linked_services: LinkedServices, poll_seconds: float) -> None:
        self._app, self._linked, self._poll = app, linked_services, poll_seconds
        self.handlers: Mapping[str, Handler] = {"databricksnotebook": self.notebook, "databricksjob": self.job}

    async def notebook(self, _walk: Walk, activity: Activity, place: Place, record: Run) -> Json:
        given = place.value(settings(activity))
        parameters = {
            name: text(value) for name, value in mapping("baseParameters", given.get("baseParameters")).items()
        }
        record["input"] = {"notebookPath": given.get("notebookPath"), "baseParameters": parameters}
        workspace = self._linked.workspace(activity.get("linkedServiceName"), place)
        task = {
            "task_key": "notebook",
            "notebook_task": {"notebook_path": given.get("notebookPath"), "base_parameters": parameters},
            "libraries": given.get("libraries") or [],
            **workspace.cluster,
        }
        run = place.running.run
        name = f"ADF_{place.running.factory['name']}_{run['pipelineName']}_{activity['name']}_{run['runId']}"
        async with self._client(workspace) as client:
            made = await _send(client, "POST", "/runs/submit", {"run_name": name, "tasks": [task]})
            ended = await self._wait(client, int(made["run_id"]), record)
            task_run = ended["tasks"][-1]["run_id"]
            output = await _send(client, "GET", f"/runs/get-output?run_id={task_run}")
        found = _output(place, ended)
        result = (output.get("notebook_output") or {}).get("result")
        if result is not None:
            found["runOutput"] = _run_output(result)
        _check(ended, found, output.get("error"))
        return found

    async def job(self, _walk: Walk, activity: Activity, place: Place, record: Run) -> Json:
        """A job of the workspace. Whether the service gives runOutput for it is not documented: there is none here."""
        given = place.value(settings(activity))
        parameters = {name: text(value) for name, value in mapping("jobParameters", given.get("jobParameters")).items()}
        # The page's sample writes jobID, its table and the SDK jobId.
        job_id = text(given.get("jobId", given.get("jobID")))
        record["input"] = {"jobId": job_id, "jobParameters": parameters}
        if not job_id.isdigit():
            raise ActivityFailed(_INVALID, f"'{job_id}' is no job id.", again=False)
        workspace = self._linked.workspace(activity.get("linkedServiceName"), place)
        body: dict[str, Json] = {"job_id": int(job_id)}
        if parameters:
            body["job_parameters"] = parameters
        async with self._client(workspace) as client:
            made = await _send(client, "POST", "/run-now", body)
            ended = await self._wait(client, int(made["run_id"]), record)
        found = _output(place, ended)
        _check(ended, found, None)
        return found

    def _client(self, workspace: Workspace) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self._app),
            base_url=f"https://{workspace.host}",
            headers=dict(workspace.headers),
        )

    async def _wait(self, client: httpx.AsyncClient, run_id: int, record: Run) -> dict[str, Json]:
        """The run when it has ended; whoever stops waiting for it cancels it."""
        try:
            while True:
                run = await _send(client, "GET", f"/runs/get?run_id={run_id}")
                record["output"] = {"runPageUrl": run["run_page_url"]}
                if run["state"]["life_cycle_state"] in _ENDED:
                    return run
                await asyncio.sleep(self._poll)
        except asyncio.CancelledError:
            await asyncio.shield(client.post(f"{_JOBS}/runs/cancel", json={"run_id": run_id}))
            raise


async def _send(client: httpx.AsyncClient, method: str, path: str, body: Json = None) -> dict[str, Json]:
    response = await client.request(method, _JOBS + path, json=body)
    if response.status_code == 200:
        found: dict[str, Json] = response.json()
        return found
    try:
        message = str(response.json().get("message"))
    except ValueError:
        message = response.text[:500]
    if response.status_code in (401, 403):
        raise ActivityFailed(_DENIED, f"Error {response.status_code}. {message}")
    raise ActivityFailed(_INVALID, message)


def _run_output(result: str) -> Json:
    """What the notebook gave to exit: a JSON object's properties can be named (…/transform-data-databricks-notebook, at the
    end); that arrays are read too is unverified."""
    try:
        found = json.loads(result)
    except ValueError:
        return result
    return found if isinstance(found, dict | list) else result


def _check(run: dict[str, Json], output: Json, error: str | None) -> None:
    """Raises ActivityFailed for a run that did not succeed; the first sentence is the service's, as public threads quote it."""
    state = run["state"]
    if state.get("result_state") == "SUCCESS":
        return
    how = "InternalError" if state["life_cycle_state"] == "INTERNAL_ERROR" else "Terminated"
    why = error or state.get("state_message") or ""
    raise ActivityFailed(
        _FAILED,
        f"Databricks execution failed with error state: {how}. For more details please check the run page url: "
        f"{run['run_page_url']}." + (f" {why}" if why else ""),
        output=output,
    )


def _output(place: Place, run: dict[str, Json]) -> dict[str, Json]:
    """What an activity leaves (the learning lab's page on Databricks notebooks shows the fields)."""
    seconds = (run.get("end_time", run["start_time"]) - run["start_time"]) // 1000
    place_name = str(place.running.factory.get("location", ""))
    return {
        "runPageUrl": run["run_page_url"],
        "effectiveIntegrationRuntime": f"AutoResolveIntegrationRuntime ({place_name})",
        "executionDuration": seconds,
        "durationInQueue": {"integrationRuntimeQueue": 0},
        "billingReference": {
            "activityType": "ExternalActivity",
            "billableDuration": [{"meterType": "AzureIR", "duration": round(seconds / 3600, 4), "unit": "Hours"}],
        },
    }
