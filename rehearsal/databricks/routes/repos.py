"""`/api/2.0/repos` and `/api/2.0/git-credentials`."""

from __future__ import annotations

from rehearsal.databricks.call import Answer, Call, Operation


async def list_repos(call: Call) -> Answer:
    return call.workspace.git_folders.page(call.caller, call.text("path_prefix"), call.text("next_page_token"))


async def create_repo(call: Call) -> Answer:
    call.required("url", "provider")
    return await call.workspace.git_folders.create(call.caller, call.values)


async def get_repo(call: Call) -> Answer:
    return call.workspace.git_folders.get(call.caller, call.names["id"])


async def update_repo(call: Call) -> Answer:
    return await call.workspace.git_folders.update(call.caller, call.names["id"], call.values)


async def delete_repo(call: Call) -> Answer:
    call.workspace.git_folders.delete(call.caller, call.names["id"])
    return {}


async def list_credentials(call: Call) -> Answer:
    found = call.workspace.git_credentials.list(call.caller)
    return {"credentials": found} if found else {}


async def create_credential(call: Call) -> Answer:
    return call.workspace.git_credentials.create(call.caller, call.values)


async def get_credential(call: Call) -> Answer:
    return call.workspace.git_credentials.get(call.caller, call.names["id"])


async def update_credential(call: Call) -> Answer:
    return call.workspace.git_credentials.update(call.caller, call.names["id"], call.values)


async def delete_credential(call: Call) -> Answer:
    call.workspace.git_credentials.delete(call.caller, call.names["id"])
    return {}


OPERATIONS = [
    Operation("GET", "/repos", list_repos),
    Operation("POST", "/repos", create_repo),
    Operation("GET", "/repos/{id}", get_repo),
    Operation("PATCH", "/repos/{id}", update_repo),
    Operation("DELETE", "/repos/{id}", delete_repo),
    Operation("GET", "/git-credentials", list_credentials),
    Operation("POST", "/git-credentials", create_credential),
    Operation("GET", "/git-credentials/{id}", get_credential),
    Operation("PATCH", "/git-credentials/{id}", update_credential),
    Operation("DELETE", "/git-credentials/{id}", delete_credential),
]
