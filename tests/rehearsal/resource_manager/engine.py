"""Expressions and templates evaluated without any service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rehearsal.resource_manager.api_versions import provider, zones
from rehearsal.resource_manager.environment import AZURE_CLOUD
from rehearsal.resource_manager.template.context import Target
from rehearsal.resource_manager.template.outputs import evaluate_outputs
from rehearsal.resource_manager.template.program import Given, Program, load
from tests.rehearsal.resource_manager.local_azure import GROUP_ID, SUBSCRIPTION, SUBSCRIPTION_ID, TENANT, template

TARGET = Target(
    scope=GROUP_ID,
    tenant_id=TENANT,
    subscription={"id": SUBSCRIPTION_ID, "subscriptionId": SUBSCRIPTION, "tenantId": TENANT, "displayName": "S"},
    group={"id": GROUP_ID, "name": "rg-app", "location": "westeurope", "properties": {}},
    deployment={"name": "main", "properties": {"mode": "Incremental"}},
    deployer={"objectId": "o", "tenantId": TENANT, "userPrincipalName": ""},
    environment=AZURE_CLOUD,
    providers=lambda namespace: provider(namespace, [f"{namespace}/storageAccounts"]),
    zones=zones,
)
MOMENT = datetime(2026, 8, 24, 14, 5, 9, tzinfo=UTC)


def program(document: Any, parameters: dict[str, Any] | None = None) -> Program:
    """parameters: name -> {"value": …}."""
    given = Given(
        target=TARGET,
        parameters=parameters or {},
        now=MOMENT,
        new_guid=lambda: "11111111-2222-3333-4444-555555555555",
    )
    return load(document, given)


def outputs(document: Any, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    return {name: one.get("value") for name, one in evaluate_outputs(program(document, parameters), None).items()}


def value(expression: str, **sections: Any) -> Any:
    """What an expression (without its brackets) gives in a resource's property."""
    document = template(
        {"type": "A.B/c", "apiVersion": "2024-01-01", "name": "n", "properties": {"v": f"[{expression}]"}}, **sections
    )
    return program(document).resources[0].body()["properties"]["v"]
