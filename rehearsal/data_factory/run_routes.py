"""createRun, pipelineruns, their queries, cancel (azure-mgmt-datafactory 10.0.0, api-version 2018-06-01)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from rehearsal.data_factory import queries
from rehearsal.data_factory.engine import Engine
from rehearsal.data_factory.routes import FACTORY, check_factory
from rehearsal.data_factory.runs import Run, shown
from rehearsal.resource_manager.access import require
from rehearsal.resource_manager.errors import ServiceError, not_here
from rehearsal.resource_manager.exchange import Exchange, Rule, answer, nothing, rule

Json = Any
_ACTIONS = "Microsoft.DataFactory/factories"
# What createRun can do beside starting from the beginning.
_AGAIN = ("referencePipelineRunId", "isRecovery", "startActivityName", "startFromFailure")


def _allowed(exchange: Exchange, action: str) -> str:
    """The factory's id. Raises ServiceError: 403, 404."""
    factory = exchange.values["factory"]
    require(exchange.world, exchange.caller, factory, f"{_ACTIONS}/{action}")
    check_factory(exchange)
    return factory


def rules(engine: Engine) -> tuple[Rule, ...]:
    """The operations over one engine."""
    runs = engine.runs

    def find(exchange: Exchange) -> Run:
        run = runs.get(exchange.values["factory"], exchange.values["run"])
        if run is None:
            # Code and text unverified.
            raise ServiceError(
                404, "PipelineRunNotFound", f"The pipeline run '{exchange.values['run']}' could not be found."
            )
        return run

    async def create(exchange: Exchange) -> Response:
        """The body is the parameters' map itself."""
        factory = exchange.world.resources.get(_allowed(exchange, "pipelines/createrun/action"))
        for name in _AGAIN:
            if exchange.query(name) not in (None, "", "false", "False"):
                raise not_here(f"createRun with '{name}'")
        body = exchange.body() or {}
        if not isinstance(body, dict):
            raise ServiceError(400, "BadRequest", "The parameters of a run must be an object.")
        by = {"id": exchange.caller.object_id, "name": "Manual", "invokedByType": "Manual"}
        run = engine.create(factory or {}, exchange.values["name"], body, by)
        return answer({"runId": run["runId"]})

    async def get(exchange: Exchange) -> Response:
        _allowed(exchange, "pipelineruns/read")
        return answer(shown(find(exchange)))

    async def cancel(exchange: Exchange) -> Response:
        _allowed(exchange, "pipelineruns/cancel/action")
        recursive = str(exchange.query("isRecursive")).lower() == "true"
        engine.cancel(find(exchange), recursive=recursive)
        return nothing(200)

    async def query_runs(exchange: Exchange) -> Response:
        factory = _allowed(exchange, "querypipelineruns/action")
        return answer(queries.answer(exchange.body(), runs.of_factory(factory), queries.PIPELINE_FIELDS, "lastUpdated"))

    async def query_activities(exchange: Exchange) -> Response:
        _allowed(exchange, "pipelineruns/queryactivityruns/action")
        found = runs.activities(find(exchange)["runId"])
        return answer(queries.answer(exchange.body(), found, queries.ACTIVITY_FIELDS, "_updated"))

    async def query_triggers(exchange: Exchange) -> Response:
        factory = _allowed(exchange, "querytriggerruns/action")
        found = runs.trigger_runs(factory)
        return answer(queries.answer(exchange.body(), found, queries.TRIGGER_FIELDS, "triggerRunTimestamp"))

    one = FACTORY + r"/pipelineruns/(?P<run>[^/]+)"
    return (
        rule("POST", FACTORY + r"/pipelines/(?P<name>[^/]+)/createRun", create),
        rule("GET", one, get),
        rule("POST", one + "/cancel", cancel),
        rule("POST", one + "/queryActivityruns", query_activities),
        rule("POST", FACTORY + "/queryPipelineRuns", query_runs),
        rule("POST", FACTORY + "/queryTriggerRuns", query_triggers),
    )
