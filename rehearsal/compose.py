"""Put the stand-ins together into one local Azure, with the people and places that the configuration names."""

from __future__ import annotations

import os
import secrets
import sys
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from rehearsal import azure_devops
from rehearsal.azure_devops import AzureDevOps
from rehearsal.azure_devops.connections import WIF
from rehearsal.choices import USUAL, Choices
from rehearsal.data_factory.service import DataFactory
from rehearsal.databricks.app import create_app as databricks_app
from rehearsal.databricks.schedules import Schedules
from rehearsal.databricks.workspaces import HOST, Workspaces
from rehearsal.entra.app import create_app as entra_app
from rehearsal.entra.directory import Directory, Principal
from rehearsal.entra.graph import create_app as graph_app
from rehearsal.entra.graph import let_read
from rehearsal.gateway.faults import Faults
from rehearsal.gateway.gateway import Gateway
from rehearsal.key_vault.app import create_app as key_vault_app
from rehearsal.key_vault.app import read_secret, secret_names
from rehearsal.key_vault.secrets import Secrets
from rehearsal.pipelines.host import ServiceConnection
from rehearsal.resource_manager.app import create_app as resource_manager_app
from rehearsal.resource_manager.links import first_of, from_storage, mapped
from rehearsal.resource_manager.resources import Resources
from rehearsal.resource_manager.roles import Roles
from rehearsal.storage.accounts import StorageAccounts
from rehearsal.storage.app import create_app as storage_app
from rehearsal.storage.azurite import Azurite
from rehearsal.store import Store
from rehearsal.world import World
from slipway.domain.environment import Environment

# Names in this local Azure; ids are derived from them, so that every rehearsal has the same ones.
NAMESPACE = uuid.UUID("5b0a1b6e-7a52-4d0e-9a53-6f6f1d7d3a10")
ADMIN = "Platform admin"


@dataclass(frozen=True, kw_only=True)
class Admin:
    """Who bootstraps: Owner of the subscriptions and admin of the workspaces, signing in with a client secret."""

    tenant_id: str
    client_id: str
    client_secret: str

    def variables(self) -> dict[str, str]:
        """What azure-identity's EnvironmentCredential reads."""
        return {
            "AZURE_TENANT_ID": self.tenant_id,
            "AZURE_CLIENT_ID": self.client_id,
            "AZURE_CLIENT_SECRET": self.client_secret,
        }


@dataclass(frozen=True, kw_only=True)
class LocalAzure:
    """The composed stand-ins, not started: the gateway and Azurite are started by the server that runs them."""

    world: World
    gateway: Gateway
    azurite: Azurite
    devops: AzureDevOps
    workspaces: Workspaces
    factories: DataFactory
    schedules: Schedules
    admins: Mapping[str, Admin]
    exports: dict[str, str]
    closing: Sequence[Callable[[], Awaitable[None]]]

    @property
    def connections(self) -> dict[str, ServiceConnection]:
        """The service connections that Azure DevOps has now, by name."""
        return {record["name"]: _connection(record) for record in self.devops.connections.all()}

    async def advance(self, to: float) -> None:
        """Move the clock of all schedules to a moment (seconds since the epoch): those of factories and of workspaces fire."""
        self.factories.advance(to)
        await self.schedules.advance(to)


@dataclass(frozen=True, kw_only=True)
class Release:
    """An environment of the configuration, and the service connection that azure-pipelines.yml releases it with.

    pool: of agents of one's own on which it runs; "": Microsoft's. connected: the service connection is there from the
    beginning, as if people had made it long ago; otherwise somebody must make it.
    """

    environment: Environment
    service_connection: str
    pool: str = ""
    connected: bool = True


@dataclass(frozen=True, kw_only=True)
class Empty:
    """A subscription with nothing in it, its admin, and a project of Azure DevOps of which the admin is administrator."""

    tenant_id: str
    subscription_id: str
    organisation: str
    project: str


