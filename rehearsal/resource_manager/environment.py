"""What environment() and /metadata/endpoints say about this cloud.

Source: learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-deployment#environment.
"""

from __future__ import annotations

from typing import Any

AZURE_CLOUD: dict[str, Any] = {
    "name": "AzureCloud",
    "gallery": "https://gallery.azure.com/",
    "graph": "https://graph.windows.net/",
    "portal": "https://portal.azure.com",
    "graphAudience": "https://graph.windows.net/",
    "activeDirectoryDataLake": "https://datalake.azure.net/",
    "batch": "https://batch.core.windows.net/",
    "media": "https://rest.media.azure.net",
    "sqlManagement": "https://management.core.windows.net:8443/",
    "vmImageAliasDoc": (
        "https://raw.githubusercontent.com/Azure/azure-rest-api-specs/master/arm-compute/quickstart-templates/aliases.json"
    ),
    "resourceManager": "https://management.azure.com/",
    "authentication": {
        "loginEndpoint": "https://login.microsoftonline.com/",
        "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
        "tenant": "common",
        "identityProvider": "AAD",
    },
    "suffixes": {
        "acrLoginServer": ".azurecr.io",
        "azureDatalakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
        "azureDatalakeStoreFileSystem": "azuredatalakestore.net",
        "azureFrontDoorEndpointSuffix": "azurefd.net",
        "keyvaultDns": ".vault.azure.net",
        "sqlServerHostname": ".database.windows.net",
        "storage": "core.windows.net",
    },
}


def endpoints(api_version: str) -> Any:
    """The answer of GET /metadata/endpoints: a list for api-versions before 2022, one object since."""
    cloud = AZURE_CLOUD
    suffixes = {
        **{key: value for key, value in cloud["suffixes"].items() if key != "keyvaultDns"},
        "keyVaultDns": "vault.azure.net",
        "acrLoginServer": "azurecr.io",
        "sqlServerHostname": "database.windows.net",
    }
    found = {
        **cloud,
        "suffixes": suffixes,
        "microsoftGraphResourceId": "https://graph.microsoft.com/",
        "activeDirectory": cloud["authentication"]["loginEndpoint"],
        "resourceManager": "https://management.azure.com" if api_version >= "2022" else cloud["resourceManager"],
    }
    return found if api_version >= "2022" else [found]
