"""A Databricks workspace over its REST API; the only package that imports databricks-cli."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from slipway.services.credentials import DATABRICKS_SCOPE, MANAGEMENT_SCOPE
from slipway.services.databricks.client import Client
from slipway.services.databricks.compute import Compute
from slipway.services.databricks.concurrency import MOST, concurrently
from slipway.services.databricks.errors import AccessRefused, AlreadyExists, DatabricksError, NotFound, Throttled
from slipway.services.databricks.jobs import Jobs
from slipway.services.databricks.permissions import Permissions
from slipway.services.databricks.secrets import Scope, Secrets
from slipway.services.databricks.workspace_files import ObjectInfo, WorkspaceFiles

if TYPE_CHECKING:
    from slipway.domain.environment import Environment
    from slipway.services.credentials import Credential

T = TypeVar("T")


class Workspace(WorkspaceFiles, Secrets, Jobs, Permissions, Compute):
    """One workspace. Every method is one request (lists: one per page), safe to call from several threads.

    host: its URL. token: gives a valid Entra or personal access token whenever it is called. With management_token and
    workspace_resource_id each request carries the two Azure headers by which a service principal that is not in the
    workspace, but may contribute to its resource, is let in.
    """

    def __init__(
        self,
        host: str,
        *,
        token: Callable[[], str],
        management_token: Callable[[], str] | None = None,
        workspace_resource_id: str | None = None,
        label: str = "",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        most: int = MOST,
    ) -> None:
        def authorization() -> Mapping[str, str]:
            headers = {"Authorization": f"Bearer {token()}"}
            if management_token is not None and workspace_resource_id:
                headers["X-Databricks-Azure-SP-Management-Token"] = management_token()
                headers["X-Databricks-Azure-Workspace-Resource-Id"] = workspace_resource_id
            return headers

        self.client = Client(host, authorization, label=label, clock=clock, sleep=sleep, most=most)
        self.host = self.client.host

    def concurrently(self, calls: Iterable[Callable[[], T]], limit: int = MOST) -> list[T]:
        """Runs calls on threads, within this workspace's one budget; results in order, the first failure raised."""
        return concurrently(calls, limit)


def connect(environment: Environment, credential: Credential, variables: Mapping[str, str]) -> Workspace:
    """The environment's workspace. By hand DATABRICKS_HOST and DATABRICKS_TOKEN win over configuration and credential;
    another host is called without the Azure headers, which name the configured workspace. No request is made here.
    """
    databricks = environment.databricks
    host = variables.get("DATABRICKS_HOST") or databricks.host
    elsewhere = _name(host) != _name(databricks.host)
    label = f"environment {environment.name}" + (", host from DATABRICKS_HOST" if elsewhere else "")
    personal = variables.get("DATABRICKS_TOKEN")
    if personal:
        return Workspace(host, token=lambda: personal, label=label)
    return Workspace(
        host,
        token=credential.bearer(DATABRICKS_SCOPE),
        management_token=credential.bearer(MANAGEMENT_SCOPE),
        workspace_resource_id=None if elsewhere else databricks.workspace_resource_id,
        label=label,
    )


def _name(host: str) -> str:
    return host.removeprefix("https://").rstrip("/").lower()


__all__ = [
    "AccessRefused",
    "AlreadyExists",
    "DatabricksError",
    "NotFound",
    "ObjectInfo",
    "Scope",
    "Throttled",
    "Workspace",
    "concurrently",
    "connect",
]
