"""The hardened client against a server that throttles, drops and mumbles."""

from __future__ import annotations

import json
from http.client import RemoteDisconnected
from pathlib import Path

import pytest
import requests
from databricks_cli.sdk.service import JobsService, WorkspaceService  # type: ignore[import-untyped]
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ProtocolError, ProxyError

from slipway.errors import ServiceError
from slipway.services.databricks import DatabricksError, Throttled, Workspace
from slipway.services.databricks.client import _never_sent
from tests.unit.services.conftest import Answer, Moment, Server

BUSY = Answer(429, {"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "slow down"})


@pytest.fixture
def workspace(server: Server, moment: Moment) -> Workspace:
    tokens = iter(f"t{number}" for number in range(100))
    return Workspace(server.url, token=lambda: next(tokens), clock=moment.clock, sleep=moment.sleep)


def test_port_token_and_content_type(server: Server, workspace: Workspace) -> None:
    server.script = [Answer(body={"object_id": 1}), Answer()]
    workspace.mkdirs("/a")
    workspace.mkdirs("/b")
    assert [one.headers["Authorization"] for one in server.seen] == ["Bearer t0", "Bearer t1"]
    assert server.seen[0].headers["Content-Type"] == "application/json"
    assert server.seen[0].headers["Host"] == f"127.0.0.1:{server.port}"


def test_azure_headers(server: Server) -> None:
    server.script = [Answer()]
    Workspace(
        server.url, token=lambda: "t", management_token=lambda: "m", workspace_resource_id="/subscriptions/x"
    ).mkdirs("/a")
    assert server.seen[0].headers["X-Databricks-Azure-SP-Management-Token"] == "m"
    assert server.seen[0].headers["X-Databricks-Azure-Workspace-Resource-Id"] == "/subscriptions/x"


def test_netrc_is_not_read(
    server: Server, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.script = [Answer()]
    workspace.mkdirs("/a")
    assert server.seen[0].headers["Authorization"] == "Bearer t0"


def test_throttling_with_retry_after(server: Server, workspace: Workspace, moment: Moment) -> None:
    server.script = [Answer(429, {}, {"Retry-After": "7"}), Answer(body={"run_id": 5})]
    assert workspace.submit_run({"tasks": []}) == 5
    assert 7 <= sum(moment.slept) < 8
    assert server.seen[0].body == server.seen[1].body  # the same idempotency token
    assert json.loads(server.seen[0].body)["idempotency_token"]


def test_throttling_without_retry_after_backs_off(server: Server, workspace: Workspace, moment: Moment) -> None:
    server.script = [Answer(429, b""), BUSY, BUSY, Answer(body={"job_id": 9})]
    assert workspace.create_job({"name": "x"}) == 9  # refused is not carried out: even this may be sent again
    assert moment.slept == sorted(moment.slept)
    assert workspace.client.budget.allowed < 16


def test_throttling_for_ever_ends(server: Server, workspace: Workspace, moment: Moment) -> None:
    server.script = [BUSY] * 100
    with pytest.raises(Throttled, match="slow down"):
        workspace.mkdirs("/a")
    assert sum(moment.slept) <= 300


@pytest.mark.parametrize("trouble", [Answer(503, b"<html><title>Unavailable</title></html>"), "drop", "half"])
def test_what_may_be_repeated_is(server: Server, workspace: Workspace, trouble: Answer | str) -> None:
    server.script = [trouble, Answer()]
    workspace.import_notebook("/n", "PYTHON", b"print(1)")
    assert len(server.seen) == 2


@pytest.mark.parametrize("trouble", ["drop", "half"])
def test_creating_is_not_repeated(server: Server, workspace: Workspace, trouble: str) -> None:
    server.script = [trouble, Answer(body={"job_id": 1})]
    with pytest.raises(ServiceError, match="no answer") as caught:
        workspace.create_job({"name": "x"})
    assert "may or may not" in caught.value.changed
    assert len(server.seen) == 1


def test_unavailable_while_creating_is_not_repeated(server: Server, workspace: Workspace) -> None:
    server.script = [Answer(503, {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "later"}), Answer()]
    with pytest.raises(DatabricksError, match="later"):
        workspace.create_job({"name": "x"})
    assert len(server.seen) == 1


def test_nobody_listens(moment: Moment, server: Server) -> None:
    port = server.port
    server.close()
    workspace = Workspace(f"http://127.0.0.1:{port}", token=lambda: "t", clock=moment.clock, sleep=moment.sleep)
    with pytest.raises(ServiceError, match="no answer") as caught:
        workspace.create_job({"name": "x"})
    assert caught.value.changed == ""  # never sent
    assert len(moment.slept) == 3


def test_dropped_for_ever_ends_soon(server: Server, workspace: Workspace, moment: Moment) -> None:
    server.script = ["drop"] * 10
    with pytest.raises(ServiceError, match="no answer"):
        workspace.mkdirs("/a")
    assert len(server.seen) == 4
    assert sum(moment.slept) < 10


def test_redirects_are_not_followed(server: Server, workspace: Workspace) -> None:
    server.script = [Answer(302, b"", {"Location": "/login.html?error=private-link-validation-error"})]
    with pytest.raises(DatabricksError, match="private-link"):
        workspace.mkdirs("/a")
    assert len(server.seen) == 1


def test_a_page_where_json_should_be(server: Server, workspace: Workspace) -> None:
    server.script = [Answer(200, b"<html><title>Sign in</title></html>")]
    with pytest.raises(DatabricksError, match="not JSON: Sign in"):
        workspace.mkdirs("/a")


def test_large_files_stream_and_are_sent_again_whole(server: Server, workspace: Workspace, tmp_path: Path) -> None:
    wheel = tmp_path / "x.whl"
    wheel.write_bytes(bytes(range(256)) * 20_000)
    server.script = [Answer(503, b""), Answer()]
    workspace.import_file("/lib/x.whl", wheel)
    first, second = server.seen
    for sent in (first, second):
        assert int(sent.headers["Content-Length"]) == len(sent.body)
        assert wheel.read_bytes() in sent.body
        assert b'name="path"\r\n\r\n/lib/x.whl' in sent.body
        assert b'name="format"\r\n\r\nRAW' in sent.body


def test_the_services_of_databricks_cli_run_over_it(server: Server, workspace: Workspace) -> None:
    server.script = [Answer(body={"objects": []}), Answer(body={"jobs": []})]
    WorkspaceService(workspace.client).list("/x")
    JobsService(workspace.client).list_jobs(expand_tasks=True, version="2.2")
    assert server.seen[0].url == "/api/2.0/workspace/list?path=%2Fx"
    assert server.seen[1].url == "/api/2.2/jobs/list?expand_tasks=true"


def test_imports_survive_a_race(server: Server, workspace: Workspace) -> None:
    race = Answer(400, {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "Node named 'n' already exists"})
    server.script = [race, Answer()]
    workspace.import_file("/n", b"x")
    assert len(server.seen) == 2


def test_the_error_names_workspace_and_object(server: Server, moment: Moment) -> None:
    server.script = [Answer(403, {"error_code": "PERMISSION_DENIED", "message": "no"})]
    workspace = Workspace(server.url, token=lambda: "t0ken", label="environment dev", sleep=moment.sleep)
    with pytest.raises(Exception, match=r"environment dev.*path /secret/place") as caught:
        workspace.mkdirs("/secret/place")
    assert "t0ken" not in str(caught.value)


@pytest.mark.parametrize(
    ("cause", "never"),
    [
        (
            ProxyError("Unable to connect to proxy", RemoteDisconnected("closed")),
            False,
        ),  # as urllib3 tells a lost answer
        (ProxyError("Unable to connect to proxy", NewConnectionError(None, "refused")), True),  # type: ignore[arg-type]
        (ProxyError("Unable to connect to proxy", OSError("Tunnel connection failed: 403 Forbidden")), True),
        (ConnectTimeoutError(None, "slow"), True),
        (ProtocolError("Connection aborted.", ConnectionResetError(104, "reset")), False),
    ],
)
def test_a_lost_answer_is_not_taken_for_a_request_never_sent(cause: Exception, never: bool) -> None:
    wrapped = requests.exceptions.ProxyError(MaxRetryError(None, "/x", cause))  # type: ignore[arg-type]
    assert _never_sent(wrapped) is never
