"""Cluster policies (`/api/2.0/policies/clusters/*`): kept, and listed to who may use them. No cluster is held to one.

Rules: databricks-sdk-py `service/compute.py` (ClusterPoliciesAPI), terraform-provider-databricks `policies/`; texts are unverified
unless a source is named.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

from rehearsal.databricks.access import POLICY_LEVELS, highest
from rehearsal.databricks.errors import denied, invalid, lacks, missing, not_simulated
from rehearsal.databricks.members import Member
from rehearsal.store import Collection

FIELDS = ("name", "definition", "description", "max_clusters_per_user")
NOT_BUILT = ("policy_family_id", "policy_family_definition_overrides", "libraries")

Policy = dict[str, Any]


class Policies:
    """The cluster policies of one workspace."""

    def __init__(self, kept: Collection, clock: Callable[[], float]) -> None:
        self._kept = kept
        self._clock = clock

    def create(self, member: Member, values: dict[str, Any]) -> str:
        _admin(member)
        policy_id = secrets.token_hex(8).upper()
        made = {"creator_user_name": member.name, "created_at_timestamp": int(self._clock() * 1000)}
        self._kept[policy_id] = {"policy_id": policy_id, **made, **self._checked(values, ""), "acl": {}}
        return policy_id

    def edit(self, member: Member, policy_id: str, values: dict[str, Any]) -> None:
        """Every attribute is replaced."""
        _admin(member)
        before = self.find(policy_id)
        kept = {name: value for name, value in before.items() if name not in FIELDS}
        self._kept[policy_id] = kept | self._checked(values, policy_id)

    def delete(self, member: Member, policy_id: str) -> None:
        _admin(member)
        self.find(policy_id)
        del self._kept[policy_id]

    def find(self, policy_id: str) -> Policy:
        """The policy, whoever asks. Raises ApiError 404 (the text as a client has it)."""
        policy: Policy | None = self._kept.get(policy_id)
        if policy is None:
            raise missing(f"Can't find a cluster policy with id: {policy_id}.")
        return policy

    def get(self, member: Member, policy_id: str) -> Policy:
        policy = self.find(policy_id)
        if not _may(member, policy):
            raise lacks(member.name, "Use", f"cluster policy {policy_id}")
        return _shown(policy)

    def list(self, member: Member) -> list[Policy]:
        """Those that the member may use, by creation."""
        return [_shown(policy) for policy in self._kept.values() if _may(member, policy)]

    def set_acl(self, policy_id: str, acl: dict[str, str]) -> None:
        self._kept[policy_id] = self.find(policy_id) | {"acl": acl}

    def _checked(self, values: dict[str, Any], own_id: str) -> Policy:
        if refused := [name for name in NOT_BUILT if values.get(name)]:
            raise not_simulated(f"{refused[0]} in a cluster policy")
        name, definition = values.get("name"), values.get("definition", "{}")
        if not isinstance(name, str) or not 1 <= len(name) <= 100:
            raise invalid("The name of a cluster policy must have 1 to 100 characters")
        if any(other["name"] == name and key != own_id for key, other in self._kept.items()):
            raise invalid(f"Policy name '{name}' already exists.")
        try:
            rules = json.loads(definition) if isinstance(definition, str) else None
        except (ValueError, RecursionError):
            rules = None
        if not isinstance(rules, dict) or not all(isinstance(rule, dict) for rule in rules.values()):
            raise invalid(
                "The definition of a cluster policy must be a JSON document of rules by attribute, as a string"
            )
        return {field: values[field] for field in FIELDS if values.get(field) is not None} | {"definition": definition}


def _may(member: Member, policy: Policy) -> bool:
    return member.admin or highest(POLICY_LEVELS, [policy["acl"]], member) > 0


def _admin(member: Member) -> None:
    if not member.admin:
        raise denied(f"{member.name} is not authorized to change cluster policies. Only workspace admins are.")


def _shown(policy: Policy) -> Policy:
    return {name: value for name, value in policy.items() if name != "acl"} | {"is_default": False}
