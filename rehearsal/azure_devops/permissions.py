"""Which pipelines may use a resource.

API: learn.microsoft.com/rest/api/azure/devops/approvalsandchecks/pipeline-permissions (7.1-preview.1).
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import JSONResponse, Response

from rehearsal.azure_devops.call import Call, Operation
from rehearsal.azure_devops.errors import Json, as_object
from rehearsal.azure_devops.identities import Identities, reference
from rehearsal.azure_devops.protected import Protected
from rehearsal.store import Store


class Permissions:
    def __init__(self, store: Store, identities: Identities, protected: Protected, now: Callable[[], str]) -> None:
        self._kept = store.collection("azure_devops/permissions")
        self._identities, self._protected, self._now = identities, protected, now

    def allows(self, kind: str, key: str, pipeline: int | None) -> bool:
        """Whether a pipeline may use it; None: one that the project does not have."""
        record = self._kept.get(f"{kind}/{key}") or {}
        return bool(record.get("all")) or (pipeline is not None and str(pipeline) in record.get("pipelines", {}))

    def allow(self, kind: str, key: str, pipeline: int | None = None, *, by: str = "") -> None:
        """One pipeline; None: all of them."""
        record: Json = self._kept.get(f"{kind}/{key}") or {"pipelines": {}}
        given = {"by": by, "on": self._now()}
        if pipeline is None:
            record["all"] = given
        else:
            record["pipelines"][str(pipeline)] = given
        self._kept[f"{kind}/{key}"] = record

    def withdraw(self, kind: str, key: str, pipeline: int | None = None) -> None:
        record: Json = self._kept.get(f"{kind}/{key}") or {"pipelines": {}}
        if pipeline is None:
            record.pop("all", None)
        else:
            record["pipelines"].pop(str(pipeline), None)
        self._kept[f"{kind}/{key}"] = record

    def operations(self) -> list[Operation]:
        base = "/{organisation}/{project}/_apis/pipelines/pipelinePermissions/{kind}/{id}"
        return [Operation("GET", base, self._get, preview=True), Operation("PATCH", base, self._patch, preview=True)]

    def _get(self, call: Call) -> Response:
        kind, key = call.path("kind").lower(), call.path("id").lower()
        self._protected.needs_view(call, kind, key)
        return self._shown(call, kind, key)

    def _patch(self, call: Call) -> Response:
        """What is not named stays as it is."""
        kind, key = call.path("kind").lower(), call.path("id").lower()
        self._protected.needs_manage(call, kind, key)
        body = as_object(call.body, "The permissions of a resource")
        everybody = body.get("allPipelines")
        if everybody is not None:
            if everybody.get("authorized"):
                self.allow(kind, key, by=call.caller.id)
            else:
                self.withdraw(kind, key)
        for one in body.get("pipelines") or []:
            if one.get("authorized"):
                self.allow(kind, key, int(one["id"]), by=call.caller.id)
            else:
                self.withdraw(kind, key, int(one["id"]))
        return self._shown(call, kind, key)

    def _shown(self, call: Call, kind: str, key: str) -> Response:
        record: Json = self._kept.get(f"{kind}/{key}") or {"pipelines": {}}
        shown: Json = {"resource": {"type": kind, "id": key}, "pipelines": []}
        if record.get("all"):
            shown["allPipelines"] = self._given(record["all"], call)
        shown["pipelines"] = [
            {"id": int(number), **self._given(given, call)} for number, given in sorted(record["pipelines"].items())
        ]
        return JSONResponse(shown)

    def _given(self, given: Json, call: Call) -> Json:
        by = self._identities.find(given["by"]) if given["by"] else None
        named = None if by is None else reference(by, call.path("organisation"))
        return {"authorized": True, "authorizedBy": named, "authorizedOn": given["on"]}
