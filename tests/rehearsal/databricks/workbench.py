"""A workspace behind the app, foreign clients in front of it, small fakes for the parts of other stand-ins."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import textwrap
import threading
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import httpx
import requests
from databricks_cli.sdk.api_client import ApiClient  # type: ignore[import-untyped]
from requests.adapters import BaseAdapter
from starlette.applications import Starlette

from rehearsal.databricks.app import create_app
from rehearsal.databricks.authentication import DATABRICKS_APPLICATION
from rehearsal.databricks.git import Remote
from rehearsal.databricks.schedules import Schedules
from rehearsal.databricks.workspaces import Workspaces
from rehearsal.entra.directory import InvalidToken, Principal
from rehearsal.store import Store
from rehearsal.world import World

Result = TypeVar("Result")
HOST = "adb-7405612345678901.1.azuredatabricks.net"
OTHER_HOST = "adb-7405612345678902.2.azuredatabricks.net"
# Both lead to the folder `remote` of a site.
URL = "https://dev.azure.com/example/project/_git/app"
PUBLIC_URL = "https://github.com/example/app"
RESOURCE_ID = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Databricks/workspaces/dbw"
CLUSTER = {"spark_version": "16.4.x-scala2.12", "node_type_id": "Standard_D4ds_v5", "num_workers": 1}

ADMIN = Principal("oid-admin", "app-admin", "Platform", "ServicePrincipal")
RELEASE = Principal("oid-release", "app-release", "Release", "ServicePrincipal")
JOBS = Principal("oid-jobs", "app-jobs", "Jobs", "ServicePrincipal")
READER = Principal("oid-reader", "", "ada@example.org", "User")
STRANGER = Principal("oid-stranger", "app-stranger", "Stranger", "ServicePrincipal")
DATABRICKS = Principal("oid-azure-databricks", DATABRICKS_APPLICATION, "AzureDatabricks", "ServicePrincipal")
EVERYBODY = (ADMIN, RELEASE, JOBS, READER, STRANGER, DATABRICKS)

# Stands for the notebook runner: does what the notebook's text says, line by line.
RUNNER = """
import json, os, pathlib, sys, time
spec = json.load(sys.stdin)
scratch = pathlib.Path(spec["scratch"])
if "program" in spec:
    (scratch / "log.txt").write_text(json.dumps(spec["program"], sort_keys=True))
    lines = [argument for argument in spec["program"]["arguments"] if argument.startswith("fail")]
else:
    relative = spec["notebook_path"].removeprefix("/Workspace/")
    lines = (pathlib.Path(spec["workspace"]) / "notebooks" / (relative + ".py")).read_text().splitlines()[1:]
result = {"state": "SUCCESS", "result": None, "truncated": False, "error": None, "error_trace": None, "task_values": {}}
for line in lines:
    word, _, rest = line.partition(" ")
    if word == "exit":
        result["result"] = rest
    elif word == "show":
        result["result"] = json.dumps(spec[rest], sort_keys=True)
    elif word == "environment":
        result["result"] = json.dumps(dict(os.environ), sort_keys=True)
    elif word == "value":
        key, _, value = rest.partition("=")
        result["task_values"][key] = value
    elif word == "fail":
        result.update(state="FAILED", error=rest, error_trace="Traceback: " + rest)
    elif word == "crash":
        print("the secret is " + spec["secrets"]["s"]["k"], file=sys.stderr)
        sys.exit(7)
    elif word == "once":
        marker = pathlib.Path(spec["workspace"]).parent / rest
        if not marker.exists():
            marker.touch()
            result.update(state="FAILED", error="first attempt")
    elif word == "leave":
        # A child that leaves the group, and holds on to the pipe.
        os.fork() or (os.setsid(), (scratch.parent / rest).write_text(str(os.getpid())), time.sleep(60))
    elif word == "hang":
        (scratch / "pid").write_text(str(os.getpid()))
        time.sleep(60)
