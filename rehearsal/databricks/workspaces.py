"""The workspaces of a rehearsal: seeding them, and looking at them for the report."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rehearsal.databricks.git import Remotes
from rehearsal.databricks.members import ADMINS, Member
from rehearsal.databricks.secrets import Vaults
from rehearsal.databricks.snapshot import snapshot
from rehearsal.databricks.workspace import Workspace
from rehearsal.store import Store

if TYPE_CHECKING:
    from rehearsal.entra.directory import Principal

    LookUp = Callable[[str], Principal | None]

HOST = re.compile(r"adb-(\d+)\.\d+\.azuredatabricks\.net")


class Workspaces:
    """Every workspace by host name. `folder` is the rehearsal's folder; files lie under `<folder>/databricks/<host>`."""

    def __init__(self, store: Store, folder: Path, clock: Callable[[], float]) -> None:
        self._store = store
        self._folder = folder / "databricks"
        self._clock = clock
        self._known = store.collection("databricks/workspaces")
        self._open: dict[str, Workspace] = {}
        self._look_up: LookUp = lambda _: None
        self._by_application: LookUp = lambda _: None
        self._vaults: Vaults | None = None
        self._remotes = Remotes({})

    def use(self, by_object_id: LookUp, by_application: LookUp, vaults: Vaults) -> None:
        """How principals of the tenant are found, and what workspaces see of key vaults."""
        self._look_up, self._by_application, self._vaults = by_object_id, by_application, vaults
        for workspace in self._open.values():
            self._connect(workspace)

    def use_git(self, remotes: Remotes) -> None:
        """What Git folders can be cloned from."""
        self._remotes = remotes
        for workspace in self._open.values():
            self._connect(workspace)

    def _connect(self, workspace: Workspace) -> None:
        workspace.members.look_up = self._look_up
        workspace.members.by_application = self._by_application
        workspace.secrets.vaults = self._vaults
        workspace.git_folders.remotes = self._remotes

    def add(
        self, host: str, workspace_resource_id: str, workspace_id: str | None = None, *, admins: Iterable[str] = ()
    ) -> None:
        """Make a workspace; `admins` are object ids. Idempotent. `host` is a name, or `https://` with a name.

        Raises ValueError for a host that is none of Azure Databricks.
        """
        name = _name(host)
        found = HOST.fullmatch(name)
        if not found:
            raise ValueError(
                f"{host} is not the host of an Azure Databricks workspace (adb-<number>.<number>.azuredatabricks.net)"
            )
        entry = {"resource_id": workspace_resource_id, "workspace_id": workspace_id or found[1]}
        if self._known.get(name) != entry:
            self._known[name] = entry
        workspace = self._opened(name)
        workspace.resource_id, workspace.workspace_id = entry["resource_id"], entry["workspace_id"]
        for object_id in admins:
            workspace.members.add_object_id(object_id, [ADMINS])

    def remove(self, host: str) -> None:
        """Take a workspace away; it does not answer any more. What it held stays in the rehearsal's folder."""
        name = _name(host)
        self._known.pop(name, None)
        self._open.pop(name, None)

    def add_principal(self, host: str, principal: Principal, groups: Iterable[str] = ()) -> Member:
        """Put a principal into a workspace and into groups ("admins", or any name). Idempotent.

        Raises KeyError for an unknown host.
        """
        workspace = self.get(_name(host))
        if workspace is None:
            raise KeyError(host)
        return workspace.add_member(principal, groups)

    def get(self, host: str) -> Workspace | None:
        """The workspace behind a host name, or None."""
        return self._opened(host) if host in self._known else None

    def _opened(self, host: str) -> Workspace:
        if host not in self._open:
            kept = self._known[host]
            workspace = Workspace(
                host, kept["resource_id"], kept["workspace_id"], self._store, self._folder, self._clock
            )
            self._connect(workspace)
            self._open[host] = workspace
        return self._open[host]

    def hosts(self) -> list[str]:
        return list(self._known)

    def all(self) -> list[Workspace]:
        return [self._opened(host) for host in self.hosts()]

    def snapshot(self, host: str) -> dict[str, Any]:
        """What a workspace holds, for a report; changes nothing, holds no secret's value. Raises KeyError for an unknown host.

        `tree`: path, type and size of every object; `jobs`: id, name, tags, settings; `runs`: newest first, with their tasks;
        `scopes`: names of scopes and keys.
        """
        workspace = self.get(_name(host))
        if workspace is None:
            raise KeyError(host)
        return snapshot(workspace)


def _name(host: str) -> str:
    return host.removeprefix("https://").rstrip("/").lower()
