"""Microsoft.Resources/resourceGroups (learn.microsoft.com/rest/api/resources/resource-groups)."""

from __future__ import annotations

import re
from typing import Any

from rehearsal.resource_manager.errors import ServiceError
from rehearsal.resource_manager.identifiers import group_id
from rehearsal.resource_manager.providers.base import ResourceType, Write, location
from rehearsal.resource_manager.template.evaluate import Pending

Json = Any
_NAME = re.compile(r"[-\w.()]{0,89}[-\w()]")


class ResourceGroup(ResourceType):
    name = "Microsoft.Resources/resourceGroups"
    read_only = ("properties.provisioningState",)

    @property
    def actions(self) -> str:
        return "Microsoft.Resources/subscriptions/resourceGroups"

    def check(self, write: Write) -> None:
        name = write.id.name
        if not _NAME.fullmatch(name):
            raise ServiceError(
                400,
                "InvalidResourceGroup",
                f"The provided resource group name '{name}' has these invalid characters or is longer than 90, or ends with "
                "a period. The name can only be a letter, digit, '-', '.', '(', ')' or '_'.",
            )
        given = write.body.get("location")
        if not given:
            raise ServiceError(400, "LocationRequired", "The location property is required for this definition.")
        if write.existing is None or isinstance(given, Pending):
            return
        if location(given) != location(write.existing["location"]):
            raise ServiceError(
                409,
                "InvalidResourceGroupLocation",
                f"Invalid resource group location '{location(given)}'. The Resource group already exists in location "
                f"'{write.existing['location']}'.",
            )

    def build(self, write: Write) -> dict[str, Json]:
        resource = self.basis(write, {"provisioningState": "Succeeded"})
        # The group's own id has no /providers/ in it.
        resource["id"] = group_id(write.subscription, write.id.name)
        if write.existing is not None:
            resource["id"] = write.existing["id"]
            resource["name"] = write.existing["name"]
        if write.body.get("managedBy"):
            resource["managedBy"] = write.body["managedBy"]
        return resource


TYPES = (ResourceGroup,)