(scratch / "result.json").write_text(json.dumps(result))
"""


class FakeDirectory:
    """Knows principals; a token is `<object id>@<audience>`."""

    def by_object_id(self, object_id: str) -> Principal | None:
        return next((p for p in EVERYBODY if p.object_id == object_id), None)

    def by_app_id(self, app_id: str) -> Principal | None:
        return next((p for p in EVERYBODY if p.app_id == app_id), None)

    def verify(self, header: str | None, audiences: Collection[str]) -> Principal:
        if not header or not header.startswith("Bearer "):
            raise InvalidToken("missing", "no token")
        object_id, _, audience = header.removeprefix("Bearer ").partition("@")
        if audience == "expired":
            raise InvalidToken("expired", "too late")
        principal = self.by_object_id(object_id)
        if principal is None:
            raise InvalidToken("signature", "unknown")
        if audience not in audiences:
            raise InvalidToken("audience", "another audience")
        return principal


@dataclass
class FakeRoles:
    granted: set[tuple[str, str, str]] = field(default_factory=set)

    def allowed(self, principal_id: str, scope: str, action: str, *, data: bool = False) -> bool:
        return (principal_id, scope, action) in self.granted


def token(principal: Principal, audience: str = DATABRICKS_APPLICATION) -> str:
    return f"{principal.object_id}@{audience}"


class Door:
    """The app on an event loop in a thread of its own, called from outside as over a network."""

    def __init__(self, app: Starlette) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._app = app
        transport = httpx.ASGITransport(app=app)
        self._client = httpx.AsyncClient(transport=transport, base_url=f"https://{HOST}", timeout=30)

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        return self.wait_for(self._client.request(method, url, **options))

    def wait_for(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def close(self) -> None:
        self.wait_for(self._app.state.engine.close())
        self.wait_for(self._client.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class IntoApp(BaseAdapter):
    """Sends what `requests` prepared into the app, instead of over a network."""

    def __init__(self, client: Door) -> None:
        super().__init__()
        self._client = client

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        body: Any = request.body
        content = body if body is None or isinstance(body, bytes | str) else b"".join(body)
        answer = self._client.request(
            str(request.method), str(request.url), headers=dict(request.headers), content=content
        )
        response = requests.Response()
        response.status_code = answer.status_code
        response.headers.update(dict(answer.headers))
        response._content = answer.content
        response.request = request
        response.url = str(request.url)
        response.reason = answer.reason_phrase
        return response

    def close(self) -> None:
        pass


class Site:
    """The app with its workspaces, and clients for it."""

    # What runs tasks; None for the real runner.
    runner: ClassVar[list[str] | None] = [sys.executable, "-S", "-c", textwrap.dedent(RUNNER)]
    looks = 4000  # at a run, until it has ended

    def __init__(self, folder: Path, *, rate_limits: bool = False) -> None:
        self.folder = folder
        self.rate_limits = rate_limits
        self.roles = FakeRoles()
        self.now = 1_760_000_000.0
        self.vault: dict[str, dict[str, str]] = {}
        self.open()

    def open(self) -> None:
        """Start, or start again over what is on the disk."""
        store = Store(self.folder / "store.sqlite")
        self.world = World(
            folder=self.folder,
            store=store,
            clock=self.clock,
            directory=FakeDirectory(),  # type: ignore[arg-type]
            roles=self.roles,  # type: ignore[arg-type]
            resources=None,  # type: ignore[arg-type]
            storage_accounts=None,  # type: ignore[arg-type]
        )
        self.workspaces = Workspaces(store, self.folder, self.clock)
        self.workspaces.add(HOST, RESOURCE_ID, admins=[ADMIN.object_id])
        self.workspaces.add(OTHER_HOST, RESOURCE_ID + "-prod", admins=[ADMIN.object_id])
        self.workspaces.add_principal(HOST, RELEASE)
        self.workspaces.add_principal(HOST, JOBS)
        self.workspaces.add_principal(HOST, READER)
        datasets = self.folder / "datasets"
        remotes = {URL: Remote(self.folder / "remote"), PUBLIC_URL: Remote(self.folder / "remote", public=True)}
        datasets.mkdir(exist_ok=True)
        app = create_app(
            self.world,
            self.workspaces,
            run_environment=lambda: {"RUN": "yes"},
            datasets=datasets,
            wheelhouse=None,
            python=Path(sys.executable),
            vault_secret=lambda vault, name: self.vault.get(vault, {}).get(name),
            vault_names=lambda vault: list(self.vault.get(vault, {})),
            git=remotes,
            rate_limits=self.rate_limits,
            runner=self.runner,
        )
        self.schedules: Schedules = app.state.schedules
        self.client = Door(app)

    def close(self) -> None:
        self.client.close()
        self.world.store.close()

    def clock(self) -> float:
        self.now += 0.001
        return self.now

    def call(
        self,
        who: Principal,
        method: str,
        path: str,
        values: dict[str, Any] | None = None,
        version: str = "2.0",
        host: str = HOST,
    ) -> tuple[int, Any]:
        """One request; status and JSON."""
        url = f"https://{host}/api/{version}{path}"
        headers = {"Authorization": f"Bearer {token(who)}"}
        if method == "GET":
            answer = self.client.request("GET", url, params=values or {}, headers=headers)
        else:
            answer = self.client.request(method, url, json=values or {}, headers=headers)
        return answer.status_code, answer.json()

    def ok(
        self, who: Principal, method: str, path: str, values: dict[str, Any] | None = None, version: str = "2.0"
    ) -> Any:
        status, body = self.call(who, method, path, values, version)
        assert status == 200, body
        return body

    def refused(
        self, who: Principal, method: str, path: str, values: dict[str, Any], version: str = "2.0"
    ) -> tuple[int, str, str]:
        """One request that has to fail: status, code, message."""
        status, body = self.call(who, method, path, values, version)
        assert status >= 400, body
        return status, body["error_code"], body["message"]

    def notebook(self, path: str, text: str, who: Principal = ADMIN) -> None:
        """A Python notebook, its folder made when it is missing."""
        self.ok(who, "POST", "/workspace/mkdirs", {"path": path.rpartition("/")[0]})
        content = base64.b64encode(text.encode()).decode()
        values = {"path": path, "content": content, "language": "PYTHON", "overwrite": True}
        self.ok(who, "POST", "/workspace/import", values)

    def session(self, who: Principal) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.mount("https://", IntoApp(self.client))
        session.headers["Authorization"] = f"Bearer {token(who)}"
        return session

    def cli(self, who: Principal, jobs_version: str | None = None) -> ApiClient:
        """databricks-cli's own client."""
        client = ApiClient(host=f"https://{HOST}", token=token(who), jobs_api_version=jobs_version)
        client.session.mount("https://", IntoApp(self.client))
        return client

    def wait(
        self, run_id: int, who: Principal = ADMIN, until: Callable[[dict[str, Any]], bool] | None = None
    ) -> dict[str, Any]:
        """Look at a run until it has ended (or `until` holds)."""
        run: dict[str, Any] = {}
        for _ in range(self.looks):
            run = self.ok(who, "GET", "/jobs/runs/get", {"run_id": run_id}, "2.2")
            if until(run) if until else run["status"]["state"] == "TERMINATED":
                return run
        raise AssertionError(f"the run does not get there: {json.dumps(run)}")
