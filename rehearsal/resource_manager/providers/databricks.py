"""Microsoft.Databricks/workspaces: those that exist before a release, to read; making one takes minutes in Azure."""

# ruff: noqa: ARG002 - every type answers to the same calls, whether it needs their arguments or not

from __future__ import annotations

from rehearsal.resource_manager.errors import not_here
from rehearsal.resource_manager.providers.base import ResourceType, Write


class Workspace(ResourceType):
    name = "Microsoft.Databricks/workspaces"
    tracked = True
    requests = ("GET", "LIST")

    def check(self, write: Write) -> None:
        raise not_here(
            f"creation of Databricks workspaces (Microsoft.Databricks/workspaces/write of '{write.id.name}')"
        )

    def delete(self, resource_id: str) -> None:
        raise not_here("deletion of Databricks workspaces (Microsoft.Databricks/workspaces/delete)")


TYPES = (Workspace,)
