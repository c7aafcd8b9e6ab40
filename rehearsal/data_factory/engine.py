"""Pipeline runs from their start to their end: createRun, ExecutePipeline, cancel, and what a restart leaves."""

from __future__ import annotations

import asyncio
import logging
from collections import ChainMap
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from rehearsal.data_factory import control_flow
from rehearsal.data_factory.activity_graph import INNER
from rehearsal.data_factory.control_flow import mapping, settings
from rehearsal.data_factory.expressions.errors import FunctionNotHere
from rehearsal.data_factory.expressions.evaluation import check_functions
from rehearsal.data_factory.outcome import ActivityFailed
from rehearsal.data_factory.places import Place, Running
from rehearsal.data_factory.runs import ENDED, Run, Runs
from rehearsal.data_factory.walk import Activity, Handler, Sleep, Walk
from rehearsal.resource_manager.errors import ServiceError, not_found, not_here
from rehearsal.resource_manager.identifiers import group_of
from rehearsal.world import World

Json = Any
log = logging.getLogger(__name__)
# Pipelines that call themselves end here; the service's own limit is not documented.
_DEEPEST = 40
_TYPE = "Microsoft.DataFactory/factories/pipelines"


class Engine:
    """Runs pipelines of all factories on the current event loop. handlers: of activities beyond control flow."""

    def __init__(self, world: World, runs: Runs, handlers: Mapping[str, Handler], sleep: Sleep) -> None:
        self._world, self.runs = world, runs
        all_handlers = {**control_flow.HANDLERS, **handlers, "executepipeline": self._execute}
        self._walk = Walk(runs, all_handlers, sleep)
        self._work: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, Running] = {}
        self._turns: dict[tuple[str, str, int], asyncio.Semaphore] = {}
        for run in runs.unfinished():
            runs.end(run, "Failed", "The rehearsal ended while this run was going on.")

    @property
    def activity_types(self) -> frozenset[str]:
        return frozenset(self._walk.handlers)

    def create(
        self,
        factory: dict[str, Json],
        pipeline: str,
        given: Mapping[str, Json],
        invoked_by: Mapping[str, Json],
        *,
        group: str | None = None,
        trigger: Mapping[str, Json] | None = None,
        depth: int = 0,
    ) -> Run:
        """Start a run. Raises ServiceError: 404, 400 for parameters without a value, 501 for what this rehearsal can't run."""
        definition = self._definition(factory, pipeline)
        self.check(factory, pipeline)
        parameters = _parameters(definition, given)
        run = self.runs.create(factory["id"], pipeline, parameters, invoked_by, group)
        variables = {name.lower(): one.get("defaultValue") for name, one in (definition.get("variables") or {}).items()}
        running = Running(run, factory, definition, parameters, trigger or {}, variables, depth)
        self._running[run["runId"]] = running
        work = asyncio.get_running_loop().create_task(self._carry_out(running))
        self._work[run["runId"]] = work
        work.add_done_callback(lambda _: self._work.pop(run["runId"], None))
        return run

    def check(self, factory: dict[str, Json], pipeline: str) -> None:
        """Raises ServiceError 501 when the pipeline, or one that it calls, needs what this rehearsal does not have."""
        waiting, seen = [pipeline], set[str]()
        while waiting:
            name = waiting.pop()
            if name.lower() in seen:
                continue
            seen.add(name.lower())
            for activity in every(self._definition(factory, name).get("activities") or []):
                kind = str(activity.get("type"))
                where = f" (activity '{activity.get('name')}' of pipeline '{name}')"
                if kind.lower() not in self._walk.handlers:
                    raise not_here(f"activity type '{kind}'{where}")
                try:
                    check_functions({key: value for key, value in activity.items() if key != "description"})
                except FunctionNotHere as missing:
                    raise not_here(f"{missing}{where}") from missing
                if kind.lower() == "executepipeline":
                    called = (settings(activity).get("pipeline") or {}).get("referenceName")
                    waiting += [called] if isinstance(called, str) else []

    def cancel(self, run: Run, *, recursive: bool) -> None:
        """Ask for the end of a run; nothing happens to one that has ended (unverified)."""
        work = self._work.get(run["runId"])
        if run["status"] in ENDED or work is None:
            return
        running = self._running[run["runId"]]
        running.run["status"] = "Canceling"
        self.runs.keep(running.run)
        work.cancel()
        for child in running.children if recursive else []:
            below = self._running.get(child)
            if below is not None:
                self.cancel(below.run, recursive=True)

    async def wait(self, run_id: str) -> None:
        """Until the run has ended."""
        work = self._work.get(run_id)
        if work is not None:
            await asyncio.wait([work])

    async def close(self) -> None:
        """Stop everything."""
        work = list(self._work.values())
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)

    async def _carry_out(self, running: Running) -> None:
        run = running.run
        try:
            async with self._turn(running):
                run["status"] = "InProgress"
                self.runs.keep(run)
                place = Place(running, ChainMap({}), self._world.clock)
                outcome = await self._walk.all_of(running.definition.get("activities") or [], place)
        except asyncio.CancelledError:
            self.runs.end(run, "Cancelled")
        except Exception as error:
            log.exception("a pipeline run ended with a mistake of the rehearsal")
            self.runs.end(run, "Failed", f"The rehearsal has made a mistake: {type(error).__name__}.")
        else:
            if outcome.failed:
                self.runs.end(run, "Failed", f"Operation on target {outcome.failed} failed: {outcome.message}")
            else:
                self.runs.end(run, "Succeeded")

    def _turn(self, running: Running) -> AbstractAsyncContextManager[Any]:
        """Held while a run goes on: a pipeline's `concurrency` says how many do at once, the others are Queued."""
        most = running.definition.get("concurrency")
        if not isinstance(most, int) or most < 1:
            return nullcontext()
        key = (running.factory["id"].lower(), running.run["pipelineName"].lower(), most)
        return self._turns.setdefault(key, asyncio.Semaphore(most))

    async def _execute(self, _walk: Walk, activity: Activity, place: Place, record: Run) -> Json:
        """ExecutePipeline. waitOnCompletion is false unless it is given (…/control-flow-execute-pipeline-activity)."""
        given, above = settings(activity), place.running
        name = str((given.get("pipeline") or {}).get("referenceName"))
        parameters = mapping("parameters", place.value(given.get("parameters")))
        record["input"] = {"pipeline": given.get("pipeline"), "parameters": parameters}
        invoked_by = {
            "id": record["activityRunId"],
            "name": activity["name"],
            "invokedByType": "PipelineActivity",
            "pipelineName": above.run["pipelineName"],
            "pipelineRunId": above.run["runId"],
        }
        if above.depth >= _DEEPEST:
            raise ActivityFailed(
                "NotImplementedInRehearsal",
                f"This rehearsal has no chain of more than {_DEEPEST} pipelines.",
                again=False,
            )
        try:
            made = self.create(
                above.factory,
                name,
                parameters,
                invoked_by,
                group=above.run["runGroupId"],
                trigger=above.trigger,
                depth=above.depth + 1,
            )
        except ServiceError as refused:
            raise ActivityFailed(refused.code, refused.message, again=False) from refused
        above.children.append(made["runId"])
        output: dict[str, Json] = {"pipelineName": name, "pipelineRunId": made["runId"]}
        record["output"] = dict(output)
        self.runs.keep_activity(record)
        if not given.get("waitOnCompletion"):
            return output
        await self.wait(made["runId"])
        child = self._running[made["runId"]]
        if child.run["status"] != "Succeeded":
            message = child.run["message"] or f"The pipeline run was {child.run['status'].lower()}."
            raise ActivityFailed("ExecutePipelineFailed", message, output=output, again=False)  # code unverified
        return {**output, "pipelineReturnValue": child.returned} if child.returned else output

    def _definition(self, factory: dict[str, Json], pipeline: str) -> dict[str, Json]:
        found = self._world.resources.get(f"{factory['id']}/pipelines/{pipeline}")
        if found is None:
            raise not_found(_TYPE, f"{factory['name']}/{pipeline}", group_of(factory["id"]))
        properties: dict[str, Json] = found["properties"]
        return properties


def every(activities: list[Activity]) -> Iterator[Activity]:
    """All activities, those inside others too; inactive ones and what they hold are left out."""
    for activity in activities:
        if activity.get("state") == "Inactive":
            continue
        yield activity
        given = settings(activity)
        for name in INNER:
            yield from every(given.get(name) or [])
        for case in given.get("cases") or []:
            yield from every(case.get("activities") or [])


def _parameters(definition: Mapping[str, Json], given: Mapping[str, Json]) -> dict[str, Json]:
    """The pipeline's parameters with their values; names that it does not declare are left out (unverified)."""
    by_name = {name.lower(): value for name, value in given.items()}
    found: dict[str, Json] = {}
    missing: list[str] = []
    for name, declared in (definition.get("parameters") or {}).items():
        if name.lower() in by_name:
            found[name] = by_name[name.lower()]
        elif "defaultValue" in declared:
            found[name] = declared["defaultValue"]
        else:
            missing.append(name)
    if missing:
        # Code and text unverified.
        names = ", ".join(f"'{name}'" for name in missing)
        raise ServiceError(400, "BadRequest", f"The pipeline's parameters {names} have no value.")
    return found
