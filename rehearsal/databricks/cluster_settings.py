"""A task's or job's new_cluster: what is refused, what the server adds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rehearsal.databricks.checks import number
from rehearsal.databricks.errors import invalid


def check_cluster(cluster: Any) -> dict[str, Any]:
    """A new_cluster with the server's additions. Checks its shape, not whether Azure has such a runtime or node type."""
    if not isinstance(cluster, dict):
        raise invalid("Missing required field: new_cluster")
    prefix = "Cluster validation error: Missing required field: settings.cluster_spec.new_cluster"
    version = cluster.get("spark_version")
    if not isinstance(version, str) or not version:
        raise invalid(f"{prefix}.spark_version")
    # Keys look like 16.4.x-scala2.12, 15.4.x-cpu-ml-scala2.12, or custom:… (clusters/spark-versions).
    if not re.fullmatch(r"\d+\.(\d+|x)(\.x)?(-[\w-]+)*-scala2\.1[23](\.\w+)?|custom:.+|\d+\.\d+\.x", version):
        raise invalid(f"Invalid spark version {version}.")
    if not any(
        cluster.get(field) for field in ("node_type_id", "instance_pool_id", "policy_id", "node_type_flexibility")
    ):
        raise invalid(f"{prefix}.node_type_id")
    node_type = cluster.get("node_type_id")
    if node_type and not re.fullmatch(r"Standard_\w+", str(node_type)):
        # The real sentence goes on with the node types of the region (same table).
        raise invalid(f"Node type {node_type} is not supported.")
    if not any(cluster.get(field) is not None for field in ("num_workers", "autoscale", "policy_id", "is_single_node")):
        raise invalid(f"{prefix}.size")
    # Measured on AWS with its own attributes (databricks/cli testserver); on Azure by analogy (unverified).
    additions: dict[str, Any] = {"azure_attributes": {"availability": "ON_DEMAND_AZURE"}, "enable_elastic_disk": True}
    additions["data_security_mode"] = "SINGLE_USER"
    shown = additions | {name: value for name, value in cluster.items() if value is not None}
    number(shown, "num_workers", 0, 100_000)
    shown.pop("apply_policy_default_values", None)  # taken, never returned (databricks/cli testserver)
    return shown


def runtime_of(task: Mapping[str, Any], job: Mapping[str, Any]) -> tuple[int, int] | None:
    """The version of the runtime that a task's cluster has; None when its key says no number (`custom:…`)."""
    shared = {cluster["job_cluster_key"]: cluster["new_cluster"] for cluster in job.get("job_clusters", [])}
    cluster = task.get("new_cluster") or shared.get(task.get("job_cluster_key"), {})
    found = re.match(r"(\d+)\.(\d+|x)", str(cluster.get("spark_version", "")))
    return (int(found[1]), 99 if found[2] == "x" else int(found[2])) if found else None


def installs_from_dbfs(task: Mapping[str, Any], job: Mapping[str, Any]) -> bool:
    """Whether the task's cluster takes libraries on the DBFS root: no more from runtime 15.1 on (product docs)."""
    runtime = runtime_of(task, job)
    return runtime is not None and runtime < (15, 1)
