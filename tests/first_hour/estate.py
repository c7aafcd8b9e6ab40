"""A project and its first environment, set up by the real scripts in front of the stand-ins: once, and then copied for each
test, which takes something away."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

from rehearsal import compose as composing
from rehearsal.databricks.app import create_app as databricks_app
from rehearsal.pieces import Hand
from rehearsal.server import Server
from slipway.domain.environment import Environment, load_environment
from slipway.steps import build_release
from slipway.steps.configuration_files import file_of, write_values
from tests.faults.agents import Agent
from tests.faults.cloud import RUNNER
from tests.faults.project import NAME, make_project
from tests.unit.steps.conftest import NOTEBOOK, REPOSITORY

CONNECTION = "slipway-dev"
STEPS = (
    "deploy_resources",
    "provision_secrets",
    "publish_slot",
    "publish_factory_candidate",
    "run_integration_test",
    "switch_slot",
)
"""A release, in order."""
AZ = REPOSITORY / ".venv-contract" / "bin" / "az"
_HOUR = 3600.0
_MEND_SECONDS = 120


@dataclass(frozen=True)
class Outcome:
    """How a script or a command ended, and what it said."""

    code: int
    text: str


class Estate:
    """The stand-ins over `folder`, with a project in `folder/project`; use as a context manager.

    `agent`: runs scripts in processes that have the imports behind them. `patch` puts a quick runner of notebooks in place.
    `settings`: what the configuration is to say, by key path.
    """

    def __init__(self, folder: Path, agent: Agent, patch: Any, settings: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.root = folder / "project"
        self.configure(settings or {})
        self.agent = agent
        runner = [sys.executable, "-S", "-c", textwrap.dedent(RUNNER)]
        patch.setattr(composing, "databricks_app", partial(databricks_app, runner=runner))
        release = composing.Release(environment=self.environment, service_connection=CONNECTION, connected=False)
        (folder / "datasets").mkdir(exist_ok=True)
        self.server = Server(
            lambda: composing.compose(
                folder / "cloud", [release], datasets=folder / "datasets", clock=time.time, role_delay_seconds=0.0
            )
        )

    def __enter__(self) -> Self:
        self.server.start()
        self.admin = next(iter(self.server.azure.admins.values())).variables()
        self.hand = Hand(self.server, self.environment)
        return self

    def __exit__(self, *_: object) -> None:
        self.hand.close()
        self.server.stop()

    @property
    def environment(self) -> Environment:
        """As the configuration is now."""
        return load_environment(self.root, NAME)

    def configure(self, values: Mapping[str, Any]) -> None:
        """Writes values into the configuration, as people do."""
        for key, value in values.items():
            write_values(self.root, file_of(self.root, NAME, key), {key: value})

    # -- running -------------------------------------------------------------------------------------------------------

    def as_admin(self, step: str, *arguments: str) -> Outcome:
        """A script, run by the admin."""
        return self._step(step, *arguments, variables=self.admin)

    def as_somebody(self, person: Mapping[str, str], step: str, *arguments: str) -> Outcome:
        """A script, run by whoever signs in with these variables."""
        return self._step(step, *arguments, variables=person)

    def as_release(self, step: str, *arguments: str) -> Outcome:
        """A script, run in the pipeline, signed in by its service connection."""
        return self._step(step, *arguments, variables=self.pipeline())

    def doctor(self, variables: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What the doctor tells the admin, as data; with `variables`, somebody else."""
        return self._diagnosis(self.as_somebody({**self.admin, **(variables or {})}, "doctor", "--json"))

    def first_step(self) -> dict[str, Any]:
        """What the first step of a release says, as data."""
        return self._diagnosis(self.as_release("doctor", "--short", "--json"))

    def mend(self, command: str) -> Outcome:
        """Runs a mend as it is printed, in a shell in the repository, with the programs and the sign-in of whoever set up."""
        path = [REPOSITORY / ".venv-release" / "bin", REPOSITORY / ".venv-contract" / "bin"]
        variables = {**self.whole(self.admin), "PATH": os.pathsep.join([*map(str, path), os.environ["PATH"]])}
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.root,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_MEND_SECONDS,
            check=False,
        )
        return Outcome(done.returncode, done.stdout + done.stderr)

    def sign_az_in(self) -> None:
        login = 'az login --service-principal -u "$AZURE_CLIENT_ID" -p "$AZURE_CLIENT_SECRET" -t "$AZURE_TENANT_ID"'
        done = self.mend(login)
        assert done.code == 0, done.text

    def set_up(self) -> None:
        """As an admin, and then waits until the roles work."""
        for step in ("bootstrap_environment", "setup_azure_devops"):
            done = self.mend(f"python scripts/{step}.py --environment {NAME}")
            assert done.code == 0, done.text
        self.age_roles()

    def release(self, version: str) -> None:
        """Builds the project as it is, and releases it. Every step must succeed."""
        output = self.root / "dist" / version
        arguments = ["--version", version, "--output", str(output)]
        assert build_release.main(arguments, variables={"BUILD_SOURCEVERSION": "c" * 40}, root=self.root) == 0
        for step in STEPS:
            done = self.as_release(step, "--release", str(output))
            assert done.code == 0, f"{step}:\n{done.text}"

    def age_roles(self) -> None:
        """All roles were given an hour ago."""
        age_roles(self.server)

    def _step(self, step: str, *arguments: str, variables: Mapping[str, str]) -> Outcome:
        self.agent.start(
            {
                "step": step,
                "arguments": ["--environment", NAME, *arguments],
                "variables": self.whole(variables),
                "root": str(self.root),
            }
        )
        return Outcome(*self.agent.end())

    def whole(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The environment of a process in front of the stand-ins, with these variables of its own."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "SLIPWAY_RESULTS": str(self.folder / "results"),
            **self.server.azure.exports,
            **variables,
        }

    def pipeline(self) -> dict[str, str]:
        """The variables of a step of a pipeline."""
        azure = self.server.azure
        connection = azure.connections[CONNECTION]
        token, address = self.server.call(lambda: azure.devops.open_job("release"))
        return {
            "TF_BUILD": "True",
            "SYSTEM_COLLECTIONURI": "https://dev.azure.com/slipway/",
            "SYSTEM_TEAMPROJECT": "Slipway",
            "SYSTEM_ACCESSTOKEN": token,
            "SYSTEM_OIDCREQUESTURI": address,
            "AZURESUBSCRIPTION_CLIENT_ID": connection.client_id,
            "AZURESUBSCRIPTION_TENANT_ID": connection.tenant_id,
            "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": connection.id,
        }

    @staticmethod
    def _diagnosis(outcome: Outcome) -> dict[str, Any]:
        text = outcome.text
        assert "{" in text, text
        found: dict[str, Any] = json.JSONDecoder().raw_decode(text[text.index("{") :])[0]
        wrong = any(finding["severity"] == "error" for finding in found["findings"])
        assert outcome.code == (0 if found["ready"] else 9 if wrong else 5), text
        return found


def age_roles(server: Server) -> None:
    """All roles of these stand-ins were given an hour ago."""
    roles = server.azure.world.roles
    made = datetime.fromtimestamp(time.time() - _HOUR, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")

    def change() -> None:
        for assignment in list(roles.at("/", below=True)):
            roles.update(str(assignment["id"]), {"createdOn": made})

    server.call(change)


def make_repository(folder: Path) -> None:
    """The project, with its pipelines and scripts, of which nothing is set up yet."""
    root = make_project(folder / "project")
    shutil.copytree(REPOSITORY / "templates", root / "templates")
    shutil.copy(REPOSITORY / "azure-pipelines.yml", root)
    shutil.copytree(REPOSITORY / "scripts", root / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "notebooks" / "score.py").write_text(NOTEBOOK.format("1.0"))


def set_up(folder: Path, agent: Agent, patch: Any) -> None:
    """Makes the project, signs az in, and lets the scripts of a first hour make the environment."""
    make_repository(folder)
    with Estate(folder, agent, patch) as estate:
        estate.set_up()
        if AZ.exists():
            estate.sign_az_in()


def copied(template: Path, folder: Path) -> Path:
    """A copy of an estate that is not running."""
    shutil.copytree(template, folder, symlinks=True)
    return folder
