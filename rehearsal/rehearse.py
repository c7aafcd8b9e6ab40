"""A rehearsal: start the stand-ins, bootstrap the environments, run azure-pipelines.yml, report."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rehearsal.azure_devops.runs import RunKeeper
from rehearsal.choices import Choices
from rehearsal.compose import Release, compose
from rehearsal.console import Log
from rehearsal.dataset import Dataset
from rehearsal.developer import VARIABLE, developer_token
from rehearsal.entra.directory import AZURE_DATABRICKS_APP
from rehearsal.gateway.faults import Fault
from rehearsal.pieces import Hand, Piece
from rehearsal.pipelines.events import Event
from rehearsal.pipelines.host import AgentHost, GroupVariable
from rehearsal.pipelines.run import run_pipeline
from rehearsal.recorder import Recorder
from rehearsal.report import model
from rehearsal.report.factory import factory_from, is_definition
from rehearsal.resource_manager.providers.unknown import accepted
from rehearsal.scripts import Scripts, child_environment
from rehearsal.server import Server
from rehearsal.setup import environment_folder
from rehearsal.store import Collection
from slipway.domain.clone import LIST_FILE
from slipway.domain.environment import Environment

PIPELINE = "azure-pipelines.yml"
# Long enough to show a release that does not wait for its roles, short enough for a rehearsal.
ROLE_DELAY_SECONDS = 2.0
PROFILE_SECONDS = 12 * 3600
SETUP = "setup_azure_devops"
DEVOPS = "azure devops "
"""What the set-up of Azure DevOps is called among the environments that are bootstrapped: no environment has such a name."""
CONTROL = "REHEARSAL_CONTROL"
"""Tells who looks around, and who runs one command, the control address. The pipeline's steps are not told."""


class BootstrapFailed(Exception):
    """bootstrap_environment.py did not succeed; the text is its own output."""


@dataclass
class Both:
    """Gives every event to several listeners."""

    listeners: Sequence[Any]

    def on_event(self, event: Event) -> None:
        for listener in self.listeners:
            listener.on_event(event)


