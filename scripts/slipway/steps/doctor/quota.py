"""Whether the region's quota lets the largest cluster start: a new subscription has few processor cores.

Databricks makes the machines of its clusters in the workspace's own subscription and region. A cluster that they don't suffice
for fails minutes after its start (AZURE_QUOTA_EXCEEDED_EXCEPTION). https://learn.microsoft.com/azure/quotas/regional-quota-requests,
https://learn.microsoft.com/rest/api/compute/usage/list. Quotas of single families of machines are not looked at: which family a
node type belongs to, the workspace does not say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from slipway.domain.diagnosis import PORTAL, Finding
from slipway.services.resource_manager import reading
from slipway.services.resource_manager.reading import NotLetIn
from slipway.steps.doctor import people
from slipway.steps.doctor.compute import clusters
from slipway.steps.doctor.examination import Check, Examination, NotSeen, Said

_CORES = "cores"


def checks(examination: Examination) -> list[Check]:
    return [Check(title="the quota of processor cores", look=partial(_cores, examination), short=False)]


def _cores(examination: Examination) -> Iterator[Said]:
    asked = clusters(examination)
    if not asked:
        return
    people.inside(examination)
    types = examination.workspace.node_types()
    sizes = {where: size for where, cluster in asked if (size := cores_of(cluster, types)) is not None}
    if not sizes:
        return
    where, needed = max(sizes.items(), key=lambda one: one[1])
    used, limit = _quota(examination)
    if needed <= limit - used:
        return
    location = examination.environment.azure.location
    yield Finding(
        id="compute.quota",
        what=f"{where} asks for {needed} processor cores, and {limit - used} of the {limit} in {location} are free.",
        why="A cluster that the quota does not suffice for fails minutes after its start.",
        mend=f"{PORTAL} Quotas > Compute > Total Regional vCPUs, {location} > Request quota increase (or fewer workers)",
        severity="warning",
        who="Quota Request Operator or Contributor of the subscription",
    )


def cores_of(cluster: Mapping[str, Any], types: Mapping[str, Mapping[str, Any]]) -> int | None:
    """The most cores that a cluster may have, its driver too; None where that is not known (a pool, an unknown type)."""
    worker = types.get(str(cluster.get("node_type_id")))
    driver = types.get(str(cluster.get("driver_node_type_id") or cluster.get("node_type_id")))
    if worker is None or driver is None:
        return None
    workers = (cluster.get("autoscale") or {}).get("max_workers") or cluster.get("num_workers") or 0
    try:
        return int(float(driver["num_cores"]) + int(workers) * float(worker["num_cores"]))
    except (KeyError, TypeError, ValueError):
        return None


def _quota(examination: Examination) -> tuple[int, int]:
    """Cores in use, and cores that there may be. Raises NotSeen where that may not be read."""
    azure = examination.environment.azure
    workspace = examination.environment.databricks.workspace_resource_id
    subscription = workspace.split("/")[2] if workspace else azure.subscription_id
    path = f"/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{azure.location}/usages"
    try:
        usages = examination.azure.every(path, reading.USAGES) or []
    except NotLetIn as error:
        raise NotSeen(error.what) from error
    for one in usages:
        if str((one.get("name") or {}).get("value")).lower() == _CORES:
            return int(one.get("currentValue") or 0), int(one.get("limit") or 0)
    raise NotSeen(f"{azure.location} names no quota of processor cores")
