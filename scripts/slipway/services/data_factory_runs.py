"""Runs of one data factory's pipelines (azure-mgmt-datafactory, api-version 2018-06-01)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from slipway.errors import ServiceError

if TYPE_CHECKING:
    from slipway.services.data_factory import DataFactory

ENDED = ("Succeeded", "Failed", "Cancelled")
_MOST_PAGES = 1000
# Runs are kept for 45 days (https://learn.microsoft.com/azure/data-factory/monitor-data-factory); a day more for clocks
# that differ.
_KEPT, _AHEAD = timedelta(days=45), timedelta(days=1)


class PipelineRuns:
    """Every method is one request (queries: one for each page). Raises AuthenticationError and ServiceError."""

    def __init__(self, factory: DataFactory) -> None:
        self.factory = factory

    def start(self, pipeline: str, parameters: Mapping[str, str]) -> str:
        """Starts a run; returns its id. Never sent twice: each time is another run."""
        doing = f"starting pipeline {pipeline}"
        answer = self.factory.ask("POST", f"/pipelines/{quote(pipeline, safe='')}/createRun", doing, dict(parameters))
        run_id = (answer or {}).get("runId")
        if not run_id:
            raise ServiceError(f"{doing} of data factory {self.factory.name}: the service named no run.")
        return str(run_id)

    def get(self, run_id: str) -> dict[str, Any] | None:
        """The run, or None where the service does not know it (yet)."""
        return self.factory.ask("GET", f"/pipelineruns/{quote(run_id)}", f"reading run {run_id}", missing=True)

    def cancel(self, run_id: str) -> None:
        """Asks for the end of a run and of those that it started."""
        path = f"/pipelineruns/{quote(run_id)}/cancel?isRecursive=true"
        self.factory.ask("POST", path, f"cancelling run {run_id}", repeatable=True)

    def activities(self, run_id: str, *, now: float) -> list[dict[str, Any]]:
        """All activity runs of a pipeline run, to the last page, in the order in which they started."""
        path = f"/pipelineruns/{quote(run_id)}/queryActivityruns"
        found = self._query(path, f"reading the activities of run {run_id}", now, [])
        return sorted(found, key=lambda one: str(one.get("activityRunStart") or "~"))

    def active(self, pipelines: Sequence[str] | None = None, *, now: float) -> list[dict[str, Any]]:
        """The runs of these pipelines (None: of all) that have not ended."""
        filters: list[dict[str, Any]] = [
            {"operand": "Status", "operator": "In", "values": ["Queued", "InProgress", "Canceling"]}
        ]
        if pipelines is not None:
            filters.append({"operand": "PipelineName", "operator": "In", "values": list(pipelines)})
        return self._query("/queryPipelineRuns", "looking for runs", now, filters)

    def since(self, moment: float, *, now: float) -> list[dict[str, Any]]:
        """The runs of all pipelines that something happened to since then (seconds since the epoch)."""
        return self._query("/queryPipelineRuns", "looking at runs", now, [], after=moment)

    def last_before(self, pipeline: str, moment: float) -> list[dict[str, Any]]:
        """The newest runs of a pipeline that nothing happened to since then, newest first: one page."""
        when = datetime.fromtimestamp(moment, UTC)
        body = {
            "lastUpdatedAfter": (when - _KEPT).isoformat(),
            "lastUpdatedBefore": when.isoformat(),
            "filters": [{"operand": "PipelineName", "operator": "Equals", "values": [pipeline]}],
            "orderBy": [{"orderBy": "RunStart", "order": "DESC"}],
        }
        answer = self.factory.ask("POST", "/queryPipelineRuns", f"looking at runs of {pipeline}", body, repeatable=True)
        return list((answer or {}).get("value") or [])

    def page(self, run_id: str) -> str:
        """Data Factory Studio's page of a run."""
        return f"https://adf.azure.com/en/monitoring/pipelineruns/{run_id}?factory={quote(self.factory.id, safe='')}"

    def _query(
        self, path: str, doing: str, now: float, filters: list[dict[str, Any]], *, after: float | None = None
    ) -> list[dict[str, Any]]:
        """Every page; what was updated since `after`, or as long ago as runs are kept."""
        moment = datetime.fromtimestamp(now, UTC)
        body: dict[str, Any] = {
            "lastUpdatedAfter": (moment - _KEPT if after is None else datetime.fromtimestamp(after, UTC)).isoformat(),
            "lastUpdatedBefore": (moment + _AHEAD).isoformat(),
            "filters": filters,
        }
        found: list[dict[str, Any]] = []
        for _ in range(_MOST_PAGES):
            answer = self.factory.ask("POST", path, doing, body, repeatable=True) or {}
            found += answer.get("value") or []
            token = answer.get("continuationToken")
            if not token or token == body.get("continuationToken"):
                return found
            body["continuationToken"] = token
        raise ServiceError(f"{doing} of data factory {self.factory.name}: more than {_MOST_PAGES} pages.")
