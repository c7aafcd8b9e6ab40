"""What a script in a pipeline, and a person after it, may ask Azure DevOps about runs."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
import requests

from rehearsal.azure_devops.runs import RunKeeper
from rehearsal.pipelines.events import ArtifactPublished, RunStarted, TestCase, TestResults, Where
from tests.rehearsal.gateway.local_cloud import OBJECT, LocalCloud

API = "https://dev.azure.com/slipway/Slipway/_apis"
VERSION = {"api-version": "7.1"}
CASES = (
    TestCase(classname="tests.a", name="works", outcome="passed", seconds=0.5),
    TestCase(classname="tests.a", name="breaks", outcome="failed", seconds=0.25, message="1 is not 2"),
    TestCase(classname="", name="left", outcome="skipped", seconds=0),
)


@pytest.fixture
def token(cloud: LocalCloud) -> str:
    return cloud.call(lambda: cloud.devops.open_job("Build.a"))[0]


@pytest.fixture
def run(cloud: LocalCloud, tmp_path: Path) -> int:
    """A run that has ended, with an artifact and tests."""
    number = cloud.call(lambda: cloud.world.store.next_id("test_runs_api"))
    (tmp_path / "drop" / "inner").mkdir(parents=True)
    (tmp_path / "drop" / "inner" / "a.txt").write_text("content")
    keeper = RunKeeper(cloud.devops.runs, number, "azure-pipelines", cloud.call)
    where = Where(stage="build")
    keeper.on_event(RunStarted(where=where, build_number=f"2026.{number}", stages=("build",)))
    keeper.on_event(ArtifactPublished(where=where, name="drop", folder=tmp_path / "drop", files=1, bytes=7))
    keeper.on_event(TestResults(where=where, title="Unit tests", cases=CASES))
    keeper.finish("succeededWithIssues")
    return number


def get(token: str, path: str, **query: str) -> requests.Response:
    return requests.get(
        f"{API}/{path}", params=VERSION | query, headers={"Authorization": f"Bearer {token}"}, timeout=10
    )


def send(method: str, token: str, path: str, body: Any, params: dict[str, str] = VERSION) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.request(method, f"{API}/{path}", params=params, json=body, headers=headers, timeout=10)


def refusal(answer: requests.Response) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"$id", "innerException", "message", "typeName", "typeKey", "errorCode", "eventId"}
    return answer.status_code, body["typeKey"]


def test_a_run_its_artifacts_and_their_files(token: str, run: int) -> None:
    build = get(token, f"build/builds/{run}").json()
    assert (build["buildNumber"], build["status"], build["result"]) == (
        f"2026.{run}",
        "completed",
        "partiallySucceeded",
    )
    assert get(token, "build/builds", **{"$top": "1"}).json()["value"][0]["id"] == run
    listed = get(token, f"build/builds/{run}/artifacts").json()
    assert (listed["count"], listed["value"][0]["name"]) == (1, "drop")
    one = get(token, f"build/builds/{run}/artifacts", artifactName="drop").json()
    assert one["resource"]["properties"] == {"artifactsize": "7"}
    zipped = requests.get(one["resource"]["downloadUrl"], headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert zipfile.ZipFile(io.BytesIO(zipped.content)).read("drop/inner/a.txt") == b"content"


def test_test_runs_of_a_build_and_their_results(token: str, run: int) -> None:
    runs = get(token, "test/runs", buildUri=f"vstfs:///Build/Build/{run}").json()
    assert runs["count"] == 1
    found = runs["value"][0]
    assert (found["name"], found["state"], found["totalTests"], found["passedTests"]) == (
        "Unit tests",
        "Completed",
        3,
        1,
    )
    results = get(token, f"test/Runs/{found['id']}/results").json()["value"]
    assert [(result["testCaseTitle"], result["outcome"]) for result in results] == [
        ("works", "Passed"),
        ("breaks", "Failed"),
        ("left", "NotExecuted"),
    ]
    assert results[1]["errorMessage"] == "1 is not 2"
    assert results[0]["automatedTestName"] == "tests.a.works"
    failed = get(token, f"test/Runs/{found['id']}/results", outcomes="Failed").json()
    assert [result["id"] for result in failed["value"]] == [100001]


def test_a_script_makes_a_test_run_of_its_own(token: str, run: int) -> None:
    made = send("POST", token, "test/runs", {"name": "Smoke", "build": {"id": str(run)}, "automated": True}).json()
    assert (made["state"], made["totalTests"]) == ("InProgress", 0)
    body = [{"testCaseTitle": "t", "outcome": "Passed", "state": "Completed", "durationInMs": 3}]
    assert send("POST", token, f"test/Runs/{made['id']}/results", body).json()["value"][0]["id"] == 100000
    ended = send("PATCH", token, f"test/Runs/{made['id']}", {"state": "Completed"}).json()
    assert (ended["state"], ended["passedTests"]) == ("Completed", 1)
    assert ended["completedDate"]
    assert {one["name"] for one in get(token, "test/runs", buildUri=f"vstfs:///Build/Build/{run}").json()["value"]} == {
        "Unit tests",
        "Smoke",
    }


def test_who_may_ask(cloud: LocalCloud, token: str, run: int) -> None:
    address = f"{API}/build/builds/{run}"
    assert requests.get(address, params=VERSION, auth=("anyone", token), timeout=10).status_code == 200
    led = requests.get(address, params=VERSION, timeout=10, allow_redirects=False)
    assert (led.status_code, led.headers["location"]) == (302, "https://dev.azure.com/_signin")
    told = requests.get(address, headers={"X-TFS-FedAuthRedirect": "Suppress"}, timeout=10)
    assert refusal(told) == (401, "UnauthorizedRequestException")
    assert get("wrong", f"build/builds/{run}").status_code == 203  # the page to sign in at
    assert requests.get(address, headers={"Authorization": "Basic %%%"}, timeout=10).status_code == 203
    cloud.call(lambda: cloud.devops.identities.forget(OBJECT))
    person = cloud.credential().get_token("499b84ac-1321-427f-aa17-267ca6975798/.default").token
    assert get(person, f"build/builds/{run}").status_code == 401
    cloud.call(lambda: cloud.devops.add_member(OBJECT))
    assert get(person, f"build/builds/{run}").status_code == 200
    for_another = cloud.credential().get_token("https://management.azure.com/.default").token
    assert get(for_another, f"build/builds/{run}").status_code == 203
    cloud.call(lambda: cloud.devops.close_job("Build.a"))
    assert get(token, f"build/builds/{run}").status_code == 203


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("build/builds/999999", (404, "BuildNotFoundException")),
        ("build/builds/999999/artifacts", (404, "BuildNotFoundException")),
        ("build/builds/{run}/artifacts?artifactName=nothing", (404, "ArtifactNotFoundException")),
        ("test/runs/999999", (404, "TestObjectNotFoundException")),
        ("test/runs/999999/results", (404, "TestObjectNotFoundException")),
        ("build/builds?$top=many", (400, "InvalidArgumentValueException")),
        ("build/builds?$top=-1", (400, "InvalidArgumentValueException")),
    ],
)
def test_what_is_not_there(token: str, run: int, path: str, expected: tuple[int, str]) -> None:
    assert refusal(get(token, path.format(run=run))) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "InvalidPropertyException")),
        ({"name": "x", "state": "Perfect"}, (400, "InvalidPropertyException")),
        ({"name": "x", "build": {"id": "999999"}}, (404, "BuildNotFoundException")),
        ({"name": "x", "build": {"id": "one"}}, (400, "InvalidArgumentValueException")),
    ],
)
def test_test_runs_that_are_refused(token: str, body: dict[str, Any], expected: tuple[int, str]) -> None:
    assert refusal(send("POST", token, "test/runs", body)) == expected


def test_bodies_versions_and_addresses_that_are_wrong(token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    broken = requests.post(f"{API}/test/runs", params=VERSION, data=b"{", headers=headers, timeout=10)
    assert refusal(broken) == (400, "VssPropertyValidationException")
    assert refusal(send("POST", token, "test/runs", [1])) == (400, "InvalidPropertyException")
    assert refusal(send("POST", token, "test/runs", {"name": "x"}, params={})) == (
        400,
        "VssVersionNotSpecifiedException",
    )
    accepted = headers | {"Accept": "application/json;api-version=7.1"}
    assert requests.post(f"{API}/test/runs", json={"name": "x"}, headers=accepted, timeout=10).status_code == 200
    other = requests.get("https://dev.azure.com/slipway/Other/_apis/build/builds", headers=headers, timeout=10)
    assert refusal(other) == (404, "ProjectDoesNotExistWithNameException")
    unknown = requests.get(f"{API}/wit/workitems/1", headers=headers, timeout=10)
    assert unknown.status_code == 501
    assert "This rehearsal has no GET /slipway/Slipway/_apis/wit/workitems/1" in unknown.json()["message"]


def test_runs_are_there_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalCloud(tmp_path) as cloud:
        cloud.call(lambda: cloud.devops.runs.begin(7, "7.0", "p"))
        cloud.call(lambda: cloud.devops.runs.add_test_run("t", 7, automated=True, state="Completed"))
    with LocalCloud(tmp_path) as again:
        assert again.devops.runs.builds["7"]["buildNumber"] == "7.0"
        assert [run["name"] for run in again.devops.runs.test_runs.values()] == ["t"]
