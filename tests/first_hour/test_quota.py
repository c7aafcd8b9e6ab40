"""A subscription with few processor cores: the doctor warns of the cluster that would not start."""

from __future__ import annotations

from functools import partial

import pytest

from slipway.steps.doctor.quota import cores_of
from tests.first_hour.estate import Estate

TYPES = {"small": {"num_cores": 4.0}, "large": {"num_cores": 16.0}}


@pytest.mark.parametrize(
    ("cluster", "cores"),
    [
        ({"node_type_id": "small", "num_workers": 2}, 12),
        ({"node_type_id": "small", "num_workers": "2"}, 12),
        ({"node_type_id": "small", "driver_node_type_id": "large", "num_workers": 1}, 20),
        ({"node_type_id": "large", "autoscale": {"min_workers": 1, "max_workers": 4}}, 80),
        ({"node_type_id": "small"}, 4),
        ({"node_type_id": "gone", "num_workers": 1}, None),
        ({"instance_pool_id": "p", "num_workers": 1}, None),
    ],
)
def test_how_many_cores_a_cluster_has(cluster: dict[str, object], cores: int | None) -> None:
    assert cores_of(cluster, TYPES) == cores


@pytest.mark.first_hour
def test_too_few_cores_are_warned_of_and_stop_nothing(estate: Estate) -> None:
    subscription = estate.environment.azure.subscription_id
    resources = estate.server.azure.world.resources
    estate.server.call(partial(resources.set_cores, subscription, used=3, limit=10))
    found = estate.doctor()
    assert [(one["id"], one["severity"]) for one in found["findings"]] == [("compute.quota", "warning")]
    assert "8 processor cores, and 7 of the 10 in westeurope are free" in found["findings"][0]["what"]
    assert found["ready"]
    assert estate.first_step()["findings"] == []
    estate.server.call(partial(resources.set_cores, subscription, used=2, limit=10))
    assert estate.doctor()["findings"] == []
