"""dev.azure.com: builds with their artifacts, and test runs.

Sources: learn.microsoft.com/rest/api/azure/devops, build/builds, build/artifacts, test/runs, test/results (7.1). What an error says
is unverified; its shape is the service's.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.azure_devops_runs import Json, Runs
from rehearsal.entra.directory import Directory, InvalidToken

# The application Azure DevOps in Entra ID: learn.microsoft.com/azure/devops/integrate/get-started/authentication/entra
AUDIENCES = frozenset(
    {
        "499b84ac-1321-427f-aa17-267ca6975798",
        "https://app.vssps.visualstudio.com",
        "https://app.vssps.visualstudio.com/",
    }
)
_HOST = "https://dev.azure.com"
_STATES = ("NotStarted", "InProgress", "Completed", "Aborted", "Waiting", "NeedsInvestigation", "Unspecified")


class DevOpsError(Exception):
    """An answer that is an error, in the service's shape."""

    def __init__(self, status: int, key: str, message: str) -> None:
        super().__init__(message)
        self.status, self.key = status, key

    def answer(self) -> Response:
        body = {
            "$id": "1",
            "innerException": None,
            "message": str(self),
            "typeName": f"Microsoft.TeamFoundation.{self.key}, Microsoft.TeamFoundation",
            "typeKey": self.key,
            "errorCode": 0,
            "eventId": 3000,
        }
        return JSONResponse(body, self.status)


class RunsApi:
    """is_job_token: whether a token is that of a job that runs now. members: object ids of people of the organisation."""

    def __init__(
        self,
        runs: Runs,
        directory: Directory,
        is_job_token: Callable[[str], bool],
        members: set[str],
        names: tuple[str, str],
    ) -> None:
        self._runs = runs
        self._directory = directory
        self._is_job_token = is_job_token
        self._members = members
        self._organisation, self._project = names

    def routes(self) -> list[Route]:
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
        found = [Route(base + path, self._checked(method, call), methods=[method]) for method, path, call in table]
        # The service's own clients write `Runs`.
        found += [
            Route((base + path).replace("/test/runs", "/test/Runs"), self._checked(method, call), methods=[method])
            for method, path, call in table
            if path.startswith("/test")
        ]
        return found

    def _checked(self, method: str, call: Callable[[Request, Any], Response]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            try:
                self._admit(request)
                version = request.query_params.get("api-version") or request.headers.get("accept", "")
                if method != "GET" and "api-version" not in str(request.query_params) and "api-version=" not in version:
                    text = f'No api-version was supplied for the "{method}" request.'
                    raise DevOpsError(400, "VssVersionNotSpecifiedException", text)
                return call(request, await _body(request) if method != "GET" else {})
            except DevOpsError as error:
                return error.answer()

        return endpoint

    # Who asks, and for what.

    def _admit(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            token = _password(token)
        if not (token and self._is_job_token(token)) and not self._is_member(request.headers.get("authorization")):
            text = "TF400813: The user is not authorized to access this resource."
            raise DevOpsError(401, "UnauthorizedRequestException", text)
        organisation, project = request.path_params["organisation"], request.path_params["project"]
        if organisation.lower() != self._organisation.lower():
            raise DevOpsError(404, "OrganizationNotFoundException", f"There is no organisation {organisation}.")
        if project.lower() != self._project.lower():
            text = f"TF200016: The following project does not exist: {project}."
            raise DevOpsError(404, "ProjectDoesNotExistWithNameException", text)

    def _is_member(self, header: str | None) -> bool:
        try:
            return self._directory.verify(header, AUDIENCES).object_id in self._members
        except InvalidToken:
            return False

    # Builds and artifacts.

    def _build(self, request: Request) -> Json:
        number = request.path_params["build"]
        build: Json | None = self._runs.builds.get(str(number))
        if build is None:
            raise DevOpsError(404, "BuildNotFoundException", f"The requested build {number} could not be found.")
        return build

    def _builds(self, request: Request, _: Json) -> Response:
        top = _number(request.query_params.get("$top"), "$top") or 1000
        newest = sorted(self._runs.builds.values(), key=lambda build: -int(build["id"]))
        return _listed([self._shown_build(build) for build in newest[:top]])

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
            return _listed([self._shown_artifact(number, artifact) for artifact in found])
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
        return _listed(runs)

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
        body = _object(body)
        name, build = body.get("name"), body.get("build")
        if not isinstance(name, str) or not name:
            raise DevOpsError(400, "InvalidPropertyException", "The name of the test run can't be empty.")
        number = _number(build.get("id"), "build.id") if isinstance(build, dict) else None
        if number is not None and str(number) not in self._runs.builds:
            raise DevOpsError(404, "BuildNotFoundException", f"The requested build {number} could not be found.")
        automated = bool(body.get("automated", body.get("isAutomated", False)))
        run = self._runs.add_test_run(name, number, automated=automated, state=_state(body, "InProgress"))
        return JSONResponse(self._shown_run(run))

    def _change_test_run(self, request: Request, body: Any) -> Response:
        run, body = self._test_run(request), _object(body)
        changes = {"state": _state(body, run["state"])}
        if isinstance(body.get("name"), str):
            changes["name"] = body["name"]
        return JSONResponse(self._shown_run(self._runs.change_test_run(run["id"], **changes)))

    def _results(self, request: Request, _: Json) -> Response:
        run = self._test_run(request)
        wanted = {each.lower() for each in request.query_params.get("outcomes", "").split(",") if each}
        skip = _number(request.query_params.get("$skip"), "$skip") or 0
        top = _number(request.query_params.get("$top"), "$top") or 1000
        found = [
            self._shown_result(run, result)
            for result in run["results"]
            if not wanted or str(result.get("outcome", "")).lower() in wanted
        ]
        return _listed(found[skip : skip + top])

    def _add_results(self, request: Request, body: Any) -> Response:
        run = self._test_run(request)
        if not isinstance(body, list) or not all(isinstance(each, dict) for each in body):
            raise DevOpsError(400, "InvalidPropertyException", "Results are a list of objects.")
        added = self._runs.add_results(
            run["id"], [{**each, "outcome": each.get("outcome", "Unspecified")} for each in body]
        )
        return _listed([self._shown_result(run, result) for result in added])

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


def _listed(values: Sequence[Mapping[str, Any]]) -> Response:
    return JSONResponse({"count": len(values), "value": list(values)})


async def _body(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except ValueError as error:
        raise DevOpsError(400, "VssPropertyValidationException", "The body of the request is no JSON.") from error


def _object(body: Any) -> Json:
    if not isinstance(body, dict):
        raise DevOpsError(400, "InvalidPropertyException", "A test run is an object.")
    return body


def _password(text: str) -> str:
    """Of Basic authentication: a token stands in the place of the password."""
    try:
        return base64.b64decode(text, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _number(text: object, name: str) -> int | None:
    if text is None:
        return None
    try:
        number = int(str(text))
    except ValueError as error:
        raise DevOpsError(400, "InvalidArgumentValueException", f"{name} is a number, not '{text}'") from error
    if number < 0:
        raise DevOpsError(400, "InvalidArgumentValueException", f"{name} can't be negative")
    return number


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
