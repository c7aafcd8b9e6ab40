"""A copy of this repository's configuration and pipelines, and a set-up in front of the stand-ins of Azure and Azure DevOps."""

from __future__ import annotations

import argparse
import io
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.azure_devops.errors import Json
from rehearsal.resource_manager.app import create_app
from slipway.command import Context
from slipway.domain.diagnosis import Diagnosis, diagnosis
from slipway.domain.environment import load_environment
from slipway.log import Log
from slipway.services.credentials import credential
from slipway.services.databricks import connect
from slipway.services.resource_manager.groups import Resources
from slipway.services.resource_manager.identities import Identities
from slipway.services.resource_manager.reading import Reader
from slipway.steps import setup_azure_devops
from slipway.steps.doctor import azure_devops as doctor
from slipway.steps.doctor.examination import Examination, examine
from tests.rehearsal.gateway.local_cloud import APP, OBJECT, SECRET, SUBSCRIPTION, TENANT, LocalCloud, use

REPOSITORY = Path(__file__).resolve().parents[3]
GROUP, IDENTITY = "rg-bikeshare-state", "id-bikeshare-release"
CLIENT_ID = "4e1b2a3c-0d5f-4a6b-8c7d-9e8f7a6b5c4d"
WRITES = ("POST", "PUT", "PATCH", "DELETE")


class Project:
    """The project, and somebody who signs in to the organisation and the subscription. A folder with one in it goes on."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str] | None = None
    ) -> None:
        self.root = folder / "project"
        if not self.root.exists():
            for part in ("config", "templates"):
                shutil.copytree(REPOSITORY / part, self.root / part)
            shutil.copy2(REPOSITORY / "azure-pipelines.yml", self.root)
        self.cloud = LocalCloud(folder / "cloud", more_apps=lambda world: [("management.azure.com", create_app(world))])
        self._monkeypatch, self._capsys = monkeypatch, capsys
        self.said = ""

    def __enter__(self) -> Project:
        self.cloud.__enter__()
        use(self.cloud.exports(), self._monkeypatch)
        for name, value in (("TENANT_ID", TENANT), ("CLIENT_ID", APP), ("CLIENT_SECRET", SECRET)):
            self._monkeypatch.setenv(f"AZURE_{name}", value)
        self.cloud.assign(f"/subscriptions/{SUBSCRIPTION}", "Owner")
        self.cloud.call(lambda: self.devops.add_member(OBJECT))
        return self

    def __exit__(self, *_: object) -> None:
        self.cloud.__exit__()

    @property
    def devops(self) -> Any:
        return self.cloud.devops

    def make_identity(self) -> None:
        """What bootstrap makes before: the release identity, with the ids that the configuration names."""
        place = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/"
        place += f"Microsoft.ManagedIdentity/userAssignedIdentities/{IDENTITY}"
        ids = {"app_id": CLIENT_ID, "object_id": "9b8a7c6d-5e4f-4d3c-8b2a-1f0e9d8c7b6a"}
        self.cloud.call(lambda: self.cloud.world.directory.choose_ids(place, **ids))
        self.resources.create_group(GROUP, "westeurope", {})
        self.identities.create(IDENTITY, "westeurope", {})

    @property
    def resources(self) -> Resources:
        return Resources(credential({}), SUBSCRIPTION)

    @property
    def identities(self) -> Identities:
        return Identities(self.resources, GROUP)

    def configure(self, file: str = "defaults", **changes: Any) -> None:
        """Other values of whole sections; None takes one away."""
        path = self.root / "config" / (f"{file}.yml" if file == "defaults" else f"environments/{file}.yml")
        values = yaml.safe_load(path.read_text(encoding="utf-8")) | changes
        kept = {key: value for key, value in values.items() if value is not None}
        path.write_text(yaml.safe_dump(kept, sort_keys=False), encoding="utf-8")

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.root / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def setup(self, *arguments: str, variables: Mapping[str, str] | None = None) -> int:
        """The exit code; what was said is in `said`."""
        code = setup_azure_devops.main(list(arguments), variables=variables or {}, root=self.root)
        if self._capsys is not None:
            captured = self._capsys.readouterr()
            self.said = captured.out + captured.err
        return code

    def diagnose(self, name: str, variables: Mapping[str, str] | None = None, *, short: bool = False) -> Diagnosis:
        """What the doctor says of Azure DevOps alone."""
        environment = load_environment(self.root, name)
        log = Log(out=io.StringIO(), err=io.StringIO(), variables={}, clock=lambda: 0.0)
        context = Context(
            environment=environment,
            release=self.root,
            log=log,
            variables=variables or {},
            what_if=False,
            arguments=argparse.Namespace(),
            root=self.root,
        )
        identity = credential({})
        examination = Examination(
            context=context,
            credential=identity,
            azure=Reader(identity, SUBSCRIPTION),
            workspace=connect(environment, identity, {}),
            short=short,
        )
        checks = [one for one in doctor.checks(examination) if one.short or not short]
        return diagnosis(name, [one.title for one in checks], examine(checks))

    def writes(self) -> list[str]:
        """Requests to the organisation, and to identities in Azure, that changed something or tried to, so far."""
        lines = self.cloud.call(lambda: list(self.cloud.gateway.log.recent))
        return [
            f"{line['method']} {line['path']}"
            for line in lines
            if line.get("method") in WRITES and line["host"] in ("dev.azure.com", "management.azure.com")
        ]

    def connection(self, name: str) -> Json:
        found: Json | None = self.cloud.call(lambda: self.devops.connections.by_name(name))
        assert found is not None
        return found
