"""The fixture `azure`: a small Azure of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from anyio.from_thread import start_blocking_portal

from rehearsal.entra.directory import Directory
from rehearsal.key_vault.secrets import Secrets
from rehearsal.resource_manager.app import create_app
from rehearsal.resource_manager.links import mapped
from rehearsal.resource_manager.resources import Resources
from rehearsal.resource_manager.roles import Roles
from rehearsal.storage.accounts import StorageAccounts
from rehearsal.store import Store
from rehearsal.world import World
from tests.rehearsal.resource_manager.local_azure import (
    SUBSCRIPTION,
    SUBSCRIPTION_ID,
    TENANT,
    Azure,
    Clock,
    FakeAccounts,
    FakeDirectory,
    FakeWorkspaces,
    Wire,
)


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[Azure]:
    store, clock, directory, accounts = Store(tmp_path / "store.sqlite"), Clock(), FakeDirectory(), FakeAccounts()
    workspaces, mappings = FakeWorkspaces(), list[tuple[str, Path]]()
    world = World(
        folder=tmp_path,
        store=store,
        clock=clock,
        directory=cast(Directory, directory),
        roles=Roles(store, clock, delay_seconds=0),
        resources=Resources(store),
        storage_accounts=cast(StorageAccounts, accounts),
        vault_secrets=Secrets(store, clock),
        workspaces=workspaces,
    )
    world.resources.add_subscription(SUBSCRIPTION, tenant_id=TENANT)
    admin = directory.add("admin")
    world.roles.assign(scope=SUBSCRIPTION_ID, principal_id=admin.object_id, role_name="Owner", immediately=True)
    with start_blocking_portal() as portal:
        app = create_app(world, fetcher=mapped(mappings))
        wire = Wire(portal, app)
        yield Azure(world, wire, clock, admin, directory, accounts, app, workspaces, mappings)
        wire.close()
    store.close()
