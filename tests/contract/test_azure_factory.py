"""azure-mgmt-datafactory: what a factory holds, its triggers and its runs."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.mgmt.datafactory import DataFactoryManagementClient
from azure.mgmt.datafactory.models import RunFilterParameters

from tests.contract.place import LIMIT_SECONDS, Place

pytestmark = pytest.mark.contract
DATABRICKS = {"type": "AzureDatabricks", "typeProperties": {"domain": "https://x", "existingClusterId": "0"}}
WAIT = {"name": "wait", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 1}}
DATASET = {
    "type": "Binary",
    "linkedServiceName": {"referenceName": "storage", "type": "LinkedServiceReference"},
    "typeProperties": {"location": {"type": "AzureBlobFSLocation", "fileSystem": "data"}},
}
# Operations of the client -> the name of the child, and its properties, in an order in which references are there.
CHILDREN: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("linked_services", "storage", {"type": "AzureBlobFS", "typeProperties": {"url": "https://x.dfs.core.windows.net"}}),
    ("datasets", "table", DATASET),
    ("data_flows", "flow", {"type": "MappingDataFlow", "typeProperties": {"sources": [], "sinks": []}}),
    ("pipelines", "nightly", {"activities": [WAIT], "parameters": {"day": {"type": "string", "defaultValue": "1"}}}),
    ("integration_runtimes", "own", {"type": "SelfHosted"}),
    ("credential_operations", "identity", {"type": "ManagedIdentity", "typeProperties": {"resourceId": "/x"}}),
    ("managed_virtual_networks", "default", {}),
    ("global_parameters", "default", {"stage": {"type": "String", "value": "test"}}),
    ("change_data_capture", "capture", {"SourceConnectionsInfo": [], "policy": {"mode": "Microbatch"}}),
)  # fmt: skip
SCHEDULE = {
    "type": "ScheduleTrigger",
    "pipelines": [{"pipelineReference": {"referenceName": "nightly", "type": "PipelineReference"}}],
    "typeProperties": {"recurrence": {"frequency": "Day", "interval": 1, "startTime": "2030-01-01T00:00:00Z", "timeZone": "UTC"}},
}  # fmt: skip


class Factory:
    """One factory of the tests, with the vendor's client."""

    def __init__(self, sdk: DataFactoryManagementClient, group: str, name: str) -> None:
        self.sdk: Any = sdk
        self.where = (group, name)

    def put(self, kind: str, name: str, properties: dict[str, Any]) -> Any:
        body = io.BytesIO(json.dumps({"properties": properties}).encode())
        return getattr(self.sdk, kind).create_or_update(*self.where, name, body)

    def run(self, pipeline: str, **parameters: Any) -> Any:
        """A run of a pipeline, ended."""
        run_id = self.sdk.pipelines.create_run(*self.where, pipeline, parameters=parameters or None).run_id
        until = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < until:
            run = self.sdk.pipeline_runs.get(*self.where, run_id)
            if run.status not in ("Queued", "InProgress", "Canceling"):
                return run
            time.sleep(0.5)
        raise AssertionError(f"{pipeline} did not end")


@pytest.fixture(scope="module")
def factory(group: str, place: Place) -> Iterator[Factory]:
    sdk = DataFactoryManagementClient(DefaultAzureCredential(), place.subscription)
    made = Factory(sdk, group, place.name("definitions"))
    body = {"location": place.location, "identity": {"type": "SystemAssigned"}}
    sdk.factories.create_or_update(*made.where, io.BytesIO(json.dumps(body).encode()))
    for kind, name, properties in CHILDREN:
        made.put(kind, name, properties)
    made.put("triggers", "daily", SCHEDULE)
    yield made
    for kind, name in (("triggers", "daily"), *((kind, name) for kind, name, _ in reversed(CHILDREN))):
        if kind != "managed_virtual_networks":  # there is no such operation
            getattr(sdk, kind).delete(*made.where, name)
    sdk.factories.delete(*made.where)


