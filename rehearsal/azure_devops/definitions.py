"""Pipelines as the project keeps them: a YAML file of a repository, with variables and triggers.

API: learn.microsoft.com/rest/api/azure/devops/build/definitions and .../pipelines/pipelines (7.1). The API of pipelines makes the
same definitions, with the triggers that the YAML says.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from rehearsal.azure_devops.call import Call, Operation
from rehearsal.azure_devops.errors import DevOpsError, Json, as_object, listed, missing_property
from rehearsal.azure_devops.identities import EDIT_PIPELINES
from rehearsal.azure_devops.repositories import Repositories
from rehearsal.store import Store

YAML = 2
# What a definition says so that the YAML's own triggers count (settingsSourceType 2), as azure-devops-cli-extension writes it.
TRIGGERS = [{"triggerType": "continuousIntegration", "settingsSourceType": 2, "branchFilters": [], "pathFilters": []}]


class Definitions:
    def __init__(self, store: Store, repositories: Repositories, *, address: str, project: Json) -> None:
        self._store = store
        self._kept = store.collection("azure_devops/definitions")
        self._repositories, self._address, self._project = repositories, address, project

    def add(self, name: str, file: str, repository: str, **more: Any) -> Json:
        number = self._store.next_id("azure_devops/definition")
        record = {
            "id": number,
            "name": name,
            "path": "\\",
            "process": {"type": YAML, "yamlFilename": file},
            "repository": repository,
            "variables": {},
            "triggers": TRIGGERS,
            "queueStatus": "enabled",
            "revision": 1,
        }
        self._kept[str(number)] = record | more
        return record | more

    def of_file(self, file: str) -> Json | None:
        """The first definition of a YAML file."""
        wanted = _plain(file)
        return next((one for one in self._kept.values() if _plain(one["process"]["yamlFilename"]) == wanted), None)

    def all(self) -> list[Json]:
        return list(self._kept.values())

    def change(self, number: int, **changes: Any) -> None:
        self._kept[str(number)] = {**self._kept[str(number)], **changes}

    def remove(self, number: int) -> None:
        self._kept.pop(str(number), None)

    def operations(self) -> list[Operation]:
        build = "/{organisation}/{project}/_apis/build/definitions"
        pipelines = "/{organisation}/{project}/_apis/pipelines"
        return [
            Operation("GET", build, self._list),
            Operation("POST", build, self._create),
            Operation("GET", build + "/{id:int}", lambda call: JSONResponse(self._shown(self._known(call)))),
            Operation("PUT", build + "/{id:int}", self._update),
            Operation("DELETE", build + "/{id:int}", self._delete),
            Operation("GET", pipelines, self._list_pipelines),
            Operation("POST", pipelines, self._create_pipeline),
        ]

    def _list(self, call: Call) -> Response:
        name, file = (call.query("name") or "").lower(), call.query("yamlFilename")
        whole = (call.query("includeAllProperties") or "").lower() == "true"
        found = [
            one
            for one in self._kept.values()
            if name in ("", one["name"].lower())
            and (file is None or _plain(file) == _plain(one["process"]["yamlFilename"]))
        ]
        return listed([self._shown(one) if whole else self._short(one) for one in found[: call.top(10_000)]])

    def _create(self, call: Call) -> Response:
        body = as_object(call.body, "A definition")
        process = body.get("process") or {}
        if not process.get("yamlFilename"):
            if process.get("type", YAML) != YAML:
                raise DevOpsError(501, "NotImplemented", "This rehearsal has no pipelines without YAML.")
            raise missing_property("definition.process.yamlFilename")
        repository = str((body.get("repository") or {}).get("id") or "")
        self._check(call, body.get("name"), repository)
        more = {key: body[key] for key in ("variables", "triggers", "path") if key in body}
        more.setdefault("triggers", [])  # none of the YAML's own, unless the definition says so
        return JSONResponse(self._shown(self.add(body["name"], process["yamlFilename"], repository, **more)))

    def _update(self, call: Call) -> Response:
        record = self._known(call)
        body = as_object(call.body, "A definition")
        self._needs_edit(call)
        if body.get("revision") != record["revision"]:
            text = f"Definition {record['id']} revision {body.get('revision')} is not the latest: {record['revision']}."
            raise DevOpsError(409, "DefinitionUpdateConflictException", text)
        variables = {
            name: {**one, "value": record["variables"].get(name, {}).get("value")}
            if one.get("isSecret") and one.get("value") is None
            else one
            for name, one in (body.get("variables") or {}).items()
        }
        kept = {key: body[key] for key in ("name", "path", "triggers", "process", "queueStatus") if key in body}
        self.change(record["id"], **kept, variables=variables, revision=record["revision"] + 1)
        return JSONResponse(self._shown(self._known(call)))

    def _delete(self, call: Call) -> Response:
        record = self._known(call)
        self._needs_edit(call)
        self.remove(record["id"])
        return Response(status_code=204)

    def _list_pipelines(self, call: Call) -> Response:
        return listed([self._pipeline(one) for one in self._kept.values()][: call.top(10_000)])

    def _create_pipeline(self, call: Call) -> Response:
        body = as_object(call.body, "A pipeline")
        configuration = body.get("configuration") or {}
        if str(configuration.get("type", "")).lower() != "yaml" or not configuration.get("path"):
            raise missing_property("configuration (type yaml, path)")
        repository = configuration.get("repository") or {}
        if repository.get("type") != "azureReposGit":
            raise DevOpsError(501, "NotImplemented", f"This rehearsal has no pipelines of {repository.get('type')}.")
        self._check(call, body.get("name"), str(repository.get("id") or ""))
        folder = body.get("folder") or "\\"
        record = self.add(body["name"], configuration["path"].lstrip("/"), repository["id"], path=folder)
        return JSONResponse(self._pipeline(record) | {"configuration": configuration})

    def _check(self, call: Call, name: Any, repository: str) -> None:
        self._needs_edit(call)
        if not isinstance(name, str) or not name:
            raise missing_property("name")
        if self._repositories.get(repository) is None:
            text = (
                f"TF401019: The Git repository with name or identifier {repository} does not exist or you do not have "
            )
            raise DevOpsError(
                404, "GitRepositoryNotFoundException", text + "permissions for the operation you are attempting."
            )
        if any(one["name"].lower() == name.lower() for one in self._kept.values()):
            text = f"A definition with name {name} already exists in this folder."
            raise DevOpsError(409, "DefinitionExistsException", text)

    def _needs_edit(self, call: Call) -> None:
        if not call.caller.may(EDIT_PIPELINES):
            text = f"Access denied. {call.caller.name} needs Edit build pipeline permissions to perform the action."
            raise call.refuse(text + " For more information, contact the Azure DevOps Server administrator.")

    def _known(self, call: Call) -> Json:
        found: Json | None = self._kept.get(str(call.path("id")))
        if found is None:
            raise DevOpsError(404, "DefinitionNotFoundException", f"Definition {call.path('id')} not found.")
        return found

    def _short(self, record: Json) -> Json:
        return {
            "id": record["id"],
            "name": record["name"],
            "path": record["path"],
            "type": "build",
            "quality": "definition",
            "queueStatus": record["queueStatus"],
            "revision": record["revision"],
            "uri": f"vstfs:///Build/Definition/{record['id']}",
            "url": f"{self._address}/build/Definitions/{record['id']}",
            "project": self._project,
        }

    def _shown(self, record: Json) -> Json:
        """A secret variable shows that it is one, and never its value."""
        variables = {
            name: {**one, "value": None} if one.get("isSecret") else one for name, one in record["variables"].items()
        }
        repository = self._repositories.get(record["repository"]) or {}
        return self._short(record) | {
            "process": record["process"],
            "variables": variables,
            "triggers": record["triggers"],
            "repository": {
                "id": record["repository"],
                "type": "TfsGit",
                "name": repository.get("name"),
                "defaultBranch": repository.get("branch"),
            },
        }

    def _pipeline(self, record: Json) -> Json:
        number = record["id"]
        return {"id": number, "name": record["name"], "folder": record["path"], "revision": record["revision"]} | {
            "url": f"{self._address}/pipelines/{number}?revision={record['revision']}"
        }


def _plain(file: str) -> str:
    """The service takes /azure-pipelines.yml and azure-pipelines.yml for the same."""
    return file.replace("\\", "/").lstrip("/").lower()
