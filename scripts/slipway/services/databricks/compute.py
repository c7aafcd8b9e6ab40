"""What clusters can be made of: runtimes, node types, cluster policies, pools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slipway.services.databricks.client import Client


class Compute:
    client: Client

    def spark_versions(self) -> Sequence[str]:
        """The keys of all runtimes (clusters/spark-versions)."""
        found = self.client.perform_query("GET", "/clusters/spark-versions").get("versions") or []
        return [str(one["key"]) for one in found]

    def node_types(self) -> Mapping[str, Mapping[str, Any]]:
        """Node types of the workspace's region by their id (clusters/list-node-types)."""
        found = self.client.perform_query("GET", "/clusters/list-node-types").get("node_types") or []
        return {str(one["node_type_id"]): one for one in found}

    def policies(self) -> Sequence[Mapping[str, Any]]:
        """The cluster policies that this identity may use: an admin all of them (policies/clusters/list)."""
        return list(self.client.perform_query("GET", "/policies/clusters/list").get("policies") or [])
