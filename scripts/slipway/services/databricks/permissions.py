"""Permissions on objects, and who is in the workspace (SCIM)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slipway.services.databricks.client import Client
from slipway.services.databricks.errors import DatabricksError, NotFound

# https://docs.databricks.com/api/workspace/accountaccesscontrolproxy
_RULE_SETS = "/preview/accounts/access-control/rule-sets"
_USER = "roles/servicePrincipal.user"
_SCIM_TYPE = {"Content-Type": "application/scim+json"}


@dataclass(frozen=True)
class RuleSet:
    """Who may do what with a service principal, as the account keeps it."""

    name: str
    etag: str
    grant_rules: tuple[Mapping[str, Any], ...]

    def lets_use(self, application_id: str, groups: Iterable[str] = ()) -> bool:
        """Whether jobs may be run as it by a service principal that is in these groups."""
        wanted = {f"servicePrincipals/{application_id}".lower(), *(f"groups/{group}".lower() for group in groups)}
        return any(
            rule.get("role") == _USER and wanted & {str(one).lower() for one in rule.get("principals") or []}
            for rule in self.grant_rules
        )

    def with_user(self, application_id: str) -> RuleSet:
        """The rules with one more: the others stay as they are."""
        rule = {"role": _USER, "principals": [f"servicePrincipals/{application_id}"]}
        return RuleSet(self.name, self.etag, (*self.grant_rules, rule))


class Permissions:
    client: Client

    def get_permissions(self, kind: str, object_id: int | str) -> dict[str, Any]:
        """The object's access list; kind: jobs, directories, notebooks, files, …"""
        return self.client.perform_query("GET", f"/permissions/{kind}/{object_id}")

    def set_permissions(self, kind: str, object_id: int | str, acl: Sequence[Mapping[str, str]]) -> None:
        """Replaces what is granted directly; inherited permissions stay."""
        self.client.perform_query("PUT", f"/permissions/{kind}/{object_id}", data={"access_control_list": list(acl)})

    def add_permissions(self, kind: str, object_id: int | str, acl: Sequence[Mapping[str, str]]) -> None:
        """Grants these, and leaves what others were granted."""
        self.client.perform_query("PATCH", f"/permissions/{kind}/{object_id}", data={"access_control_list": list(acl)})

    def me(self) -> dict[str, Any]:
        """Who the workspace takes this identity for."""
        return self.client.perform_query("GET", "/preview/scim/v2/Me")

    def find_service_principal(self, application_id: str) -> dict[str, Any] | None:
        """The service principal in this workspace, or None."""
        query = {"filter": f'applicationId eq "{application_id}"'}
        found = (
            self.client.perform_query("GET", "/preview/scim/v2/ServicePrincipals", data=query).get("Resources") or []
        )
        return next((one for one in found if one.get("applicationId") == application_id), None)

    def find_group(self, name: str) -> dict[str, Any] | None:
        """The group of that name in this workspace, without its members, or None."""
        query = {"filter": f'displayName eq "{name}"', "attributes": "id,displayName,entitlements"}
        found = self.client.perform_query("GET", "/preview/scim/v2/Groups", data=query).get("Resources") or []
        return next((one for one in found if str(one.get("displayName", "")).lower() == name.lower()), None)

    def find_user(self, name: str) -> dict[str, Any] | None:
        """The user in this workspace, or None."""
        query = {"filter": f'userName eq "{name}"'}
        found = self.client.perform_query("GET", "/preview/scim/v2/Users", data=query).get("Resources") or []
        return next((one for one in found if str(one.get("userName", "")).lower() == name.lower()), None)

    def add_service_principal(self, application_id: str, display_name: str) -> None:
        """Adds it to the workspace, allowed to make job clusters. Raises DatabricksError when it is there already."""
        body = {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal"],
            "applicationId": application_id,
            "displayName": display_name,
            "active": True,
            # Without it a run on a new cluster that no policy covers is refused.
            "entitlements": [{"value": "workspace-access"}, {"value": "allow-cluster-create"}],
        }
        self.client.perform_query("POST", "/preview/scim/v2/ServicePrincipals", data=body, headers=_SCIM_TYPE)

    def entitle(self, member_id: str, entitlement: str) -> None:
        """Gives a service principal, by the id that the workspace gave it, one entitlement more."""
        operation = {"op": "add", "path": "entitlements", "value": [{"value": entitlement}]}
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]}
        path = f"/preview/scim/v2/ServicePrincipals/{member_id}"
        self.client.perform_query("PATCH", path, data=body, headers=_SCIM_TYPE)

    def remove_service_principal(self, member_id: str) -> None:
        """Takes it out of the workspace; one that has gone is fine."""
        try:
            self.client.perform_query("DELETE", f"/preview/scim/v2/ServicePrincipals/{member_id}")
        except NotFound:
            return

    def has_group(self, name: str) -> bool:
        """Whether the workspace has a group of that name (SCIM compares it without regard to case)."""
        query = {"filter": f'displayName eq "{name}"', "attributes": "displayName"}
        found = self.client.perform_query("GET", "/preview/scim/v2/Groups", data=query).get("Resources") or []
        return any(str(one.get("displayName")).lower() == name.lower() for one in found)

    def account_id(self) -> str | None:
        """The Databricks account that the workspace is in, as the Databricks command finds it out after signing in
        (github.com/databricks/cli, libs/auth/introspect.go); None where the workspace does not say it."""
        try:
            found = self.client.perform_query("GET", "/tokens/introspect")
        except DatabricksError:
            return None
        scope = (found.get("principal_context") or {}).get("authentication_scope") or {}
        return str(scope.get("account_id") or "") or None

    def users_of(self, account_id: str, application_id: str) -> RuleSet:
        """The rules of who may use a service principal. Takes Service Principal Manager of it, or account admin."""
        name = f"accounts/{account_id}/servicePrincipals/{application_id}/ruleSets/default"
        answer = self.client.perform_query("GET", _RULE_SETS, data={"name": name, "etag": ""})
        return RuleSet(name, str(answer.get("etag") or ""), tuple(answer.get("grant_rules") or ()))

    def set_users(self, rules: RuleSet) -> None:
        """Replaces the rules; refused where somebody else changed them since they were read (its etag)."""
        body = {"name": rules.name, "etag": rules.etag, "grant_rules": list(rules.grant_rules)}
        self.client.perform_query("PUT", _RULE_SETS, data={"name": rules.name, "rule_set": body})
