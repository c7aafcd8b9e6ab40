"""`/api/2.0/secrets/*`."""

from __future__ import annotations

import base64
from typing import Any

from rehearsal.databricks.authentication import by_personal_token
from rehearsal.databricks.call import Answer, Call, Operation
from rehearsal.databricks.errors import invalid, malformed
from rehearsal.databricks.secrets import DATABRICKS, KEY_VAULT, one_value


async def create_scope(call: Call) -> Answer:
    call.required("scope")
    vault = call.values.get("backend_azure_keyvault")
    if vault is not None and not isinstance(vault, dict):
        raise malformed("Could not parse request object: backend_azure_keyvault must be an object")
    backend = call.text("scope_backend_type", DATABRICKS) or DATABRICKS
    if backend == KEY_VAULT and by_personal_token(call.request):
        # azure-docs issues 82429 and 114543
        raise invalid("Scope with Azure KeyVault must have userAADToken defined!")
    manager = call.text("initial_manage_principal")
    call.workspace.secrets.create_scope(call.caller, call.text("scope"), manager, backend, vault)
    return {}


async def list_scopes(call: Call) -> Answer:
    shown = []
    for scope in call.workspace.secrets.scopes():
        entry: dict[str, Any] = {"name": scope["name"], "backend_type": scope["backend"]}
        if scope["backend"] == KEY_VAULT:
            entry["keyvault_metadata"] = scope["vault"]
        shown.append(entry)
    return {"scopes": shown} if shown else {}


async def delete_scope(call: Call) -> Answer:
    call.required("scope")
    call.workspace.secrets.delete_scope(call.caller, call.text("scope"))
    return {}


async def put(call: Call) -> Answer:
    call.required("scope", "key")
    text = call.text("string_value") if call.values.get("string_value") is not None else None
    data = call.decoded("bytes_value") if call.values.get("bytes_value") is not None else None
    call.workspace.secrets.put(call.caller, call.text("scope"), call.text("key"), one_value(text, data))
    return {}


async def delete(call: Call) -> Answer:
    call.required("scope", "key")
    call.workspace.secrets.delete(call.caller, call.text("scope"), call.text("key"))
    return {}


async def list_secrets(call: Call) -> Answer:
    call.required("scope")
    found = call.workspace.secrets.list(call.caller, call.text("scope"))
    return {"secrets": found} if found else {}


async def get(call: Call) -> Answer:
    """Documented as usable from dbutils only, yet it answers REST callers (databricks-sdk-py `dbutils.py`)."""
    call.required("scope", "key")
    value = call.workspace.secrets.get(call.caller, call.text("scope"), call.text("key"))
    return {"key": call.text("key"), "value": base64.b64encode(value).decode()}


async def put_acl(call: Call) -> Answer:
    call.required("scope", "principal", "permission")
    scope, principal, level = call.text("scope"), call.text("principal"), call.text("permission")
    call.workspace.secrets.put_acl(call.caller, scope, principal, level)
    return {}


async def delete_acl(call: Call) -> Answer:
    call.required("scope", "principal")
    call.workspace.secrets.delete_acl(call.caller, call.text("scope"), call.text("principal"))
    return {}


async def get_acl(call: Call) -> Answer:
    call.required("scope", "principal")
    level = call.workspace.secrets.acl(call.caller, call.text("scope"), call.text("principal"))
    return {"principal": call.text("principal"), "permission": level}


async def list_acls(call: Call) -> Answer:
    call.required("scope")
    acls = call.workspace.secrets.acls(call.caller, call.text("scope"))
    items = [{"principal": key.partition(":")[2], "permission": level} for key, level in sorted(acls.items())]
    return {"items": items} if items else {}


OPERATIONS = [
    Operation("POST", "/secrets/scopes/create", create_scope),
    Operation("GET", "/secrets/scopes/list", list_scopes),
    Operation("POST", "/secrets/scopes/delete", delete_scope),
    Operation("POST", "/secrets/put", put),
    Operation("POST", "/secrets/delete", delete),
    Operation("GET", "/secrets/list", list_secrets),
    Operation("GET", "/secrets/get", get),
    Operation("POST", "/secrets/acls/put", put_acl),
    Operation("POST", "/secrets/acls/delete", delete_acl),
    Operation("GET", "/secrets/acls/get", get_acl),
    Operation("GET", "/secrets/acls/list", list_acls),
]
