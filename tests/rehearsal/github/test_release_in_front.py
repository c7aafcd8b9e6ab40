"""A whole release by the workflows, in front of the stand-ins: signed in as the repository's environment, with fresh tokens."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from rehearsal.command import _releases
from rehearsal.compose import compose
from rehearsal.console import Log
from rehearsal.dataset import find_dataset
from rehearsal.rehearse import Rehearsal
from rehearsal.scripts import child_environment
from rehearsal.setup import environment_folder
from rehearsal.world import World
from tests.rehearsal.github.oidc import HOSTS, ISSUER, GitHub
from tests.rehearsal.github.recording import ROOT
from tests.rehearsal.github.runner import NOT_CHECKED_OUT, Job, Runner

pytestmark = pytest.mark.release
REPOSITORY = "contoso@1842/bikes@77"  # as repositories made since 2026 call themselves
# Installs a lock by making the environment that was built from it the job's Python, as the rehearsal's agent does.
_PYTHON = """#!/bin/sh
case "$*" in
  "-m pip install "*" -r requirements/build.txt") echo '{build}' > "$RUNNER_TEMP/.python"; exit 0 ;;
  "-m pip install "*" -r requirements/release.txt") echo '{release}' > "$RUNNER_TEMP/.python"; exit 0 ;;
