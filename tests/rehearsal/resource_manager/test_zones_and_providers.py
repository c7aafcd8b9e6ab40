"""Functions that know of regions and providers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rehearsal.resource_manager.engine import value
from tests.rehearsal.resource_manager.local_azure import SUBSCRIPTION_ID, Azure

VM = "'Microsoft.Compute', 'virtualMachines'"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # template-functions-resource#pickzones: the documented outputs.
        (f"pickZones({VM}, 'westus2')", ["1"]),
        (f"pickZones({VM}, 'West US 2')", ["1"]),
        (f"pickZones({VM}, 'westus')", []),
        (f"pickZones({VM}, 'westus2', 3)", ["1", "2", "3"]),
        (f"pickZones({VM}, 'westus2', 1, 1)", ["2"]),
        ("toPhysicalZone(subscription().subscriptionId, 'westeurope', '2')", "westeurope-az2"),
        ("toLogicalZone(subscription().subscriptionId, 'West Europe', 'westeurope-az3')", "3"),
        ("toPhysicalZones('s', 'westeurope', createArray('1', '3'))", ["westeurope-az1", "westeurope-az3"]),
        ("toLogicalZones('s', 'westeurope', createArray('westeurope-az2'))", ["2"]),
        ("providers('Microsoft.Storage', 'storageAccounts').resourceType", "storageAccounts"),
        ("contains(providers('Microsoft.Storage', 'storageAccounts').apiVersions, '2023-05-01')", True),
        ("providers('Microsoft.Storage').namespace", "Microsoft.Storage"),
    ],
)
def test_value(expression: str, expected: Any) -> None:
    assert value(expression) == expected


def test_the_subscription_tells_the_same_zones(azure: Azure) -> None:
    regions = azure.call("GET", f"{SUBSCRIPTION_ID}/locations")[1]["value"]
    west = next(one for one in regions if one["name"] == "westeurope")
    assert {"logicalZone": "2", "physicalZone": "westeurope-az2"} in west["availabilityZoneMappings"]


def test_no_other_provider(azure: Azure) -> None:
    from tests.rehearsal.resource_manager.local_azure import GROUP_ID, deployment, envelope, template

    azure.group()
    document = template(outputs={"o": {"type": "object", "value": "[providers('Microsoft.Web')]"}})
    status, answer = azure.call("POST", deployment(GROUP_ID, "d") + "/validate", envelope(document))
    assert status == 400
    assert "The resource provider 'Microsoft.Web' is not part of this rehearsal" in answer["error"]["message"]
