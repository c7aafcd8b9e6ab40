"""A local Azure with one environment that is released to, cut at any request, and put back to where it was."""

from __future__ import annotations

import copy
import os
import shutil
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote
from xml.etree import ElementTree

import jwt
import requests

from rehearsal import compose as composing
from rehearsal.databricks.app import create_app as databricks_app
from rehearsal.databricks.authentication import DATABRICKS_APPLICATION
from rehearsal.gateway.faults import Fault
from rehearsal.gateway.storm import TROUBLES, Storm, Trouble
from rehearsal.server import Server
from slipway.domain.environment import load_environment
from slipway.domain.state import STATE_BLOB, State, read_state, write_state
from slipway.steps import build_release
from tests.faults.agents import Agent
from tests.faults.cuts import CUTS
from tests.faults.project import NAME, make_project, write_job
from tests.faults.worker import FASTER
from tests.unit.steps.conftest import NOTEBOOK

LIMIT_SECONDS = 60
SILENCE_SECONDS = 30.0
_KEPT = ("databricks/", "data_factory/", "resource_manager/resources")
"""What steps change, of what the stand-ins keep."""

# Stands for the notebook runner: says what an integration test says that has passed; a stream goes on until it is
# cancelled, and a notebook whose source says that it is broken fails.
RUNNER = """
import hashlib, json, pathlib, sys, time
spec = json.load(sys.stdin)
if spec["parameters"].get("stream"):
    time.sleep(600)
slot = pathlib.PurePosixPath(spec["notebook_path"].removeprefix("/Workspace/")).parent.parent
manifest = (pathlib.Path(spec["workspace"]) / "files" / slot / "manifest.json").read_bytes()
said = {"manifest": hashlib.sha256(manifest).hexdigest(), "passed": True,
        "checks": [{"name": "it runs", "outcome": "passed", "seconds": 0.1, "message": ""}]}
result = {"state": "SUCCESS", "result": json.dumps(said), "truncated": False, "error": None, "error_trace": None, "task_values": {}}
source = pathlib.Path(spec["workspace"]) / "notebooks" / (spec["notebook_path"].removeprefix("/Workspace/") + ".py")
if "broken" in source.read_text():
    result |= {"state": "FAILED", "result": None, "error": "ValueError: it is broken"}
(pathlib.Path(spec["scratch"]) / "result.json").write_text(json.dumps(result))
"""


@dataclass(frozen=True)
class Outcome:
    """How a step ended: exit code (negative: killed), what it said, how many requests it made."""

    code: int
    text: str
    requests: int


@dataclass(frozen=True)
class Memory:
    """Everything that the environment is, to be put back later."""

    documents: dict[str, dict[str, Any]]
    files: Path
    state: bytes


