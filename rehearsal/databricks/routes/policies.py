"""`/api/2.0/policies/clusters/*`."""

from __future__ import annotations

from rehearsal.databricks.call import Answer, Call, Operation


async def create(call: Call) -> Answer:
    return {"policy_id": call.workspace.policies.create(call.caller, call.values)}


async def edit(call: Call) -> Answer:
    call.required("policy_id")
    call.workspace.policies.edit(call.caller, call.text("policy_id"), call.values)
    return {}


async def delete(call: Call) -> Answer:
    call.required("policy_id")
    call.workspace.policies.delete(call.caller, call.text("policy_id"))
    return {}


async def get(call: Call) -> Answer:
    call.required("policy_id")
    return call.workspace.policies.get(call.caller, call.text("policy_id"))


async def list_policies(call: Call) -> Answer:
    found = call.workspace.policies.list(call.caller)
    return {"policies": found, "total_count": len(found)} if found else {}


OPERATIONS = [
    Operation("POST", "/policies/clusters/create", create),
    Operation("POST", "/policies/clusters/edit", edit),
    Operation("POST", "/policies/clusters/delete", delete),
    Operation("GET", "/policies/clusters/get", get),
    Operation("GET", "/policies/clusters/list", list_policies),
]
