"""A person in the rehearsal's workspace. The tenant has service principals only, and nobody can type a password here; so this one
comes in with a personal access token, as developers often do, made as they make it in the workspace's settings."""

from __future__ import annotations

from rehearsal.databricks.workspaces import Workspaces

NAME = "developer@example.org"
VARIABLE = "DEVELOPER_TOKEN"
_COMMENT = "rehearsal"


def developer_token(workspaces: Workspaces, host: str, lifetime: int) -> str:
    """A fresh token of the developer, who is put into the workspace with a home folder first; former ones end. `host` may
    begin with https://; `lifetime` in seconds. Raises KeyError for an unknown host."""
    workspace = workspaces.get(host.removeprefix("https://"))
    if workspace is None:
        raise KeyError(host)
    member = workspace.members.by_key(f"user:{NAME}") or workspace.members.add_user(NAME, "Developer")
    workspace.members.entitle(member.object_id, ["allow-cluster-create"])
    workspace.tree.add_home(member)
    for token in workspace.tokens.list(member):
        if token["comment"] == _COMMENT:
            workspace.tokens.delete(member, token["token_id"])
    return str(workspace.tokens.create(member, lifetime, _COMMENT)["token_value"])
