"""`/api/2.0/workspace-conf`."""

from __future__ import annotations

from starlette.responses import Response

from rehearsal.databricks.call import Answer, Call, Operation


async def get(call: Call) -> Answer:
    call.required("keys")
    names = [name.strip() for name in call.text("keys").split(",") if name.strip()]
    return dict(call.workspace.settings.get(names))


async def change(call: Call) -> Answer:
    call.workspace.settings.set(call.caller, call.values)
    return Response(status_code=204)


OPERATIONS = [
    Operation("GET", "/workspace-conf", get),
    Operation("PATCH", "/workspace-conf", change),
]
