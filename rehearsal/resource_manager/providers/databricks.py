"""Microsoft.Databricks: workspaces, which answer as soon as they are deployed, and access connectors.

Source: learn.microsoft.com/rest/api/databricks/workspaces and …/access-connectors. Making a workspace takes minutes in
Azure; here it is there when its deployment has ended.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from rehearsal.resource_manager.errors import ServiceError, not_here
from rehearsal.resource_manager.identifiers import fold, group_of, parse, subscription_of
from rehearsal.resource_manager.providers.base import ResourceType, Write, check_location
from rehearsal.resource_manager.providers.identity import assigned, identity
from rehearsal.resource_manager.template.evaluate import Pending
from rehearsal.resource_manager.template.hashes import hash64

Json = Any
# learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftdatabricks
_NAME = re.compile(r"[-\w]{3,64}", re.ASCII)
_SKUS = ("standard", "premium", "trial")
_KEPT = ("createdBy", "createdDateTime", "storageAccountIdentity", "workspaceId", "workspaceUrl")
_GROUP = re.compile(r"/subscriptions/[^/]+/resourceGroups/[^/]+", re.IGNORECASE)


class Workspace(ResourceType):
    name = "Microsoft.Databricks/workspaces"
    tracked = True
    shape: ClassVar[Mapping[str, type]] = {
        "properties.managedResourceGroupId": str,
        "properties.parameters": dict,
        "properties.publicNetworkAccess": str,
        "properties.requiredNsgRules": str,
    }
    read_only = (
        "properties.authorizations",
        "properties.createdBy",
        "properties.createdDateTime",
        "properties.isUcEnabled",
        "properties.provisioningState",
        "properties.storageAccountIdentity",
        "properties.updatedBy",
        "properties.workspaceId",
        "properties.workspaceUrl",
    )

    def check(self, write: Write) -> None:
        check_location(write)
        if not _NAME.fullmatch(write.id.name):
            raise ServiceError(
                400,
                "InvalidWorkspaceName",  # code and sentence unverified
                f"The workspace name '{write.id.name}' is not valid: 3 to 64 letters, digits, '-' and '_'.",
            )
        sku = (write.body.get("sku") or {}).get("name", "premium")
        if not isinstance(sku, Pending) and str(sku).lower() not in _SKUS:
            raise ServiceError(400, "InvalidSku", f"The SKU '{sku}' is not valid: {', '.join(_SKUS)}.")  # unverified
        mode = write.properties.get("computeMode")
        if mode is not None and mode != "Hybrid":
            raise not_here(f"Databricks workspaces of compute mode '{mode}'")
        self._check_group(write)

    def _check_group(self, write: Write) -> None:
        """The managed group: another one, not there before, and for ever the same."""
        wanted = write.properties.get("managedResourceGroupId")
        if isinstance(wanted, Pending):
            return
        if not isinstance(wanted, str) or not _GROUP.fullmatch(wanted):
            raise ServiceError(
                400, "InvalidManagedResourceGroupId", "The managed resource group id is missing or not valid."
            )  # unverified
        before = ((write.existing or {}).get("properties") or {}).get("managedResourceGroupId")
        if before is not None:
            if fold(before) != fold(wanted):
                raise ServiceError(
                    400, "InvalidUpdate", "The managed resource group of a workspace can't be changed."
                )  # unverified
            return
        if fold(wanted) == fold(f"/subscriptions/{write.subscription}/resourceGroups/{write.group}"):
            raise ServiceError(
                400,
                "InvalidManagedResourceGroupId",
                "The managed resource group must be another one than the workspace's.",
            )  # unverified
        taken = self.world.resources.get(wanted)
        if taken is not None and fold(str(taken.get("managedBy", ""))) != fold(str(write.id)):
            raise ServiceError(
                409,
                "ApplicationManagedResourceGroupNotEmpty",  # unverified
                f"The managed resource group '{group_of(wanted)}' exists already.",
            )

    def build(self, write: Write) -> dict[str, Json]:
        before = (write.existing or {}).get("properties") or {}
        number, host = address(str(write.id))
        known = {key: before[key] for key in _KEPT if key in before}
        who = {"oid": write.caller.object_id, "applicationId": write.caller.app_id}
        properties = {
            "publicNetworkAccess": "Enabled",
            "requiredNsgRules": "AllRules",
            **{key: value for key, value in write.properties.items() if value is not None},
            "createdBy": who,
            "createdDateTime": self.moment(),
            "updatedBy": who,
            "workspaceId": number,
            "workspaceUrl": host,
            **known,
            "isUcEnabled": False,
            "provisioningState": "Succeeded",
        }
        given = write.properties.get("parameters") or {}
        # Parameters come back with their type beside the value.
        properties["parameters"] = {
            **(before.get("parameters") or {}),
            **{
                name: {"type": _TYPES.get(type(one.get("value")), "String"), **one}
                for name, one in given.items()
                if isinstance(one, dict)
            },
        }
        resource = self.basis(write, properties)
        resource["sku"] = {"name": str((write.body.get("sku") or {}).get("name", "premium"))}
        known_identity = identity(write)
        if known_identity is not None:
            resource["identity"] = known_identity
        return resource

    def put(self, write: Write) -> dict[str, Json]:
        resource = self.build(write)
        managed = resource["properties"]["managedResourceGroupId"]
        if resource["properties"]["parameters"].get("prepareEncryption", {}).get("value") is True:
            self._identify_storage(write, resource)
        if self.world.resources.get(managed) is None:
            group = self.world.resources.put_group(
                str(subscription_of(managed)), str(group_of(managed)), location=resource["location"], tags={}
            )
            self.world.resources.put({**group, "managedBy": resource["id"]})
        self.world.resources.put(resource)
        if self.world.workspaces is not None:
            properties = resource["properties"]
            self.world.workspaces.add(properties["workspaceUrl"], resource["id"], properties["workspaceId"])
        return resource

    def _identify_storage(self, write: Write, resource: dict[str, Json]) -> None:
        """prepareEncryption: the workspace's own storage account gets an identity, for keys of a vault."""
        tenant = self.tenant(write)
        principal = self.world.directory.add_managed_identity(
            tenant_id=tenant,
            resource_id=f"{resource['id']}/storageAccountIdentity",
            display_name=f"dbstorage {write.id.name}",
        )
        found = {"principalId": principal.object_id, "tenantId": tenant, "type": "SystemAssigned"}
        resource["properties"]["storageAccountIdentity"] = found

    def delete(self, resource_id: str) -> None:
        resource = self.get(resource_id)
        super().delete(resource_id)
        if resource is None:
            return
        self.world.resources.delete(resource["properties"]["managedResourceGroupId"])
        if self.world.workspaces is not None:
            self.world.workspaces.remove(resource["properties"]["workspaceUrl"])


