"""Who is in the workspace, and what they may: service principals, users, groups; and mends by the workspace's own API."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from slipway.services.credentials import DATABRICKS_SCOPE
from slipway.services.databricks import AccessRefused
from slipway.steps.doctor.examination import Examination, NotSeen

Json = dict[str, Any]
T = TypeVar("T")
ADMIN = "an admin of the workspace"
ADMINS, USERS = "admins", "users"
CLUSTERS = "allow-cluster-create"


def me(examination: Examination) -> Json:
    """Who the workspace takes the caller for. Raises AccessRefused where it lets nobody like that in."""
    return examination.fact("me", examination.workspace.me)


def inside(examination: Examination) -> Json:
    """The same. Raises NotSeen where the workspace can't be looked into; its own check says why."""
    try:
        return me(examination)
    except AccessRefused as error:
        raise NotSeen("the workspace does not let this identity in") from error


def is_admin(examination: Examination) -> bool:
    """Whether the caller is an admin of the workspace, and so sees all of it."""
    return ADMINS in groups_of(inside(examination))


def groups_of(member: Mapping[str, Any]) -> set[str]:
    return {str(one.get("display")) for one in member.get("groups") or []}


def principal(examination: Examination, client_id: str) -> Json | None:
    """The service principal in the workspace, or None. Of itself everybody may ask; of others, maybe admins alone."""

    def ask() -> Json | None:
        caller = inside(examination)
        if str(caller.get("applicationId") or caller.get("userName") or "").lower() == client_id.lower():
            return caller
        return examination.workspace.find_service_principal(client_id)

    return examination.fact(f"principal {client_id}", ask)


def group(examination: Examination, name: str) -> Json | None:
    """The group in the workspace, or None."""

    def ask() -> Json | None:
        inside(examination)
        return examination.workspace.find_group(name)

    return examination.fact(f"group {name.lower()}", ask)


def may_make_clusters(examination: Examination, member: Mapping[str, Any]) -> bool:
    """By an entitlement of its own or of one of its groups; admins may anyway."""
    names = groups_of(member) | {USERS}
    if ADMINS in names or CLUSTERS in entitlements(member):
        return True
    return any(CLUSTERS in entitlements(group(examination, name) or {}) for name in sorted(names))


def entitlements(member: Mapping[str, Any]) -> set[str]:
    return {str(one.get("value")) for one in member.get("entitlements") or []}


def rest(examination: Examination, method: str, path: str, body: Json, *, scim: bool = False) -> str:
    """The mend that asks the workspace's API for something: `az rest`, signed in as whoever ran `az login`."""
    headers = " --headers Content-Type=application/scim+json" if scim else ""
    resource = DATABRICKS_SCOPE.partition("/")[0]
    url = f"{examination.environment.databricks.host}/api/2.0{path}"
    return (
        f"az rest --method {method} --resource {resource} --url {url}{headers} --body {shlex.quote(json.dumps(body))}"
    )


def patch(operation: str, path: str, value: Any) -> Json:
    """A change of one attribute (SCIM 2.0, RFC 7644, 3.5.2)."""
    return {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": operation, "path": path, "value": value}],
    }


def let_make_clusters(examination: Examination, member: Mapping[str, Any]) -> str:
    """The mend that gives a service principal allow-cluster-create."""
    path = f"/preview/scim/v2/ServicePrincipals/{member['id']}"
    return rest(examination, "patch", path, patch("add", "entitlements", [{"value": CLUSTERS}]), scim=True)


def wake(examination: Examination, member: Mapping[str, Any]) -> str:
    """The mend that makes a service principal active."""
    path = f"/preview/scim/v2/ServicePrincipals/{member['id']}"
    return rest(examination, "patch", path, patch("replace", "active", True), scim=True)


def seen(ask: Callable[[], T], what: str) -> T:
    """What `ask` gives. Raises NotSeen where the workspace refuses the caller."""
    try:
        return ask()
    except AccessRefused as error:
        raise NotSeen(f"{what} may not be read: {error.what}") from error
