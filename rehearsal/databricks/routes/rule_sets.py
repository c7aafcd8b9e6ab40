"""`/api/2.0/preview/accounts/access-control/rule-sets`, and the account that a token's workspace is in."""

from __future__ import annotations

from rehearsal.databricks.call import Answer, Call, Operation
from rehearsal.databricks.rule_sets import ACCOUNT_ID


async def introspect(call: Call) -> Answer:
    """As the Databricks command asks it after signing in (github.com/databricks/cli, libs/auth/introspect.go)."""
    scope = {"account_id": ACCOUNT_ID, "workspace_id": int(call.workspace.workspace_id)}
    return {"principal_context": {"authentication_scope": scope}}


async def get(call: Call) -> Answer:
    call.required("name")
    return call.workspace.rule_sets.get(call.caller, call.text("name"), call.text("etag"))


async def update(call: Call) -> Answer:
    call.required("name")
    return call.workspace.rule_sets.update(call.caller, call.text("name"), call.values.get("rule_set"))


_PATH = "/preview/accounts/access-control/rule-sets"
OPERATIONS = [
    Operation("GET", "/tokens/introspect", introspect),
    Operation("GET", _PATH, get),
    Operation("PUT", _PATH, update),
]
