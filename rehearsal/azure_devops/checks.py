"""Checks of resources that pipelines use: approvals, exclusive locks, and others that are kept as they are written.

API: learn.microsoft.com/rest/api/azure/devops/approvalsandchecks/check-configurations (7.1-preview.1); types and settings as in
terraform-provider-azuredevops, service/approvalsandchecks. A check is kept here; a rehearsal waits for nobody's approval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from rehearsal.azure_devops.call import Call, Operation
from rehearsal.azure_devops.errors import DevOpsError, Json, as_object, listed, missing_property
from rehearsal.azure_devops.identities import Identities, reference, references
from rehearsal.azure_devops.protected import Protected
from rehearsal.store import Store

APPROVAL = "8c6f20a7-a545-4486-9777-f762fafe0d4d"
EXCLUSIVE_LOCK = "2ef31ad6-baa0-403a-8b45-2cbc9b4e5563"
TASK_CHECK = "fe1de3ee-a436-41b4-bb20-f6eb4cb879a7"
TYPES: Mapping[str, str] = {
    APPROVAL: "Approval",
    EXCLUSIVE_LOCK: "ExclusiveLock",
    "4020e66e-b0f3-47e1-bc88-48f3cc59b5f3": "ExtendsCheck",
    TASK_CHECK: "Task Check",
}
MONTH = 43_200  # minutes: how long a check waits where nothing else is said


class Checks:
    def __init__(
        self, store: Store, identities: Identities, protected: Protected, now: Callable[[], str], address: str
    ) -> None:
        self._store = store
        self._kept = store.collection("azure_devops/checks")
        self._identities, self._protected, self._now, self._address = identities, protected, now, address

    def of(self, kind: str, key: str) -> list[Json]:
        return [one for one in self._kept.values() if (one["resource"]["type"], one["resource"]["id"]) == (kind, key)]

    def remove(self, key: int) -> None:
        self._kept.pop(str(key), None)

    def change(self, key: int, **changes: Any) -> None:
        self._kept[str(key)] = {**self._kept[str(key)], **changes}

    def operations(self) -> list[Operation]:
        base = "/{organisation}/{project}/_apis/pipelines/checks/configurations"
        return [
            Operation("GET", base, self._list, preview=True),
            Operation("POST", base, self._create, preview=True),
            Operation("GET", base + "/{id:int}", self._one, preview=True),
            Operation("PATCH", base + "/{id:int}", self._update, preview=True),
            Operation("DELETE", base + "/{id:int}", self._delete, preview=True),
        ]

    def _list(self, call: Call) -> Response:
        kind, key = call.query("resourceType") or "", call.query("resourceId") or ""
        if not kind or not key:
            raise missing_property("resourceType, resourceId")
        self._protected.needs_view(call, kind.lower(), key.lower())
        return listed([self._shown(one, call) for one in self.of(kind.lower(), key.lower())])

    def _create(self, call: Call) -> Response:
        body = as_object(call.body, "A check configuration")
        resource = as_object(body.get("resource"), "resource")
        kind, key = str(resource.get("type", "")).lower(), str(resource.get("id", "")).lower()
        self._protected.needs_manage(call, kind, key)
        record = self._checked(body)
        same = [one for one in self.of(kind, key) if one["type"] == EXCLUSIVE_LOCK == record["type"]]
        if same:  # unverified
            raise DevOpsError(409, "CheckConfigurationExistsException", "The resource has an exclusive lock already.")
        number = self._store.next_id("azure_devops/check")
        made = {"by": call.caller.id, "on": self._now()}
        self._kept[str(number)] = {**record, "id": number, "resource": {"type": kind, "id": key}, "made": made}
        return JSONResponse(self._shown(self._kept[str(number)], call, settings=True))

    def _checked(self, body: Json) -> Json:
        kind = str((body.get("type") or {}).get("id", "")).lower()
        if kind not in TYPES:
            raise DevOpsError(400, "CheckTypeNotFoundException", f"There is no type of check with the id '{kind}'.")
        settings = body.get("settings") or {}
        if kind == APPROVAL:
            approvers = settings.get("approvers")
            if not isinstance(approvers, list) or not approvers:
                raise missing_property("settings.approvers")
            found = references([one.get("id") for one in approvers], self._identities, "")
            settings = {**settings, "approvers": [{"id": one["id"]} for one in found]}
        return {"type": kind, "settings": settings, "timeout": int(body.get("timeout") or MONTH)}

    def _one(self, call: Call) -> Response:
        return JSONResponse(self._shown(self._known(call), call))

    def _update(self, call: Call) -> Response:
        record = self._known(call)
        self._protected.needs_manage(call, record["resource"]["type"], record["resource"]["id"])
        body = {"type": {"id": record["type"]}, **as_object(call.body, "A check configuration")}
        self._kept[str(record["id"])] = {**record, **self._checked(body)}
        return JSONResponse(self._shown(self._kept[str(record["id"])], call, settings=True))

    def _delete(self, call: Call) -> Response:
        record = self._known(call)
        self._protected.needs_manage(call, record["resource"]["type"], record["resource"]["id"])
        self.remove(record["id"])
        return Response(status_code=204)

    def _known(self, call: Call) -> Json:
        found: Json | None = self._kept.get(str(call.path("id")))
        if found is None:
            text = f"Check configuration with id {call.path('id')} does not exist."
            raise DevOpsError(404, "CheckConfigurationNotFoundException", text)
        return found

    def _shown(self, record: Json, call: Call, *, settings: bool = False) -> Json:
        """Settings show themselves only where they are asked for: $expand=settings."""
        made = self._identities.find(record["made"]["by"])
        by = None if made is None else reference(made, call.path("organisation"))
        shown = {
            "id": record["id"],
            "type": {"id": record["type"], "name": TYPES[record["type"]]},
            "resource": record["resource"],
            "timeout": record["timeout"],
            "createdBy": by,
            "createdOn": record["made"]["on"],
            "modifiedBy": by,
            "modifiedOn": record["made"]["on"],
            "url": f"{self._address}/pipelines/checks/configurations/{record['id']}",
            "version": 1,
        }
        if settings or (call.query("$expand") or "").lower() == "settings":
            kept = record["settings"]
            if record["type"] == APPROVAL:
                people = [self._identities.find(one["id"]) for one in kept["approvers"]]
                named = [reference(one, call.path("organisation")) for one in people if one is not None]
                kept = {"executionOrder": 1, "blockedApprovers": [], **kept, "approvers": named}
            shown["settings"] = kept
        return shown
