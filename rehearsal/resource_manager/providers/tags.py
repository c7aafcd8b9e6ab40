"""Microsoft.Resources/tags: the tags of a group or resource, as a resource of their own.

learn.microsoft.com/rest/api/resources/tags (at scope)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rehearsal.resource_manager.errors import ServiceError
from rehearsal.resource_manager.identifiers import parse
from rehearsal.resource_manager.providers.base import ResourceType, Write, check_tags

Json = Any


class Tags(ResourceType):
    name = "Microsoft.Resources/tags"
    requests = ("GET", "PUT", "DELETE")
    created_status = 200
    shape: ClassVar[Mapping[str, type]] = {"properties.tags": dict}

    def get(self, resource_id: str) -> dict[str, Json] | None:
        parsed = parse(resource_id)
        holder = self._holder(parsed.scope)
        if holder is None or parsed.name.lower() != "default":
            return None
        return self._shown(resource_id, holder.get("tags") or {})

    def check(self, write: Write) -> None:
        if write.id.name.lower() != "default":
            raise ServiceError(404, "ResourceNotFound", f"There are no tags named '{write.id.name}'.")  # unverified
        check_tags(write.properties.get("tags") or {})

    def build(self, write: Write) -> dict[str, Json]:
        return self._shown(str(write.id), dict(write.properties.get("tags") or {}))

    def put(self, write: Write) -> dict[str, Json]:
        resource = self.build(write)
        self._write(write.id.scope, resource["properties"]["tags"])
        return resource

    def delete(self, resource_id: str) -> None:
        self._write(parse(resource_id).scope, {})

    def changed(self, resource_id: str, operation: str, tags: Mapping[str, str]) -> dict[str, Json]:
        """Replace, Merge or Delete some tags (Tags - Update At Scope); they are written by `put`. Raises ServiceError."""
        before = (self._holder(parse(resource_id).scope) or {}).get("tags") or {}
        folded = {key.lower(): key for key in before}
        if operation == "replace":
            return dict(tags)
        found = dict(before)
        for key, value in tags.items():
            known = folded.get(key.lower(), key)
            if operation == "merge":
                found[known] = value
            elif operation == "delete":
                if found.get(known) == value:
                    del found[known]
            else:
                raise ServiceError(400, "InvalidRequestContent", f"The operation '{operation}' is not valid.")
        return found

    def _holder(self, scope: str) -> dict[str, Json] | None:
        found = self.world.resources.get(scope)
        if found is None and scope.count("/") == 2:
            return self.world.resources.subscription(scope.split("/")[2])
        return found

    def _write(self, scope: str, tags: Mapping[str, str]) -> None:
        if scope.count("/") == 2:
            self.world.resources.tag_subscription(scope.split("/")[2], tags)
            return
        holder = self.world.resources.get(scope)
        if holder is not None:
            self.world.resources.put({**holder, "tags": dict(tags)})

    def _shown(self, resource_id: str, tags: Mapping[str, str]) -> dict[str, Json]:
        return {"id": resource_id, "name": "default", "type": self.name, "properties": {"tags": dict(tags)}}


TYPES = (Tags,)
