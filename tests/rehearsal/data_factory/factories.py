"""Data Factory and a workspace behind the gateway; the workspace's notebooks are run by a small stand-in of the runner."""

from __future__ import annotations

import asyncio
import base64
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from azure.mgmt.datafactory import DataFactoryManagementClient
from azure.mgmt.datafactory.models import RunFilterParameters

from rehearsal.data_factory.service import DataFactory
from rehearsal.data_factory.trigger_states import TriggerStates
from rehearsal.databricks.app import create_app as databricks_app
from rehearsal.databricks.members import ADMINS
from rehearsal.databricks.workspaces import Workspaces
from rehearsal.key_vault.app import read_secret
from rehearsal.resource_manager.app import create_app as resource_manager_app
from rehearsal.world import World
from tests.rehearsal.databricks.workbench import RUNNER
from tests.rehearsal.gateway.local_cloud import GROUP, OBJECT, SUBSCRIPTION, LocalCloud

HOST = "adb-7405612345678901.1.azuredatabricks.net"
WORKSPACE = f"{GROUP}/providers/Microsoft.Databricks/workspaces/dbw"
GROUP_NAME = "rg-test"
VERSION = "2018-06-01"


class Factories:
    """Use as a context manager. `sdk`: the vendor's client; `naps`: the seconds that Wait and retries asked for."""

    def __init__(self, folder: Path) -> None:
        self.naps: list[float] = []
        self.factory = ""
        self._session = requests.Session()
        self._token: str | None = None
        self._workspace_token: str | None = None
        self._number = 0
        self._folder = folder
        self.cloud = LocalCloud(folder, more_apps=self._apps)
        self.cloud.world.resources.put_group(SUBSCRIPTION, GROUP_NAME, location="westeurope")
        self.cloud.world.roles.assign(scope=GROUP, principal_id=OBJECT, role_name="Owner", immediately=True)
        self.sdk: DataFactoryManagementClient

    def _apps(self, world: World) -> list[tuple[str, Any]]:
        runner = self._folder / "runner.py"
        runner.write_text(RUNNER)
        (self._folder / "datasets").mkdir(exist_ok=True)
        self.workspaces = Workspaces(world.store, self._folder, world.clock)
        workspace = databricks_app(
            world,
            self.workspaces,
            run_environment=dict,
            datasets=self._folder / "datasets",
            wheelhouse=None,
            python=Path(sys.executable),
            runner=[sys.executable, str(runner)],
        )
        self.workspaces.add(HOST, WORKSPACE)

        async def sleep(seconds: float) -> None:
            self.naps.append(seconds)
            await asyncio.sleep(0)

        self.service = DataFactory(
            world,
            databricks=workspace,
            vault_secret=lambda vault, name: read_secret(world, vault, name),
            sleep=sleep,
            poll_seconds=0.01,
        )
        self._engine = workspace.state.engine
        return [
            ("management.azure.com", resource_manager_app(world, rules=self.service.rules)),
            ("adb-*.azuredatabricks.net", workspace),
        ]

    def __enter__(self) -> Factories:
        self.cloud.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()
        self.cloud.run(self.service.close())
        self.cloud.run(self._engine.close())
        self.cloud.__exit__()

    @property
    def path(self) -> str:
        return f"{GROUP}/providers/Microsoft.DataFactory/factories/{self.factory}"

    def new_factory(self) -> None:
        self._number += 1
        self.factory = f"adf-test-{self._number}"
        self.sdk = DataFactoryManagementClient(self.cloud.credential(), SUBSCRIPTION, retry_total=0)
        self.ok("PUT", "", {"location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": {}})

    # Requests of its own, for what the SDK would not send

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        if self._token is None:
            self._token = self.cloud.credential().get_token("https://management.azure.com/.default").token
        return self._session.request(
            method,
            f"https://management.azure.com{self.path}{path}",
            params={"api-version": VERSION} if "api-version" not in path else None,
            json=body,
            headers={"Authorization": f"Bearer {self._token}", **headers},
            timeout=30,
        )

    def ok(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        response = self.send(method, path, body, **headers)
        assert response.status_code in (200, 201, 204), response.text
        return response.json() if response.content else None

    def refused(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str, str]:
        response = self.send(method, path, body, **headers)
        error = response.json()["error"]
        return response.status_code, error["code"], error["message"]

    def put(self, kind: str, name: str, **properties: Any) -> Any:
        return self.ok("PUT", f"/{kind}/{name}", {"properties": properties})

    def pipeline(self, name: str, *activities: dict[str, Any], **more: Any) -> None:
        self.put("pipelines", name, activities=list(activities), **more)

    def now(self) -> float:
        """Where schedules are: the clock, or where a test has moved it."""
        return max(self.cloud.clock(), self.cloud.call(TriggerStates(self.cloud.world.store).moved_to))

    # Runs

    def run(self, pipeline: str, **parameters: Any) -> Any:
        """Run a pipeline to its end; the run as the SDK gives it."""
        made = self.sdk.pipelines.create_run(GROUP_NAME, self.factory, pipeline, parameters=parameters)
        return self.ended(made.run_id)

    def ended(self, run_id: str) -> Any:
        self.cloud.run(self.service.wait(run_id))
        return self.sdk.pipeline_runs.get(GROUP_NAME, self.factory, run_id)

    def activities(self, run_id: str) -> list[Any]:
        found = self.sdk.activity_runs.query_by_pipeline_run(GROUP_NAME, self.factory, run_id, window())
        return list(found.value)

    def named(self, run_id: str) -> dict[str, Any]:
        """The activity runs by name; of several, the last."""
        return {one.activity_name: one for one in self.activities(run_id)}

    def result(self, expression: Any, **more: Any) -> Any:
        """What an expression gives in a pipeline of its own."""
        self.pipeline(
            "one",
            {
                "name": "f",
                "type": "Filter",
                "typeProperties": {
                    "items": {"value": "@createArray(1)", "type": "Expression"},
                    "condition": {"value": "@equals(1, 1)", "type": "Expression"},
                },
            },
            set_variable("s", "v", expression),
            variables={"v": {"type": "Array" if more.pop("array", False) else "String"}},
            **more,
        )
        run = self.run("one")
        assert run.status == "Succeeded", run.message
        return self.named(run.run_id)["s"].input["value"]

    # The workspace

    def notebook(self, name: str, *lines: str) -> str:
        path = f"/Shared/{name}"
        self.upload(path, "\n".join(["# Databricks notebook source", *lines]), format="SOURCE", language="PYTHON")
        return path

    def upload(self, path: str, text: str, **how: str) -> None:
        """Put a notebook or a file into the workspace, with the folders above it."""
        workspace, principal = self.workspaces.get(HOST), self.cloud.world.directory.by_object_id(OBJECT)
        assert workspace is not None
        assert principal is not None
        self.cloud.call(lambda: workspace.add_member(principal, [ADMINS]))
        if self._workspace_token is None:
            scope = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default"
            self._workspace_token = self.cloud.credential().get_token(scope).token
        content = base64.b64encode(text.encode()).decode()
        for operation, body in (
            ("mkdirs", {"path": path.rpartition("/")[0]}),
            ("import", {"path": path, "overwrite": True, "content": content, **how}),
        ):
            answer = self._session.post(
                f"https://{HOST}/api/2.0/workspace/{operation}",
                headers={"Authorization": f"Bearer {self._workspace_token}"},
                json=body,
                timeout=30,
            )
            assert answer.status_code == 200, answer.text

    def let_in(self) -> None:
        """Put the factory's identity into the workspace."""
        principal = self.ok("GET", "")["identity"]["principalId"]
        self.cloud.call(
            lambda: self.workspaces.add_principal(
                HOST,
                self.cloud.world.directory.by_object_id(principal),  # type: ignore[arg-type]
                [ADMINS],
            )
        )

    def databricks_service(self, name: str = "ls_adb", **more: Any) -> None:
        self.put(
            "linkedservices",
            name,
            type="AzureDatabricks",
            typeProperties={
                "domain": f"https://{HOST}",
                "authentication": "MSI",
                "workspaceResourceId": WORKSPACE,
                "newClusterVersion": "16.4.x-scala2.12",
                "newClusterNodeType": "Standard_D4ds_v5",
                "newClusterNumOfWorker": "1",
                **more,
            },
        )


def window() -> RunFilterParameters:
    now = datetime.now(UTC)
    return RunFilterParameters(
        last_updated_after=now - timedelta(days=800), last_updated_before=now + timedelta(days=800)
    )


def after(name: str, *conditions: str) -> dict[str, Any]:
    return {"activity": name, "dependencyConditions": list(conditions or ("Succeeded",))}


def set_variable(name: str, variable: str, value: Any, *depends: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "type": "SetVariable",
        "dependsOn": list(depends),
        "typeProperties": {"variableName": variable, "value": value},
    }


def wait(name: str, seconds: Any = 1, *depends: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "Wait",
        "dependsOn": list(depends),
        "typeProperties": {"waitTimeInSeconds": seconds},
        **more,
    }


def fail(name: str, *depends: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "type": "Fail",
        "dependsOn": list(depends),
        "typeProperties": {"message": f"{name} was asked to", "errorCode": "42"},
    }


def notebook(name: str, path: Any, *depends: dict[str, Any], **more: Any) -> dict[str, Any]:
    parameters = more.pop("parameters", {})
    return {
        "name": name,
        "type": "DatabricksNotebook",
        "dependsOn": list(depends),
        "linkedServiceName": {"referenceName": "ls_adb", "type": "LinkedServiceReference"},
        "typeProperties": {"notebookPath": path, "baseParameters": parameters},
        **more,
    }


def reference(kind: str, name: str) -> dict[str, str]:
    return {"referenceName": name, "type": f"{kind}Reference"}