@dataclass(kw_only=True)
class Rehearsal:
    """What one rehearsal works with. `releases` are in the order in which the pipeline releases them."""

    repository: Path
    folder: Path
    releases: Sequence[Release]
    dataset: Dataset
    log: Log
    port: int = 0
    choices: Choices = field(default_factory=Choices)
    cancel: threading.Event = field(default_factory=threading.Event)
    variable_groups: Mapping[str, Mapping[str, GroupVariable]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._began = time.monotonic()
        self.recorder = Recorder(self._elapsed)
        self.server = Server(self._compose)

    def start(self) -> None:
        """Start the stand-ins. Raises what Server.start raises."""
        self.server.start()
        self.server.azure.azurite.on_failure = lambda text: self.log.say(f"There is no storage: {text}", "red")
        self.log.say(f"Stand-ins are up on port {self.server.azure.gateway.port} after {self._elapsed():.1f} s", "dim")
        self.log.say(f"Data: {self.dataset.note}", "dim")
        admins = self.server.azure.admins
        admin = admins[self.releases[0].environment.azure.tenant_id]
        control = {CONTROL: self.server.azure.gateway.control_address}
        self.exports = {**self.server.azure.exports, **admin.variables(), **control}
        self._write_databricks_profiles()
        self._add_developer()
        python = environment_folder("release") / "bin" / "python"
        self.scripts = Scripts(self.repository, python, child_environment(self.exports))

    def bootstrap(self, only: set[str] | None) -> None:
        """Once for each environment, and again when its configuration has changed. Raises BootstrapFailed."""
        done = self.server.azure.world.store.collection("rehearsal/bootstrapped")
        known = self.server.call(lambda: dict(done))
        for environment in self._environments(only):
            made_from = _fingerprint(environment)
            if known.get(environment.name) == made_from:
                continue
            started = time.monotonic()
            finished = self.scripts.run("bootstrap_environment", "--environment", environment.name)
            self.log.detail(finished.stdout + finished.stderr)
            if finished.returncode:
                raise BootstrapFailed(f"{environment.name}:\n{finished.stdout}{finished.stderr}")
            self.server.call(partial(done.update, {environment.name: made_from}))
            self.log.say(f"Bootstrapped {environment.name} in {time.monotonic() - started:.1f} s", "dim")
        if not all(release.connected for release in self.releases):
            for name in [""] if only is None else sorted(only):
                self._set_up_azure_devops(name, done, known)

    def _set_up_azure_devops(self, name: str, done: Collection, known: Mapping[str, str]) -> None:
        """Once for each environment ("": all of them together), and again when configuration or pipelines have changed."""
        files = [self.repository / LIST_FILE, *sorted((self.repository / "templates" / "pipelines").glob("*.yml"))]
        made_from = "".join(_fingerprint(release.environment) for release in self.releases)
        made_from += "".join(f"{file.name}{file.read_bytes()!r}" for file in files)
        digest = hashlib.sha256(made_from.encode()).hexdigest()
        if known.get(DEVOPS + name) == digest:
            return
        started = time.monotonic()
        finished = self.scripts.run(SETUP, *(["--environment", name] if name else []))
        self.log.detail(finished.stdout + finished.stderr)
        if finished.returncode:
            raise BootstrapFailed(f"Azure DevOps:\n{finished.stdout}{finished.stderr}")
        self.server.call(lambda: done.update({DEVOPS + name: digest}))
        self.log.say(f"Set up Azure DevOps in {time.monotonic() - started:.1f} s", "dim")

    def lose(self, pieces: Sequence[Piece], only: set[str] | None) -> None:
        """Take pieces away from the first environment, and say what the doctor tells an admin then. Raises NotThere."""
        if not pieces:
            return
        environment = self._environments(only)[0]
        hand = Hand(self.server, environment)
        for piece in pieces:
            piece.take(hand)
            shown = "says nothing of it" if piece.first_step is None else f"says {piece.first_step}"
            self.log.say(
                f"Taken away from {environment.name}: {piece.says}. The first step of a release {shown}", "yellow"
            )
        hand.close()
        finished = self.scripts.run("doctor", "--environment", environment.name)
        self.log.say(f"The doctor tells an admin:\n{finished.stderr}", "dim")
        # What was taken away is to be made again by the next bootstrap.
        done = self.server.azure.world.store.collection("rehearsal/bootstrapped")
        self.server.call(partial(done.pop, environment.name, None))

    def set_faults(self, faults: Sequence[Fault]) -> None:
        """From now on these strike."""
        rules = self.server.azure.gateway.faults
        self.server.call(lambda: [rules.add(fault) for fault in faults])

    def recover(self) -> None:
        """When the last rehearsal was killed in the middle: what its lost agent left open is taken back, as on-call would."""
        runs = self._runs
        cut = self.server.call(lambda: [number for number, run in runs.items() if not run["ended"]])
        if not cut:
            return
        self.log.say(f"Rehearsal {cut[-1]} was stopped in the middle; taking back what it left open", "yellow")
        for release in self.releases:
            done = self.scripts.run("switch_slot", "--environment", release.environment.name, "--revert", "--take-over")
            self.log.detail(done.stdout + done.stderr)
        for number in cut:
            self._end_run(number)

    def release(
        self, only: set[str] | None, *, pipeline: str = PIPELINE, parameters: Mapping[str, str] | None = None
    ) -> model.Report:
        """Run a pipeline of the repository and gather the report. Raises PipelineErrors for wrong YAML."""
        environments = self._environments(only)
        names = [environment.name for environment in environments]
        before = self.scripts.statuses(names)
        started = time.time()
        number = self.server.call(self._begin_run)
        keeper = RunKeeper(self.server.azure.devops.runs, number, Path(pipeline).stem, self.server.call)
        result = run_pipeline(
            repository=self.repository,
            pipeline_file=pipeline,
            parameters=dict(parameters or {}),
            host=agent_host(self.server, self.repository, number, pipeline, groups=self.variable_groups),
            listener=Both([self.recorder, self.log, keeper]),
            work=self.folder / "agent",
            only=only,
            cancel=self.cancel,
        )
        keeper.finish(result.result)
        self._end_run(str(number))
        after = self.scripts.statuses(names)
        gateway = self.server.azure.gateway
        return model.Report(
            number=number,
            started=started,
            seconds=self._elapsed(),
            outcome=result.result,
            commit=_commit(after),
            environments=[self._row(environment, before, after) for environment in environments],
            stages=self.recorder.stages,
            suites=self.recorder.suites,
            summaries=self.recorder.summaries,
            issues=self.recorder.issues,
            requests=dict(self.server.call(lambda: sorted(gateway.requests.items()))),
            refusals=dict(self.server.call(lambda: sorted((gateway.refused + gateway.unimplemented).items()))),
            notes=[f"Data: {self.dataset.note}.", *self._unknown_resources()],
        )

    def stop(self) -> None:
        self.server.stop()

    def _add_developer(self) -> None:
        """Somebody who tries notebooks in a sandbox of their own: scripts/sandbox.py."""
        azure, host = self.server.azure, self.releases[0].environment.databricks.host
        token = self.server.call(partial(developer_token, azure.workspaces, host, PROFILE_SECONDS))
        self.exports[VARIABLE] = token

    def _write_databricks_profiles(self) -> None:
        """A profile for each environment in the `databricks` command's own file, with a token of the admin. The first one's
        is the default too: scripts that people wrote name no profile."""
        azure = self.server.azure
        lines: list[str] = []
        named = [(release.environment.name, release) for release in self.releases]
        for name, release in [("DEFAULT", self.releases[0]), *named]:
            admin = azure.admins[release.environment.azure.tenant_id]
            token = self.server.call(
                partial(
                    azure.world.directory.issue_token,
                    tenant_id=admin.tenant_id,
                    app_id=admin.client_id,
                    audience=AZURE_DATABRICKS_APP,
                    lifetime=PROFILE_SECONDS,
                )
            )
            section = [
                f"[{name}]",
                f"host = {release.environment.databricks.host}",
                f"token = {token}",
            ]
            lines += [*section, "jobs-api-version = 2.1", ""]
        file = Path(azure.exports["DATABRICKS_CONFIG_FILE"])
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        file.write_text("\n".join(lines), encoding="utf-8")

    @property
    def _runs(self) -> Collection:
        return self.server.azure.world.store.collection("rehearsal/runs")

    def _begin_run(self) -> int:
        number = self.server.azure.world.store.next_id("runs")
        self._runs[str(number)] = {"ended": False}
        return number

    def _end_run(self, number: str) -> None:
        runs = self.server.azure.devops.runs

        def end() -> None:
            self._runs.update({number: {"ended": True}})
            # A run that was killed has told nobody how it ended.
            if runs.builds.get(number, {}).get("status") == "inProgress":
                runs.finish(int(number), "canceled")

        self.server.call(end)

    def _compose(self) -> Any:
        return compose(
            self.folder,
            self.releases,
            datasets=self.dataset.folder,
            clock=time.time,
            role_delay_seconds=ROLE_DELAY_SECONDS,
            port=self.port,
            choices=self.choices,
        )

    def _environments(self, only: set[str] | None) -> list[Environment]:
        return [release.environment for release in self.releases if only is None or release.environment.name in only]

    def _row(
        self,
        environment: Environment,
        before: Mapping[str, Mapping[str, Any] | None],
        after: Mapping[str, Mapping[str, Any] | None],
    ) -> model.EnvironmentResult:
        stage = self.recorder.stage(self.recorder.environments.get(environment.name, environment.name))
        suites = [suite for suite in self.recorder.suites if stage and suite.stage == environment.name]
        resources = self.server.call(lambda: self._resources(environment))
        return model.EnvironmentResult(
            name=environment.name,
            outcome=stage.outcome if stage else "skipped",
            seconds=stage.seconds if stage else 0.0,
            tests=suites[-1] if suites else None,
            before=model.slots_from_status(before[environment.name]),
            after=model.slots_from_status(after[environment.name]),
            resources=[
                model.Resource(type=found["type"], name=found["name"], location=found.get("location", ""))
                for found in resources
                if not is_definition(found)
            ],
            factory=factory_from(resources),
        )

    def _resources(self, environment: Environment) -> list[Mapping[str, Any]]:
        azure = environment.azure
        scope = f"/subscriptions/{azure.subscription_id}/resourceGroups/{azure.resource_group}"
        return list(self.server.azure.world.resources.below(scope))

    def _unknown_resources(self) -> list[str]:
        """A note for the report: what was taken as it is."""
        ids = self.server.call(lambda: accepted(self.server.azure.world))
        return [f"Kept as they are written, with no rules of their own: {', '.join(ids)}."] if ids else []

    def _elapsed(self) -> float:
        return time.monotonic() - self._began


def agent_host(
    server: Server,
    repository: Path,
    number: int,
    pipeline: str,
    *,
    groups: Mapping[str, Mapping[str, GroupVariable]] | None = None,
) -> AgentHost:
    """What a run of a pipeline of `repository` meets: this machine in front of the stand-ins. `number`: of the run."""
    devops, requirements = server.azure.devops, repository / "requirements"
    # The rehearsal's environment holds all of the build's lock and more; the release's holds exactly its own.
    installed = {
        hashlib.sha256((requirements / f"{lock}.txt").read_bytes()).hexdigest(): environment_folder(lock)
        for lock in ("release", "build")
    }
    return AgentHost(
        environment=child_environment(server.azure.exports),
        service_connections=server.call(lambda: server.azure.connections),
        open_job=lambda job: server.call(lambda: devops.open_job(job)),
        close_job=lambda job: server.call(lambda: devops.close_job(job)),
        installed=installed,
        base_python=Path(getattr(sys, "_base_executable", sys.executable)),
        run_number=number,
        variable_groups=groups or {},
        organization=devops.names[0],
        project=devops.names[1],
        use=lambda kind, name: server.call(lambda: devops.use(kind, name, pipeline)),
    )


def _fingerprint(environment: Environment) -> str:
    return hashlib.sha256(json.dumps(environment.values, sort_keys=True, default=str).encode()).hexdigest()


def _commit(statuses: Mapping[str, Mapping[str, Any] | None]) -> str:
    """The commit of the newest slot that was released."""
    slots = [slot for status in statuses.values() if status for slot in status["slots"].values() if slot]
    newest = max(slots, key=lambda slot: str(slot["published"]), default=None)
    return str(newest["commit"])[:12] if newest else ""
