"""Which api-versions a resource type has, and what the service says of others.

Sources: the folders of github.com/Azure/azure-rest-api-specs and the "Change log" pages of learn.microsoft.com/azure/templates.
A stable version that is older than the newest one listed here and not in the list is refused; newer ones and previews are
taken, because the list may lag behind the service, which also forgets nothing in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rehearsal.resource_manager.errors import ServiceError

LOCATIONS: Mapping[str, str] = {
    "westeurope": "West Europe",
    "northeurope": "North Europe",
    "germanywestcentral": "Germany West Central",
    "swedencentral": "Sweden Central",
    "francecentral": "France Central",
    "uksouth": "UK South",
    "switzerlandnorth": "Switzerland North",
    "eastus": "East US",
    "eastus2": "East US 2",
    "centralus": "Central US",
    "westus": "West US",
    "westus2": "West US 2",
    "westus3": "West US 3",
    "southcentralus": "South Central US",
}
# learn.microsoft.com/azure/reliability/availability-zones-region-support: regions of the list above that have none.
WITHOUT_ZONES = ("westus",)
ZONES = ("1", "2", "3")

_STORAGE = (
    "2015-06-15", "2016-01-01", "2016-05-01", "2016-12-01", "2017-06-01", "2017-10-01", "2018-02-01", "2018-07-01",
    "2018-11-01", "2019-04-01", "2019-06-01", "2021-01-01", "2021-02-01", "2021-04-01", "2021-05-01", "2021-06-01",
    "2021-08-01", "2021-09-01", "2022-05-01", "2022-09-01", "2023-01-01", "2023-04-01", "2023-05-01", "2024-01-01",
)  # fmt: skip
_VAULTS = (
    "2015-06-01", "2016-10-01", "2018-02-14", "2019-09-01", "2021-10-01", "2022-07-01", "2022-11-01", "2023-02-01",
    "2023-07-01", "2024-11-01",
)  # fmt: skip
# By type, else by namespace. Two namespaces have so many that only future ones are refused.
VERSIONS: Mapping[str, tuple[str, ...]] = {
    "microsoft.authorization": ("2015-07-01", "2018-07-01", "2022-04-01"),
    "microsoft.authorization/locks": ("2015-01-01", "2016-09-01", "2017-04-01", "2020-05-01"),
    "microsoft.databricks": ("2018-04-01", "2022-10-01", "2023-02-01", "2023-05-01", "2024-05-01", "2026-01-01"),
    "microsoft.datafactory": ("2018-06-01",),
    "microsoft.keyvault": _VAULTS,
    "microsoft.managedidentity": ("2018-11-30", "2023-01-31", "2024-11-30"),
    "microsoft.resources": ("2021-04-01", "2022-09-01", "2024-03-01", "2025-04-01"),
    "microsoft.storage": _STORAGE,
}  # fmt: skip
_OPEN = ("microsoft.resources", "microsoft.authorization")


def known(resource_type: str) -> tuple[str, ...]:
    """The stable versions of a type, oldest first; empty for a type that is not listed."""
    lowered = resource_type.lower()
    return VERSIONS.get(lowered) or VERSIONS.get(lowered.split("/")[0]) or ()


def supported(resource_type: str, version: str, now: float) -> bool:
    """Whether the service can be expected to take a version of a type."""
    listed, day = known(resource_type), version[:10]
    if day > datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d"):
        return False
    if not listed or len(version) > len(day) or resource_type.lower().startswith(_OPEN):
        return True
    return day in listed or day > listed[-1]


def check_own(version: str, now: float) -> None:
    """Of Resource Manager's own operations (groups, subscriptions). Raises ServiceError 400."""
    if not supported("Microsoft.Resources/resourceGroups", version, now):
        raise ServiceError(
            400,
            "InvalidApiVersionParameter",
            f"The api-version '{version}' is invalid. The supported versions are "
            f"'{','.join(reversed(known('Microsoft.Resources')))}'.",
        )


def check_supported(resource_type: str, version: str, now: float, location: Any = None) -> None:
    """Raises ServiceError, in the words that public issues show: 400 for a resource, 404 for a list (no location)."""
    if supported(resource_type, version, now):
        return
    namespace, _, short = resource_type.partition("/")
    listed = ", ".join(known(resource_type))
    if location is None:
        raise ServiceError(
            404,
            "InvalidResourceType",
            f"The resource type '{short}' could not be found in the namespace '{namespace}' for api version '{version}'. "
            f"The supported api-versions are '{listed.replace(', ', ',')}'.",
        )
    raise ServiceError(
        400,
        "NoRegisteredProviderFound",
        f"No registered resource provider found for location '{location}' and API version '{version}' for type '{short}'. "
        f"The supported api-versions are '{listed}'. The supported locations are '{', '.join(LOCATIONS)}'.",
    )


def provider(namespace: str, kinds: list[str]) -> dict[str, Any]:
    """A provider with its resource types (Providers - Get)."""
    return {
        "namespace": namespace,
        "registrationState": "Registered",
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": [
            {
                "resourceType": kind.split("/", 1)[1],
                "locations": list(LOCATIONS.values()),
                "apiVersions": list(reversed(known(kind))),
                "capabilities": "None",
            }
            for kind in kinds
        ],
    }


def zones(location: str) -> tuple[str, ...]:
    """The logical zones of a region; none for one that has none, or is not listed here."""
    name = location.replace(" ", "").lower()
    return ZONES if name in LOCATIONS and name not in WITHOUT_ZONES else ()
