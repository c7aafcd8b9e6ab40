"""dev.azure.com: builds with their artifacts, and test runs.

Sources: learn.microsoft.com/rest/api/azure/devops, build/builds, build/artifacts, test/runs, test/results (7.1). What an error says
is unverified; its shape is the service's.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from rehearsal.azure_devops.call import Call, Operation
from rehearsal.azure_devops.errors import DevOpsError, as_number, as_object, listed
from rehearsal.azure_devops.runs import Json, Runs

_HOST = "https://dev.azure.com"
_STATES = ("NotStarted", "InProgress", "Completed", "Aborted", "Waiting", "NeedsInvestigation", "Unspecified")


class RunsApi:
    """`names`: of organisation and project."""

    def __init__(self, runs: Runs, names: tuple[str, str]) -> None:
        self._runs = runs
        self._organisation, self._project = names

    def operations(self) -> list[Operation]:
        base = "/{organisation}/{project}/_apis"
        table: tuple[tuple[str, str, Callable[[Request, Json], Response]], ...] = (
            ("GET", "/build/builds", self._builds),
            (
                "GET",
                "/build/builds/{build:int}",
                lambda request, _: JSONResponse(self._shown_build(self._build(request))),
            ),
            ("GET", "/build/builds/{build:int}/artifacts", self._artifacts),
            ("GET", "/test/runs", self._test_runs),
            ("POST", "/test/runs", self._create_test_run),
            ("GET", "/test/runs/{run:int}", lambda request, _: JSONResponse(self._shown_run(self._test_run(request)))),
            ("PATCH", "/test/runs/{run:int}", self._change_test_run),
            ("GET", "/test/runs/{run:int}/results", self._results),
            ("POST", "/test/runs/{run:int}/results", self._add_results),
        )
        found = [Operation(method, base + path, _with(answer)) for method, path, answer in table]
        # The service's own clients write `Runs`.
        return found + [
            replace(one, path=one.path.replace("/test/runs", "/test/Runs")) for one in found if "/test/" in one.path
        ]

    # Builds and artifacts.

    def _build(self, request: Request) -> Json:
        number = request.path_params["build"]
        build: Json | None = self._runs.builds.get(str(number))
        if build is None:
            raise DevOpsError(404, "BuildNotFoundException", f"The requested build {number} could not be found.")
        return build

    def _builds(self, request: Request, _: Json) -> Response:
        top = as_number(request.query_params.get("$top"), "$top") or 1000
        newest = sorted(self._runs.builds.values(), key=lambda build: -int(build["id"]))
        return listed([self._shown_build(build) for build in newest[:top]])

    def _address(self, path: str) -> str:
        return f"{_HOST}/{self._organisation}/{self._project}/_apis/{path}"

    def _shown_build(self, build: Json) -> Json:
        number = build["id"]
        shown = {
            "id": number,
            "buildNumber": build["buildNumber"],
            "status": build["status"],
            "queueTime": build["startTime"],
            "startTime": build["startTime"],
            "url": self._address(f"build/Builds/{number}"),
            "uri": f"vstfs:///Build/Build/{number}",
            "definition": {"id": 1, "name": build["definition"], "type": "build"},
            "project": {"name": self._project},
        }
        return shown | {key: build[key] for key in ("result", "finishTime") if key in build}

    def _artifacts(self, request: Request, _: Json) -> Response:
        number = int(self._build(request)["id"])
        wanted = request.query_params.get("artifactName")
        found = self._runs.artifacts_of(number)
        if wanted is None:
            return listed([self._shown_artifact(number, artifact) for artifact in found])
        artifact = next((one for one in found if one["name"] == wanted), None)
        if artifact is None:
            text = f"Artifact {wanted} was not found for build {number}."
            raise DevOpsError(404, "ArtifactNotFoundException", text)
        if request.query_params.get("$format") == "zip" or "application/zip" in request.headers.get("accept", ""):
            return Response(_zipped(Path(artifact["folder"]), wanted), media_type="application/zip")
        return JSONResponse(self._shown_artifact(number, artifact))

    def _shown_artifact(self, number: int, artifact: Json) -> Json:
        address = self._address(f"build/builds/{number}/artifacts?artifactName={artifact['name']}&api-version=7.1")
        return {
            "id": artifact["id"],
            "name": artifact["name"],
            "source": None,
            "resource": {
                "type": "PipelineArtifact",
                "data": str(artifact["id"]),
                "properties": {"artifactsize": str(artifact["size"])},
                "url": address,
                "downloadUrl": f"{address}&%24format=zip",
            },
        }

    # Test runs.

    def _test_run(self, request: Request) -> Json:
        number = request.path_params["run"]
        run: Json | None = self._runs.test_runs.get(str(number))
        if run is None:
            raise DevOpsError(404, "TestObjectNotFoundException", f"Test run {number} cannot be found.")
        return run

    def _test_runs(self, request: Request, _: Json) -> Response:
        build = request.query_params.get("buildUri")
        runs = [
            self._shown_run(run)
            for run in self._runs.test_runs.values()
            if build is None or build == f"vstfs:///Build/Build/{run['build']}"
        ]
        return listed(runs)

    def _shown_run(self, run: Json) -> Json:
        outcomes = [result.get("outcome") for result in run["results"]]
        shown = {
            "id": run["id"],
            "name": run["name"],
            "url": self._address(f"test/Runs/{run['id']}"),
            "isAutomated": run["automated"],
            "state": run["state"],
            "startedDate": run["started"],
            "totalTests": len(outcomes),
            "passedTests": outcomes.count("Passed"),
            "incompleteTests": sum(outcome in (None, "None", "Unspecified") for outcome in outcomes),
            "notApplicableTests": outcomes.count("NotApplicable"),
            "unanalyzedTests": outcomes.count("Failed"),
            "project": {"name": self._project},
        }
        if run["completed"]:
            shown["completedDate"] = run["completed"]
        if run["build"] is not None:
            shown["build"] = {"id": str(run["build"]), "url": self._address(f"build/Builds/{run['build']}")}
        return shown

    def _create_test_run(self, _: Request, body: Any) -> Response:
        body = as_object(body, "A test run")
        name, build = body.get("name"), body.get("build")
        if not isinstance(name, str) or not name:
            raise DevOpsError(400, "InvalidPropertyException", "The name of the test run can't be empty.")
        number = as_number(build.get("id"), "build.id") if isinstance(build, dict) else None
        if number is not None and str(number) not in self._runs.builds:
            raise DevOpsError(404, "BuildNotFoundException", f"The requested build {number} could not be found.")
        automated = bool(body.get("automated", body.get("isAutomated", False)))
        run = self._runs.add_test_run(name, number, automated=automated, state=_state(body, "InProgress"))
        return JSONResponse(self._shown_run(run))

    def _change_test_run(self, request: Request, body: Any) -> Response:
        run, body = self._test_run(request), as_object(body, "A test run")
        changes = {"state": _state(body, run["state"])}
        if isinstance(body.get("name"), str):
            changes["name"] = body["name"]
        return JSONResponse(self._shown_run(self._runs.change_test_run(run["id"], **changes)))

    def _results(self, request: Request, _: Json) -> Response:
        run = self._test_run(request)
        wanted = {each.lower() for each in request.query_params.get("outcomes", "").split(",") if each}
        skip = as_number(request.query_params.get("$skip"), "$skip") or 0
        top = as_number(request.query_params.get("$top"), "$top") or 1000
        found = [
            self._shown_result(run, result)
            for result in run["results"]
            if not wanted or str(result.get("outcome", "")).lower() in wanted
        ]
        return listed(found[skip : skip + top])

    def _add_results(self, request: Request, body: Any) -> Response:
        run = self._test_run(request)
        if not isinstance(body, list) or not all(isinstance(each, dict) for each in body):
            raise DevOpsError(400, "InvalidPropertyException", "Results are a list of objects.")
        added = self._runs.add_results(
            run["id"], [{**each, "outcome": each.get("outcome", "Unspecified")} for each in body]
        )
        return listed([self._shown_result(run, result) for result in added])

    def _shown_result(self, run: Json, result: Json) -> Json:
        title = result.get("testCaseTitle") or result.get("automatedTestName") or ""
        return {
            **result,
            "testCaseTitle": title,
            "testCase": {"name": title},
            "testRun": {"id": str(run["id"]), "name": run["name"], "url": self._address(f"test/Runs/{run['id']}")},
            "url": self._address(f"test/Runs/{run['id']}/Results/{result['id']}"),
            "project": {"name": self._project},
        }


def _state(body: Json, default: str) -> str:
    state = str(body.get("state") or default)
    found = next((known for known in _STATES if known.lower() == state.lower()), None)
    if found is None:
        raise DevOpsError(400, "InvalidPropertyException", f"The state of a test run is one of {', '.join(_STATES)}")
    return found


def _zipped(folder: Path, name: str) -> bytes:
    if not folder.is_dir():
        raise DevOpsError(
            410, "ArtifactNotFoundException", f"The files of the artifact {name} are gone: the run is too old."
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, f"{name}/{path.relative_to(folder).as_posix()}")
    return buffer.getvalue()


def _with(answer: Callable[[Request, Any], Response]) -> Callable[[Call], Response]:
    return lambda call: answer(call.request, call.body)
