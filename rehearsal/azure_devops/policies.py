"""Policies of branches: kept, and shown; a rehearsal has no pull requests that they could hold.

API: learn.microsoft.com/rest/api/azure/devops/policy/configurations and .../types (7.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from rehearsal.azure_devops.call import Call, Operation
from rehearsal.azure_devops.definitions import Definitions
from rehearsal.azure_devops.errors import DevOpsError, Json, as_object, listed, missing_property
from rehearsal.azure_devops.identities import EDIT_POLICIES
from rehearsal.store import Store

BUILD = "0609b952-1397-4640-95ec-e00a01b2c241"
TYPES: Mapping[str, str] = {
    BUILD: "Build",
    "fa4e907d-c16b-4a4c-9dfa-4906e5d171dd": "Minimum number of reviewers",
    "c6a1889d-b943-4856-b76f-9e46bb6b0df2": "Comment requirements",
    "40e92b44-2fe1-4dd6-b3d8-74a9c21d0c6e": "Work item linking",
}


class Policies:
    def __init__(self, store: Store, definitions: Definitions, *, address: str) -> None:
        self._store = store
        self._kept = store.collection("azure_devops/policies")
        self._definitions, self._address = definitions, address

    def all(self) -> list[Json]:
        return list(self._kept.values())

    def remove(self, number: int) -> None:
        self._kept.pop(str(number), None)

    def change(self, number: int, **changes: Any) -> None:
        self._kept[str(number)] = {**self._kept[str(number)], **changes}

    def operations(self) -> list[Operation]:
        base = "/{organisation}/{project}/_apis/policy"
        return [
            Operation("GET", base + "/types", self._types),
            Operation("GET", base + "/configurations", self._list),
            Operation("POST", base + "/configurations", self._create),
            Operation("PUT", base + "/configurations/{id:int}", self._update),
            Operation("DELETE", base + "/configurations/{id:int}", self._delete),
        ]

    def _types(self, _: Call) -> Response:
        return listed([{"id": key, "displayName": name} for key, name in TYPES.items()])

    def _list(self, call: Call) -> Response:
        kind = (call.query("policyType") or "").lower()
        return listed([self._shown(one) for one in self._kept.values() if kind in ("", one["type"]["id"])])

    def _create(self, call: Call) -> Response:
        record = self._checked(call)
        number = self._store.next_id("azure_devops/policy")
        self._kept[str(number)] = {**record, "id": number, "revision": 1}
        return JSONResponse(self._shown(self._kept[str(number)]))

    def _update(self, call: Call) -> Response:
        record = self._known(call)
        changed = {**record, **self._checked(call), "id": record["id"], "revision": record["revision"] + 1}
        self._kept[str(record["id"])] = changed
        return JSONResponse(self._shown(changed))

    def _delete(self, call: Call) -> Response:
        record = self._known(call)
        self._needs_edit(call)
        self.remove(record["id"])
        return Response(status_code=204)

    def _checked(self, call: Call) -> Json:
        body = as_object(call.body, "A policy configuration")
        kind = str((body.get("type") or {}).get("id", "")).lower()
        if kind not in TYPES:
            raise DevOpsError(
                404, "PolicyTypeNotFoundException", f"TF402455: There is no policy type with the id {kind}."
            )
        self._needs_edit(call)
        settings = body.get("settings") or {}
        if not settings.get("scope"):
            raise missing_property("settings.scope")
        known = {one["id"] for one in self._definitions.all()}
        if kind == BUILD and settings.get("buildDefinitionId") not in known:
            text = f"The build definition {settings.get('buildDefinitionId')} does not exist."
            raise DevOpsError(400, "InvalidPolicySettingsException", text)
        kept = {key: bool(body.get(key, True)) for key in ("isEnabled", "isBlocking")}
        return {**kept, "type": {"id": kind}, "settings": settings}

    def _needs_edit(self, call: Call) -> None:
        if not call.caller.may(EDIT_POLICIES):
            text = "TF401027: You need the Git 'EditPolicies' permission to perform this action. Details: identity "
            raise DevOpsError(403, "GitNeedsPermissionException", text + f"'{call.caller.name}', scope 'repository'.")

    def _known(self, call: Call) -> Json:
        found: Json | None = self._kept.get(str(call.path("id")))
        if found is None:
            text = f"TF402463: There is no policy with the id {call.path('id')}."
            raise DevOpsError(404, "PolicyNotFoundException", text)
        return found

    def _shown(self, record: Json) -> Json:
        kind = record["type"]["id"]
        return record | {
            "type": {"id": kind, "displayName": TYPES[kind]},
            "isDeleted": False,
            "url": f"{self._address}/policy/configurations/{record['id']}",
        }
