"""Environments: the place that a deployment job goes to, and what its checks hang on.

API: learn.microsoft.com/rest/api/azure/devops/environments/environments (7.1). One that a run asks for and that is not there is
made by the service, without any check: learn.microsoft.com/azure/devops/pipelines/process/environments.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from rehearsal.azure_devops.call import Call, Operation
from rehearsal.azure_devops.errors import DevOpsError, Json, as_number, as_object, listed, missing_property
from rehearsal.azure_devops.identities import CREATE_ENVIRONMENTS, MANAGE_ENVIRONMENTS, Identities, reference
from rehearsal.store import Store


class Environments:
    def __init__(self, store: Store, identities: Identities, now: Any, *, organisation: str, project_id: str) -> None:
        self._store = store
        self._kept = store.collection("azure_devops/environments")
        self._identities, self._now = identities, now
        self._organisation, self._project_id = organisation, project_id

    def add(self, name: str, *, description: str = "", owner: str = "") -> Json:
        key = self._store.next_id("azure_devops/environment")
        record = {"id": key, "name": name, "description": description, "owner": owner, "made": self._now()}
        self._kept[str(key)] = record
        return record

    def by_name(self, name: str) -> Json | None:
        return next((one for one in self._kept.values() if one["name"].lower() == name.lower()), None)

    def get(self, key: str) -> Json | None:
        found: Json | None = self._kept.get(key)
        return found

    def remove(self, key: str) -> None:
        self._kept.pop(key, None)

    # The API

    def operations(self) -> list[Operation]:
        base = "/{organisation}/{project}/_apis/distributedtask/environments"
        return [
            Operation("GET", base, self._list),
            Operation("POST", base, self._create),
            Operation("GET", base + "/{id:int}", self._one),
            Operation("DELETE", base + "/{id:int}", self._delete),
        ]

    def _list(self, call: Call) -> Response:
        """`name` is the beginning of names (unverified; the whole name always fits)."""
        start = (call.query("name") or "").lower()
        found = [self._shown(one) for one in self._kept.values() if one["name"].lower().startswith(start)]
        after = as_number(call.query("continuationToken"), "continuationToken") or 0
        top = call.top()
        answer = listed(found[after : after + top])
        if after + top < len(found):
            answer.headers["x-ms-continuationtoken"] = str(after + top)
        return answer

    def _create(self, call: Call) -> Response:
        name = as_object(call.body, "An environment").get("name")
        if not isinstance(name, str) or not name:
            raise missing_property("environmentCreateParameter.Name")
        if not call.caller.may(CREATE_ENVIRONMENTS):
            text = f"Access denied. {call.caller.name} needs Create permissions to perform the action. For more information, "
            raise call.refuse(text + "contact the Azure DevOps Server administrator.")
        if self.by_name(name) is not None:
            text = f"Environment with name {name} already exists in the project. Provide a different name."
            raise DevOpsError(409, "EnvironmentExistsException", text)
        description = str(call.body.get("description") or "")
        return JSONResponse(self._shown(self.add(name, description=description, owner=call.caller.id)))

    def _one(self, call: Call) -> Response:
        return JSONResponse(self._shown(self._known(call)) | {"resources": []})

    def _delete(self, call: Call) -> Response:
        record = self._known(call)
        if not self.may_manage(call, record):
            text = f"Access denied. {call.caller.name} needs Manage permissions to perform the action. For more information, "
            raise call.refuse(text + "contact the Azure DevOps Server administrator.")
        self.remove(str(record["id"]))
        return Response(status_code=204)

    def may_manage(self, call: Call, record: Json) -> bool:
        return call.caller.may(MANAGE_ENVIRONMENTS) or record["owner"] == call.caller.id

    def _known(self, call: Call) -> Json:
        found = self.get(str(call.path("id")))
        if found is None:
            text = f"Environment with ID {call.path('id')} does not exist or you do not have permission to view it."
            raise DevOpsError(404, "EnvironmentNotFoundException", text)
        return found

    def _shown(self, record: Json) -> Json:
        owner = self._identities.find(record["owner"]) if record["owner"] else None
        by = None if owner is None else reference(owner, self._organisation)
        return {
            "id": record["id"],
            "name": record["name"],
            "description": record["description"],
            "createdBy": by,
            "createdOn": record["made"],
            "lastModifiedBy": by,
            "lastModifiedOn": record["made"],
            "project": {"id": self._project_id, "name": None},
        }