_TYPES: Mapping[type, str] = {bool: "Bool", str: "String", dict: "Object"}


def address(resource_id: str) -> tuple[str, str]:
    """Number and host of a workspace, the same ones each time: adb-<16 digits>.<0 to 19>.azuredatabricks.net."""
    number = 10**15 + hash64(fold(resource_id).encode()) % (9 * 10**15)
    return str(number), f"adb-{number}.{number % 20}.azuredatabricks.net"


class AccessConnector(ResourceType):
    """An identity for storage credentials of Unity Catalog; no workspace here uses it."""

    name = "Microsoft.Databricks/accessConnectors"
    tracked = True
    read_only = ("identity.principalId", "identity.tenantId", "properties.provisioningState", "properties.referedBy")

    def check(self, write: Write) -> None:
        check_location(write)
        if not _NAME.fullmatch(parse(str(write.id)).name):
            raise ServiceError(
                400, "InvalidAccessConnectorName", f"The access connector name '{write.id.name}' is not valid."
            )  # unverified

    def build(self, write: Write) -> dict[str, Json]:
        resource = self.basis(write, {"provisioningState": "Succeeded", "referedBy": []})
        resource.setdefault("tags", {})
        known = identity(write)
        if known is not None:
            resource["identity"] = known
        return resource

    def put(self, write: Write) -> dict[str, Json]:
        resource = assigned(self, write, self.build(write))
        self.world.resources.put(resource)
        return resource


TYPES = (Workspace, AccessConnector)
