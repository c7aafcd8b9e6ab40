"""Management locks (https://learn.microsoft.com/rest/api/resources/management-locks).

A lock on a resource group would keep Azure from clearing the history of its deployments, and after 800 of them deployments
fail; on a single resource it does not
(https://learn.microsoft.com/azure/azure-resource-manager/management/lock-resources#considerations-before-applying-your-locks).
"""

from __future__ import annotations

from dataclasses import dataclass

from slipway.services.azure_errors import translated
from slipway.services.resource_manager.groups import Resources

_API = "2020-05-01"
_NEEDS = "Locks take Owner or User Access Administrator there."


@dataclass(frozen=True, kw_only=True)
class Lock:
    """level: CanNotDelete or ReadOnly. scope: the id of what is locked, which may lie above what was asked for."""

    name: str
    level: str
    scope: str


def locks_at(resources: Resources, scope: str) -> list[Lock]:
    """The locks that hold at a resource: its own, and those of its group and subscription."""
    found: list[Lock] = []
    url: str | None = f"{scope}/providers/Microsoft.Authorization/locks?api-version={_API}"
    with translated(f"reading the locks of {scope}", next_step=_NEEDS):
        while url:
            answer = resources.send("GET", url)
            for one in answer.get("value") or []:
                where = one["id"][: one["id"].lower().rindex("/providers/microsoft.authorization/locks")]
                found.append(Lock(name=one["name"], level=one["properties"]["level"], scope=where))
            url = answer.get("nextLink")
    return found


def put_lock(resources: Resources, scope: str, name: str, notes: str) -> None:
    """Keeps the resource from being deleted; `notes`, at most 512 characters, says why."""
    body = {"properties": {"level": "CanNotDelete", "notes": notes}}
    with translated(f"locking {scope}", changed="Nothing was changed by this request.", next_step=_NEEDS):
        resources.send("PUT", _url(scope, name), body)


def delete_lock(resources: Resources, scope: str, name: str) -> None:
    """A missing one is fine."""
    with translated(
        f"taking the lock {name} off {scope}", changed="Nothing was changed by this request.", next_step=_NEEDS
    ):
        resources.send("DELETE", _url(scope, name))


def _url(scope: str, name: str) -> str:
    return f"{scope}/providers/Microsoft.Authorization/locks/{name}?api-version={_API}"
