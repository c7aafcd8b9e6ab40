"""What is deployed answers where production has it: a workspace at its host, a secret in its vault, a template in a blob."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import jwt
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import ClientAssertionCredential, ClientSecretCredential
from azure.keyvault.secrets import SecretClient
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rehearsal.compose import Release, compose
from rehearsal.entra.directory import AZURE_DATABRICKS_APP
from rehearsal.server import Server
from slipway.domain.environment import load_environment
from tests.rehearsal.resource_manager.local_azure import REPOSITORY, template

GROUP = "rg-whole"
ACCOUNT = "stwhole"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("whole")
    release = Release(environment=load_environment(REPOSITORY, "dev"), service_connection="slipway-dev")
    server = Server(lambda: compose(folder, [release], datasets=folder, clock=time.time, role_delay_seconds=0.0))
    server.start()
    yield server
    server.stop()


class Cloud:
    """The clients of an admin."""

    def __init__(self, server: Server) -> None:
        admin = next(iter(server.azure.admins.values()))
        self.server = server
        self.subscription = next(iter(server.azure.connections.values())).subscription_id
        self.credential = ClientSecretCredential(admin.tenant_id, admin.client_id, admin.client_secret)
        self.groups = ResourceManagementClient(self.credential, self.subscription)
        self.deployments = DeploymentsMgmtClient(self.credential, self.subscription)
        self.tenant = admin.tenant_id

    def deploy(self, **properties: Any) -> dict[str, Any]:
        """The outputs. Raises HttpResponseError."""
        body = {"properties": {"mode": "Incremental", **properties}}
        made = self.deployments.deployments.begin_create_or_update(GROUP, "main", cast(Any, body)).result()
        assert made.properties is not None
        return cast(dict[str, Any], made.properties.outputs or {})

    def close(self) -> None:
        for client in (self.groups, self.deployments, self.credential):
            client.close()


@pytest.fixture
def cloud(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    for name, value in server.azure.exports.items():
        monkeypatch.setenv(name, value)
    made = Cloud(server)
    made.groups.resource_groups.create_or_update(GROUP, {"location": "westeurope"})
    yield made
    made.close()


def test_a_deployed_workspace_answers_at_its_host(cloud: Cloud) -> None:
    group = f"/subscriptions/{cloud.subscription}/resourceGroups"
    workspace = {
        "type": "Microsoft.Databricks/workspaces",
        "apiVersion": "2024-05-01",
        "name": "dbw-whole",
        "location": "westeurope",
        "sku": {"name": "premium"},
        "properties": {"managedResourceGroupId": f"{group}/rg-whole-managed"},
    }
    outputs = {"host": {"type": "string", "value": "[reference('dbw-whole').workspaceUrl]"}}
    host = cloud.deploy(template=template(workspace, outputs=outputs))["host"]["value"]
    resource_id = f"{group}/{GROUP}/providers/Microsoft.Databricks/workspaces/dbw-whole"
    headers = {
        "Authorization": f"Bearer {cloud.credential.get_token(AZURE_DATABRICKS_APP + '/.default').token}",
        "X-Databricks-Azure-SP-Management-Token": cloud.credential.get_token(
            "https://management.azure.com/.default"
        ).token,
        "X-Databricks-Azure-Workspace-Resource-Id": resource_id,
    }
    with requests.Session() as session:
        address = f"https://{host}/api/2.0/workspace/list"
        answer = session.get(address, params={"path": "/"}, headers=headers, timeout=10)
        assert answer.status_code == 200, answer.text
        cloud.groups.resources.begin_delete_by_id(resource_id, api_version="2024-05-01").result()
        assert session.get(address, params={"path": "/"}, headers=headers, timeout=10).status_code != 200


def test_a_deployed_secret_is_read_from_its_vault(cloud: Cloud) -> None:
    vault = {
        "type": "Microsoft.KeyVault/vaults",
        "apiVersion": "2023-07-01",
        "name": "kv-whole",
        "location": "westeurope",
        "properties": {
            "tenantId": "[subscription().tenantId]",
            "sku": {"family": "A", "name": "standard"},
            "enableRbacAuthorization": True,
        },
    }
    secret = {
        "type": "Microsoft.KeyVault/vaults/secrets",
        "apiVersion": "2023-07-01",
        "name": "kv-whole/password",
        "dependsOn": ["kv-whole"],
        "properties": {"value": "[parameters('p')]"},
    }
    document = template(vault, secret, parameters={"p": {"type": "secureString"}})
    cloud.deploy(template=document, parameters={"p": {"value": "hunter-two"}})
    with SecretClient("https://kv-whole.vault.azure.net", cloud.credential) as client:
        assert client.get_secret("password").value == "hunter-two"


def test_tokens_of_another_issuer_sign_in_as_an_identity(cloud: Cloud) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    issuer, audience = "https://issuer.example.org/", "api://AzureADTokenExchange"
    cloud.server.call(lambda: cloud.server.azure.world.directory.trust_issuer(issuer, public))
    identity = {
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
        "apiVersion": "2023-01-31",
        "name": "id-whole",
        "location": "westeurope",
    }
    credential = {
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        "apiVersion": "2023-01-31",
        "name": "id-whole/outside",
        "dependsOn": ["id-whole"],
        "properties": {"issuer": issuer, "subject": "us", "audiences": [audience]},
    }
    outputs = {"id": {"type": "string", "value": "[reference('id-whole').clientId]"}}
    client_id = cloud.deploy(template=template(identity, credential, outputs=outputs))["id"]["value"]

    def token(subject: str) -> str:
        now = int(time.time())
        claims = {"iss": issuer, "sub": subject, "aud": audience, "iat": now, "nbf": now, "exp": now + 600}
        return jwt.encode(claims, key, algorithm="RS256")

    for subject, works in (("us", True), ("others", False)):
        with ClientAssertionCredential(cloud.tenant, client_id, partial(token, subject)) as outside:
            if works:
                assert outside.get_token("https://management.azure.com/.default").token
            else:
                with pytest.raises(ClientAuthenticationError):
                    outside.get_token("https://management.azure.com/.default")


def test_templates_in_a_storage_account_of_the_rehearsal(cloud: Cloud, tmp_path: Path) -> None:
    account = {
        "type": "Microsoft.Storage/storageAccounts",
        "apiVersion": "2023-05-01",
        "name": ACCOUNT,
        "location": "westeurope",
        "sku": {"name": "Standard_LRS"},
        "kind": "StorageV2",
    }
    keys = "[listKeys(resourceId('Microsoft.Storage/storageAccounts', 'stwhole'), '2023-05-01').keys[0].value]"
    outputs = {"key": {"type": "string", "value": keys}}
    key = cloud.deploy(template=template(account, outputs=outputs))["key"]["value"]
    nested = {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2022-09-01",
        "name": "inner",
        "properties": {
            "mode": "Incremental",
            "templateLink": {"relativePath": "inner.json", "queryString": "[parameters('sas')]"},
        },
    }
    outer = template(
        nested,
        parameters={"sas": {"type": "secureString"}},
        outputs={"o": {"type": "int", "value": "[reference('inner').outputs.o.value]"}},
    )
    files = {"outer.json": outer, "inner.json": template(outputs={"o": {"type": "int", "value": 7}})}
    with BlobServiceClient(f"https://{ACCOUNT}.blob.core.windows.net", credential=key) as blobs:
        container = blobs.create_container("templates")
        for name, document in files.items():
            container.upload_blob(name, json.dumps(document))
        sas = generate_container_sas(
            ACCOUNT,
            "templates",
            account_key=key,
            permission=ContainerSasPermissions(read=True),
            expiry=datetime.now(UTC) + timedelta(hours=1),
        )
    link = {"uri": f"https://{ACCOUNT}.blob.core.windows.net/templates/outer.json", "queryString": sas}
    parameters = {"sas": {"value": sas}}
    assert cloud.deploy(templateLink=link, parameters=parameters)["o"]["value"] == 7
    # Without the SAS, and with one whose key was renewed, there is nothing to be had.
    with pytest.raises(HttpResponseError, match="InvalidContentLink") as caught:
        cloud.deploy(templateLink={"uri": link["uri"]}, parameters=parameters)
    assert "sig=" not in str(caught.value)
    cloud.server.call(lambda: cloud.server.azure.world.storage_accounts.renew(ACCOUNT, 0))
    with pytest.raises(HttpResponseError, match="InvalidContentLink"):
        cloud.deploy(templateLink=link, parameters=parameters)