def compose(
    folder: Path,
    releases: Sequence[Release],
    *,
    datasets: Path,
    empty: Empty | None = None,
    clock: Callable[[], float],
    role_delay_seconds: float,
    port: int = 0,
    choices: Choices = USUAL,
    more_apps: Callable[[World], Sequence[tuple[str, Starlette]]] = lambda _: (),
) -> LocalAzure:
    """Build every stand-in over `folder`, and seed it with what `releases` name. What is there already stays. `empty`: seed
    this too, or alone. `more_apps`: other hostnames that end here, with what serves them.

    Raises DamagedStore when the folder's store cannot be read.
    """
    store = Store(folder / "store.sqlite")
    directory = Directory(store, clock)
    workspaces = Workspaces(store, folder, clock)
    world = World(
        folder=folder,
        store=store,
        clock=clock,
        directory=directory,
        roles=Roles(store, clock, delay_seconds=role_delay_seconds),
        resources=Resources(store),
        storage_accounts=StorageAccounts(folder, store),
        vault_secrets=Secrets(store, clock),
        workspaces=workspaces,
        accept_unknown_resources=choices.accept_unknown_resources,
    )
    devops = AzureDevOps(directory, store, clock, **_organisation(releases, empty))
    azurite = Azurite(folder / "azurite", world.storage_accounts)
    faults = Faults()
    exports: dict[str, str] = {}
    workspace_app = databricks_app(
        world,
        workspaces,
        run_environment=lambda: notebook_environment(exports),
        datasets=datasets,
        git=choices.git,
        rate_limits=choices.rate_limits,
        wheelhouse=None,
        python=Path(sys.executable),
        vault_secret=lambda vault, name: read_secret(world, vault, name),
        vault_names=lambda vault: secret_names(world, vault),
    )
    factories = DataFactory(
        world, databricks=workspace_app, vault_secret=lambda vault, name: read_secret(world, vault, name)
    )
    storage_front = storage_app(world, azurite)
    linked = first_of(mapped(choices.templates), from_storage(storage_front))
    apps = [
        ("login.microsoftonline.com", entra_app(world)),
        ("graph.microsoft.com", graph_app(world)),
        ("management.azure.com", resource_manager_app(world, rules=factories.rules, fetcher=linked)),
        ("*.vault.azure.net", key_vault_app(world)),
        ("*.blob.core.windows.net", storage_front),
        ("*.dfs.core.windows.net", storage_front),
        ("adb-*.azuredatabricks.net", workspace_app),
        ("dev.azure.com", azure_devops.create_app(world, devops)),
        ("vssps.dev.azure.com", azure_devops.create_people_app(devops)),
        *more_apps(world),
    ]
    gateway = Gateway(apps, folder / "gateway", port=port, faults=faults, aged=directory.aged)
    tenants = [release.environment.azure.tenant_id for release in releases] + ([empty.tenant_id] if empty else [])
    admins = {tenant: _admin(world, tenant) for tenant in tenants}
    if empty:
        _seed_subscription(world, devops, empty.tenant_id, empty.subscription_id)
    for release in releases:
        _seed(world, devops, workspaces, release)
        if release.pool:
            devops.pools.ensure(release.pool)
        if release.connected:
            _connect(world, devops, release)
    return LocalAzure(
        world=world,
        gateway=gateway,
        azurite=azurite,
        devops=devops,
        workspaces=workspaces,
        factories=factories,
        schedules=workspace_app.state.schedules,
        admins=admins,
        exports=exports,
        closing=[factories.close, workspace_app.state.engine.close],
    )


