"""Linked services as activities use them: Databricks workspaces, how to sign in to them, clusters.

Properties: AzureDatabricksLinkedService of azure-mgmt-datafactory 10.0.0; fields of new_cluster: the Jobs API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from rehearsal.data_factory.expressions.evaluation import Evaluator
from rehearsal.data_factory.expressions.values import text
from rehearsal.data_factory.outcome import ActivityFailed
from rehearsal.data_factory.places import Place
from rehearsal.entra.directory import Principal
from rehearsal.resource_manager.identifiers import fold
from rehearsal.world import World

Json = Any
# The secret of a vault, by the vault's resource id and the secret's name.
VaultSecret = Callable[[str, str], str | None]
DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
MANAGEMENT = "https://management.core.windows.net/"
_GET_SECRET = "Microsoft.KeyVault/vaults/secrets/getSecret/action"  # noqa: S105 - the name of a permission
_CLUSTER = {
    "newClusterVersion": "spark_version",
    "newClusterNodeType": "node_type_id",
    "newClusterDriverNodeType": "driver_node_type_id",
    "newClusterSparkConf": "spark_conf",
    "newClusterSparkEnvVars": "spark_env_vars",
    "newClusterCustomTags": "custom_tags",
    "newClusterEnableElasticDisk": "enable_elastic_disk",
    "instancePoolId": "instance_pool_id",
    "policyId": "policy_id",
    "dataSecurityMode": "data_security_mode",
}


@dataclass(frozen=True)
class Workspace:
    """headers: of every request, with the factory's token."""

    host: str
    headers: Mapping[str, str]
    cluster: Mapping[str, Json]


