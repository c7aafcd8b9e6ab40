"""The import step in front of the stand-ins: real requests through the gateway, the state kept in memory."""

from __future__ import annotations

import argparse
import io
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from slipway.command import Context
from slipway.domain.claim import Holder
from slipway.domain.environment import load_environment
from slipway.domain.state import STATE_BLOB
from slipway.log import Log
from slipway.services.credentials import Credential
from slipway.services.data_factory import DataFactory
from slipway.services.key_vault import Vault
from slipway.steps import import_factory_export as step
from slipway.steps import provision_secrets
from slipway.steps.session import Session
from tests.rehearsal.gateway.local_cloud import GROUP, SUBSCRIPTION, LocalCloud
from tests.unit.steps.fakes import Changes, FakeAudit, FakeStore, FakeWorkspace

REPOSITORY = Path(__file__).parents[3]


class Workbench:
    """One environment with one factory. `said` is what the step printed last."""

    def __init__(self, cloud: LocalCloud, folder: Path, factory: str) -> None:
        self.cloud, self.folder = cloud, folder
        self.changes = Changes()
        self.store = FakeStore(self.changes)
        self.workspace = FakeWorkspace(self.changes)
        self.audit = FakeAudit(self.changes)
        self.said = ""
        shutil.copytree(REPOSITORY / "config", folder / "config")
        self._forget_the_sample()
        cloud.call(self._make_group)
        self.vault = "kv-import"
        self.use_factory(factory)

    def _forget_the_sample(self) -> None:
        """No values for the sample's own definitions."""
        path = self.folder / "config" / "defaults.yml"
        defaults = yaml.safe_load(path.read_text(encoding="utf-8"))
        path.write_text(yaml.safe_dump({**defaults, "data_factory": {"source": "none"}}), encoding="utf-8")

    def use_factory(self, name: str) -> None:
        """Makes an empty factory of that name, which is the environment's from now on."""
        self.name = name
        self.factory_id = f"{GROUP}/providers/Microsoft.DataFactory/factories/{name}"
        self.make_factory({})
        self.client = self._client()

    @property
    def switch_is_open(self) -> bool:
        found = self.store.read(STATE_BLOB)
        return found is not None and json.loads(found[0])["switch"] is not None

    def put_secret(self, name: str, value: str) -> None:
        Vault(self.vault, self._credential()).set(name, value)

    def _credential(self) -> Credential:
        return Credential(self.cloud.credential(), who="the tests")

    def _make_group(self) -> None:
        kind = "Microsoft.Resources/resourceGroups"
        self.cloud.world.resources.put({"id": GROUP, "name": "rg-test", "type": kind, "location": "westeurope"})

    def make_factory(self, properties: Mapping[str, Any]) -> None:
        resource = {
            "id": self.factory_id,
            "name": self.name,
            "type": "Microsoft.DataFactory/factories",
            "location": "westeurope",
            "properties": dict(properties),
        }
        self.cloud.call(lambda: self.cloud.world.resources.put(dict(resource)))

    def _client(self) -> DataFactory:
        return DataFactory(self._credential(), SUBSCRIPTION, "rg-test", self.name, sleep=lambda _: None)

    def run(
        self,
        export: Path | None,
        policy: Mapping[str, Any] | None = None,
        *,
        environment: str = "test",
        what_if: bool = False,
        slot: str | None = None,
        prepare: Callable[[Session], None] | None = None,
    ) -> None:
        """The step as the script runs it, with `policy` as the environment's data_factory."""
        own = {
            "production": environment == "prod",
            "azure": {"subscription_id": SUBSCRIPTION, "resource_group": "rg-test"},
            "resources": {"data_factory": self.name, "key_vault": self.vault},
            "data_factory": dict(policy or {}),
        }
        (self.folder / f"config/environments/{environment}.yml").write_text(yaml.safe_dump(own), encoding="utf-8")
        out = io.StringIO()
        context = Context(
            environment=load_environment(self.folder, environment),
            release=self.folder,
            log=Log(out=out, err=out, variables={}, clock=lambda: 0.0),
            variables={"SLIPWAY_RESULTS": str(self.folder / "results")},
            what_if=what_if,
            arguments=argparse.Namespace(export=export, slot=slot, take_over=False),
            root=self.folder,
            clock=lambda: 1_700_000_000.0,
            sleep=lambda _: None,
        )
        holder = Holder(id="run", release="1", run="run", who="somebody")
        session = Session(context, self.store, self.workspace, holder, self.audit, self._client)  # type: ignore[arg-type]
        if prepare is not None:
            prepare(session)
        try:
            with (
                patch.object(step, "open_session", lambda *_: session),
                patch.object(provision_secrets, "credential", lambda _: self.cloud.credential()),
            ):
                step.import_export(context)
        finally:
            self.said = out.getvalue()
