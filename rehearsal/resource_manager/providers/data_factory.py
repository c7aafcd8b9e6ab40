"""Microsoft.DataFactory/factories (learn.microsoft.com/rest/api/datafactory/factories/create-or-update).

A PUT replaces the factory: global parameters and the Git link are gone unless the body brings them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from rehearsal.resource_manager.errors import ServiceError
from rehearsal.resource_manager.identifiers import fold
from rehearsal.resource_manager.providers.base import ResourceType, Write, check_location
from rehearsal.resource_manager.providers.identity import assigned, identity

Json = Any
# learn.microsoft.com/azure/data-factory/naming-rules: 3 to 63, letters, digits and single dashes.
_NAME = re.compile(r"(?=.{3,63}$)[A-Za-z0-9]+(-[A-Za-z0-9]+)*")


class Factory(ResourceType):
    name = "Microsoft.DataFactory/factories"
    tracked = True
    created_status = 200
    shape: ClassVar[Mapping[str, type]] = {"properties.globalParameters": dict, "properties.repoConfiguration": dict}
    read_only = (
        "eTag",
        "identity.principalId",
        "identity.tenantId",
        "properties.createTime",
        "properties.provisioningState",
        "properties.version",
    )

    def check(self, write: Write) -> None:
        check_location(write)
        name = write.id.name
        if not _NAME.fullmatch(name):
            raise ServiceError(
                400,
                "InvalidFactoryName",
                f"Factory name '{name}' is invalid. It can contain only letters, numbers and dashes, 3 to 63 characters, "
                "every dash between letters or numbers.",
            )
        other = self.world.resources.find(self.name, name)
        if other is not None and fold(other["id"]) != fold(str(write.id)):
            raise ServiceError(
                409,
                "DataFactoryNameInUse",
                f"The specified resource name '{name}' is already in use. Resource names must be globally unique.",
            )

    def build(self, write: Write) -> dict[str, Json]:
        before = (write.existing or {}).get("properties", {})
        given = {key: value for key, value in write.properties.items() if value is not None}
        resource = self.basis(
            write,
            {
                "publicNetworkAccess": "Enabled",
                **given,
                "provisioningState": "Succeeded",
                "createTime": before.get("createTime") or self.moment(),
                "version": "2018-06-01",
            },
        )
        resource.setdefault("tags", {})
        known = identity(write)
        if known is not None:
            resource["identity"] = known
        if write.existing is not None:
            resource["eTag"] = write.existing["eTag"]
        return resource

    def put(self, write: Write) -> dict[str, Json]:
        resource = assigned(self, write, self.build(write))
        if resource != write.existing:
            number = self.world.store.next_id("data_factory/etags")
            resource["eTag"] = f'"{number:08x}-0000-0d00-0000-{int(self.world.clock()):08x}0000"'
        self.world.resources.put(resource)
        return resource


TYPES = (Factory,)
