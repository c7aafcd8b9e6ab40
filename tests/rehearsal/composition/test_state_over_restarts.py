"""What is written at each service is there after a restart; and what was purged is not there again."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.composition.conftest import StandIns

ARM, VAULTS, STORAGE = "https://management.azure.com", "https://vault.azure.net", "https://storage.azure.com"
DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
VAULT, ACCOUNT, READER = "kv-kept-and-purged", "stkeptoverrestarts", "acdd72a7-3385-48ef-bd42-f606fba81ae7"
VERSIONS = {"vaults": "2023-07-01", "storageAccounts": "2023-05-01", "roleAssignments": "2022-04-01"}


class Cloud:
    """Stand-ins over one folder, with the few calls that these tests make."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.start()

    def start(self) -> None:
        self.stand_ins = StandIns(self._folder)
        self.stand_ins.server.start()
        self.tokens = {audience: self.stand_ins.token(audience) for audience in (ARM, VAULTS, STORAGE, DATABRICKS)}
        azure = self.stand_ins.server.azure
        client_id = next(iter(azure.admins.values())).client_id
        principal = self.stand_ins.server.call(lambda: azure.world.directory.by_app_id(client_id))
        assert principal is not None
        self.admin = principal.object_id
        self.group = f"{ARM}/subscriptions/{self.stand_ins.environment.azure.subscription_id}/resourceGroups/rg-kept"

    def again(self) -> None:
        """Stop, start; tokens of before are still good."""
        tokens = self.tokens
        self.stand_ins.server.stop()
        self.start()
        self.tokens = tokens

    def ask(self, method: str, url: str, audience: str, **more: Any) -> Any:
        answer = self.stand_ins.ask(method, url, self.tokens[audience], **more)
        assert answer.ok, f"{method} {url}: {answer.status_code} {answer.text}"
        return answer

    def resource(self, method: str, kind: str, name: str, body: Any = None) -> Any:
        address = f"{self.group}/providers/{kind}/{name}?api-version={VERSIONS[kind.rpartition('/')[2]]}"
        return self.ask(method, address, ARM, json=body)

    def make_vault(self, **properties: Any) -> None:
        tenant = self.stand_ins.environment.azure.tenant_id
        given = {"tenantId": tenant, "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True}
        self.resource(
            "PUT", "Microsoft.KeyVault/vaults", VAULT, {"location": "westeurope", "properties": given | properties}
        )

    def secret(self, method: str, path: str = "secrets/one", body: Any = None) -> Any:
        return self.ask(method, f"https://{VAULT}.vault.azure.net/{path}?api-version=7.4", VAULTS, json=body).json()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    cloud = Cloud(tmp_path)
    cloud.ask("PUT", f"{cloud.group}?api-version=2024-03-01", ARM, json={"location": "westeurope"})
    cloud.make_vault()
    yield cloud
    cloud.stand_ins.server.stop()


def test_everything_is_there_after_a_restart(cloud: Cloud) -> None:
    cloud.secret("PUT", body={"value": "first"})
    kept = {"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}
    cloud.resource("PUT", "Microsoft.Storage/storageAccounts", ACCOUNT, kept)
    role = {
        "roleDefinitionId": f"{cloud.group.removeprefix(ARM).rpartition('/resourceGroups')[0]}/providers/"
        f"Microsoft.Authorization/roleDefinitions/{READER}",
        "principalId": cloud.admin,
    }
    assignment = "0f0f0f0f-0000-4000-8000-00000000000f"
    cloud.resource("PUT", "Microsoft.Authorization/roleAssignments", assignment, {"properties": role})
    blobs = f"https://{ACCOUNT}.blob.core.windows.net/data"
    versioned = {"x-ms-version": "2021-12-02"}
    cloud.ask("PUT", f"{blobs}?restype=container", STORAGE, headers=versioned)
    cloud.ask("PUT", f"{blobs}/x", STORAGE, headers={**versioned, "x-ms-blob-type": "BlockBlob"}, data=b"content")
    workspace = cloud.stand_ins.environment.databricks.host
    content = base64.b64encode(b"# Databricks notebook source\n1").decode()
    notebook = {"path": "/kept", "content": content, "language": "PYTHON"}
    cloud.ask("POST", f"{workspace}/api/2.0/workspace/import", DATABRICKS, json=notebook)

    cloud.again()

    assert cloud.secret("GET")["value"] == "first"
    assert cloud.resource("GET", "Microsoft.Storage/storageAccounts", ACCOUNT).json()["kind"] == "StorageV2"
    found = cloud.resource("GET", "Microsoft.Authorization/roleAssignments", assignment).json()
    assert found["properties"]["principalId"] == role["principalId"]
    assert cloud.ask("GET", f"{blobs}/x", STORAGE, headers=versioned).content == b"content"
    listed = cloud.ask("GET", f"{workspace}/api/2.0/workspace/list?path=/", DATABRICKS).json()["objects"]
    assert "/kept" in [item["path"] for item in listed]


def test_a_recovered_vault_has_its_secrets_and_a_new_one_of_the_same_name_has_none(cloud: Cloud) -> None:
    cloud.secret("PUT", body={"value": "first"})
    cloud.secret("PUT", "secrets/gone", {"value": "x"})
    cloud.secret("DELETE", "secrets/gone")
    cloud.resource("DELETE", "Microsoft.KeyVault/vaults", VAULT)
    cloud.make_vault(createMode="recover")
    assert cloud.secret("GET")["value"] == "first"
    cloud.make_vault()
    assert cloud.secret("GET")["value"] == "first", "written again, not made anew"
    cloud.resource("DELETE", "Microsoft.KeyVault/vaults", VAULT)
    subscription = cloud.group.rpartition("/resourceGroups")[0]
    place = f"{subscription}/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/{VAULT}/purge"
    cloud.ask("POST", f"{place}?api-version=2023-07-01", ARM)
    cloud.make_vault()
    assert cloud.secret("GET", "secrets")["value"] == []
    assert cloud.secret("GET", "deletedsecrets")["value"] == []