def test_the_factory_itself(factory: Factory, group: str) -> None:
    name = factory.where[1]
    assert factory.sdk.factories.get(*factory.where).provisioning_state == "Succeeded"
    assert name in [one.name for one in factory.sdk.factories.list_by_resource_group(group)]
    assert name in [one.name for one in factory.sdk.factories.list()]
    changed = factory.sdk.factories.update(*factory.where, {"tags": {"release": "7"}})
    assert changed.tags == {"release": "7"}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, name, _ in CHILDREN] + [("triggers", "daily")])
def test_what_it_holds(factory: Factory, kind: str, name: str) -> None:
    operations = getattr(factory.sdk, kind)
    found = operations.get(*factory.where, name)
    assert found.name == name
    assert name in [one.name for one in operations.list_by_factory(*factory.where)]
    if kind in ("pipelines", "datasets", "linked_services", "triggers"):
        unchanged = operations.get(*factory.where, name, etag=found.etag, match_condition=MatchConditions.IfModified)
        assert unchanged is None  # 304


def test_private_endpoints_of_its_network(factory: Factory) -> None:
    body = io.BytesIO(json.dumps({"properties": {"groupId": "blob", "privateLinkResourceId": "/x"}}).encode())
    endpoints = factory.sdk.managed_private_endpoints
    endpoints.create_or_update(*factory.where, "default", "blob", body)
    assert endpoints.get(*factory.where, "default", "blob").name == "blob"
    assert [one.name for one in endpoints.list_by_factory(*factory.where, "default")] == ["blob"]
    endpoints.delete(*factory.where, "default", "blob")


def test_what_is_referred_to_stays(factory: Factory) -> None:
    with pytest.raises(HttpResponseError, match="referenced"):
        factory.sdk.pipelines.delete(*factory.where, "nightly")
    with pytest.raises(HttpResponseError, match="invalid reference 'none'"):
        dataset = {**DATASET, "linkedServiceName": {"referenceName": "none", "type": "LinkedServiceReference"}}
        factory.put("datasets", "other", dataset)


def test_triggers_start_and_stop(factory: Factory) -> None:
    triggers = factory.sdk.triggers
    triggers.begin_start(*factory.where, "daily").result()
    assert triggers.get(*factory.where, "daily").properties.runtime_state == "Started"
    assert [one.name for one in triggers.query_by_factory(*factory.where, {}).value] == ["daily"]
    triggers.begin_stop(*factory.where, "daily").result()
    assert triggers.get(*factory.where, "daily").properties.runtime_state == "Stopped"


def test_triggers_of_events_are_subscribed(factory: Factory) -> None:
    event = {
        "type": "BlobEventsTrigger",
        "pipelines": SCHEDULE["pipelines"],
        "typeProperties": {"scope": "/x", "events": ["Microsoft.Storage.BlobCreated"], "blobPathBeginsWith": "/data/"},
    }
    factory.put("triggers", "arrived", event)
    triggers = factory.sdk.triggers
    triggers.begin_subscribe_to_events(*factory.where, "arrived").result()
    assert triggers.get_event_subscription_status(*factory.where, "arrived").status == "Enabled"
    triggers.begin_unsubscribe_from_events(*factory.where, "arrived").result()
    triggers.delete(*factory.where, "arrived")


def test_runs_of_pipelines(factory: Factory) -> None:
    run = factory.run("nightly", day="2")
    assert (run.status, run.parameters) == ("Succeeded", {"day": "2"})
    now = datetime.now(UTC)
    window = RunFilterParameters(
        last_updated_after=now - timedelta(hours=1), last_updated_before=now + timedelta(hours=1)
    )
    sdk = factory.sdk
    activities = sdk.activity_runs.query_by_pipeline_run(*factory.where, run.run_id, window).value
    assert [(one.activity_name, one.status) for one in activities] == [("wait", "Succeeded")]
    assert run.run_id in [one.run_id for one in sdk.pipeline_runs.query_by_factory(*factory.where, window).value]
    assert sdk.trigger_runs.query_by_factory(*factory.where, window).value == []
    sdk.pipeline_runs.cancel(*factory.where, run.run_id)  # it has ended: nothing happens
    with pytest.raises(ResourceNotFoundError):
        sdk.pipelines.get(*factory.where, "none")
