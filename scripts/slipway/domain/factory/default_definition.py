"""What Studio makes parameters of when the Git folder says nothing: the text that "Edit parameter configuration" shows
(read from factories of 2025 and 2026; unchanged from 2022 to 2025 but for `role`, which came in July 2025)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SECURE = "-::secureString"

_LINKED_SERVICE_KEYS = """
accountName accountEndpoint username userName accessKeyId endpoint servicePrincipalId userId host role clientId
existingClusterId clusterUserName clusterSshUserName hostSubscriptionId clusterResourceGroup subscriptionId
resourceGroupName tenant dataLakeStoreUri baseUrl database serviceEndpoint batchUri poolName databaseName
systemNumber server url functionAppUrl environmentUrl aadResourceId hostKeyFingerprint mlWorkspaceName
"""

_INTEGRATION_RUNTIME = {
    "ssisProperties": {
        "catalogInfo": {
            "catalogServerEndpoint": "=",
            "catalogAdminUserName": "=",
            "catalogAdminPassword": {"value": _SECURE},
        },
        "customSetupScriptProperties": {"sasToken": {"value": _SECURE}},
    },
    "linkedInfo": {"key": {"value": _SECURE}, "resourceId": "="},
    "computeProperties": {"dataFlowProperties": {"externalComputeInfo": [{"accessToken": _SECURE}]}},
}

DEFAULT_DEFINITION: Mapping[str, Any] = {
    "Microsoft.DataFactory/factories": {
        "properties": {
            "globalParameters": {"*": {"value": "="}},
            "globalConfigurations": {"*": "="},
            "encryption": {"*": "=", "identity": {"*": "="}},
        },
        "location": "=",
        "identity": {"type": "=", "userAssignedIdentities": "="},
    },
    "Microsoft.DataFactory/factories/pipelines": {},
    "Microsoft.DataFactory/factories/integrationRuntimes": {"properties": {"typeProperties": _INTEGRATION_RUNTIME}},
    "Microsoft.DataFactory/factories/triggers": {
        "properties": {
            "pipelines": [{"parameters": {"*": "="}}, "pipelineReference.referenceName"],
            "pipeline": {"parameters": {"*": "="}},
            "typeProperties": {"scope": "="},
        }
    },
    "Microsoft.DataFactory/factories/linkedServices": {
        "*": {
            "properties": {
                "typeProperties": {
                    **dict.fromkeys(_LINKED_SERVICE_KEYS.split(), "="),
                    "sasUri": "|:-sasUri:secureString",
                    "sasToken": "|",
                    "connectionString": "|:-connectionString:secureString",
                }
            }
        },
        "Odbc": {"properties": {"typeProperties": {"userName": "=", "connectionString": {"secretName": "="}}}},
    },
    "Microsoft.DataFactory/factories/datasets": {
        "*": {"properties": {"typeProperties": {"folderPath": "=", "fileName": "="}}}
    },
    "Microsoft.DataFactory/factories/credentials": {"*": {"properties": {"typeProperties": {"token": "="}}}},
    "Microsoft.DataFactory/factories/managedVirtualNetworks/managedPrivateEndpoints": {
        "properties": {"privateLinkResourceId": "=", "groupId": "=", "fqdns": "="}
    },
    "Microsoft.DataFactory/factories/globalparameters": {"properties": {"*": {"value": "="}}},
}
