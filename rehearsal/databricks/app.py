"""The ASGI app of every workspace: host, caller, operation, answer."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from rehearsal.databricks import authentication
from rehearsal.databricks.call import Call, Operation, read_values
from rehearsal.databricks.continuous import Continuous
from rehearsal.databricks.engine import Engine
from rehearsal.databricks.errors import ApiError, not_built
from rehearsal.databricks.git import Remote, Remotes
from rehearsal.databricks.known import is_known
from rehearsal.databricks.launches import start_for_task
from rehearsal.databricks.rates import Rates
from rehearsal.databricks.routes import (
    clusters,
    dbfs,
    files,
    groups,
    jobs,
    permissions,
    policies,
    repos,
    rule_sets,
    runs,
    scim,
    secrets,
    settings,
    tokens,
    workspace_files,
)
from rehearsal.databricks.schedules import Schedules
from rehearsal.databricks.task_process import Tools
from rehearsal.databricks.vaults import KeyVaults, ListSecrets, ReadSecret
from rehearsal.databricks.workspace import Workspace
from rehearsal.databricks.workspaces import Workspaces

if TYPE_CHECKING:
    from rehearsal.world import World

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
NOTEBOOK_RUNNER = "rehearsal.notebooks.run"


def create_app(
    world: World,
    workspaces: Workspaces,
    *,
    run_environment: Callable[[], Mapping[str, str]],
    datasets: Path,
    wheelhouse: Path | None,
    python: Path,
    vault_secret: ReadSecret | None = None,
    vault_names: ListSecrets | None = None,
    runner: list[str] | None = None,
    git: Mapping[str, Remote] | None = None,
    rate_limits: bool = False,
) -> Starlette:
    """The app for all hosts `adb-*.azuredatabricks.net`.

    run_environment: the whole environment of a notebook's process, asked when one starts; datasets: the folder that notebooks see
    as /databricks-datasets; wheelhouse: wheels that notebooks may install beside the release's; python: what runs notebooks.
    vault_secret, vault_names: the data of key vaults by resource id, for scopes that show a vault; permissions are checked here.
    runner: the command that a notebook's specification is sent to, in place of the notebook runner.
    git: repositories of this machine that Git folders are cloned from, by URL. rate_limits: answer 429 where the service would.
    Runs that were active when a rehearsal ended are ended here. `state.schedules` fires what is scheduled.
    """
    command = runner or [str(python), "-m", NOTEBOOK_RUNNER]
    engine = Engine(Tools(command=command, environment=run_environment, datasets=datasets, wheelhouse=wheelhouse))
    engine.start_job = lambda workspace, run, task, identity: start_for_task(workspace, engine, run, task, identity)
    workspaces.use(world.directory.by_object_id, world.directory.by_app_id, KeyVaults(world, vault_secret, vault_names))
    workspaces.use_git(Remotes(git or {}))
    for workspace in workspaces.all():
        workspace.recover()
    continuous = Continuous(engine, workspaces.get)
    table = operations(engine, datasets)
    rates = Rates(world.clock) if rate_limits else None

    async def answer(request: Request) -> Response:
        workspace = workspaces.get(request.url.hostname or "")
        if workspace is None:
            # The real service's front door does not know such a host either; its answer is a page (unverified).
            text = f"<html><title>There is no workspace {request.url.hostname} in this rehearsal</title></html>"
            return HTMLResponse(text, 404)
        continuous.tick(workspace)
        response = await _answer(world, table, rates, workspace, request)
        continuous.tick(workspace)
        workspace.runs.write()
        return response

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await engine.close()

    app = Starlette(routes=[Route("/{path:path}", answer, methods=METHODS)], lifespan=lifespan)
    app.state.engine = engine
    app.state.schedules = Schedules(engine, workspaces.all)
    app.state.operations = table
    return app


def operations(engine: Engine, datasets: Path) -> list[Operation]:
    """Everything that is served."""
    return [
        *workspace_files.OPERATIONS,
        *secrets.OPERATIONS,
        *jobs.OPERATIONS,
        *runs.operations(engine),
        *permissions.OPERATIONS,
        *scim.OPERATIONS,
        *groups.OPERATIONS,
        *clusters.OPERATIONS,
        *dbfs.operations(datasets),
        *files.OPERATIONS,
        *repos.OPERATIONS,
        *tokens.OPERATIONS,
        *settings.OPERATIONS,
        *policies.OPERATIONS,
        *rule_sets.OPERATIONS,
    ]


async def _answer(
    world: World, table: list[Operation], rates: Rates | None, workspace: Workspace, request: Request
) -> Response:
    if request.url.path == "/.well-known/databricks-config":
        return JSONResponse({"oidc_endpoint": f"https://{workspace.host}/oidc", "workspace_id": workspace.workspace_id})
    try:
        response = await _operate(world, table, rates, workspace, request)
    except authentication.RefusedError as refused:
        response = refused.response
    except ApiError as error:
        response = _error(error)
    response.headers["X-Databricks-Org-Id"] = workspace.workspace_id
    return response


async def _operate(
    world: World, table: list[Operation], rates: Rates | None, workspace: Workspace, request: Request
) -> Response:
    caller = authentication.authenticate(world, workspace, request)
    # Not the URL's path: that ends where a name has a ? or #.
    version, operation, names = _find(table, request.method, request.scope["path"])
    if rates:
        rates.count(workspace.workspace_id, operation.method, re.sub(r"^/api/[\d.]+", "", request.scope["path"]))
    call = Call(workspace, caller, version, request, names)
    if not operation.raw_body:
        call.values = await read_values(request)
    answer = await operation.handler(call)
    return answer if isinstance(answer, Response) else JSONResponse(answer)


def _find(table: list[Operation], method: str, url_path: str) -> tuple[str, Operation, dict[str, str]]:
    """The operation behind a request. Raises ApiError 404 for what the service has not either, 501 for what is missing here."""
    found = re.fullmatch(r"/api/(\d\.\d)(/.*)", url_path)
    version, path = (found[1], found[2]) if found else ("", url_path)
    for operation in table:
        if operation.method == method and version in operation.versions:
            names = operation.match(path)
            if names is not None:
                return version, operation, names
    others = any(operation.match(path) is not None and operation.method == method for operation in table)
    if found and not others and is_known(path):
        raise not_built(f"{method} {url_path}")
    raise ApiError(404, "ENDPOINT_NOT_FOUND", f"No API found for '{method} {path}'")


def _error(error: ApiError) -> Response:
    return JSONResponse(error.body(), error.status, error.headers)
