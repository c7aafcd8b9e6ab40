"""What a factory holds, as resource types: requests, ARM deployments, roles and locks all treat them alike.

Sources: learn.microsoft.com/rest/api/datafactory (2018-06-01), azure-rest-api-specs' examples of that version, and texts of
errors as public issues quote them (named beside each).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from rehearsal.data_factory.activity_graph import declarations, mistake
from rehearsal.data_factory.references import missing, referrer
from rehearsal.data_factory.trigger_states import RESTLESS, TriggerStates
from rehearsal.resource_manager.errors import ServiceError
from rehearsal.resource_manager.identifiers import fold, parse
from rehearsal.resource_manager.providers.base import ResourceType, Write
from rehearsal.resource_manager.template.evaluate import Pending

Json = Any
FACTORY = "Microsoft.DataFactory/factories"
# learn.microsoft.com/azure/data-factory/naming-rules. That linked services, datasets and data flows take no dashes, as the page
# says, is not so: real factories have them.
_NAME = re.compile(r"[^<>*%&:\\?/+]{1,260}")


def factory_of(resource_id: str) -> str:
    """The id of the factory that an object belongs to."""
    segments = resource_id.split("/")
    lowered = [segment.lower() for segment in segments]
    return "/".join(segments[: lowered.index("factories") + 2])


class Definition(ResourceType):
    """A child of a factory that is nothing but its JSON. typed: its properties name a type."""

    created_status = 200
    read_only: tuple[str, ...] = ("etag",)
    typed = True
    shape: ClassVar[Mapping[str, type]] = {"properties.type": str}

    def check(self, write: Write) -> None:
        if not _NAME.fullmatch(write.id.name):
            raise ServiceError(400, "BadRequest", f"The document name '{write.id.name}' is invalid.")  # text unverified
        if self.typed and not write.properties.get("type"):
            # Text unverified.
            raise ServiceError(
                400, "BadRequest", f"The properties of '{write.id.name}' need a type.", target=_target(str(write.id))
            )

    def build(self, write: Write) -> dict[str, Json]:
        given = {key: value for key, value in write.properties.items() if value is not None}
        return {
            "id": str(write.id) if write.existing is None else write.existing["id"],
            "name": write.id.name if write.existing is None else write.existing["name"],
            "type": self.name,
            "properties": given,
        }

    def put(self, write: Write) -> dict[str, Json]:
        """A reference to something that is not there is refused (azure.datafactory.tools issue 93 quotes the text)."""
        resource = self.build(write)
        own = resource["id"]
        wrong = missing(self.world.resources, factory_of(own), own, resource["properties"])
        if wrong is not None:
            raise ServiceError(
                400,
                "BadRequest",
                f"The document creation or update failed because of invalid reference '{wrong.name}'.",
                target=_target(own),
            )
        self.before_change(own)
        resource["etag"] = self.new_etag()
        self.world.resources.put(resource)
        return resource

    def delete(self, resource_id: str) -> None:
        """What others refer to stays (liprec/vsts-publish-adf issue 57 quotes code, text and target)."""
        self.before_change(resource_id)
        by = referrer(self.world.resources, factory_of(resource_id), resource_id)
        if by is not None:
            raise ServiceError(
                400,
                "BadRequest",
                f"The document cannot be deleted since it is referenced by {by}.",
                target=_target(resource_id),
            )
        super().delete(resource_id)

    def before_change(self, resource_id: str) -> None:
        """Raises ServiceError where an object's state forbids changing or deleting it."""

    def new_etag(self) -> str:
        """Every write makes a new one, also a write of the same (unverified); the form is that of the service's examples."""
        number = self.world.store.next_id("data_factory/etags")
        return f"{number:08x}-0000-0d00-0000-{int(self.world.clock()):08x}0000"


class Pipeline(Definition):
    name = f"{FACTORY}/pipelines"
    typed = False
    shape: ClassVar[Mapping[str, type]] = {
        "properties.parameters": dict,
        "properties.variables": dict,
        "properties.activities": list,
    }

    def check(self, write: Write) -> None:
        super().check(write)
        wrong = declarations(write.properties) or mistake(write.properties.get("activities") or [])
        if wrong:
            raise ServiceError(400, "BadRequest", wrong, target=_target(str(write.id)))


class Dataset(Definition):
    name = f"{FACTORY}/datasets"


class DataFlow(Definition):
    name = f"{FACTORY}/dataflows"


class LinkedService(Definition):
    """Secure strings are taken in and never given out: `encryptedCredential` stands for them (the examples of the service)."""

    name = f"{FACTORY}/linkedservices"
    read_only = ("etag", "properties.typeProperties.encryptedCredential")

    def build(self, write: Write) -> dict[str, Json]:
        resource = super().build(write)
        settings = resource["properties"].get("typeProperties")
        if isinstance(settings, dict):
            shown = {key: value for key, value in settings.items() if not _is_secure(value)}
            if len(shown) < len(settings):
                shown["encryptedCredential"] = base64.b64encode(resource["id"].lower().encode()).decode()
            resource["properties"]["typeProperties"] = shown
        return resource

    def put(self, write: Write) -> dict[str, Json]:
        resource = super().put(write)
        settings = write.properties.get("typeProperties")
        kept = self.world.store.collection("data_factory/credentials")
        given = settings if isinstance(settings, dict) else {}
        secure = {key: value.get("value") for key, value in given.items() if _is_secure(value)}
        if secure:
            kept[fold(resource["id"])] = secure
        elif "encryptedCredential" not in given:
            kept.pop(fold(resource["id"]), None)
        return resource


