"""Who may use a service principal: its rule set in the account, through the workspace (`/api/2.0/preview/accounts/access-control`).

Rules: databricks-sdk-py `service/iam.py` (AccountAccessControlProxyAPI), terraform-provider-databricks (access_control_rule_set),
https://learn.microsoft.com/azure/databricks/security/auth/access-control/service-principal-acl.
An account has all workspaces of a tenant; here each workspace keeps the rule sets of its own, and its admins are account admins
too. Unverified: codes and texts of refusals.
"""

from __future__ import annotations

import re
from typing import Any

from rehearsal.databricks.errors import ApiError, denied, invalid, missing, not_simulated
from rehearsal.databricks.members import Member, Members
from rehearsal.store import Collection

ACCOUNT_ID = "b7f2a6c4-3d51-4e0a-9c8b-2f6d1e7a5c39"
USER, MANAGER = "roles/servicePrincipal.user", "roles/servicePrincipal.manager"
_NAME = re.compile(r"accounts/([0-9a-f-]{36})/(\w+)/([^/]+)/ruleSets/default", re.IGNORECASE)
_PRINCIPAL = re.compile(r"(?:users|groups|servicePrincipals)/.+")


class RuleSets:
    """The rule sets of the service principals of one workspace."""

    def __init__(self, kept: Collection, members: Members) -> None:
        self._kept = kept
        self._members = members

    def get(self, member: Member, name: str, etag: str) -> dict[str, Any]:
        """The rule set; `etag` "" for whichever is the latest."""
        found = self._found(member, name)
        if etag not in ("", found["etag"]):
            raise _moved(name)
        return found

    def update(self, member: Member, name: str, rule_set: Any) -> dict[str, Any]:
        """Replaces all rules of a rule set that has not changed since it was read."""
        before = self._found(member, name)
        if not isinstance(rule_set, dict) or rule_set.get("name") != name:
            raise invalid("rule_set must be an object with the name of the rule set")
        if rule_set.get("etag") != before["etag"]:
            raise _moved(name)
        rules = [_rule(rule) for rule in rule_set.get("grant_rules") or []]
        self._kept[_application(name)] = {"number": int(before["etag"]) + 1, "grant_rules": rules}
        return self._found(member, name)

    def may_use(self, member: Member, application_id: str) -> bool:
        """Whether a member has the role Service Principal User. A manager has not, for that alone."""
        rules = (self._kept.get(application_id.lower()) or {}).get("grant_rules") or []
        kind = "users" if member.kind == "User" else "servicePrincipals"
        names = {f"{kind}/{member.name}", *(f"groups/{group}" for group in member.groups)}
        return any(rule["role"] == USER and names & set(rule["principals"]) for rule in rules)

    def _found(self, member: Member, name: str) -> dict[str, Any]:
        parts = _NAME.fullmatch(name)
        if parts is None:
            raise invalid(f"Invalid rule set name: {name}")
        if parts[1].lower() != ACCOUNT_ID:
            raise invalid(f"The account {parts[1]} is not that of this workspace: {ACCOUNT_ID}")
        if parts[2] != "servicePrincipals":
            raise not_simulated(f"rule sets of {parts[2]}")
        if self._members.by_key(f"sp:{parts[3]}") is None:
            raise missing(f"Service principal {parts[3]} does not exist.")
        if not member.admin:
            raise denied(f"{member.name} is not Service Principal Manager of {parts[3]}.")
        kept = self._kept.get(_application(name)) or {}
        return {"name": name, "etag": str(kept.get("number", 0)), "grant_rules": kept.get("grant_rules", [])}


def _application(name: str) -> str:
    return name.split("/")[3].lower()


def _rule(rule: Any) -> dict[str, Any]:
    role = rule.get("role") if isinstance(rule, dict) else None
    principals = rule.get("principals") if isinstance(rule, dict) else None
    if role not in (USER, MANAGER):
        raise invalid(f"The role {role} can not be granted on a service principal")
    if not isinstance(principals, list) or not all(
        isinstance(one, str) and _PRINCIPAL.fullmatch(one) for one in principals
    ):
        raise invalid("principals must be a list of users/…, groups/… and servicePrincipals/…")
    return {"role": role, "principals": principals}


def _moved(name: str) -> ApiError:
    return ApiError(409, "RESOURCE_CONFLICT", f"The rule set {name} was changed in the meantime: read it again.")
