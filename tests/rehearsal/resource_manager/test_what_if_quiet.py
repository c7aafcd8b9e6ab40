"""Whatever is deployed, what-if finds nothing to change afterwards; and whatever is changed, it finds just that."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rehearsal.entra.directory import Directory
from rehearsal.resource_manager.deployments.comparison import delta, without
from rehearsal.resource_manager.operations import Operations
from rehearsal.resource_manager.resources import Resources
from rehearsal.resource_manager.roles import Roles
from rehearsal.storage.accounts import StorageAccounts
from rehearsal.store import Store
from rehearsal.world import World
from tests.rehearsal.resource_manager.local_azure import (
    GROUP_ID,
    SUBSCRIPTION,
    SUBSCRIPTION_ID,
    TENANT,
    Clock,
    FakeAccounts,
    FakeDirectory,
    version_of,
)

WORDS = st.text(alphabet="abcDE-1", min_size=1, max_size=6)
TAGS = st.none() | st.dictionaries(WORDS, WORDS, max_size=2)
RULES = st.lists(st.sampled_from(["1.2.3.4", "10.0.0.0/8", "5.6.7.8"]), unique=True, max_size=3).map(
    lambda values: [{"value": value} for value in values]
)
NETWORK = st.fixed_dictionaries({}, optional={"defaultAction": st.sampled_from(["Allow", "Deny"]), "ipRules": RULES})
STORAGE = st.fixed_dictionaries(
    {"location": st.just("West Europe"), "sku": st.just({"name": "Standard_LRS"}), "kind": st.just("StorageV2")},
    optional={
        "tags": TAGS,
        "properties": st.fixed_dictionaries(
            {},
            optional={
                "networkAcls": NETWORK,
                "allowBlobPublicAccess": st.booleans(),
                "minimumTlsVersion": st.sampled_from(["TLS1_2", "TLS1_3"]),
                "isHnsEnabled": st.just(True),
            },
        ),
    },
)
VAULT = st.fixed_dictionaries(
    {
        "location": st.just("westeurope"),
        "properties": st.fixed_dictionaries(
            {
                "tenantId": st.just(TENANT),
                "sku": st.sampled_from([{"name": "standard"}, {"family": "A", "name": "premium"}]),
            },
            optional={
                "networkAcls": NETWORK,
                "enableRbacAuthorization": st.booleans(),
                "enablePurgeProtection": st.sampled_from([True, None]),
                "softDeleteRetentionInDays": st.just(30),
            },
        ),
    },
    optional={"tags": TAGS},
)
FACTORY = st.fixed_dictionaries(
    {"location": st.just("westeurope")},
    optional={
        "tags": TAGS,
        "identity": st.just({"type": "SystemAssigned"}),
        "properties": st.fixed_dictionaries(
            {}, optional={"globalParameters": st.just({"p": {"type": "int", "value": 1}})}
        ),
    },
)
BODIES = st.one_of(
    st.tuples(st.just("Microsoft.Storage/storageAccounts/stone"), STORAGE),
    st.tuples(st.just("Microsoft.KeyVault/vaults/kv-one"), VAULT),
    st.tuples(st.just("Microsoft.DataFactory/factories/adf-one"), FACTORY),
)


def operations(folder: str) -> Operations:
    store, clock = Store(Path(folder) / "store.sqlite"), Clock()
    world = World(
        folder=Path(folder),
        store=store,
        clock=clock,
        directory=cast(Directory, FakeDirectory()),
        roles=Roles(store, clock, delay_seconds=0),
        resources=Resources(store),
        storage_accounts=cast(StorageAccounts, FakeAccounts()),
    )
    world.resources.add_subscription(SUBSCRIPTION, tenant_id=TENANT)
    world.resources.put_group(SUBSCRIPTION, "rg-app", location="westeurope")
    return Operations(world)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40)
@given(BODIES)
def test_a_second_time_changes_nothing(case: tuple[str, dict[str, Any]]) -> None:
    path, body = case
    with tempfile.TemporaryDirectory() as folder:
        service = operations(folder)
        caller = cast(FakeDirectory, service.world.directory).add("admin")
        service.world.roles.assign(scope=SUBSCRIPTION_ID, principal_id=caller.object_id, role_name="Owner")
        resource_id = f"{GROUP_ID}/providers/{path}"
        first = service.put(*service.prepare(resource_id, body, version_of(resource_id), caller))
        cast(Clock, service.world.clock).now += 100
        kind, write = service.prepare(resource_id, body, version_of(resource_id), caller)
        assert delta(without(first, kind.read_only), without(kind.build(write), kind.read_only)) == []
        assert service.put(kind, write) == first
        service.world.store.close()


JSON = st.recursive(
    st.booleans() | st.integers(0, 3) | st.sampled_from("ab"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.sampled_from("xyz"), JSON, max_size=3)


@given(OBJECTS, OBJECTS)
def test_delta_is_empty_only_for_equals(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert delta(before, before) == []
    same = json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)
    emptied = _without_empty(before) == _without_empty(after)
    assert bool(delta(before, after)) is not same or (not same and emptied)


def _without_empty(value: Any) -> Any:
    """An empty object inside is no property of its own to compare."""
    if isinstance(value, dict):
        return {key: _without_empty(item) for key, item in value.items() if item not in ({}, None)}
    return value
