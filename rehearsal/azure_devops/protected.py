"""What a pipeline must be allowed to use: which kinds there are, whether one is there, and who may change its rules.

learn.microsoft.com/azure/devops/pipelines/process/about-resources
"""

from __future__ import annotations

from rehearsal.azure_devops.call import Call
from rehearsal.azure_devops.connections import Connections
from rehearsal.azure_devops.environments import Environments
from rehearsal.azure_devops.errors import DevOpsError
from rehearsal.azure_devops.identities import MANAGE_CONNECTIONS, MANAGE_ENVIRONMENTS, MANAGE_QUEUES, SEE_CONNECTIONS
from rehearsal.azure_devops.pools import Pools

ENDPOINT, ENVIRONMENT, QUEUE = "endpoint", "environment", "queue"
_OTHERS = ("variablegroup", "securefile", "repository")


class Protected:
    def __init__(self, connections: Connections, environments: Environments, pools: Pools) -> None:
        self._connections, self._environments, self._pools = connections, environments, pools

    def needs_view(self, call: Call, kind: str, key: str) -> None:
        """Raises DevOpsError where there is no such resource, or the caller may not see it."""
        if not self._is_there(call, kind, key):
            text = f"The {kind} {key} does not exist, or you do not have permission to view it."
            raise DevOpsError(404, "ResourceNotFoundException", text)
        if call.caller.is_job:  # unverified: what the build identity may read of checks and permissions
            raise call.refuse(f"Access denied. {call.caller.name} needs View permissions to perform the action.")

    def needs_manage(self, call: Call, kind: str, key: str) -> None:
        """Raises DevOpsError where the caller may not administer the resource."""
        self.needs_view(call, kind, key)
        if not self._may_manage(call, kind, key):
            text = f"Access denied. {call.caller.name} needs Manage permissions to perform the action. For more information, "
            raise call.refuse(text + "contact the Azure DevOps Server administrator.")

    def _is_there(self, call: Call, kind: str, key: str) -> bool:
        if kind == ENDPOINT:
            found = self._connections.get(key)
            return found is not None and (call.caller.may(SEE_CONNECTIONS) or found["creator"] == call.caller.id)
        if kind == ENVIRONMENT:
            return self._environments.get(key) is not None
        if kind == QUEUE:
            return self._pools.queue(key) is not None
        if kind in _OTHERS:
            raise DevOpsError(501, "NotImplemented", f"This rehearsal has no checks or permissions of a {kind}.")
        raise DevOpsError(400, "ArgumentException", f"'{kind}' is not a type of resource.")

    def _may_manage(self, call: Call, kind: str, key: str) -> bool:
        if kind == ENDPOINT:
            found = self._connections.get(key)
            return call.caller.may(MANAGE_CONNECTIONS) or (found or {}).get("creator") == call.caller.id
        if kind == ENVIRONMENT:
            environment = self._environments.get(key) or {}
            return call.caller.may(MANAGE_ENVIRONMENTS) or environment.get("owner") == call.caller.id
        return call.caller.may(MANAGE_QUEUES)
