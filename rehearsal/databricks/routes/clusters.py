"""`/api/2.0|2.1/clusters/spark-versions` and `list-node-types`: a small table, so that a choice can be checked.

Long-term-support runtimes and a few general purpose Azure node types from the product's release notes; the real lists are
longer and differ by region. There are no clusters to list.
"""

from __future__ import annotations

from typing import Any

from rehearsal.databricks.call import Answer, Call, Operation
from rehearsal.databricks.errors import invalid

VERSIONS = ("2.0", "2.1")
RUNTIMES = {
    "17.3.x-scala2.13": "17.3 LTS (includes Apache Spark 4.0.0, Scala 2.13)",
    "16.4.x-scala2.12": "16.4 LTS (includes Apache Spark 3.5.2, Scala 2.12)",
    "15.4.x-scala2.12": "15.4 LTS (includes Apache Spark 3.5.0, Scala 2.12)",
    "14.3.x-scala2.12": "14.3 LTS (includes Apache Spark 3.5.0, Scala 2.12)",
    "13.3.x-scala2.12": "13.3 LTS (includes Apache Spark 3.4.1, Scala 2.12)",
}
# name -> cores, memory in MB
NODE_TYPES = {
    "Standard_D4ds_v5": (4, 16384),
    "Standard_D8ds_v5": (8, 32768),
    "Standard_D16ds_v5": (16, 65536),
    "Standard_E4ds_v5": (4, 32768),
    "Standard_E8ds_v5": (8, 65536),
    "Standard_DS3_v2": (4, 14336),
}


async def spark_versions(call: Call) -> Answer:
    there = {key: name for key, name in RUNTIMES.items() if key not in call.workspace.retired}
    return {"versions": [{"key": key, "name": name} for key, name in there.items()]}


async def node_types(call: Call) -> Answer:
    def shown(name: str, cores: int, memory: int) -> dict[str, Any]:
        category = "Memory Optimized" if "_E" in name else "General Purpose"
        size = {"num_cores": float(cores), "memory_mb": memory, "category": category, "is_deprecated": False}
        return {"node_type_id": name, "instance_type_id": name, "description": name} | size

    return {
        "node_types": [shown(name, *size) for name, size in NODE_TYPES.items() if name not in call.workspace.retired]
    }


async def list_clusters(_: Call) -> Answer:
    """Job clusters end with their runs; all-purpose clusters and pools can't be made: there is never one to show."""
    return {}


async def get_cluster(call: Call) -> Answer:
    """400, as both SDKs' override tables have it (databricks-sdk-py `errors/overrides.py`)."""
    call.required("cluster_id")
    raise invalid(f"Cluster {call.text('cluster_id')} does not exist")


OPERATIONS = [
    Operation("GET", "/clusters/spark-versions", spark_versions, VERSIONS),
    Operation("GET", "/clusters/list-node-types", node_types, VERSIONS),
    Operation("GET", "/clusters/list", list_clusters, VERSIONS),
    Operation("GET", "/clusters/get", get_cluster, VERSIONS, done=False),
    Operation("GET", "/libraries/all-cluster-statuses", list_clusters, VERSIONS),
    Operation("GET", "/instance-pools/list", list_clusters),
]
