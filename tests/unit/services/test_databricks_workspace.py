"""The verbs of a workspace: pages, ids that are not there, secrets that can't be read."""

from __future__ import annotations

import base64
import re

import pytest

from slipway.domain.environment import load_environment
from slipway.services.credentials import Credential
from slipway.services.databricks import Workspace, connect
from tests.unit.services.conftest import ROOT, Answer, Sent, Wire


@pytest.fixture
def workspace(wire: Wire) -> Workspace:
    return Workspace("https://adb-1.1.azuredatabricks.net", token=lambda: "t", sleep=lambda _: None)


def test_jobs_are_listed_to_the_last_page(wire: Wire, workspace: Workspace) -> None:
    def page(sent: Sent) -> Answer:
        number = int((re.search(r"page_token=(\d+)", sent.url) or ["", "0"])[1])
        more = {"next_page_token": str(number + 1)} if number < 2 else {}
        return Answer(body={"jobs": [{"job_id": number * 10 + one} for one in range(3)], **more})

    wire.on("GET", r"/api/2\.2/jobs/list", page)
    assert [job["job_id"] for job in workspace.list_jobs()] == [0, 1, 2, 10, 11, 12, 20, 21, 22]
    assert "limit=100" in wire.sent[0].url
    assert "expand_tasks=false" in wire.sent[0].url


def test_no_jobs(wire: Wire, workspace: Workspace) -> None:
    wire.on("GET", "/jobs/list", Answer(body={"has_more": False}))
    assert list(workspace.list_jobs()) == []


def test_a_job_of_many_tasks_is_whole(wire: Wire, workspace: Workspace) -> None:
    def tasks(first: int, last: int) -> list[dict[str, str]]:
        return [{"task_key": f"t{one}"} for one in range(first, last)]

    wire.on(
        "GET",
        "/jobs/get",
        Answer(body={"job_id": 1, "settings": {"name": "n", "tasks": tasks(0, 100)}, "next_page_token": "p"}),
        Answer(body={"job_id": 1, "settings": {"tasks": tasks(100, 130), "job_clusters": [{"job_cluster_key": "c"}]}}),
    )
    job = workspace.get_job(1)
    assert job is not None
    assert [task["task_key"] for task in job["settings"]["tasks"]] == [f"t{one}" for one in range(130)]
    assert job["settings"]["job_clusters"] == [{"job_cluster_key": "c"}]
    assert "next_page_token" not in job


@pytest.mark.parametrize(
    "answer",
    [
        Answer(400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "Job 7 does not exist."}),
        Answer(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Job 7 does not exist."}),
    ],
)
def test_a_job_that_is_not_there(wire: Wire, workspace: Workspace, answer: Answer) -> None:
    wire.on("GET", "/jobs/get", answer)
    wire.on("POST", "/jobs/delete", answer)
    assert workspace.get_job(7) is None
    workspace.delete_job(7)


def test_paths_that_are_not_there(wire: Wire, workspace: Workspace) -> None:
    gone = Answer(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Path (/x) doesn't exist."})
    wire.on("GET", "/workspace/", gone)
    wire.on("POST", "/workspace/delete", gone)
    assert workspace.get_status("/x") is None
    assert list(workspace.list("/x")) == []
    assert workspace.export_file("/x") is None
    workspace.delete("/x", recursive=True)


def test_an_empty_folder(wire: Wire, workspace: Workspace) -> None:
    wire.on("GET", "/workspace/list", Answer())
    assert list(workspace.list("/x")) == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(body={"key": "k", "value": base64.b64encode("ü".encode()).decode()}), "ü"),
        (Answer(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"}), None),
        (Answer(400, {"error_code": "BAD_REQUEST", "message": "dbconnect is not enabled"}), None),
        (Answer(403, {"error_code": "PERMISSION_DENIED", "message": "no"}), None),
        (Answer(body={"key": "k", "value": "not base64!"}), None),
    ],
)
def test_reading_a_secret_back(wire: Wire, workspace: Workspace, answer: Answer, expected: str | None) -> None:
    wire.on("GET", "/secrets/get", answer)
    assert workspace.get_secret("s", "k") == expected


def test_scopes_and_access_lists(wire: Wire, workspace: Workspace) -> None:
    wire.on(
        "GET",
        "/secrets/scopes/list",
        Answer(
            body={
                "scopes": [
                    {"name": "a"},
                    {"name": "b", "backend_type": "AZURE_KEYVAULT", "keyvault_metadata": {"resource_id": "/id"}},
                ]
            }
        ),
    )
    wire.on("GET", "/secrets/acls/list", Answer(body={"items": [{"principal": "users", "permission": "READ"}]}))
    assert [(scope.name, scope.backend_type, scope.vault_resource_id) for scope in workspace.list_scopes()] == [
        ("a", "DATABRICKS", None),
        ("b", "AZURE_KEYVAULT", "/id"),
    ]
    assert workspace.get_acls("a") == {"users": "READ"}


def test_a_given_idempotency_token_is_kept(wire: Wire, workspace: Workspace) -> None:
    wire.on("POST", "/jobs/run-now", Answer(body={"run_id": 3}))
    workspace.run_now(1, idempotency_token="mine")
    assert wire.sent[0].json == {"job_id": 1, "idempotency_token": "mine"}


@pytest.mark.parametrize(
    ("variables", "host", "authorization", "headers"),
    [
        ({}, "adb-7405612345678901.1.azuredatabricks.net", "Bearer token-1", True),
        ({"DATABRICKS_TOKEN": "dapi1"}, "adb-7405612345678901.1.azuredatabricks.net", "Bearer dapi1", False),
        (
            {"DATABRICKS_HOST": "https://adb-2.2.azuredatabricks.net/"},
            "adb-2.2.azuredatabricks.net",
            "Bearer token-1",
            False,
        ),
        (
            {"DATABRICKS_HOST": "ADB-7405612345678901.1.azuredatabricks.net"},
            "ADB-7405612345678901.1.azuredatabricks.net",
            "Bearer token-1",
            True,
        ),
    ],
)
def test_who_calls_which_workspace(
    wire: Wire, identity: Credential, variables: dict[str, str], host: str, authorization: str, headers: bool
) -> None:
    wire.on("GET", "/scim/v2/Me", Answer())
    connect(load_environment(ROOT, "dev"), identity, variables).me()
    assert wire.sent[0].url.startswith(f"https://{host}/api/2.0/".lower())
    assert wire.sent[0].headers["Authorization"] == authorization
    assert ("X-Databricks-Azure-Workspace-Resource-Id" in wire.sent[0].headers) is headers