class Cloud:
    """Use as a context manager. Steps run as processes of their own, signed in as a pipeline run is."""

    def __init__(self, folder: Path, patch: Any) -> None:
        self.folder = folder
        self.root = self.make_project(folder / "project")
        environment = load_environment(self.root, NAME)
        self.environment = environment
        runner = [sys.executable, "-S", "-c", textwrap.dedent(RUNNER)]
        patch.setattr(composing, "databricks_app", partial(databricks_app, runner=runner))
        (folder / "datasets").mkdir()
        release = composing.Release(environment=environment, service_connection="slipway-dev")
        self._server = Server(
            lambda: composing.compose(
                folder / "cloud", [release], datasets=folder / "datasets", clock=time.time, role_delay_seconds=0.0
            )
        )

    def make_project(self, root: Path) -> Path:
        return make_project(root)

    def __enter__(self) -> Self:
        self._server.start()
        self.agent, self.other = Agent(self.folder / "agent"), Agent(self.folder / "other agent")
        self._pipeline = self._sign_in()
        self._admin = next(iter(self._server.azure.admins.values())).variables()
        done = self.run("bootstrap_environment", variables=self._admin)
        assert done.code == 0, done.text
        return self

    def __exit__(self, *_: object) -> None:
        self.agent.close()
        self.other.close()
        self._server.stop()

    # -- releasing -------------------------------------------------------------------------------------------------

    def build(self, version: str, *jobs: str) -> None:
        """Builds a release with these jobs and a notebook of its own."""
        (self.root / "notebooks" / "score.py").write_text(NOTEBOOK.format(version))
        for path in (self.root / "config" / "jobs").iterdir():
            path.unlink()
        for name in jobs:
            write_job(self.root, name)
        self.rebuild(version)

    def rebuild(self, version: str) -> None:
        """Builds a release of the project as it is."""
        arguments = ["--version", version, "--output", str(self.root / "dist" / version)]
        assert build_release.main(arguments, variables={"BUILD_SOURCEVERSION": "c" * 40}, root=self.root) == 0

    def step(self, name: str, *arguments: str, version: str = "", run: int = 1, agent: Agent | None = None) -> Outcome:
        """One step of pipeline run `run`."""
        before = self._requests
        self.begin(name, *arguments, version=version, run=run, agent=agent)
        code, text = (agent or self.agent).end()
        return Outcome(code, text, self._requests - before)

    def begin(self, name: str, *arguments: str, version: str, run: int, agent: Agent | None = None) -> None:
        """Starts a step and does not wait for it."""
        release = ("--release", str(self.root / "dist" / version)) if version else ()
        variables = {**self._pipeline, "BUILD_BUILDID": str(run)}
        (agent or self.agent).start(self._request(name, *release, *arguments, variables=variables))

    def release(self, version: str) -> None:
        for name in ("publish_slot", "run_integration_test", "switch_slot"):
            self.done(name, version=version)

    def done(self, name: str, *arguments: str, version: str = "", run: int = 1) -> Outcome:
        """A step that must succeed."""
        outcome = self.step(name, *arguments, version=version, run=run)
        assert outcome.code == 0, outcome.text
        return outcome

    def run(self, name: str, *arguments: str, variables: Mapping[str, str]) -> Outcome:
        before = self._requests
        self.agent.start(self._request(name, *arguments, variables=variables))
        code, text = self.agent.end()
        return Outcome(code, text, self._requests - before)

    @property
    def _requests(self) -> int:
        return self._server.azure.gateway.requests.total()

    def _request(self, name: str, *arguments: str, variables: Mapping[str, str]) -> dict[str, Any]:
        return {
            "step": name,
            "arguments": ["--environment", NAME, *arguments],
            "variables": self._whole(variables),
            "root": str(self.root),
        }

    def _whole(self, variables: Mapping[str, str]) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "SLIPWAY_RESULTS": str(self.folder / "results"),
            **self._server.azure.exports,
            **variables,
        }

    def as_pipeline(self, run: int = 1) -> dict[str, str]:
        """The whole environment of a step of pipeline run `run`, for a process of its own."""
        return self._whole({**self._pipeline, "BUILD_BUILDID": str(run)})

    def signed_in(self) -> dict[str, str]:
        """What a process of its own needs to be where the steps are, as the admin."""
        return {"HOME": str(self.folder), **self._server.azure.exports, **self._admin}

    def _sign_in(self) -> dict[str, str]:
        """The variables that a step of a pipeline has."""
        azure = self._server.azure
        connection = next(iter(azure.connections.values()))
        token, address = self._server.call(lambda: azure.devops.open_job("release"))
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

    # -- cutting ---------------------------------------------------------------------------------------------------

    def cut(self, kind: str, at: int, *, path: str = "*") -> None:
        """At request number `at` of what runs next (of those with this path), `kind` happens (the keys of CUTS)."""
        self.strike(*(replace(rule, path=path) for rule in CUTS[kind](self, at)))

    def strike(self, *rules: Fault) -> None:
        faults = self._server.azure.gateway.faults
        self._server.call(lambda: [faults.add(rule) for rule in rules])

    def refuse(self, path: str) -> None:
        """From now on every request to a path that begins so is refused."""
        rule = Fault(kind="status", status=403, path=f"{path}*", times=None)
        self._server.call(lambda: self._server.azure.gateway.faults.add(rule))

    def storm(
        self,
        share: float,
        seed: int,
        *,
        kinds: tuple[Trouble, ...] = TROUBLES,
        silence: float = SILENCE_SECONDS / FASTER,
    ) -> Storm:
        """From now on this share of all requests meets trouble, until `mend`."""
        directory = self._server.azure.world.directory

        def aged(authorization: str) -> str | None:
            kind, _, token = authorization.partition(" ")
            try:
                claims = jwt.decode(token, options={"verify_signature": False})
            except jwt.InvalidTokenError:
                return None
            return f"{kind} {directory.key.sign({**claims, 'exp': int(time.time()) - 60})}"

        storm = Storm(share=share, seed=seed, silence=silence, aged=aged, kinds=kinds)
        self._server.call(lambda: setattr(self._server.azure.gateway.faults, "storm", storm))
        return storm

    def met(self) -> bool:
        """Whether what `cut` asked for has happened: there were so many requests."""
        return not self._server.call(self._server.azure.gateway.faults.rules)

    def mend(self) -> None:
        self._server.call(self._server.azure.gateway.faults.clear)

    def kill(self) -> None:
        self.agent.signal(signal.SIGKILL)

    def sleep_at(self, path: str, *, method: str = "*", skip: int = 0, after: bool = False) -> threading.Event:
        """The agent falls asleep (SIGSTOP) when the head of request number `skip` of this kind comes in, maybe before it has
        sent the rest; or `after` it was served, before the answer is sent."""

        def stop() -> None:
            self.agent.signal(signal.SIGSTOP)

        return self.watch(path, method=method, skip=skip, after=after, then=stop)

    def watch(
        self,
        path: str,
        *,
        method: str = "*",
        skip: int = 0,
        after: bool = False,
        then: Callable[[], None] = lambda: None,
    ) -> threading.Event:
        """Says when request number `skip` of this kind comes in (or was served), after `then`."""
        seen = threading.Event()

        def note() -> None:
            then()
            seen.set()

        rule = Fault(kind="call", method=method, path=path, skip=skip, after=after, callback=note)
        self._server.call(lambda: self._server.azure.gateway.faults.add(rule))
        return seen

    def wake(self, *, after: float) -> tuple[int, str]:
        """The agent wakes up `after` so many seconds by its clock; returns how its step ended."""
        self.agent.set_clock(after)
        self.agent.signal(signal.SIGCONT)
        try:
            return self.agent.end()
        finally:
            self.agent.set_clock(0.0)

    def age_claim(self, seconds: float) -> None:
        """So many seconds pass for the claim."""
        state = self.state
        assert state.claim is not None
        claim = replace(state.claim, heartbeat=state.claim.heartbeat - seconds, expires=state.claim.expires - seconds)
        self.blob(STATE_BLOB, write_state(replace(state, claim=claim)))

    # -- looking ---------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        return read_state(self.blob(STATE_BLOB), app=self.environment.app, environment=NAME)

    def jobs(self) -> dict[int, dict[str, Any]]:
        """Settings by id, as the workspace keeps them."""
        return {int(item["job_id"]): item["settings"] for item in self._snapshot()["jobs"]}

    def slots_of_jobs(self) -> dict[str, tuple[str, str]]:
        """What people see of each job: the slot it reads from, and its pause status."""
        return {
            settings["tags"]["slipway_job"]: (
                settings["tasks"][0]["notebook_task"]["notebook_path"].split("/")[-3],
                settings["schedule"]["pause_status"],
            )
            for settings in self.jobs().values()
        }

    def slot(self, slot: str) -> dict[str, bytes]:
        """Every file and notebook of a slot, with its content."""
        tree = self._files / "workspace"
        where = Path(self.environment.databricks.root.removeprefix("/Workspace/")) / slot
        return {
            str(path.relative_to(tree / part / where)): path.read_bytes()
            for part in ("files", "notebooks")
            for path in (tree / part / where).rglob("*")
            if path.is_file()
        }

    def active_runs(self) -> list[int]:
        workspace = self._server.azure.workspaces.get(self._host)
        assert workspace is not None
        return self._server.call(lambda: [run["run_id"] for run in workspace.runs.active()])

    def streams(self) -> dict[str, list[tuple[int, str]]]:
        """The active runs of each continuous job, with the slot that they read from."""
        workspace = self._server.azure.workspaces.get(self._host)
        assert workspace is not None
        active = self._server.call(lambda: [run for run in workspace.runs.active() if run["phase"] != "TERMINATING"])
        found: dict[str, list[tuple[int, str]]] = {}
        for run in active:
            path = run["settings"]["tasks"][0]["notebook_task"]["notebook_path"]
            found.setdefault(run["run_name"].rpartition(" ")[2], []).append((run["run_id"], path.split("/")[-3]))
        return found

    def cancel(self, run_id: int) -> None:
        """As an admin of the workspace does by hand."""
        url = f"https://{self._host}/api/2.2/jobs/runs/cancel"
        self._as_admin(DATABRICKS_APPLICATION, "POST", url, json={"run_id": run_id})

    def delete_job(self, key: str) -> int:
        """As an admin of the workspace would by hand. Returns its id."""
        job_id = next(i for i, settings in self.jobs().items() if settings["tags"]["slipway_job"] == key)
        jobs = self._server.azure.world.store.collection(f"databricks/{self._host}/jobs")
        self._server.call(lambda: jobs.pop(str(job_id)))
        return job_id

    def job_id(self, key: str) -> int:
        return next(i for i, settings in self.jobs().items() if settings["tags"].get("slipway_job") == key)

    def change_job(self, job_id: int, change: Callable[[dict[str, Any]], None]) -> None:
        """As somebody would by hand, in the workspace's pages; `change` gets the whole job, settings below `settings`."""
        jobs = self._server.azure.world.store.collection(f"databricks/{self._host}/jobs")

        def apply() -> None:
            job = copy.deepcopy(jobs[str(job_id)])
            change(job)
            jobs[str(job["job_id"])] = job

        self._server.call(apply)

    def secrets(self) -> dict[str, str]:
        """The values of the environment's secret scope, as the workspace keeps them."""
        scopes = self._server.azure.world.store.collection(f"databricks/{self._host}/scopes")
        kept = self._server.call(lambda: copy.deepcopy(scopes.get(self.environment.secret_scope.name.lower(), {})))
        return {key: str(entry["value"]) for key, entry in kept.get("secrets", {}).items()}

    def change_secrets(self, value: str) -> None:
        """All of them have this value, as if it were some time ago."""
        scopes = self._server.azure.world.store.collection(f"databricks/{self._host}/scopes")

        def apply() -> None:
            name = self.environment.secret_scope.name.lower()
            scope = copy.deepcopy(scopes[name])
            for entry in scope["secrets"].values():
                entry["value"] = value
            scopes[name] = scope

        self._server.call(apply)

    def permissions(self, key: str) -> dict[str, str]:
        """Who has which level on the job itself: `kind:name` -> level."""
        jobs = self._server.azure.world.store.collection(f"databricks/{self._host}/jobs")
        job_id = self.job_id(key)
        return self._server.call(lambda: dict(jobs[str(job_id)]["acl"]))

    # -- going back ------------------------------------------------------------------------------------------------

    def remember(self) -> Memory:
        kept = self.folder / "memory" / str(time.monotonic_ns())
        shutil.copytree(self._files, kept)
        return Memory(self._server.call(self._documents), kept, self.blob(STATE_BLOB))

    def back_to(self, memory: Memory) -> None:
        """Everything is as it was, except the archive, which only grows."""
        self.mend()

        def put_back() -> None:
            for work in self._engine._work.values():
                work.cancel()  # what ran since; runs of that time go on without a process
            store, workspaces = self._server.azure.world.store, self._server.azure.workspaces
            for name in self._documents():
                wanted, collection = memory.documents.get(name, {}), store.collection(name)
                for key in [key for key in collection if key not in wanted]:
                    del collection[key]
                for key, value in wanted.items():
                    collection[key] = value
            shutil.rmtree(self._files)
            shutil.copytree(memory.files, self._files)
            workspaces._open.clear()  # they read the store again
            resources = self._server.azure.world.resources
            resources._by_name.clear()
            for key in resources._resources:
                resources._index(resources._resources[key])

        self._server.call(put_back)
        self.blob(STATE_BLOB, memory.state)

    @property
    def _engine(self) -> Any:
        return next(owner for close in self._server.azure.closing if hasattr(owner := close.__self__, "_work"))  # type: ignore[attr-defined]

    @property
    def _host(self) -> str:
        return self.environment.databricks.host.removeprefix("https://")

    @property
    def _files(self) -> Path:
        return self.folder / "cloud" / "databricks" / self._host

    def _documents(self) -> dict[str, dict[str, Any]]:
        collections = self._server.azure.world.store._collections
        return {name: dict(kept) for name, kept in collections.items() if name.startswith(_KEPT)}

    def _snapshot(self) -> dict[str, Any]:
        return self._server.call(lambda: self._server.azure.workspaces.snapshot(self._host))

    def blob(self, name: str, content: bytes | None = None, *, container: str = "") -> bytes:
        """Reads a blob of the environment's container, or of another of its account, or writes it."""
        method, headers = "GET" if content is None else "PUT", {"x-ms-blob-type": "BlockBlob"}
        return self._container(container, f"/{quote(name)}", method, headers=headers, data=content)

    def blobs(self, *, container: str = "") -> list[str]:
        """The names of all blobs there."""
        found = ElementTree.fromstring(self._container(container, "?restype=container&comp=list", "GET"))
        return [str(name.text) for name in found.iterfind("Blobs/Blob/Name")]

    def delete_blob(self, name: str, *, container: str = "") -> None:
        self._container(container, f"/{quote(name)}", "DELETE")

    def _container(
        self, container: str, path: str, method: str, *, headers: Mapping[str, str] | None = None, **body: Any
    ) -> bytes:
        where = self.environment.azure.state
        url = f"https://{where.storage_account}.blob.core.windows.net/{container or where.container}{path}"
        given = {"x-ms-version": "2023-11-03", **(headers or {})}
        return self._as_admin("https://storage.azure.com", method, url, headers=given, **body).content

    def _as_admin(
        self, audience: str, method: str, url: str, *, headers: Mapping[str, str] | None = None, **body: Any
    ) -> requests.Response:
        """One request of the platform's admin, which must succeed."""
        azure = self._server.azure
        admin = next(iter(azure.admins.values()))
        token = self._server.call(
            lambda: azure.world.directory.issue_token(
                tenant_id=admin.tenant_id, app_id=admin.client_id, audience=audience, version=1
            )
        )
        answer = requests.request(
            method,
            url,
            headers={"Authorization": f"Bearer {token}", **(headers or {})},
            proxies={"https": azure.exports["https_proxy"]},
            verify=azure.exports["REQUESTS_CA_BUNDLE"],
            timeout=LIMIT_SECONDS,
            **body,
        )
        answer.raise_for_status()
        return answer