esac
exec "$(cat "$RUNNER_TEMP/.python")/bin/python" "$@"
"""


class InFront(Rehearsal):
    """A rehearsal whose stand-ins know GitHub too."""

    github: GitHub

    def _compose(self) -> Any:
        def more(world: World) -> list[tuple[str, Any]]:
            self.github = GitHub(world, time.time)
            return [(HOSTS, self.github.app())]

        return compose(
            self.folder,
            self.releases,
            datasets=self.dataset.folder,
            clock=time.time,
            role_delay_seconds=0.0,
            more_apps=more,
        )


class Project:
    """A checkout, and runs of its workflows in the environment `dev`."""

    def __init__(self, rehearsal: InFront, folder: Path) -> None:
        self.rehearsal, self.folder = rehearsal, folder
        self.repository = folder / "repository"
        shutil.copytree(ROOT, self.repository, ignore=NOT_CHECKED_OUT, symlinks=True)
        self.azure = rehearsal.releases[0].environment.azure
        self._runs = 0
        self._programs = folder / "programs"
        self._programs.mkdir()
        environments = {name: environment_folder(name) for name in ("build", "release")}
        environments["build"] = ROOT / ".venv"
        self._program("python", _PYTHON.format(**environments))
        self._program("ruff", f'#!/bin/sh\nexec {ROOT}/.venv/bin/ruff "$@"\n')
        self._program("pip-audit", "#!/bin/sh\necho not run: it needs the outside\n")

    def _program(self, name: str, text: str) -> None:
        (self._programs / name).write_text(text, encoding="utf-8")
        (self._programs / name).chmod(0o755)

    def trust(self, subject: str) -> None:
        """A federated credential, as docs/github.md says."""
        directory = self.rehearsal.server.azure.world.directory
        identity = self.azure.release_identity.client_id
        add = partial(directory.add_federation, app_id=identity, issuer=ISSUER, subject=subject)
        self.rehearsal.server.call(add)

    def run(self, workflow: str, inputs: Mapping[str, Any] | None = None) -> list[Job]:
        self._runs += 1
        environment = child_environment(self.rehearsal.server.azure.exports)
        runner = Runner(
            repository=self.repository,
            folder=self.folder / f"run-{self._runs}",
            environment={**environment, "PATH": f"{self._programs}:{environment['PATH']}"},
            variables={
                "": {
                    "AZURE_CLIENT_ID": self.azure.release_identity.client_id,
                    "AZURE_TENANT_ID": self.azure.tenant_id,
                    "AZURE_SUBSCRIPTION_ID": self.azure.subscription_id,
                }
            },
            oidc=self._oidc,
            login=self._login,
            run_id=f"42{self._runs}",
            without=frozenset({"test", "prod"}),
        )
        return runner.run(workflow, inputs)

    def _oidc(self, environment: str, permissions: Mapping[str, str]) -> Mapping[str, str]:
        if permissions.get("id-token") != "write":
            return {}
        github = self.rehearsal.github
        return self.rehearsal.server.call(lambda: github.open_job(REPOSITORY, environment=environment))

    def _login(self, given: Mapping[str, str], variables: Mapping[str, str]) -> None:
        """azure/login: one token of GitHub, exchanged for one of Entra ID; a refusal fails the step."""
        assert given.keys() == {"client-id", "tenant-id", "subscription-id"}
        with requests.Session() as session:
            session.trust_env = False
            session.proxies, session.verify = {"https": variables["https_proxy"]}, variables["REQUESTS_CA_BUNDLE"]
            bearer = {"Authorization": f"bearer {variables['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"}
            address = f"{variables['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience=api://AzureADTokenExchange"
            assertion = session.get(address, headers=bearer, timeout=60).json()["value"]
            form = {
                "grant_type": "client_credentials",
                "client_id": given["client-id"],
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": assertion,
                "scope": "https://management.azure.com/.default",
            }
            answer = session.post(
                f"https://login.microsoftonline.com/{given['tenant-id']}/oauth2/v2.0/token", data=form, timeout=60
            )
            assert answer.status_code == 200, answer.text

    def status(self) -> dict[str, Any]:
        done = self.rehearsal.scripts.run("status", "--environment", "dev", "--json")
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("github")
    console = (folder / "console.log").open("w", encoding="utf-8")
    log = Log(folder / "rehearsal.log", console, verbose=False)
    rehearsal = InFront(
        repository=ROOT,
        folder=folder / "rehearsal",
        releases=_releases(ROOT),
        dataset=find_dataset(None, ROOT, folder / "rehearsal"),
        log=log,
    )
    try:
        rehearsal.start()
        rehearsal.bootstrap({"dev"})
        yield Project(rehearsal, folder)
    finally:
        rehearsal.stop()
        log.close()
        console.close()


def test_a_release_from_github(project: Project) -> None:
    subject = f"repo:{REPOSITORY}:environment:dev"
    project.trust(subject)
    build, release = project.run("release.yml")
    assert build.outcome == "success", build.output
    assert release.outcome == "success", release.output
    assert [step.outcome for step in release.steps][-1] == "skipped", "nothing is to be taken back"
    status = project.status()
    assert status["live"] == "blue"
    assert status["history"][0]["run"] == "https://github.com/contoso/bikes/actions/runs/421"
    assert "Integration test" in release.summary
    assert "::group::" in release.output
    assert "##vso" not in release.output
    given = project.rehearsal.github.given
    assert set(given) == {subject}
    assert given[subject] > len([step for step in release.steps if step.outcome == "success"]) - 4, "fresh ones"


def test_then_it_is_watched_as_the_branch(project: Project) -> None:
    refused = project.run("recover-and-watch.yml")
    assert refused[0].outcome == "failure"
    assert f"subject 'repo:{REPOSITORY}:ref:refs/heads/main'" in refused[0].output, "the message names what to trust"
    project.trust(f"repo:{REPOSITORY}:ref:refs/heads/main")
    (watched,) = project.run("recover-and-watch.yml")
    assert watched.outcome == "success", watched.output


def test_a_release_that_fails_its_test_leaves_what_is_live(project: Project) -> None:
    notebook = project.repository / "notebooks" / "score.py"
    before = notebook.read_text(encoding="utf-8")
    header, _, rest = before.partition("\n")
    notebook.write_text(f"{header}\nraise ValueError('broken on purpose')\n{rest}", encoding="utf-8")
    try:
        _, release = project.run("release.yml")
    finally:
        notebook.write_text(before, encoding="utf-8")
    assert release.outcome == "failure"
    assert "::error::" in release.output
    outcomes = {step.name: step.outcome for step in release.steps}
    assert outcomes["Run the integration test"] == "failure"
    assert outcomes["Switch to the new slot"] == "skipped"
    assert outcomes["Take back an open switch"] == "success"
    assert project.status()["live"] == "blue"
    (back,) = project.run("rollback.yml", {"environment": "dev"})
    assert back.outcome == "failure"
    assert "::error::[dev]" in back.steps[-1].output, "there is no release before the first; it says so"
