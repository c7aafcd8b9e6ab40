"""`/api/2.0/token/*`."""

from __future__ import annotations

from rehearsal.databricks.call import Answer, Call, Operation


async def create(call: Call) -> Answer:
    lifetime = call.number("lifetime_seconds") if call.values.get("lifetime_seconds") is not None else None
    return call.workspace.tokens.create(call.caller, lifetime, call.text("comment"))


async def list_tokens(call: Call) -> Answer:
    found = call.workspace.tokens.list(call.caller)
    return {"token_infos": found} if found else {}


async def delete(call: Call) -> Answer:
    call.required("token_id")
    call.workspace.tokens.delete(call.caller, call.text("token_id"))
    return {}


OPERATIONS = [
    Operation("POST", "/token/create", create),
    Operation("GET", "/token/list", list_tokens),
    Operation("POST", "/token/delete", delete),
]