class LinkedServices:
    """Reads the linked services of all factories."""

    def __init__(self, world: World, vault_secret: VaultSecret) -> None:
        self._world = world
        self._vault_secret = vault_secret

    def workspace(self, reference: Json, place: Place) -> Workspace:
        """The workspace that an activity's linkedServiceName names. Raises ActivityFailed, ExpressionError."""
        factory = place.running.factory
        name, kind, given = self._settings(factory, reference, place)
        if kind.lower() != "azuredatabricks":
            raise ActivityFailed(
                "InvalidLinkedService", f"The linked service '{name}' is of type '{kind}'.", again=False
            )
        domain = str(given.get("domain") or "")
        host = urlsplit(domain if "//" in domain else f"https://{domain}").hostname or ""
        return Workspace(host, self._headers(factory, name, given, place), _cluster(given))

    def _settings(self, factory: dict[str, Json], reference: Json, place: Place) -> tuple[str, str, dict[str, Json]]:
        name = str((reference or {}).get("referenceName"))
        found = self._world.resources.get(f"{factory['id']}/linkedservices/{name}")
        if found is None:
            raise ActivityFailed("InvalidLinkedService", f"The linked service '{name}' was not found.", again=False)
        properties = found["properties"]
        declared = properties.get("parameters") or {}
        parameters = {key: one.get("defaultValue") for key, one in declared.items()}
        parameters |= place.value((reference or {}).get("parameters") or {})
        # Global parameters can't be used in linked services (azure.datafactory.tools issue 74): only its own parameters are.
        evaluator = Evaluator({"linkedservice": lambda: parameters}, place.now)
        given = evaluator.value(properties.get("typeProperties") or {})
        secure = self._world.store.collection("data_factory/credentials").get(fold(found["id"])) or {}
        return name, str(properties["type"]), {**given, **secure}

    def _headers(self, factory: dict[str, Json], name: str, given: dict[str, Json], place: Place) -> dict[str, str]:
        token = given.get("accessToken")
        if isinstance(token, dict):
            token = self._secret(factory, token, place)
        if isinstance(token, str) and token:
            return {"Authorization": f"Bearer {token}"}
        if str(given.get("authentication") or "").upper() != "MSI" and not given.get("workspaceResourceId"):
            raise ActivityFailed(
                "InvalidLinkedService",
                f"The linked service '{name}' has neither an access token nor authentication by managed identity.",
                again=False,
            )
        who = self._identity(factory, given.get("credential"))
        headers = {"Authorization": f"Bearer {self._token(who, DATABRICKS)}"}
        if given.get("workspaceResourceId"):
            # How a principal that is not in the workspace yet comes in, when its role on the resource lets it.
            headers["X-Databricks-Azure-SP-Management-Token"] = self._token(who, MANAGEMENT)
            headers["X-Databricks-Azure-Workspace-Resource-Id"] = str(given["workspaceResourceId"])
        return headers

    def _identity(self, factory: dict[str, Json], credential: Json) -> Principal:
        """The factory's own identity, or the user-assigned one that a credential names."""
        object_id = (factory.get("identity") or {}).get("principalId")
        if isinstance(credential, dict):
            name = str(credential.get("referenceName"))
            kept = self._world.resources.get(f"{factory['id']}/credentials/{name}")
            resource_id = ((kept or {}).get("properties", {}).get("typeProperties") or {}).get("resourceId")
            assigned = self._world.resources.get(str(resource_id)) if resource_id else None
            object_id = None if assigned is None else assigned["properties"].get("principalId")
        principal = self._world.directory.by_object_id(str(object_id)) if object_id else None
        if principal is None:
            raise ActivityFailed(
                "ManagedIdentityNotFound", f"The factory '{factory['name']}' has no managed identity.", again=False
            )
        return principal

    def _token(self, who: Principal, audience: str) -> str:
        tenant = self._world.directory.tenant_of(who.object_id) or ""
        return self._world.directory.issue_token(tenant_id=tenant, app_id=who.app_id, audience=audience, version=1)

    def _secret(self, factory: dict[str, Json], given: dict[str, Json], place: Place) -> str:
        """An AzureKeyVaultSecret, read as the factory's identity. Raises ActivityFailed."""
        if given.get("type") != "AzureKeyVaultSecret":
            raise ActivityFailed("InvalidLinkedService", "The access token is no secret.", again=False)
        store, _kind, settings = self._settings(factory, given.get("store"), place)
        vault_name = (urlsplit(str(settings.get("baseUrl"))).hostname or "").partition(".")[0]
        vault = self._world.resources.find("Microsoft.KeyVault/vaults", vault_name)
        who, secret = self._identity(factory, None), text(given.get("secretName"))
        if vault is None or not self._world.roles.allowed(who.object_id, vault["id"], _GET_SECRET, data=True):
            raise ActivityFailed(
                "AzureKeyVaultError",
                f"The factory's identity may not read the secret '{secret}' through the linked service '{store}'.",
                again=False,
            )
        value = self._vault_secret(vault["id"], secret)
        if value is None:
            raise ActivityFailed("AzureKeyVaultError", f"The vault has no secret '{secret}'.", again=False)
        return value


def _cluster(given: Mapping[str, Json]) -> dict[str, Json]:
    """What a submitted run says of its cluster: the existing one, or a new one."""
    if given.get("existingClusterId"):
        return {"existing_cluster_id": given["existingClusterId"]}
    cluster = {field: given[name] for name, field in _CLUSTER.items() if given.get(name) not in (None, "", {})}
    workers = str(given.get("newClusterNumOfWorker") or "1")
    low, _, high = workers.partition(":")
    if not low.isdigit() or (high and not high.isdigit()):
        raise ActivityFailed("InvalidLinkedService", f"'{workers}' is no number of workers.", again=False)
    if high:
        cluster["autoscale"] = {"min_workers": int(low), "max_workers": int(high)}
    else:
        cluster["num_workers"] = int(low)
    scripts = given.get("newClusterInitScripts") or []
    if scripts:
        cluster["init_scripts"] = [{"workspace": {"destination": script}} for script in scripts]
    return {"new_cluster": cluster}