class IntegrationRuntime(Definition):
    name = f"{FACTORY}/integrationruntimes"


class Credential(Definition):
    name = f"{FACTORY}/credentials"


class ManagedVirtualNetwork(Definition):
    name = f"{FACTORY}/managedVirtualNetworks"
    typed = False


class ManagedPrivateEndpoint(Definition):
    name = f"{FACTORY}/managedVirtualNetworks/managedPrivateEndpoints"
    typed = False


class ChangeDataCapture(Definition):
    name = f"{FACTORY}/adfcdcs"
    typed = False


class Trigger(Definition):
    """runtimeState is the service's: a PUT, and so a template, can't start a trigger (dfe-analytical-services issue 2164)."""

    name = f"{FACTORY}/triggers"
    read_only = ("etag", "properties.runtimeState")
    shape: ClassVar[Mapping[str, type]] = {
        "properties.type": str,
        "properties.typeProperties": dict,
        "properties.pipelines": list,
        "properties.pipelines[]": dict,
        "properties.pipelines[].pipelineReference": dict,
        "properties.pipelines[].parameters": dict,
    }

    def build(self, write: Write) -> dict[str, Json]:
        resource = super().build(write)
        before = (write.existing or {}).get("properties", {})
        resource["properties"]["runtimeState"] = before.get("runtimeState", "Stopped")
        return resource

    def put(self, write: Write) -> dict[str, Json]:
        resource = super().put(write)
        if write.existing is None:
            TriggerStates(self.world.store).forget(resource["id"])
        return resource

    def before_change(self, resource_id: str) -> None:
        """Texts: azure.datafactory.tools issues 350 (code and text) and 107."""
        found = self.get(resource_id)
        if found is None:
            return
        if found["properties"].get("runtimeState") == "Started":
            raise ServiceError(
                400,
                "TriggerEnabledCannotUpdate",
                "Cannot update enabled Trigger; the trigger needs to be disabled first. ",
                target=_target(resource_id),
            )
        if TriggerStates(self.world.store).subscription(resource_id) in RESTLESS:
            raise ServiceError(400, "BadRequest", "Resource cannot be updated during provisioning")

    def delete(self, resource_id: str) -> None:
        super().delete(resource_id)
        TriggerStates(self.world.store).forget(resource_id)


class GlobalParameters(Definition):
    """The factory's global parameters as one resource, `default`, written as a whole map: the same map as in the factory.

    That a factory without global parameters answers 404 here is unverified, and so is refusing other names.
    """

    name = f"{FACTORY}/globalparameters"
    typed = False
    shape: ClassVar[Mapping[str, type]] = {}

    def get(self, resource_id: str) -> dict[str, Json] | None:
        factory = self.world.resources.get(factory_of(resource_id))
        found = None if factory is None else factory["properties"].get("globalParameters")
        if found is None or factory is None or parse(resource_id).name.lower() != "default":
            return None
        etag = factory.get("eTag", "").strip('"')
        own = f"{factory['id']}/globalparameters/default"
        return {"id": own, "name": "default", "type": self.name, "properties": found, "etag": etag}

    def list(self, scope: str) -> list[dict[str, Json]]:
        found = self.get(f"{scope}/globalparameters/default")
        return [] if found is None else [found]

    def check(self, write: Write) -> None:
        if write.id.name.lower() != "default":
            raise ServiceError(400, "BadRequest", "Global parameters have the name 'default'.")
        for name, given in write.properties.items():
            if isinstance(given, Pending):
                continue
            if not isinstance(given, Mapping) or not {"type", "value"} <= set(given):
                raise ServiceError(400, "BadRequest", f"The global parameter '{name}' needs a type and a value.")

    def put(self, write: Write) -> dict[str, Json]:
        self._keep(str(write.id), dict(write.properties))
        found = self.get(str(write.id))
        if found is None:
            raise AssertionError("the parent was looked for before")
        return found

    def delete(self, resource_id: str) -> None:
        self._keep(resource_id, None)

    def _keep(self, resource_id: str, values: dict[str, Json] | None) -> None:
        factory = self.world.resources.get(factory_of(resource_id))
        if factory is not None:
            factory["properties"].pop("globalParameters", None)
            if values is not None:
                factory["properties"]["globalParameters"] = values
            factory["eTag"] = f'"{self.new_etag()}"'
            self.world.resources.put(factory)


def _is_secure(value: Json) -> bool:
    return isinstance(value, dict) and value.get("type") == "SecureString"


def _target(resource_id: str) -> str:
    return "/Microsoft.DataFactory/factories/" + resource_id.split("/factories/", 1)[-1]


TYPES = (
    Pipeline,
    Dataset,
    DataFlow,
    LinkedService,
    IntegrationRuntime,
    Credential,
    ManagedVirtualNetwork,
    ManagedPrivateEndpoint,
    ChangeDataCapture,
    Trigger,
    GlobalParameters,
)
