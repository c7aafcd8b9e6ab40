"""`/api/2.0/permissions/{type}/{id}`."""

from __future__ import annotations

from rehearsal.databricks import permissions
from rehearsal.databricks.call import Answer, Call, Operation


def _subject(call: Call) -> permissions.Subject:
    return permissions.find(call.workspace, call.caller, call.names["type"], call.names["id"])


async def get(call: Call) -> Answer:
    return permissions.render(call.workspace, _subject(call))


async def replace(call: Call) -> Answer:
    return _change(call, replace=True)


async def add(call: Call) -> Answer:
    return _change(call, replace=False)


def _change(call: Call, *, replace: bool) -> Answer:
    subject = _subject(call)
    permissions.change(call.workspace, call.caller, subject, call.values.get("access_control_list"), replace=replace)
    return permissions.render(call.workspace, subject)


async def levels(call: Call) -> Answer:
    return {"permission_levels": permissions.levels(_subject(call))}


OPERATIONS = [
    Operation("GET", "/permissions/{type}/{id}", get),
    Operation("PUT", "/permissions/{type}/{id}", replace),
    Operation("PATCH", "/permissions/{type}/{id}", add),
    Operation("GET", "/permissions/{type}/{id}/permissionLevels", levels),
]