def notebook_environment(exports: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a notebook's process: what it needs to run, and the way to the stand-ins."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, **exports, "OMP_NUM_THREADS": "1"}


def _admin(world: World, tenant: str) -> Admin:
    kept = world.store.collection("compose/admins")
    if tenant not in kept:
        kept[tenant] = {"client_secret": secrets.token_urlsafe(24)}
    admin = Admin(tenant_id=tenant, client_id=_id("admin", tenant), client_secret=kept[tenant]["client_secret"])
    world.directory.add_tenant(tenant)
    world.directory.add_service_principal(
        tenant_id=tenant,
        app_id=admin.client_id,
        object_id=_id("admin object", tenant),
        display_name=ADMIN,
        client_secret=admin.client_secret,
    )
    let_read(world, _id("admin object", tenant))
    return admin


def _seed(world: World, devops: AzureDevOps, workspaces: Workspaces, release: Release) -> None:
    azure = release.environment.azure
    admin = _seed_subscription(world, devops, azure.tenant_id, azure.subscription_id)
    _seed_identity(world, release.environment)
    # Azurite is started again for each account that it does not know; it may know these before they are deployed.
    for account in (azure.state.storage_account, release.environment.resources.storage_account):
        world.storage_accounts.ensure(account)
    _seed_workspace(world, workspaces, release.environment, admin)


def _seed_subscription(world: World, devops: AzureDevOps, tenant: str, subscription: str) -> Principal:
    """A subscription, and its admin with the rights of one; the admin."""
    admin = world.directory.by_object_id(_id("admin object", tenant))
    if admin is None:
        raise AssertionError("the admin is seeded before the environments")
    devops.add_member(admin.object_id)
    world.resources.add_subscription(subscription, tenant_id=tenant)
    # Owner alone reaches no data: whoever operates a platform has the data roles too.
    for role in ("Owner", "Storage Blob Data Owner", "Key Vault Administrator"):
        scope = f"/subscriptions/{subscription}"
        world.roles.assign(scope=scope, principal_id=admin.object_id, role_name=role, immediately=True)
    return admin


def _seed_identity(world: World, environment: Environment) -> None:
    """What a release signs in as. One that has a name is made by bootstrap, and gets the ids that the configuration has."""
    azure = environment.azure
    identity = azure.release_identity
    if identity.name is not None:
        place = f"/subscriptions/{azure.subscription_id}/resourceGroups/{azure.state.resource_group}/providers/"
        place += f"Microsoft.ManagedIdentity/userAssignedIdentities/{identity.name}"
        world.directory.choose_ids(place, app_id=identity.client_id, object_id=identity.object_id)
        return
    world.directory.add_service_principal(
        tenant_id=azure.tenant_id,
        app_id=identity.client_id,
        object_id=identity.object_id,
        display_name=f"Release of {environment.app}",
    )


def _seed_workspace(world: World, workspaces: Workspaces, environment: Environment, admin: Principal) -> None:
    resource_id = environment.databricks.workspace_resource_id
    host = environment.databricks.host.removeprefix("https://")
    if resource_id:
        found = HOST.fullmatch(host)
        number = found[1] if found else host
        location = environment.azure.location
        world.resources.add_databricks_workspace(resource_id, host=host, workspace_id=number, location=location)
    workspaces.add(host, resource_id or "", admins=[admin.object_id])
    run_as = environment.jobs.run_as.get("service_principal_name")
    if run_as and run_as != environment.azure.release_identity.client_id:
        identity = world.directory.add_service_principal(
            tenant_id=environment.azure.tenant_id,
            app_id=run_as,
            object_id=_id("run as", run_as),
            display_name=f"Jobs of {environment.app}",
        )
        workspaces.add_principal(host, identity)


def _organisation(releases: Sequence[Release], empty: Empty | None) -> dict[str, str]:
    """Names of the organisation and project that the configuration names; the rehearsal has one of each."""
    if empty is not None:
        return {"organisation": empty.organisation, "project": empty.project}
    place = next((one.environment.azure_devops for one in releases if one.environment.azure_devops), None)
    if place is None:
        return {}
    return {"organisation": place.organization.rpartition("/")[2], "project": place.project}


def _connect(world: World, devops: AzureDevOps, release: Release) -> None:
    """The service connection of a release, and what lets its jobs sign in as the release identity."""
    azure = release.environment.azure
    record = devops.add_service_connection(
        name=release.service_connection,
        client_id=azure.release_identity.client_id,
        tenant_id=azure.tenant_id,
        subscription_id=azure.subscription_id,
    )
    parameters = record["authorization"]["parameters"]
    if "workloadIdentityFederationIssuer" in parameters:
        world.directory.add_federation(
            app_id=azure.release_identity.client_id,
            issuer=parameters["workloadIdentityFederationIssuer"],
            subject=parameters["workloadIdentityFederationSubject"],
        )


def _connection(record: Mapping[str, Any]) -> ServiceConnection:
    parameters = record["authorization"]["parameters"]
    return ServiceConnection(
        id=record["id"],
        name=record["name"],
        client_id=parameters["serviceprincipalid"],
        tenant_id=parameters["tenantid"],
        subscription_id=str((record.get("data") or {}).get("subscriptionId", "")),
        federated=record["authorization"]["scheme"] == WIF,
    )


def _id(kind: str, name: str) -> str:
    return str(uuid.uuid5(NAMESPACE, f"{kind}:{name}"))
