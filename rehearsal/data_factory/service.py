"""The stand-in as a whole: what Resource Manager serves of it, and what a rehearsal does with it."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp

from rehearsal.data_factory import routes, run_routes, triggers
from rehearsal.data_factory.databricks import DatabricksActivities
from rehearsal.data_factory.engine import Engine
from rehearsal.data_factory.linked_services import LinkedServices, VaultSecret
from rehearsal.data_factory.runs import Runs
from rehearsal.data_factory.schedules import Schedules
from rehearsal.data_factory.walk import Sleep
from rehearsal.resource_manager.exchange import Rule
from rehearsal.world import World


class DataFactory:
    """All factories of one world. Runs that were going on when a rehearsal ended are ended here.

    databricks: the app that serves the workspaces' hosts; vault_secret: a secret's value by the vault's resource id and its
    name, permissions are checked here; sleep: how Wait and retries pass their seconds; poll_seconds: between two looks at
    a run in a workspace.
    """

    def __init__(
        self,
        world: World,
        *,
        databricks: ASGIApp,
        vault_secret: VaultSecret,
        sleep: Sleep = asyncio.sleep,
        poll_seconds: float = 0.1,
    ) -> None:
        runs = Runs(world)
        notebooks = DatabricksActivities(databricks, LinkedServices(world, vault_secret), poll_seconds)
        self._engine = Engine(world, runs, notebooks.handlers, sleep)
        self._schedules = Schedules(world, self._engine, runs)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Operations for Resource Manager's app."""
        return (*triggers.RULES, *run_routes.rules(self._engine), *routes.RULES)

    @property
    def activity_types(self) -> frozenset[str]:
        """The types of activities that run here, in lower case."""
        return self._engine.activity_types

    def advance(self, to: float) -> list[str]:
        """Let schedule triggers fire up to a moment (seconds since the epoch); the ids of the runs that started."""
        return self._schedules.advance(to)

    async def wait(self, run_id: str) -> None:
        """Until a pipeline run has ended."""
        await self._engine.wait(run_id)

    async def close(self) -> None:
        """Stop all runs."""
        await self._engine.close()
