"""The same clients through the gateway: production hostnames, TLS, tokens of the local Entra ID."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from anyio.from_thread import start_blocking_portal
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import ClientSecretCredential
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from azure.mgmt.resource.resources import ResourceManagementClient

from rehearsal.entra.app import create_app as entra_app
from rehearsal.entra.directory import Directory
from rehearsal.gateway.gateway import Gateway
from rehearsal.resource_manager.app import create_app
from rehearsal.resource_manager.resources import Resources
from rehearsal.resource_manager.roles import Roles
from rehearsal.storage.accounts import StorageAccounts
from rehearsal.store import Store
from rehearsal.world import World
from tests.rehearsal.resource_manager.local_azure import (
    GROUP_ID,
    REPOSITORY,
    SUBSCRIPTION,
    SUBSCRIPTION_ID,
    TENANT,
    FakeAccounts,
    envelope,
)

ADMIN = "b1f0f3a4-9c1d-4d1a-8a56-0d9f6f1d2c3b"
RELEASE = "9b8a7c6d-5e4f-4d3c-8b2a-1f0e9d8c7b6a"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    store = Store(tmp_path / "store.sqlite")
    directory = Directory(store, time.time)
    directory.add_tenant(TENANT)
    for app, secret in ((ADMIN, "open sesame"), (RELEASE, None)):
        directory.add_service_principal(
            tenant_id=TENANT, app_id=app, object_id=app, display_name=app, client_secret=secret
        )
    made = World(
        folder=tmp_path,
        store=store,
        clock=time.time,
        directory=directory,
        roles=Roles(store, time.time, delay_seconds=0),
        resources=Resources(store),
        storage_accounts=cast(StorageAccounts, FakeAccounts()),
    )
    made.resources.add_subscription(SUBSCRIPTION, tenant_id=TENANT)
    made.roles.assign(scope=SUBSCRIPTION_ID, principal_id=ADMIN, role_name="Owner", immediately=True)
    with start_blocking_portal() as portal:
        apps = [("login.microsoftonline.com", entra_app(made)), ("management.azure.com", create_app(made))]
        gateway = Gateway(apps, tmp_path / "gateway", port=0)
        portal.call(gateway.start)
        for name, value in gateway.exports().items():
            monkeypatch.setenv(name, value)
        yield made
        portal.call(gateway.stop)
    store.close()


def test_main_template_twice(world: World) -> None:
    credential = ClientSecretCredential(TENANT, ADMIN, "open sesame")
    with (
        credential,
        ResourceManagementClient(credential, SUBSCRIPTION) as resources,
        DeploymentsMgmtClient(credential, SUBSCRIPTION) as client,
    ):
        resources.resource_groups.create_or_update("rg-app", {"location": "westeurope"})
        template = json.loads((REPOSITORY / "arm" / "main.json").read_text(encoding="utf-8"))
        values: dict[str, Any] = {
            "location": "westeurope",
            "storageAccountName": "stgateway",
            "containerName": "data",
            "keyVaultName": "kv-gateway",
            "dataFactoryName": "adf-gateway",
            "deployDataFactory": True,
            "production": True,
            "releasePrincipalId": RELEASE,
        }
        made = client.deployments.begin_create_or_update(
            "rg-app", "one", cast(Any, envelope(template, values))
        ).result()
        assert made.properties is not None
        assert made.properties.provisioning_state == "Succeeded"
        factory = resources.resources.get_by_id(
            f"{GROUP_ID}/providers/Microsoft.DataFactory/factories/adf-gateway", api_version="2018-06-01"
        )
        assert factory.identity is not None
        values |= {"deployDataFactory": False, "dataFactoryPrincipalId": factory.identity.principal_id}
        told = client.deployments.begin_what_if("rg-app", "two", cast(Any, envelope(template, values))).result()
        assert {change.change_type for change in told.changes or []} == {"NoChange", "Ignore"}
        values["keyVaultName"] = "-"
        with pytest.raises(HttpResponseError) as caught:
            client.deployments.begin_validate("rg-app", "two", cast(Any, envelope(template, values))).result()
        assert "'keyVaultName'" in str(caught.value)


def test_wrong_secret(world: World) -> None:
    with (
        ClientSecretCredential(TENANT, ADMIN, "guess") as credential,
        ResourceManagementClient(credential, SUBSCRIPTION) as client,
        pytest.raises(ClientAuthenticationError, match="AADSTS7000215"),
    ):
        client.resource_groups.check_existence("rg-app")
